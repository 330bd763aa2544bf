// Package modeltest makes random models for the round trips of the format packages, and compares
// models.
package modeltest

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"

	"offswitch/sparse"
)

// Shape says what a random model has.
type Shape struct {
	States       int // at most, at least 1
	Rewards      int // at most
	StateRewards bool
	Labels       []string // names to use, each or not
	Actions      []string // names to use, "" for none; nil: no names at all
	Names        bool     // states may have names
	Duplicates   bool     // a choice may have several branches to one target
	EveryAction  bool     // no two choices of a state share a name
}

// Wild is a shape that asks everything of a format.
func Wild() Shape {
	return Shape{
		States: 40, Rewards: 3, StateRewards: true,
		Labels:  []string{"goal", "far away", "init2", "[x]", "tab\there", "//", "a=b", "überall", "terminal"},
		Actions: []string{"", "go", "stay", "north-east", "0", "ü", "//a", "#1"},
		Names:   true, Duplicates: true,
	}
}

// Random returns a model of that shape.
func Random(rng *rand.Rand, shape Shape) *sparse.MDP {
	n := 1 + rng.IntN(shape.States)
	b := sparse.NewBuilder(n)
	terminal := rng.Float64() * rng.Float64()
	if rng.IntN(10) == 0 {
		terminal = 1
	}
	reach := 1 + rng.IntN(n) // how many states are targets: the others cannot be reached
	single := rng.IntN(3) == 0
	named := rng.IntN(3) > 0 && len(shape.Actions) > 0
	var rewards []string
	for i := range rng.IntN(shape.Rewards + 1) {
		rewards = append(rewards, fmt.Sprintf("r%d", i))
		b.DeclareReward(rewards[i])
	}
	for s := range uint32(n) {
		if rng.IntN(6) == 0 {
			b.SetInitial(s)
		}
		if shape.StateRewards {
			for i, r := range rewards {
				if (i+int(s))%3 == 0 {
					b.StateReward(r, s, number(rng))
				}
			}
		}
		if rng.Float64() < terminal {
			continue
		}
		order := rng.Perm(max(1, len(shape.Actions)))
		for k := range 1 + rng.IntN(3) {
			action := ""
			switch {
			case named && shape.EveryAction:
				action = shape.Actions[order[k]]
			case named:
				action = shape.Actions[rng.IntN(len(shape.Actions))]
			}
			c := b.AddChoice(s, action, branches(rng, shape, s, reach, single)...)
			for i, r := range rewards {
				if (i+c)%2 == 0 {
					b.ChoiceReward(r, c, number(rng))
				}
			}
		}
	}
	for _, name := range shape.Labels {
		if rng.IntN(2) == 0 {
			b.Label(name, uint32(rng.IntN(n)), uint32(rng.IntN(n)))
		}
	}
	if shape.Names {
		names(rng, b, n)
	}
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

func number(rng *rand.Rand) float64 {
	switch rng.IntN(4) {
	case 0:
		return float64(rng.IntN(3) - 1)
	case 1:
		return rng.NormFloat64() * 1e-12
	case 2:
		return rng.NormFloat64() * 1e200
	}
	return rng.NormFloat64()
}

func branches(rng *rand.Rand, shape Shape, s uint32, reach int, single bool) []sparse.Branch {
	k := 1 + rng.IntN(4)
	if single {
		k = 1
	}
	var out []sparse.Branch
	total := 0.0
	for _, t := range rng.Perm(reach)[:min(k, reach)] {
		out = append(out, sparse.Branch{Target: uint32(t), Probability: rng.Float64() + 0.01})
	}
	if rng.IntN(4) == 0 {
		out = []sparse.Branch{{Target: s, Probability: 1}}
	}
	if shape.Duplicates && !single && rng.IntN(4) == 0 {
		out = append(out, out[0])
	}
	for _, x := range out {
		total += x.Probability
	}
	for i := range out {
		out[i].Probability /= total
	}
	return out
}

func names(rng *rand.Rand, b *sparse.Builder, n int) {
	switch rng.IntN(4) {
	case 0:
		for s := range uint32(n) {
			b.Name(s, fmt.Sprintf("state %d, of (%s)", s, strings.Repeat("é]", int(s)%3)))
		}
	case 1:
		v, err := sparse.NewValuation([]sparse.Variable{
			sparse.IntRange("x", -3, int64(n)), {Name: "on", Type: sparse.BoolVariable, Bits: 1},
			{Name: "kind", Type: sparse.StringVariable, Bits: 2, Strings: []string{"a", "b b", "", "007"}},
		})
		if err != nil {
			panic(err)
		}
		for s := range n {
			v.Append([]uint64{uint64(s), uint64(rng.IntN(2)), uint64(rng.IntN(4))})
		}
		b.SetNames(v)
	}
}

// Diff returns what differs between two models, nothing when they are equal. A reward column that
// is all zero equals an empty one, and action names that are all empty equal none. Labels are
// compared as sets of those that have states.
func Diff(a, b *sparse.MDP) string {
	var out bytes.Buffer
	differ := func(what string, x, y any) {
		if x != y && out.Len() < 2000 {
			fmt.Fprintf(&out, "%s: %v, %v\n", what, x, y)
		}
	}
	differ("states", a.NumStates(), b.NumStates())
	differ("choices", a.NumChoices(), b.NumChoices())
	differ("branches", a.NumBranches(), b.NumBranches())
	if out.Len() > 0 {
		return out.String()
	}
	for s := range uint32(a.NumStates()) {
		_, x := a.Choices(s)
		_, y := b.Choices(s)
		differ(fmt.Sprintf("end of the choices of %d", s), x, y)
		differ(fmt.Sprintf("initial %d", s), a.Initial().Has(s), b.Initial().Has(s))
		differ(fmt.Sprintf("name of %d", s), a.StateName(s), b.StateName(s))
	}
	for c := range uint32(a.NumChoices()) {
		_, x := a.Branches(c)
		_, y := b.Branches(c)
		differ(fmt.Sprintf("end of the branches of %d", c), x, y)
		differ(fmt.Sprintf("action of %d", c), a.ActionName(c), b.ActionName(c))
		p, q := a.Probabilities(c), b.Probabilities(c)
		for i := range min(len(p), len(q)) {
			differ(fmt.Sprintf("probability %d of %d", i, c), p[i], q[i])
		}
	}
	for i := range uint32(a.NumBranches()) {
		differ(fmt.Sprintf("target of branch %d", i), a.Target(i), b.Target(i))
	}
	diffLabels(a, b, differ)
	diffLabels(b, a, differ)
	diffRewards(a, b, differ)
	return out.String()
}

// DiffOrder returns what differs between two models in the order of labels, rewards, action names and
// stored values, which Diff passes over.
func DiffOrder(a, b *sparse.MDP) string {
	order := func(m *sparse.MDP) string {
		var out strings.Builder
		for _, l := range m.Labels() {
			fmt.Fprintf(&out, "label %q\n", l.Name)
		}
		for _, r := range m.Rewards() {
			fmt.Fprintf(&out, "reward %q %v %v\n", r.Name, r.States.Distinct(), r.Choices.Distinct())
		}
		fmt.Fprintf(&out, "actions %q\n", m.Actions().Names())
		if v, ok := m.Names().(*sparse.Valuation); ok {
			fmt.Fprintf(&out, "variables %v\n", v.Variables())
		}
		return out.String()
	}
	if x, y := order(a), order(b); x != y {
		return x + y
	}
	return ""
}

func diffLabels(a, b *sparse.MDP, differ func(string, any, any)) {
	for _, l := range a.Labels() {
		if l.States.Count() == 0 || l.Name == "init" {
			continue
		}
		other, ok := b.Label(l.Name)
		differ("label "+l.Name, true, ok)
		if ok {
			differ("label "+l.Name, fmt.Sprint(l.States), fmt.Sprint(other))
		}
	}
}

func diffRewards(a, b *sparse.MDP, differ func(string, any, any)) {
	differ("rewards", len(a.Rewards()), len(b.Rewards()))
	for i := range a.Rewards() {
		x := &a.Rewards()[i]
		y := b.Reward(x.Name)
		if differ("reward "+x.Name, true, y != nil); y == nil {
			continue
		}
		column := func(what string, f, g []float64) {
			for j := range f {
				differ(fmt.Sprintf("reward %s of %s %d", x.Name, what, j), f[j], g[j])
			}
		}
		column("state", x.States.Dense(a.NumStates()), y.States.Dense(a.NumStates()))
		column("choice", x.Choices.Dense(a.NumChoices()), y.Choices.Dense(a.NumChoices()))
	}
}
