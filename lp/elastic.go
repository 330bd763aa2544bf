package lp

import (
	"fmt"
	"math"
)

// violated is the least total violation of an elastic solution that says infeasible.
const violated = 1e-9

// SolveElastic solves a program by a function that yields row duals with what it calls Optimal, as Y,
// and whose other words are not to be relied on. The function gets programs that have rows and
// columns, none of them empty, and no fixed columns. Where it does not call the program optimal or
// unbounded, it is given the elastic form: the least total violation of the rows. Its row duals are
// Farkas multipliers of the program when that is more than 0.
func SolveElastic(p *Problem, run func(p *Problem) (Result, error)) (Result, error) {
	if err := p.Validate(); err != nil {
		return Result{}, err
	}
	q, decided := p.Reduce()
	if decided != nil {
		return *decided, nil
	}
	if q.Columns() == 0 {
		return q.Restore(Result{Status: Optimal, X: []float64{}, Y: make([]float64, q.Rows())}), nil
	}
	result, err := run(q.Problem)
	if err != nil {
		return Result{}, err
	}
	if result.Status == Optimal || result.Status == Unbounded {
		return q.Restore(result), nil
	}
	relaxed, err := run(q.elastic())
	if err != nil {
		return Result{}, err
	}
	violation := 0.0
	if relaxed.Status == Optimal {
		for _, x := range relaxed.X[q.Columns():] {
			violation += x
		}
	}
	detail := fmt.Sprintf("%s; elastic form: %s, violation %.3g", result.Detail, relaxed.Detail, violation)
	if violation > violated {
		return q.Restore(Result{Status: Infeasible, Y: relaxed.Y, Detail: detail}), nil
	}
	return Result{Detail: detail}, nil
}

// elastic returns the program that minimises the total violation of the rows, by columns that make
// up for what a row lacks or has in excess. It is feasible and bounded.
func (p *Problem) elastic() *Problem {
	e := p.clone()
	e.Cost = make([]float64, p.Columns())
	e.ColumnName = nil
	for i := range p.Rows() {
		if !math.IsInf(p.RowLower[i], 0) {
			e.appendColumn([]uint32{uint32(i)}, 1, 0, math.Inf(1), 1)
		}
		if !math.IsInf(p.RowUpper[i], 0) {
			e.appendColumn([]uint32{uint32(i)}, -1, 0, math.Inf(1), 1)
		}
	}
	return e
}
