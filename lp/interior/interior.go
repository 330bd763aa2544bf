// Package interior solves sparse linear programs with millions of entries by an interior-point
// method, in pure Go and on all cores.
//
// The program is solved in its elastic form, which lets every row be violated at a price K:
//
//	minimise cᵀx + K Σ p   over   sign·aᵀx + p ≥ b for each side of each row, p ≥ 0, l ≤ x ≤ u
//
// That is feasible whatever the program is, so that there is one method for both answers
// (Mehrotra 1992): without costs, the violation that is left is 0 and x is an interior point of all
// solutions, near their analytic centre; or it is more, and then the multipliers y, 0 ≤ y ≤ K, are Farkas
// multipliers. yᵀb less the greatest (yᵀA)x bounds the violation from below at every step, so that the
// second answer is seen long before the method converges. A cost is minimised at a price above what it
// may pay to violate a row; where that shows a violation, the program is solved again without its costs.
//
// Equations are solved for a column each where that is cheap, which leaves the linear system of
// a goal set with values alone. Each step solves normal equations AᵀWA + D, symmetric and positive
// definite, by a multifrontal Cholesky factorisation with nested dissection.
package interior

import (
	"context"
	"fmt"
	"math"

	"offswitch/lp"
)

// Solver is an lp.Solver. The zero value is ready to use.
type Solver struct {
	Workers int // goroutines; 0 stands for GOMAXPROCS. The result does not depend on it
	// Needs is told how many bytes a program takes beside what it has taken to find that out, before they are
	// taken; an error refuses the program. nil: every program is taken whose factor is not too large.
	Needs func(bytes int) error
}

const (
	// mostProducts bounds the nonzeros of AᵀA, each counted as often as it is summed up.
	mostProducts = 1 << 31
	// prices are those of a violation, in units of the greatest cost.
	firstPrice  = 1e3
	priceFactor = 100
	mostPrices  = 3
)

// Name returns "interior point".
func (Solver) Name() string { return "interior point" }

// Solve solves a program. X is a solution within 1e-9, relative to the bounds of the rows; without
// costs it lies inside the bounds as far as it can. A program whose costs have no least value stays
// unknown. Solve takes 8 bytes for each entry of the Cholesky factor, and some 100 for each entry of
// the program; it refuses a program whose factor would be larger than 4 GB, as it may be from some
// 30,000 states on where all states are a few moves apart.
func (s Solver) Solve(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	if err := p.Validate(); err != nil {
		return lp.Result{}, err
	}
	q, decided := dominated(p).Reduce()
	if decided != nil {
		return *decided, nil
	}
	if q.Columns() == 0 {
		return q.Restore(lp.Result{Status: lp.Optimal, X: []float64{}, Y: make([]float64, q.Rows())}), nil
	}
	solved := substitute(q.Problem)
	e, err := newElastic(ctx, solved, s)
	if err != nil {
		return lp.Result{}, err
	}
	result := e.decide(ctx)
	if ctx.Err() != nil {
		return lp.Result{}, context.Cause(ctx)
	}
	e.factor.release()
	q, _ = dominated(p).Reduce() // again, because it would take as much memory as the program all the time
	solved.restore(q.Problem)
	if result.X != nil {
		result.X = solved.solution(result.X)
	}
	if result.Y != nil {
		result.Y = solved.multipliers(result.Y, result.Status == lp.Optimal)
	}
	return q.Restore(result), nil
}

// dominated returns the program with those columns fixed at a bound that no row and no cost wants
// away from it: rewards outside S_train, for one.
func dominated(p *lp.Problem) *lp.Problem {
	q := *p
	q.Lower, q.Upper = append([]float64(nil), p.Lower...), append([]float64(nil), p.Upper...)
	for j := range p.Columns() {
		down, up := p.Cost[j] >= 0, p.Cost[j] <= 0
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			falls, rises := math.IsInf(p.RowLower[p.Row[k]], -1), math.IsInf(p.RowUpper[p.Row[k]], 1)
			if p.Value[k] > 0 {
				falls, rises = rises, falls
			}
			// falls: the row may take any lower value of the column.
			down, up = down && rises, up && falls
		}
		switch {
		case down && !math.IsInf(p.Lower[j], -1):
			q.Upper[j] = p.Lower[j]
		case up && !math.IsInf(p.Upper[j], 1):
			q.Lower[j] = p.Upper[j]
		}
	}
	return &q
}

// decide solves for the costs, at prices that rise, and without them where rows stay violated.
func (e *elastic) decide(ctx context.Context) lp.Result {
	greatest := 0.0
	for _, c := range e.cost {
		greatest = max(greatest, math.Abs(c))
	}
	if greatest == 0 {
		return e.minimise(ctx, e.cost, 1)
	}
	price := firstPrice * greatest
	result := e.minimise(ctx, e.cost, price)
	for i := 1; result.Status == lp.Infeasible && ctx.Err() == nil; i++ {
		feasible := e.minimise(ctx, make([]float64, len(e.cost)), 1)
		if feasible.Status != lp.Optimal {
			return feasible
		}
		if i == mostPrices {
			return lp.Result{Detail: "feasible, but too much is at stake to find the best"}
		}
		price *= priceFactor
		result = e.minimise(ctx, e.cost, price)
	}
	return result
}

func describe(iterations int, violation, bound float64) string {
	return fmt.Sprintf("%d steps, greatest violation %.3g, total violation at least %.3g", iterations, violation, bound)
}
