package recurrence

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch/bench"
	adversarial "offswitch/bench/models"
	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

var pathSeed = flag.Uint64("pathseed", 1, "seed of the random models of the tests of fast paths")

// ways are settings of everything that decides which of several ways an answer takes.
var ways = []struct {
	name                                         string
	giant, forward, backward, budget, trim, sure int
	hub                                          uint32
	workers                                      int
}{
	{"as it is", giantFrom, forwardPasses, backwardPasses, firstBudget, trimShare, sureRounds, hubFrom, 2},
	{"one core", 1, 64, 64, 64, 64, 64, 3, 1},
	{"two cores", 1, 64, 64, 64, 1000, 64, 1, 2},
	{"queues", 1, 0, 0, 1, 1, 1, 2, 3},
	{"few passes", 1, 1, 1, 4, 3, 2, 256, 2},
	{"no searches", 1 << 30, 0, 0, 1 << 30, 1, 0, 1, 2},
}

// everyWay calls f with a structure of the model for each way.
func everyWay(m *sparse.MDP, f func(name string, r *Structure)) {
	defer func(g, a, b, c, d, e int, h uint32) {
		giantFrom, forwardPasses, backwardPasses, firstBudget, trimShare, sureRounds, hubFrom = g, a, b, c, d, e, h
	}(giantFrom, forwardPasses, backwardPasses, firstBudget, trimShare, sureRounds, hubFrom)
	for _, w := range ways {
		giantFrom, forwardPasses, backwardPasses, firstBudget = w.giant, w.forward, w.backward, w.budget
		trimShare, sureRounds, hubFrom = w.trim, w.sure, w.hub
		r := NewStructure(m, w.workers)
		r.workers = w.workers // small models, too
		f(w.name, r)
	}
}

// models calls f with random models: ugly small ones, every family, and models with states of very many choices, in
// their order and scattered.
func models(t *testing.T, f func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP)) {
	rng := rand.New(rand.NewPCG(*pathSeed, 0))
	for i := range 250 {
		f(t, "small", rng, sparsetest.Random(rng, 2+i%60, i%3 == 0))
	}
	for _, family := range bench.Families() {
		for i := range 6 {
			o := bench.Options{States: max(family.MinStates, 60+rng.IntN(240)), Seed: rng.Uint64(), Leak: []float64{0, 0.05}[i%2]}
			if family.HasSlip && i%3 > 0 {
				o.Slip = 0.2
			}
			m, err := family.Generate(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			f(t, family.Name, rng, m)
			f(t, family.Name+" scattered", rng, scatter(m, rng))
		}
	}
	for _, states := range []int{20, 120} {
		m := adversarial.Hub(states)
		f(t, "hub", rng, m)
		f(t, "hub scattered", rng, scatter(m, rng))
	}
}

// scatter returns the transitions of a model with its states in a random order.
func scatter(m *sparse.MDP, rng *rand.Rand) *sparse.MDP {
	b := sparse.NewBuilder(m.NumStates())
	place := rng.Perm(m.NumStates())
	for s := range uint32(m.NumStates()) {
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			var row []sparse.Branch
			for i, t := range m.Targets(c) {
				row = append(row, sparse.Branch{Target: uint32(place[t]), Probability: m.Probabilities(c)[i]})
			}
			b.AddChoice(uint32(place[s]), "", row...)
		}
	}
	out, err := b.Build()
	if err != nil {
		panic(err)
	}
	return out
}

// reaches returns which states can be reached from s along choices that are allowed, s included.
func reaches(m *sparse.MDP, s uint32, allowed func(c uint32) bool) []bool {
	seen := make([]bool, m.NumStates())
	seen[s] = true
	stack := []uint32{s}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if !allowed(c) {
				continue
			}
			for _, t := range m.Targets(c) {
				if !seen[t] {
					seen[t] = true
					stack = append(stack, t)
				}
			}
		}
	}
	return seen
}

// partition numbers classes of mutual reachability, one search a state, -1 where live says no.
func partition(m *sparse.MDP, live func(s uint32) bool, allowed func(c uint32) bool) []int {
	n := m.NumStates()
	reach := make([][]bool, n)
	for s := range reach {
		if live(uint32(s)) {
			reach[s] = reaches(m, uint32(s), allowed)
		}
	}
	of := make([]int, n)
	for s := range of {
		of[s] = -1
		for t := 0; t <= s && reach[s] != nil; t++ {
			if reach[t] != nil && reach[s][t] && reach[t][s] {
				of[s] = t
				break
			}
		}
	}
	return of
}

// endComponents removes what can leave until nothing does: the definition, made a program.
func endComponents(m *sparse.MDP) []int {
	out := make([]bool, m.NumStates())
	of := make([]int, m.NumStates())
	inside := func(c uint32) bool {
		s := m.ChoiceState(c)
		for _, t := range m.Targets(c) {
			if of[t] != of[s] || out[t] {
				return false
			}
		}
		return !out[s]
	}
	for changed := true; changed; {
		changed = false
		for s := range uint32(m.NumStates()) {
			lo, hi := m.Choices(s)
			stays := false
			for c := lo; c < hi; c++ {
				stays = stays || inside(c)
			}
			if !stays && !out[s] {
				out[s], changed = true, true
			}
		}
		next := partition(m, func(s uint32) bool { return !out[s] }, inside)
		changed = changed || !slices.Equal(next, of)
		of = next
	}
	return of
}

