package lp

import (
	"fmt"
	"math"
)

// Problem is a sparse linear program: minimise Cost·x over RowLower ≤ Ax ≤ RowUpper and
// Lower ≤ x ≤ Upper, bounds of either side possibly infinite. A is stored by columns, in flat
// arrays, each entry once and none of them 0.
type Problem struct {
	Start []int     // len columns+1: the entries of column j are Start[j]..Start[j+1]-1
	Row   []uint32  // row of each entry, increasing within a column
	Value []float64 // of each entry

	RowLower, RowUpper []float64
	Lower, Upper       []float64
	Cost               []float64

	RowName, ColumnName func(i int) string // in the model's words; nil: numbers
}

// Rows returns the number of rows.
func (p *Problem) Rows() int { return len(p.RowLower) }

// Columns returns the number of columns.
func (p *Problem) Columns() int { return len(p.Lower) }

// NameRow returns the name of a row, or # and its number when rows have no names.
func (p *Problem) NameRow(i int) string {
	if p.RowName == nil {
		return fmt.Sprintf("#%d", i)
	}
	return p.RowName(i)
}

// NameColumn returns the name of a column, or # and its number when columns have no names.
func (p *Problem) NameColumn(j int) string {
	if p.ColumnName == nil {
		return fmt.Sprintf("#%d", j)
	}
	return p.ColumnName(j)
}

// Validate returns an error for the first defect of the arrays: solvers written in C do not
// survive all of them.
func (p *Problem) Validate() error {
	m, n := p.Rows(), p.Columns()
	switch {
	case len(p.RowUpper) != m || len(p.Upper) != n || len(p.Cost) != n || len(p.Start) != n+1:
		return fmt.Errorf("linear program: arrays of different lengths for %d rows and %d columns", m, n)
	case p.Start[0] != 0 || p.Start[n] != len(p.Row) || len(p.Value) != len(p.Row):
		return fmt.Errorf("linear program: %d columns with entries %d..%d, but %d rows and %d values", n, p.Start[0], p.Start[n], len(p.Row), len(p.Value))
	}
	for j := range n {
		if p.Start[j] > p.Start[j+1] {
			return fmt.Errorf("linear program: column %s starts at %d and ends at %d", p.NameColumn(j), p.Start[j], p.Start[j+1])
		}
		if !bounds(p.Lower[j], p.Upper[j]) || !finite(p.Cost[j]) {
			return fmt.Errorf("linear program: column %s has bounds [%v,%v] and cost %v", p.NameColumn(j), p.Lower[j], p.Upper[j], p.Cost[j])
		}
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			if int(p.Row[k]) >= m || k > p.Start[j] && p.Row[k-1] >= p.Row[k] {
				return fmt.Errorf("linear program: column %s: row %d is out of range or out of order", p.NameColumn(j), p.Row[k])
			}
			if !finite(p.Value[k]) || p.Value[k] == 0 {
				return fmt.Errorf("linear program: column %s: entry %v", p.NameColumn(j), p.Value[k])
			}
		}
	}
	for i := range m {
		if !bounds(p.RowLower[i], p.RowUpper[i]) {
			return fmt.Errorf("linear program: row %s has bounds [%v,%v]", p.NameRow(i), p.RowLower[i], p.RowUpper[i])
		}
	}
	return nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// bounds reports whether lower and upper are bounds of a nonempty set of numbers.
func bounds(lower, upper float64) bool {
	return lower <= upper && !math.IsInf(lower, 1) && !math.IsInf(upper, -1)
}

// appendColumn adds a column with the same entry in the given rows, which must be increasing.
func (p *Problem) appendColumn(rows []uint32, entry, lower, upper, cost float64) {
	for _, i := range rows {
		p.Row = append(p.Row, i)
		p.Value = append(p.Value, entry)
	}
	p.Start = append(p.Start, len(p.Row))
	p.Lower, p.Upper, p.Cost = append(p.Lower, lower), append(p.Upper, upper), append(p.Cost, cost)
}

