package lp_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
	"offswitch/sparse"
)

// empty returns random goal sets that are proved to be empty.
func empty(t *testing.T, rng *rand.Rand) (lp.GoalSet, *lp.Certificate) {
	t.Helper()
	for {
		g := lptest.Contrary(rng)
		if rng.IntN(2) == 0 {
			g, c := certified(t, rng)
			if c.Kind == check.Infeasible && len(c.Cases) == 0 {
				return g, c
			}
			continue
		}
		a, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict == lp.No {
			return g, a.Certificate
		}
	}
}

// A conflict is proved, and where it is said to be irreducible, it is: by brute force over policies, in exact
// arithmetic.
func TestWhyNot(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 8))
	const sets = 100
	irreducible, smaller, byCases := 0, 0, 0
	for range sets {
		g, proof := empty(t, rng)
		c := lp.WhyNot(context.Background(), g, proof, interior.Solver{}, true)
		conditions := len(c.Pairs) + len(c.Constraints)
		if c.Proof == nil || conditions == 0 {
			t.Fatalf("%+v", c)
		}
		accepted(t, g.Model, c.Proof)
		train := c.Proof.Question.Train
		if c.Proof.Kind != check.Infeasible || len(train) != len(c.Pairs) || len(c.Proof.Question.Constraints) != len(c.Constraints) {
			t.Fatalf("the proof is about another question: %+v", c)
		}
		for i, s := range train {
			if p := c.Pairs[i]; s != p.State || !g.Train.Has(s) || g.Policy[s] != p.Taken || slices.Contains(p.Against, p.Taken) {
				t.Fatalf("the proof is about other pairs: %+v", c)
			}
		}
		if !lptest.Empty(lptest.Without(g, c, -1)) {
			t.Fatalf("a reward meets the conflict %+v", c)
		}
		if conditions < g.Train.Count()+len(g.Constraints) {
			smaller++
		}
		if len(c.Proof.Cases) > 0 {
			byCases++
		}
		if c.Open > 0 {
			continue
		}
		irreducible++
		for out := range conditions {
			if lptest.Empty(lptest.Without(g, c, out)) {
				t.Fatalf("condition %d of %+v is not needed", out, c)
			}
		}
	}
	t.Logf("%d conflicts, %d irreducible, %d smaller than the goal set, %d proved by cases", sets, irreducible, smaller, byCases)
	if irreducible < sets*19/20 || smaller < sets/2 || byCases < sets/50 {
		t.Errorf("%d conflicts, %d irreducible, %d smaller than the goal set, %d proved by cases", sets, irreducible, smaller, byCases)
	}
}

// refusing is a solver that takes nothing.
type refusing struct{}

func (refusing) Name() string { return "refusing" }
func (refusing) Solve(context.Context, *lp.Problem) (lp.Result, error) {
	return lp.Result{}, errors.New("too large")
}

// Without a solver, and without time, the conflict says what is not known of it.
func TestWhyNotWithoutSolver(t *testing.T) {
	b := sparse.NewBuilder(2)
	b.AddChoice(0, "stay", sparse.Branch{Target: 0, Probability: 1})
	b.AddChoice(0, "go", sparse.Branch{Target: 1, Probability: 1})
	b.Name(0, "home")
	b.Name(1, "away")
	m := build(t, b)
	g := goals(m, 0.5, []uint32{1, 0})
	constrain(t, &g, "r[home] >= 0.4", "r[away] <= 0.5", "r[away] >= 0.25")
	a, err := lp.Feasible(context.Background(), g, interior.Solver{})
	if err != nil || a.Verdict != lp.No {
		t.Fatal(a.Verdict, err)
	}
	c := lp.WhyNot(context.Background(), g, a.Certificate, refusing{}, false)
	if c.Proof == nil || c.Open != 3 || len(c.Pairs) != 1 || !slices.Equal(c.Constraints, []int{0, 1}) {
		t.Errorf("%+v", c)
	}
	c = lp.WhyNot(context.Background(), g, a.Certificate, interior.Solver{}, false)
	if c.Proof == nil || c.Open != 0 || len(c.Pairs) != 1 || !slices.Equal(c.Pairs[0].Against, []uint32{0}) || !slices.Equal(c.Constraints, []int{0, 1}) {
		t.Errorf("%+v", c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if c := lp.WhyNot(ctx, g, a.Certificate, interior.Solver{}, false); c.Proof != nil || c.Open != 3 {
		t.Errorf("%+v", c)
	}
}

// Constraints may clash by themselves.
func TestWhyNotWithoutTraining(t *testing.T) {
	b := sparse.NewBuilder(2)
	b.AddChoice(0, "go", sparse.Branch{Target: 1, Probability: 1})
	m := build(t, b)
	g := goals(m, 0.5, []uint32{0, 0})
	constrain(t, &g, "r[#1] >= 2")
	a, err := lp.Feasible(context.Background(), g, interior.Solver{})
	if err != nil || a.Verdict != lp.No {
		t.Fatal(a.Verdict, err)
	}
	if c := lp.WhyNot(context.Background(), g, a.Certificate, interior.Solver{}, false); c.Proof == nil || c.Open != 0 || c.Pairs != nil || len(c.Constraints) != 1 {
		t.Errorf("%+v", c)
	}
}
