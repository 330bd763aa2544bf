//go:build clp

package clp

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/lanl/clp"

	"offswitch/lp"
)

// Solver is an lp.Solver. The zero value is ready to use.
//
// It uses the primal simplex method, because the dual one of CLP 1.17 calls some feasible programs
// infeasible. Farkas multipliers come from lp.SolveElastic. A running CLP cannot be interrupted; a
// deadline of the context becomes CLP's time limit, which counts the CPU time of the whole process and
// so may strike early.
type Solver struct {
	MaxSeconds float64 // CPU time limit of each of at most two solves; 0: none but the context's
}

// Name returns "CLP".
func (Solver) Name() string { return "CLP" }

// Solve solves a program, in memory of about 100 bytes an entry.
func (s Solver) Solve(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	return lp.SolveElastic(p, func(p *lp.Problem) (lp.Result, error) { return s.primal(ctx, p) })
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
