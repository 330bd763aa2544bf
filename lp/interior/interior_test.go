package interior_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"offswitch/bench"
	"offswitch/lp"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
)

func TestSolver(t *testing.T) {
	const programs = 600
	if n := lptest.TestSolver(t, interior.Solver{}, *interior.Seed, programs); n > programs/100 {
		t.Errorf("%d of %d programs left unknown", n, programs)
	}
}

func TestDegenerate(t *testing.T) {
	lptest.TestDegenerate(t, interior.Solver{})
}

// optimum returns a random program, a solution of it, and multipliers that prove that none costs less:
// rows with a multiplier and columns with a reduced cost are at that bound.
func optimum(rng *rand.Rand) (p *lp.Problem, best float64) {
	m, n := 1+rng.IntN(60), 1+rng.IntN(60)
	p = &lp.Problem{Start: []int{0}}
	y, activity := make([]float64, m), make([]float64, m)
	for i := range y {
		if rng.IntN(2) == 0 {
			y[i] = rng.NormFloat64()
		}
	}
	for range n {
		lower := rng.NormFloat64()
		upper := lower + 3*rng.Float64()
		x, reduced := lower+(upper-lower)*rng.Float64(), 0.0
		switch rng.IntN(3) {
		case 0:
			x, reduced = lower, rng.Float64()
		case 1:
			x, reduced = upper, -rng.Float64()
		}
		cost := reduced
		for i := range m {
			if rng.IntN(m) < 3 {
				a := rng.NormFloat64()
				p.Row, p.Value = append(p.Row, uint32(i)), append(p.Value, a)
				activity[i] += a * x
				cost += a * y[i]
			}
		}
		p.Start = append(p.Start, len(p.Row))
		p.Lower, p.Upper, p.Cost = append(p.Lower, lower), append(p.Upper, upper), append(p.Cost, cost)
		best += cost * x
	}
	for i, b := range activity {
		lower, upper := b-rng.Float64(), b+rng.Float64()
		switch {
		case rng.IntN(4) == 0:
			lower, upper = b, b
		case y[i] > 0:
			lower = b
		case y[i] < 0:
			upper = b
		}
		if y[i] >= 0 && rng.IntN(2) == 0 && lower < b {
			lower = math.Inf(-1)
		}
		if y[i] >= 0 && rng.IntN(2) == 0 && upper > b {
			upper = math.Inf(1)
		}
		p.RowLower, p.RowUpper = append(p.RowLower, lower), append(p.RowUpper, upper)
	}
	return p, best
}

// leastCost returns a lower bound of the cost by multipliers of the rows, and the size of its terms, to
// which rounding is relative.
func leastCost(p *lp.Problem, y []float64) (least, size float64) {
	add := func(x, lower, upper float64) {
		switch {
		case x > 0:
			x *= lower
		case x < 0:
			x *= upper
		}
		least += x
		size += math.Abs(x)
	}
	for i, x := range y {
		add(x, p.RowLower[i], p.RowUpper[i])
	}
	for j, c := range p.Cost {
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			c -= y[p.Row[k]] * p.Value[k]
		}
		add(c, p.Lower[j], p.Upper[j])
	}
	return least, size
}

func TestFindsTheOptimum(t *testing.T) {
	rng := rand.New(rand.NewPCG(*interior.Seed, 4))
	const programs = 300
	unknown := 0
	for i := range programs {
		p, best := optimum(rng)
		r, err := interior.Solver{}.Solve(context.Background(), p)
		if r.Status == lp.Unknown {
			unknown++
			continue
		}
		if err != nil || r.Status != lp.Optimal {
			t.Errorf("program %d: %v (%s), %v", i, r.Status, r.Detail, err)
			continue
		}
		cost := 0.0
		for j, x := range r.X {
			cost += p.Cost[j] * x
		}
		if off := lptest.Violation(p, r.X); off > 1e-7 || math.Abs(cost-best) > 1e-6*(1+math.Abs(best)) {
			t.Errorf("program %d: off by %v, costs %v, want %v", i, off, cost, best)
		}
		// A reduced cost may be off by 1e-8 of the price, which is a thousand times the greatest cost.
		greatest, widths := 0.0, 0.0
		for j, c := range p.Cost {
			greatest = max(greatest, math.Abs(c))
			widths += p.Upper[j] - p.Lower[j]
		}
		if least, size := leastCost(p, r.Y); !(least <= best+1e-12*(1+size) && least >= best-1e-6*(1+math.Abs(best))-1e-5*greatest*widths) {
			t.Errorf("program %d: the multipliers bound the cost by %v, want %v", i, least, best)
		}
	}
	if unknown > programs/100 {
		t.Errorf("%d of %d programs left unknown", unknown, programs)
	}
}

func TestResultDoesNotDependOnWorkers(t *testing.T) {
	g, err := bench.GoalSet(context.Background(), "feasible", 5000, *interior.Seed)
	if err != nil {
		t.Fatal(err)
	}
	e, err := lp.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	var first []float64
	for workers := 1; workers <= 3; workers++ {
		r, err := interior.Solver{Workers: workers}.Solve(context.Background(), e.Problem)
		if err != nil || r.Status != lp.Optimal {
			t.Fatalf("%v (%s), %v", r.Status, r.Detail, err)
		}
		if first == nil {
			first = r.X
		}
		if !slices.Equal(r.X, first) {
			t.Errorf("%d workers find another solution than one", workers)
		}
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := &lp.Problem{Start: []int{0, 1}, Row: []uint32{0}, Value: []float64{1}, RowLower: []float64{0}, RowUpper: []float64{math.Inf(1)},
		Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{1}}
	if _, err := (interior.Solver{}).Solve(ctx, p); err == nil {
		t.Error("no error after the context ended")
	}
}

// TestNeeds: a program is refused before it takes the memory that it says it needs, and takes about as much.
func TestNeeds(t *testing.T) {
	g, err := bench.GoalSet(context.Background(), "feasible", 10_000, *interior.Seed)
	if err != nil {
		t.Fatal(err)
	}
	e, err := lp.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	allocated := func(refusal error) (needs, took int) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := interior.Solver{Needs: func(bytes int) error { needs = bytes; return refusal }}.Solve(context.Background(), e.Problem)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, refusal) {
			t.Fatalf("%v, want %v", err, refusal)
		}
		return needs, int(after.TotalAlloc - before.TotalAlloc)
	}
	_, less := allocated(errors.New("too much"))
	needs, all := allocated(nil)
	// What comes after the solution is allocated as well.
	if took := all - less; took < needs || took > 3*needs {
		t.Errorf("%d bytes are said to be needed, and %d are allocated", needs, took)
	}
}
