package sparse_test

import (
	"context"
	"flag"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch/lp/lptest"
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

// slippery returns a square room of side² states in which each of four moves veers to either side with
// probability slip/2, numbered at random, and the rewards of its states: 1 in one corner, worth less in
// another.
func slippery(t *testing.T, rng *rand.Rand, side int, slip float64) (*sparse.MDP, []float64) {
	t.Helper()
	n := side * side
	number := rng.Perm(n)
	at := func(x, y int) uint32 {
		return uint32(number[min(max(y, 0), side-1)*side+min(max(x, 0), side-1)])
	}
	across, up := []int{1, 0, -1, 0}, []int{0, 1, 0, -1}
	b := sparse.NewBuilder(n)
	for i := range n {
		x, y := i%side, i/side
		for d := range 4 {
			b.AddChoice(at(x, y), "", sparse.Branch{Target: at(x+across[d], y+up[d]), Probability: 1 - slip})
			for _, side := range [2]int{(d + 1) % 4, (d + 3) % 4} {
				if slip > 0 {
					b.AddBranch(at(x+across[side], y+up[side]), slip/2)
				}
			}
		}
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	theta := make([]float64, n)
	theta[at(0, 0)], theta[at(side-1, side-1)] = 1, 0.75
	return m, theta
}

func solve(t *testing.T, m *sparse.MDP, p sparse.Problem) *sparse.Solution {
	t.Helper()
	sol, err := m.Solve(context.Background(), p)
	if err != nil {
		t.Fatal(err)
	}
	return sol
}

// within reports an error where two solutions differ by more than their errors allow.
func within(t *testing.T, a, b *sparse.Solution) {
	t.Helper()
	for s := range a.Values {
		if d := math.Abs(a.Values[s] - b.Values[s]); !(d <= a.Error+b.Error) {
			t.Fatalf("state %d: %v within %g, and %v within %g", s, a.Values[s], a.Error, b.Values[s], b.Error)
		}
	}
}

func TestSolveOnSeveralWorkers(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 1))
	const n = 33000
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		for range 2 {
			b.AddChoice(s, "", sparse.Branch{Target: rng.Uint32N(n), Probability: 0.75}, sparse.Branch{Target: (s + 1) % n, Probability: 0.25})
		}
		b.StateReward("r", s, rng.Float64())
	}
	mixing, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	room, goals := slippery(t, rng, 105, 0.2)
	for _, x := range []struct {
		m     *sparse.MDP
		theta []float64
	}{{mixing, mixing.Reward("r").States.Dense(n)}, {room, goals}} {
		p := sparse.Problem{Discount: 0.9, States: x.theta, Tolerance: 1e-4, Workers: 1}
		one := solve(t, x.m, p)
		for p.Workers = 2; p.Workers <= 4; p.Workers += 2 {
			many := solve(t, x.m, p)
			if !many.Converged || many.Error != one.Error || many.Sweeps != one.Sweeps ||
				!slices.Equal(many.Values, one.Values) || !slices.Equal(many.Policy, one.Policy) {
				t.Errorf("seed %d: %d workers find something else than one", *seed, p.Workers)
			}
		}
	}
}

// Whatever the tolerance, and wherever the context ends, the error bound holds.
func TestErrorBoundsTheDistance(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 3))
	for _, slip := range []float64{0, 0.2, 0.9} {
		m, theta := slippery(t, rng, 20, slip)
		for _, gamma := range []float64{0.9, 0.999} {
			p := sparse.Problem{Discount: gamma, States: theta, Tolerance: 1e-13}
			exact := solve(t, m, p)
			if !exact.Converged || exact.Error > 1e-8 {
				t.Errorf("slip %v, discount %v: error %g", slip, gamma, exact.Error)
			}
			for p.Tolerance = 1; p.Tolerance > 1e-9; p.Tolerance /= 1000 {
				sol := solve(t, m, p)
				if !sol.Converged || sol.Error > p.Tolerance {
					t.Errorf("slip %v, discount %v, tolerance %g: error %g", slip, gamma, p.Tolerance, sol.Error)
				}
				within(t, sol, exact)
			}
			for rounds := range 6 {
				ctx, cancel := context.WithCancel(context.Background())
				left := rounds
				p.Progress = func(sparse.Progress) {
					if left--; left < 0 {
						cancel()
					}
				}
				if rounds == 0 {
					cancel()
				}
				sol, err := m.Solve(ctx, p)
				cancel()
				if err != nil {
					t.Fatal(err)
				}
				if rounds == 0 && sol.Converged {
					t.Error("converged without a sweep")
				}
				within(t, sol, exact)
			}
		}
	}
}

