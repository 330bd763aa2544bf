// Package simplex solves small linear programs with gonum's dense simplex method. It needs nothing
// but Go; for more than a few dozen states use lp/clp.
//
// gonum's Simplex is not handed the program itself: its first phase takes redundant rows for an
// error, may call a feasible program infeasible, may cycle, cannot be stopped, and yields no
// multipliers. Instead it is handed the dual,
//
//	maximise yᵀb + wᵀl − zᵀu   over   Aᵀy + w − z = c,   Σ |y| ≤ K,
//
// which starts from a known basis (w or z, whatever the sign of c), so that there is no first phase,
// and which has one row for each column of the program. Its bound K stands for a price of K for a
// violation of all rows at once: a violation that stays positive says infeasible, and then y are
// Farkas multipliers. c is perturbed a little, which makes every basis non-degenerate: this prevents
// cycling, tells the basis from the solution, and so gives x, exact in the constraints
// and off by the perturbation in the objective.
package simplex

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mat"
	gonum "gonum.org/v1/gonum/optimize/convex/lp"

	"offswitch/lp"
)

const (
	// MaxColumns is the greatest number of columns taken, fixed ones not counted: each step costs
	// its cube.
	MaxColumns = 160
	// MaxRows is the greatest number of rows taken.
	MaxRows = 1000

	tolerance  = 1e-10 // of reduced costs
	violated   = 1e-8  // greatest violation of a program called feasible, relative to its bounds
	price      = 1e6   // K, relative to the costs
	perturbing = 1e-7  // of c, relative to the costs
	attempts   = 3     // with different perturbations
	stepLimit  = 50    // steps for each row and column of the dual
	infinite   = 1e9   // stands for an infinite bound of a column, relative to the other bounds
)

// Solver is an lp.Solver. The zero value is ready to use.
type Solver struct{}

// Name returns "gonum simplex".
func (Solver) Name() string { return "gonum simplex" }

// Solve solves a program of at most MaxRows rows and MaxColumns columns and refuses larger ones.
func (Solver) Solve(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	if err := p.Validate(); err != nil {
		return lp.Result{}, err
	}
	q, decided := p.Reduce()
	if decided != nil {
		return *decided, nil
	}
	if q.Columns() > MaxColumns || q.Rows() > MaxRows {
		return lp.Result{}, fmt.Errorf("gonum simplex: the linear program has %d rows and %d columns, more than the limit of %d and %d; use CLP",
			q.Rows(), q.Columns(), MaxRows, MaxColumns)
	}
	if q.Columns() == 0 {
		return q.Restore(lp.Result{Status: lp.Optimal, X: []float64{}}), nil
	}
	result := attempt(ctx, q.Problem)
	if result.Status == lp.Infeasible {
		// Without the costs, which y also has to pay for, the multipliers are sharper.
		q.Cost = make([]float64, q.Columns())
		if result = attempt(ctx, q.Problem); result.Status == lp.Optimal {
			result = lp.Result{Detail: "feasible, but too much is at stake to find the best"}
		}
	}
	if ctx.Err() != nil {
		return lp.Result{}, context.Cause(ctx)
	}
	return q.Restore(result), nil
}

// attempt solves a program, with other perturbations where one fails.
func attempt(ctx context.Context, p *lp.Problem) (result lp.Result) {
	for seed := uint64(0); seed < attempts && result.Status == lp.Unknown && ctx.Err() == nil; seed++ {
		result = newDual(p, seed).solve(ctx)
	}
	return result
}

// dual is the dual of a program in gonum's form: minimise cost·u over matrix·u = right, u ≥ 0.
type dual struct {
	p      *lp.Problem
	right  []float64 // c, perturbed, and K
	cost   []float64
	matrix *mat.Dense
	basis  []int // to start from
	parts  []part
	scale  float64 // of the bounds of rows and columns
}

// part is a column of the dual that is the multiplier, times sign, of a row.
type part struct {
	row  int
	sign float64
}

