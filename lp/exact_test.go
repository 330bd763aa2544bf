package lp_test

import (
	"math/big"
	"slices"

	"offswitch/lp"
	"offswitch/lp/check"
)

// exactRow is a row of an exactProgram: coefficients, and whether their sum is to be the right side, or at least that.
type exactRow struct {
	a     []*big.Rat
	equal bool
	b     *big.Rat
}

func newExactRow(columns int) exactRow {
	r := exactRow{make([]*big.Rat, columns), false, new(big.Rat)}
	for j := range r.a {
		r.a[j] = new(big.Rat)
	}
	return r
}

// exactOptimum maximises cost·x over rows and x ≥ 0, by the simplex method over the rationals with Bland's rule.
// It returns nil where no x meets the rows; the program must not be unbounded.
func exactOptimum(rows []exactRow, cost []*big.Rat) *big.Rat {
	n, m := len(cost), len(rows)
	columns := n + 2*m // x, surpluses, what rows lack
	t := make([][]*big.Rat, m)
	basis := make([]int, m)
	for i, r := range rows {
		t[i] = newExactRow(columns + 1).a
		for j, x := range r.a {
			t[i][j].Set(x)
		}
		if !r.equal {
			t[i][n+i].SetInt64(-1)
		}
		t[i][columns].Set(r.b)
		if r.b.Sign() < 0 || r.b.Sign() == 0 && !r.equal {
			for _, x := range t[i] {
				x.Neg(x)
			}
		}
		basis[i] = n + m + i
		if t[i][n+i].Sign() > 0 {
			basis[i] = n + i
		} else {
			t[i][n+m+i].SetInt64(1)
		}
	}
	product := new(big.Rat)
	subtract := func(row, pivot []*big.Rat, factor *big.Rat) {
		for j, x := range pivot {
			if x.Sign() != 0 {
				row[j].Sub(row[j], product.Mul(factor, x))
			}
		}
	}
	pivot := func(z []*big.Rat, i, j int) {
		inverse := new(big.Rat).Inv(t[i][j])
		for _, x := range t[i] {
			x.Mul(x, inverse)
		}
		for k := range t {
			if k != i && t[k][j].Sign() != 0 {
				subtract(t[k], t[i], new(big.Rat).Set(t[k][j]))
			}
		}
		if z != nil && z[j].Sign() != 0 {
			subtract(z, t[i], new(big.Rat).Set(z[j]))
		}
		basis[i] = j
	}
	maximise := func(cost []*big.Rat, limit int) *big.Rat {
		z := newExactRow(columns + 1).a
		for j, c := range cost {
			z[j].Set(c)
		}
		for i, b := range basis {
			if z[b].Sign() != 0 {
				subtract(z, t[i], new(big.Rat).Set(z[b]))
			}
		}
		for {
			in := 0
			for in < limit && z[in].Sign() <= 0 {
				in++
			}
			if in == limit {
				return new(big.Rat).Neg(z[columns])
			}
			out := -1
			var least *big.Rat
			for i := range t {
				if t[i][in].Sign() > 0 {
					ratio := new(big.Rat).Quo(t[i][columns], t[i][in])
					if out < 0 || ratio.Cmp(least) < 0 || ratio.Cmp(least) == 0 && basis[i] < basis[out] {
						out, least = i, ratio
					}
				}
			}
			if out < 0 {
				panic("unbounded")
			}
			pivot(z, out, in)
		}
	}
	lack := newExactRow(columns).a
	for j := n + m; j < columns; j++ {
		lack[j].SetInt64(-1)
	}
	if maximise(lack, columns).Sign() != 0 {
		return nil
	}
	for i := range t {
		if basis[i] < n+m {
			continue
		}
		for j := range n + m {
			if t[i][j].Sign() != 0 {
				pivot(nil, i, j)
				break
			}
		}
	}
	return maximise(cost, n+m)
}

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
		e.add(-1).a[s].SetInt64(-1)
		if ties == nil || ties[s] == s && s != none {
			continue
		}
		tie := e.add(0)
		tie.equal = true
		tie.a[s].SetInt64(1)
		if ties[s] != none {
			tie.a[ties[s]].SetInt64(-1)
		}
	}
	margin := e.add(g.Margin)
	margin.equal = !findMargin
	margin.a[2*n].SetInt64(1)
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
				r.a[2*n].SetInt64(-1)
			}
		}
		e.rows = append(e.rows, rows...)
	}
	for i := range g.Constraints {
		c := &g.Constraints[i]
		r := e.add(0)
		for _, k := range c.Constants {
			r.b.Sub(r.b, new(big.Rat).SetFloat64(k))
		}
		for _, x := range c.Terms {
			r.a[x.State].Add(r.a[x.State], new(big.Rat).SetFloat64(x.Coefficient))
		}
		if r.equal = c.Sense == check.Equal; c.Sense == check.AtMost {
			for _, x := range append(r.a, r.b) {
				x.Neg(x)
			}
		}
	}
	return e
}

// add adds a row without entries.
func (e *exactSystem) add(b float64) *exactRow {
	r := newExactRow(e.columns)
	r.b.SetFloat64(b)
	e.rows = append(e.rows, r)
	return &e.rows[len(e.rows)-1]
}

// choice returns v - θ - γ Σ p v of a choice, or v - θ where a state is terminal.
func (e *exactSystem) choice(g lp.GoalSet, s, choice uint32) exactRow {
	m, n := g.Model, g.Model.NumStates()
	r := newExactRow(e.columns)
	r.a[n+int(s)].SetInt64(1)
	r.a[s].SetInt64(-1)
	if m.Terminal(s) {
		return r
	}
	probabilities := m.Probabilities(choice)
	for i, to := range m.Targets(choice) {
		p := new(big.Rat).SetFloat64(probabilities[i])
		x := r.a[n+int(to)]
		x.Sub(x, p.Mul(p, new(big.Rat).SetFloat64(g.Discount)))
	}
	return r
}

func equalEntries(x, y *exactRow) bool {
	return slices.EqualFunc(x.a, y.a, func(x, y *big.Rat) bool { return x.Cmp(y) == 0 })
}

// optimum maximises sign times a column, nil where the goal set is empty.
func (e *exactSystem) optimum(column int, sign int64) *big.Rat {
	cost := newExactRow(e.columns).a
	cost[column].SetInt64(sign)
	x := exactOptimum(e.rows, cost)
	if x != nil && sign < 0 {
		x.Neg(x)
	}
	return x
}
