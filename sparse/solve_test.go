package sparse_test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

var seed = flag.Uint64("seed", 1, "seed of the random models")

func TestSolveAgainstAllPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 0))
	for i := range 600 {
		m := sparsetest.RandomFew(rng, 8, i%3 == 0)
		gamma := []float64{0, 0.5, 0.9, 0.99}[rng.IntN(4)]
		r := m.Reward([]string{"r", "rc"}[rng.IntN(2)])
		if r == nil {
			continue
		}
		states, choices := r.States.Dense(m.NumStates()), r.Choices.Dense(m.NumChoices())
		best := make([]float64, m.NumStates())
		for s := range best {
			best[s] = math.Inf(-1)
		}
		sparsetest.Policies(m, func(policy []uint32) {
			for s, v := range sparsetest.Evaluate(m, policy, gamma, states, choices) {
				best[s] = max(best[s], v)
			}
		})
		p := sparse.Problem{Discount: gamma, States: states, Choices: choices, Workers: 1 + i%2}
		sol, err := m.Solve(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		if !sol.Converged {
			t.Errorf("seed %d, model %d: not converged, error %g", *seed, i, sol.Error)
		}
		achieved := sparsetest.Evaluate(m, sol.Policy, gamma, states, choices)
		p.Policy = sol.Policy
		evaluated, err := m.Solve(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		for s := range best {
			const dense = 1e-11 // what the dense solve itself may be off
			if d := math.Abs(sol.Values[s] - best[s]); d > sol.Error+dense {
				t.Fatalf("seed %d, model %d, state %d: value %v, best %v, error bound %g", *seed, i, s, sol.Values[s], best[s], sol.Error)
			}
			if best[s]-achieved[s] > 1e-7 {
				t.Fatalf("seed %d, model %d, state %d: policy earns %v, best %v", *seed, i, s, achieved[s], best[s])
			}
			if d := math.Abs(evaluated.Values[s] - achieved[s]); d > evaluated.Error+dense {
				t.Fatalf("seed %d, model %d, state %d: evaluated %v, want %v", *seed, i, s, evaluated.Values[s], achieved[s])
			}
		}
	}
}

func TestTiesGoToTheFirstOptimalChoice(t *testing.T) {
	b := sparse.NewBuilder(4)
	b.AddChoice(0, "worse", sparse.Branch{Target: 0, Probability: 1})
	b.AddChoice(0, "first", sparse.Branch{Target: 1, Probability: 0.3}, sparse.Branch{Target: 2, Probability: 0.7})
	b.AddChoice(0, "second", sparse.Branch{Target: 3, Probability: 1})
	for s := uint32(1); s < 4; s++ {
		b.StateReward("r", s, 0.1)
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sol, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.9, States: m.Reward("r").States.Dense(4)})
	if err != nil {
		t.Fatal(err)
	}
	if name := m.ActionName(sol.Policy[0]); name != "first" {
		t.Errorf("took %q", name)
	}
}

// Values far from the reward are far below the tolerance, and still the policy walks to it.
func TestSolveFollowsFaintGradients(t *testing.T) {
	const n = 3000
	b := sparse.NewBuilder(n)
	for s := uint32(0); s < n-1; s++ {
		b.AddChoice(s, "stay", sparse.Branch{Target: s, Probability: 1})
		b.AddChoice(s, "on", sparse.Branch{Target: s + 1, Probability: 1})
	}
	b.StateReward("r", n-1, 1)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sol, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.9, States: m.Reward("r").States.Dense(n)})
	if err != nil {
		t.Fatal(err)
	}
	for s := range uint32(n - 1) {
		if m.ActionName(sol.Policy[s]) != "on" {
			t.Fatalf("state %d stays; its value is %g", s, sol.Values[s])
		}
	}
}

