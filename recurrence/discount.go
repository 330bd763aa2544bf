package recurrence

import (
	"math"
	"math/big"
	"sort"

	"offswitch/sparse/csr"
)

// In a deterministic environment W_x(γ) = γ^a/(1-γ^c) with a = d-1, d the distance and c the shortest
// cycle. What follows is about γ^a + γ^c > 1, which is W_x > 1.

// exceeds decides γ^a + γ^b > 1 for 0 ≤ γ < 1, exactly: with more and more digits until the sign
// of the difference is certain. The one tie with a, b ≥ 1 and a float64 γ is γ = ½, a = b = 1: a
// numerator above 1 would have to divide a power of two.
func exceeds(gamma float64, a, b uint64) bool {
	switch {
	case gamma == 0:
		return a == 0 && b == 0
	case a == 0 || b == 0:
		return true
	case gamma <= 0.5:
		return false
	}
	if excess, off := roughExcess(gamma, a, b); math.Abs(excess) > off {
		return excess > 0
	}
	for precision := uint(128); ; precision *= 2 {
		sum := new(big.Float).SetPrec(precision).Add(power(gamma, a, precision), power(gamma, b, precision))
		sum.Sub(sum, big.NewFloat(1))
		// Each power is off by at most 2·a (2·b) units of the last place, relatively.
		slack := new(big.Float).SetMantExp(big.NewFloat(float64(a)+float64(b)+2), 2-int(precision))
		if new(big.Float).Abs(sum).Cmp(slack) > 0 {
			return sum.Sign() > 0
		}
	}
}

// roughExcess returns γ^a + γ^b - 1 and a bound of how far it may be off.
func roughExcess(gamma float64, a, b uint64) (excess, off float64) {
	log := math.Log(gamma)
	x, y := float64(a)*log, float64(b)*log
	p, q := math.Exp(x), math.Exp(y)
	// The logarithm, the product and the exponential are off by a unit of the last place each, or little
	// more, and e^x is off by x times what x is off.
	return p + q - 1, 0x1p-50 * (p*(1-x) + q*(1-y) + 1)
}

// power returns γ^k, rounded at each step to precision bits.
func power(gamma float64, k uint64, precision uint) *big.Float {
	result := new(big.Float).SetPrec(precision).SetInt64(1)
	base := new(big.Float).SetPrec(precision).SetFloat64(gamma)
	for ; k > 0; k >>= 1 {
		if k&1 == 1 {
			result.Mul(result, base)
		}
		base.Mul(base, base)
	}
	return result
}

// longestCycles returns, for each distance d from 0 to the greatest that matters, the length of
// the longest cycle c with γ^(d-1) + γ^c > 1: in a deterministic environment a state at distance
// d ≥ 1 that lies on a cycle of c steps has a visit count above 1 exactly when c is at most that.
// Entry 0 is unused; distances beyond the last entry have none. None stands for "any length": there
// are no cycles of more than most steps; greatest is no more than that. O(greatest).
func longestCycles(gamma float64, greatest, most uint32, workers int) []uint32 {
	if gamma == 0 || greatest == 0 {
		return []uint32{0}
	}
	log := math.Log(gamma)
	at := func(a int) uint32 { return longestCycle(gamma, log, uint64(a)) }
	last := int(min(greatest, furthest(gamma))) - 1
	longest := make([]uint32, last+2)
	free := sort.Search(last, func(i int) bool { return at(i+1) < most }) // the greatest a without a limit
	for a := range free + 1 {
		longest[a+1] = None
	}
	// From this a on, cycles are no longer than a.
	middle := min(1+sort.Search(last, func(i int) bool { return at(i+1) <= uint32(i)+1 }), last)
	csr.Share(workers, middle+1, func(lo, hi uint32) {
		for a := max(int(lo), free+1); a < int(hi); a++ {
			longest[a+1] = at(a)
		}
	})
	// The relation of a = d-1 and c is symmetric: there c is the greatest whose own longest is at least a.
	c := middle
	for a := middle + 1; a <= last; a++ {
		for longest[c+1] < uint32(a) {
			c--
		}
		longest[a+1] = uint32(c)
	}
	return longest
}

// furthest returns the greatest distance from the start at which a state can count, for 0 < γ < 1; at
// most None-1. No visit count is above γ^(d-1)/(1-γ), that of a state that one can stay in.
func furthest(gamma float64) uint32 {
	// The relation of a = d-1 and c is symmetric.
	return 1 + min(longestCycle(gamma, math.Log(gamma), 1), None-2)
}

// longestCycle returns the greatest c with γ^a + γ^c > 1, at most None-1, for γ > 0, its logarithm and
// a ≥ 1; 0 if there is none with c > 0.
func longestCycle(gamma, log float64, a uint64) uint32 {
	if gamma <= 0.5 {
		return 0
	}
	c := math.Log(-math.Expm1(float64(a)*log)) / log
	off := 0x1p-48 * (c - 1/log) // some 30 units of the last place of the logarithms
	if c-off > None-1 {
		return None - 1
	}
	// c itself is no solution when it is a whole number.
	high := math.Floor(c + off)
	if math.Floor(c-off) < high && !exceeds(gamma, a, uint64(high)) {
		high--
	}
	return uint32(min(max(high, 0), None-1))
}

// criticalDiscount returns bounds, at most precision apart, of the γ with γ^a + γ^c = 1, where c ≥ 1: at
// the lower one, unless it is 0, the sum does not exceed 1, and at the upper one, unless it is 1, it does.
func criticalDiscount(a, c uint64, precision float64) (lower, upper float64) {
	if a == 0 {
		return 0, precision
	}
	lower, upper = 0.5, 1
	for upper-lower > precision {
		if middle := lower + (upper-lower)/2; exceeds(middle, a, c) {
			upper = middle
		} else {
			lower = middle
		}
	}
	return lower, upper
}
