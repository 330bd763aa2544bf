package lp_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/interior"
	"offswitch/sparse"
)

// proved fails unless what proves an extreme is accepted.
func proved(t *testing.T, g lp.GoalSet, e lp.Extreme) {
	t.Helper()
	if e.Member != nil {
		accepted(t, g.Model, e.Member)
	}
	if e.Beyond != nil {
		accepted(t, g.Model, e.Beyond)
	}
	if !math.IsNaN(e.Value) && (e.Member == nil || e.Member.Kind != check.Feasible) || e.Beyond != nil && e.Beyond.Kind != check.Infeasible {
		t.Errorf("%+v is without proof", e)
	}
}

// The extremes that constraint generation finds, against the optimum of the whole system in the
// interior-point solver, and both ways to prove them.
func TestExtremesAgainstTheWholeSystem(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 13))
	close, wide := 0, 0
	for i := range 150 {
		g := featured(rng)
		if i%3 == 0 {
			g.Features = nil
		}
		solver := interior.Solver{}
		name := fmt.Sprintf("s%d", rng.IntN(g.Model.NumStates()))
		of, err := lp.ParseFeature(g.Model, name)
		if err != nil {
			t.Fatal(err)
		}
		a, least, greatest, err := lp.Range(context.Background(), g, of, solver)
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict == lp.No {
			continue
		}
		proved(t, g, least)
		proved(t, g, greatest)
		h := g
		constrain(t, &h, "r["+name+"] >= -100")
		for _, x := range []struct {
			sign float64
			e    lp.Extreme
		}{{1, greatest}, {-1, least}} {
			e, err := lp.Encode(h)
			if err != nil {
				t.Fatal(err)
			}
			p := e.Problem
			if j := columnOf(e, of.State); j >= 0 {
				p.Cost[j] = -x.sign
			}
			r, err := solver.Solve(context.Background(), p)
			if err != nil || r.Status != lp.Optimal {
				continue
			}
			optimum := x.sign * e.Theta(r.X)[of.State]
			value, limit := x.sign*x.e.Value, x.sign*x.e.Limit
			const slack = 1e-5
			if value > optimum+slack || limit < optimum-slack || value > limit {
				t.Errorf("goal set %d: %s from %v to %v, sign %v, but the optimum is %v", i, name, value, limit, x.sign, optimum)
			}
			if limit-value < 1e-3 {
				close++
			} else {
				wide++
			}
		}
	}
	t.Logf("%d extremes known to 1e-3, %d not", close, wide)
	if close < 5*wide {
		t.Errorf("%d extremes known to 1e-3, %d not", close, wide)
	}
}

// columnOf returns the column that the reward of a state depends on, -1 where it is fixed.
func columnOf(e *lp.Encoding, state uint32) int {
	x := append([]float64(nil), e.Lower...)
	least := e.Theta(x)[state]
	for j := range x {
		x[j] = e.Upper[j]
		if e.Theta(x)[state] != least {
			return j
		}
		x[j] = e.Lower[j]
	}
	return -1
}

// The largest margin, against that of the whole system in the interior-point solver.
func TestLargestMarginAgainstTheWholeSystem(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 14))
	close, wide, some := 0, 0, 0
	for i := range 240 {
		g := featured(rng)
		if i%3 == 0 {
			g.Features = nil
		}
		g.Margin = 0
		solver := interior.Solver{}
		a, e, err := lp.LargestMargin(context.Background(), g, solver)
		if err != nil {
			t.Fatal(err)
		}
		proved(t, g, e)
		if a.Verdict != lp.Yes {
			continue
		}
		// Feasible with every choice of margin says the same.
		for _, x := range []struct {
			margin float64
			wrong  lp.Verdict
		}{{e.Value, lp.No}, {e.Limit*(1+1e-3) + 1e-3, lp.Yes}} {
			if math.IsNaN(x.margin) || math.IsInf(x.margin, 0) || e.Member == nil {
				continue
			}
			h, _ := goalSet(t, g.Model, e.Member.Question) // with weak choices
			h.Margin = x.margin
			system, err := lp.Encode(h)
			if err != nil {
				t.Fatal(err)
			}
			r, err := solver.Solve(context.Background(), system.Problem)
			if err != nil {
				t.Fatal(err)
			}
			if x.wrong == lp.No && r.Status == lp.Infeasible || x.wrong == lp.Yes && r.Status == lp.Optimal {
				t.Errorf("goal set %d: margin from %v to %v (%s), but at %v the whole system is %v", i, e.Value, e.Limit, a.Why, x.margin, r.Status)
			}
		}
		switch {
		case math.IsInf(e.Limit, 1):
		case e.Limit-e.Value < 1e-3:
			close++
		default:
			wide++
		}
		if e.Value > 1e-3 {
			some++
		}
	}
	t.Logf("%d margins known to 1e-3, %d not; %d above that", close, wide, some)
	if close < 5*wide || some < 15 {
		t.Errorf("%d margins known to 1e-3, %d not; %d above that", close, wide, some)
	}
}

// A goal set on which the program of the cuts is once not solved for the best that they allow.
func TestLargestMarginWhereACornerIsNotFound(t *testing.T) {
	t.Parallel()
	b := sparse.NewBuilder(5)
	branches := func(p float64, s, u uint32) []sparse.Branch {
		return []sparse.Branch{{Target: s, Probability: p}, {Target: u, Probability: 1 - p}}
	}
	b.AddChoice(1, "", branches(.5, 3, 4)...)
	b.AddChoice(1, "", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(1, "", branches(.25, 0, 1)...)
	b.AddChoice(2, "", branches(.75, 0, 4)...)
	b.AddChoice(2, "", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(4, "", sparse.Branch{Target: 2, Probability: 1})
	b.Label("A", 1)
	b.Label("B", 0, 1, 4)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	none := uint32(sparse.None)
	g := lp.GoalSet{Model: m, Discount: 0.6180339887498949, Train: sparse.NewBitset(5), Policy: []uint32{none, 1, none, none, none}, Margin: 1e-15}
	for _, s := range []uint32{0, 1, 3} {
		g.Train.Set(s)
	}
	constrain(t, &g, "2*r[#4] <= 0.9")
	constrain(t, &g, "2*r[#2] + 2*r[#1] <= 0")
	for _, name := range []string{"A", "B", "#3"} {
		f, err := lp.ParseFeature(m, name)
		if err != nil {
			t.Fatal(err)
		}
		g.Features = append(g.Features, f)
	}
	a, e, err := lp.LargestMargin(context.Background(), g, interior.Solver{})
	if err != nil {
		t.Fatal(err)
	}
	proved(t, g, e)
	if a.Verdict == lp.Yes || e.Value > 0 {
		t.Errorf("%v: margin %v, but there is none", a.Verdict, e.Value)
	}
}
