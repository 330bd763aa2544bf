package lp_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"offswitch/lp"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
	"offswitch/sparse"
)

// featured returns a random goal set with features and sometimes constraints.
func featured(rng *rand.Rand) lp.GoalSet {
	g := lptest.GoalSet(rng, 10)
	lower, upper := lptest.Box(g)
	if rng.IntN(2) == 0 {
		lptest.Constrain(rng, &g, lptest.Reward(rng, g.Model, lower, upper))
	}
	lptest.Feature(rng, &g)
	return g
}

// Constraint generation against the whole linear system in the interior-point solver, and yes against exact
// arithmetic.
func TestFeaturesAgainstTheWholeSystem(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 11))
	var counts [4]int
	generated, faint := 0, 0
	for i := range 600 {
		g := featured(rng)
		a, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		e, err := lp.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		r, err := (interior.Solver{}).Solve(context.Background(), e.Problem)
		if err != nil {
			t.Fatal(err)
		}
		counts[a.Verdict]++
		if a.Closed && a.Verdict != lp.Undecided && (g.Margin > 0 || g.Constraints != nil) {
			generated++
		}
		switch a.Verdict {
		case lp.Yes:
			if r.Status == lp.Infeasible {
				t.Errorf("goal set %d: yes (%s), but the whole system is infeasible", i, a.Why)
			}
			if !lptest.NewExact(g, exactTheta(t, g.Model, a.Certificate)).Member() {
				t.Errorf("goal set %d: %s, but exact arithmetic says no", i, a.Why)
			}
		case lp.No:
			if r.Status == lp.Optimal {
				faint++ // probabilities of 1e-12 are below what the solver can see, not what can be proved
			}
		default:
			continue
		}
		accepted(t, g.Model, a.Certificate)
	}
	t.Logf("undecided, yes, no: %v; not by a constant reward: %d", counts, generated)
	if faint > 4 {
		t.Errorf("%d times no, but the whole system has a solution", faint)
	}
	if counts[lp.Undecided] > 40 || counts[lp.Yes] < 200 || counts[lp.No] < 60 {
		t.Errorf("undecided, yes, no: %v", counts)
	}
}

// A goal set with a feature for each state is the one without features.
func TestFeatureForEachState(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 12))
	for i := range 150 {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		lptest.Constrain(rng, &g, lptest.Reward(rng, g.Model, lower, upper))
		a, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		for s := range g.Model.NumStates() {
			f, err := lp.ParseFeature(g.Model, g.Model.StateName(uint32(s)))
			if err != nil {
				t.Fatal(err)
			}
			g.Features = append(g.Features, f)
		}
		b, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict != b.Verdict && a.Verdict != lp.Undecided && b.Verdict != lp.Undecided {
			t.Errorf("goal set %d: %v (%s), with features %v (%s)", i, a.Verdict, a.Why, b.Verdict, b.Why)
		}
	}
}

func TestTooManyFeatures(t *testing.T) {
	b := sparse.NewBuilder(1002)
	for s := range uint32(1001) {
		b.AddChoice(0, "", sparse.Branch{Target: s + 1, Probability: 1})
	}
	m := build(t, b)
	g := goals(m, 0.5, slices.Repeat([]uint32{0}, 1002))
	g.Train.Set(1)
	g.Margin = 0.1
	for s := range uint32(1001) {
		f, err := lp.ParseFeature(m, m.StateName(s+1))
		if err != nil {
			t.Fatal(err)
		}
		g.Features = append(g.Features, f)
	}
	if _, err := lp.Feasible(context.Background(), g, nil); err == nil || !strings.Contains(err.Error(), "more than the limit") {
		t.Error(err)
	}
}
