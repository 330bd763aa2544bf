package lp

import (
	"math"
	"sort"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Encoding is the linear system of a goal set (see the package comment), and what its rows and
// columns stand for. The columns are θ, one for each state that matters or for each group of
// states that a label ties, then v, one for each relevant state. The rows are those of the relevant
// states in increasing order, one for each choice, or one for a terminal state, and then those of
// the constraints. All columns are bounded: min(l, l/(1-β)) ≤ v ≤ max(u, u/(1-β)), which V* obeys
// for every θ in the box, so that no reward is lost, and which makes Farkas certificates robust to
// rounding (β is γ times the greatest sum of a row).
type Encoding struct {
	*Problem
	Goals    GoalSet
	Relevant sparse.Bitset
	States   []uint32 // those that matter, increasing

	ruled  sparse.Bitset // states that have rows: Relevant, or a part of it
	common sparse.Bitset // states of Relevant whose v is one column, as are all v beyond; nil: none

	thetas   int      // θ columns
	owner    []uint32 // state of each column; for tied θ the least one
	column   []uint32 // θ column of each state of States
	value    []uint32 // v column of each, None where irrelevant
	rowStart []int    // rows of States[i]: rowStart[i]..rowStart[i+1]-1
	position []uint32 // of each state in States
	strict   []uint32 // rows of untaken choices of S_train, weak ones aside, whose distribution is not the taken one's
	same     []Gap    // untaken choices of S_train, weak ones aside, whose distribution is the taken one's
}

// Encode makes the linear system of a goal set. Its objective is 0. It fails when the goal set is
// not well-formed. O(states + branches) time; the arrays of the problem take about 12 bytes a branch.
func Encode(g GoalSet) (*Encoding, error) {
	if err := g.validate(); err != nil {
		return nil, err
	}
	relevant := g.Relevant()
	return encode(g, relevant, relevant, nil), nil
}

// encode makes the system of the rows of some relevant states and of the constraints. known is what is
// relevant in it: those states and their successors. The v of common states are one column.
func encode(g GoalSet, known, ruled, common sparse.Bitset) *Encoding {
	e := &Encoding{Goals: g, Relevant: known, ruled: ruled, common: common, Problem: &Problem{}}
	e.States = g.matter(e.Relevant)
	e.layout()
	e.fill()
	e.RowName, e.ColumnName = e.nameRow, e.nameColumn
	return e
}

// layout numbers rows and columns and sets their bounds.
func (e *Encoding) layout() {
	g, m, p := &e.Goals, e.Goals.Model, e.Problem
	lower, upper := g.box()
	ties, none := check.Ties(m, g.Constraints, g.Features, e.States)
	e.position = make([]uint32, m.NumStates())
	e.column = make([]uint32, len(e.States))
	e.value = make([]uint32, len(e.States))
	e.rowStart = make([]int, 1, len(e.States)+1)
	for i, s := range e.States {
		e.position[s] = uint32(i)
		if ties != nil && ties[s] != s { // the least state of the group came before
			e.column[i] = e.column[e.position[ties[s]]]
			continue
		}
		e.column[i] = uint32(len(p.Lower))
		e.owner = append(e.owner, s)
		if none != sparse.None && ties[s] == none {
			p.Lower, p.Upper = append(p.Lower, 0), append(p.Upper, 0)
			continue
		}
		p.Lower, p.Upper = append(p.Lower, lower), append(p.Upper, upper)
	}
	e.thetas = len(e.owner)
	least, greatest := g.valueBounds()
	together := uint32(sparse.None)
	for i, s := range e.States {
		e.value[i] = sparse.None
		shared := e.common != nil && e.common.Has(s)
		switch {
		case !e.Relevant.Has(s):
		case shared && together != sparse.None:
			e.value[i] = together
		default:
			e.value[i] = uint32(len(p.Lower))
			e.owner = append(e.owner, s)
			p.Lower, p.Upper = append(p.Lower, least), append(p.Upper, greatest)
			if shared {
				together = e.value[i]
			}
		}
		if e.ruled.Has(s) {
			e.boundRows(s)
		}
		e.rowStart = append(e.rowStart, len(p.RowLower))
	}
	for i := range g.Constraints {
		c := &g.Constraints[i]
		b := 0.0
		for _, x := range c.Constants {
			b -= x
		}
		lo, hi := b, b
		switch c.Sense {
		case check.AtLeast:
			hi = math.Inf(1)
		case check.AtMost:
			lo = math.Inf(-1)
		}
		p.RowLower, p.RowUpper = append(p.RowLower, lo), append(p.RowUpper, hi)
	}
	p.Cost = make([]float64, len(p.Lower))
}

// valueBounds returns bounds of V* over all rewards in the box.
func (g *GoalSet) valueBounds() (least, greatest float64) {
	lower, upper := g.box()
	if g.Features != nil {
		lower, upper = min(lower, 0), max(upper, 0)
	}
	rest := 1 - g.bound()
	return min(lower, lower/rest), max(upper, upper/rest)
}

// boundRows appends the bounds of a relevant state's rows.
func (e *Encoding) boundRows(s uint32) {
	g, p := &e.Goals, e.Problem
	row := func(lower, upper float64) {
		p.RowLower, p.RowUpper = append(p.RowLower, lower), append(p.RowUpper, upper)
	}
	lo, hi := g.Model.Choices(s)
	if lo == hi {
		row(0, 0)
		return
	}
	var rows rowKeys
	for a := lo; a < hi; a++ {
		switch {
		case !g.Train.Has(s):
			row(0, math.Inf(1))
		case a == g.Policy[s]:
			row(0, 0)
		default:
			if g.weak(a) {
				row(0, math.Inf(1))
				continue
			}
			if rows.sameDistribution(g.Model, a, g.Policy[s]) {
				e.same = append(e.same, Gap{State: s, Taken: g.Policy[s], Untaken: a})
			} else {
				e.strict = append(e.strict, uint32(p.Rows()))
			}
			row(g.Margin, math.Inf(1))
		}
	}
}

// fill stores the entries by columns: rows are generated twice, to count and to place.
func (e *Encoding) fill() {
	p := e.Problem
	p.Start = make([]int, p.Columns()+1)
	w := rowWriter{e: e, at: make([]int32, p.Columns())}
	w.each(func(row int, columns []uint32, values []float64) {
		for k, j := range columns {
			if values[k] != 0 {
				p.Start[j+1]++
			}
		}
	})
	for j := range p.Columns() {
		p.Start[j+1] += p.Start[j]
	}
	p.Row = make([]uint32, p.Start[p.Columns()])
	p.Value = make([]float64, len(p.Row))
	next := append([]int(nil), p.Start...)
	w.each(func(row int, columns []uint32, values []float64) {
		for k, j := range columns {
			if values[k] != 0 {
				p.Row[next[j]], p.Value[next[j]] = uint32(row), values[k]
				next[j]++
			}
		}
	})
}

// rowWriter generates rows with the entries of equal columns added up.
type rowWriter struct {
	e       *Encoding
	at      []int32 // 1 + position of a column in the current row, 0 where absent
	columns []uint32
	values  []float64
}

func (w *rowWriter) add(column uint32, x float64) {
	if i := w.at[column]; i > 0 {
		w.values[i-1] += x
		return
	}
	w.columns, w.values = append(w.columns, column), append(w.values, x)
	w.at[column] = int32(len(w.columns))
}

// each calls f with every row in turn.
func (w *rowWriter) each(f func(row int, columns []uint32, values []float64)) {
	e, m := w.e, w.e.Goals.Model
	row := 0
	flush := func() {
		f(row, w.columns, w.values)
		for _, j := range w.columns {
			w.at[j] = 0
		}
		w.columns, w.values = w.columns[:0], w.values[:0]
		row++
	}
	for i, s := range e.States {
		if !e.ruled.Has(s) {
			continue
		}
		lo, hi := m.Choices(s)
		for a := lo; a < max(hi, lo+1); a++ {
			w.add(e.value[i], 1)
			w.add(e.column[i], -1)
			if lo < hi {
				probabilities := m.Probabilities(a)
				for k, t := range m.Targets(a) {
					w.add(e.value[e.position[t]], -e.Goals.Discount*probabilities[k])
				}
			}
			flush()
		}
	}
	for i := range e.Goals.Constraints {
		for _, t := range e.Goals.Constraints[i].Terms {
			w.add(e.column[e.position[t.State]], t.Coefficient)
		}
		flush()
	}
}

// Theta returns the reward of a solution, len NumStates, clipped to the box and 0 where it does not
// matter.
func (e *Encoding) Theta(x []float64) []float64 {
	theta := make([]float64, e.Goals.Model.NumStates())
	for i, s := range e.States {
		j := e.column[i]
		theta[s] = max(e.Lower[j], min(e.Upper[j], x[j]))
	}
	return theta
}

// Fix restricts the system to one reward, len NumStates.
func (e *Encoding) Fix(theta []float64) {
	for i, s := range e.States {
		e.Lower[e.column[i]], e.Upper[e.column[i]] = theta[s], theta[s]
	}
}

// maximiseMargin returns the system with one more column, the last: a margin t, at least ε, of all
// strict rows, to be maximised. cap is more than any margin can be.
func (e *Encoding) maximiseMargin() *Problem {
	p := e.Problem.clone()
	least, greatest := e.Goals.valueBounds()
	for _, i := range e.strict {
		p.RowLower[i] = 0
	}
	eps := e.Goals.Margin
	p.appendColumn(e.strict, -1, eps, eps+4*max(math.Abs(least), math.Abs(greatest)), -1)
	return e.nameExtra(p, func(int) string { return "margin" })
}

// spreadMargin returns the system with one more column for each strict row: its own margin beyond ε,
// at most limit. Their sum is to be maximised, so that only ties which are forced remain ties.
func (e *Encoding) spreadMargin(limit float64) *Problem {
	p := e.Problem.clone()
	for k := range e.strict {
		p.appendColumn(e.strict[k:k+1], -1, 0, limit, -1)
	}
	return e.nameExtra(p, func(k int) string { return "margin of " + e.nameRow(int(e.strict[k])) })
}

func (e *Encoding) nameExtra(p *Problem, name func(k int) string) *Problem {
	columns := e.Columns()
	p.ColumnName = func(j int) string {
		if j >= columns {
			return name(j - columns)
		}
		return e.nameColumn(j)
	}
	return p
}

// row returns the row of a choice.
func (e *Encoding) row(choice uint32) int {
	s := e.Goals.Model.ChoiceState(choice)
	lo, _ := e.Goals.Model.Choices(s)
	return e.rowStart[e.position[s]] + int(choice-lo)
}

// rowOf returns the position in States of the state that a row belongs to, and the row's number
// among its rows; len(States) for a constraint.
func (e *Encoding) rowOf(row int) (i, k int) {
	i = sort.SearchInts(e.rowStart, row+1) - 1
	return i, row - e.rowStart[i]
}

func (e *Encoding) nameRow(row int) string {
	m := e.Goals.Model
	i, k := e.rowOf(row)
	if i == len(e.States) {
		return "constraint " + e.Goals.Constraints[k].Text
	}
	s := e.States[i]
	lo, hi := m.Choices(s)
	if lo == hi {
		return "terminal " + m.StateName(s)
	}
	a := lo + uint32(k)
	name := m.StateName(s) + " " + m.ActionName(a)
	switch {
	case !e.Goals.Train.Has(s):
		return "outside " + name
	case a == e.Goals.Policy[s]:
		return "taken " + name
	}
	return "untaken " + name
}

func (e *Encoding) nameColumn(j int) string {
	name := e.Goals.Model.StateName(e.owner[j])
	if j < e.thetas {
		return "r " + name
	}
	return "v " + name
}
