package recurrence

import (
	"context"
	"math"
)

// interval is a pair of certified bounds.
type interval struct{ lower, upper float64 }

// span is a range of positions, first..last-1.
type span struct{ first, last uint32 }

func (s span) has(at uint32) bool { return at-s.first < s.last-s.first }

// hitting solves for h(s), the greatest E[γ^T] over policies, T ≥ 0 the first time in a goal, for
// one goal after another. Values rise from 0, with 0 for what is too far, and so stay lower bounds, up to the
// area's drift. 8 bytes a position and 12 while it works.
type hitting struct {
	*area
	goal   span
	value  []float64 // by position; 1 in the goal; 0 for what is too far
	off    float64   // value + off is an upper bound, for a model without what is too far
	again  float64   // E[γ^T] from the first state of the goal, T ≥ 1
	detour float64   // at most this is gained by who is too far
	search Search    // from the goal against the branches
	layer  []uint32  // by distance, where in the search's order the states begin that are that far from the goal
}

// window is the most layers that a front goes back.
const window = 24

// solve solves for a goal until bounds are no further apart than precision or rounding allow. It
// reports whether it got there before the context ended; if not, nothing is known.
//
// A sweep in place, nearest to the goal first, would be enough if all went as planned. What slips goes to states
// further out, which sweeps know from before only; from sweep to sweep that corrects a few layers more. So
// each layer, once swept, makes the layers before it be swept again, back to where that changes
// nothing, and then forth again. One or two rounds of that do what takes hundreds of sweeps otherwise.
func (h *hitting) solve(ctx context.Context, goal span, precision float64) bool {
	h.goal = goal
	h.value = grow(h.value, int(h.size())+1)
	clear(h.value)
	for at := goal.first; at < goal.last; at++ {
		h.value[at] = 1
	}
	h.again = 0
	h.arrange()
	return h.refine(ctx, precision)
}

// roughly is the precision, in units of 1-γ, to which decide solves at first.
const roughly = 1e-3

// decide solves for x until it is clear whether it counts, or rounding leaves that open.
func (h *hitting) decide(ctx context.Context, x uint32) Verdict {
	precision := roughly * (1 - h.gamma)
	for ok := h.solve(ctx, span{x, x + 1}, precision); ok; ok = h.refine(ctx, precision) {
		v := compare(h.gamma, h.start(), h.back())
		if v != Undecided || h.off <= 4*h.drift() || precision < h.drift() {
			return v
		}
		precision /= 1 << 10
	}
	h.off = 1
	return Undecided
}

// narrow solves for x until the bounds of W_x are no further apart than width, relative to the upper
// one, or that takes a larger area or less rounding, and returns them.
func (h *hitting) narrow(ctx context.Context, x uint32, width float64) interval {
	precision := min(roughly, width) * (1 - h.gamma)
	for ok := h.solve(ctx, span{x, x + 1}, precision); ; ok = h.refine(ctx, precision) {
		if !ok {
			h.off = 1
		}
		w := visits(h.gamma, h.start(), h.back())
		if !ok || w.upper-w.lower <= width*w.upper || h.off <= 4*h.drift() || h.excess(0) > h.off || precision < h.drift() {
			return w
		}
		precision /= 1 << 10
	}
}

// arrange finds the order of the sweeps.
func (h *hitting) arrange() {
	var start []uint32
	for at := h.goal.first; at < h.goal.last; at++ {
		start = append(start, at)
	}
	h.search.Backward(&h.before, start...)
	h.layer = h.layer[:0]
	for i, at := range h.search.Order {
		if h.search.Distance[at] == uint32(len(h.layer)) {
			h.layer = append(h.layer, uint32(i))
		}
	}
	h.layer = append(h.layer, uint32(len(h.search.Order)))
	h.detour = 0
	if h.complete || h.goal.has(h.size()) {
		return
	}
	for _, at := range h.search.Order {
		if h.reentry.Has(at) {
			h.detour = h.least(h.search.Distance[at] + 1)
			break
		}
	}
}

// refine goes on where solve or refine ended, to another precision.
func (h *hitting) refine(ctx context.Context, precision float64) bool {
	if !h.contracts() {
		h.off = 1
		return ctx.Err() == nil
	}
	for enough := max(precision*(1-h.modulus), h.rounding); ; enough = max(enough/8, h.rounding) {
		for h.round(ctx, enough) > enough {
			if ctx.Err() != nil {
				return false
			}
		}
		h.off = (h.residual() + h.rounding) / (1 - h.modulus) * (1 + 0x1p-50)
		if h.off <= max(precision, 4*h.drift()) || enough == h.rounding {
			return ctx.Err() == nil
		}
	}
}

