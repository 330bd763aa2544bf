package lp

import (
	"math"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// An area is a goal set of few conditions seen from the states near them. Whether these clash is a
// question about a few rows: Farkas multipliers are local, and the bounds of v cover what is further away.
//
// A solution (θ, v) of the rows near is a reward only if v is the optimal value of θ, there and beyond.
// Beyond, that is easy where no condition says anything about rewards: θ can make v whatever number C it
// likes that is the same everywhere, and states around that lead near can take a choice that does not.
// What is left is which choices are best near: see cases.
type area struct {
	*feasibility
	of       *whyNot
	near     sparse.Bitset // states with rows
	whole    bool          // these are all that are relevant
	trusting bool          // rewards found are not checked
	v, theta []float64     // of the reward found, len NumStates
}

const (
	// fewStates and manyStates are the numbers of states that areas have, about: more rows prove more, fewer
	// are solved sooner.
	fewStates, manyStates = 300, 1000
	// settleSweeps and settleTolerance bound the sweeps for the values of a suggestion.
	settleSweeps, settleTolerance = 300, 1e-9
	// keptBy is by how much a suggestion must keep the margins to be worth a check.
	keptBy = 1e-7
)

// around returns the area of about so many states near some conditions, with all states that they name.
func (w *whyNot) around(conditions []condition, states int) *area {
	g := w.goals(conditions)
	a := &area{feasibility: newFeasibility(w.ctx, g, w.solver), of: w}
	a.near = g.Train.Clone()
	for i := range g.Constraints {
		for _, t := range g.Constraints[i].Terms {
			if t.Label == nil && a.relevant.Has(t.State) {
				a.near.Set(t.State)
			}
		}
	}
	layer := slices.Collect(a.near.All())
	for count := len(layer); len(layer) > 0 && count < states; count += len(layer) {
		var next []uint32
		for _, s := range layer {
			for _, t := range g.Model.Successors(s) {
				if !a.near.Has(t) {
					a.near.Set(t)
					next = append(next, t)
				}
			}
		}
		layer = next
	}
	a.whole = a.near.Count() == a.relevant.Count()
	return a
}

// withSuccessors returns a set of states and their successors.
func (a *area) withSuccessors(set sparse.Bitset) sparse.Bitset {
	all := set.Clone()
	for s := range set.All() {
		for _, t := range a.g.Model.Successors(s) {
			all.Set(t)
		}
	}
	return all
}

// encode encodes the rows of some states, with one v for those beyond. The only choice of a state is its best one.
func (a *area) encode(ruled, beyond sparse.Bitset) *Encoding {
	e := encode(a.g, a.withSuccessors(ruled), ruled, beyond)
	for s := range ruled.All() {
		if lo, hi := a.g.Model.Choices(s); hi-lo == 1 {
			e.RowUpper[e.row(lo)] = 0
		}
	}
	return e
}

// clash solves the rows near. It returns No where multipliers prove that there is no solution, and Yes where
// there is one, which says nothing yet about rewards.
func (a *area) clash() Verdict {
	a.e = a.encode(a.near, nil)
	r, ok := a.ask(a.e.Problem)
	switch {
	case !ok:
		return Undecided
	case usable(r, a.e.Problem):
		return Yes
	}
	a.refute(r)
	return a.best.Verdict
}

// ask solves a program of the area. It returns false when the solver refuses it, or there is nothing left to
// spend.
func (a *area) ask(p *Problem) (r Result, ok bool) {
	price := statePrice * a.near.Count()
	if a.g.Features != nil {
		price *= featuredPrice
	}
	if !a.of.spend(price) {
		return r, false
	}
	r, err := a.solver.Solve(a.ctx, p)
	return r, err == nil
}

// encodeClosed encodes the rows near and those of the ring around, with one v beyond. It returns that column,
// None when there is nothing beyond.
func (a *area) encodeClosed(ring sparse.Bitset) (common uint32) {
	ruled := a.near.Clone()
	for s := range ring.All() {
		ruled.Set(s)
	}
	var beyond sparse.Bitset
	if !a.whole {
		beyond = a.near.Complement(a.g.Model.NumStates())
	}
	a.e = a.encode(ruled, beyond)
	lower, upper := a.g.box()
	for i, s := range a.e.States {
		if j := a.e.value[i]; j != sparse.None && !a.whole && beyond.Has(s) {
			a.e.Lower[j], a.e.Upper[j] = lower/(1-a.g.Discount), upper/(1-a.g.Discount)
			return j
		}
	}
	return sparse.None
}

// ring returns the relevant states beyond that lead near.
func (a *area) ring() sparse.Bitset {
	ring := sparse.NewBitset(a.g.Model.NumStates())
	if a.whole {
		return ring
	}
	for s := range a.relevant.All() {
		if !a.near.Has(s) && slices.ContainsFunc(a.g.Model.Successors(s), a.near.Has) {
			ring.Set(s)
		}
	}
	return ring
}

// leaving returns the choice of a state that most likely does not lead near.
func (a *area) leaving(s uint32) uint32 {
	m := a.g.Model
	lo, hi := m.Choices(s)
	best, most := lo, math.Inf(-1)
	for c := lo; c < hi; c++ {
		p, probabilities := 0.0, m.Probabilities(c)
		for i, t := range m.Targets(c) {
			if !a.near.Has(t) {
				p += probabilities[i]
			}
		}
		if p > most {
			best, most = c, p
		}
	}
	return best
}

// values returns v of a solution, len NumStates, with a number for states that have no column.
func (a *area) values(x []float64, other float64) []float64 {
	v := make([]float64, a.g.Model.NumStates())
	for s := range v {
		v[s] = other
	}
	for i, s := range a.e.States {
		if j := a.e.value[i]; j != sparse.None {
			v[s] = x[j]
		}
	}
	return v
}

// settle makes v near the values of a reward, given those beyond, if what the conditions take is taken.
func (a *area) settle(v, theta []float64) {
	m := a.g.Model
	for range settleSweeps {
		change := 0.0
		for s := range a.near.All() {
			x := theta[s] + a.g.Discount*a.most(s, v)
			if a.g.Train.Has(s) && !m.Terminal(s) {
				x = theta[s] + a.g.Discount*m.Expectation(a.g.Policy[s], v)
			}
			change = max(change, math.Abs(x-v[s]))
			v[s] = x
		}
		if change < settleTolerance {
			return
		}
	}
}

// most returns what the best choice of a state leads to by v, 0 where it is terminal.
func (a *area) most(s uint32, v []float64) float64 {
	lo, hi := a.g.Model.Choices(s)
	if lo == hi {
		return 0
	}
	best := math.Inf(-1)
	for c := lo; c < hi; c++ {
		best = max(best, a.g.Model.Expectation(c, v))
	}
	return best
}

// keeps reports whether values keep the margins of the conditions.
func (a *area) keeps(v []float64) bool {
	m := a.g.Model
	for s := range a.g.Train.All() {
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if c != a.g.Policy[s] && a.g.Discount*(m.Expectation(a.g.Policy[s], v)-m.Expectation(c, v)) < a.g.margin(c)+keptBy {
				return false
			}
		}
	}
	return true
}

