package recurrence

import (
	"context"
	"math"

	"offswitch/sparse"
)

// interval is a pair of certified bounds.
type interval struct{ lower, upper float64 }

// span is a range of positions, first..last-1.
type span struct{ first, last uint32 }

func (s span) has(at uint32) bool { return at-s.first < s.last-s.first }

// hitting solves for h(s), the greatest E[γ^T] over policies, T ≥ 0 the first time in a goal, for
// one goal after another. 12 bytes a position, and 8 more where something is too far.
type hitting struct {
	*area
	goal      span
	low, high bounds
	order     []uint32 // the positions from which the goal is reached, nearest first
	layer     []uint32 // by distance, where in the order the states begin that are that far from the goal
	seen      sparse.Bitset
}

// bounds are values that rise from 0 to a solution and so stay below it, up to the area's drift.
type bounds struct {
	value []float64 // by position; 1 in the goal
	again float64   // E[γ^T] from the first state of the goal, T ≥ 1
	off   float64   // value + off is above the solution
}

// window is the most layers that a front goes back.
const window = 24

// solve solves for a goal until values are no further from a solution than precision, or as near as
// rounding allows. It reports whether it got there before the context ended; bounds hold in any case.
//
// A sweep in place, nearest to the goal first, would be enough if all went as planned. What slips goes
// to states further out, of which a sweep knows what the one before it found; from sweep to sweep that
// corrects a few layers more. So each layer, once swept, makes those before it be swept again, back to
// where that changes nothing, and then forth again. One or two rounds of that do what takes hundreds
// of plain sweeps.
func (h *hitting) solve(ctx context.Context, goal span, precision float64) bool {
	h.goal = goal
	h.low = bounds{value: grow(h.low.value, int(h.size())+1), off: 1}
	clear(h.low.value)
	for at := goal.first; at < goal.last; at++ {
		h.low.value[at] = 1
	}
	h.high = bounds{value: h.high.value[:0]}
	h.arrange(false)
	return h.refine(ctx, precision)
}

// roughly is the precision, in units of 1-γ, to which decide solves at first.
const roughly = 1e-3

// decide solves for x until it is clear whether it counts, or rounding leaves that open.
func (h *hitting) decide(ctx context.Context, x uint32) Verdict {
	v := Undecided
	h.narrow(ctx, x, roughly, func() bool {
		v = compare(h.gamma, h.start(), h.back())
		return v != Undecided
	})
	return v
}

// narrow solves for x, at first to a precision in units of 1-γ and then to others, until its bounds
// are enough or it takes a larger area or less rounding to get better ones.
func (h *hitting) narrow(ctx context.Context, x uint32, precision float64, enough func() bool) {
	precision *= 1 - h.gamma
	for ok := h.solve(ctx, span{x, x + 1}, precision); !enough() && ok; ok = h.refine(ctx, precision) {
		if h.above().off <= 4*h.drift() || precision < h.drift() {
			return
		}
		precision /= 1 << 10
	}
}

// arrange finds the order of the sweeps: a search from the goal against the branches, around what is
// too far or not.
func (h *hitting) arrange(through bool) {
	h.seen = grow(h.seen, (int(h.size())+64)/64)
	clear(h.seen)
	h.order, h.layer = h.order[:0], append(h.layer[:0], 0)
	for at := h.goal.first; at < h.goal.last; at++ {
		h.seen.Set(at)
		h.order = append(h.order, at)
	}
	if !through {
		h.seen.Set(h.size())
	}
	for done := 0; done < len(h.order); {
		end := len(h.order)
		h.layer = append(h.layer, uint32(end))
		for ; done < end; done++ {
			for _, s := range h.before.Of(h.order[done]) {
				if !h.seen.Has(s) {
					h.seen.Set(s)
					h.order = append(h.order, s)
				}
			}
		}
	}
}

