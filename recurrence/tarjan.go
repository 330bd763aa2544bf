package recurrence

import "offswitch/sparse"

// tarjan is Tarjan's algorithm as Pearce (2016) arranged it: one rank a state, 0 while not visited,
// the least position on the path that is known to be reached while its component is open, and
// counting down from the top once it is closed, so that a single comparison ignores closed
// components; path and open states share one array.
type tarjan struct {
	graph
	rank   []uint32
	next   uint32        // position on the path of the next state visited
	last   uint32        // rank of the next component closed
	dead   sparse.Bitset // edges that do not count; nil: all count
	start  []uint32      // first edge of each state: one look-up instead of two that wait for each other
	stack  []uint32      // the path from the left, finished states of open components from the right
	edge   []uint32      // next edge of each state on the path
	inner  sparse.Bitset // positions on the path whose state reaches an earlier one: not the first of its component
	memory *scratch
}

// newTarjan prepares to rank the states whose rank is 0; others count as closed.
func newTarjan(g graph, rank []uint32, memory *scratch) *tarjan {
	return &tarjan{graph: g, rank: rank, next: 1, last: None - 1, memory: memory}
}

// reserve makes room for visiting so many states.
func (t *tarjan) reserve(states int) {
	if t.start == nil {
		t.start = t.choiceStart
		if t.branchStart != nil {
			t.start = t.memory.take(t.states() + 1)
			for s := range t.start {
				t.start[s] = t.bound(uint32(s))
			}
		}
	}
	if len(t.stack) < states {
		t.memory.free(t.stack, t.edge)
		t.memory.freeSets(t.inner)
		t.stack, t.edge, t.inner = t.memory.take(states), t.memory.take(states), t.memory.set(states)
	}
}

// release hands back what reserve took.
func (t *tarjan) release() {
	t.memory.free(t.stack, t.edge)
	t.memory.freeSets(t.inner)
	if t.branchStart != nil {
		t.memory.free(t.start)
	}
}

// close makes a set one component.
func (t *tarjan) close(states sparse.Bitset) {
	for s := range states.All() {
		t.rank[s] = t.last
	}
	t.last--
}

// visit ranks the states of a set; what they can reach outside it must have a rank.
func (t *tarjan) visit(states sparse.Bitset) {
	t.reserve(states.Count())
	for s := range states.All() {
		if t.rank[s] == 0 {
			t.search(s)
		}
	}
}

// finish turns ranks into component numbers and returns how many components there are.
func (t *tarjan) finish() int {
	for s, r := range t.rank {
		t.rank[s] = None - 1 - r
	}
	return int(None - 1 - t.last)
}

// search ranks a state that has no rank, and what it can reach.
func (t *tarjan) search(v uint32) {
	start, rank, stack, edge, inner, target, dead := t.start, t.rank, t.stack, t.edge, t.inner, t.target, t.dead
	next, last := t.next, t.last
	depth, open := 0, len(stack)
	e, end := start[v], start[v+1]
	low, reaches := next, false
	rank[v] = next
	next++
	for {
		if e < end {
			w := target[e]
			e++
			if dead != nil && dead.Has(e-1) {
				continue
			}
			switch r := rank[w]; {
			case r == 0:
				stack[depth], edge[depth] = v, e
				if reaches {
					inner.Set(uint32(depth))
				} else {
					inner.Clear(uint32(depth))
				}
				depth++
				rank[v] = low
				v, e, end = w, start[w], start[w+1]
				low, reaches = next, false
				rank[v] = next
				next++
			case r < low:
				low, reaches = r, true
			}
			continue
		}
		if reaches {
			open--
			stack[open] = v
			rank[v] = low
		} else {
			next--
			for open < len(stack) && rank[stack[open]] >= low {
				rank[stack[open]] = last
				open++
				next--
			}
			rank[v] = last
			last--
		}
		if depth == 0 {
			break
		}
		depth--
		r := rank[v]
		v, e, reaches = stack[depth], edge[depth], inner.Has(uint32(depth))
		end, low = start[v+1], rank[v]
		if r < low {
			low, reaches = r, true
		}
	}
	t.next, t.last = next, last
}

// cyclesWithout returns a number for each state, the same for states of one strongly connected
// component of the graph without one of its states.
func (g *graph) cyclesWithout(state uint32) []uint32 {
	n := g.states()
	t := newTarjan(*g, make([]uint32, n), new(scratch))
	t.rank[state] = t.last
	t.last--
	t.reserve(n)
	all := sparse.NewBitset(n)
	all.Fill(n)
	t.visit(all)
	return t.rank
}