// suggest tries to prove that a reward near, with these values, is a member for some rewards beyond.
func (a *area) suggest(v, theta, x []float64) bool {
	lower, upper := a.g.box()
	for s := range a.relevant.All() {
		if !a.near.Has(s) {
			theta[s] = max(lower, min(upper, v[s]-a.g.Discount*a.most(s, v)))
		}
	}
	r := a.allowed(theta, snapTolerance*(upper-lower))
	if r != nil {
		c := a.certificate(check.Feasible, r)
		c.Values = a.pick(v)
		if a.prove(&a.best, Yes, c) {
			return true
		}
	}
	if a.whole {
		yes, err := a.candidates(x)
		return yes && err == nil
	}
	return r != nil && a.solved(r)
}

// solved tries to prove a reward a member by a solve of the model.
func (a *area) solved(r *reward) bool {
	v, err := a.judge.solve(a.ctx, sparse.Problem{Discount: a.g.Discount, States: r.values})
	if err != nil || a.ctx.Err() != nil {
		return false
	}
	answer := a.answer
	a.decide(&answer, r, v)
	return answer.Verdict == Yes
}

// spreadOut tries the reward near for all states that have the same features.
func (a *area) spreadOut(theta []float64) bool {
	lower, upper := a.g.box()
	ties, none := check.Ties(a.g.Model, a.g.Constraints, a.g.Features, a.states)
	common := make([]float64, len(theta))
	for s := range common {
		common[s] = lower/2 + upper/2
	}
	for _, s := range a.e.States {
		common[ties[s]] = theta[s]
	}
	for _, s := range a.states {
		if theta[s] = common[ties[s]]; ties[s] == none {
			theta[s] = 0
		}
	}
	r := a.allowed(theta, snapTolerance*(upper-lower))
	return r != nil && a.solved(r)
}