func newDual(p *lp.Problem, seed uint64) *dual {
	d := &dual{p: p, scale: 1e-300}
	n := p.Columns()
	for _, bounds := range [][]float64{p.RowLower, p.RowUpper, p.Lower, p.Upper} {
		for _, b := range bounds {
			if !math.IsInf(b, 0) {
				d.scale = max(d.scale, math.Abs(b))
			}
		}
	}
	for i := range p.Rows() {
		if b := p.RowLower[i]; !math.IsInf(b, 0) {
			d.parts, d.cost = append(d.parts, part{i, 1}), append(d.cost, -b)
		}
		if b := p.RowUpper[i]; !math.IsInf(b, 0) {
			d.parts, d.cost = append(d.parts, part{i, -1}), append(d.cost, b)
		}
	}
	d.matrix = mat.NewDense(n+1, len(d.parts)+2*n+1, nil)
	of := make([][]int, p.Rows())
	for k, x := range d.parts {
		of[x.row] = append(of[x.row], k)
		d.matrix.Set(n, k, 1)
	}
	random := rand.New(rand.NewPCG(seed, 1))
	costs := 0.0
	for _, c := range p.Cost {
		costs = max(costs, math.Abs(c))
	}
	if costs == 0 {
		costs = 1
	}
	for j := range n {
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			for _, x := range of[p.Row[k]] {
				d.matrix.Set(j, x, d.parts[x].sign*p.Value[k])
			}
		}
		w := len(d.parts) + 2*j
		d.matrix.Set(j, w, 1)
		d.matrix.Set(j, w+1, -1)
		lower, upper := max(p.Lower[j], -infinite*d.scale), min(p.Upper[j], infinite*d.scale)
		d.cost = append(d.cost, -lower, upper)
		c := p.Cost[j] + perturbing*costs*(2*random.Float64()-1)
		d.right = append(d.right, c)
		if c < 0 {
			w++
		}
		d.basis = append(d.basis, w)
	}
	last := len(d.parts) + 2*n
	d.matrix.Set(n, last, 1)
	d.cost, d.right, d.basis = append(d.cost, 0), append(d.right, price*costs), append(d.basis, last)
	return d
}

func (d *dual) solve(ctx context.Context) (result lp.Result) {
	defer func() {
		if x := recover(); x != nil {
			result = lp.Result{Detail: fmt.Sprint(x)}
		}
	}()
	m, n := d.matrix.Dims()
	guard := &guarded{matrix: d.matrix, ctx: ctx, left: (m + n) * (m + 4) * stepLimit}
	_, u, err := gonum.Simplex(d.cost, guard, d.right, tolerance*d.scale, d.basis)
	if err != nil {
		return lp.Result{Detail: err.Error()}
	}
	return d.read(u)
}

// read finds the solution of the program from that of its dual: x and the violation are the
// multipliers of the dual's rows, up to sign.
func (d *dual) read(u []float64) lp.Result {
	m, _ := d.matrix.Dims()
	var basis []int
	for k, x := range u {
		if x != 0 {
			basis = append(basis, k)
		}
	}
	if len(basis) != m {
		return lp.Result{Detail: "the final basis is degenerate"}
	}
	transposed, right := mat.NewDense(m, m, nil), mat.NewVecDense(m, nil)
	for i, k := range basis {
		transposed.SetRow(i, mat.Col(nil, k, d.matrix))
		right.SetVec(i, -d.cost[k])
	}
	x := mat.NewVecDense(m, nil)
	var condition mat.Condition
	if err := x.SolveVec(transposed, right); err != nil && !errors.As(err, &condition) {
		return lp.Result{Detail: err.Error()}
	}
	if violation := x.AtVec(m - 1); violation > violated*d.scale {
		y := make([]float64, d.p.Rows())
		for k, p := range d.parts {
			y[p.row] += p.sign * u[k]
		}
		return lp.Result{Status: lp.Infeasible, Y: y, Detail: fmt.Sprintf("violation %.3g", violation)}
	}
	return lp.Result{Status: lp.Optimal, X: append([]float64(nil), x.RawVector().Data[:m-1]...)}
}

// guarded is a matrix that stops gonum's Simplex, by a panic, when the context has ended or it has
// read so much that it must be cycling. It does not embed the matrix: that would let gonum get
// past At.
type guarded struct {
	matrix *mat.Dense
	ctx    context.Context
	left   int // reads
}

func (g *guarded) Dims() (rows, columns int) { return g.matrix.Dims() }
func (g *guarded) T() mat.Matrix             { return mat.Transpose{Matrix: g} }

func (g *guarded) At(i, j int) float64 {
	if g.left--; g.left < 0 {
		panic("stopped after too many steps")
	}
	if g.left&63 == 0 && g.ctx.Err() != nil {
		panic("stopped with the context")
	}
	return g.matrix.At(i, j)
}
