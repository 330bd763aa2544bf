package lptest

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/lp"
)

// TestSolver has a solver solve the linear systems of random goal sets: for rewards known to be
// members or not, and for the largest of a random cost. Statuses are checked against what is known,
// solutions against the rows, multipliers against the Farkas condition, all within rounding.
// It returns how many programs of how many were left unknown.
func TestSolver(t *testing.T, solver lp.Solver, seed uint64, programs int) (unknown int) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 0))
	for i := range programs {
		g := GoalSet(rng, 8)
		lower, upper := Box(g)
		theta := Reward(rng, g.Model, lower, upper)
		if rng.IntN(2) == 0 {
			Constrain(rng, &g, theta)
		}
		e, err := lp.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		fixed := rng.IntN(2) == 0
		if fixed {
			e.Fix(theta)
		}
		for j := range e.Cost {
			e.Cost[j] = float64(rng.IntN(3) - 1)
		}
		exact := NewExact(g, Rationals(theta))
		gap := math.Inf(1)
		if x := exact.LeastExcess(); x != nil {
			gap, _ = x.Float64()
		}
		member := exact.Member()
		r, err := solver.Solve(context.Background(), e.Problem)
		if err != nil {
			t.Fatalf("program %d: %v", i, err)
		}
		closed, _ := g.Closed()
		clear := math.Abs(gap) > 1e-6
		switch r.Status {
		case lp.Optimal:
			if off := Violation(e.Problem, r.X); off > 1e-6 {
				t.Errorf("program %d: solution off by %v", i, off)
			}
			if fixed && closed && clear && !member && exact.Allowed() {
				t.Errorf("program %d: called feasible, but the reward misses the margin by %v", i, -gap)
			}
		case lp.Infeasible:
			if member {
				t.Errorf("program %d: called infeasible (%s), but there is a member that exceeds the margin by %v", i, r.Detail, gap)
			}
			if x := FarkasGap(e.Problem, r.Y); !(x > 0) {
				t.Errorf("program %d: multipliers of Farkas gap %v, detail %s", i, x, r.Detail)
			}
		default:
			t.Logf("program %d: %v, %s", i, r.Status, r.Detail)
			unknown++
		}
	}
	return unknown
}

// Violation returns by how much x breaks the bounds of rows and columns at most.
func Violation(p *lp.Problem, x []float64) float64 {
	if len(x) != p.Columns() {
		return math.Inf(1)
	}
	activity := make([]float64, p.Rows())
	off := 0.0
	for j, v := range x {
		off = max(off, p.Lower[j]-v, v-p.Upper[j])
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			activity[p.Row[k]] += p.Value[k] * v
		}
	}
	for i, a := range activity {
		off = max(off, p.RowLower[i]-a, a-p.RowUpper[i])
	}
	return off
}

// FarkasGap returns yᵀb less the greatest (yᵀA)x, in units of the greatest multiplier; above 0, it
// proves that the problem is infeasible, up to rounding.
func FarkasGap(p *lp.Problem, y []float64) float64 {
	if len(y) != p.Rows() {
		return math.NaN()
	}
	scale, gap := 0.0, 0.0
	y = append([]float64(nil), y...)
	for _, v := range y {
		scale = max(scale, math.Abs(v))
	}
	for i := range y {
		b := p.RowLower[i]
		if y[i] < 0 {
			b = p.RowUpper[i]
		}
		if math.IsInf(b, 0) && math.Abs(y[i]) < 1e-6*scale {
			y[i] = 0
		}
		if y[i] != 0 {
			gap += y[i] * b
		}
	}
	for j := range p.Columns() {
		z := 0.0
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			z += y[p.Row[k]] * p.Value[k]
		}
		gap -= max(z*p.Lower[j], z*p.Upper[j])
	}
	return gap / scale
}

