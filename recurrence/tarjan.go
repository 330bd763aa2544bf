package recurrence

import (
	"context"

	"offswitch/sparse"
)

// tarjan is Tarjan's algorithm as Pearce (2016) arranged it: one rank a state, 0 while not visited,
// the least position on the path that is known to be reached while its component is open, and
// counting down from the top once it is closed, so that a single comparison ignores closed
// components; path and open states share one array. Of a state on the path only the next edge is kept, because
// the edge before that leads to the next state on the path.
//
// A state reaches beyond itself, and is not the first of its component, exactly when its rank is at most that
// of the state before it on the path: then both are in one component, and it takes over a lower rank.
type tarjan struct {
	start  []uint32 // first edge of each state, or unless via is nil where that stands in via
	via    []uint32
	target []uint32
	rank   []uint32
	next   uint32        // position on the path of the next state visited
	last   uint32        // rank of the next component closed
	dead   sparse.Bitset // edges that do not count; nil: all count
	stack  []uint32      // next edges of the path from the left, finished states of open components from the right
	ctx    context.Context
	ended  bool // the context has: ranks are worthless
	ticks  uint32
}

// newTarjan prepares to rank the states whose rank is 0; others count as closed.
func newTarjan(ctx context.Context, g graph, rank []uint32) *tarjan {
	return &tarjan{start: g.choiceStart, via: g.branchStart, target: g.target, rank: rank, next: 1, last: None - 1, ctx: ctx, ticks: checkEvery}
}

// flatten makes one look-up of two that wait for each other. 4 bytes a state, where there are two.
func (t *tarjan) flatten(memory *scratch) {
	if t.via == nil {
		return
	}
	start := memory.take(len(t.start))
	for s, c := range t.start {
		start[s] = t.via[c]
	}
	t.start, t.via = start, nil
}

// reserve makes room for visiting so many states.
func (t *tarjan) reserve(states int, memory *scratch) {
	if len(t.stack) < states {
		memory.free(t.stack)
		t.stack = memory.take(states)
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
func (t *tarjan) visit(states sparse.Bitset, memory *scratch) {
	t.flatten(memory)
	t.reserve(states.Count(), memory)
	for s := range states.All() {
		if t.rank[s] == 0 && !t.search(s) {
			return
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

// search ranks a state that has no rank, and what it can reach. It reports false when the context has ended.
func (t *tarjan) search(first uint32) bool {
	if t.ticks--; t.ticks == 0 {
		t.ticks = checkEvery
		t.ended = t.ended || t.ctx.Err() != nil
	}
	if t.ended {
		return false
	}
	start, via, rank, stack, target, dead := t.start, t.via, t.rank, t.stack, t.target, t.dead
	next, last, ticks := t.next, t.last, t.ticks
	depth, open := 0, len(stack)
	v, before := first, first // the state at hand, and the last one on the path
	e, end := start[v], start[v+1]
	if via != nil {
		e, end = via[e], via[end]
	}
	low, reaches := next, false
	below := uint32(0) // rank of before; 0: the path is empty
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
				if reaches {
					low = min(low, below)
				}
				if ticks--; ticks == 0 {
					ticks = checkEvery
					if t.ended = t.ctx.Err() != nil; t.ended {
						return false
					}
				}
				stack[depth] = e
				depth++
				rank[v], below = low, low
				before, v, e, end = v, w, start[w], start[w+1]
				if via != nil {
					e, end = via[e], via[end]
				}
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
		v, e, low, below = before, stack[depth], below, 0
		if depth > 0 {
			before = first
			if depth > 1 {
				before = target[stack[depth-2]-1]
			}
			below = rank[before]
		}
		end = start[v+1]
		if via != nil {
			end = via[end]
		}
		reaches = low <= below
		if r < low {
			low, reaches = r, true
		}
	}
	t.next, t.last, t.ticks = next, last, ticks
	return true
}

// cyclesWithout returns a number for each state, the same for states of one strongly connected
// component of the graph without one of its states.
func (g *graph) cyclesWithout(state uint32) []uint32 {
	n := g.states()
	t := newTarjan(context.Background(), *g, make([]uint32, n))
	t.rank[state] = t.last
	t.last--
	all := sparse.NewBitset(n)
	all.Fill(n)
	t.visit(all, new(scratch))
	return t.rank
}
