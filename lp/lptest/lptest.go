// Package lptest makes small random goal sets of every ugly kind, decides membership in them the
// slow and obvious way, in exact arithmetic, and holds the test that every lp.Solver must pass.
package lptest

import (
	"fmt"
	"math/big"
	"math/rand/v2"

	"offswitch/lp"
	"offswitch/sparse"
)

// distributions are what choices are made of: exact and inexact sums, thirds, tiny probabilities.
var distributions = [][]float64{
	{1}, {1}, {1}, {0.5, 0.5}, {0.75, 0.25}, {0.9, 0.1}, {0.7, 0.2, 0.1}, {1. / 3, 1. / 3, 1. / 3}, {1, 1e-300}, {1 - 1e-12, 1e-12},
}

// Model returns a model of at most most states called s0, s1, …, with labels "even", "low" and
// "both" (which overlap), self-loops, duplicate branches and choices, terminal states, traps and
// unreachable parts.
func Model(rng *rand.Rand, most int) *sparse.MDP {
	n := 2 + rng.IntN(most-1)
	b := sparse.NewBuilder(n)
	random := func() uint32 { return rng.Uint32N(uint32(n)) }
	for s := range uint32(n) {
		b.Name(s, fmt.Sprintf("s%d", s))
		if rng.IntN(5) == 0 {
			continue // terminal
		}
		if rng.IntN(6) == 0 {
			b.AddChoice(s, "stay", sparse.Branch{Target: s, Probability: 1}) // a trap
			continue
		}
		var last []sparse.Branch
		for i := range 1 + rng.IntN(3) {
			var branches []sparse.Branch
			for _, p := range distributions[rng.IntN(len(distributions))] {
				t := random()
				if rng.IntN(8) == 0 {
					t = s
				}
				branches = append(branches, sparse.Branch{Target: t, Probability: p})
			}
			if last != nil && rng.IntN(6) == 0 { // a duplicate, in another order
				branches = last
				if len(last) == 2 {
					branches = []sparse.Branch{last[1], last[0]}
				}
			}
			b.AddChoice(s, fmt.Sprintf("a%d", i), branches...)
			last = branches
		}
	}
	for s := range uint32(n) {
		if s%2 == 0 {
			b.Label("even", s)
		}
		if s < 2 {
			b.Label("low", s)
		}
		if s == 1 || s == uint32(n)-1 {
			b.Label("both", s)
		}
	}
	b.Label("none")
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

// Reward returns a reward in [lower,upper] with few distinct values as a rule, so that ties arise.
func Reward(rng *rand.Rand, m *sparse.MDP, lower, upper float64) []float64 {
	theta := make([]float64, m.NumStates())
	kind := rng.IntN(4)
	for s := range theta {
		x := rng.Float64()
		switch kind {
		case 0:
			x = float64(rng.IntN(2))
		case 1:
			x = float64(rng.IntN(3)/2) * 0.3
		case 2:
			x = float64(rng.IntN(4)) / 3
		}
		theta[s] = max(lower, min(upper, lower+x*(upper-lower)))
	}
	return theta
}

// GoalSet returns a random goal set without constraints. Its policy is optimal for some reward and
// its S_train closed, mostly.
func GoalSet(rng *rand.Rand, most int) lp.GoalSet {
	g := lp.GoalSet{Model: Model(rng, most), Discount: []float64{0, 0.5, 0.9, 0.9, 0.99}[rng.IntN(5)]}
	switch rng.IntN(5) {
	case 0:
		g.Lower, g.Upper = -1, 1
	case 1:
		g.Lower, g.Upper = 0.25, 0.75
	case 2:
		g.Lower, g.Upper = -3, -1
	}
	if rng.IntN(4) == 0 {
		g.Margin = 0.01
	}
	if rng.IntN(4) == 0 {
		g.Weak = sparse.NewBitset(g.Model.NumChoices())
		for c := range uint32(g.Model.NumChoices()) {
			if rng.IntN(3) == 0 {
				g.Weak.Set(c)
			}
		}
	}
	lower, upper := Box(g)
	e := NewExact(g, Rationals(Reward(rng, g.Model, lower, upper)))
	g.Policy = e.Policy
	if rng.IntN(5) == 0 {
		for s := range g.Policy {
			if lo, hi := g.Model.Choices(uint32(s)); lo < hi {
				g.Policy[s] = lo + rng.Uint32N(hi-lo)
			}
		}
	}
	g.Train = sparse.NewBitset(g.Model.NumStates())
	stack := []uint32{rng.Uint32N(uint32(g.Model.NumStates()))}
	for len(stack) > 0 {
		s := stack[0]
		stack = stack[1:]
		if g.Train.Has(s) {
			continue
		}
		g.Train.Set(s)
		if !g.Model.Terminal(s) && rng.IntN(8) > 0 {
			stack = append(stack, g.Model.Targets(g.Policy[s])...)
		}
	}
	return g
}

// Contrary returns a random goal set that asks for more than there is, as a rule: every state is in S_train, what is
// taken there is random, and margins are large. Its conflicts are few pairs, which leave choices to other states.
func Contrary(rng *rand.Rand) lp.GoalSet {
	n := 4 + rng.IntN(3)
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		b.Name(s, fmt.Sprintf("s%d", s))
		for i := range 2 {
			p := 0.25 * float64(2+rng.IntN(3))
			branches := []sparse.Branch{{Target: rng.Uint32N(uint32(n)), Probability: p}}
			if p < 1 {
				branches = append(branches, sparse.Branch{Target: rng.Uint32N(uint32(n)), Probability: 1 - p})
			}
			b.AddChoice(s, fmt.Sprintf("a%d", i), branches...)
		}
	}
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	g := lp.GoalSet{Model: m, Discount: 0.9, Margin: []float64{0.1, 0.3, 0.3, 0.6}[rng.IntN(4)], Upper: 1,
		Train: sparse.NewBitset(n), Policy: make([]uint32, n)}
	for s := range g.Policy {
		lo, hi := m.Choices(uint32(s))
		g.Train.Set(uint32(s))
		g.Policy[s] = lo + rng.Uint32N(hi-lo)
	}
	return g
}

