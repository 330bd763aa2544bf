package simplex_test

import (
	"context"
	"flag"
	"math"
	"strings"
	"testing"

	"offswitch/lp"
	"offswitch/lp/lptest"
	"offswitch/lp/simplex"
)

var seed = flag.Uint64("seed", 1, "seed of the random programs")

func TestSolver(t *testing.T) {
	const programs = 600
	if n := lptest.TestSolver(t, simplex.Solver{}, *seed, programs); n > programs/100 {
		t.Errorf("%d of %d programs left unknown", n, programs)
	}
}

func TestDegenerate(t *testing.T) {
	lptest.TestDegenerate(t, simplex.Solver{})
}

func TestRefusesLarge(t *testing.T) {
	n := simplex.MaxColumns + 1
	p := &lp.Problem{Start: []int{0}, RowLower: []float64{0}, RowUpper: []float64{1}}
	for range n {
		p.Row, p.Value = append(p.Row, 0), append(p.Value, 1)
		p.Start = append(p.Start, len(p.Row))
		p.Lower, p.Upper, p.Cost = append(p.Lower, 0), append(p.Upper, 1), append(p.Cost, 0)
	}
	_, err := simplex.Solver{}.Solve(context.Background(), p)
	if err == nil || !strings.Contains(err.Error(), "limit of 1000 and 160") {
		t.Errorf("error %v", err)
	}
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := &lp.Problem{Start: []int{0, 1}, Row: []uint32{0}, Value: []float64{1}, RowLower: []float64{0}, RowUpper: []float64{math.Inf(1)},
		Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{1}}
	if _, err := (simplex.Solver{}).Solve(ctx, p); err == nil {
		t.Error("no error after the context ended")
	}
}
