package recurrence

import (
	"context"
	"math"

	"offswitch/sparse"
)

// interval is a pair of certified bounds.
type interval struct{ lower, upper float64 }

// hitting bounds h_x(s), the greatest E[γ^T] over policies, T ≥ 1 the first time at x, for one
// target x after another, on the ball of states from which x is at most some number of branches
// away. Beyond the ball h_x is at least 0 and, as x is further away than its radius R, at most γ^(R+1).
type hitting struct {
	m      *sparse.MDP
	before *Predecessors
	// inside are the states that policies must stay among; choices that can leave them are not taken.
	inside sparse.Bitset
	gamma  float64

	local []uint32 // position in the ball of each state; None where it is outside
	ball  []uint32 // states, nearest to x first; ball[0] == x

	// The ball as a model of its own. Position len(ball) stands for all that is beyond.
	choiceStart []uint32
	branchEnd   []uint32
	target      []uint32
	probability []float64
	value       []float64 // h, but 1 at x
	again       float64   // h at x
}

func newHitting(m *sparse.MDP, before *Predecessors, inside sparse.Bitset, gamma float64) *hitting {
	h := &hitting{m: m, before: before, inside: inside, gamma: gamma, local: make([]uint32, m.NumStates())}
	for s := range h.local {
		h.local[s] = None
	}
	return h
}

// verdict decides whether x counts, W_x > 1, for visits from start. distance is that from start
// to x (0 when they are the same state). Undecided remains when the context ends, or when W_x is
// within rounding of 1. want narrows W_x to that relative width before it is satisfied; 0 stops
// at the first certain verdict. The bounds of h at start and at x come back with it.
func (h *hitting) verdict(ctx context.Context, x, start, distance uint32, want float64) (v Verdict, atStart, atX interval) {
	defer h.forget()
	// A detour out of the ball and back costs more than twice its radius less the distance; from
	// half as far again on it does not pay unless chance makes the way very slow.
	radius := distance + distance/2 + 8
	for complete := false; !complete; radius *= 2 {
		h.forget()
		complete = h.gather(x, radius, math.MaxInt)
		h.build()
		beyond := 0.0
		if !complete {
			beyond = math.Pow(h.gamma*(1+h.m.RowExcess()), float64(radius)+1) * (1 + 1e-9)
		}
		atStart, atX = h.solve(ctx, start, beyond, want)
		v = compare(h.gamma, atStart, atX)
		if ctx.Err() != nil || v != Undecided && relativeWidth(h.gamma, atStart, atX) <= want || v != Undecided && want == 0 {
			return v, atStart, atX
		}
	}
	return v, atStart, atX
}

func (h *hitting) forget() {
	for _, s := range h.ball {
		h.local[s] = None
	}
	h.ball = h.ball[:0]
}

// gather collects the states from which x is at most radius branches away, going no further once
// there are most of them, and reports whether these are all that can reach it.
func (h *hitting) gather(x, radius uint32, most int) bool {
	h.ball = append(h.ball, x)
	h.local[x] = 0
	done := 0
	for range radius {
		level := h.ball[done:]
		if len(level) == 0 {
			return true
		}
		if len(h.ball) >= most {
			return false
		}
		done = len(h.ball)
		for _, t := range level {
			for _, s := range h.before.Of(t) {
				if h.local[s] == None && h.inside.Has(s) {
					h.local[s] = uint32(len(h.ball))
					h.ball = append(h.ball, s)
				}
			}
		}
	}
	return done == len(h.ball)
}

// build writes out the ball's own model.
func (h *hitting) build() {
	h.choiceStart = append(h.choiceStart[:0], 0)
	h.branchEnd, h.target, h.probability = h.branchEnd[:0], h.target[:0], h.probability[:0]
	beyond := uint32(len(h.ball))
	for _, s := range h.ball {
		lo, hi := h.m.Choices(s)
		for c := lo; c < hi; c++ {
			if !h.allowed(c) {
				continue
			}
			from, to := h.m.Branches(c)
			for b := from; b < to; b++ {
				t := h.local[h.m.Target(b)]
				if t == None {
					t = beyond
				}
				h.target = append(h.target, t)
				h.probability = append(h.probability, h.m.Probability(b))
			}
			h.branchEnd = append(h.branchEnd, uint32(len(h.target)))
		}
		h.choiceStart = append(h.choiceStart, uint32(len(h.branchEnd)))
	}
	h.value = append(h.value[:0], make([]float64, len(h.ball)+1)...)
	h.value[0] = 1
	h.again = 0
}

