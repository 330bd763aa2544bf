package check

import (
	"fmt"
	"math"
	"math/big"

	"offswitch/sparse"
)

// values holds bounds of V* on R: see the package comment, inequality (1).
type values struct {
	k     *checker
	slack float64 // at least 2βE
	exact *big.Rat
}

// newValues finds the error of the certificate's values, or reports why there is none.
func (k *checker) newValues() *values {
	c := k.c
	if len(c.Values) != len(k.states) {
		k.fail("values", "%d values, want %d, one for each state that matters", len(c.Values), len(k.states))
		return nil
	}
	residual := 0.0
	for s := range k.relevant.All() {
		x := c.Values[k.position[s]]
		if !finite(x) {
			k.fail("values", "%s: %v is not a finite number", k.name(s), x)
			return nil
		}
	}
	for s := range k.relevant.All() {
		r := k.backup(s).sub(point(k.value(s))).size()
		if math.IsNaN(r) {
			r = math.Inf(1)
		}
		residual = max(residual, r)
	}
	v := &values{k: k}
	gap := point(1).sub(point(k.modulus)).lo
	if residual > 0 {
		v.slack = above(above(above(2*k.modulus*residual)/gap)) * (1 + 0x1p-50)
	}
	if !finite(v.slack) {
		k.fail("values", "the values are too large to bound their error")
		return nil
	}
	return v
}

func (k *checker) value(s uint32) float64 { return k.c.Values[k.position[s]] }

// expectation returns bounds of γ Σ p v over the branches of a choice.
func (k *checker) expectation(choice uint32) interval {
	sum := point(0)
	lo, hi := k.m.Branches(choice)
	for b := lo; b < hi; b++ {
		sum = sum.add(point(k.value(k.m.Target(b))).times(k.m.Probability(b)))
	}
	return sum.times(k.c.Question.Discount)
}

// backup returns bounds of θ + max γ Σ p v.
func (k *checker) backup(s uint32) interval {
	lo, hi := k.m.Choices(s)
	if lo == hi {
		return k.theta(s)
	}
	best := k.expectation(lo)
	for a := lo + 1; a < hi; a++ {
		q := k.expectation(a)
		best = interval{max(best.lo, q.lo), max(best.hi, q.hi)}
	}
	return best.add(k.theta(s))
}

// gap returns bounds of γ Σ (P(a)-P(b)) v.
func (v *values) gap(a, b uint32) interval {
	return v.k.expectation(a).sub(v.k.expectation(b))
}

// gapAtLeast reports whether intervals prove Q*(a) - Q*(b) ≥ least.
func (v *values) gapAtLeast(a, b uint32, least float64) bool {
	return v.gap(a, b).sub(point(v.slack)).lo >= least
}

// exactlyAtLeast reports whether exact arithmetic proves Q*(a) - Q*(b) ≥ least.
func (v *values) exactlyAtLeast(a, b uint32, least float64) bool {
	if v.gap(a, b).hi < least || !v.decide() {
		return false
	}
	return v.gapExact(a, b).Cmp(new(big.Rat).Add(rat(least), v.exact)) >= 0
}

// gapBelow reports whether Q*(a) - Q*(b) < most is proved.
func (v *values) gapBelow(a, b uint32, most float64) bool {
	if v.gap(a, b).add(point(v.slack)).hi < most {
		return true
	}
	if v.gap(a, b).lo >= most || !v.decide() {
		return false
	}
	x := v.gapExact(a, b)
	return x.Add(x, v.exact).Cmp(rat(most)) < 0
}

// decide computes 2βE without rounding, once, and reports whether R is small enough for that.
func (v *values) decide() bool {
	if v.exact != nil || v.k.branches > ExactBranches {
		return v.exact != nil
	}
	residual := new(big.Rat)
	for s := range v.k.relevant.All() {
		r := v.k.backupExact(s)
		r.Sub(r, rat(v.k.value(s)))
		if r.Abs(r); r.Cmp(residual) > 0 {
			residual = r
		}
	}
	modulus := rat(v.k.modulus)
	residual.Mul(residual, modulus).Mul(residual, big.NewRat(2, 1))
	v.exact = residual.Quo(residual, modulus.Sub(big.NewRat(1, 1), modulus))
	return true
}

func (v *values) gapExact(a, b uint32) *big.Rat {
	x := v.k.expectationExact(a)
	return x.Sub(x, v.k.expectationExact(b))
}

func (k *checker) expectationExact(choice uint32) *big.Rat {
	sum := new(big.Rat)
	lo, hi := k.m.Branches(choice)
	for b := lo; b < hi; b++ {
		sum.Add(sum, new(big.Rat).Mul(rat(k.m.Probability(b)), rat(k.value(k.m.Target(b)))))
	}
	return sum.Mul(sum, rat(k.c.Question.Discount))
}

func (k *checker) backupExact(s uint32) *big.Rat {
	lo, hi := k.m.Choices(s)
	if lo == hi {
		return new(big.Rat).Set(k.thetaExact(s))
	}
	best := k.expectationExact(lo)
	for a := lo + 1; a < hi; a++ {
		if q := k.expectationExact(a); q.Cmp(best) > 0 {
			best = q
		}
	}
	return best.Add(best, k.thetaExact(s))
}

func (a interval) String() string { return fmt.Sprintf("%.6g", a.lo/2+a.hi/2) }

// byTarget and byClass say what branches of equal rows have in common: their target, or the class
// of their target, where None drops the branch.
func (k *checker) byTarget(target uint32) uint32 { return target }

func (k *checker) byClass(target uint32) uint32 {
	if c := k.c.Classes[k.position[target]]; c != 0 {
		return c
	}
	return sparse.None
}
