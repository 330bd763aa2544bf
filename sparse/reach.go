package sparse

// towardReward returns all states in the order of their distance, in branches, to the nearest state
// that earns more than the least there is; states from which none can be reached come last. Sweeps
// in this order carry values from where they are earned to the whole model at once, however its
// states are numbered. O(states + branches) time, 4 bytes a branch and 4 a state besides the result.
func (s *solver) towardReward() []uint32 {
	m := s.m
	n := m.NumStates()
	begin, from := m.predecessors()
	order := make([]uint32, 0, n)
	seen := NewBitset(n)
	add := func(state uint32) {
		if !seen.Has(state) {
			seen.Set(state)
			order = append(order, state)
		}
	}
	leastState, leastChoice := lowest(s.p.States), lowest(s.p.Choices)
	for state := range uint32(n) {
		earns := s.p.States[state] > leastState
		if s.p.Choices != nil {
			for c := m.choiceStart[state]; c < m.choiceStart[state+1]; c++ {
				earns = earns || s.p.Choices[c] > leastChoice
			}
		}
		if earns {
			add(state)
		}
	}
	for head := 0; head < len(order); head++ {
		t := order[head]
		for _, state := range from[begin[t]:begin[t+1]] {
			add(state)
		}
	}
	for state := range uint32(n) {
		add(state)
	}
	return order
}

// lowest returns the least entry, 0 where there is none.
func lowest(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	l := x[0]
	for _, v := range x {
		l = min(l, v)
	}
	return l
}

// predecessors returns, for each state t, the states from[begin[t]:begin[t+1]] of the branches that
// lead to t, in ascending order, one entry a branch.
func (m *MDP) predecessors() (begin, from []uint32) {
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
		for _, t := range m.Successors(state) {
			from[begin[t+1]] = state
			begin[t+1]++
		}
	}
	return begin[:n+1], from
}
