package lptest

import (
	"math/big"

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

// atMost is a condition a·θ ≤ b.
type atMost struct {
	a []*big.Rat
	b *big.Rat
}

func newAtMost(n int) atMost {
	c := atMost{make([]*big.Rat, n), new(big.Rat)}
	for s := range c.a {
		c.a[s] = new(big.Rat)
	}
	return c
}

// negated returns a·θ ≥ b.
func (c atMost) negated() atMost {
	d := newAtMost(len(c.a))
	for s, x := range c.a {
		d.a[s].Neg(x)
	}
	d.b.Neg(c.b)
	return d
}

// optimalRows returns the conditions for a policy to be optimal, by the margins in S_train.
func (e *Exact) optimalRows(policy []uint32, relevant []bool) []atMost {
	m, n := e.g.Model, len(policy)
	values := make([][]*big.Rat, n) // of a reward of 1 in one state
	for s := range values {
		unit := make([]float64, n)
		unit[s] = 1
		values[s] = Evaluate(m, policy, e.g.Discount, Rationals(unit))
	}
	var rows []atMost
	for i := range relevant {
		s := uint32(i)
		lo, hi := m.Choices(s)
		for a := lo; a < hi; a++ {
			if !relevant[s] || a == policy[s] {
				continue
			}
			c := newAtMost(n)
			for t := range values {
				e.Values = values[t]
				c.a[t].Sub(e.Q(a), e.Q(policy[s]))
			}
			if e.g.Train.Has(s) {
				c.b.Neg(e.margin(a))
			}
			rows = append(rows, c)
		}
	}
	return rows
}

// allowedRows returns the conditions of the box, the constraints and the features.
func (e *Exact) allowedRows() []atMost {
	n := e.g.Model.NumStates()
	var rows []atMost
	equal := func(s, t int) {
		c := newAtMost(n)
		c.a[s].SetInt64(1)
		c.a[t].Sub(c.a[t], big.NewRat(1, 1))
		rows = append(rows, c, c.negated())
	}
	matters := e.matters()
	zero := e.featureless(matters)
	lower, upper := Box(e.g)
	first := make(map[string]int)
	for s := range n {
		least, most := newAtMost(n), newAtMost(n)
		least.a[s].SetInt64(-1)
		most.a[s].SetInt64(1)
		if matters[s] && !zero[s] {
			least.b.SetFloat64(-lower)
			most.b.SetFloat64(upper)
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
		c := newAtMost(n)
		for _, k := range x.Constants {
			c.b.Sub(c.b, new(big.Rat).SetFloat64(k))
		}
		for _, t := range x.Terms {
			c.a[t.State].Add(c.a[t.State], new(big.Rat).SetFloat64(t.Coefficient))
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
		rows = append(rows, c.negated())
	}
	return rows
}

// solvable reports whether conditions have a solution, by the dual simplex method with Bland's rule. Each θ is the
// difference of two variables of at least 0.
func solvable(rows []atMost) bool {
	n := len(rows[0].a)
	columns := 2 * n
	d := make([][]*big.Rat, len(rows)) // basic = d[last] - Σ d[j]·nonbasic
	basic, nonbasic := make([]int, len(rows)), make([]int, columns)
	for j := range nonbasic {
		nonbasic[j] = j
	}
	for i, r := range rows {
		basic[i] = columns + i
		d[i] = make([]*big.Rat, columns+1)
		for s := range n {
			d[i][2*s] = new(big.Rat).Set(r.a[s])
			d[i][2*s+1] = new(big.Rat).Neg(r.a[s])
		}
		d[i][columns] = new(big.Rat).Set(r.b)
	}
	for {
		leaves := -1
		for i := range d {
			if d[i][columns].Sign() < 0 && (leaves < 0 || basic[i] < basic[leaves]) {
				leaves = i
			}
		}
		if leaves < 0 {
			return true
		}
		row, enters := d[leaves], -1
		for j := range nonbasic {
			if row[j].Sign() < 0 && (enters < 0 || nonbasic[j] < nonbasic[enters]) {
				enters = j
			}
		}
		if enters < 0 {
			return false
		}
		inverse := new(big.Rat).Inv(row[enters])
		row[enters] = big.NewRat(1, 1)
		for j := range row {
			row[j].Mul(row[j], inverse)
		}
		for i := range d {
			f := d[i][enters]
			if i == leaves || f.Sign() == 0 {
				continue
			}
			d[i][enters] = new(big.Rat)
			for j := range row {
				if row[j].Sign() != 0 {
					d[i][j].Sub(d[i][j], new(big.Rat).Mul(f, row[j]))
				}
			}
		}
		basic[leaves], nonbasic[enters] = nonbasic[enters], basic[leaves]
	}
}
