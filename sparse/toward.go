package sparse

import (
	"context"
	"slices"
)

// towardReward returns all states in the order of their distance, in branches, to the nearest state
// that earns more than the least there is; states from which none can be reached come last. Sweeps
// in this order carry values from where they are earned to the whole model at once, however its
// states are numbered. It returns nil when the context ends. O(states + branches) time, 4 bytes a
// branch and 4 a state besides the result.
func (s *solver) towardReward(ctx context.Context) []uint32 {
	m := s.m
	n := m.NumStates()
	begin, from := m.predecessors(ctx)
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

// predecessors returns, for each state t, the states from[begin[t]:begin[t+1]] of the branches that
// lead to t, in ascending order, one entry a branch. They are worthless when the context has ended.
// O(states + branches), on one core.
func (m *MDP) predecessors(ctx context.Context) (begin, from []uint32) {
	n := m.NumStates()
	begin = make([]uint32, n+2) // begin[t+1] is where the next branch to t goes
	for _, t := range m.target {
		begin[t+2]++
	}
	for t := range n {
		begin[t+2] += begin[t+1]
	}
	from = make([]uint32, len(m.target))
	for state := range uint32(n) {
		if state%checkEvery == 0 && ctx.Err() != nil {
			break
		}
		for _, t := range m.Successors(state) {
			from[begin[t+1]] = state
			begin[t+1]++
		}
	}
	return begin[:n+1], from
}
