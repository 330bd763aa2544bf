package bench

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch/bench/models"
	"offswitch/recurrence"
	"offswitch/sparse"
)

// subject is a kind of model that algorithms are measured on.
type subject struct {
	name     string
	explored bool // made by sparse.Explore
	most     int  // the largest size that is measured; 0: any
	make     func(tb testing.TB, states int) *sparse.MDP
}

// limit returns the largest size to measure.
func (s *subject) limit() int {
	if s.most > 0 {
		return min(s.most, *largest)
	}
	return *largest
}

const slip = 0.2

// subjects returns the families of this package, the moving ones without slips first, and those of
// package models.
func subjects() []subject {
	var all []subject
	add := func(name, family string, o Options) {
		all = append(all, subject{name, true, 0, func(tb testing.TB, states int) *sparse.MDP {
			o.States, o.Seed = states, 1
			return generate(tb, family, o)
		}})
	}
	for _, family := range Families() {
		add(family.Name, family.Name, Options{})
	}
	for _, family := range []string{"coinrun", "grid"} {
		add("slip"+family, family, Options{Slip: slip})
	}
	for _, family := range models.Families() {
		all = append(all, subject{family.Name, family.Explored, family.Most, func(_ testing.TB, states int) *sparse.MDP {
			return family.Make(states)
		}})
	}
	return all
}

// The orders of a model's states: as the model is made, which for an explored one is breadth first,
// and at random.
const (
	local     = "local"
	scattered = "scattered"
)

// instance is a model and what the algorithms are asked of it.
type instance struct {
	*sparse.MDP
	order  string
	again  func()    // makes the model once more; nil unless it is explored
	start  uint32    // the new situation, or the initial state
	target uint32    // the last goal
	reward []float64 // of the states
}

func newInstance(m *sparse.MDP) *instance {
	x := &instance{
		MDP: m, order: local,
		start: m.Initial().First(), reward: m.Rewards()[0].States.Dense(m.NumStates()),
	}
	if fresh, ok := m.Label("new"); ok {
		x.start = fresh.First()
	}
	goals, _ := m.Label(m.Rewards()[0].Name)
	for s := range goals.All() {
		x.target = s
	}
	return x
}

// scatter returns the same with the states in random order, without labels, rewards and names.
func (x *instance) scatter(tb testing.TB) *instance {
	n := x.NumStates()
	states, at := make([]uint32, n), make([]uint32, n) // the old number of each state, and the new one
	for i := range states {
		states[i] = uint32(i)
	}
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	rng.Shuffle(n, func(i, j int) { states[i], states[j] = states[j], states[i] })
	for i, s := range states {
		at[s] = uint32(i)
	}
	m := permute(tb, x.MDP, states, at)
	y := &instance{MDP: m, order: scattered, start: at[x.start], target: at[x.target], reward: make([]float64, n)}
	for i, s := range states {
		y.reward[i] = x.reward[s]
	}
	return y
}

// permute returns the transitions of a model with the states renumbered: states holds the old number
// of each, at the new one.
func permute(tb testing.TB, m *sparse.MDP, states, at []uint32) *sparse.MDP {
	p := sparse.Parts{
		ChoiceStart: append(make([]uint32, 0, len(states)+1), 0),
		Target:      make([]uint32, 0, m.NumBranches()),
	}
	if !m.Deterministic() {
		p.BranchStart = append(make([]uint32, 0, m.NumChoices()+1), 0)
	}
	var probability sparse.FloatsBuilder
	probability.Expect(m.NumBranches())
	choices := uint32(0)
	for _, s := range states {
		lo, hi := m.Choices(s)
		choices += hi - lo
		p.ChoiceStart = append(p.ChoiceStart, choices)
		for c := lo; c < hi; c++ {
			weights := m.Probabilities(c)
			for i, t := range m.Targets(c) {
				p.Target = append(p.Target, at[t])
				probability.Append(weights[i])
			}
			if p.BranchStart != nil {
				p.BranchStart = append(p.BranchStart, uint32(len(p.Target)))
			}
		}
	}
	p.Probability = probability.Column()
	scattered, err := sparse.New(p)
	if err != nil {
		tb.Fatal(err)
	}
	return scattered
}

// keptStates is the size up to which all instances are kept; of larger models there is only one at a
// time, in one order or both.
const keptStates = 100_000

type instanceKey struct {
	subject string
	states  int
	order   string
}

var instances = make(map[instanceKey]*instance)

// instanceOf returns the model of about that many states in one order.
func instanceOf(tb testing.TB, s subject, states int, order string) *instance {
	key := instanceKey{s.name, states, order}
	if x := instances[key]; x != nil {
		return x
	}
	for other := range instances {
		if other.states > keptStates && (other.subject != s.name || other.states != states) {
			delete(instances, other)
		}
	}
	if order == scattered {
		instances[key] = instanceOf(tb, s, states, local).scatter(tb)
		return instances[key]
	}
	x := newInstance(s.make(tb, states))
	if s.explored {
		x.again = func() { s.make(tb, states) }
	}
	instances[key] = x
	return x
}

// everyInstance runs f on each subject, size and order.
func everyInstance(b *testing.B, f func(b *testing.B, x *instance)) {
	for _, s := range subjects() {
		for states := 10_000; states <= s.limit(); states *= 10 {
			for _, order := range []string{local, scattered} {
				b.Run(fmt.Sprintf("%s/%d/%s", s.name, states, order), func(b *testing.B) {
					f(b, instanceOf(b, s, states, order))
				})
			}
		}
	}
}

// What the algorithms find does not depend on the order of the states.
func TestOrderOfStatesDoesNotMatter(t *testing.T) {
	for _, s := range subjects() {
		x := instanceOf(t, s, 2000, local)
		y := instanceOf(t, s, 2000, scattered)
		here, there := recurrence.NewStructure(x.MDP, 0), recurrence.NewStructure(y.MDP, 0)
		if a, b := sizes(here.StronglyConnected()), sizes(there.StronglyConnected()); !slices.Equal(a, b) {
			t.Errorf("%s: components of sizes %v, scattered %v", s.name, a, b)
		}
		if a, b := sizes(here.EndComponents()), sizes(there.EndComponents()); !slices.Equal(a, b) {
			t.Errorf("%s: end components of sizes %v, scattered %v", s.name, a, b)
		}
		if a, b := here.AlmostSure(single(x.MDP, x.target)).Count(), there.AlmostSure(single(y.MDP, y.target)).Count(); a != b {
			t.Errorf("%s: the target is reached almost surely from %d states, scattered %d", s.name, a, b)
		}
		if a, b := len(new(recurrence.Search).Forward(x.MDP, x.start).Order), len(new(recurrence.Search).Forward(y.MDP, y.start).Order); a != b {
			t.Errorf("%s: %d states are reached, scattered %d", s.name, a, b)
		}
	}
}

// sizes returns the sizes of the components, in increasing order.
func sizes(c *recurrence.Components) []int {
	var all []int
	for k := range uint32(c.Count()) {
		all = append(all, len(c.Members(k)))
	}
	slices.Sort(all)
	return all
}