// refine goes on where solve or refine ended, to another precision.
func (h *hitting) refine(ctx context.Context, precision float64) bool {
	if !h.contracts() {
		return ctx.Err() == nil
	}
	if !h.converge(ctx, &h.low, precision) {
		return false
	}
	if h.complete || h.goal.has(h.size()) {
		return true
	}
	if len(h.high.value) == 0 {
		h.high = bounds{value: append(h.high.value, h.low.value...), again: h.low.again, off: 1}
		h.arrange(true)
	}
	return h.converge(ctx, &h.high, precision)
}

func (h *hitting) converge(ctx context.Context, v *bounds, precision float64) bool {
	v.off = 1
	for enough := max(precision*(1-h.modulus), h.rounding); ; enough = max(enough/8, h.rounding) {
		for h.round(ctx, v, enough) > enough {
			if ctx.Err() != nil {
				return false
			}
		}
		if ctx.Err() != nil {
			return false
		}
		v.off = (h.residual(v) + h.rounding) / (1 - h.modulus) * (1 + 0x1p-50)
		if v.off <= max(precision, 4*h.drift()) || enough == h.rounding {
			return true
		}
	}
}

// round goes over all layers once, and returns the most by which one changed at first sight.
func (h *hitting) round(ctx context.Context, v *bounds, enough float64) float64 {
	most := 0.0
	for front := range len(h.layer) - 1 {
		change := h.sweep(v, front)
		most = max(most, change)
		if change <= enough {
			continue
		}
		back := front
		for back > max(0, front-window) && change > enough {
			back--
			change = h.sweep(v, back)
		}
		for back < front {
			back++
			h.sweep(v, back)
		}
		if ctx.Err() != nil {
			break
		}
	}
	return most
}

// sweep backs up a layer in place and returns the greatest change.
func (h *hitting) sweep(v *bounds, layer int) float64 {
	change := 0.0
	states := h.order[h.layer[layer]:h.layer[layer+1]]
	for _, at := range states {
		slot := h.slot(v, at)
		if slot == nil {
			continue
		}
		next := h.backup(v.value, at)
		if d := next - *slot; d > change || -d > change {
			change = math.Abs(d)
		}
		*slot = next
	}
	return change
}

// slot returns where the value of h at a position is kept, nil where it is fixed.
func (h *hitting) slot(v *bounds, at uint32) *float64 {
	switch {
	case at == h.goal.first:
		return &v.again
	case h.goal.has(at) || at == h.size() && v == &h.low:
		return nil
	}
	return &v.value[at]
}

// residual returns the most by which a backup would change a value: values that none changes by more
// than r are within r/(1-γ) of the solution.
func (h *hitting) residual(v *bounds) float64 {
	most := 0.0
	for _, at := range h.order {
		if slot := h.slot(v, at); slot != nil {
			most = max(most, math.Abs(h.backup(v.value, at)-*slot))
		}
	}
	return most
}

// backup returns γ·max over choices of Σ p·value.
func (h *hitting) backup(value []float64, at uint32) float64 { return h.gamma * h.best(value, at) }

// lower and upper return the bounds of the value at a position.
func (h *hitting) lower(at uint32) float64 { return max(h.low.value[at]-h.drift(), 0) }
func (h *hitting) upper(at uint32) float64 {
	v := h.above()
	return min(v.value[at]+v.off, 1)
}

// lowerAbove returns a lower bound of what upper bounds the value: that of the model in which being too far
// is worth something.
func (h *hitting) lowerAbove(at uint32) float64 { return max(h.above().value[at]-h.drift(), 0) }

// above returns what upper bounds come from.
func (h *hitting) above() *bounds {
	if len(h.high.value) > 0 {
		return &h.high
	}
	return &h.low
}

// start returns the bounds of E[γ^T] from the start, T ≥ 1.
func (h *hitting) start() interval {
	if h.goal.first == 0 {
		return h.back()
	}
	return interval{h.lower(0), h.upper(0)}
}

// back returns the bounds of E[γ^T], T ≥ 1, from the first state of the goal.
func (h *hitting) back() interval {
	v := h.above()
	return interval{max(h.low.again-h.drift(), 0), min(v.again+v.off, 1)}
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
