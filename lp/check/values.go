package check

import (
	"math"
	"math/big"
	"runtime"
	"slices"
	"sync"

	"offswitch/sparse"
)

// values holds bounds of V* on R: see the package comment, inequality (1).
type values struct {
	k     *checker
	of    []float64 // the certificate's values, by state
	slack float64   // at least 2βE
	exact *big.Rat
}

// newValues finds the error of the certificate's values, or reports why there is none.
func (k *checker) newValues() *values {
	c := k.c
	if len(c.Values) != len(k.states) {
		k.fail("values", "%d values, want %d, one for each state that matters", len(c.Values), len(k.states))
		return nil
	}
	v := &values{k: k, of: make([]float64, k.m.NumStates())}
	all := true
	for s := range k.relevant.All() {
		x := c.Values[k.position[s]]
		if v.of[s] = x; !finite(x) {
			k.fail("values", "%s: %v is not a finite number", k.name(s), x)
			all = false
		}
	}
	if !all {
		return nil
	}
	residual := v.residual()
	gap := point(1).sub(point(k.modulus)).lo()
	if residual > 0 {
		v.slack = above(above(above(2*k.modulus*residual)/gap)) * (1 + 0x1p-50)
	}
	if !finite(v.slack) {
		k.fail("values", "the values are too large to bound their error")
		return nil
	}
	return v
}

// split has the states of a set worked on in pieces, on all cores. Pieces are numbered from 0 in the
// order of their states, and there are at most GOMAXPROCS.
func split(set sparse.Bitset, work func(piece int, set func(yield func(uint32) bool))) {
	const words = 1 << 8 // of a bitset, in a piece that is worth a goroutine
	pieces := min(runtime.GOMAXPROCS(0), 1+len(set)/words)
	var wait sync.WaitGroup
	for p := range pieces {
		from, to := len(set)*p/pieces, len(set)*(p+1)/pieces
		wait.Go(func() {
			work(p, func(yield func(uint32) bool) {
				set[from:to].All()(func(i uint32) bool { return yield(uint32(from)*64 + i) })
			})
		})
	}
	wait.Wait()
}

// residual returns a bound of ρ, +Inf when there is none.
func (v *values) residual() float64 {
	greatest := make([]float64, runtime.GOMAXPROCS(0))
	split(v.k.relevant, func(piece int, set func(yield func(uint32) bool)) {
		for s := range set {
			greatest[piece] = max(greatest[piece], v.backup(s).sub(point(v.of[s])).size())
		}
	})
	if r := slices.Max(greatest); !math.IsNaN(r) {
		return r
	}
	return math.Inf(1)
}

// open returns the pairs of a policy's choice and another one, in the states of a set, for which
// intervals do not prove Q*(policy) - Q*(other) ≥ least(other); where that is at most 0, only those that do
// not lead alike either (see sameRow). In increasing order.
func (v *values) open(set sparse.Bitset, policy func(s uint32) uint32, least func(other uint32) float64, group func(target uint32) uint32) []Pair {
	found := make([][]Pair, runtime.GOMAXPROCS(0))
	split(set, func(piece int, set func(yield func(uint32) bool)) {
		for s := range set {
			lo, hi := v.k.m.Choices(s)
			if hi-lo < 2 {
				continue
			}
			taken := policy(s)
			best := v.expectation(taken).sub(point(v.slack))
			for a := lo; a < hi; a++ {
				if a == taken {
					continue
				}
				if eps := least(a); !(best.sub(v.expectation(a)).lo() >= eps) && !(eps <= 0 && v.k.sameRow(taken, a, group)) {
					found[piece] = append(found[piece], Pair{s, taken, a})
				}
			}
		}
	})
	return slices.Concat(found...)
}

// expectation returns bounds of γ Σ p v over the branches of a choice. It is add and times of
// intervals, in one loop.
func (v *values) expectation(choice uint32) interval {
	m := v.k.m
	sum, e := 0.0, 0.0
	targets, probabilities := m.Targets(choice), m.Probabilities(choice)
	for i, target := range targets {
		p, x := probabilities[i], v.of[target]
		y := p * x
		if math.Abs(y) < tiny && p != 0 && x != 0 {
			e += tinyError
		} else {
			e += math.Abs(math.FMA(p, x, -y))
		}
		s := sum + y
		t := s - sum
		e += math.Abs((sum - (s - t)) + (y - t))
		sum = s
	}
	return interval{sum, e * (1 + float64(len(targets))*0x1p-50)}.times(v.k.c.Question.Discount)
}

// backup returns bounds of θ + max γ Σ p v.
func (v *values) backup(s uint32) interval {
	lo, hi := v.k.m.Choices(s)
	if lo == hi {
		return v.k.theta(s)
	}
	best := v.expectation(lo)
	for a := lo + 1; a < hi; a++ {
		best = best.greater(v.expectation(a))
	}
	return best.add(v.k.theta(s))
}

// gap returns bounds of γ Σ (P(a)-P(b)) v.
func (v *values) gap(a, b uint32) interval {
	return v.expectation(a).sub(v.expectation(b))
}

// exactlyAtLeast reports whether exact arithmetic proves Q*(a) - Q*(b) ≥ least.
func (v *values) exactlyAtLeast(a, b uint32, least float64) bool {
	if v.gap(a, b).hi() < least || !v.decide() {
		return false
	}
	return v.gapExact(a, b).Cmp(new(big.Rat).Add(rat(least), v.exact)) >= 0
}

// gapBelow reports whether Q*(a) - Q*(b) < most is proved.
func (v *values) gapBelow(a, b uint32, most float64) bool {
	if v.gap(a, b).add(point(v.slack)).hi() < most {
		return true
	}
	if v.gap(a, b).lo() >= most || !v.decide() {
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
		r := v.backupExact(s)
		r.Sub(r, rat(v.of[s]))
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
	x := v.expectationExact(a)
	return x.Sub(x, v.expectationExact(b))
}

func (v *values) expectationExact(choice uint32) *big.Rat {
	m := v.k.m
	sum := new(big.Rat)
	probabilities := m.Probabilities(choice)
	for i, t := range m.Targets(choice) {
		sum.Add(sum, new(big.Rat).Mul(rat(probabilities[i]), rat(v.of[t])))
	}
	return sum.Mul(sum, rat(v.k.c.Question.Discount))
}

func (v *values) backupExact(s uint32) *big.Rat {
	theta := v.k.thetaExact(s)
	lo, hi := v.k.m.Choices(s)
	if lo == hi {
		return new(big.Rat).Set(theta)
	}
	best := v.expectationExact(lo)
	for a := lo + 1; a < hi; a++ {
		if q := v.expectationExact(a); q.Cmp(best) > 0 {
			best = q
		}
	}
	return best.Add(best, theta)
}

// byTarget and byClass say what branches of equal rows have in common: their target, or the class
// of their target, where None drops the branch.
func (k *checker) byTarget(target uint32) uint32 { return target }

func (k *checker) byClass(target uint32) uint32 {
	if c := k.c.Classes[k.position[target]]; c != 0 {
		return c
	}
	return sparse.None
}
