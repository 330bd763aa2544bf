package recurrence

import (
	"context"
	"sort"
	"sync"

	"offswitch/sparse"
)

// cut answers for open states by cutting the graph. What it leaves open, some cycle may be short
// enough for.
func (q *shortCycles) cut(ctx context.Context) {
	unsure := sparse.NewBitset(len(q.of)) // cycles that meet a cut may be short enough
	slow := 0                             // rounds in a row that left the largest component nearly as it was
	for p, round := q.piece(), 0; p != nil && round < mostRounds && ctx.Err() == nil; round++ {
		rest := p.split(q, unsure)
		if rest == nil {
			break
		}
		if slow++; 8*rest.largest <= 7*p.largest {
			slow = 0
		}
		if slow > 2 {
			break
		}
		p = rest
		// The start was a cut already.
		p.choose((round%2 == 0) != q.aside, q.reach.Distance)
		p.measure(q.workers)
		for i, s := range p.states {
			if q.answered(s) || p.through(uint32(i)) > q.limit(s) {
				continue
			}
			if p.exact[p.component[i]] {
				q.yes.Set(s)
			} else {
				unsure.Set(s)
			}
		}
	}
	q.prune()
}

// piece is a part of the graph: some components of it, without edges between them.
type piece struct {
	next       graph
	states     []uint32 // of the whole graph, nearest first
	component  []uint32 // by position in states
	components int
	largest    int // the size of the largest component; 0: not known

	cut      []uint32 // positions, of one state or of all states at some distance, in each component
	exact    []bool   // for each component: the cut is one state
	from, to Search   // the steps from the cut to a position, and from there to the cut
}

// piece returns all that can be on a cycle that is short enough for an open state: of the components of
// such states, what is no further away than the cycle can lead. It is nil when no state is open.
func (q *shortCycles) piece() *piece {
	if len(q.open) <= fewOpen {
		return nil
	}
	furthest := uint64(0)
	at := make([]uint32, len(q.of)) // first of components, then of states
	for _, s := range q.open {
		furthest = max(furthest, uint64(q.reach.Distance[s])+uint64(q.limit(s)))
		at[q.of[s]] = 1
	}
	var p piece
	order := q.reach.Order
	order = order[:sort.Search(len(order), func(i int) bool { return uint64(q.reach.Distance[order[i]]) >= furthest })]
	p.states, p.component = make([]uint32, 0, len(order)), make([]uint32, 0, len(order))
	for _, s := range order {
		if k := q.of[s]; k != None && at[k] != 0 && !(q.aside && s == q.start) {
			if at[k] == 1 {
				p.components++
				at[k] = uint32(p.components) + 1
			}
			p.states = append(p.states, s)
			p.component = append(p.component, at[k]-2)
		}
	}
	p.connect(q.graph.next, p.states, at)
	return &p
}

// connect takes the edges between states of the same component from a graph in which the positions
// have the given states. at is working memory.
func (p *piece) connect(g *graph, states, at []uint32) {
	for s := range at {
		at[s] = None
	}
	edges := 0
	for i, s := range states {
		at[s] = uint32(i)
		edges += len(g.next(s))
	}
	start, target := make([]uint32, len(states)+1), make([]uint32, 0, edges)
	for i, s := range states {
		component := p.component[i]
		for _, t := range g.next(s) {
			if j := at[t]; j != None && p.component[j] == component {
				target = append(target, j)
			}
		}
		start[i+1] = uint32(len(target))
	}
	p.next = graph{choiceStart: start, target: target}
}

// choose chooses the cuts: in each component its first state, or the fewest states at the same distance
// that leave a quarter of the component on either side. A cycle that leads from one side to the
// other meets all distances between, because an edge leads at most one further away.
func (p *piece) choose(first bool, distance []uint32) {
	type levels struct {
		size, before, width, fewest uint32
		level, best                 uint32
	}
	all := make([]levels, p.components)
	for k := range all {
		all[k] = levels{fewest: None, level: None, best: None}
	}
	for _, k := range p.component {
		all[k].size++
	}
	p.cut, p.exact = p.cut[:0], make([]bool, p.components)
	if !first {
		for i, k := range p.component {
			c := &all[k]
			if d := distance[p.states[i]]; d != c.level {
				if 4*uint64(c.before) >= uint64(c.size) && 4*uint64(c.before+c.width) <= 3*uint64(c.size) && c.width < c.fewest {
					c.fewest, c.best = c.width, c.level
				}
				c.before += c.width
				c.level, c.width = d, 0
			}
			c.width++
		}
	}
	for i, k := range p.component {
		switch c := &all[k]; {
		case c.best == None && !p.exact[k]:
			p.cut = append(p.cut, uint32(i))
			p.exact[k] = true
		case c.best != None && c.best == distance[p.states[i]]:
			p.cut = append(p.cut, uint32(i))
			p.exact[k] = c.fewest == 1
		}
	}
}

// measure finds how far all is from the cuts.
func (p *piece) measure(workers int) {
	var before Predecessors
	before.transpose(context.Background(), p.next, workers, new(scratch))
	p.from.Order, p.to.Order = make([]uint32, 0, len(p.states)), make([]uint32, 0, len(p.states))
	from := func() { p.from.search(len(p.states), p.cut, p.next.edges, p.next.target) }
	to := func() { p.to.search(len(p.states), p.cut, before.edges, before.target) }
	if workers == 1 {
		from()
		to()
		return
	}
	var wait sync.WaitGroup
	wait.Go(from)
	wait.Go(to)
	wait.Wait()
}

// through returns the least number of steps of a cycle through a position that meets the cut, or a
// number below that where the cut is not exact.
func (p *piece) through(i uint32) uint32 {
	there, back := p.from.Distance[i], p.to.Distance[i]
	if back == 0 {
		there, back = 1, None
		for _, j := range p.next.next(i) {
			back = min(back, p.to.Distance[j])
		}
	}
	return there + back
}

// split returns the components with open states that are left without the cut, nil if there are none.
// It answers for open states that are in none.
func (p *piece) split(q *shortCycles, unsure sparse.Bitset) *piece {
	n := len(p.states)
	rank, uncut := make([]uint32, n), sparse.NewBitset(n)
	uncut.Fill(n)
	for _, i := range p.cut {
		rank[i] = None
		uncut.Clear(i)
	}
	t := newTarjan(context.Background(), p.next, rank)
	t.visit(uncut, new(scratch))
	size := make([]uint32, t.finish())
	for _, k := range rank {
		if k != None {
			size[k]++
		}
	}
	wanted, open, largest := sparse.NewBitset(len(size)), 0, uint32(0)
	for i, s := range p.states {
		switch k := rank[i]; {
		case q.answered(s):
		case k != None && size[k] > 1:
			wanted.Set(k)
			open++
			largest = max(largest, size[k])
		case !unsure.Has(s):
			q.no.Set(s)
		}
	}
	if open <= fewOpen {
		return nil
	}
	left := 0
	for k := range wanted.All() {
		left += int(size[k])
	}
	rest := piece{largest: int(largest), states: make([]uint32, 0, left), component: make([]uint32, 0, left)}
	positions := make([]uint32, 0, left)
	number := size
	for k := range number {
		number[k] = None
	}
	for i, k := range rank {
		if k == None || !wanted.Has(k) {
			continue
		}
		if number[k] == None {
			number[k] = uint32(rest.components)
			rest.components++
		}
		rest.component = append(rest.component, number[k])
		rest.states = append(rest.states, p.states[i])
		positions = append(positions, uint32(i))
	}
	rest.connect(&p.next, positions, rank)
	return &rest
}