// Workers see each other's values of the sweep before; the bounds hold for any number of them.
func TestSolveOnSeveralWorkers(t *testing.T) {
	const n = 40000
	rng := rand.New(rand.NewPCG(*seed, 1))
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		for range 2 {
			b.AddChoice(s, "", sparse.Branch{Target: rng.Uint32N(n), Probability: 0.75}, sparse.Branch{Target: (s + 1) % n, Probability: 0.25})
		}
		b.StateReward("r", s, rng.Float64())
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	p := sparse.Problem{Discount: 0.9, States: m.Reward("r").States.Dense(n), Workers: 1}
	one, err := m.Solve(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	for p.Workers = 2; p.Workers <= 3; p.Workers++ {
		many, err := m.Solve(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		if !many.Converged {
			t.Errorf("%d workers: not converged", p.Workers)
		}
		for s := range many.Values {
			if d := math.Abs(many.Values[s] - one.Values[s]); d > many.Error+one.Error {
				t.Fatalf("%d workers, state %d: %v, one worker %v", p.Workers, s, many.Values[s], one.Values[s])
			}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	stopped, err := m.Solve(ctx, p)
	if err != nil || stopped.Converged {
		t.Fatalf("stopped solve: converged %v, error %v", stopped.Converged, err)
	}
	for s := range stopped.Values {
		if d := math.Abs(stopped.Values[s] - one.Values[s]); d > stopped.Error+one.Error {
			t.Fatalf("stopped, state %d: off by %g, bound %g", s, d, stopped.Error)
		}
	}
}

// Negative rewards made modified policy iteration cycle when it started anywhere.
func TestSolveEndsWithNegativeRewards(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 2))
	for i := range 2000 {
		m := sparsetest.Random(rng, 8, i%2 == 0)
		p := sparse.Problem{Discount: 0.99, States: make([]float64, m.NumStates()), Choices: make([]float64, m.NumChoices())}
		for s := range p.States {
			p.States[s] = float64(rng.IntN(4) - 3)
		}
		for c := range p.Choices {
			p.Choices[c] = float64(rng.IntN(2) - 1)
		}
		sol, err := m.Solve(context.Background(), p)
		if err != nil || !sol.Converged || sol.Error > 1e-6 {
			t.Fatalf("seed %d, model %d: %+v, %v", *seed, i, sol, err)
		}
		p.Policy = sol.Policy
		own, err := m.Solve(context.Background(), p)
		if err != nil {
			t.Fatal(err)
		}
		for s := range own.Values {
			if d := math.Abs(own.Values[s] - sol.Values[s]); d > own.Error+sol.Error+1e-6 {
				t.Fatalf("seed %d, model %d, state %d: the policy is worth %v, the optimum %v", *seed, i, s, own.Values[s], sol.Values[s])
			}
		}
	}
}

// A certain choice whose probability is not quite 1 is taken as it is stored.
func TestProbabilityCloseToOne(t *testing.T) {
	const p = 1 - 5e-10
	b := sparse.NewBuilder(1)
	b.AddChoice(0, "", sparse.Branch{Target: 0, Probability: p})
	b.StateReward("r", 0, 1)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	sol, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.9, States: []float64{1}})
	if err != nil {
		t.Fatal(err)
	}
	if want := 1 / (1 - 0.9*p); math.Abs(sol.Values[0]-want) > sol.Error+1e-14 {
		t.Errorf("value %v within %g, want %v", sol.Values[0], sol.Error, want)
	}
}

// A solve whose values stay small converges to the tolerance even where values could be large.
func TestSolveCloseToDiscountOne(t *testing.T) {
	b := sparse.NewBuilder(4)
	b.AddChoice(0, "", sparse.Branch{Target: 0, Probability: 0.5}, sparse.Branch{Target: 1, Probability: 0.5})
	b.AddChoice(1, "", sparse.Branch{Target: 1, Probability: 1 - 1e-6}, sparse.Branch{Target: 2, Probability: 1e-6})
	b.AddChoice(2, "", sparse.Branch{Target: 3, Probability: 1})
	b.StateReward("r", 3, 1)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	const gamma = 0.9999
	sol, err := m.Solve(context.Background(), sparse.Problem{Discount: gamma, States: []float64{0, 0, 0, 1}})
	if err != nil {
		t.Fatal(err)
	}
	want := gamma * 1e-6 * gamma / (1 - gamma*(1-1e-6))
	if !sol.Converged || sol.Error > 1e-9 || math.Abs(sol.Values[1]-want) > sol.Error+1e-12 {
		t.Errorf("value %v within %g (converged %v), want %v", sol.Values[1], sol.Error, sol.Converged, want)
	}
}

// Underflow and overflow are errors or in the bound, never a false bound.
func TestSolveAtTheEndsOfFloat64(t *testing.T) {
	b := sparse.NewBuilder(2)
	b.AddChoice(0, "", sparse.Branch{Target: 0, Probability: 0.75}, sparse.Branch{Target: 1, Probability: 0.25})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	// V(0) = (4e-322 + ½·¼·4e-322)/(1-⅜) = 7.2e-322
	sol, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.5, States: []float64{4e-322, 4e-322}})
	if err != nil || math.Abs(sol.Values[0]-7.2e-322) > sol.Error {
		t.Errorf("value %v within %g, %v", sol.Values[0], sol.Error, err)
	}
	if _, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.999, States: []float64{1e308, 0}}); err == nil {
		t.Error("no error where values overflow")
	}
	// A tolerance beyond what rounding allows still ends.
	sol, err = m.Solve(context.Background(), sparse.Problem{Discount: 0.99, States: []float64{1, 0.3}, Tolerance: 1e-30})
	if err != nil || !sol.Converged || sol.Error > 1e-10 {
		t.Errorf("%+v, %v", sol, err)
	}
}