func (h *hitting) allowed(choice uint32) bool {
	for _, t := range h.m.Targets(choice) {
		if !h.inside.Has(t) {
			return false
		}
	}
	return true
}

// backup returns γ·max over choices of Σ p·value for the state at a position.
func (h *hitting) backup(at uint32) float64 {
	best := 0.0
	lo, hi := h.choiceStart[at], h.choiceStart[at+1]
	from := uint32(0)
	if lo > 0 {
		from = h.branchEnd[lo-1]
	}
	for _, to := range h.branchEnd[lo:hi] {
		sum := 0.0
		targets, weights := h.target[from:to], h.probability[from:to]
		for i, t := range targets {
			sum += weights[i] * h.value[t]
		}
		best = max(best, sum)
		from = to
	}
	return h.gamma * best
}

// solve sweeps outward from x until the bounds of h at start and x decide the verdict, or are as
// close as want and rounding ask.
func (h *hitting) solve(ctx context.Context, start uint32, beyond, want float64) (atStart, atX interval) {
	atStart, atX = h.settle(ctx, start, 0, want)
	if beyond > 0 && compare(h.gamma, atStart, atX) != Counted || beyond > 0 && want > 0 {
		// What was found holds for the lower bounds; start again from it for the upper ones.
		upperStart, upperX := h.settle(ctx, start, beyond, want)
		atStart.upper, atX.upper = upperStart.upper, upperX.upper
	} else if beyond > 0 {
		atStart.upper, atX.upper = 1, 1
	}
	return atStart, atX
}

// settle solves the ball with the given value beyond it and returns proved bounds of that
// problem's solution at start and at x. Any values v are within r/(1-γ) of the solution when one
// backup moves none of them by more than r, rounding counted in (contraction).
func (h *hitting) settle(ctx context.Context, start uint32, beyond, want float64) (atStart, atX interval) {
	modulus, rounding := h.contraction()
	if modulus >= 1 {
		return interval{0, 1}, interval{0, 1}
	}
	h.value[len(h.ball)] = beyond
	enough := 1e-4
	for {
		residual := h.sweep()
		stop := ctx.Err() != nil
		if stop || residual <= max(enough*(1-modulus), rounding) {
			off := h.error(modulus, rounding)
			atStart, atX = h.around(start, off), h.around(h.ball[0], off)
			floor := 4 * rounding / (1 - modulus)
			decided := compare(h.gamma, atStart, atX) != Undecided
			if stop || off <= floor || decided && (want == 0 || relativeWidth(h.gamma, atStart, atX) <= want/2) {
				return atStart, atX
			}
			enough /= 64
		}
	}
}

// contraction returns the factor by which a backup brings values closer to the solution, and what
// rounding may change in one: it is at most γ·Σp, and each of its roundings at most a unit of that;
// the last term is more than any underflow.
func (h *hitting) contraction() (modulus, rounding float64) {
	modulus = h.gamma * (1 + h.m.RowExcess()) * (1 + 0x1p-50)
	return modulus, float64(h.m.MaxBranches()+4)*0x1p-53*modulus + 0x1p-1000
}

// sweep backs up every position once, x first, and returns the greatest change.
func (h *hitting) sweep() float64 {
	change := 0.0
	for at := range uint32(len(h.ball)) {
		q := h.backup(at)
		slot := h.slot(at)
		change = max(change, math.Abs(q-*slot))
		*slot = q
	}
	return change
}

// slot returns where the value of h at a position is kept.
func (h *hitting) slot(at uint32) *float64 {
	if at == 0 {
		return &h.again
	}
	return &h.value[at]
}

// error returns a proved bound of the distance of the values from the solution, by one Jacobi
// sweep, which changes nothing.
func (h *hitting) error(modulus, rounding float64) float64 {
	residual := 0.0
	for at := range uint32(len(h.ball)) {
		residual = max(residual, math.Abs(h.backup(at)-*h.slot(at)))
	}
	return (residual + rounding) / (1 - modulus) * (1 + 0x1p-50)
}

// around returns the bounds of h at a state, from 0 to the value beyond when it is not in the ball.
func (h *hitting) around(state uint32, off float64) interval {
	at := h.local[state]
	if at == None {
		return interval{0, h.value[len(h.ball)]}
	}
	x := *h.slot(at)
	return interval{max(x-off, 0), min(x+off, 1)}
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

func relativeWidth(gamma float64, atStart, atX interval) float64 {
	w := visits(gamma, atStart, atX)
	return (w.upper - w.lower) / w.upper
}
