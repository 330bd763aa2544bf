package recurrence

import "math"

// graph returns the transitions of the model in both directions.
func (v *Visits) graph() adjacency {
	return adjacency{&graph{v.m.ChoiceStarts(), v.m.BranchStarts(), v.m.AllTargets()}, &v.before.graph}
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
