package interior

import (
	"context"
	"fmt"
	"math"

	"offswitch/lp"
)

const (
	mostSteps = 150
	// After mostStalled steps in a row that are shorter than leastLength there is no progress.
	mostStalled = 4
	leastLength = 1e-6
	// accuracy of solutions: violations relative to the bounds of rows.
	accuracy = 1e-9
	// gapLeast is the gap between the costs and their least, relative to the costs, at which the method
	// stops, if the multipliers are off by no more than offLeast in units of the price. Where rounding
	// keeps them from that, offMost is good enough once the gap is closed.
	gapLeast  = 1e-8
	gapClosed = 1e-11
	offLeast  = 1e-10
	offMost   = 1e-8
	// Where rounding keeps the method from all that, the best of its points will do that misses gapLeast and
	// offLeast by a factor of no more than bestMost; worsened steps in a row after it are enough to see that.
	bestMost = 1e4
	worsened = 8
	// centred is the barrier parameter, in units of the price, at which a solution counts as interior.
	centred = 1e-5
	// A lower bound of the violation of provedShare of what it is proves it well enough to stop.
	provedShare = 0.5
	// toBoundary is how far a step may go on the way to the nearest bound.
	toBoundary = 0.995
	// proximal is added to the diagonal of the normal equations, for columns without bounds.
	proximal = 1e-12
	// refinements is the number of times that a solution of the normal equations is improved at most.
	refinements = 3
)

// side is a bound of a row: aᵀx ≥ bound, or -aᵀx ≥ bound for an upper one.
type side struct {
	bound float64
	row   uint32
	upper bool
}

// signed returns x with the sign that the row has in the side.
func (s side) signed(x float64) float64 {
	if s.upper {
		return -x
	}
	return x
}

// elastic is the elastic form of a program, with its rows scaled to entries of at most 1 and its
// columns in the order of elimination.
type elastic struct {
	rows        matrix
	columns     pattern   // of its transpose
	least, most []float64 // bounds of the columns
	cost        []float64
	order       []uint32  // column of the program that each is
	scale       []float64 // what the rows were divided by
	sides       []side
	factor      *factor
}

// newElastic takes over the rows of p and their bounds, which p has no more.
func newElastic(ctx context.Context, p *program, s Solver) (*elastic, error) {
	n := len(p.cost)
	products := 0
	for i := range p.rows.rows() {
		entries := p.rows.start[i+1] - p.rows.start[i]
		products += entries * entries
	}
	if products > mostProducts {
		return nil, fmt.Errorf("interior point: rows of so many entries that the normal equations have up to %d, more than %d", products, mostProducts)
	}
	e := &elastic{scale: make([]float64, p.rows.rows())}
	e.scaleRows(p)
	e.rows = p.rows
	p.rows, p.lower, p.upper = matrix{}, nil, nil
	e.order = e.rows.order(n)
	e.arrange(p)
	collect(len(e.rows.index))
	var err error
	if e.factor, err = newFactor(ctx, &e.rows, &e.columns, s.Workers); err != nil {
		return nil, err
	}
	if s.Needs != nil {
		if err := s.Needs(e.factor.bytes() + e.runBytes()); err != nil {
			return nil, err
		}
	}
	e.factor.allocate()
	return e, nil
}

// order returns the order of elimination: that of nested dissection, in postorder.
func (p *pattern) order(columns int) []uint32 {
	byColumns := p.transpose(columns)
	first := nestedDissection(productGraph(p, &byColumns))
	order := postorder(eliminationTree(p.rows(), &byColumns, first))
	for k, v := range order {
		order[k] = first[v]
	}
	return order
}

// leastScale is the least that a row is divided by: one of faint entries hardly matters, whatever it asks.
const leastScale = 1e-3

// scaleRows divides the rows by their greatest entries, and lists the sides: all but those that hold
// whatever x is, because the row has no entries.
func (e *elastic) scaleRows(p *program) {
	sides := func(i int, f func(s side)) {
		for k, bound := range [2]float64{p.lower[i], -p.upper[i]} {
			if !math.IsInf(bound, 0) && (bound > 0 || p.rows.start[i] < p.rows.start[i+1]) {
				f(side{bound, uint32(i), k == 1})
			}
		}
	}
	count := 0
	for i := range e.scale {
		sides(i, func(side) { count++ })
	}
	e.sides = make([]side, 0, count)
	for i := range e.scale {
		_, value := p.rows.row(i)
		scale := leastScale
		for _, v := range value {
			scale = max(scale, math.Abs(v))
		}
		for k := range value {
			value[k] /= scale
		}
		e.scale[i] = scale
		sides(i, func(s side) {
			s.bound /= scale
			e.sides = append(e.sides, s)
		})
	}
}

