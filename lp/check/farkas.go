package check

import (
	"fmt"
	"math/big"
	"slices"
)

// infeasible checks a Farkas certificate: see "no for every reward" in the package comment.
func (k *checker) infeasible() {
	if lo, hi := k.valueBounds(); !finite(lo) || !finite(hi) {
		k.fail("farkas", "values have no finite bounds in this box at this discount")
		return
	}
	cases := k.c.Cases
	if len(cases) == 0 {
		k.contradiction("", &k.c.Multipliers, nil)
		return
	}
	if len(cases) > MaxCases {
		k.fail("cases", "there are %d cases, want at most %d", len(cases), MaxCases)
		return
	}
	if y := &k.c.Multipliers; len(y.Choices)+len(y.ChoiceY)+len(y.Terminals)+len(y.TerminalY)+len(y.ConstraintY) > 0 {
		k.fail("cases", "there are multipliers beside those of the %d cases", len(cases))
	}
	for i := range cases {
		k.assumed(i)
	}
	if len(k.found) > 0 {
		return
	}
	if !k.covered(cases, 0) {
		k.fail("cases", "the %d cases are not, in order, those of each choice of one state after the other", len(cases))
		return
	}
	for i := range cases {
		k.contradiction(fmt.Sprintf("case %d: ", i), &cases[i].Multipliers, cases[i].Best)
	}
}

// assumed checks that the choices that a case assumes to be best have rows to be best in.
func (k *checker) assumed(i int) {
	best := k.c.Cases[i].Best
	if len(best) > MaxBest {
		k.fail("cases", "case %d assumes %d choices to be best, want at most %d", i, len(best), MaxBest)
		return
	}
	for _, a := range best {
		if a >= uint32(k.m.NumChoices()) {
			k.fail("cases", "case %d: choice %d is out of range", i, a)
		} else if s := k.m.ChoiceState(a); !k.relevant.Has(s) || k.train.Has(s) {
			k.fail("cases", "case %d: %s is in S_train, or S_train does not reach it", i, k.name(s))
		}
	}
}

// covered reports whether cases that agree on the first choices leave nothing out: there is one alone, which
// assumes no more, or there are some, in order, for each choice of one more state.
func (k *checker) covered(cases []Case, agree int) bool {
	if len(cases) == 1 && len(cases[0].Best) == agree {
		return true
	}
	if len(cases) == 0 || len(cases[0].Best) == agree {
		return false
	}
	lo, hi := k.m.Choices(k.m.ChoiceState(cases[0].Best[agree]))
	for a := lo; a < hi; a++ {
		n := 0
		for n < len(cases) && len(cases[n].Best) > agree && cases[n].Best[agree] == a {
			n++
		}
		if !k.covered(cases[:n], agree+1) {
			return false
		}
		cases = cases[n:]
	}
	return len(cases) == 0
}

// contradiction checks the multipliers of a case of some name, in which some choices are best.
func (k *checker) contradiction(name string, c *Multipliers, best []uint32) {
	before := len(k.found) + k.more
	if len(c.Choices) != len(c.ChoiceY) || len(c.Terminals) != len(c.TerminalY) {
		k.fail("farkas", name+"%d multipliers for %d choices, %d for %d terminal states", len(c.ChoiceY), len(c.Choices), len(c.TerminalY), len(c.Terminals))
		return
	}
	if len(c.ConstraintY) != len(k.constraints) {
		k.fail("farkas", name+"%d multipliers for %d constraints", len(c.ConstraintY), len(k.constraints))
		return
	}
	for i, a := range c.Choices {
		if a >= uint32(k.m.NumChoices()) || i > 0 && c.Choices[i-1] >= a {
			k.fail("farkas", name+"choice %d is out of range or out of order", a)
			continue
		}
		s := k.m.ChoiceState(a)
		if !k.relevant.Has(s) {
			k.fail("farkas", name+"choice %s of %s has no row: S_train does not reach it", k.m.ActionName(a), k.name(s))
		}
		lo, hi := k.m.Choices(s)
		if !finite(c.ChoiceY[i]) || c.ChoiceY[i] < 0 && a != k.taken[s] && hi-lo > 1 && !slices.Contains(best, a) {
			k.fail("farkas", name+"choice %s of %s has multiplier %v, want a number of at least 0", k.m.ActionName(a), k.name(s), c.ChoiceY[i])
		}
	}
	for i, s := range c.Terminals {
		if s >= uint32(k.m.NumStates()) || i > 0 && c.Terminals[i-1] >= s || !k.relevant.Has(s) || !k.m.Terminal(s) {
			k.fail("farkas", name+"state #%d has no row as a terminal state that S_train reaches, or is out of order", s)
		}
		if !finite(c.TerminalY[i]) {
			k.fail("farkas", name+"state #%d has multiplier %v", s, c.TerminalY[i])
		}
	}
	for i, y := range c.ConstraintY {
		sense := k.constraints[i].Sense
		if !finite(y) || sense == AtLeast && y < 0 || sense == AtMost && y > 0 {
			k.fail("farkas", name+"constraint %s has multiplier %v, which is of the wrong sign or no number", k.constraints[i].Text, y)
		}
	}
	if len(k.found)+k.more > before {
		return
	}
	excess := k.farkas(c)
	if excess.lo() > 0 {
		return
	}
	if excess.hi() > 0 && k.branches*max(1, len(k.c.Cases)) <= ExactBranches && k.farkasExact(c).Sign() > 0 {
		return
	}
	k.fail("farkas", name+"the multipliers give yᵀb - max (yᵀA)x = %s, want more than 0", excess)
}

