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
func (w *worker) sameRow(a, b uint32, group func(target uint32) uint32) bool {
	m := w.k.m
	x, y := m.Targets(a), m.Targets(b)
	if len(x) == 1 && len(y) == 1 {
		from, _ := m.Branches(a)
		to, _ := m.Branches(b)
		g := group(x[0])
		return g == group(y[0]) && (g == sparse.None || m.Probability(from) == m.Probability(to))
	}
	row := w.addRow(w.addRow(w.row[:0], a, 1, group), b, -1, group)
	w.row = row
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

// addRow appends the branches of a choice to a row.
func (w *worker) addRow(row []weight, choice uint32, sign float64, group func(target uint32) uint32) []weight {
	w.p = w.k.probabilities(choice, w.p)
	for i, t := range w.k.m.Targets(choice) {
		if g := group(t); g != sparse.None {
			row = append(row, weight{g, sign * w.p[i]})
		}
	}
	return row
}

// sumsToZero reports whether the weights sum to exactly 0.
func sumsToZero(row []weight) bool {
	sum := point(0)
	for _, w := range row {
		sum = sum.add(point(w.p))
	}
	if sum.lo == sum.hi || sum.lo > 0 || sum.hi < 0 {
		return sum.lo == 0 && sum.hi == 0
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
	first := make([]uint32, k.m.NumStates()+1) // by class: 1 + its first state
	for s := range k.relevant.All() {
		lo, hi := k.m.Choices(s)
		sigma, class := c.Sigma[k.position[s]], c.Classes[k.position[s]]
		switch {
		case lo == hi && sigma != -1, lo < hi && (sigma < int64(lo) || sigma >= int64(hi)):
			k.fail("class", "%s has no choice %d", k.name(s), sigma)
		case lo < hi && k.train.Has(s) && uint32(sigma) != k.taken[s]:
			k.fail("class", "%s: choice %d is not the taken one", k.name(s), sigma)
		case int(class) >= len(first):
			k.fail("class", "%s has class %d, want a number from 0 to the number of states", k.name(s), class)
		case first[class] == 0:
			first[class] = s + 1
		}
	}
	if len(k.found)+k.more > before {
		return false
	}
	for _, wrong := range eachWorker(k, func(w *worker, lo, hi uint32) []uint32 {
		var wrong []uint32
		for s := lo; s < hi; s++ {
			if !k.relevant.Has(s) {
				continue
			}
			class := c.Classes[k.position[s]]
			if class == 0 && !k.worthless(s) || class != 0 && first[class] != s+1 && !w.alike(s, first[class]-1) {
				wrong = append(wrong, s)
			}
		}
		return wrong
	}) {
		for _, s := range wrong {
			switch class := c.Classes[k.position[s]]; {
			case k.full():
			case class == 0:
				k.fail("class", "%s is in the class of value 0 but earns or leaves it", k.name(s))
			default:
				k.fail("class", "%s and %s are in class %d but differ", k.name(s), k.name(first[class]-1), class)
			}
		}
	}
	if len(k.found)+k.more > before {
		return false
	}
	enough := v.enough(0)
	for _, p := range k.eachPair(k.relevant, func(w *worker, s, a uint32) bool {
		sigma := k.sigma(s)
		return a == sigma || v.difference(w, sigma, a) >= enough || w.sameRow(a, sigma, k.byClass)
	}) {
		sigma := k.sigma(p.state)
		if v.atLeast(sigma, p.choice, 0) || k.full() {
			continue
		}
		k.fail("class", "%s: choice %d is neither tied with choice %d nor proved worse: value difference %s, error bound %.3g",
			k.name(p.state), p.choice, sigma, v.gap(sigma, p.choice), v.bound())
	}
	return len(k.found)+k.more == before
}

// alike reports whether two states have the same reward and lead alike under σ.
func (w *worker) alike(s, t uint32) bool {
	k := w.k
	if !k.sameTheta(s, t) || k.m.Terminal(s) != k.m.Terminal(t) {
		return false
	}
	return k.m.Terminal(s) || w.sameRow(k.sigma(s), k.sigma(t), k.byClass)
}

// worthless reports whether a state earns 0 and leads only to class 0 under σ.
func (k *checker) worthless(s uint32) bool {
	if k.c.Theta[k.position[s]] != 0 || k.exactTheta[s] != nil && k.exactTheta[s].Sign() != 0 {
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
