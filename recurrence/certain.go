package recurrence

import (
	"context"
	"math"

	"offswitch/sparse"
)

// graph returns the transitions of the model in both directions.
func (v *Visits) graph() adjacency {
	return adjacency{&graph{v.m.ChoiceStarts(), v.m.BranchStarts(), v.m.AllTargets()}, &v.before.graph}
}

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
	search := func(edges int) {
		if len(q.open) > 0 {
			c.each(ctx, stage, q.open, func() func(uint32) { return q.search(edges) })
			q.prune()
		}
	}
	search(firstEdges)
	search(secondEdges)
	q.cut(ctx)
	if thorough {
		search(unlimited)
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

// certainVisits returns bounds of W_x = γ^(d-1)/(1-γ^c), where the environment is deterministic.
func (v *Visits) certainVisits(x uint32, discount float64, sense Sense) interval {
	d, c := v.DistanceAndCycle(x)
	if d == None || v.m.Terminal(x) || c == None && sense == Paper {
		return interval{}
	}
	log := math.Log(discount)
	a := float64(d-1) * log
	w := math.Exp(a)
	if c != None {
		w /= -math.Expm1(float64(c) * log)
	}
	// The logarithm, the products and the exponentials are off by a unit of the last place each, or little
	// more, and e^a is off by a times what a is off. The last term is more than any underflow.
	off := w*0x1p-49*(2-a) + 0x1p-1000
	return interval{max(w-off, 0), w + off}
}

// certainCritical bounds the critical discount of x, where the environment is deterministic.
func (v *Visits) certainCritical(x uint32, precision float64) (lower, upper float64) {
	d, c := v.DistanceAndCycle(x)
	if d == None || c == None {
		return 1, 1
	}
	return criticalDiscount(uint64(d)-1, uint64(c), precision)
}

// DistanceAndCycle returns the least number of branches from the start to x, at least one and None
// where x is not reached, and the length of the shortest cycle through x, None where there is none. In a deterministic environment
// W_x = γ^(d-1)/(1-γ^c). O(branches) at worst.
func (v *Visits) DistanceAndCycle(x uint32) (distance, cycle uint32) {
	cycle, _ = newCycleFinder(v.graph(), v.classes.Of).shortest(x, None-1, unlimited)
	distance = v.reach.Distance[x]
	if x == v.start {
		distance = cycle
	}
	return distance, cycle
}
