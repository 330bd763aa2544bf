package recurrence

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"offswitch/sparse"
	"offswitch/sparse/csr"
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
	// Looking for cycles through the start pays before any other where one in manyOpen of the states is
	// open.
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
	csr.Share(c.workers, n, func(lo, hi uint32) {
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
	csr.Share(c.workers, n, func(lo, hi uint32) {
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
	csr.Share(q.workers, n, func(lo, hi uint32) {
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
