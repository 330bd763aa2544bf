package lp

import (
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/sparse"
)

// TestSpread checks that nothing is lost wherever following stops, and compares what it comes to with the
// sum of the discounted powers of the policy's matrix.
func TestSpread(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	const gamma = 0.8
	stopped := 0
	for i := range 300 {
		n := 1 + rng.IntN(30)
		m, policy := randomWalk(t, rng, n)
		var within sparse.Bitset
		if rng.IntN(2) == 0 {
			within = sparse.NewBitset(n)
			for s := range n {
				if rng.IntN(4) > 0 {
					within.Set(uint32(s))
				}
			}
		}
		p := newSpread(m, gamma, within)
		for again := range 2 { // it can be used again after reset
			p.reset()
			entered := make([]float64, n)
			for range 2 {
				x := rng.NormFloat64()
				c := uint32(rng.IntN(m.NumChoices()))
				p.enter(c, x, 0)
				flow(m, c, gamma*x, entered)
			}
			enough, most := 0.0, math.MaxInt
			if again == 0 {
				enough, most = rng.Float64()/10, 1+rng.IntN(200)
			}
			p.follow(policy, 1e-15, enough, most)
			balance, left := append([]float64(nil), entered...), 0.0
			for s := range n {
				if !m.Terminal(uint32(s)) {
					flow(m, policy[s], gamma*p.visits[s], balance)
				}
				if p.visits[s] != 0 || p.waiting[s] != 0 {
					if !p.seen.Has(uint32(s)) {
						t.Fatalf("model %d: state %d is not touched", i, s)
					}
				}
				if within == nil || within.Has(uint32(s)) {
					left += math.Abs(p.waiting[s])
				}
			}
			for s, x := range balance {
				if math.Abs(x-p.visits[s]-p.waiting[s]) > 1e-12 {
					t.Fatalf("model %d: %v comes to state %d, %v is followed and %v waits", i, x, s, p.visits[s], p.waiting[s])
				}
			}
			if again == 0 {
				if left > 1e-12 {
					stopped++
				}
				continue
			}
			sum, now := make([]float64, n), entered
			for range 300 {
				next := make([]float64, n)
				for s, x := range now {
					if within != nil && !within.Has(uint32(s)) {
						continue
					}
					sum[s] += x
					if !m.Terminal(uint32(s)) {
						flow(m, policy[s], gamma*x, next)
					}
				}
				now = next
			}
			for s, x := range sum {
				if math.Abs(x-p.visits[s]) > 1e-11 {
					t.Fatalf("model %d: state %d has %v visits, want %v", i, s, p.visits[s], x)
				}
			}
		}
	}
	if stopped < 50 {
		t.Errorf("only %d stopped before the end", stopped)
	}
}

// flow adds what a choice makes of visits to where it leads.
func flow(m *sparse.MDP, choice uint32, visits float64, to []float64) {
	probabilities := m.Probabilities(choice)
	for i, t := range m.Targets(choice) {
		to[t] += visits * probabilities[i]
	}
}

// randomWalk returns a model, some of its states terminal, and a policy.
func randomWalk(t *testing.T, rng *rand.Rand, n int) (*sparse.MDP, []uint32) {
	b := sparse.NewBuilder(n)
	policy := make([]uint32, n)
	choices := 0
	for s := range n {
		if s > 0 && rng.IntN(5) == 0 {
			continue
		}
		policy[s] = uint32(choices)
		for range 1 + rng.IntN(2) {
			x := rng.Float64()
			b.AddChoice(uint32(s), "", sparse.Branch{Target: uint32(rng.IntN(n)), Probability: x},
				sparse.Branch{Target: uint32(rng.IntN(n)), Probability: 1 - x})
			choices++
		}
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m, policy
}
