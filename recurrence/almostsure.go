package recurrence

import "offswitch/sparse"

// AlmostSure answers, for one target after another, from which states some policy reaches it with
// probability 1. It holds what the answers share.
type AlmostSure struct {
	m          *sparse.MDP
	components *Components
	before     *Predecessors
}

// NewAlmostSure prepares for a model; components are its end components and before its
// predecessors.
func NewAlmostSure(m *sparse.MDP, components *Components, before *Predecessors) *AlmostSure {
	return &AlmostSure{m: m, components: components, before: before}
}

// Reach returns the states from which some policy reaches the target set with probability 1,
// the target itself included. Positive probability is not enough: this is what the proof of
// Krakovna & Kramar's Proposition 1 needs.
//
// With every end component taken as one node, no policy stays away from sinks forever. So a state
// is lost exactly when each way on risks a lost one: a node without a way on is lost to begin with
// unless it holds a target, and losing spreads backwards once over every branch.
// O(states + branches · choices of a state), 8 bytes a state and a bit a choice while it runs.
func (a *AlmostSure) Reach(target sparse.Bitset) sparse.Bitset {
	m, n := a.m, uint32(a.m.NumStates())
	components := uint32(a.components.Count())
	// A node is an end component or, numbered behind those, a state in none.
	node := func(s uint32) uint32 {
		if k := a.components.Of[s]; k != None {
			return k
		}
		return components + s
	}
	safe := make([]uint32, components+n) // ways on that are not yet known to risk a lost state
	wins := sparse.NewBitset(int(components + n))
	for s := range n {
		if target.Has(s) {
			wins.Set(node(s))
		}
	}
	risky := sparse.NewBitset(m.NumChoices())
	for s := range n {
		lo, hi := m.Choices(s)
		k := node(s)
		for c := lo; c < hi; c++ {
			if a.leaves(c, k, node) {
				safe[k]++
			} else {
				risky.Set(c) // stays in its node: no way on
			}
		}
	}
	lost := make([]uint32, 0)
	result := sparse.NewBitset(int(n))
	lose := func(k uint32) {
		if k >= components {
			lost = append(lost, k-components)
			return
		}
		lost = append(lost, a.components.Members(k)...)
	}
	for s := range n {
		result.Set(s)
		k := node(s)
		first := k >= components || a.components.Members(k)[0] == s
		if first && safe[k] == 0 && !wins.Has(k) {
			lose(k)
		}
	}
	for len(lost) > 0 {
		t := lost[len(lost)-1]
		lost = lost[:len(lost)-1]
		result.Clear(t)
		for _, s := range a.before.Of(t) {
			k := node(s)
			if wins.Has(k) || safe[k] == 0 {
				continue
			}
			lo, hi := m.Choices(s)
			for c := lo; c < hi; c++ {
				if risky.Has(c) || !contains(m.Targets(c), t) {
					continue
				}
				risky.Set(c)
				if safe[k]--; safe[k] == 0 {
					lose(k)
					break
				}
			}
		}
	}
	return result
}

// leaves reports whether a choice of a node can lead out of it.
func (a *AlmostSure) leaves(choice, from uint32, node func(uint32) uint32) bool {
	for _, t := range a.m.Targets(choice) {
		if node(t) != from {
			return true
		}
	}
	return false
}

func contains(targets []uint32, t uint32) bool {
	for _, x := range targets {
		if x == t {
			return true
		}
	}
	return false
}
