package lptest

import (
	"math/big"

	"offswitch/lp"
	"offswitch/sparse"
)

// Exact holds the optimal values of a reward, as exact as the model's probabilities.
type Exact struct {
	g      lp.GoalSet
	theta  []*big.Rat
	Values []*big.Rat
	Policy []uint32 // an optimal one, None where terminal
}

// NewExact solves for V* by policy iteration over the rationals; g needs a model and a discount.
func NewExact(g lp.GoalSet, theta []*big.Rat) *Exact {
	e := &Exact{g: g, theta: theta, Policy: make([]uint32, len(theta))}
	for s := range e.Policy {
		e.Policy[s] = sparse.None
		if lo, hi := g.Model.Choices(uint32(s)); lo < hi {
			e.Policy[s] = lo
		}
	}
	for {
		e.Values = Evaluate(g.Model, e.Policy, g.Discount, theta)
		better := false
		for s := range uint32(len(theta)) {
			lo, hi := g.Model.Choices(s)
			for a := lo; a < hi; a++ {
				if e.Q(a).Cmp(e.Q(e.Policy[s])) > 0 {
					e.Policy[s] = a
					better = true
				}
			}
		}
		if !better {
			return e
		}
	}
}

// Q returns γ Σ p V* over the branches of a choice.
func (e *Exact) Q(choice uint32) *big.Rat {
	sum := new(big.Rat)
	probabilities := e.g.Model.Probabilities(choice)
	for i, t := range e.g.Model.Targets(choice) {
		p := new(big.Rat).SetFloat64(probabilities[i])
		sum.Add(sum, p.Mul(p, e.Values[t]))
	}
	return sum.Mul(sum, new(big.Rat).SetFloat64(e.g.Discount))
}

// LeastGap returns the least Q*(taken) - Q*(untaken) over S_train, nil when there is nothing untaken.
func (e *Exact) LeastGap() *big.Rat {
	return e.leastExcess(func(uint32) *big.Rat { return new(big.Rat) })
}

// margin returns the margin that an untaken choice needs.
func (e *Exact) margin(choice uint32) *big.Rat {
	if e.g.Weak != nil && e.g.Weak.Has(choice) {
		return new(big.Rat)
	}
	return new(big.Rat).SetFloat64(e.g.Margin)
}

// LeastExcess returns the least Q*(taken) - Q*(untaken) less the margin over S_train, nil when there
// is nothing untaken.
func (e *Exact) LeastExcess() *big.Rat { return e.leastExcess(e.margin) }

func (e *Exact) leastExcess(margin func(choice uint32) *big.Rat) *big.Rat {
	var least *big.Rat
	for s := range e.g.Train.All() {
		lo, hi := e.g.Model.Choices(s)
		for a := lo; a < hi; a++ {
			if a == e.g.Policy[s] {
				continue
			}
			gap := e.Q(e.g.Policy[s])
			if gap.Sub(gap, e.Q(a)).Sub(gap, margin(a)); least == nil || gap.Cmp(least) < 0 {
				least = gap
			}
		}
	}
	return least
}

// Member reports whether the reward is in the goal set, constraints and box included.
func (e *Exact) Member() bool {
	if excess := e.LeastExcess(); excess != nil && excess.Sign() < 0 {
		return false
	}
	return e.Allowed()
}

// Allowed reports whether the reward meets the box, at the states that matter, the constraints, and the
// features.
func (e *Exact) Allowed() bool {
	lower, upper := Box(e.g)
	matters := e.matters()
	for i := range e.g.Constraints {
		c := &e.g.Constraints[i]
		sum := new(big.Rat)
		for _, k := range c.Constants {
			sum.Add(sum, new(big.Rat).SetFloat64(k))
		}
		for _, t := range c.Terms {
			x := e.theta[t.State]
			for s := range t.Label.All() {
				if e.theta[s].Cmp(x) != 0 {
					return false
				}
			}
			sum.Add(sum, new(big.Rat).Mul(new(big.Rat).SetFloat64(t.Coefficient), x))
		}
		if sign := sum.Sign(); sign != 0 && (c.Sense.String() == "==" || (sign > 0) != (c.Sense.String() == ">=")) {
			return false
		}
	}
	zero := e.featureless(matters)
	common := make(map[string]*big.Rat) // rewards of states with the same features
	for s, x := range e.theta {
		if e.g.Features != nil && matters[s] {
			key := e.features(uint32(s))
			if common[key] != nil && common[key].Cmp(x) != 0 || zero[s] && x.Sign() != 0 {
				return false
			}
			if common[key] = x; zero[s] {
				continue // whatever the box
			}
		}
		if matters[s] && (x.Cmp(new(big.Rat).SetFloat64(lower)) < 0 || x.Cmp(new(big.Rat).SetFloat64(upper)) > 0) {
			return false
		}
	}
	return true
}