// arrange brings the columns into their order.
func (e *elastic) arrange(p *program) {
	n := len(e.order)
	position := make([]uint32, n)
	e.least, e.most, e.cost = make([]float64, n), make([]float64, n), make([]float64, n)
	for k, j := range e.order {
		position[j] = uint32(k)
		e.least[k], e.most[k], e.cost[k] = p.least[j], p.most[j], p.cost[j]
	}
	e.rows.renumber(position)
	e.columns = e.rows.pattern.transpose(n)
}

// run is one minimisation. Its point is x, y and what belongs to them; each but x stays above 0, and x
// within its bounds.
type run struct {
	*elastic
	cost   []float64
	price  float64
	x      []float64
	zl, zu []float64 // multipliers of the bounds of x; 0 where there is none
	y      []float64 // of each side
	r, p   []float64 // of each side: surplus and violation
	s      []float64 // multiplier of p: the price less y; like the next, kept on its own because differences lose precision
	xl, xu []float64 // distances of x to its bounds, where it has them

	mu         float64 // mean product of a variable and its multiplier
	pairs      int
	affine     direction // the predictor
	step       direction // the corrector
	activity   []float64 // Ax
	transposed []float64 // Aᵀy; of each column, like the next three
	diagonal   []float64
	right      []float64
	residual   []float64
	weight     []float64 // of each row
	perRow     []float64
	violation  float64 // greatest, relative to the bound
	value      float64 // costs and priced violations
	bound      float64 // a lower bound of the least value
	off        float64 // greatest entry of c - Aᵀy - zl + zu
}

// direction is a step of x and y to where every product of a variable and its multiplier is mu, as far as
// the derivatives say, and as far as a first guess of the step says what they leave out. The steps of all
// others follow from these two; they are found each time that they are needed, since there are so many.
type direction struct {
	x, y  []float64
	mu    float64
	guess *direction // nil: none
}

func newRun(e *elastic, cost []float64, price float64) *run {
	n, m, sides := len(e.order), len(e.scale), len(e.sides)
	v := func(n int) []float64 { return make([]float64, n) }
	return &run{elastic: e, cost: cost, price: price,
		x: v(n), zl: v(n), zu: v(n), xl: v(n), xu: v(n), y: v(sides), r: v(sides), p: v(sides), s: v(sides),
		affine: direction{x: v(n), y: v(sides)}, step: direction{x: v(n), y: v(sides)},
		activity: v(m), transposed: v(n), diagonal: v(n), right: v(n), residual: v(n), weight: v(m), perRow: v(m)}
}

// runBytes returns what newRun takes.
func (e *elastic) runBytes() int { return 8 * (11*len(e.order) + 6*len(e.sides) + 3*len(e.scale)) }

// minimise solves the elastic form for costs and a price. Infeasible comes with multipliers where
// there are no costs. Optimal always does: without costs they are 0.
func (e *elastic) minimise(ctx context.Context, cost []float64, price float64) lp.Result {
	w := newRun(e, cost, price)
	w.begin()
	free := true
	for _, c := range cost {
		free = free && c == 0
	}
	steps, stalled := 0, 0
	var best lp.Result
	misses, since := math.Inf(1), 0 // by the best, and steps since then
	for ; steps < mostSteps && stalled < mostStalled && ctx.Err() == nil && !(misses <= bestMost && since > worsened); steps++ {
		w.measure()
		detail := describe(steps, w.violation, w.bound/price)
		converged := w.converged()
		switch {
		case free && w.bound > provedShare*w.value && w.bound > accuracy:
			return lp.Result{Status: lp.Infeasible, Y: w.multipliers(), Detail: detail}
		case free && w.violation <= accuracy && w.mu <= centred*price:
			return lp.Result{Status: lp.Optimal, X: w.solution(), Y: make([]float64, len(w.scale)), Detail: detail}
		case !free && w.violation <= accuracy && converged:
			return lp.Result{Status: lp.Optimal, X: w.solution(), Y: w.multipliers(), Detail: detail}
		case !free && converged && w.violation > 10*accuracy:
			return lp.Result{Status: lp.Infeasible, Detail: detail}
		}
		since++
		if m := w.misses(); !free && w.violation <= accuracy && m < misses {
			if misses, since = m, 0; m <= bestMost {
				best = lp.Result{Status: lp.Optimal, X: w.solution(), Y: w.multipliers(), Detail: detail}
			}
		}
		if w.advance(ctx) < leastLength {
			stalled++
		} else {
			stalled = 0
		}
	}
	detail := describe(steps, w.violation, w.bound/price)
	switch {
	case free && w.bound > accuracy:
		return lp.Result{Status: lp.Infeasible, Y: w.multipliers(), Detail: detail}
	case free && w.violation <= accuracy:
		return lp.Result{Status: lp.Optimal, X: w.solution(), Y: make([]float64, len(w.scale)), Detail: detail}
	case best.X != nil:
		return best
	case w.violation <= accuracy:
		return lp.Result{X: w.solution(), Detail: detail}
	}
	return lp.Result{Detail: detail}
}

