package interior_test

import (
	"context"
	"math"
	"testing"

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

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	p := &lp.Problem{Start: []int{0, 1}, Row: []uint32{0}, Value: []float64{1}, RowLower: []float64{0}, RowUpper: []float64{math.Inf(1)},
		Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{1}}
	if _, err := (interior.Solver{}).Solve(ctx, p); err == nil {
		t.Error("no error after the context ended")
	}
}
