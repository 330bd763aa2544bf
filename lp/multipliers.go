package lp

import (
	"math"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// multipliers are those of the rows of a goal set's linear system, which bound a quantity over the goal set. The
// sum over a state's rows, less what discounted branches lead to it, is the multiplier that is left to its v, and
// what is left costs as much as v is wide. Balanced multipliers, a discounted flow, leave none: solvers come close
// to that, but for v as wide as 1/(1-γ), close is not enough.
type multipliers struct {
	judge      *judge
	y          []float64 // of each choice
	terminal   []float64 // of each terminal state
	constraint []float64
	total      []float64 // of the rows of each state
	inflow     []float64 // what discounted branches lead to each state
}

const (
	// balanced is how far from balanced all states are together, in units of the sum of multipliers, when that is
	// all that rounding allows.
	balanced = 0x1p-53
	// balanceWork bounds the branches that balancing follows, each as often as that.
	balanceWork = 1 << 26
)

// newMultipliers takes those of a certificate about a goal set.
func newMultipliers(j *judge, c *Certificate) *multipliers {
	n := j.g.Model.NumStates()
	m := &multipliers{judge: j, y: make([]float64, j.g.Model.NumChoices()), terminal: make([]float64, n), constraint: c.ConstraintY,
		total: make([]float64, n), inflow: make([]float64, n)}
	for i, a := range c.Choices {
		m.y[a] = c.ChoiceY[i]
	}
	for i, s := range c.Terminals {
		m.terminal[s] = c.TerminalY[i]
	}
	return m
}

// balance changes the multipliers of the taken choices and those outside S_train until they are balanced, or as
// far as its work goes: each round leaves at most γ of what the one before left.
func (m *multipliers) balance() {
	rounds, before := 1+balanceWork/(1+m.judge.g.Model.NumBranches()), math.Inf(1)
	for range rounds {
		m.flow()
		off, all := 0.0, 0.0
		for s := range m.judge.relevant.All() {
			off += math.Abs(m.inflow[s] - m.total[s])
			all += math.Abs(m.total[s])
		}
		if off <= balanced*all || off >= before {
			break
		}
		before = off
		for s := range m.judge.relevant.All() {
			m.settle(s)
		}
	}
}

// flow finds the total and the inflow of each relevant state.
func (m *multipliers) flow() {
	g := &m.judge.g
	clear(m.inflow)
	for s := range m.judge.relevant.All() {
		lo, hi := g.Model.Choices(s)
		m.total[s] = m.terminal[s]
		for a := lo; a < hi; a++ {
			y := m.y[a]
			if y == 0 {
				continue
			}
			m.total[s] += y
			probabilities := g.Model.Probabilities(a)
			for i, t := range g.Model.Targets(a) {
				m.inflow[t] += g.Discount * probabilities[i] * y
			}
		}
	}
}

// settle makes the total of a state its inflow. What would need a multiplier below 0 outside S_train stays.
func (m *multipliers) settle(s uint32) {
	g := &m.judge.g
	lo, hi := g.Model.Choices(s)
	switch {
	case lo == hi:
		m.terminal[s] = m.inflow[s]
	case g.Train.Has(s):
		m.y[g.Policy[s]] += m.inflow[s] - m.total[s]
	case m.total[s] > 0:
		factor := max(0, m.inflow[s]/m.total[s])
		for a := lo; a < hi; a++ {
			m.y[a] *= factor
		}
	default:
		m.y[lo] = max(0, m.inflow[s])
	}
}

// bound returns what a quantity is at most by the multipliers, and by how much rounding may have it wrong; NaN
// where they do not bound it.
func (m *multipliers) bound(q quantity) (most, rounding float64) {
	g := &m.judge.g
	m.flow()
	least, greatest := g.valueBounds()
	lower, upper := g.box()
	sum, size, weight := 0.0, 0.0, 1.0
	add := func(x float64) { sum, size = sum+x, size+math.Abs(x) }
	widest := func(z, lower, upper float64) { add(max(z*lower, z*upper)) }
	if q.name == "" {
		weight = 0
	}
	reward := make([]float64, g.Model.NumStates())
	ties, none := check.Ties(g.Model, g.Constraints, g.Features, m.judge.states)
	for s := range m.judge.relevant.All() {
		reward[root(ties, s)] -= m.total[s]
		widest(m.total[s]-m.inflow[s], least, greatest)
		if lo, hi := g.Model.Choices(s); g.Train.Has(s) {
			for a := lo; a < hi; a++ {
				switch {
				case a == g.Policy[s] || g.weak(a):
				case q.name == "":
					weight += m.y[a]
				default:
					add(-m.y[a] * g.Margin)
				}
			}
		}
	}
	for i, y := range m.constraint {
		for _, t := range g.Constraints[i].Terms {
			reward[root(ties, t.State)] += y * t.Coefficient
		}
		for _, k := range g.Constraints[i].Constants {
			add(y * k)
		}
	}
	if q.name != "" {
		reward[root(ties, q.state)] += q.sign
	}
	for _, s := range m.judge.states {
		if none == sparse.None || root(ties, s) != none {
			widest(reward[s], lower, upper)
		}
	}
	return sum / weight, size / weight * 0x1p-50
}

// certificate returns that of a question of the same rows.
func (m *multipliers) certificate(q check.Question) *Certificate {
	c := check.New(m.judge.g.Model, check.Infeasible, q)
	c.ConstraintY = m.constraint
	for s := range m.judge.relevant.All() {
		lo, hi := m.judge.g.Model.Choices(s)
		if lo == hi && m.terminal[s] != 0 {
			c.Terminals, c.TerminalY = append(c.Terminals, s), append(c.TerminalY, m.terminal[s])
		}
		for a := lo; a < hi; a++ {
			if m.y[a] != 0 {
				c.Choices, c.ChoiceY = append(c.Choices, a), append(c.ChoiceY, m.y[a])
			}
		}
	}
	return c
}
