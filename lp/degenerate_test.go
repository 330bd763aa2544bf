package lp_test

import (
	"context"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"

	"offswitch/lp"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
	"offswitch/sparse"
)

// degenerate returns a random goal set with the equations that users write: rewards fixed, tied, fixed and tied,
// the same said twice, and numbers that contradict one another in their last digit. S_train is closed. The probabilities
// of a choice sum to 1 exactly: where they do not, equal rewards are not equally good.
func degenerate(rng *rand.Rand, most int) lp.GoalSet {
	n := 3 + rng.IntN(most-2)
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		b.Name(s, fmt.Sprintf("s%d", s))
		if s%2 == 0 {
			b.Label("even", s)
		}
		if s < 3 {
			b.Label("low", s)
		}
		if rng.IntN(8) == 0 {
			continue
		}
		for range 1 + rng.IntN(4) {
			var branches []sparse.Branch
			for _, p := range [][]float64{{1}, {1}, {.5, .5}, {.25, .75}, {.25, .25, .5}}[rng.IntN(5)] {
				branches = append(branches, sparse.Branch{Target: rng.Uint32N(uint32(n)), Probability: p})
			}
			b.AddChoice(s, "", branches...)
		}
	}
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	g := lp.GoalSet{Model: m, Discount: []float64{0.5, 0.9, 0.95, 0.99}[rng.IntN(4)], Margin: []float64{0, 0, 0, 1e-3, 1e-6, 1e-13}[rng.IntN(6)]}
	theta := make([]float64, n)
	kind := rng.IntN(3)
	for s := range theta {
		theta[s] = []float64{float64(rng.IntN(2)), float64(rng.IntN(11)) / 10, rng.Float64()}[kind]
	}
	g.Policy = lptest.NewExact(g, lptest.Rationals(theta)).Policy
	g.Train = sparse.NewBitset(n)
	for stack := []uint32{rng.Uint32N(uint32(n)), rng.Uint32N(uint32(n))}; len(stack) > 0; {
		s := stack[0]
		stack = stack[1:]
		if g.Train.Has(s) {
			continue
		}
		if g.Train.Set(s); !m.Terminal(s) {
			stack = append(stack, m.Targets(g.Policy[s])...)
		}
	}
	add := func(format string, args ...any) {
		c, err := lp.ParseConstraint(m, fmt.Sprintf(format, args...))
		if err != nil {
			panic(err)
		}
		g.Constraints = append(g.Constraints, c)
	}
	if rng.IntN(5) == 0 {
		for s := range g.Train.All() {
			add("r[s%d] = %v", s, theta[s])
		}
	}
	for range rng.IntN(4) {
		x := rng.Uint32N(uint32(n))
		y := (x + 1 + rng.Uint32N(uint32(n-1))) % uint32(n)
		switch rng.IntN(10) {
		case 0:
			add("r[s%d] = %v", x, theta[x])
		case 1:
			add("r[s%d] - r[s%d] = %v", x, y, theta[x]-theta[y])
		case 2:
			add("r[low] = %v", []float64{0, 0.1, 0.5, 1}[rng.IntN(4)])
		case 3:
			add("r[s%d] >= %v", x, theta[x])
			add("r[s%d] <= %v", x, theta[x])
		case 4:
			add("r[s%d] = %v", x, theta[x])
			add("2*r[s%d] = %v", x, 2*theta[x])
			add("r[s%d] >= %v", x, theta[x]/2)
		case 5:
			add("r[s%d] = 0.1", x)
			add("r[s%d] = 0.3", y)
			add("r[s%d] - r[s%d] = 0.2", y, x)
		case 6:
			add("r[s%d] = r[s%d]", x, y)
		case 7:
			add("r[s%d] + r[s%d] = %v", x, y, theta[x]+theta[y])
		case 8:
			add("r[even] = r[s%d]", x)
		case 9:
			add("r[s%d] - r[s%d] <= %v", x, y, theta[x]-theta[y])
			add("r[s%d] >= 0.25", x)
		}
	}
	if rng.IntN(3) == 0 {
		for _, name := range []string{"even", "low", "s1", "s2"}[:2+rng.IntN(3)] {
			f, err := lp.ParseFeature(m, name)
			if err != nil {
				panic(err)
			}
			g.Features = append(g.Features, f)
		}
	}
	return g
}