// TestDegenerate has a solver solve programs that trouble simplex codes: none of rows or columns,
// empty and redundant ones, fixed columns, contradictions that no column decides. It wants errors
// for malformed ones.
func TestDegenerate(t *testing.T, solver lp.Solver) {
	t.Helper()
	inf := math.Inf(1)
	for _, x := range []struct {
		name string
		p    lp.Problem
		want lp.Status
		cost float64
	}{
		{"empty", lp.Problem{Start: []int{0}}, lp.Optimal, 0},
		{"no rows", lp.Problem{Start: []int{0, 0}, Lower: []float64{-1}, Upper: []float64{2}, Cost: []float64{-1}}, lp.Optimal, -2},
		{"no columns", lp.Problem{Start: []int{0}, RowLower: []float64{-1}, RowUpper: []float64{1}}, lp.Optimal, 0},
		{"no columns, contradiction", lp.Problem{Start: []int{0}, RowLower: []float64{1}, RowUpper: []float64{inf}}, lp.Infeasible, 0},
		{"fixed column, contradiction", lp.Problem{Start: []int{0, 1}, Row: []uint32{0}, Value: []float64{2}, Lower: []float64{3}, Upper: []float64{3},
			Cost: []float64{1}, RowLower: []float64{-inf}, RowUpper: []float64{5}}, lp.Infeasible, 0},
		{"redundant rows, empty column", lp.Problem{Start: []int{0, 3, 3}, Row: []uint32{0, 1, 2}, Value: []float64{1, 2, 2}, Lower: []float64{0, -1},
			Upper: []float64{9, 1}, Cost: []float64{-1, 1}, RowLower: []float64{1, 2, -inf}, RowUpper: []float64{inf, inf, 8}}, lp.Optimal, -5},
		{"range", lp.Problem{Start: []int{0, 1, 2}, Row: []uint32{0, 0}, Value: []float64{1, 1}, Lower: []float64{0, 0},
			Upper: []float64{9, 9}, Cost: []float64{1, 2}, RowLower: []float64{4}, RowUpper: []float64{6}}, lp.Optimal, 4},
		{"contradiction", lp.Problem{Start: []int{0, 2, 4}, Row: []uint32{0, 1, 0, 1}, Value: []float64{1, 1, 1, 1}, Lower: []float64{-9, -9},
			Upper: []float64{9, 9}, Cost: []float64{1, 2}, RowLower: []float64{4, -inf}, RowUpper: []float64{inf, 3}}, lp.Infeasible, 0},
	} {
		r, err := solver.Solve(context.Background(), &x.p)
		if err != nil || r.Status != x.want {
			t.Errorf("%s: %v, %v (%s), want %v", x.name, err, r.Status, r.Detail, x.want)
			continue
		}
		if r.Status == lp.Infeasible {
			if gap := FarkasGap(&x.p, r.Y); !(gap > 0) {
				t.Errorf("%s: multipliers %v", x.name, r.Y)
			}
			continue
		}
		cost := 0.0
		for j, v := range r.X {
			cost += v * x.p.Cost[j]
		}
		if Violation(&x.p, r.X) > 1e-6 || math.Abs(cost-x.cost) > 1e-5 {
			t.Errorf("%s: solution %v costs %v, want %v", x.name, r.X, cost, x.cost)
		}
	}
	for name, p := range map[string]lp.Problem{
		"short":        {Start: []int{0, 1}, Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{0}},
		"crossed":      {Start: []int{0, 0}, Lower: []float64{2}, Upper: []float64{1}, Cost: []float64{0}},
		"not a number": {Start: []int{0, 1}, Row: []uint32{0}, Value: []float64{math.NaN()}, Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{0}, RowLower: []float64{0}, RowUpper: []float64{1}},
		"row 7":        {Start: []int{0, 1}, Row: []uint32{7}, Value: []float64{1}, Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{0}, RowLower: []float64{0}, RowUpper: []float64{1}},
	} {
		if _, err := solver.Solve(context.Background(), &p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
