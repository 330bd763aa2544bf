package check

import (
	"cmp"
	"math/big"
	"slices"

	"offswitch/sparse"
)

// weight is a branch: where it leads, and its probability, negative for the second of two rows.
type weight struct {
	to uint32
	p  float64
}

// sameRow reports whether two choices lead with the same total probability to each group of
// targets; group gives the group of a target, None for targets that do not count.
func (k *checker) sameRow(a, b uint32, group func(target uint32) uint32) bool {
	x, y := k.m.Targets(a), k.m.Targets(b)
	if len(x) == 1 && len(y) == 1 {
		g := group(x[0])
		return g == group(y[0]) && (g == sparse.None || k.m.Probabilities(a)[0] == k.m.Probabilities(b)[0])
	}
	row := make([]weight, 0, 16) // on the stack, but for long rows
	add := func(choice uint32, sign float64) {
		probabilities := k.m.Probabilities(choice)
		for i, t := range k.m.Targets(choice) {
			if g := group(t); g != sparse.None {
				row = append(row, weight{g, sign * probabilities[i]})
			}
		}
	}
	add(a, 1)
	add(b, -1)
	slices.SortFunc(row, func(x, y weight) int { return cmp.Compare(x.to, y.to) })
	for len(row) > 0 {
		n := 1
		for n < len(row) && row[n].to == row[0].to {
			n++
		}
		if !sumsToZero(row[:n]) {
			return false
		}
		row = row[n:]
	}
	return true
}

// sumsToZero reports whether the weights sum to exactly 0.
func sumsToZero(row []weight) bool {
	sum := point(0)
	for _, w := range row {
		sum = sum.add(point(w.p))
	}
	if sum.e == 0 || sum.lo() > 0 || sum.hi() < 0 {
		return sum == point(0)
	}
	exact := new(big.Rat)
	for _, w := range row {
		exact.Add(exact, rat(w.p))
	}
	return exact.Sign() == 0
}

// classes checks the policy σ and the classes of a certificate, and so proves that σ is optimal.
// It reports what it finds wrong; a certificate without them is not wrong, but proves no ties.
func (k *checker) classes(v *values) bool {
	c := k.c
	if c.Sigma == nil && c.Classes == nil {
		return false
	}
	if len(c.Sigma) != len(k.states) || len(c.Classes) != len(k.states) {
		k.fail("class", "%d choices and %d classes, want %d of each", len(c.Sigma), len(c.Classes), len(k.states))
		return false
	}
	before := len(k.found) + k.more
	for s := range k.relevant.All() {
		lo, hi := k.m.Choices(s)
		sigma := c.Sigma[k.position[s]]
		switch {
		case lo == hi && sigma != -1, lo < hi && (sigma < int64(lo) || sigma >= int64(hi)):
			k.fail("class", "%s has no choice %d", k.name(s), sigma)
		case lo < hi && k.train.Has(s) && uint32(sigma) != k.taken[s]:
			k.fail("class", "%s: choice %s is not the taken one", k.name(s), k.m.ActionName(uint32(sigma)))
		}
	}
	if len(k.found)+k.more > before {
		return false
	}
	first := make([]uint32, k.m.NumStates()+1) // 1 + the first state of each class
	for s := range k.relevant.All() {
		class := c.Classes[k.position[s]]
		if class >= uint32(len(first)) {
			k.fail("class", "%s is in class %d, but %d states have no more classes than that", k.name(s), class, k.m.NumStates())
			continue
		}
		if first[class] == 0 {
			first[class] = 1 + s
		} else if r := first[class] - 1; class != 0 && !k.alike(s, r) {
			k.fail("class", "%s and %s are in class %d but differ", k.name(s), k.name(r), class)
		}
		if class == 0 && !k.worthless(s) {
			k.fail("class", "%s is in the class of value 0 but earns or leaves it", k.name(s))
		}
	}
	if len(k.found)+k.more > before {
		return false
	}
	for _, p := range v.open(k.relevant, k.sigma, func(uint32) float64 { return 0 }, k.byClass) {
		if !v.exactlyAtLeast(p.Taken, p.Untaken, 0) && !k.enough() {
			k.fail("class", "%s: choice %s is neither tied with choice %s nor proved worse: value difference %s, error bound %.3g",
				k.name(p.State), k.m.ActionName(p.Untaken), k.m.ActionName(p.Taken), v.gap(p.Taken, p.Untaken), v.slack)
		}
	}
	return len(k.found)+k.more == before
}

// alike reports whether two states have the same reward and lead alike under σ.
func (k *checker) alike(s, t uint32) bool {
	if !k.sameTheta(s, t) || k.m.Terminal(s) != k.m.Terminal(t) {
		return false
	}
	return k.m.Terminal(s) || k.sameRow(k.sigma(s), k.sigma(t), k.byClass)
}

// worthless reports whether a state earns 0 and leads only to class 0 under σ.
func (k *checker) worthless(s uint32) bool {
	if k.thetaExact(s).Sign() != 0 {
		return false
	}
	if k.m.Terminal(s) {
		return true
	}
	for _, t := range k.m.Targets(k.sigma(s)) {
		if k.byClass(t) != sparse.None {
			return false
		}
	}
	return true
}

func (k *checker) sigma(s uint32) uint32 { return uint32(k.c.Sigma[k.position[s]]) }
