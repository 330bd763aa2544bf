package recurrence

import (
	"slices"

	"offswitch/sparse"
)

// sureRounds is how often AlmostSure narrows down by searches before it turns to end components.
// Tests change it.
var sureRounds = 4

// AlmostSure returns the states from which some policy reaches the target set with probability 1,
// the target itself included. Positive probability is not enough: this is what the proof of
// Krakovna & Kramar's Proposition 1 needs.
//
// The states that can reach the target at all are an upper bound; those that can by choices that
// surely stay within the bound are a better one, and a bound that stays the same is the answer.
// Where everything is deterministic the first one is. A few rounds settle most models; what they
// leave open is decided on the end components. O(states + branches · choices of a state). The answer is nil
// when the context ends; see Within.
func (r *Structure) AlmostSure(target sparse.Bitset) sparse.Bitset {
	n := r.g.states()
	bound := sparse.NewBitset(n)
	bound.Fill(n)
	for round := range sureRounds {
		size := bound.Count()
		b := backward{ctx: r.ctx, graph: &r.g, region: bound, reached: target.Clone(), careful: round > 0}
		// Down first: the states that a search found on its way to the target.
		if !b.pull(down) {
			before := r.Predecessors()
			if before == nil {
				return nil
			}
			queue := r.memory.take(size)
			b.pullQueue(before, queue)
			r.memory.free(queue)
		}
		if r.stopped() {
			return nil
		}
		bound = b.reached
		if r.m.Deterministic() || bound.Count() == size || r.closed(bound) {
			return bound
		}
	}
	return r.sureByComponents(target)
}

// closed reports whether no branch leads out of a set.
func (r *Structure) closed(set sparse.Bitset) bool {
	for s := range set.All() {
		if !stays(r.g.next(s), set) {
			return false
		}
	}
	return true
}

// sureByComponents is AlmostSure in a time that does not depend on how often a bound would have to be
// narrowed.
//
// With every end component taken as one node, no policy stays away from sinks forever. So a state
// is lost exactly when each way on risks a lost one: a node without a way on is lost to begin with
// unless it holds a target, and losing spreads backwards once over every branch. 8 bytes a state
// and a bit a choice.
func (r *Structure) sureByComponents(target sparse.Bitset) sparse.Bitset {
	m, n := r.m, uint32(r.m.NumStates())
	inside, before := r.EndComponents(), r.Predecessors()
	if r.stopped() {
		return nil
	}
	components := uint32(inside.Count())
	// A node is an end component or, numbered behind those, a state in none.
	node := func(s uint32) uint32 {
		if k := inside.Of[s]; k != None {
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
		if r.stoppedAt(s) {
			return nil
		}
		lo, hi := m.Choices(s)
		k := node(s)
		for c := lo; c < hi; c++ {
			if goesOn(m.Targets(c), k, node) {
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
		lost = append(lost, inside.Members(k)...)
	}
	for s := range n {
		result.Set(s)
		k := node(s)
		first := k >= components || inside.Members(k)[0] == s
		if first && safe[k] == 0 && !wins.Has(k) {
			lose(k)
		}
	}
	for done := uint32(0); len(lost) > 0; done++ {
		if r.stoppedAt(done) {
			return nil
		}
		t := lost[len(lost)-1]
		lost = lost[:len(lost)-1]
		result.Clear(t)
		for _, s := range before.Of(t) {
			k := node(s)
			if wins.Has(k) || safe[k] == 0 {
				continue
			}
			lo, hi := m.Choices(s)
			for c := lo; c < hi; c++ {
				if risky.Has(c) || !slices.Contains(m.Targets(c), t) {
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

// goesOn reports whether a target is in another node.
func goesOn(targets []uint32, from uint32, node func(uint32) uint32) bool {
	for _, t := range targets {
		if node(t) != from {
			return true
		}
	}
	return false
}