// Constrain adds up to two random constraints, which mostly hold for theta.
func Constrain(rng *rand.Rand, g *lp.GoalSet, theta []float64) {
	names := []string{"even", "low", "label:both"}
	for range rng.IntN(3) {
		name := func() (string, float64) {
			if rng.IntN(5) == 0 {
				return names[rng.IntN(len(names))], rng.Float64()
			}
			s := rng.IntN(len(theta))
			return fmt.Sprintf("s%d", s), theta[s]
		}
		a, x := name()
		b, y := name()
		k := []float64{1, 2, 0.3}[rng.IntN(3)]
		off := x - k*y - 0.05
		if rng.IntN(3) == 0 {
			off += 0.3
		}
		text := fmt.Sprintf("r[%s] - %v*r[%s] >= %v", a, k, b, off)
		switch rng.IntN(4) {
		case 0:
			text = fmt.Sprintf("r[%s] <= %v r[%s] + %v", b, 1/k, a, -off)
		case 1:
			text = fmt.Sprintf("r[%s] = 0.1 + %v*r[%s]", a, k, b)
		}
		c, err := lp.ParseConstraint(g.Model, text)
		if err != nil {
			panic(err)
		}
		g.Constraints = append(g.Constraints, c)
	}
}

// Feature makes the rewards of a goal set depend on random features, overlapping ones too.
func Feature(rng *rand.Rand, g *lp.GoalSet) {
	names := []string{"even", "low", "label:both"}
	for s := range g.Model.NumStates() {
		names = append(names, g.Model.StateName(uint32(s)))
	}
	rng.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	for _, name := range names[:1+rng.IntN(len(names))] {
		f, err := lp.ParseFeature(g.Model, name)
		if err != nil {
			panic(err)
		}
		g.Features = append(g.Features, f)
	}
}

// Box returns the box of a goal set.
func Box(g lp.GoalSet) (lower, upper float64) {
	if g.Lower == 0 && g.Upper == 0 {
		return 0, 1
	}
	return g.Lower, g.Upper
}

// Rationals returns the exact values of floats.
func Rationals(x []float64) []*big.Rat {
	out := make([]*big.Rat, len(x))
	for i, v := range x {
		out[i] = new(big.Rat).SetFloat64(v)
	}
	return out
}

// Without returns the goal set of the conditions of a conflict in g, all but the one at position out: pairs
// come first, and -1 leaves none out.
func Without(g lp.GoalSet, c lp.Conflict, out int) lp.GoalSet {
	r := g
	r.Train, r.Constraints = sparse.NewBitset(g.Model.NumStates()), nil
	for i, p := range c.Pairs {
		if i != out {
			r.Train.Set(p.State)
		}
	}
	for i, k := range c.Constraints {
		if len(c.Pairs)+i != out {
			r.Constraints = append(r.Constraints, g.Constraints[k])
		}
	}
	return r
}
