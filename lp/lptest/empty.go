package lptest

import (
	"math/big"
	"slices"

	"offswitch/lp"
	"offswitch/sparse"
)

// Empty reports whether a goal set has no member, the slow and obvious way: with each policy of the relevant states
// that agrees with training, it asks for a reward for which that is optimal, in exact arithmetic.
func Empty(g lp.GoalSet) bool {
	e := &Exact{g: g}
	m := g.Model
	policy := make([]uint32, m.NumStates())
	var free []uint32
	relevant := e.relevant()
	for s := range policy {
		lo, hi := m.Choices(uint32(s))
		switch {
		case lo == hi:
			policy[s] = sparse.None
		case g.Train.Has(uint32(s)):
			policy[s] = g.Policy[s]
		default:
			if policy[s] = lo; relevant[s] {
				free = append(free, uint32(s))
			}
		}
	}
	allowed := e.allowedRows()
	for {
		if solvable(append(e.optimalRows(policy, relevant), allowed...)) {
			return false
		}
		i := 0
		for ; i < len(free); i++ {
			lo, hi := m.Choices(free[i])
			if policy[free[i]]++; policy[free[i]] < hi {
				break
			}
			policy[free[i]] = lo
		}
		if i == len(free) {
			return true
		}
	}
}

// optimalRows returns the conditions for a policy to be optimal, by the margins in S_train.
func (e *Exact) optimalRows(policy []uint32, relevant []bool) []AtMost {
	m, n := e.g.Model, len(policy)
	values := make([][]*big.Rat, n) // of a reward of 1 in one state
	for s := range values {
		unit := make([]float64, n)
		unit[s] = 1
		values[s] = Evaluate(m, policy, e.g.Discount, Rationals(unit))
	}
	var rows []AtMost
	for i := range relevant {
		s := uint32(i)
		lo, hi := m.Choices(s)
		for a := lo; a < hi; a++ {
			if !relevant[s] || a == policy[s] {
				continue
			}
			c := NewAtMost(n)
			for t := range values {
				e.Values = values[t]
				c.A[t].Sub(e.Q(a), e.Q(policy[s]))
			}
			if e.g.Train.Has(s) {
				c.B.Neg(e.margin(a))
			}
			rows = append(rows, c)
		}
	}
	return rows
}

// allowedRows returns the conditions of the box, the constraints and the features.
func (e *Exact) allowedRows() []AtMost {
	n := e.g.Model.NumStates()
	var rows []AtMost
	equal := func(s, t int) {
		c := NewAtMost(n)
		c.A[s].SetInt64(1)
		c.A[t].Sub(c.A[t], big.NewRat(1, 1))
		rows = append(rows, c, c.Negated())
	}
	matters := e.matters()
	zero := e.featureless(matters)
	lower, upper := Box(e.g)
	first := make(map[string]int)
	for s := range n {
		least, most := NewAtMost(n), NewAtMost(n)
		least.A[s].SetInt64(-1)
		most.A[s].SetInt64(1)
		if matters[s] && !zero[s] {
			least.B.SetFloat64(-lower)
			most.B.SetFloat64(upper)
		}
		rows = append(rows, least, most)
		if e.g.Features != nil && matters[s] && !zero[s] {
			key := e.features(uint32(s))
			if t, ok := first[key]; ok {
				equal(s, t)
			}
			first[key] = s
		}
	}
	for i := range e.g.Constraints {
		x := &e.g.Constraints[i]
		c := NewAtMost(n)
		for _, k := range x.Constants {
			c.B.Sub(c.B, new(big.Rat).SetFloat64(k))
		}
		for _, t := range x.Terms {
			c.A[t.State].Add(c.A[t.State], new(big.Rat).SetFloat64(t.Coefficient))
			for s := range t.Label.All() {
				if s != t.State {
					equal(int(s), int(t.State))
				}
			}
		}
		if sense := x.Sense.String(); sense != ">=" {
			rows = append(rows, c)
			if sense == "<=" {
				continue
			}
		}
		rows = append(rows, c.Negated())
	}
	return rows
}

// solvable reports whether some θ meets conditions. Each is the difference of two variables of at least 0.
func solvable(rows []AtMost) bool {
	n := len(rows[0].A)
	split := make([]AtMost, len(rows))
	for i, r := range rows {
		split[i] = AtMost{slices.Concat(r.A, r.Negated().A), r.B}
	}
	return Optimum(split, NewAtMost(2*n).A) != nil
}
