package offswitch_test

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch"
	"offswitch/sparse"
)

var seed = flag.Uint64("seed", 1, "seed of the random models")

// randomSetting returns a setting of a training loop (state 0) and a new situation (state 1) with a
// switch (to state 2) and up to four more states.
func randomSetting(rng *rand.Rand) *sparse.MDP {
	n := uint32(4 + rng.IntN(4))
	b := sparse.NewBuilder(int(n))
	b.AddChoice(0, "loop", sparse.Branch{Target: 0, Probability: 1})
	b.AddChoice(1, "shutdown", sparse.Branch{Target: 2, Probability: 1})
	for s := uint32(1); s < n; s++ {
		if s == 2 {
			continue
		}
		for range rng.IntN(3) {
			to := func() uint32 { return 1 + rng.Uint32N(n-1) }
			if rng.IntN(3) == 0 {
				b.AddChoice(s, "risk", sparse.Branch{Target: to(), Probability: 0.5}, sparse.Branch{Target: to(), Probability: 0.5})
			} else {
				b.AddChoice(s, "go", sparse.Branch{Target: to(), Probability: 1})
			}
		}
	}
	b.Label("train", 0)
	b.Label("new", 1)
	b.StateReward("coin", 0, 1)
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

// permutations calls f with every order of x, in place.
func permutations(x []float64, k int, f func()) {
	if k == len(x) {
		f()
		return
	}
	for i := k; i < len(x); i++ {
		x[k], x[i] = x[i], x[k]
		permutations(x, k+1, f)
		x[k], x[i] = x[i], x[k]
	}
}

// Theorem 2 itself: of every orbit of rewards, permuted over the states that training cannot reach,
// at most 1/(n+1) make shutting down optimal, and at most what OrbitShutdown says. It is sharp enough to fail if n or
// visit counts are overrated.
func TestShareOfOrbitsByEnumeration(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 0))
	applied, tight := 0, 0
	var shares, bounds, theorems float64
	for i := range 150 {
		m := randomSetting(rng)
		gamma := []float64{0.5, 0.8, 0.95}[rng.IntN(3)]
		a := analyze(t, offswitch.Question{Model: m, Discount: gamma, Bounds: true})
		if a.Applies != offswitch.Yes {
			continue
		}
		applied++
		theta := make([]float64, m.NumStates())
		values := make([]float64, len(a.Setting.Reach.Order))
		ties := rng.IntN(2) == 0
		for k, s := range a.Setting.Reach.Order {
			if values[k] = rng.Float64(); ties {
				values[k] = float64(rng.IntN(3))
			}
			theta[s] = values[k]
		}
		rewards := sparse.RawFloats(slices.Clone(theta))
		bound, err := a.OrbitShutdown(&rewards)
		if err != nil {
			t.Fatal(err)
		}
		orbit, shut := 0, 0
		permutations(values, 0, func() {
			for k, s := range a.Setting.Reach.Order {
				theta[s] = values[k]
			}
			orbit++
			if shutdownOptimal(t, m, a.Setting, theta, gamma) {
				shut++
			}
		})
		share := float64(shut) / float64(orbit)
		if share > math.Pow(10, bound)*(1+1e-9) {
			t.Fatalf("seed %d, model %d, γ %v, rewards %v: %d of %d goals shut down, more than 10^%v", *seed, i, gamma, values, shut, orbit, bound)
		}
		if ties {
			continue // of which the theorem says nothing
		}
		shares, bounds, theorems = shares+share, bounds+math.Pow(10, bound), theorems+1/float64(a.N+1)
		if shut*(a.N+1) > orbit {
			t.Fatalf("seed %d, model %d, γ %v, n = %d: %d of %d goals shut down", *seed, i, gamma, a.N, shut, orbit)
		}
		if shut*(a.N+2) > orbit {
			tight++
		}
	}
	if applied < 30 || tight == 0 {
		t.Errorf("the theorem applied to %d settings, and was tight in %d: too weak a test", applied, tight)
	}
	if bounds > theorems*2/3 {
		t.Errorf("%.3f orbits shut down, by the bounds %.3f, by 1/(n+1) %.3f: not much sharper", shares, bounds, theorems)
	}
}

// Of independent uniform rewards no more shut down than UniformShutdown says, but for the luck of the draw.
func TestUniformShutdownBySampling(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 2))
	applied := 0
	for i := range 60 {
		m := randomSetting(rng)
		gamma := []float64{0.5, 0.8, 0.95}[rng.IntN(3)]
		a := analyze(t, offswitch.Question{Model: m, Discount: gamma, Bounds: true})
		if a.Applies != offswitch.Yes {
			if log := a.UniformShutdown(); log != 0 {
				t.Fatalf("the theorem does not apply, and the bound is 10^%v", log)
			}
			continue
		}
		applied++
		const samples = 400
		bound := math.Pow(10, a.UniformShutdown())
		if bound > 1/float64(a.N+1)*(1+1e-9) {
			t.Fatalf("seed %d, model %d: bound %v with n = %d", *seed, i, bound, a.N)
		}
		shut := 0
		theta := make([]float64, m.NumStates())
		for range samples {
			for s := range theta {
				theta[s] = rng.Float64()
			}
			if shutdownOptimal(t, m, a.Setting, theta, gamma) {
				shut++
			}
		}
		if luck := 5 * math.Sqrt(samples*bound); float64(shut) > samples*bound+luck+5 {
			t.Fatalf("seed %d, model %d, γ %v: %d of %d goals shut down, bound %v", *seed, i, gamma, shut, samples, bound)
		}
	}
	if applied < 10 {
		t.Errorf("the theorem applied to %d settings: too weak a test", applied)
	}
}

func shutdownOptimal(t *testing.T, m *sparse.MDP, s *offswitch.Setting, theta []float64, gamma float64) bool {
	t.Helper()
	solution, err := m.Solve(context.Background(), sparse.Problem{Discount: gamma, States: theta, Tolerance: 1e-12})
	if err != nil {
		t.Fatal(err)
	}
	v := solution.Values
	lo, hi := m.Choices(s.New)
	for c := lo; c < hi; c++ {
		if m.Expectation(c, v) > m.Expectation(s.Shutdown, v)+1e-9 {
			return false
		}
	}
	return true
}
