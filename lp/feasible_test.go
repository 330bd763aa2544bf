package lp_test

import (
	"context"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"offswitch/lp"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
	"offswitch/sparse"
)

// exactTheta returns the exact reward of a certificate, 0 where it does not matter.
func exactTheta(t *testing.T, m *sparse.MDP, c *lp.Certificate) []*big.Rat {
	t.Helper()
	theta := lptest.Rationals(make([]float64, m.NumStates()))
	for i, s := range c.States {
		theta[s].SetFloat64(c.Theta[i])
	}
	for _, e := range c.Exact {
		if _, ok := theta[e.State].SetString(e.Value); !ok {
			t.Fatalf("exact reward %q", e.Value)
		}
	}
	return theta
}

func TestFeasibleAgainstExactArithmetic(t *testing.T) {
	t.Parallel()
	testFeasible(t, interior.Solver{}, 300)
}

// testFeasible checks answers with a solver: a yes by its reward, a no by rewards that are members,
// among them one that the goal set was made for, and the limit of margins by theirs.
func testFeasible(t *testing.T, solver lp.Solver, sets int) {
	rng := rand.New(rand.NewPCG(*seed, 1))
	var counts [3]int
	beyondConstant, repaired := 0, 0
	for i := range sets {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		samples := [][]float64{lptest.Reward(rng, g.Model, lower, upper)}
		if rng.IntN(3) > 0 {
			lptest.Constrain(rng, &g, samples[0])
		}
		a, err := lp.Feasible(context.Background(), g, solver)
		if err != nil {
			t.Fatal(err)
		}
		margin := lp.Extreme{Limit: math.Inf(1)}
		if i%3 == 0 {
			var best lp.Answer
			if best, margin, err = lp.LargestMargin(context.Background(), g, solver); err != nil {
				t.Fatal(err)
			}
			if margin.Value > g.Margin+1e-6 {
				beyondConstant++
				samples = append(samples, best.Theta)
			}
		}
		counts[a.Verdict]++
		switch a.Verdict {
		case lp.Yes:
			accepted(t, g.Model, a.Certificate)
			if !lptest.NewExact(g, exactTheta(t, g.Model, a.Certificate)).Member() {
				t.Fatalf("goal set %d: %s, but the reward is no member", i, a.Why)
			}
			if len(a.Certificate.Exact) > 0 {
				repaired++
			}
			samples = append(samples, a.Theta)
		case lp.No:
			accepted(t, g.Model, a.Certificate)
		case lp.Undecided:
			if a.Why == "" || a.Certificate != nil {
				t.Errorf("goal set %d: undecided without a word", i)
			}
		}
		for range 6 {
			samples = append(samples, lptest.Reward(rng, g.Model, lower, upper))
		}
		for _, theta := range samples {
			e := lptest.NewExact(g, lptest.Rationals(theta))
			if !e.Member() {
				continue
			}
			if a.Verdict == lp.No {
				t.Fatalf("goal set %d: empty, but %v is a member", i, theta)
			}
			if x := e.LeastGap(); x != nil && !math.IsInf(margin.Limit, 1) && x.Cmp(new(big.Rat).SetFloat64(margin.Limit)) > 0 {
				gap, _ := x.Float64()
				t.Errorf("goal set %d: no margin above %v, but one is %v", i, margin.Limit, gap)
			}
		}
	}
	t.Logf("undecided, yes, no: %v; with a margin %d, with fractions %d", counts, beyondConstant, repaired)
	if counts[lp.Undecided] > sets/20 || counts[lp.No] < sets/12 || beyondConstant < sets/24 || repaired < sets/50 {
		t.Errorf("undecided, yes, no: %v; with a margin %d, with fractions %d", counts, beyondConstant, repaired)
	}
}