// gap returns that between the costs and their least, relative to the costs.
func (w *run) gap() float64 { return w.mu * float64(w.pairs) / (1 + math.Abs(w.value)) }

// converged reports whether the point costs hardly more than the least.
func (w *run) converged() bool {
	gap := w.gap()
	return gap <= gapLeast && w.off <= offLeast*w.price || gap <= gapClosed && w.off <= offMost*w.price
}

// misses returns the factor by which a point misses what is asked of it.
func (w *run) misses() float64 { return max(w.gap()/gapLeast, w.off/(offLeast*w.price)) }

// begin starts in the middle of the bounds, with all sides on the central path.
func (w *run) begin() {
	for j, l := range w.least {
		u := w.most[j]
		switch {
		case !math.IsInf(l, 0) && !math.IsInf(u, 0):
			w.x[j] = l/2 + u/2
			w.pairs += 2
		case !math.IsInf(l, 0):
			w.x[j] = l + 1
			w.pairs++
		case !math.IsInf(u, 0):
			w.x[j] = u - 1
			w.pairs++
		}
	}
	w.pairs += 2 * len(w.sides)
	w.rows.times(w.x, w.activity)
	mean := 0.0
	for _, s := range w.sides {
		mean += math.Abs(s.signed(w.activity[s.row]) - s.bound)
	}
	w.mu = w.price * max(mean/float64(max(1, len(w.sides))), 1e-3)
	for k, s := range w.sides {
		// y (d + p) = μ and (K - y) p = μ have one solution with 0 < y < K.
		d := s.signed(w.activity[s.row]) - s.bound
		b := d*w.price + 2*w.mu
		root := math.Hypot(d*w.price, 2*w.mu)
		if b > 0 {
			w.y[k] = 2 * w.mu * w.price / (b + root)
		} else {
			w.y[k] = (b - root) / (2 * d)
		}
		w.y[k] = max(1e-6*w.price, min(w.y[k], (1-1e-6)*w.price))
		w.s[k] = w.price - w.y[k]
		w.r[k], w.p[k] = w.mu/w.y[k], w.mu/w.s[k]
	}
	for j := range w.x {
		if d := w.x[j] - w.least[j]; !math.IsInf(d, 0) {
			w.xl[j] = d
			w.zl[j] = w.mu / d
		}
		if d := w.most[j] - w.x[j]; !math.IsInf(d, 0) {
			w.xu[j] = d
			w.zu[j] = w.mu / d
		}
	}
}

// measure finds what the point comes to.
func (w *run) measure() {
	w.rows.times(w.x, w.activity)
	clear(w.perRow)
	products := 0.0
	w.value, w.bound, w.violation, w.off = 0, 0, 0, 0
	for k, s := range w.sides {
		d := s.signed(w.activity[s.row]) - s.bound
		w.violation = max(w.violation, -d/max(1, math.Abs(s.bound)))
		w.value += w.price * max(0, -d)
		w.bound += w.y[k] * s.bound
		w.perRow[s.row] += s.signed(w.y[k])
		products += w.y[k]*w.r[k] + w.s[k]*w.p[k]
	}
	w.rows.transposedTimes(w.perRow, w.transposed)
	for j, x := range w.x {
		l, u := w.least[j], w.most[j]
		w.value += w.cost[j] * x
		z := w.cost[j] - w.transposed[j]
		w.off = max(w.off, math.Abs(z-w.zl[j]+w.zu[j]))
		switch {
		case z > 0:
			w.bound += z * l
		case z < 0:
			w.bound += z * u
		}
		if !math.IsInf(l, 0) {
			products += w.zl[j] * w.xl[j]
		}
		if !math.IsInf(u, 0) {
			products += w.zu[j] * w.xu[j]
		}
	}
	w.mu = products / float64(w.pairs)
}

