package sparse_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/internal/modeltest"
	"offswitch/sparse/sparsetest"
)

// scatter returns the states of a model in random order.
func scatter(rng *rand.Rand, m *sparse.MDP) []uint32 {
	order := make([]uint32, m.NumStates())
	for i, s := range rng.Perm(len(order)) {
		order[i] = uint32(s)
	}
	return order
}

// orders are the ways to order a model's states.
var orders = map[string]func(rng *rand.Rand, m *sparse.MDP) []uint32{
	"scattered":     scatter,
	"breadth first": func(_ *rand.Rand, m *sparse.MDP) []uint32 { return sparse.BreadthFirst(m) },
	"Cuthill-McKee": func(_ *rand.Rand, m *sparse.MDP) []uint32 { return sparse.CuthillMcKee(m) },
}

// everyRelabelling runs f on ugly random models, of every kind of names, put in every order.
func everyRelabelling(t *testing.T, f func(t *testing.T, rng *rand.Rand, m *sparse.MDP, order []uint32)) {
	for name, order := range orders {
		t.Run(name, func(t *testing.T) {
			for i := range uint64(100) {
				rng := rand.New(rand.NewPCG(*seed, i))
				m := modeltest.Random(rng, modeltest.Wild())
				if i%2 == 0 {
					m = sparsetest.Random(rng, 300, i%4 == 0)
				}
				if f(t, rng, m, order(rng, m)); t.Failed() {
					t.Fatalf("seed %d, model %d", *seed, i)
				}
			}
		})
	}
}

// isomorphic checks that state i of b is state order[i] of a, in all respects.
func isomorphic(t *testing.T, a, b *sparse.MDP, order []uint32) {
	t.Helper()
	same := func(what string, x, y any) {
		t.Helper()
		if x != y {
			t.Errorf("%s: %v, want %v", what, y, x)
		}
	}
	same("states", a.NumStates(), b.NumStates())
	same("choices", a.NumChoices(), b.NumChoices())
	same("branches", a.NumBranches(), b.NumBranches())
	same("terminal states", a.NumTerminal(), b.NumTerminal())
	same("row excess", a.RowExcess(), b.RowExcess())
	same("deterministic", a.Deterministic(), b.Deterministic())
	same("labels", len(a.Labels()), len(b.Labels()))
	same("rewards", len(a.Rewards()), len(b.Rewards()))
	if t.Failed() {
		return
	}
	for i, s := range order {
		i := uint32(i)
		same("original", a.Original(s), b.Original(i))
		same("name", a.StateName(s), b.StateName(i))
		same("initial", a.Initial().Has(s), b.Initial().Has(i))
		for k, l := range a.Labels() {
			same("label", l.States.Has(s), b.Labels()[k].States.Has(i))
		}
		for k, r := range a.Rewards() {
			if r.States.Len() > 0 {
				same("reward", r.States.At(s), b.Rewards()[k].States.At(i))
			}
		}
		lo, hi := a.Choices(s)
		other, end := b.Choices(i)
		if same("choices of a state", hi-lo, end-other); t.Failed() {
			return
		}
		for c := lo; c < hi; c++ {
			d := other + c - lo
			same("action", a.ActionName(c), b.ActionName(d))
			for k, r := range a.Rewards() {
				if r.Choices.Len() > 0 {
					same("choice reward", r.Choices.At(c), b.Rewards()[k].Choices.At(d))
				}
			}
			x, to := a.Branches(c)
			y, last := b.Branches(d)
			if same("branches of a choice", to-x, last-y); t.Failed() {
				return
			}
			for ; x < to; x, y = x+1, y+1 {
				same("target", a.Target(x), order[b.Target(y)])
			}
			same("probabilities", fmt.Sprint(a.Probabilities(c)), fmt.Sprint(b.Probabilities(d)))
		}
	}
}

func TestRelabelMovesEverything(t *testing.T) {
	everyRelabelling(t, func(t *testing.T, rng *rand.Rand, m *sparse.MDP, order []uint32) {
		moved := m.Relabel(order)
		isomorphic(t, m, moved, order)
		again := scatter(rng, moved)
		isomorphic(t, moved, moved.Relabel(again), again)
		isomorphic(t, m.WithoutChoices(m.Initial()), moved.WithoutChoices(moved.Initial()), order)
	})
}

// Whoever knows a state by name, or by the number that it had, finds it in the relabelled model.
func TestRelabelledStatesAreFound(t *testing.T) {
	everyRelabelling(t, func(t *testing.T, rng *rand.Rand, m *sparse.MDP, order []uint32) {
		moved := m.Relabel(order)
		for _, name := range []string{"#0", "0", "#1", "1", "#77", "77", fmt.Sprint("#", m.NumStates()), m.StateName(order[0]), "(2,true,a)"} {
			want, wantErr := m.FindState(name)
			got, err := moved.FindState(name)
			if (err == nil) != (wantErr == nil) {
				t.Errorf("FindState(%q): error %v, want %v", name, err, wantErr)
			} else if err == nil && order[got] != want {
				t.Errorf("FindState(%q) = %d, which was %d, want %d", name, got, order[got], want)
			}
		}
		for s := range uint32(m.NumStates()) {
			if got, err := moved.FindState(moved.StateName(s)); err == nil && got != s {
				t.Fatalf("FindState(%q) = %d, want %d", moved.StateName(s), got, s)
			}
		}
	})
}

