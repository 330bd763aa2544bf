package recurrence

import (
	"context"
	"math"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"offswitch/sparse"
)

// shortCycles answers, for the states that a search has reached, whether the shortest cycle through a
// state has at most so many steps as its distance allows. No state is asked on its own as long as
// there is a cheaper way:
//
//   - Cycles of one or two steps are seen at the state.
//   - A cycle that a search finds answers for all states on it.
//   - The states that are left are cut. The shortest cycle through x that meets a set C of states has
//     at least d(C,x) + d(x,C) steps, and exactly so many when C is one state: two searches tell that
//     for all x at once. A cycle that does not meet C is in a strongly connected component of what is
//     left without C, and those are cut in turn.
type shortCycles struct {
	graph   adjacency
	of      []uint32 // a cycle stays in one of these components
	strong  bool     // they are the strongly connected components
	start   uint32
	reach   *Search
	longest []uint32 // by distance; see longestCycles
	workers int
	open    []uint32 // what has no answer, nearest first

	// Answers. Both are written under way by several goroutines, and only ever added to.
	yes, no sparse.Bitset
	// No cycle through the start is short enough for an open state.
	aside bool

	lock    sync.Mutex
	finders []*cycleFinder
	used    int // of the finders
}

// When to do what. Tests change these.
var (
	// How many edges a first and a second search for a cycle may follow before it gives up: cycles are
	// short nearly everywhere, or nowhere.
	firstEdges  = 100
	secondEdges = 2000
	// mostSkipped is how many states are passed over, at most, after searches with little success.
	mostSkipped = 2047
	// manyOpen is the share of the states from which on looking for cycles through the start pays before
	// any other.
	manyOpen = 64
	// fewOpen are so few states that searching from each costs less than cutting.
	fewOpen = 2
)

const (
	// goodEdges is how many edges an answer is worth.
	goodEdges = 32
	// mostNeighbours is how many neighbours, and neighbours of theirs, a state is compared with, so that
	// hubs take no time.
	mostNeighbours = 16
	// mostRounds of cutting there are; each looks only at components with open states.
	mostRounds = 24
	unlimited  = math.MaxInt
)

// byCycles asks of every undecided state that the graph reaches whether γ^(d-1) + γ^c > 1, with d
// its distance and c its shortest cycle in the graph, and hands the answer on. Unless it is to be
// thorough, it asks no further where an answer takes a search through much of the graph.
func (c *counting) byCycles(ctx context.Context, stage string, graph adjacency, of []uint32, reach *Search, thorough bool, answer func(s uint32, counts bool)) {
	n := len(of)
	asked := sparse.NewBitset(n)
	shares(n, c.workers, func(lo, hi uint32) {
		for s := lo; s < hi; s++ {
			if c.out.Extended[s] == Undecided && reach.Reached.Has(s) {
				asked.Set(s)
			}
		}
	})
	if asked.Has(c.start) {
		asked.Clear(c.start)
		length := returning(graph, reach, c.start)
		answer(c.start, length != None && exceeds(c.gamma, uint64(length)-1, uint64(length)))
	}
	q := shortCycles{graph: graph, of: of, strong: reach == c.reach, start: c.start, reach: reach, longest: c.longest, workers: c.workers}
	q.ask(asked)
	if len(q.open) > n/manyOpen {
		q.throughStart()
	}
	search := func(edges int, all bool) {
		block := 64
		if edges == unlimited {
			block = 1 // each takes long
		}
		if len(q.open) > 0 {
			c.each(ctx, stage, q.open, block, func() func(uint32) { return q.search(edges, all) })
			q.prune()
		}
	}
	search(firstEdges, false)
	for most := len(q.open); len(q.open) > 0 && len(q.open) <= most && ctx.Err() == nil; most = most / 2 {
		search(secondEdges, false)
	}
	if len(q.open)*secondEdges <= n {
		search(secondEdges, true)
	}
	q.cut(ctx)
	if thorough {
		search(unlimited, true)
	}
	shares(n, c.workers, func(lo, hi uint32) {
		for s := lo; s < hi; s++ {
			if asked.Has(s) && q.answered(s) {
				answer(s, q.yes.Has(s))
			}
		}
	})
}

// returning returns the length of the shortest cycle through the start of a search, None if there is
// none.
func returning(graph adjacency, reach *Search, start uint32) uint32 {
	length := uint32(None)
	for _, t := range graph.next.next(start) {
		if t == start {
			return 1 // not among those before it
		}
	}
	for _, s := range graph.prev.next(start) {
		if d := reach.Distance[s]; d != None {
			length = min(length, d+1)
		}
	}
	return length
}

