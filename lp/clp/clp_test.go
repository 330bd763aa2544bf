//go:build clp

package clp_test

import (
	"context"
	"flag"
	"math"
	"testing"
	"time"

	"offswitch/lp"
	"offswitch/lp/clp"
	"offswitch/lp/lptest"
)

var seed = flag.Uint64("seed", 1, "seed of the random programs")

func TestSolver(t *testing.T) {
	const programs = 2000
	if n := lptest.TestSolver(t, clp.Solver{}, *seed, programs); n > programs/100 {
		t.Errorf("%d of %d programs left unknown", n, programs)
	}
}

func TestDegenerate(t *testing.T) {
	lptest.TestDegenerate(t, clp.Solver{})
}

func TestContext(t *testing.T) {
	p := &lp.Problem{Start: []int{0, 1}, Row: []uint32{0}, Value: []float64{1}, RowLower: []float64{0}, RowUpper: []float64{math.Inf(1)},
		Lower: []float64{0}, Upper: []float64{1}, Cost: []float64{1}}
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	if _, err := (clp.Solver{}).Solve(ctx, p); err == nil {
		t.Error("no error after the deadline")
	}
}
