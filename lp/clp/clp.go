//go:build clp

package clp

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"

	"github.com/lanl/clp"

	"offswitch/lp"
)

// Solver is an lp.Solver. The zero value is ready to use.
//
// It uses the primal simplex method, because the dual one of CLP 1.17 calls some feasible programs
// infeasible. A program that is called infeasible, or ends in any unclear way, is solved once more
// in its elastic form, which costs each violation of a row: the row duals of that are Farkas
// multipliers. A running CLP cannot be interrupted; a deadline of the context becomes CLP's time
// limit, which counts the CPU time of the whole process and so may strike early.
type Solver struct {
	MaxSeconds float64 // CPU time limit of each of at most two solves; 0: none but the context's
}

// Name returns "CLP".
func (Solver) Name() string { return "CLP" }

// violated is the least total violation of an elastic solution that says infeasible.
const violated = 1e-9

// Solve solves a program, in memory of about 100 bytes an entry.
func (s Solver) Solve(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	if err := p.Validate(); err != nil {
		return lp.Result{}, err
	}
	q, decided := p.Reduce()
	if decided != nil {
		return *decided, nil
	}
	if q.Columns() == 0 { // an empty model would kill the process
		return q.Restore(lp.Result{Status: lp.Optimal, X: []float64{}}), nil
	}
	result, err := s.primal(ctx, q.Problem)
	if err != nil || result.Status == lp.Optimal || result.Status == lp.Unbounded {
		return q.Restore(result), err
	}
	relaxed, err := s.primal(ctx, elastic(q.Problem))
	if err != nil {
		return lp.Result{}, err
	}
	violation := 0.0
	if relaxed.Status == lp.Optimal {
		for _, x := range relaxed.X[q.Columns():] {
			violation += x
		}
	}
	detail := fmt.Sprintf("%s; elastic form: %s, violation %.3g", result.Detail, relaxed.Detail, violation)
	if violation > violated {
		return q.Restore(lp.Result{Status: lp.Infeasible, Y: relaxed.Y, Detail: detail}), nil
	}
	return lp.Result{Detail: detail}, nil
}

// elastic returns the program that minimises the total violation of the rows, by columns that make
// up for what a row lacks or has in excess. It is feasible and bounded.
func elastic(p *lp.Problem) *lp.Problem {
	e := *p
	e.Start = append([]int(nil), p.Start...)
	e.Row, e.Value = append([]uint32(nil), p.Row...), append([]float64(nil), p.Value...)
	e.Lower, e.Upper = append([]float64(nil), p.Lower...), append([]float64(nil), p.Upper...)
	e.Cost = make([]float64, p.Columns())
	add := func(row int, entry float64) {
		e.Row, e.Value = append(e.Row, uint32(row)), append(e.Value, entry)
		e.Start = append(e.Start, len(e.Row))
		e.Lower, e.Upper, e.Cost = append(e.Lower, 0), append(e.Upper, math.Inf(1)), append(e.Cost, 1)
	}
	for i := range p.Rows() {
		if !math.IsInf(p.RowLower[i], 0) {
			add(i, 1)
		}
		if !math.IsInf(p.RowUpper[i], 0) {
			add(i, -1)
		}
	}
	return &e
}

// primal runs CLP's primal simplex on a program with rows and columns, none of them empty. Y is set
// to the row duals whenever the status is Optimal.
func (s Solver) primal(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	seconds := s.MaxSeconds
	if deadline, ok := ctx.Deadline(); ok {
		left := time.Until(deadline).Seconds()
		if seconds == 0 || left < seconds {
			seconds = left
		}
	}
	if ctx.Err() != nil || seconds < 0 {
		return lp.Result{}, context.Cause(ctx)
	}
	matrix := clp.NewPackedMatrix()
	matrix.Reserve(p.Columns(), len(p.Row), false) // before any column: appending is quadratic otherwise
	matrix.SetDimensions(p.Rows(), 0)
	var column []clp.Nonzero
	for j := range p.Columns() {
		column = column[:0]
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			column = append(column, clp.Nonzero{Index: int(p.Row[k]), Value: p.Value[k]})
		}
		matrix.AppendColumn(column)
	}
	model := clp.NewSimplex()
	model.LoadProblem(matrix, bounds(p.Lower, p.Upper), p.Cost, bounds(p.RowLower, p.RowUpper), nil)
	model.SetOptimizationDirection(clp.Minimize)
	model.SetScaling(clp.NoScaling) // goal sets are scaled by nature; tiny probabilities mislead CLP
	if seconds > 0 {
		model.SetMaxSeconds(seconds)
	}
	status := model.Primal(clp.NoValuesPass, clp.NoStartFinishOptions)
	second := model.SecondaryStatus()
	result := lp.Result{Detail: fmt.Sprintf("status %d.%d", status, second)}
	switch {
	case status == clp.Optimal && second <= clp.SecondaryScaledOptimalUnscaledBothInfeasible:
		// Small infeasibilities that come back with the scaling are for the checker to judge.
		result.Status, result.X, result.Y = lp.Optimal, model.PrimalColumnSolution(), model.DualRowSolution()
	case status == clp.Infeasible && second == clp.SecondaryNone:
		result.Status = lp.Infeasible
	case status == clp.Unbounded && second == clp.SecondaryNone:
		result.Status = lp.Unbounded
	}
	runtime.KeepAlive(model) // its finalizer frees what was being read
	runtime.KeepAlive(matrix)
	if ctx.Err() != nil {
		return lp.Result{}, context.Cause(ctx)
	}
	return result, nil
}

func bounds(lower, upper []float64) []clp.Bounds {
	b := make([]clp.Bounds, len(lower))
	for i := range b {
		b[i] = clp.Bounds{Lower: lower[i], Upper: upper[i]}
	}
	return b
}
