//go:build clp

package lp_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"offswitch/lp"
	"offswitch/lp/clp"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
	"offswitch/sparse"
)

func TestFeasibleWithCLP(t *testing.T) {
	testFeasible(t, clp.Solver{}, 300)
}

// TestSolversAgree asks CLP for a second opinion. Each verdict of either comes with a certificate that
// is accepted.
func TestSolversAgree(t *testing.T) {
	t.Parallel()
	const sets = 2000
	rng := rand.New(rand.NewPCG(*seed, 6))
	var both, one int
	for i := range sets {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		lptest.Constrain(rng, &g, lptest.Reward(rng, g.Model, lower, upper))
		a, err := lp.Feasible(context.Background(), g, clp.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		b, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []lp.Answer{a, b} {
			if x.Verdict != lp.Undecided {
				accepted(t, g.Model, x.Certificate)
			}
		}
		switch {
		case a.Verdict == b.Verdict && a.Verdict != lp.Undecided:
			both++
		case a.Verdict == lp.Undecided || b.Verdict == lp.Undecided:
			one++
		default:
			t.Errorf("goal set %d: %v and %v", i, a.Verdict, b.Verdict)
		}
		_, x, err := lp.LargestMargin(context.Background(), g, clp.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		_, y, err := lp.LargestMargin(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		if x.Value > y.Limit || y.Value > x.Limit {
			t.Errorf("goal set %d: margins from %v to %v and from %v to %v", i, x.Value, x.Limit, y.Value, y.Limit)
		}
	}
	t.Logf("%d decided by both, %d left undecided by one or both", both, one)
	if both < sets*9/10 {
		t.Errorf("%d of %d decided by both", both, sets)
	}
}

// TestGrid answers both ways on a grid with slips: a coin in one corner, the end in another.
func TestGrid(t *testing.T) {
	const width = 30
	b := sparse.NewBuilder(width * width)
	at := func(x, y int) uint32 {
		return uint32(max(0, min(y, width-1))*width + max(0, min(x, width-1)))
	}
	for y := range width {
		for x := range width {
			if x == width-1 && (y == 0 || y == width-1) {
				continue
			}
			for _, d := range [][2]int{{1, 0}, {0, 1}, {-1, 0}, {0, -1}} {
				b.AddChoice(at(x, y), "", sparse.Branch{Target: at(x+d[0], y+d[1]), Probability: 0.9}, sparse.Branch{Target: at(x, y), Probability: 0.1})
			}
		}
	}
	b.Label("coin", at(width-1, width-1))
	b.Label("end", at(width-1, 0))
	m := build(t, b)
	theta := make([]float64, width*width)
	theta[at(width-1, width-1)] = 1
	s, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.95, States: theta})
	if err != nil {
		t.Fatal(err)
	}
	g := goals(m, 0.95, s.Policy)
	for _, x := range []struct {
		text string
		want lp.Verdict
	}{{"r[coin] <= 0.9", lp.Yes}, {"r[end] >= r[coin] + 0.1", lp.No}, {"r[#0] - r[#1] >= 0.1", lp.No}} {
		g.Constraints = nil
		constrain(t, &g, x.text)
		a, err := lp.Feasible(context.Background(), g, clp.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict != x.want {
			t.Fatalf("%s: %v (%s), want %v", x.text, a.Verdict, a.Why, x.want)
		}
		accepted(t, m, a.Certificate)
	}
}
