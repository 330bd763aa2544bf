package lp

import (
	"cmp"
	"math"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// growth looks for conflicts from below. It starts with one condition, finds a reward, adds the conditions
// that this reward misses most, and so on until there is none. Leaving out conditions of a proof may end with
// many where others, which that proof does not rest on, are few.
type growth struct {
	*whyNot
	first condition
	pool  []condition // to add
	depth []uint8     // of each state: moves from the first condition, mostDepth where it is further
}

const (
	// mostGrown is how many conditions growth may come to, growthShare how many of those there it adds each time.
	mostGrown, growthShare = 64, 4
	// growthNodes is how many nodes a search for a reward may take meanwhile.
	growthNodes = 16
	// mostDepth is how far it is told how far a condition is.
	mostDepth = 64
	// missedLeast is by how much a condition must be missed to be added.
	missedLeast = 1e-6
)

// newGrowth makes ready to start from the pair that the proof rests on most; for want of pairs, from a
// constraint.
func (w *whyNot) newGrowth() *growth {
	m := w.g.Model
	near := w.around(w.kept, manyStates).near
	f := &growth{whyNot: w, pool: w.about(near), depth: make([]uint8, m.NumStates())}
	support := w.support()
	f.first = support[len(support)-1]
	for _, c := range slices.Backward(support) {
		if int(c) < m.NumStates() {
			f.first = c
			break
		}
	}
	for s := range f.depth {
		f.depth[s] = mostDepth
	}
	layer := w.states(f.first)
	for depth := uint8(0); depth < mostDepth && len(layer) > 0; depth++ {
		var next []uint32
		for _, s := range layer {
			if f.depth[s] == mostDepth {
				f.depth[s] = depth
				for _, t := range m.Successors(s) {
					if near.Has(t) {
						next = append(next, t)
					}
				}
			}
		}
		layer = next
	}
	return f
}

// states returns the states that a condition is about: that of a pair, or those that a constraint names.
func (w *whyNot) states(c condition) []uint32 {
	n := w.g.Model.NumStates()
	if int(c) < n {
		return []uint32{c}
	}
	var states []uint32
	for _, t := range w.g.Constraints[int(c)-n].Terms {
		states = append(states, t.State)
	}
	return states
}

// about returns the conditions of the goal set that are about some states alone.
func (w *whyNot) about(near sparse.Bitset) []condition {
	var pool []condition
	for s := range w.g.Train.All() {
		if near.Has(s) && w.chooses(s) {
			pool = append(pool, s)
		}
	}
	for i := range w.g.Constraints {
		if !slices.ContainsFunc(w.g.Constraints[i].Terms, func(t check.Term) bool { return !near.Has(t.State) }) {
			pool = append(pool, condition(w.g.Model.NumStates()+i))
		}
	}
	return pool
}

// run keeps a conflict if it comes upon one. What a condition is missed by counts less for each move that it is
// away, by a factor.
func (f *growth) run(fade float64) bool {
	kept := []condition{f.first}
	for len(kept) < mostGrown {
		a, v := f.clash(kept, fewStates)
		if v == Yes {
			a.trusting = true
			if v = a.byCases(growthNodes); v == No {
				f.keep(kept, a)
			}
		}
		if v != Yes {
			return v == No
		}
		missed := f.missed(a, kept, fade)
		if len(missed) == 0 {
			return false
		}
		kept = append(kept, missed[:min(len(missed), 1+len(kept)/growthShare)]...)
	}
	return false
}

// missed returns the conditions that the reward found misses, beside those kept, the most missed first.
func (f *growth) missed(a *area, kept []condition, fade float64) []condition {
	var missed []condition
	by := make([]float64, len(f.pool))
	var places []int
	for i, c := range f.pool {
		off, depth := a.off(c), mostDepth
		if off < missedLeast || slices.Contains(kept, c) {
			continue
		}
		for _, s := range f.states(c) {
			depth = min(depth, int(f.depth[s]))
		}
		by[i] = off * math.Pow(fade, float64(depth))
		places = append(places, i)
	}
	slices.SortStableFunc(places, func(i, j int) int { return cmp.Compare(by[j], by[i]) })
	for _, i := range places {
		missed = append(missed, f.pool[i])
	}
	return missed
}

// off returns by how much the reward found misses a condition of the goal set, 0 where that is about states further
// away.
func (a *area) off(c condition) float64 {
	g := &a.of.g
	m := g.Model
	if slices.ContainsFunc(a.of.states(c), func(s uint32) bool { return !a.near.Has(s) }) {
		return 0
	}
	if int(c) < m.NumStates() {
		most := 0.0
		lo, hi := m.Choices(c)
		for b := lo; b < hi; b++ {
			if b != g.Policy[c] {
				most = max(most, g.margin(b)-g.Discount*(m.Expectation(g.Policy[c], a.v)-m.Expectation(b, a.v)))
			}
		}
		return most
	}
	x := &g.Constraints[int(c)-m.NumStates()]
	value := 0.0
	for _, k := range x.Constants {
		value += k
	}
	for _, t := range x.Terms {
		value += t.Coefficient * a.theta[t.State]
	}
	switch x.Sense {
	case check.AtLeast:
		return -value
	case check.AtMost:
		return value
	}
	return math.Abs(value)
}