// limit returns the greatest length of a cycle that makes a state count; 0: none.
func (q *shortCycles) limit(s uint32) uint32 {
	if d := q.reach.Distance[s]; int(d) < len(q.longest) {
		return q.longest[d]
	}
	return 0
}

// around answers for a state where cycles of one or two steps tell.
func (q *shortCycles) around(s uint32) Verdict {
	limit := q.limit(s)
	if limit == 0 {
		return NotCounted
	}
	near := q.graph.next.next(s)
	for _, t := range near {
		if t == s {
			return Counted
		}
	}
	if limit == 1 {
		return NotCounted
	}
	if limit == None && q.strong {
		if slices.ContainsFunc(near, func(t uint32) bool { return q.of[t] == q.of[s] }) {
			return Counted
		}
		return NotCounted
	}
	otherwise := Undecided
	if limit == 2 {
		otherwise = NotCounted
	}
	if len(near) > mostNeighbours {
		near, otherwise = near[:mostNeighbours], Undecided
	}
	for _, t := range near {
		back := q.graph.next.next(t)
		if len(back) > mostNeighbours {
			back, otherwise = back[:mostNeighbours], Undecided
		}
		for _, u := range back {
			if u == s {
				return Counted
			}
		}
	}
	return otherwise
}

// ask begins with the given states, which are among those reached.
func (q *shortCycles) ask(asked sparse.Bitset) {
	n := len(q.of)
	q.yes, q.no = sparse.NewBitset(n), sparse.NewBitset(n)
	shares(n, q.workers, func(lo, hi uint32) {
		for s := lo; s < hi; s++ {
			answer := NotCounted // nobody wants to know
			if asked.Has(s) {
				answer = q.around(s)
			}
			switch answer {
			case Counted:
				q.yes.Set(s)
			case NotCounted:
				q.no.Set(s)
			}
		}
	})
	open := n - q.yes.Count() - q.no.Count()
	q.open = make([]uint32, 0, open)
	for _, s := range q.reach.Order {
		if open > 0 && !q.answered(s) {
			q.open = append(q.open, s)
		}
	}
}

// throughStart answers where a cycle through the start is short enough.
func (q *shortCycles) throughStart() {
	to := Search{Order: make([]uint32, 0, len(q.reach.Order))}
	to.search(len(q.of), []uint32{q.start}, q.graph.prev.edges, q.graph.prev.target)
	for _, s := range q.open {
		if back := to.Distance[s]; back != None && back+q.reach.Distance[s] <= q.limit(s) {
			q.yes.Set(s)
		}
	}
	q.aside = true
	q.prune()
}

func (q *shortCycles) answered(s uint32) bool {
	i, bit := s>>6, uint64(1)<<(s&63)
	return (atomic.LoadUint64(&q.yes[i])|atomic.LoadUint64(&q.no[i]))&bit != 0
}

// add puts a state into a set of answers.
func add(answers sparse.Bitset, s uint32) {
	atomic.OrUint64(&answers[s>>6], 1<<(s&63))
}

// search returns what answers for one state after another by searching for its shortest cycle along
// so many edges at most. Unless all are to be searched from, after searches with little success it passes over
// more and more states.
func (q *shortCycles) search(edges int, all bool) func(s uint32) {
	find := q.finder()
	skip, wait := 0, 0
	return func(s uint32) {
		if q.answered(s) {
			return
		}
		if wait > 0 && !all {
			wait--
			return
		}
		answers := 0
		length, left := find.shortest(s, q.limit(s), edges)
		switch {
		case left < 0:
		case length == None:
			answers = 1
			add(q.no, s)
		default:
			find.cycle(func(t uint32) {
				if length <= q.limit(t) {
					answers++
					add(q.yes, t)
				}
			})
		}
		if edges-left <= goodEdges*answers {
			skip /= 2
		} else {
			skip = min(2*skip+1, mostSkipped)
		}
		wait = skip
	}
}

// finder returns a cycle finder that no other goroutine uses.
func (q *shortCycles) finder() *cycleFinder {
	q.lock.Lock()
	defer q.lock.Unlock()
	if q.used == len(q.finders) {
		q.finders = append(q.finders, newCycleFinder(q.graph, q.of))
	}
	q.used++
	return q.finders[q.used-1]
}

// prune leaves only states without an answer open. No search is under way.
func (q *shortCycles) prune() {
	q.open = slices.DeleteFunc(q.open, q.answered)
	q.used = 0
}

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
	before.transpose(p.next, workers, new(scratch))
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
	var memory scratch
	t := newTarjan(p.next, rank, &memory)
	t.visit(uncut)
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
