// Package recurrence finds what comes back in a Markov decision process: reachable states with
// witness paths, strongly connected components, maximal end components, almost-sure reachability,
// distances, visit counts and critical discounts.
//
// A state is recurrent in the sense of Krakovna & Kramar (Definition 8: some policy returns to it
// with probability 1) exactly when it lies in a maximal end component. Visit counts (Definition 9)
// and critical discounts (Proposition 3) are decided by Counter, each state separately: exactly
// where the environment is deterministic, by certified bounds where it is not.
//
// All algorithms are iterative, over flat arrays, and linear in states and branches unless they
// say otherwise. A state set given as a sparse.Bitset has one bit for each state of the model.
package recurrence

import "offswitch/sparse"

// None stands for "no state", "no component" and "not reached".
const None = sparse.None

// Predecessors is the transposed transition structure: for each state the states with a branch
// to it, one entry a branch, 4 bytes a branch and 4 a state.
type Predecessors struct {
	start []uint32
	from  []uint32
}

// NewPredecessors transposes the model. O(states + branches).
func NewPredecessors(m *sparse.MDP) *Predecessors {
	n := m.NumStates()
	// While filling, start[t+1] is where the next predecessor of t goes.
	p := &Predecessors{start: make([]uint32, n+2), from: make([]uint32, m.NumBranches())}
	for _, t := range m.AllTargets() {
		p.start[t+2]++
	}
	for t := 2; t < len(p.start); t++ {
		p.start[t] += p.start[t-1]
	}
	for s := range uint32(n) {
		for _, t := range m.Successors(s) {
			p.from[p.start[t+1]] = s
			p.start[t+1]++
		}
	}
	p.start = p.start[:n+1]
	return p
}

// Of returns the states with a branch to a state, in increasing order, one entry a branch.
func (p *Predecessors) Of(state uint32) []uint32 { return p.from[p.start[state]:p.start[state+1]] }
