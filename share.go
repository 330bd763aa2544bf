package offswitch

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"offswitch/recurrence"
	"offswitch/sparse"
)

// Share returns n/(n+1), or 0 where the theorem is not proved to apply.
func (a *Analysis) Share() float64 {
	if a.Applies != Yes {
		return 0
	}
	return float64(a.N) / float64(a.N+1)
}

// Where shutting down is optimal, W_x·θ(x) ≤ θ(s_term) for every counted x at once, and not only
// θ(x) < θ(s_term) as Theorem 2 uses it. UniformShutdown and OrbitShutdown bound from above how often that is; the lower
// bounds of W_x that they use are there if Question.Bounds asked for them, and 1 otherwise.

// UniformShutdown returns the decimal logarithm of a bound of the share of goals that shut down, where the
// rewards of s_term and of the counted isolated states are independent and uniform on an interval from 0,
// whatever the other ones are, as long as none is negative: Π 1/W_x / (n+1). It is 0 where the theorem is
// not proved to apply. O(states).
func (a *Analysis) UniformShutdown() (log10 float64) {
	if a.Applies != Yes {
		return 0
	}
	sum := math.Log10(float64(a.N + 1))
	for _, w := range a.isolatedVisits() {
		sum += math.Log10(w)
	}
	return min(-sum*(1-roundingShare(a.N)), 0)
}

// OrbitShutdown returns the decimal logarithm of a bound of the share of goals that shut down among those
// that permute the rewards of a goal over the isolated states that can be reached, s_term among them. theta
// has a reward for each state, none negative. It is 0 where the theorem is not proved to apply, and -Inf when none of
// them shuts down. O(states · min(different rewards, 128)) at worst.
//
// With s_term at u, a counted x is left what is at most u/W_x. The caps are nested, so that the number of ways
// is a product over the counted states, least cap first: of so many values under the cap those are gone that
// went to states of smaller caps.
func (a *Analysis) OrbitShutdown(theta *sparse.Floats) (log10 float64, err error) {
	if a.Applies != Yes {
		return 0, nil
	}
	var values []float64
	for _, s := range a.Setting.Reach.Order {
		x := theta.At(s)
		if !(x >= 0 && x <= math.MaxFloat64) {
			return 0, fmt.Errorf("reward of state %s is %v, want a number that is not negative", a.Setting.Question.Model.StateName(s), x)
		}
		if !a.Setting.exposed.Has(s) {
			values = append(values, x)
		}
	}
	slices.Sort(values)
	visits := a.isolatedVisits()
	slices.SortFunc(visits, func(a, b float64) int { return cmp.Compare(b, a) })
	// Where many values differ, the ways of some of s_term that are close together are bounded by those of the
	// greatest of them.
	size := 1
	if len(slices.Compact(slices.Clone(values))) > mostGroups {
		size += (len(values) - 1) / mostGroups
	}
	share := math.Inf(-1) // natural logarithm of the sum over s_term
	for hi := len(values); hi > 0; {
		u := values[hi-1]
		lo, _ := slices.BinarySearch(values[:hi], u)
		alone := true // all of the group are u
		if hi-lo < size {
			lo = max(hi-size, 0)
			alone = values[lo] == u
		}
		share = addLogs(share, math.Log(float64(hi-lo))+ways(values, visits, u, alone))
		hi = lo
	}
	share -= math.Log(float64(len(values)))
	if math.IsInf(share, -1) {
		return share, nil
	}
	return min(share/math.Ln10+(1+math.Abs(share))*roundingShare(len(values)+mostGroups), 0), nil
}

// mostGroups is how many values of s_term are told apart, about.
const mostGroups = 128

// ways returns the logarithm of the share of assignments of values, increasing, in which each counted state gets at
// most u over its visits, decreasing, if u itself went to s_term; if it is not known which value did, all are
// left.
func ways(values, visits []float64, u float64, known bool) float64 {
	log, product, under := 0.0, 1.0, 0
	for i, w := range visits {
		limit := math.Nextafter(u/w, math.Inf(1))
		for under < len(values) && values[under] <= limit {
			under++
		}
		left := under - i
		if known && u <= limit {
			left--
		}
		if left <= 0 {
			return math.Inf(-1)
		}
		if all := len(values) - 1 - i; left < all {
			product *= float64(left) / float64(all)
			if product < 1e-200 { // far from underflow still: a factor is 2^-32 at least
				log, product = log+math.Log(product), 1
			}
		}
	}
	return log + math.Log(product)
}

// addLogs returns log(e^x + e^y).
func addLogs(x, y float64) float64 {
	if x < y {
		x, y = y, x
	}
	if math.IsInf(y, -1) {
		return x
	}
	return x + math.Log1p(math.Exp(y-x))
}

// roundingShare is more than what rounding does to a sum of so many logarithms, or to a product of so many
// factors, as a share of it.
func roundingShare(terms int) float64 { return 0x1p-50 * float64(terms+8) }

// isolatedVisits returns lower bounds, at least 1, of the visit counts of the states that make up n.
func (a *Analysis) isolatedVisits() []float64 {
	visits := make([]float64, 0, a.N)
	for _, s := range a.Setting.Reach.Order {
		if a.Counts.Extended[s] == recurrence.Counted && !a.Setting.exposed.Has(s) {
			w := 1.0
			if a.Counts.Lower != nil {
				w = max(a.Counts.Lower[s], 1)
			}
			visits = append(visits, w)
		}
	}
	return visits
}