func TestRelabelThereAndBack(t *testing.T) {
	everyRelabelling(t, func(t *testing.T, rng *rand.Rand, m *sparse.MDP, order []uint32) {
		back := make([]uint32, len(order))
		for i, s := range order {
			back[s] = uint32(i)
		}
		home := m.Relabel(order).Relabel(back)
		if d := modeltest.Diff(m, home); d != "" {
			t.Error(d)
		}
		if home.Hash() != m.Hash() || (home.Names() == nil) != (m.Names() == nil) || home.Bytes() > m.Bytes() {
			t.Errorf("what came back is not the same model: %d bytes, %d before", home.Bytes(), m.Bytes())
		}
	})
}

func TestRelabelledModelsHaveTheSameSolution(t *testing.T) {
	everyRelabelling(t, func(t *testing.T, rng *rand.Rand, m *sparse.MDP, order []uint32) {
		moved := m.Relabel(order)
		x, y := recurrence.NewStructure(m, 0).EndComponents(), recurrence.NewStructure(moved, 0).EndComponents()
		if x.Count() != y.Count() || x.NumStates() != y.NumStates() {
			t.Fatalf("%d end components of %d states, want %d of %d", y.Count(), y.NumStates(), x.Count(), x.NumStates())
		}
		of := make(map[uint32]int) // by state of m
		for c := range x.Count() {
			for _, s := range x.Members(uint32(c)) {
				of[s] = c
			}
		}
		for c := range y.Count() {
			members := y.Members(uint32(c))
			for _, s := range members {
				if at, ok := of[order[s]]; !ok || at != of[order[members[0]]] {
					t.Fatalf("state %d is in another end component", order[s])
				}
			}
		}
		r := m.Reward("rc")
		if r == nil {
			return
		}
		values := func(m *sparse.MDP) *sparse.Solution {
			r := m.Reward("rc")
			p := sparse.Problem{Discount: 0.9, States: r.States.Dense(m.NumStates()), Choices: r.Choices.Dense(m.NumChoices())}
			solution, err := m.Solve(context.Background(), p)
			if err != nil {
				t.Fatal(err)
			}
			return solution
		}
		want, got := values(m), values(moved)
		for i, s := range order {
			if d := math.Abs(want.Values[s] - got.Values[i]); d > want.Error+got.Error {
				t.Fatalf("state %d: value %v, want %v", s, got.Values[i], want.Values[s])
			}
		}
	})
}

// The order of BreadthFirst against a search over a queue of edges, and both orders against what
// makes a permutation.
func TestOrders(t *testing.T) {
	for i := range uint64(300) {
		rng := rand.New(rand.NewPCG(*seed, i))
		m := sparsetest.Random(rng, 300, i%2 == 0)
		m = m.Relabel(scatter(rng, m))
		var want []uint32
		seen := make(map[uint32]bool)
		roots := slices.Collect(m.Initial().All())
		for s := range uint32(m.NumStates()) {
			roots = append(roots, s)
		}
		for _, root := range roots {
			for queue := []uint32{root}; len(queue) > 0; queue = queue[1:] {
				if s := queue[0]; !seen[s] {
					seen[s] = true
					want = append(want, s)
					queue = append(queue, m.Successors(s)...)
				}
			}
		}
		if got := sparse.BreadthFirst(m); !slices.Equal(got, want) {
			t.Fatalf("seed %d, model %d: breadth-first order %v, want %v", *seed, i, got, want)
		}
		slices.Sort(want)
		got := sparse.CuthillMcKee(m)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Fatalf("seed %d, model %d: Cuthill-McKee order is no permutation", *seed, i)
		}
	}
}

// bandwidth is the greatest distance in number of the ends of a branch.
func bandwidth(m *sparse.MDP) (widest uint32) {
	for s := range uint32(m.NumStates()) {
		for _, t := range m.Successors(s) {
			widest = max(widest, max(s, t)-min(s, t))
		}
	}
	return widest
}

// On a grid of any proportions no diagonal is longer than the shorter side, and the Cuthill-McKee
// order of a scattered grid reaches that bandwidth, twice over at most.
func TestCuthillMcKeeOfAGrid(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 0))
	for range 20 {
		width, height := uint32(1+rng.IntN(30)), uint32(1+rng.IntN(30))
		b := sparse.NewBuilder(int(width * height))
		for s := range width * height {
			if s%width > 0 {
				b.AddChoice(s, "", sparse.Branch{Target: s - 1, Probability: 1})
			}
			if s/width > 0 {
				b.AddChoice(s, "", sparse.Branch{Target: s - width, Probability: 1})
			}
		}
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		m = m.Relabel(scatter(rng, m))
		if got := bandwidth(m.Relabel(sparse.CuthillMcKee(m))); got > 2*min(width, height) {
			t.Errorf("seed %d, %d by %d: bandwidth %d after Cuthill-McKee, %d before", *seed, width, height, got, bandwidth(m))
		}
	}
}

func TestRelabelWantsAPermutation(t *testing.T) {
	b := sparse.NewBuilder(3)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, order := range [][]uint32{nil, {0, 1}, {0, 1, 1}, {0, 1, 3}, {0, 1, 2, 3}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("no panic for the order %v", order)
				}
			}()
			m.Relabel(order)
		}()
	}
}

// letters is a kind of names that the package does not know.
type letters int

func (n letters) Len() int { return int(n) }
func (n letters) AppendName(dst []byte, s uint32) []byte {
	return append(dst, 'a'+byte(s))
}

func TestRelabelKeepsForeignNames(t *testing.T) {
	b := sparse.NewBuilder(20)
	b.SetNames(letters(20))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(*seed, 0))
	for range 3 {
		order := scatter(rng, m)
		moved := m.Relabel(order)
		isomorphic(t, m, moved, order)
		m = moved
	}
	if s, err := m.FindState("c"); err != nil || m.Original(s) != 2 {
		t.Errorf("FindState(c) = %d, %v, want what was state 2", s, err)
	}
}
