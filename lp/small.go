package lp

import "math"

// small is a linear program of few columns and many rows, dense: maximise cost·x over rows lower ≤ a·x
// and finite bounds of x. Constraint generation solves one after another.
type small struct {
	lower, upper []float64   // of the columns, finite
	rows         [][]float64 // coefficients, each len columns
	bound        []float64   // lower bounds of the rows
}

// smallResult is the solution of a small program, or multipliers of its rows, at least 0, that prove
// with the bounds of the columns that it has none: then x is nil. y is nil when the solver gave up.
type smallResult struct {
	x, y  []float64
	value float64 // cost·x
}

const (
	smallFeasible = 1e-11 // how far a row may be missed, relative to its terms
	smallPivot    = 1e-9  // least pivot
	smallCancels  = 1e-13 // what a pivot leaves of an entry that is rounding error, relative to the entry
	smallSteps    = 50    // steps at most for each row and column
)

// corner solves a program whose columns have finite bounds by the dual simplex method, densely. It is unknown where
// that finds no optimum.
func (p *Problem) corner() Result {
	n := p.Columns()
	q := &small{lower: p.Lower, upper: p.Upper}
	rows := make([][]float64, p.Rows())
	for i := range rows {
		rows[i] = make([]float64, n)
	}
	cost := make([]float64, n)
	for j := range n {
		cost[j] = -p.Cost[j]
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			rows[p.Row[k]][j] = p.Value[k]
		}
	}
	for i, row := range rows {
		if !math.IsInf(p.RowLower[i], -1) {
			q.rows, q.bound = append(q.rows, row), append(q.bound, p.RowLower[i])
		}
		if !math.IsInf(p.RowUpper[i], 1) {
			q.rows, q.bound = append(q.rows, scaled(row, -1)), append(q.bound, -p.RowUpper[i])
		}
	}
	r := q.solve(cost)
	if r.x == nil {
		return Result{Detail: "no corner was found"}
	}
	y, k := make([]float64, len(rows)), 0
	for i := range rows {
		if !math.IsInf(p.RowLower[i], -1) {
			y[i], k = y[i]+r.y[k], k+1
		}
		if !math.IsInf(p.RowUpper[i], 1) {
			y[i], k = y[i]-r.y[k], k+1
		}
	}
	return Result{Status: Optimal, X: r.x, Y: y}
}

// dictionary states each basic variable as a combination of the nonbasic ones, which are as many as the columns and
// rest on a bound. Variables are the columns, then the rows' values.
type dictionary struct {
	p        *small
	n        int
	basic    []int // of each row of the dictionary
	nonbasic []int
	value    []float64   // of the nonbasic
	d        [][]float64 // by basic, then nonbasic
	reduced  []float64   // objective by nonbasic
}

// solve maximises by the dual simplex method from the best corner of the box, without a memory of earlier
// programs, so that errors do not add up. O(rows · columns) a step.
func (p *small) solve(cost []float64) smallResult {
	n := len(p.lower)
	t := &dictionary{p: p, n: n, reduced: append([]float64(nil), cost...)}
	for j := range n {
		t.nonbasic = append(t.nonbasic, j)
		at := p.lower[j]
		if cost[j] > 0 {
			at = p.upper[j]
		}
		t.value = append(t.value, at)
	}
	for i, a := range p.rows {
		t.basic = append(t.basic, n+i)
		t.d = append(t.d, append([]float64(nil), a...))
	}
	for range smallSteps * (n + len(p.rows)) {
		i, x, to := t.leaving()
		if i < 0 {
			return t.optimal(cost)
		}
		j := t.entering(i, to > x)
		if j < 0 {
			return t.infeasible(i, to > x)
		}
		t.pivot(i, j, to)
	}
	return smallResult{}
}

// bounds returns those of a variable.
func (t *dictionary) bounds(variable int) (lower, upper float64) {
	if variable < t.n {
		return t.p.lower[variable], t.p.upper[variable]
	}
	return t.p.bound[variable-t.n], math.Inf(1)
}