// root returns the state whose column a state's reward shares.
func (k *checker) root(s uint32) uint32 {
	if k.ties != nil {
		return k.ties[s]
	}
	return s
}

// valueBounds returns bounds of v: min(l, l/(1-β)) and max(u, u/(1-β)), rounded outwards.
func (k *checker) valueBounds() (lo, hi float64) {
	q := k.c.Question
	if k.features != nil {
		q.Lower, q.Upper = min(q.Lower, 0), max(q.Upper, 0)
	}
	rest := point(1).sub(point(k.modulus)).lo()
	return min(q.Lower, below(q.Lower/rest)), max(q.Upper, above(q.Upper/rest))
}

// farkas returns bounds of yᵀb - max (yᵀA)x.
func (k *checker) farkas(c *Multipliers) interval {
	q := &k.c.Question
	value := make([]interval, len(k.states))  // yᵀA of v
	reward := make([]interval, len(k.states)) // yᵀA of θ
	b := point(0)
	add := func(z []interval, s uint32, x interval) {
		at := k.position[s]
		z[at] = z[at].add(x)
	}
	for i, a := range c.Choices {
		s, y := k.m.ChoiceState(a), c.ChoiceY[i]
		add(value, s, point(y))
		add(reward, k.root(s), point(-y))
		discounted := point(q.Discount).times(-y)
		probabilities := k.m.Probabilities(a)
		for j, t := range k.m.Targets(a) {
			add(value, t, discounted.times(probabilities[j]))
		}
		if k.train.Has(s) && a != k.taken[s] {
			b = b.add(point(k.margin(a)).times(y))
		}
	}
	for i, s := range c.Terminals {
		add(value, s, point(c.TerminalY[i]))
		add(reward, k.root(s), point(-c.TerminalY[i]))
	}
	for i, y := range c.ConstraintY {
		for _, t := range k.constraints[i].Terms {
			add(reward, k.root(t.State), point(t.Coefficient).times(y))
		}
		for _, x := range k.constraints[i].Constants {
			b = b.sub(point(x).times(y))
		}
	}
	lo, hi := k.valueBounds()
	for i, s := range k.states {
		b = b.sub(greatest(value[i], lo, hi))
		if !k.zero(s) {
			b = b.sub(greatest(reward[i], q.Lower, q.Upper))
		}
	}
	return b
}

// greatest returns bounds of the greatest z·x over x in lo..hi.
func greatest(z interval, lo, hi float64) interval {
	return z.times(lo).greater(z.times(hi))
}

// farkasExact is farkas in exact arithmetic.
func (k *checker) farkasExact(c *Multipliers) *big.Rat {
	q := &k.c.Question
	value, reward := make([]big.Rat, len(k.states)), make([]big.Rat, len(k.states))
	b := new(big.Rat)
	add := func(z []big.Rat, s uint32, x *big.Rat) {
		at := k.position[s]
		z[at].Add(&z[at], x)
	}
	times := func(x *big.Rat, y float64) *big.Rat { return new(big.Rat).Mul(x, rat(y)) }
	for i, a := range c.Choices {
		s, y := k.m.ChoiceState(a), c.ChoiceY[i]
		add(value, s, rat(y))
		add(reward, k.root(s), rat(-y))
		discounted := times(rat(q.Discount), -y)
		probabilities := k.m.Probabilities(a)
		for j, t := range k.m.Targets(a) {
			add(value, t, times(discounted, probabilities[j]))
		}
		if k.train.Has(s) && a != k.taken[s] {
			b.Add(b, times(rat(k.margin(a)), y))
		}
	}
	for i, s := range c.Terminals {
		add(value, s, rat(c.TerminalY[i]))
		add(reward, k.root(s), rat(-c.TerminalY[i]))
	}
	for i, y := range c.ConstraintY {
		for _, t := range k.constraints[i].Terms {
			add(reward, k.root(t.State), times(rat(t.Coefficient), y))
		}
		for _, x := range k.constraints[i].Constants {
			b.Sub(b, times(rat(x), y))
		}
	}
	lo, hi := k.valueBounds()
	take := func(z *big.Rat, lo, hi float64) {
		x, y := times(z, lo), times(z, hi)
		if x.Cmp(y) < 0 {
			x = y
		}
		b.Sub(b, x)
	}
	for i, s := range k.states {
		take(&value[i], lo, hi)
		if !k.zero(s) {
			take(&reward[i], q.Lower, q.Upper)
		}
	}
	return b
}
