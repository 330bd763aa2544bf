package check

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestIntervalsHoldTheTruth compares random sums of products with exact arithmetic.
func TestIntervalsHoldTheTruth(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	number := func() float64 {
		x := math.Ldexp(rng.Float64()-0.5, rng.IntN(40)-20)
		switch rng.IntN(10) {
		case 0:
			x = math.Ldexp(x, -1060)
		case 1:
			x = math.Round(x)
		}
		return x
	}
	points := 0
	for range 5000 {
		sum, truth := point(0), new(big.Rat)
		for range 1 + rng.IntN(4) {
			x, y, z := number(), number(), number()
			sum = sum.add(point(x).times(y)).sub(point(z))
			truth.Add(truth, new(big.Rat).Mul(rat(x), rat(y))).Sub(truth, rat(z))
		}
		if sum.e == 0 {
			points++
		}
		off := new(big.Rat).Sub(rat(sum.x), truth)
		if off.Abs(off).Cmp(rat(sum.e)) > 0 || rat(sum.lo()).Cmp(truth) > 0 || rat(sum.hi()).Cmp(truth) < 0 {
			t.Fatalf("%v within %v does not hold %v", sum.x, sum.e, truth)
		}
		if rat(sum.size()).Cmp(truth.Abs(truth)) < 0 || sum.e > 1e-14*max(sum.size(), 1e6) {
			t.Fatalf("%v within %v has size %v", sum.x, sum.e, sum.size())
		}
	}
	if points == 0 {
		t.Error("no sum was exact")
	}
	for _, x := range []interval{
		point(math.MaxFloat64).add(point(math.MaxFloat64)), point(-math.MaxFloat64).times(2), point(math.MaxFloat64).times(2).sub(point(1)),
		point(math.MaxFloat64).times(2).greater(point(1)),
	} {
		if x.lo() >= 1 || x.hi() <= 1 || x.size() < math.Inf(1) {
			t.Errorf("overflow: %+v", x)
		}
	}
	if x := point(0.5).add(point(0.25)).times(4); x != point(3) {
		t.Errorf("exact arithmetic gives %+v", x)
	}
}