// leaving returns the basic variable that is furthest out of its bounds for the length of its row, its
// value and the bound that it misses; -1 when none is.
func (t *dictionary) leaving() (row int, x, to float64) {
	row = -1
	worst := 0.0
	for i, d := range t.d {
		sum, scale, square := 0.0, 0.0, 0.0
		for j, a := range d {
			y := a * t.value[j]
			sum += y
			scale += math.Abs(y)
			square += a * a
		}
		lower, upper := t.bounds(t.basic[i])
		bound := lower
		off := lower - sum
		if sum-upper > off {
			off, bound = sum-upper, upper
		}
		if off > smallFeasible*(scale+math.Abs(bound)) && off*off > worst*(square+1e-300) {
			row, x, to = i, sum, bound
			worst = off * off / (square + 1e-300)
		}
	}
	return row, x, to
}

// entering returns the nonbasic variable that keeps all reduced costs of the right sign when it moves so
// that basic variable i rises, or falls; of several the one with the greatest pivot. -1 when none can.
func (t *dictionary) entering(i int, rises bool) int {
	best, ratio, pivot := -1, math.Inf(1), 0.0
	for j, a := range t.d[i] {
		if !rises {
			a = -a
		}
		lower, upper := t.bounds(t.nonbasic[j])
		size := math.Abs(a)
		if size < smallPivot || lower == upper || a > 0 == (t.value[j] == upper) {
			continue
		}
		r := math.Abs(t.reduced[j]) / size
		if r < ratio-1e-12 || r <= ratio+1e-12 && size > pivot {
			best, ratio, pivot = j, r, size
		}
	}
	return best
}

// pivot makes basic variable i nonbasic at a bound, and nonbasic variable j basic.
func (t *dictionary) pivot(i, j int, to float64) {
	row := t.d[i]
	inverse := 1 / row[j]
	for k := range row {
		row[k] *= -inverse
	}
	row[j] = inverse
	substitute := func(d []float64) {
		f := d[j]
		if f == 0 {
			return
		}
		d[j] = 0
		for k, a := range row {
			before := math.Abs(d[k])
			if d[k] += f * a; math.Abs(d[k]) < smallCancels*before {
				d[k] = 0 // as where the two sides of an equation meet
			}
		}
	}
	for k, d := range t.d {
		if k != i {
			substitute(d)
		}
	}
	substitute(t.reduced)
	t.basic[i], t.nonbasic[j] = t.nonbasic[j], t.basic[i]
	t.value[j] = to
}

func (t *dictionary) optimal(cost []float64) smallResult {
	r := smallResult{x: make([]float64, t.n), y: make([]float64, len(t.p.rows))}
	for j, v := range t.nonbasic {
		if v < t.n {
			r.x[v] = t.value[j]
		} else {
			r.y[v-t.n] = max(0, -t.reduced[j])
		}
	}
	for i, v := range t.basic {
		if v >= t.n {
			continue
		}
		for j, a := range t.d[i] {
			r.x[v] += a * t.value[j]
		}
		r.x[v] = max(t.p.lower[v], min(t.p.upper[v], r.x[v]))
	}
	for j, x := range r.x {
		r.value += cost[j] * x
	}
	return r
}

// infeasible makes multipliers of the row that cannot get back within its bounds.
func (t *dictionary) infeasible(i int, rises bool) smallResult {
	r := smallResult{y: make([]float64, len(t.p.rows))}
	sign := 1.0
	if !rises {
		sign = -1
	}
	if v := t.basic[i]; v >= t.n {
		r.y[v-t.n] = 1 // then it rises: rows have no upper bounds
	}
	for j, a := range t.d[i] {
		if v := t.nonbasic[j]; v >= t.n {
			r.y[v-t.n] = max(0, -sign*a)
		}
	}
	return r
}
