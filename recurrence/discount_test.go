package recurrence

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The lengths agree with deciding each of them by itself.
func TestLongestCycles(t *testing.T) {
	rng := rand.New(rand.NewPCG(*pathSeed, 1))
	discounts := []float64{0, 0.3, 0.5, math.Nextafter(0.5, 1), 0.6, (math.Sqrt(5) - 1) / 2, 0.9, 0.99, 0.999, 0.9999, 1 - 1e-6, 1 - 1e-9, 1 - 0x1p-53}
	for range 60 {
		discounts = append(discounts, 1-math.Exp(-rng.Float64()*12))
	}
	for _, gamma := range discounts {
		greatest := 1 + rng.Uint32N(2000)
		most := greatest + rng.Uint32N(3000)
		longest := longestCycles(gamma, greatest, most, 1+rng.IntN(3))
		if len(longest) > int(greatest)+1 {
			t.Fatalf("γ %v: %d entries for distances up to %d", gamma, len(longest), greatest)
		}
		counts := func(d, c uint32) bool {
			return int(d) < len(longest) && c <= longest[d]
		}
		for d := uint32(1); d <= greatest; d++ {
			lengths := []uint32{1, 2, 1 + rng.Uint32N(most), most}
			if int(d) < len(longest) && longest[d] < most {
				lengths = append(lengths, longest[d], longest[d]+1)
			}
			for _, c := range lengths {
				if want := exceeds(gamma, uint64(d)-1, uint64(c)); c > 0 && c <= most && counts(d, c) != want {
					t.Fatalf("seed %d, γ %v, distance %d, cycle %d of at most %d: %v, want %v", *pathSeed, gamma, d, c, most, !want, want)
				}
			}
		}
	}
}

// The quick decision agrees with the one that has digits to spare.
func TestExceedsAgainstManyDigits(t *testing.T) {
	rng := rand.New(rand.NewPCG(*pathSeed, 2))
	close := 0
	for i := range 4000 {
		a, b := uint64(math.Exp(rng.Float64()*20)), uint64(math.Exp(rng.Float64()*20))
		gamma := 1 - math.Exp(-rng.Float64()*20)
		if i%2 == 0 {
			lower, upper := criticalDiscount(a, b, 0x1p-40)
			gamma = lower + (upper-lower)*rng.Float64()
			if i%4 == 0 {
				lower, upper = criticalDiscount(a, b, 0x1p-53)
				gamma = []float64{lower, upper}[rng.IntN(2)]
			}
		}
		if gamma <= 0.5 || gamma >= 1 {
			continue
		}
		excess, off := roughExcess(gamma, a, b)
		if math.Abs(excess) <= off {
			close++
		}
		const precision = 400
		sum := power(gamma, a, precision)
		sum.Add(sum, power(gamma, b, precision))
		want, _ := sum.Sub(sum, power(1, 1, precision)).Float64()
		if math.Abs(excess-want) > off {
			t.Fatalf("seed %d: γ %v, a %d, b %d: excess %v, off by more than %v from %v", *pathSeed, gamma, a, b, excess, off, want)
		}
		if exceeds(gamma, a, b) != (want > 0) {
			t.Fatalf("seed %d: γ %v, a %d, b %d: excess is %v", *pathSeed, gamma, a, b, want)
		}
	}
	if close < 100 {
		t.Errorf("only %d were close", close)
	}
}
