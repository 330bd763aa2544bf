package recurrence

import (
	"context"
	"math"
)

// graph returns the transitions of the model in both directions.
func (v *Visits) graph() adjacency {
	return adjacency{&graph{v.m.ChoiceStarts(), v.m.BranchStarts(), v.m.AllTargets()}, &v.before.graph}
}

// certainly returns bounds of W_x = γ^(d-1)/(1-γ^c), where the environment is deterministic.
func (v *Visits) certainly(x uint32, discount float64, sense Sense) interval {
	d, c := v.DistanceAndCycle(x)
	if d == None || v.m.Terminal(x) || c == None && sense == Paper {
		return interval{}
	}
	return certainVisits(d, c, discount)
}

// certainVisits returns bounds of γ^(d-1)/(1-γ^c), and of γ^(d-1) where c is None.
func certainVisits(d, c uint32, discount float64) interval {
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

// boundEdges is how many edges a search for a cycle may follow when visit counts are to be bounded.
const boundEdges = 300

// byClosedForm bounds the visit counts where the environment is deterministic: exactly where the shortest
// cycle is found along a few edges, and else from below by a cycle through the start, which takes as many
// steps as the ways there and back.
func (c *counting) byClosedForm(ctx context.Context) {
	if c.gamma == 0 {
		return // the logarithm of which there is not
	}
	graph := c.graph()
	back := new(Search).Within(ctx).search(c.m.NumStates(), []uint32{c.start}, graph.prev.edges, graph.prev.target)
	if ctx.Err() != nil {
		return
	}
	c.each(ctx, "visit counts", c.reach.Order, 1<<10, func() func(uint32) {
		find := newCycleFinder(graph, c.classes.Of)
		return func(s uint32) {
			if c.m.Terminal(s) {
				return
			}
			d := c.reach.Distance[s]
			cycle, left := find.shortest(s, None-1, boundEdges)
			if s == c.start {
				cycle, left = returning(graph, c.reach, s), 0
				d = cycle
			}
			if d == None {
				return // the start, which nothing leads back to
			}
			switch {
			case left >= 0:
				c.bounded(s, certainVisits(d, cycle, c.gamma), true)
			case back.Distance[s] != None:
				c.bounded(s, interval{lower: certainVisits(d, d+back.Distance[s], c.gamma).lower}, false)
			}
		}
	})
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
// where there is no such way, and the length of the shortest cycle through x, None where there is none.
// In a deterministic environment W_x = γ^(d-1)/(1-γ^c), and γ^(d-1) where there is no cycle. O(branches)
// at worst.
func (v *Visits) DistanceAndCycle(x uint32) (distance, cycle uint32) {
	find, _ := v.finders.Get().(*cycleFinder)
	if find == nil {
		find = newCycleFinder(v.graph(), v.classes.Of)
	}
	cycle, _ = find.shortest(x, None-1, unlimited)
	v.finders.Put(find)
	distance = v.reach.Distance[x]
	if x == v.start {
		distance = cycle
	}
	return distance, cycle
}
