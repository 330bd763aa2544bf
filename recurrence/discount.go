package recurrence

import (
	"math"
	"math/big"
)

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
// Entry 0 is unused; distances beyond the last entry have none. None stands for "any length".
func longestCycles(gamma float64, greatest uint32) []uint32 {
	if gamma == 0 || greatest == 0 {
		return []uint32{0}
	}
	longest := []uint32{0, None}
	for d := uint64(2); d <= uint64(greatest); d++ {
		c := uint64(1)
		if x := math.Log(-math.Expm1(float64(d-1)*math.Log(gamma))) / math.Log(gamma); x > 1 {
			c = uint64(min(x, None-1))
		}
		for c < None-1 && exceeds(gamma, d-1, c+1) {
			c++
		}
		for c > 0 && !exceeds(gamma, d-1, c) {
			c--
		}
		if c == 0 {
			break
		}
		longest = append(longest, uint32(c))
	}
	return longest
}