// round goes over all layers once, and returns the most by which one changed at first sight.
func (h *hitting) round(ctx context.Context, enough float64) float64 {
	most := 0.0
	for front := range len(h.layer) - 1 {
		change := h.sweep(front)
		most = max(most, change)
		if change <= enough {
			continue
		}
		back := front
		for back > max(0, front-window) && change > enough {
			back--
			change = h.sweep(back)
		}
		for back < front {
			back++
			h.sweep(back)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return most
}

// sweep backs up a layer in place and returns the greatest change.
func (h *hitting) sweep(layer int) float64 {
	change := 0.0
	states := h.search.Order[h.layer[layer]:h.layer[layer+1]]
	for _, at := range states {
		slot := h.slot(at)
		if slot == nil {
			continue
		}
		next := h.backup(at)
		if d := next - *slot; d > change || -d > change {
			change = math.Abs(d)
		}
		*slot = next
	}
	return change
}

// slot returns where the value of h at a position is kept, nil where it is fixed.
func (h *hitting) slot(at uint32) *float64 {
	switch {
	case !h.goal.has(at):
		return &h.value[at]
	case at == h.goal.first:
		return &h.again
	}
	return nil
}

// residual returns the most by which a backup would change a value: values that none changes by more
// than r are within r/(1-γ) of the solution.
func (h *hitting) residual() float64 {
	most := 0.0
	for _, at := range h.search.Order {
		if slot := h.slot(at); slot != nil {
			most = max(most, math.Abs(h.backup(at)-*slot))
		}
	}
	return most
}

// backup returns γ·max over choices of Σ p·value.
func (h *hitting) backup(at uint32) float64 {
	best := 0.0
	lo, hi := h.choiceStart[at], h.choiceStart[at+1]
	ends := h.branchStart[lo : hi+1]
	from := ends[0]
	for _, to := range ends[1:] {
		sum := 0.0
		weights := h.probability[from:to]
		for i, t := range h.target[from:to] {
			sum += weights[i] * h.value[t]
		}
		if sum > best {
			best = sum
		}
		from = to
	}
	return h.gamma * best
}

// lower and upper return the bounds of the value at a position. Going too far first and then to
// the goal is worth no more than going too far, and being there.
func (h *hitting) lower(at uint32) float64 { return max(h.value[at]-h.drift(), 0) }
func (h *hitting) upper(at uint32) float64 { return min(h.value[at]+h.off+h.excess(at), 1) }

// start returns the bounds of E[γ^T] from the start, T ≥ 1.
func (h *hitting) start() interval {
	if h.goal.first == 0 {
		return h.back()
	}
	return interval{h.lower(0), h.upper(0)}
}

// back returns the bounds of E[γ^T], T ≥ 1, from the first state of the goal.
func (h *hitting) back() interval {
	return interval{max(h.again-h.drift(), 0), min(h.again+h.off+h.excess(h.goal.first), 1)}
}

// excess bounds what ways through what is too far add to the value at a position.
func (h *hitting) excess(at uint32) float64 {
	if h.detour == 0 || h.away == nil {
		return h.detour
	}
	return h.detour * h.away[at] * (1 + 0x1p-50)
}

// compare decides h(start) > γ·(1-h(x)), which is W_x > 1.
func compare(gamma float64, atStart, atX interval) Verdict {
	const slack = 0x1p-50
	switch {
	case atStart.lower*(1-slack) > gamma*(1-atX.lower)*(1+slack):
		return Counted
	case atStart.upper*(1+slack) <= gamma*(1-atX.upper)*(1-slack):
		return NotCounted
	}
	return Undecided
}

// visits returns the bounds of W_x = (h(start)/γ) / (1-h(x)).
func visits(gamma float64, atStart, atX interval) interval {
	const slack = 0x1p-49
	w := interval{atStart.lower / gamma / (1 - atX.lower) * (1 - slack), math.Inf(1)}
	if atX.upper < 1 {
		w.upper = atStart.upper / gamma / (1 - atX.upper) * (1 + slack)
	}
	return w
}
