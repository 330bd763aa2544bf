// Package sparsetest makes small random models of every ugly kind, and solves them the slow and
// obvious way, for the tests of the packages that do the same fast.
package sparsetest

import (
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"

	"offswitch/sparse"
)

// Distributions have probabilities that are exact in binary, so that models and their exact
// solutions can be compared bit by bit.
var Distributions = [][]float64{{1}, {1}, {0.5, 0.5}, {0.75, 0.25}, {0.5, 0.25, 0.25}, {1 - 0x1p-30, 0x1p-30}}

// Random returns a model of 1 to most states: long chains, one component, many components,
// self-loops, duplicate branches and choices, terminal states, absorbing traps, tiny
// probabilities, no choices at all, unreachable parts. Deterministic models have one branch a
// choice. It carries the rewards "r" (values 0, ¼, ½, ¾, 1) and "rc" (also on choices).
func Random(rng *rand.Rand, most int, deterministic bool) *sparse.MDP {
	n := 1 + rng.IntN(most)
	b := sparse.NewBuilder(n)
	shape := rng.IntN(6)
	for s := range uint32(n) {
		choices := rng.IntN(4)
		if shape == 0 && rng.IntN(4) > 0 {
			choices = max(choices, 1)
		}
		if shape == 1 {
			choices = 0
		}
		for range choices {
			d := Distributions[rng.IntN(len(Distributions))]
			if deterministic {
				d = Distributions[0]
			}
			choice := b.StartChoice(s, "")
			for _, p := range d {
				b.AddBranch(target(rng, shape, s, uint32(n)), p)
			}
			b.ChoiceReward("rc", choice, float64(rng.IntN(5))/4)
		}
		b.StateReward("r", s, float64(rng.IntN(5))/4)
		b.StateReward("rc", s, float64(rng.IntN(5))/4)
	}
	b.SetInitial(0)
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

func target(rng *rand.Rand, shape int, s, n uint32) uint32 {
	switch {
	case shape == 2 && rng.IntN(8) > 0: // chain with an end
		return min(s+1, n-1)
	case shape == 3 && rng.IntN(8) > 0: // ring
		return (s + 1) % n
	case shape == 4 && rng.IntN(8) > 0: // components of three states
		return min(s/3*3+rng.Uint32N(3), n-1)
	case rng.IntN(8) == 0:
		return s
	}
	return rng.Uint32N(n)
}

// maxPolicies keeps tests over all policies quick.
const maxPolicies = 4096

// RandomFew returns a model like Random that has at most 4096 deterministic policies.
func RandomFew(rng *rand.Rand, most int, deterministic bool) *sparse.MDP {
	for {
		if m := Random(rng, most, deterministic); CountPolicies(m) <= maxPolicies {
			return m
		}
	}
}

// CountPolicies returns the number of deterministic policies.
func CountPolicies(m *sparse.MDP) int {
	count := 1
	for s := range uint32(m.NumStates()) {
		lo, hi := m.Choices(s)
		count *= max(1, int(hi-lo))
	}
	return count
}

// Policies calls f with every deterministic policy; policy[s] is sparse.None where s is terminal.
// f must not keep the slice.
func Policies(m *sparse.MDP, f func(policy []uint32)) {
	policy := make([]uint32, m.NumStates())
	for s := range policy {
		policy[s] = sparse.None
		if !m.Terminal(uint32(s)) {
			policy[s], _ = m.Choices(uint32(s))
		}
	}
	for {
		f(policy)
		s := 0
		for ; s < len(policy); s++ {
			if policy[s] == sparse.None {
				continue
			}
			lo, hi := m.Choices(uint32(s))
			if policy[s]+1 < hi {
				policy[s]++
				break
			}
			policy[s] = lo
		}
		if s == len(policy) {
			return
		}
	}
}

// Evaluate returns the values of a policy by a dense linear solve: V = θ + r_π + γ·P_π·V.
// choices may be nil.
func Evaluate(m *sparse.MDP, policy []uint32, gamma float64, states, choices []float64) []float64 {
	n := m.NumStates()
	a := mat.NewDense(n, n, nil)
	a.Scale(-gamma, m.PolicyMatrix(policy))
	r := mat.NewVecDense(n, nil)
	for s := range n {
		a.Set(s, s, a.At(s, s)+1)
		x := states[s]
		if c := policy[s]; c != sparse.None && choices != nil {
			x += choices[c]
		}
		r.SetVec(s, x)
	}
	var v mat.VecDense
	if err := v.SolveVec(a, r); err != nil {
		panic(err)
	}
	return v.RawVector().Data
}