// matters returns which states' rewards count: those that S_train reaches, and those that constraints mention.
func (e *Exact) matters() []bool {
	matters := e.relevant()
	for i := range e.g.Constraints {
		for _, t := range e.g.Constraints[i].Terms {
			matters[t.State] = true
			for s := range t.Label.All() {
				matters[s] = true
			}
		}
	}
	return matters
}

// relevant returns which states S_train reaches.
func (e *Exact) relevant() []bool {
	reached := make([]bool, e.g.Model.NumStates())
	for s := range e.g.Train.All() {
		reached[s] = true
	}
	for range reached {
		for s := range reached {
			for _, t := range e.g.Model.Successors(uint32(s)) {
				reached[t] = reached[t] || reached[s]
			}
		}
	}
	return reached
}

// featureless returns which of some states have reward 0 because they have no features, or have to
// have the reward of one that has none.
func (e *Exact) featureless(matters []bool) []bool {
	zero := make([]bool, len(matters))
	if e.g.Features == nil {
		return zero
	}
	for range matters {
		same := map[string]bool{"": true} // features of such states
		for s := range matters {
			if matters[s] && zero[s] {
				same[e.features(uint32(s))] = true
			}
		}
		for s := range matters {
			zero[s] = zero[s] || matters[s] && same[e.features(uint32(s))]
		}
		for i := range e.g.Constraints {
			for _, t := range e.g.Constraints[i].Terms {
				tied := false
				for s := range t.Label.All() {
					tied = tied || zero[s]
				}
				for s := range t.Label.All() {
					zero[s] = tied
				}
			}
		}
	}
	return zero
}

// features returns the names of a state's features.
func (e *Exact) features(s uint32) string {
	names := ""
	for _, f := range e.g.Features {
		if f.Label == nil && f.State == s || f.Label != nil && f.Label.Has(s) {
			names += f.Name + "\n"
		}
	}
	return names
}

// Evaluate returns the values of a policy by Gauss elimination over the rationals.
func Evaluate(m *sparse.MDP, policy []uint32, gamma float64, theta []*big.Rat) []*big.Rat {
	n := m.NumStates()
	rows := make([][]*big.Rat, n)
	discount := new(big.Rat).SetFloat64(gamma)
	for s := range rows {
		rows[s] = make([]*big.Rat, n+1)
		for j := range rows[s] {
			rows[s][j] = new(big.Rat)
		}
		rows[s][s].SetInt64(1)
		rows[s][n].Set(theta[s])
		if m.Terminal(uint32(s)) {
			continue
		}
		probabilities := m.Probabilities(policy[s])
		for i, t := range m.Targets(policy[s]) {
			p := new(big.Rat).SetFloat64(probabilities[i])
			x := rows[s][t]
			x.Sub(x, p.Mul(p, discount))
		}
	}
	for i := range n { // I - γP is diagonally dominant: no pivoting needed
		inverse := new(big.Rat).Inv(rows[i][i])
		for j := range rows {
			if j == i || rows[j][i].Sign() == 0 {
				continue
			}
			f := new(big.Rat).Mul(rows[j][i], inverse)
			for k := i; k <= n; k++ {
				if rows[i][k].Sign() != 0 {
					rows[j][k].Sub(rows[j][k], new(big.Rat).Mul(f, rows[i][k]))
				}
			}
		}
	}
	values := make([]*big.Rat, n)
	for s := range values {
		values[s] = new(big.Rat).Quo(rows[s][n], rows[s][s])
	}
	return values
}
