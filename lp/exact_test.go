package lp_test

import (
	"math/big"
	"slices"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/lptest"
)

// exactRow says that A·x is B, or at least B.
type exactRow struct {
	lptest.AtMost
	equal bool
}

func newExactRow(columns int) exactRow { return exactRow{lptest.NewAtMost(columns), false} }

// exactSystem is the linear system of a goal set whose S_train is closed and whose box is [0,1], which has a reward
// for each of its solutions. Every state has a column for θ and one for v, and the last is the margin, which is that of
// the goal set or, if it is to be found, at least that.
type exactSystem struct {
	rows    []exactRow
	columns int
}

func newExactSystem(g lp.GoalSet, findMargin bool) *exactSystem {
	m, n := g.Model, g.Model.NumStates()
	e := &exactSystem{columns: 2*n + 1}
	states := make([]uint32, n)
	for s := range states {
		states[s] = uint32(s)
	}
	ties, none := check.Ties(m, g.Constraints, g.Features, states)
	for s := range uint32(n) {
		e.add(-1).A[s].SetInt64(-1)
		if ties == nil || ties[s] == s && s != none {
			continue
		}
		tie := e.add(0)
		tie.equal = true
		tie.A[s].SetInt64(1)
		if ties[s] != none {
			tie.A[ties[s]].SetInt64(-1)
		}
	}
	margin := e.add(g.Margin)
	margin.equal = !findMargin
	margin.A[2*n].SetInt64(1)
	var rows []exactRow // of the choices of one state
	for s := range g.Relevant().All() {
		lo, hi := m.Choices(s)
		rows = rows[:0]
		for a := lo; a < max(hi, lo+1); a++ {
			rows = append(rows, e.choice(g, s, a))
		}
		for i := range rows {
			r, a := &rows[i], lo+uint32(i)
			switch {
			case lo == hi || g.Train.Has(s) && a == g.Policy[s]:
				r.equal = true
			case g.Train.Has(s) && !(findMargin && equalEntries(r, &rows[g.Policy[s]-lo])):
				r.A[2*n].SetInt64(-1)
			}
		}
		e.rows = append(e.rows, rows...)
	}
	for i := range g.Constraints {
		c := &g.Constraints[i]
		r := e.add(0)
		for _, k := range c.Constants {
			r.B.Sub(r.B, new(big.Rat).SetFloat64(k))
		}
		for _, x := range c.Terms {
			r.A[x.State].Add(r.A[x.State], new(big.Rat).SetFloat64(x.Coefficient))
		}
		if r.equal = c.Sense == check.Equal; c.Sense == check.AtMost {
			for _, x := range append(r.A, r.B) {
				x.Neg(x)
			}
		}
	}
	return e
}

// add adds a row without entries.
func (e *exactSystem) add(b float64) *exactRow {
	r := newExactRow(e.columns)
	r.B.SetFloat64(b)
	e.rows = append(e.rows, r)
	return &e.rows[len(e.rows)-1]
}

// choice returns v - θ - γ Σ p v of a choice, or v - θ where a state is terminal.
func (e *exactSystem) choice(g lp.GoalSet, s, choice uint32) exactRow {
	m, n := g.Model, g.Model.NumStates()
	r := newExactRow(e.columns)
	r.A[n+int(s)].SetInt64(1)
	r.A[s].SetInt64(-1)
	if m.Terminal(s) {
		return r
	}
	probabilities := m.Probabilities(choice)
	for i, to := range m.Targets(choice) {
		p := new(big.Rat).SetFloat64(probabilities[i])
		x := r.A[n+int(to)]
		x.Sub(x, p.Mul(p, new(big.Rat).SetFloat64(g.Discount)))
	}
	return r
}

func equalEntries(x, y *exactRow) bool {
	return slices.EqualFunc(x.A, y.A, func(x, y *big.Rat) bool { return x.Cmp(y) == 0 })
}

// optimum maximises sign times a column, nil where the goal set is empty.
func (e *exactSystem) optimum(column int, sign int64) *big.Rat {
	var conditions []lptest.AtMost
	for _, r := range e.rows {
		if conditions = append(conditions, r.Negated()); r.equal {
			conditions = append(conditions, r.AtMost)
		}
	}
	cost := lptest.NewAtMost(e.columns).A
	cost[column].SetInt64(sign)
	x := lptest.Optimum(conditions, cost)
	if x != nil && sign < 0 {
		x.Neg(x)
	}
	return x
}