// Rewards in other units are worth as much in those units, to the bit.
func TestSolveInAnyUnit(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 8))
	m, theta := slippery(t, rng, 20, 0.2)
	p := sparse.Problem{Discount: 0.99, States: theta}
	want := solve(t, m, p)
	for _, exponent := range []int{-900, -30, 1, 900} {
		p.States = slices.Clone(theta)
		for s := range p.States {
			p.States[s] = math.Ldexp(theta[s], exponent)
		}
		sol := solve(t, m, p)
		for s, x := range want.Values {
			if sol.Values[s] != math.Ldexp(x, exponent) {
				t.Fatalf("seed %d, unit 2^%d, state %d: %v, want %v", *seed, exponent, s, sol.Values[s], math.Ldexp(x, exponent))
			}
		}
	}
}

// Values come from the far end of a room in a few sweeps, however its states are numbered.
func TestSolveTakesFewSweepsInAnyOrder(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 4))
	m, theta := slippery(t, rng, 70, 0)
	for _, gamma := range []float64{0.9, 0.99, 0.9999} {
		if sol := solve(t, m, sparse.Problem{Discount: gamma, States: theta}); !sol.Converged || sol.Sweeps > 30 {
			t.Errorf("seed %d, discount %v: %d sweeps, converged %v", *seed, gamma, sol.Sweeps, sol.Converged)
		}
	}
}

// Policies of ugly models, with components of every size, against exact rational solutions.
func TestEvaluationAgainstRationals(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 5))
	for i := range 300 {
		m := sparsetest.Random(rng, 24, false)
		gamma := []float64{0.5, 0.875, 1 - 0x1p-10}[rng.IntN(3)]
		policy, theta := make([]uint32, m.NumStates()), make([]float64, m.NumStates())
		exact := make([]*big.Rat, m.NumStates())
		for s := range policy {
			policy[s] = sparse.None
			if lo, hi := m.Choices(uint32(s)); lo < hi {
				policy[s] = lo + rng.Uint32N(hi-lo)
			}
			theta[s] = float64(rng.IntN(9)-4) / 4
			exact[s] = new(big.Rat).SetFloat64(theta[s])
		}
		want := lptest.Evaluate(m, policy, gamma, exact)
		sol := solve(t, m, sparse.Problem{Discount: gamma, States: theta, Policy: policy})
		if !sol.Converged {
			t.Errorf("seed %d, model %d: not converged", *seed, i)
		}
		for s, x := range want {
			d := new(big.Rat).SetFloat64(sol.Values[s])
			if d.Sub(d, x).Abs(d).Cmp(new(big.Rat).SetFloat64(sol.Error)) > 0 {
				t.Fatalf("seed %d, model %d, state %d: %v within %g, want %v", *seed, i, s, sol.Values[s], sol.Error, x.FloatString(20))
			}
		}
	}
}

