package lp_test

import (
	"bytes"
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/lptest"
	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

var seed = flag.Uint64("seed", 1, "seed of the random goal sets")

// accepted fails unless a certificate survives being written and read, and is accepted.
func accepted(t *testing.T, m *sparse.MDP, c *lp.Certificate) {
	t.Helper()
	file := written(t, c)
	again := read(t, m, file)
	if v := check.Check(m, again); len(v) > 0 {
		t.Fatalf("certificate of %s not accepted: %v", c.Kind, v)
	}
	if !bytes.Equal(file, written(t, again)) {
		t.Fatal("certificate changed by its file")
	}
}

func TestMemberAgainstExactArithmetic(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 0))
	var counts [4]int
	open := 0
	for i := range 1200 {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		theta := lptest.Reward(rng, g.Model, lower, upper)
		if rng.IntN(3) == 0 {
			lptest.Constrain(rng, &g, theta)
		}
		if rng.IntN(20) == 0 {
			theta[rng.IntN(len(theta))] = upper + 1
		}
		a, err := lp.Member(context.Background(), g, theta)
		if err != nil {
			t.Fatal(err)
		}
		counts[a.Verdict]++
		exact := lptest.NewExact(g, lptest.Rationals(theta))
		member, off := exact.Member(), exact.LeastExcess()
		switch a.Verdict {
		case lp.Undecided:
			t.Errorf("goal set %d: undecided (%s)", i, a.Why)
			continue
		case lp.Tie:
			if x, _ := off.Float64(); x < -a.Tolerance || x > 1e-9 || a.Tolerance > 1e-9 {
				t.Errorf("goal set %d: a tie within %v, but the least gap is off its margin by %v", i, a.Tolerance, x)
			}
			if off.Sign() == 0 {
				open++
			}
			if a.NumTies == 0 {
				t.Errorf("goal set %d: a tie without ties", i)
			}
			accepted(t, g.Model, a.Certificate)
			continue
		case lp.No:
			if a.Violated != nil {
				g.Constraints = nil
				if s := a.Violated; g.Policy[s.State] != s.Taken || s.Value-s.Error > g.Margin || g.Weak != nil && g.Weak.Has(s.Untaken) && s.Value-s.Error > 0 {
					t.Errorf("goal set %d: violated %+v", i, s)
				}
			}
		}
		if member != (a.Verdict == lp.Yes) {
			t.Fatalf("goal set %d: %v (%s), but exact arithmetic says %v, margin exceeded by %v", i, a.Verdict, a.Why, member, off)
		}
		accepted(t, g.Model, a.Certificate)
	}
	t.Logf("undecided, yes, no, tie: %v; exact ties left open: %d", counts, open)
	if counts[lp.Tie] > 50 || counts[lp.Yes] < 400 || counts[lp.No] < 400 {
		t.Errorf("undecided, yes, no, tie: %v", counts)
	}
}

// Definition 6 word by word: no deterministic policy earns more than one that takes the choices of
// training, from any state of S_train.
func TestMemberAgainstAllPolicies(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 7))
	var counts [4]int
	for i := range 400 {
		g := lptest.GoalSet(rng, 8)
		g.Margin, g.Constraints = 0, nil
		lower, upper := lptest.Box(g)
		theta := lptest.Reward(rng, g.Model, lower, upper)
		if sparsetest.CountPolicies(g.Model) > 4096 {
			continue
		}
		n := g.Model.NumStates()
		best, trained := make([]float64, n), make([]float64, n)
		for s := range n {
			best[s], trained[s] = math.Inf(-1), math.Inf(-1)
		}
		sparsetest.Policies(g.Model, func(policy []uint32) {
			v := sparsetest.Evaluate(g.Model, policy, g.Discount, theta, nil)
			follows := true
			for s := range g.Train.All() {
				follows = follows && (g.Model.Terminal(s) || policy[s] == g.Policy[s])
			}
			for s, x := range v {
				best[s] = max(best[s], x)
				if follows {
					trained[s] = max(trained[s], x)
				}
			}
		})
		short := 0.0
		for s := range g.Train.All() {
			short = max(short, best[s]-trained[s])
		}
		a, err := lp.Member(context.Background(), g, theta)
		if err != nil {
			t.Fatal(err)
		}
		counts[a.Verdict]++
		const dense = 1e-9 // what the dense solve may be off
		if a.Verdict == lp.Yes && short > dense || a.Verdict == lp.No && short <= 0 {
			t.Fatalf("goal set %d: %v (%s), but the policy falls short by %v", i, a.Verdict, a.Why, short)
		}
	}
	if counts[lp.Yes] < 50 || counts[lp.No] < 50 {
		t.Errorf("undecided, yes, no, tie: %v", counts)
	}
}
