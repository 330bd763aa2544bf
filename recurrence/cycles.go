package recurrence

// adjacency is a graph over states in both directions. next and prev must not allocate, and what
// they return must not be modified.
type adjacency struct {
	next, prev func(state uint32) []uint32
}

// cycleFinder finds shortest cycles, one state after another. 8 bytes a state.
type cycleFinder struct {
	graph    adjacency
	of       []uint32 // a cycle stays in one component
	ahead    []uint32 // round in which a state was last reached from the start,
	behind   []uint32 // and in which it was last seen to reach it
	round    uint32
	from, to []uint32 // frontiers
	spare    []uint32
}

func newCycleFinder(graph adjacency, of []uint32) *cycleFinder {
	return &cycleFinder{graph: graph, of: of, ahead: make([]uint32, len(of)), behind: make([]uint32, len(of))}
}

// shortest returns the length of the shortest cycle through x if that is at most limit, and None
// otherwise. It searches from both sides, the smaller frontier first: when the searches have gone
// i steps ahead and j behind without meeting, every cycle through x is longer than i+j.
func (f *cycleFinder) shortest(x, limit uint32) uint32 {
	f.round++
	if f.round == 0 {
		clear(f.ahead)
		clear(f.behind)
		f.round = 1
	}
	f.from, f.to = append(f.from[:0], x), append(f.to[:0], x)
	f.ahead[x], f.behind[x] = f.round, f.round
	for length := uint32(1); length <= limit; length++ {
		if len(f.from) == 0 || len(f.to) == 0 {
			return None
		}
		met := false
		if len(f.from) <= len(f.to) {
			f.from, met = f.step(x, f.from, f.graph.next, f.ahead, f.behind)
		} else {
			f.to, met = f.step(x, f.to, f.graph.prev, f.behind, f.ahead)
		}
		if met {
			return length
		}
	}
	return None
}

// step moves one frontier on and reports whether it meets what the other side has seen.
func (f *cycleFinder) step(x uint32, frontier []uint32, next func(uint32) []uint32, own, other []uint32) ([]uint32, bool) {
	fresh := f.spare[:0]
	for _, s := range frontier {
		for _, t := range next(s) {
			if f.of[t] != f.of[x] {
				continue
			}
			if other[t] == f.round {
				f.spare = fresh
				return frontier, true
			}
			if own[t] != f.round {
				own[t] = f.round
				fresh = append(fresh, t)
			}
		}
	}
	f.spare = frontier
	return fresh, false
}

// cycleBounds returns, for each state of the given order that shares its component with an earlier
// one, the length of some closed walk through it: there and back from the first state of its
// component. It is None for the others. O(edges).
func cycleBounds(graph adjacency, of []uint32, order []uint32) []uint32 {
	components := uint32(0)
	for _, s := range order {
		if of[s] != None {
			components = max(components, of[s]+1)
		}
	}
	seen := make([]bool, components)
	var first []uint32
	for _, s := range order {
		if k := of[s]; k != None && !seen[k] {
			seen[k] = true
			first = append(first, s)
		}
	}
	bound := within(graph.next, of, first)
	for s, back := range within(graph.prev, of, first) {
		if bound[s] == 0 || bound[s] == None || back == None {
			bound[s] = None
		} else {
			bound[s] += back
		}
	}
	return bound
}

// within returns the distances from the start states along edges that stay in one component.
func within(next func(uint32) []uint32, of, start []uint32) []uint32 {
	distance := make([]uint32, len(of))
	for s := range distance {
		distance[s] = None
	}
	for _, s := range start {
		distance[s] = 0
	}
	queue := append([]uint32(nil), start...)
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		for _, t := range next(s) {
			if of[t] == of[s] && distance[t] == None {
				distance[t] = distance[s] + 1
				queue = append(queue, t)
			}
		}
	}
	return distance
}
