package lp

import (
	"cmp"
	"math"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// cases decides about an area whose rows have a solution. They leave open that v of a state without a condition, a
// free one, has to come from some choice of its:
//
//	v(s) − θ(s) − γ Σ P(s,a,t) v(t)  ≥ 0 for every a, and = 0 for one a.
//
// The solution that has the least total of these differences, each for the choice that was best by the solution
// before, has few above 0, and fewer each time that choices follow it (the convex-concave procedure, with a
// penalty that keeps them sparse). Where none is left, θ is a suggestion. Else the free state of the greatest
// difference is split: it takes one of its choices, or another. What comes of it is a tree, whose leaves are
// a reward, or contradictions: these are a proof by cases, as package check has it.
//
// The tree grows from the rows of a reward for which v is one number beyond: see area. A contradiction there is
// proved by the rows near alone, with v beyond anywhere within its bounds.
type cases struct {
	*area
	common uint32 // column of v beyond, None: there is nothing beyond
	free   []uint32
	taken  []uint32 // choice of each free state: decided, or best by the last solution
	fixed  []bool   // it is decided
	nodes  int
	most   int // nodes
}

const (
	// mostNodes bounds the tree.
	mostNodes = 64
	// mostFollowed is how many solutions choices follow, as long as each has at most followShare of the total of
	// the one before.
	mostFollowed, followShare = 6, 0.95
	// caseNear is, in units of the width of v, what counts as no difference.
	caseNear = 1e-9
	// leastExcess is by how much multipliers, the greatest of them 1, must contradict.
	leastExcess = 1e-10
)

// byCases looks for a reward, and for a proof that there is none, in a tree of so many nodes at most. Where it finds
// neither, nothing is known.
func (a *area) byCases(most int) Verdict {
	c := &cases{area: a, common: sparse.None, most: most}
	if a.whole || a.g.Features == nil {
		ring := a.ring()
		c.common = a.encodeClosed(ring)
		for s := range ring.All() {
			c.leave(s)
		}
	}
	for s := range a.near.All() {
		switch {
		case a.g.Train.Has(s) || a.g.Model.Terminal(s):
		case c.common != sparse.None && slices.ContainsFunc(a.g.Model.Successors(s), func(t uint32) bool { return !a.near.Has(t) }):
			c.leave(s)
		default:
			c.free = append(c.free, s)
		}
	}
	c.taken, c.fixed = make([]uint32, len(c.free)), make([]bool, len(c.free))
	verdict, found := c.split(nil)
	if verdict != No {
		return verdict
	}
	proof := check.New(a.g.Model, check.Infeasible, a.g.question())
	if proof.Cases = found; len(found[0].Best) == 0 {
		proof.Multipliers, proof.Cases = found[0].Multipliers, nil
	}
	a.prove(&a.best, No, proof)
	return a.best.Verdict
}

// leave has a state at the rim take the choice that leads away.
func (c *cases) leave(s uint32) {
	if !c.g.Model.Terminal(s) {
		c.e.RowUpper[c.e.row(c.leaving(s))] = 0
	}
}

// split decides what there is where some choices are best, by cases if need be.
func (c *cases) split(best []uint32) (Verdict, []check.Case) {
	if c.nodes++; c.nodes > c.most || len(best) > check.MaxBest {
		return Undecided, nil
	}
	clear(c.e.Cost)
	r, ok := c.ask(c.e.Problem)
	if !ok {
		return Undecided, nil
	}
	if !usable(r, c.e.Problem) {
		return c.leaf(best, r)
	}
	x := r.X
	least, greatest := c.g.valueBounds()
	total, most, at := c.follow(x)
	last := math.Inf(1)
	for step := 0; step < mostFollowed && total < last*followShare; step++ {
		if most <= caseNear*(greatest-least) {
			return c.settled(), nil
		}
		last = total
		c.price()
		r, ok = c.ask(c.e.Problem)
		if !ok || len(r.X) != c.e.Columns() {
			break
		}
		x = r.X
		if total, most, at = c.follow(x); c.real(x) {
			return Yes, nil
		}
	}
	if most <= caseNear*(greatest-least) {
		return c.settled(), nil
	}
	return c.choices(best, at, x)
}

// settled looks for a reward for which the choices at hand are best, now that there is nearly one: one that keeps
// clear of all bounds.
func (c *cases) settled() Verdict {
	clear(c.e.Cost)
	for _, a := range c.taken {
		c.e.RowUpper[c.e.row(a)] = 0
	}
	defer func() {
		for i, a := range c.taken {
			if !c.fixed[i] {
				c.e.RowUpper[c.e.row(a)] = math.Inf(1)
			}
		}
	}()
	r, ok := c.ask(c.e.Problem)
	if !ok || !usable(r, c.e.Problem) {
		return Undecided
	}
	if v, theta := c.point(r.X); c.real(r.X) || !c.trusting && c.suggest(v, theta, r.X) {
		return Yes
	}
	return Undecided
}

// choices splits a free state, and tries the choices that are best by a solution first.
func (c *cases) choices(best []uint32, at int, x []float64) (Verdict, []check.Case) {
	m := c.g.Model
	v, _ := c.point(x)
	lo, hi := m.Choices(c.free[at])
	order := make([]uint32, hi-lo)
	for k := range order {
		order[k] = lo + uint32(k)
	}
	slices.SortStableFunc(order, func(a, b uint32) int { return cmp.Compare(m.Expectation(b, v), m.Expectation(a, v)) })
	found := make([][]check.Case, hi-lo)
	open := false
	c.fixed[at] = true
	defer func() { c.fixed[at] = false }()
	for _, a := range order {
		c.taken[at] = a
		c.e.RowUpper[c.e.row(a)] = 0
		verdict, below := c.split(append(best, a))
		c.e.RowUpper[c.e.row(a)] = math.Inf(1)
		switch {
		case verdict == Yes:
			return Yes, nil
		case verdict == Undecided:
			open = true
		case !slices.ContainsFunc(below, func(x check.Case) bool { return restsOn(&x, a) }):
			return No, below // whatever the state takes
		}
		for i := range below {
			below[i].Best = slices.Insert(below[i].Best, 0, a)
		}
		found[a-lo] = below
	}
	if open {
		return Undecided, nil
	}
	return No, slices.Concat(found...)
}

// restsOn reports whether a case uses that a choice is best.
func restsOn(x *check.Case, choice uint32) bool {
	i, ok := slices.BinarySearch(x.Choices, choice)
	return ok && x.ChoiceY[i] < 0
}

// leaf looks for multipliers that prove that there is no reward where some choices are best, after a program
// with the rows around as well was not solved.
func (c *cases) leaf(best []uint32, r Result) (Verdict, []check.Case) {
	closed := c.e
	defer func() { c.e = closed }()
	if c.common != sparse.None {
		c.e = c.encode(c.near, nil)
		for _, a := range best {
			c.e.RowUpper[c.e.row(a)] = 0
		}
		var ok bool
		if r, ok = c.ask(c.e.Problem); !ok {
			return Undecided, nil
		}
	}
	if r.Status != Infeasible || len(r.Y) != c.e.Rows() {
		return Undecided, nil
	}
	scale := 0.0
	for _, y := range r.Y {
		scale = max(scale, math.Abs(y))
	}
	for _, least := range []float64{1e-2, 1e-4, 0} {
		if y := c.e.trim(r.Y, scale, least); c.e.excess(y) > leastExcess {
			return No, []check.Case{{Best: []uint32{}, Multipliers: c.infeasible(check.Question{}, y, 0, 0).Multipliers}}
		}
	}
	return Undecided, nil
}

// trim returns multipliers in units of a scale, without those below least and those of the wrong sign.
func (p *Problem) trim(y []float64, scale, least float64) []float64 {
	trimmed := make([]float64, len(y))
	for i, x := range y {
		if x /= scale; math.Abs(x) >= least && (x < 0 || !math.IsInf(p.RowLower[i], -1)) && (x > 0 || !math.IsInf(p.RowUpper[i], 1)) {
			trimmed[i] = x
		}
	}
	return trimmed
}

// excess returns yᵀb less the greatest (yᵀA)x: multipliers prove a contradiction where that is above 0.
func (p *Problem) excess(y []float64) float64 {
	excess := 0.0
	for i, x := range y {
		switch {
		case x > 0:
			excess += x * p.RowLower[i]
		case x < 0:
			excess += x * p.RowUpper[i]
		}
	}
	for j := range p.Columns() {
		z := 0.0
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			z += y[p.Row[k]] * p.Value[k]
		}
		excess -= max(z*p.Lower[j], z*p.Upper[j])
	}
	return excess
}