// Verdicts and extremes of goal sets that have no interior, or hardly any, against exact arithmetic: what is proved is
// true, and, but for a few in a hundred, all that there is to know.
func TestDegenerateSetsAgainstExactArithmetic(t *testing.T) {
	t.Parallel()
	const (
		sets  = 80
		few   = sets / 10 // of some 320 verdicts, or 180 extremes
		close = 1e-9      // how far the two sides of an extreme may be apart
		faint = 1e-9      // margins below, solvers do not tell from 0
	)
	rng := rand.New(rand.NewPCG(*seed, 21))
	solver, ctx := interior.Solver{}, context.Background()
	undecided, wide, extremes := 0, 0, 0
	for i := range sets {
		g := degenerate(rng, 6)
		n := g.Model.NumStates()
		agree := func(what string, a lp.Answer, some bool) {
			v := a.Verdict
			if v == lp.Undecided {
				if g.Margin > 0 && g.Margin < faint || !some && strings.Contains(a.Why, "float64") {
					return
				}
				undecided++
				t.Logf("goal set %d: %s is undecided", i, what)
			} else if (v == lp.Yes) != some {
				t.Errorf("goal set %d: %s is %v, but there is a reward: %v", i, what, v, some)
			}
		}
		between := func(what string, e lp.Extreme, sign float64, exact *big.Rat) {
			proved(t, g, e)
			extremes++
			x, _ := exact.Float64()
			if sign*(e.Value-x) > 0x1p-52 || sign*(x-e.Limit) > 0x1p-52 {
				t.Errorf("goal set %d: %s is %v, limit %v, but it is %v", i, what, e.Value, e.Limit, x)
			}
			if !(sign*(e.Limit-e.Value) <= close*max(1, math.Abs(x))) {
				wide++
				t.Logf("goal set %d: %s is %v, limit %v, and exactly %v", i, what, e.Value, e.Limit, x)
			}
		}
		a, err := lp.Feasible(ctx, g, solver)
		if err != nil {
			t.Fatal(err)
		}
		agree("the answer", a, newExactSystem(g, false).optimum(2*n, 1) != nil)
		a, e, err := lp.LargestMargin(ctx, g, solver)
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict == lp.Yes && !(e.Value >= g.Margin && a.Certificate.Question.Margin >= g.Margin) {
			t.Errorf("goal set %d: yes (%s) with margin %v, want at least %v", i, a.Why, e.Value, g.Margin)
		}
		if !strings.Contains(a.Why, "have no limit") {
			margin := newExactSystem(g, true).optimum(2*n, 1)
			if agree("the margin", a, margin != nil); margin != nil && a.Verdict == lp.Yes {
				between("the margin", e, 1, margin)
			}
		}
		for _, name := range []string{fmt.Sprintf("s%d", rng.IntN(n)), "even"} {
			of, err := lp.ParseFeature(g.Model, name)
			if err != nil {
				t.Fatal(err)
			}
			a, least, greatest, err := lp.Range(ctx, g, of, solver)
			if err != nil {
				t.Fatal(err)
			}
			h := g
			constrain(t, &h, "r["+name+"] >= 0")
			system := newExactSystem(h, false)
			exact := system.optimum(int(of.State), -1)
			if agree("the range of "+name, a, exact != nil); exact != nil && a.Verdict == lp.Yes {
				between("the least "+name, least, -1, exact)
				between("the greatest "+name, greatest, 1, system.optimum(int(of.State), 1))
			}
		}
	}
	t.Logf("%d verdicts undecided, %d of %d extremes wide", undecided, wide, extremes)
	if undecided > few || wide > few || extremes < sets {
		t.Errorf("%d verdicts undecided, %d of %d extremes wide", undecided, wide, extremes)
	}
}