// clone returns a problem that can be changed without changing p.
func (p *Problem) clone() *Problem {
	q := *p
	q.Start = append([]int(nil), p.Start...)
	q.Row = append([]uint32(nil), p.Row...)
	q.Value = append([]float64(nil), p.Value...)
	q.RowLower, q.RowUpper = append([]float64(nil), p.RowLower...), append([]float64(nil), p.RowUpper...)
	q.Lower, q.Upper = append([]float64(nil), p.Lower...), append([]float64(nil), p.Upper...)
	q.Cost = append([]float64(nil), p.Cost...)
	return &q
}

// Reduction is a problem without its fixed columns (equal bounds), columns without entries, and
// rows without entries, all of which trouble simplex codes.
type Reduction struct {
	*Problem
	columns, rows []int     // of the original problem, that were kept
	value         []float64 // of every column of the original problem that was not
	originalRows  int
}

// reduceTolerance is the rounding error, relative to its terms, that an empty row may be off by.
const reduceTolerance = 1e-12

// Reduce reduces a problem. When that decides it (a row that becomes empty cannot be met, or an empty
// column has no best value) it returns the result instead, with Farkas multipliers in the first case.
func (p *Problem) Reduce() (*Reduction, *Result) {
	m, n := p.Rows(), p.Columns()
	r := &Reduction{Problem: &Problem{Start: []int{0}}, value: make([]float64, n), originalRows: m}
	activity := make([]float64, m) // of the columns left out
	scale := make([]float64, m)
	used := make([]bool, m)
	for j := range n {
		from, to := p.Start[j], p.Start[j+1]
		switch {
		case p.Lower[j] == p.Upper[j]:
			r.value[j] = p.Lower[j]
		case from == to:
			if r.value[j] = p.best(j); !finite(r.value[j]) {
				return nil, &Result{Detail: "unbounded if feasible, by column " + p.NameColumn(j)}
			}
		default:
			r.columns = append(r.columns, j)
			for k := from; k < to; k++ {
				used[p.Row[k]] = true
			}
			continue
		}
		for k := from; k < to; k++ {
			x := p.Value[k] * r.value[j]
			activity[p.Row[k]] += x
			scale[p.Row[k]] += math.Abs(x)
		}
	}
	number := make([]uint32, m)
	q := r.Problem
	for i := range m {
		lower, upper := p.RowLower[i]-activity[i], p.RowUpper[i]-activity[i]
		if used[i] {
			number[i] = uint32(len(r.rows))
			r.rows = append(r.rows, i)
			q.RowLower, q.RowUpper = append(q.RowLower, lower), append(q.RowUpper, upper)
			continue
		}
		if slack := reduceTolerance * scale[i]; lower > slack || upper < -slack {
			y := make([]float64, m)
			y[i] = math.Copysign(1, lower+upper)
			return nil, &Result{Status: Infeasible, Y: y, Detail: "by row " + p.NameRow(i)}
		}
	}
	for _, j := range r.columns {
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			q.Row = append(q.Row, number[p.Row[k]])
			q.Value = append(q.Value, p.Value[k])
		}
		q.Start = append(q.Start, len(q.Row))
		q.Lower, q.Upper, q.Cost = append(q.Lower, p.Lower[j]), append(q.Upper, p.Upper[j]), append(q.Cost, p.Cost[j])
	}
	q.RowName = func(i int) string { return p.NameRow(r.rows[i]) }
	q.ColumnName = func(j int) string { return p.NameColumn(r.columns[j]) }
	return r, nil
}

// best returns the value of an empty column that costs least, infinite when there is none.
func (p *Problem) best(j int) float64 {
	switch c := p.Cost[j]; {
	case c > 0:
		return p.Lower[j]
	case c < 0:
		return p.Upper[j]
	}
	return max(p.Lower[j], min(p.Upper[j], 0))
}

// Restore turns a result for the reduced problem into one for the original.
func (r *Reduction) Restore(a Result) Result {
	if a.X != nil {
		x := append([]float64(nil), r.value...)
		for i, j := range r.columns {
			x[j] = a.X[i]
		}
		a.X = x
	}
	if a.Y != nil {
		y := make([]float64, r.originalRows)
		for k, i := range r.rows {
			y[i] = a.Y[k]
		}
		a.Y = y
	}
	return a
}
