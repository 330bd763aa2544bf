package lp_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"offswitch/lp"
	"offswitch/lp/lptest"
)

// TestKnownRewardsNeedNoSolver: with the rewards of a closed S_train known, the least rewards elsewhere are
// the best for the taken choices, so they are members or nothing is, and no linear program is needed
// for either.
func TestKnownRewardsNeedNoSolver(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 21))
	refuted, kept := 0, 0
	for i := range 800 {
		g := lptest.GoalSet(rng, 8)
		if closed, _ := g.Closed(); !closed {
			continue
		}
		lower, upper := lptest.Box(g)
		theta := lptest.Reward(rng, g.Model, lower, upper)
		for s := range theta {
			if !g.Train.Has(uint32(s)) {
				theta[s] = lower
				continue
			}
			text := fmt.Sprintf("r[s%d] = %v", s, theta[s])
			if rng.IntN(2) == 0 {
				text = fmt.Sprintf("-2*r[s%d] = %v", s, -2*theta[s])
			}
			constrain(t, &g, text)
		}
		off := 0.0
		if x := lptest.NewExact(g, lptest.Rationals(theta)).LeastExcess(); x != nil {
			off, _ = x.Float64()
		}
		a, err := lp.Feasible(context.Background(), g, nil)
		if err != nil {
			t.Fatal(err)
		}
		if off < -1e-6 {
			refuted++
			if a.Verdict != lp.No {
				t.Errorf("goal set %d: %v (%s), but a margin is missed by %v", i, a.Verdict, a.Why, -off)
			}
		}
		if off > 1e-6 {
			kept++
		}
		if off > 1e-6 && a.Verdict != lp.Yes || off >= 0 && a.Verdict == lp.No {
			t.Errorf("goal set %d: %v (%s), but the margins are exceeded by %v", i, a.Verdict, a.Why, off)
		}
		if a.Verdict != lp.Undecided {
			accepted(t, g.Model, a.Certificate)
		}
	}
	if refuted < 60 || kept < 10 {
		t.Errorf("only %d goal sets to refute, and %d with a member inside", refuted, kept)
	}
}

// TestLikelyRewardComesFirst: a member that is given is the answer, whatever the solver would find.
func TestLikelyRewardComesFirst(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 22))
	members := 0
	for range 200 {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		g.Likely = lptest.Reward(rng, g.Model, lower, upper)
		lptest.Constrain(rng, &g, g.Likely)
		direct, err := lp.Member(context.Background(), g, g.Likely)
		if err != nil {
			t.Fatal(err)
		}
		a, err := lp.Feasible(context.Background(), g, nil)
		if err != nil {
			t.Fatal(err)
		}
		if direct.Verdict != lp.Yes {
			continue
		}
		members++
		if a.Verdict != lp.Yes {
			t.Errorf("%v (%s), but the likely reward is a member", a.Verdict, a.Why)
			continue
		}
		accepted(t, g.Model, a.Certificate)
		for _, s := range a.Certificate.States {
			if a.Theta[s] != g.Likely[s] {
				t.Errorf("reward %v, want %v", a.Theta, g.Likely)
				break
			}
		}
	}
	if members < 20 {
		t.Errorf("only %d members", members)
	}
}