// advance makes one step, of a predictor and a corrector, and returns the shorter of its lengths.
func (w *run) advance(ctx context.Context) float64 {
	w.normalEquations(ctx)
	w.solve(&w.affine)
	primal, dual := w.lengths(&w.affine, 1)
	share := w.muAt(&w.affine, primal, dual) / w.mu
	w.step.mu, w.step.guess = w.mu*share*share*share, &w.affine
	w.solve(&w.step)
	primal, dual = w.lengths(&w.step, toBoundary)
	w.move(&w.step, primal, dual)
	return min(primal, dual)
}

// move moves the point in a direction, each half of it by a length.
func (w *run) move(d *direction, primal, dual float64) {
	for j := range w.x {
		dzl, dzu := w.boundStep(d, j)
		w.x[j] += primal * d.x[j]
		w.xl[j] += primal * d.x[j]
		w.xu[j] -= primal * d.x[j]
		w.zl[j] += dual * dzl
		w.zu[j] += dual * dzu
	}
	for k := range w.y {
		dr, dp := w.sideStep(d, k)
		w.r[k] += primal * dr
		w.p[k] += primal * dp
		w.y[k] += dual * d.y[k]
		w.s[k] -= dual * d.y[k]
	}
}

// normalEquations factorises for the point.
func (w *run) normalEquations(ctx context.Context) {
	clear(w.weight)
	for k, s := range w.sides {
		w.weight[s.row] += w.each(k)
	}
	for j := range w.x {
		w.diagonal[j] = proximal
		if w.zl[j] > 0 {
			w.diagonal[j] += w.zl[j] / w.xl[j]
		}
		if w.zu[j] > 0 {
			w.diagonal[j] += w.zu[j] / w.xu[j]
		}
	}
	w.factor.compute(ctx, w.weight, w.diagonal)
}

// each returns the weight of a side.
func (w *run) each(k int) float64 { return 1 / (w.p[k]/w.s[k] + w.r[k]/w.y[k]) }

// sideGoals returns by how much the products of a side are to rise.
func (w *run) sideGoals(d *direction, k int) (e1, e2 float64) {
	e1, e2 = d.mu-w.y[k]*w.r[k], d.mu-w.s[k]*w.p[k]
	if d.guess != nil {
		dr, dp := w.sideStep(d.guess, k)
		e1 -= d.guess.y[k] * dr
		e2 += d.guess.y[k] * dp
	}
	return e1, e2
}

// sideStep returns the steps of the surplus and the violation of a side.
func (w *run) sideStep(d *direction, k int) (dr, dp float64) {
	e1, e2 := w.sideGoals(d, k)
	return (e1 - w.r[k]*d.y[k]) / w.y[k], (e2 + w.p[k]*d.y[k]) / w.s[k]
}

// boundGoals and boundStep are the like for the bounds of a column; 0 where there is none.
func (w *run) boundGoals(d *direction, j int) (e1, e2 float64) {
	e1, e2 = d.mu-w.zl[j]*w.xl[j], d.mu-w.zu[j]*w.xu[j]
	if d.guess != nil {
		dzl, dzu := w.boundStep(d.guess, j)
		e1 -= dzl * d.guess.x[j]
		e2 += dzu * d.guess.x[j]
	}
	return e1, e2
}

func (w *run) boundStep(d *direction, j int) (dzl, dzu float64) {
	e1, e2 := w.boundGoals(d, j)
	if w.zl[j] > 0 {
		dzl = (e1 - w.zl[j]*d.x[j]) / w.xl[j]
	}
	if w.zu[j] > 0 {
		dzu = (e2 + w.zu[j]*d.x[j]) / w.xu[j]
	}
	return dzl, dzu
}