// sameClasses fails unless both number the same classes; -1 and None are in none.
func sameClasses(t *testing.T, what string, want []int, got []uint32) {
	t.Helper()
	number := map[int]uint32{}
	names := map[uint32]bool{}
	for s, k := range want {
		if (k < 0) != (got[s] == None) {
			t.Fatalf("%s: state %d is in component %d, want %d", what, s, got[s], k)
		}
		if k < 0 {
			continue
		}
		if first, ok := number[k]; !ok {
			if names[got[s]] {
				t.Fatalf("%s: state %d is in component %d of other states", what, s, got[s])
			}
			number[k], names[got[s]] = got[s], true
		} else if first != got[s] {
			t.Fatalf("%s: state %d is in component %d, want %d", what, s, got[s], first)
		}
	}
}

func TestStronglyConnectedEveryWay(t *testing.T) {
	models(t, func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP) {
		any := func(uint32) bool { return true }
		want := partition(m, any, any)
		everyWay(m, func(way string, r *Structure) {
			c := r.StronglyConnected()
			sameClasses(t, name+", "+way, want, c.Of)
			for s := range uint32(m.NumStates()) {
				for _, u := range m.Successors(s) {
					if c.Of[u] > c.Of[s] {
						t.Fatalf("%s, %s: component %d comes before %d, which it reaches", name, way, c.Of[s], c.Of[u])
					}
				}
			}
			if most := slices.Max(c.Of); int(most) != c.Count()-1 {
				t.Fatalf("%s, %s: %d components, the last is %d", name, way, c.Count(), most)
			}
		})
	})
}

func TestEndComponentsEveryWay(t *testing.T) {
	models(t, func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP) {
		want := endComponents(m)
		var first []uint32
		everyWay(m, func(way string, r *Structure) {
			c := r.EndComponents()
			sameClasses(t, name+", "+way, want, c.Of)
			if first == nil {
				first = c.Of
			}
			if !slices.Equal(first, c.Of) {
				t.Fatalf("%s, %s: components are numbered in another way", name, way)
			}
		})
	})
}

func TestAlmostSureEveryWay(t *testing.T) {
	models(t, func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP) {
		target := sparse.NewBitset(m.NumStates())
		for range 1 + rng.IntN(3) {
			target.Set(rng.Uint32N(uint32(m.NumStates())))
		}
		// The greatest set that leads to the target by choices that stay in it.
		want := make([]bool, m.NumStates())
		for s := range want {
			want[s] = true
		}
		for changed := true; changed; {
			changed = false
			for s := range want {
				if !want[s] {
					continue
				}
				seen := reaches(m, uint32(s), func(c uint32) bool {
					return !slices.ContainsFunc(m.Targets(c), func(u uint32) bool { return !want[u] })
				})
				leads := false
				for u := range target.All() {
					leads = leads || seen[u]
				}
				if !leads {
					want[s], changed = false, true
				}
			}
		}
		everyWay(m, func(way string, r *Structure) {
			got := r.AlmostSure(target)
			for s := range want {
				if got.Has(uint32(s)) != want[s] {
					t.Fatalf("%s, %s: state %d almost surely %v, want %v", name, way, s, got.Has(uint32(s)), want[s])
				}
			}
		})
	})
}

func TestPredecessorsEveryWay(t *testing.T) {
	models(t, func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP) {
		want := make([][]uint32, m.NumStates())
		for s := range uint32(m.NumStates()) {
			for _, u := range m.Successors(s) {
				if u != s && !slices.Contains(want[u], s) {
					want[u] = append(want[u], s)
				}
			}
		}
		everyWay(m, func(way string, r *Structure) {
			before := r.Predecessors()
			for s := range uint32(m.NumStates()) {
				if !slices.Equal(before.Of(s), want[s]) {
					t.Fatalf("%s, %s: predecessors of %d are %v, want %v", name, way, s, before.Of(s), want[s])
				}
			}
		})
	})
}

// A structure that was about another model answers like a new one, and in the memory it has.
func TestStructureResetTakesItsMemoryOver(t *testing.T) {
	r := NewStructure(sparsetest.Random(rand.New(rand.NewPCG(*pathSeed, 1)), 5, true), 2)
	models(t, func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP) {
		r.Reset(m)
		fresh := NewStructure(m, 2)
		if !slices.Equal(r.EndComponents().Of, fresh.EndComponents().Of) || !slices.Equal(r.StronglyConnected().Of, fresh.StronglyConnected().Of) {
			t.Fatalf("%s: other components than those of a new structure", name)
		}
		again := testing.AllocsPerRun(2, func() {
			r.Reset(m)
			r.EndComponents()
			r.Predecessors()
		})
		// The structs themselves, and lists of what was lost where end components come loose.
		if again > 60 {
			t.Fatalf("%s: %v allocations", name, again)
		}
	})
}