// Larger models, in which policies change in many rounds, against dense solutions.
func TestSolveAgainstDenseEvaluation(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 6))
	for i := range 60 {
		m := sparsetest.Random(rng, 200, false)
		gamma := []float64{0.9, 0.99, 0.999}[rng.IntN(3)]
		theta, choices := make([]float64, m.NumStates()), make([]float64, m.NumChoices())
		for s := range theta {
			theta[s] = float64(rng.IntN(5)-2) / 4
		}
		for c := range choices {
			choices[c] = float64(rng.IntN(5)-2) / 4
		}
		p := sparse.Problem{Discount: gamma, States: theta, Choices: choices}
		sol := solve(t, m, p)
		value := sparsetest.Evaluate(m, sol.Policy, gamma, theta, choices)
		lost := 4 * sol.Error / (1 - gamma) // by choices that the error cannot tell from the best
		for s, x := range value {
			if d := math.Abs(x - sol.Values[s]); !sol.Converged || d > sol.Error+lost {
				t.Fatalf("seed %d, model %d, state %d: %v within %g, its policy earns %v", *seed, i, s, sol.Values[s], sol.Error, x)
			}
		}
		// No choice is better than the policy's.
		for s := range uint32(m.NumStates()) {
			lo, hi := m.Choices(s)
			for c := lo; c < hi; c++ {
				if q := theta[s] + choices[c] + gamma*m.Expectation(c, value); q > value[s]+2*lost {
					t.Fatalf("seed %d, model %d, state %d: choice %d earns %v, the policy %v", *seed, i, s, c, q, value[s])
				}
			}
		}
	}
}

// Backup is the same arithmetic however probabilities are stored, and Expectation's.
func TestBackupInEveryRepresentation(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 7))
	for i := range 300 {
		m := sparsetest.Random(rng, 30, i%3 == 0)
		n := m.NumStates()
		raw := make([]float64, m.NumBranches())
		m.CopyProbabilities(raw, 0)
		parts := sparse.Parts{ChoiceStart: m.ChoiceStarts(), BranchStart: m.BranchStarts(), Target: m.AllTargets(), Probability: sparse.RawFloats(raw)}
		stored, err := sparse.New(parts)
		if err != nil {
			t.Fatal(err)
		}
		halves := sparse.Parts{ChoiceStart: m.ChoiceStarts(), BranchStart: make([]uint32, m.NumChoices()+1), Probability: sparse.ConstantFloats(2*m.NumChoices(), 0.5)}
		for c := range uint32(m.NumChoices()) {
			targets := m.Targets(c)
			halves.Target = append(halves.Target, targets[0], targets[len(targets)-1])
			halves.BranchStart[c+1] = 2 * (c + 1)
		}
		even, err := sparse.New(halves)
		if err != nil {
			t.Fatal(err)
		}
		theta, v, choices := make([]float64, n), make([]float64, n), make([]float64, m.NumChoices())
		for s := range v {
			theta[s], v[s] = rng.NormFloat64(), rng.NormFloat64()
		}
		for c := range choices {
			choices[c] = rng.NormFloat64()
		}
		lo := rng.Uint32N(uint32(n) + 1)
		hi := lo + rng.Uint32N(uint32(n)+1-lo)
		for _, model := range []*sparse.MDP{m, stored, even} {
			for _, reward := range [][]float64{nil, choices} {
				out := make([]float64, n)
				model.Backup(lo, hi, 0.9, theta, reward, v, out)
				for s := range uint32(n) {
					want := backup(model, s, 0.9, theta, reward, v)
					if s < lo || s >= hi {
						want = 0
					}
					if out[s] != want {
						t.Fatalf("seed %d, model %d, state %d: %v, want %v", *seed, i, s, out[s], want)
					}
				}
			}
		}
	}
}

// backup returns the backed-up value of one state.
func backup(m *sparse.MDP, state uint32, gamma float64, theta, choices, v []float64) float64 {
	best := math.Inf(-1)
	lo, hi := m.Choices(state)
	for c := lo; c < hi; c++ {
		q := gamma * m.Expectation(c, v)
		if choices != nil {
			q += choices[c]
		}
		best = max(best, q)
	}
	if lo == hi {
		return theta[state]
	}
	return theta[state] + best
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
