package sparse

import (
	"context"
	"runtime"
	"slices"

	"offswitch/sparse/csr"
)

// towardReward returns all states in the order of their distance, in branches, to the nearest state
// that earns more than the least there is; states from which none can be reached come last. Sweeps
// in this order carry values from where they are earned to the whole model at once, however its
// states are numbered. It returns nil when the context ends. O(states + branches) time, 4 bytes a state
// and 4 for each of the states before it besides the result.
func (s *solver) towardReward(ctx context.Context) []uint32 {
	m := s.m
	n := m.NumStates()
	begin, from := m.predecessors(ctx)
	if begin == nil {
		return nil
	}
	q := visitQueue{order: make([]uint32, 0, n), seen: NewBitset(n)}
	leastState, leastChoice := slices.Min(s.p.States), 0.0
	if len(s.p.Choices) > 0 {
		leastChoice = slices.Min(s.p.Choices)
	}
	for state := range uint32(n) {
		earns := s.p.States[state] > leastState
		if s.p.Choices != nil {
			lo, hi := m.Choices(state)
			earns = earns || lo < hi && slices.Max(s.p.Choices[lo:hi]) > leastChoice
		}
		if earns {
			q.visit([]uint32{state})
		}
	}
	for head := 0; head < len(q.order); head++ {
		if head%checkEvery == 0 && ctx.Err() != nil {
			return nil
		}
		t := q.order[head]
		q.visit(from[begin[t]:begin[t+1]])
	}
	for state := range uint32(n) {
		q.visit([]uint32{state})
	}
	return q.order
}

// predecessors returns, for each state t, the other states from[begin[t]:begin[t+1]] with a branch to t,
// in ascending order; nil when the context has ended. O(states + branches).
func (m *MDP) predecessors(ctx context.Context) (begin, from []uint32) {
	rows := csr.Rows{ChoiceStart: m.choiceStart, BranchStart: m.branchStart, Target: m.target}
	return csr.Transpose(ctx, rows, runtime.GOMAXPROCS(0), func(n int) []uint32 { return make([]uint32, n) })
}
