package recurrence

// adjacency is a graph over states in both directions.
type adjacency struct{ next, prev *graph }

// cycleFinder finds shortest cycles, one state after another. 8 bytes a state.
type cycleFinder struct {
	of            []uint32 // a cycle stays in one component
	ahead, behind side
}

// side is one of the two searches for a cycle: along the edges from a state, or against them.
type side struct {
	*graph
	queue  []uint32 // the states seen
	parent []uint32 // for each of them, from which position of the queue
	done   int      // the frontier is from there on
	// seen[s]-base is the position of s in the queue. Where that is beyond the queue, it is of a search
	// before, and s was not seen.
	seen []uint32
	base uint32
	met  uint32 // position of the last state before the other search was met, or the first one it had seen
}

func newCycleFinder(graph adjacency, of []uint32) *cycleFinder {
	return &cycleFinder{
		of:     of,
		ahead:  side{graph: graph.next, seen: make([]uint32, len(of))},
		behind: side{graph: graph.prev, seen: make([]uint32, len(of))},
	}
}

// begin forgets the search before and starts one from x.
func (d *side) begin(x uint32) {
	d.base += uint32(len(d.queue))
	if d.base == 0 || int64(d.base)+int64(len(d.seen)) > None {
		clear(d.seen)
		d.base = 1
	}
	d.queue, d.parent, d.done = append(d.queue[:0], x), append(d.parent[:0], 0), 0
	d.seen[x] = d.base
}

func (d *side) has(s uint32) bool { return d.seen[s]-d.base < uint32(len(d.queue)) }

// shortest returns the length of the shortest cycle through x if that is at most limit, and None
// otherwise. It searches from both sides, the smaller frontier first: when the searches have gone
// i steps ahead and j behind without meeting, every cycle through x is longer than i+j. When that takes
// more than so many edges, it gives up, and what is left of them is negative.
func (f *cycleFinder) shortest(x, limit uint32, edges int) (length uint32, left int) {
	f.ahead.begin(x)
	f.behind.begin(x)
	for length := uint32(1); length <= limit; length++ {
		own, other := &f.ahead, &f.behind
		if len(own.queue)-own.done > len(other.queue)-other.done {
			own, other = other, own
		}
		if own.done == len(own.queue) {
			return None, edges
		}
		met := own.step(other, f.of, &edges)
		switch {
		case met:
			return length, edges
		case edges < 0:
			return None, edges
		}
	}
	return None, edges
}

// step moves the frontier on and reports whether it meets what the other side has seen. It takes the
// edges that it follows from those that are left.
func (d *side) step(other *side, of []uint32, edges *int) bool {
	component := of[d.queue[0]]
	end := len(d.queue)
	for i := d.done; i < end; i++ {
		targets := d.next(d.queue[i])
		if *edges -= len(targets); *edges < 0 {
			return false
		}
		for _, t := range targets {
			if of[t] != component {
				continue
			}
			if other.has(t) {
				d.met, other.met = uint32(i), other.seen[t]-other.base
				return true
			}
			if !d.has(t) {
				d.seen[t] = d.base + uint32(len(d.queue))
				d.queue = append(d.queue, t)
				d.parent = append(d.parent, uint32(i))
			}
		}
	}
	d.done = end
	return false
}

// cycle calls visit with the states of the cycle that was found last, with the first one twice.
func (f *cycleFinder) cycle(visit func(s uint32)) {
	for _, d := range []*side{&f.ahead, &f.behind} {
		i := d.met
		for ; i != 0; i = d.parent[i] {
			visit(d.queue[i])
		}
		visit(d.queue[0])
	}
}