// solve finds the x and y of a direction.
func (w *run) solve(d *direction) {
	clear(w.perRow)
	for k, s := range w.sides {
		e1, e2 := w.sideGoals(d, k)
		off := s.signed(w.activity[s.row]) - s.bound + w.p[k] - w.r[k]
		d.y[k] = -off - e2/w.s[k] + e1/w.y[k] // becomes the step below
		w.perRow[s.row] += s.signed(w.each(k)*d.y[k] + w.y[k])
	}
	w.rows.transposedTimes(w.perRow, w.right)
	for j := range w.x {
		e1, e2 := w.boundGoals(d, j)
		w.right[j] += w.zl[j] - w.zu[j] - w.cost[j]
		if w.zl[j] > 0 {
			w.right[j] += e1 / w.xl[j]
		}
		if w.zu[j] > 0 {
			w.right[j] -= e2 / w.xu[j]
		}
	}
	w.solveNormal(d.x)
	w.rows.times(d.x, w.perRow)
	for k, s := range w.sides {
		d.y[k] = w.each(k) * (d.y[k] - s.signed(w.perRow[s.row]))
	}
}

// solveNormal solves the normal equations for w.right, and improves the solution as long as
// that helps.
func (w *run) solveNormal(out []float64) {
	copy(out, w.right)
	w.factor.solve(out)
	before := math.Inf(1)
	for range refinements {
		w.rows.times(out, w.perRow)
		for i := range w.perRow {
			w.perRow[i] *= w.weight[i]
		}
		w.rows.transposedTimes(w.perRow, w.residual)
		norm, size := 0.0, 0.0
		for j := range w.residual {
			w.residual[j] = w.right[j] - w.residual[j] - w.diagonal[j]*out[j]
			norm = max(norm, math.Abs(w.residual[j]))
			size = max(size, math.Abs(w.right[j]))
		}
		if norm <= 1e-12*size || !(norm < before/2) {
			return
		}
		before = norm
		w.factor.solve(w.residual)
		for j, x := range w.residual {
			out[j] += x
		}
	}
}

// lengths returns how far the point may go in a direction, at most 1, times a share: x, r and p, and
// their multipliers.
func (w *run) lengths(d *direction, share float64) (primal, dual float64) {
	toZero := func(most, x, dx float64) float64 {
		if dx < 0 && -share*x > most*dx {
			return -share * x / dx
		}
		return most
	}
	primal, dual = 1, 1
	for j := range w.x {
		dzl, dzu := w.boundStep(d, j)
		if w.zl[j] > 0 {
			primal = toZero(primal, w.xl[j], d.x[j])
			dual = toZero(dual, w.zl[j], dzl)
		}
		if w.zu[j] > 0 {
			primal = toZero(primal, w.xu[j], -d.x[j])
			dual = toZero(dual, w.zu[j], dzu)
		}
	}
	for k := range w.y {
		dr, dp := w.sideStep(d, k)
		primal = toZero(toZero(primal, w.r[k], dr), w.p[k], dp)
		dual = toZero(toZero(dual, w.y[k], d.y[k]), w.s[k], -d.y[k])
	}
	return primal, dual
}

// muAt returns the mean product after a step.
func (w *run) muAt(d *direction, primal, dual float64) float64 {
	sum := 0.0
	for j := range w.x {
		dzl, dzu := w.boundStep(d, j)
		if w.zl[j] > 0 {
			sum += (w.zl[j] + dual*dzl) * (w.xl[j] + primal*d.x[j])
		}
		if w.zu[j] > 0 {
			sum += (w.zu[j] + dual*dzu) * (w.xu[j] - primal*d.x[j])
		}
	}
	for k := range w.y {
		dr, dp := w.sideStep(d, k)
		sum += (w.y[k]+dual*d.y[k])*(w.r[k]+primal*dr) + (w.s[k]-dual*d.y[k])*(w.p[k]+primal*dp)
	}
	return sum / float64(w.pairs)
}

// solution returns x in the order of the program.
func (w *run) solution() []float64 {
	out := make([]float64, len(w.x))
	for k, j := range w.order {
		out[j] = w.x[k]
	}
	return out
}

// multipliers returns those of the rows of the program.
func (w *run) multipliers() []float64 {
	out := make([]float64, len(w.scale))
	for k, s := range w.sides {
		out[s.row] += s.signed(w.y[k]) / w.scale[s.row]
	}
	return out
}