// price makes the total of the differences the cost.
func (c *cases) price() {
	e, m := c.e, c.g.Model
	clear(e.Cost)
	for i, s := range c.free {
		if c.fixed[i] {
			continue
		}
		at := e.position[s]
		e.Cost[e.value[at]]++
		e.Cost[e.column[at]]--
		probabilities := m.Probabilities(c.taken[i])
		for k, t := range m.Targets(c.taken[i]) {
			e.Cost[e.value[e.position[t]]] -= c.g.Discount * probabilities[k]
		}
	}
}

// follow lets free states take what is best by a solution, the first of equals, and returns the total of what v
// exceeds that by, and where it does most.
func (c *cases) follow(x []float64) (total, most float64, at int) {
	m := c.g.Model
	v, theta := c.point(x)
	for i, s := range c.free {
		if c.fixed[i] {
			continue
		}
		lo, hi := m.Choices(s)
		best := math.Inf(-1)
		for a := lo; a < hi; a++ {
			if y := m.Expectation(a, v); y > best {
				best, c.taken[i] = y, a
			}
		}
		d := v[s] - theta[s] - c.g.Discount*best
		if total += max(0, d); d > most {
			most, at = d, i
		}
	}
	return total, most, at
}

// point returns v and θ of a solution.
func (c *cases) point(x []float64) (v, theta []float64) {
	beyond := 0.0
	if c.common != sparse.None {
		beyond = x[c.common]
	}
	return c.values(x, beyond), c.e.Theta(x)
}

// real reports whether θ of a solution is a reward.
func (c *cases) real(x []float64) bool {
	v, theta := c.point(x)
	if c.g.Features != nil && !c.whole {
		return c.spreadOut(theta)
	}
	c.settle(v, theta)
	if !c.keeps(v) {
		return false
	}
	c.v, c.theta = v, theta
	return c.trusting || c.suggest(v, theta, x)
}
