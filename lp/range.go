package lp

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Extreme says how far a quantity goes over a goal set, from both sides: a member attains Value, and no
// member goes beyond Limit.
type Extreme struct {
	Value  float64
	Limit  float64
	Member *Certificate // proves that Value is attained; nil, and Value NaN, when no member is proved
	Beyond *Certificate // proves Limit: that a goal set is empty; nil where Limit is infinite, or plain from the box
}

func unknownExtreme() Extreme { return Extreme{Value: math.NaN(), Limit: math.Inf(1)} }

const (
	// rangeTolerance is how close, in widths of the box, a value and its limit are brought.
	rangeTolerance = 1e-6
	// marginTolerance is how close the largest margin and its limit are brought, relative to it; and in
	// widths of the box rangeTolerance times that.
	marginTolerance = 1e-4
	// closeEnough is the like of both where it takes little time: with features, up to check.ExactBranches branches,
	// and else where a program has at most mostDense entries, zeros included, and so can be solved in a second way.
	closeEnough = 1e-9
	mostDense   = 1 << 18
	// leewayLeast is by how much more at least than multipliers bound it by a limit is stated, in widths of
	// the box, so that it can be proved, leewayGrowth by which factor that grows, and leewayTries how often.
	leewayLeast  = 0x1p-52
	leewayGrowth = 10
	leewayTries  = 8
)

// retreats are how far to go back from a reward that attains an extreme, by itself, until it is proved a
// member: as a share of the way to a reward inside the goal set, and of the margin.
var retreats = []float64{1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-2, 0.1}

// LargestMargin finds the largest margin with which a goal set is not empty; g.Margin is the least that
// counts: a yes keeps it, but one of less than some 1e-9 of the box is none that a solver tells from 0, and
// leaves more undecided. Untaken choices with the distribution of the taken one, which no reward tells apart, are taken
// to be weak. The answer's verdict is whether there is any margin, and its reward the one that keeps the
// largest. With features it takes one discounted solve for each of some dozens of rewards; otherwise the
// solver is asked for the optimum, and perhaps for a reward inside the goal set, and its multipliers prove the
// limit. Errors are those of Feasible.
func LargestMargin(ctx context.Context, g GoalSet, solver Solver) (Answer, Extreme, error) {
	if err := g.validate(); err != nil {
		return Answer{}, unknownExtreme(), err
	}
	x := extremes{ctx: ctx, solver: solver}
	var strict bool
	if x.g, strict = g.weaken(); strict {
		return x.find()
	}
	a, err := Feasible(ctx, x.g, solver)
	e := unknownExtreme()
	if x.attained(a, x.g, &e); a.Verdict == Yes {
		a.Why = "S_train has no untaken choices that lead elsewhere, so that margins have no limit"
	}
	return a, e, err
}

// weaken returns the goal set in which those untaken choices of S_train are weak, too, that have the
// distribution of the taken one, and whether others are not.
func (g GoalSet) weaken() (weak GoalSet, strict bool) {
	var rows rowKeys
	m := g.Model
	set := sparse.NewBitset(m.NumChoices())
	for s := range g.Train.All() {
		lo, hi := m.Choices(s)
		for a := lo; a < hi; a++ {
			switch {
			case a == g.Policy[s]:
			case g.weak(a) || rows.sameDistribution(m, a, g.Policy[s]):
				set.Set(a)
			default:
				strict = true
			}
		}
	}
	g.Weak = set
	return g, strict
}

// Range finds the least and the greatest reward of a state, or the common reward of the states of a label,
// over a goal set. The label ties its states as one that a constraint names. See LargestMargin for the
// rest.
func Range(ctx context.Context, g GoalSet, of Feature, solver Solver) (a Answer, least, greatest Extreme, err error) {
	x := extremes{ctx: ctx, g: g, solver: solver, quantity: quantity{name: of.Name, state: of.State, sign: 1}}
	lower, _ := g.box()
	any, err := x.quantity.atLeast(g, min(lower, 0))
	if err != nil {
		return Answer{}, least, greatest, err
	}
	x.g = any
	if a, greatest, err = x.find(); err != nil || a.Verdict == No {
		return a, least, greatest, err
	}
	x.quantity.sign = -1
	b, least, err := x.find()
	members := x.members
	for _, c := range members {
		x.attained(c, x.g, &least)
	}
	x.quantity.sign = 1
	for _, c := range members {
		x.attained(c, x.g, &greatest)
	}
	if a.Verdict == Undecided {
		a = b
	}
	least.Value, least.Limit = 0-least.Value, 0-least.Limit // not -0
	return a, least, greatest, err
}

// quantity is what an extreme is one of: the margin, or sign times a reward.
type quantity struct {
	name  string // of the state or label; empty: the margin
	state uint32
	sign  float64
}

// atLeast returns the goal set in which the quantity is at least so much.
func (q quantity) atLeast(g GoalSet, value float64) (GoalSet, error) {
	if q.name == "" {
		g.Margin = max(0, value)
		return g, nil
	}
	relation := ">="
	if q.sign < 0 {
		relation, value = "<=", -value
	}
	c, err := ParseConstraint(g.Model, fmt.Sprintf("r[%s] %s %s", q.name, relation, strconv.FormatFloat(value, 'g', -1, 64)))
	g.Constraints = append(g.Constraints[:len(g.Constraints):len(g.Constraints)], c)
	return g, err
}

// of returns the quantity of a member.
func (q quantity) of(a Answer, g GoalSet) float64 {
	if q.name == "" {
		return g.Margin
	}
	return q.sign * a.Theta[q.state]
}

type extremes struct {
	ctx      context.Context
	g        GoalSet
	solver   Solver
	quantity quantity
	cuts     *generation  // for all quantities of one goal set
	system   *feasibility // the like where rewards do not depend on features
	center   []float64    // a reward inside the goal set, as far as one is found; nil: not asked
	members  []Answer     // those proved
}

// find finds the extreme; its limit is that of the box if nothing better is proved.
func (x *extremes) find() (Answer, Extreme, error) {
	if err := x.g.validate(); err != nil {
		return Answer{}, unknownExtreme(), err
	}
	search := x.solve
	if closed, _ := x.g.Closed(); closed && x.g.Features != nil {
		search = x.generate
	}
	a, e, err := search()
	if plain := x.plain(); e.Limit > plain {
		e.Limit, e.Beyond = plain, nil
	}
	return a, e, err
}

// plain returns the limit that the box makes plain.
func (x *extremes) plain() float64 {
	if x.quantity.name == "" {
		return math.Inf(1)
	}
	lower, upper := x.g.box()
	if x.g.Features != nil {
		lower, upper = min(lower, 0), max(upper, 0)
	}
	return max(x.quantity.sign*lower, x.quantity.sign*upper)
}

// solve finds the extreme by the optimum of the linear system: a member close to its reward attains what it
// says, and its multipliers prove that no more can be.
func (x *extremes) solve() (Answer, Extreme, error) {
	e := unknownExtreme()
	if x.system == nil {
		f := newFeasibility(x.ctx, x.g, x.solver)
		if err := f.run(); err != nil {
			return f.best, e, err
		}
		x.system = f
	}
	f := x.system
	x.attained(f.best, x.g, &e)
	if f.best.Verdict == No || x.solver == nil || e.Value >= x.plain() {
		return f.best, e, nil
	}
	p, err := x.program(f)
	if err != nil {
		return f.best, e, err
	}
	r, err := f.ask(p)
	if err != nil {
		return f.best, e, err
	}
	if err = x.prove(f, p, r, &e); err == nil && x.wide(&e) && p.Rows()*p.Columns() <= mostDense {
		second := p.corner()
		if err = x.prove(f, p, second, &e); !usable(r, p) {
			r = second
		}
	}
	if !usable(r, p) {
		f.best.Why += fmt.Sprintf("; the extreme is not known: %s ended %v (%s)", x.solver.Name(), r.Status, r.Detail)
	}
	return f.best, e, err
}

// wide reports whether a value and its limit are further apart than need be.
func (x *extremes) wide(e *Extreme) bool {
	lower, upper := x.g.box()
	return !(min(e.Limit, x.plain())-e.Value <= closeEnough*(upper-lower))
}

// prove proves what can be of an optimum.
func (x *extremes) prove(f *feasibility, p *Problem, r Result, e *Extreme) error {
	if !usable(r, p) {
		return nil
	}
	o := x.optimum(f, r)
	if err := x.member(f, o, e); err != nil {
		return err
	}
	if len(r.Y) == p.Rows() && e.Value < x.plain() {
		return x.limit(f, f.infeasible(f.g.question(), r.Y, 0, 0), e)
	}
	return nil
}

// program returns the program of the extreme.
func (x *extremes) program(f *feasibility) (p *Problem, err error) {
	if f.e == nil {
		if f.e, err = Encode(f.g); err != nil {
			return nil, err
		}
	}
	if x.quantity.name == "" {
		return f.e.maximiseMargin(), nil
	}
	p = f.e.Problem.clone()
	p.Cost[f.e.column[f.e.position[x.quantity.state]]] = -x.quantity.sign
	return p, nil
}

// optimum returns the optimum of a solution.
func (x *extremes) optimum(f *feasibility, r Result) (o optimum) {
	o.theta = f.e.Theta(r.X)
	f.snap(o.theta)
	if x.quantity.name == "" {
		o.value = r.X[len(r.X)-1]
	} else {
		o.value = x.quantity.sign * o.theta[x.quantity.state]
	}
	return o
}

// inside finds a reward inside the goal set; nil where there seems to be none.
func (x *extremes) inside(f *feasibility) ([]float64, error) {
	if x.center == nil {
		x.center = []float64{}
		if f != x.system {
			o, err := x.cuts.maximise(quantity{})
			if err != nil {
				return nil, err
			}
			x.center = append(x.center, o.theta...)
		} else {
			r, err := f.ask(f.e.Problem)
			if err != nil {
				return nil, err
			}
			if usable(r, f.e.Problem) {
				x.center = f.e.Theta(r.X)
			}
		}
	}
	if len(x.center) == 0 {
		return nil, nil
	}
	return x.center, nil
}

// attained keeps what a proved member of a goal set attains, if that is the most so far.
func (x *extremes) attained(a Answer, h GoalSet, e *Extreme) {
	if a.Verdict != Yes {
		return
	}
	x.members = append(x.members, a)
	if value := x.quantity.of(a, h); !(value <= e.Value) {
		e.Value, e.Member = value, a.Certificate
	}
}

// leeways yields by how much more than multipliers bound a quantity by a limit is stated, more and more.
func (x *extremes) leeways(rounding float64) func(yield func(float64) bool) {
	lower, upper := x.g.box()
	d := max(rounding, leewayLeast*(upper-lower))
	return func(yield func(float64) bool) {
		for i := 0; i < leewayTries && yield(d); i++ {
			d *= leewayGrowth
		}
	}
}

// generate finds the extreme by constraint generation.
func (x *extremes) generate() (Answer, Extreme, error) {
	e := unknownExtreme()
	if x.cuts == nil {
		f := newFeasibility(x.ctx, x.g, x.solver)
		if f.contradiction() || f.clash() {
			return f.best, e, nil
		}
		if err := f.constants(); err != nil {
			return f.best, e, err
		}
		var err error
		if x.cuts, err = newGeneration(f); err != nil {
			return f.best, e, err
		}
	}
	g := x.cuts
	x.attained(g.best, x.g, &e)
	o, err := g.maximise(x.quantity)
	if err != nil || g.best.Verdict == No {
		return g.best, e, err
	}
	if o.theta != nil {
		err = x.member(g.feasibility, o, &e)
	}
	switch {
	case err != nil:
	case x.quantity.name != "" && g.group[x.quantity.state] == sparse.None:
		e.Limit = 0 // for want of features
	case o.y != nil:
		constraints, cuts := g.multipliers(o.y)
		err = x.limit(g.feasibility, g.refutation(g.g.question(), constraints, cuts), &e)
	}
	return g.best, e, err
}

// member proves that an optimum, or what lies close to it, is attained: with less of a margin, on the way to a
// reward inside the goal set, or, where nothing is inside because ties are forced, with rounded rewards.
func (x *extremes) member(f *feasibility, o optimum, e *Extreme) error {
	yes, err := x.retreat(f, o, e, 0)
	if err == nil && !yes && (x.quantity.name == "" || o.first != nil) {
		yes, err = x.goBack(f, o, e)
	}
	if err == nil && !yes {
		if o.first, err = x.inside(f); err == nil && o.first != nil {
			yes, err = x.goBack(f, o, e)
		}
	}
	if err == nil && !yes {
		o.theta = rounded(o.theta)
		_, err = x.retreat(f, o, e, 0)
	}
	return err
}

// goBack goes back from an optimum as far as it takes, and reports whether it did not take the whole way. Where
// nothing at the end of the way is proved, what lies on it is not tried.
func (x *extremes) goBack(f *feasibility, o optimum, e *Extreme) (yes bool, err error) {
	if yes, err = x.retreat(f, o, e, 1); err != nil || !yes {
		return yes, err
	}
	for _, d := range retreats {
		if yes, err := x.retreat(f, o, e, d); err != nil || yes {
			return yes, err
		}
	}
	return false, nil
}

// retreat tries to prove what lies some way back from an optimum.
func (x *extremes) retreat(f *feasibility, o optimum, e *Extreme, d float64) (yes bool, err error) {
	lower, upper := x.g.box()
	h, theta := x.g, slices.Clone(o.theta)
	for s := range o.first {
		theta[s] += d * (o.first[s] - theta[s])
	}
	judge := f.judge
	if x.quantity.name == "" {
		if h.Margin = max(h.Margin, min(o.value-d*(upper-lower), o.value*(1-d))); h.Margin != x.g.Margin {
			f.judge = newJudge(h, check.Feasible)
		}
	}
	known := f.best
	f.best = f.answer
	r := f.allowed(theta, snapTolerance*(upper-lower))
	if r != nil {
		var a Answer
		if a, err = f.judge.judge(f.ctx, r); err == nil {
			f.keep(a)
		}
	}
	if f.judge = judge; err != nil {
		return false, err
	}
	if f.best.Verdict == Yes {
		x.attained(f.best, h, e)
		return true, nil
	}
	if known.Verdict == Yes {
		f.best = known
	}
	return false, nil
}

// limit proves by multipliers of the rows that nothing goes beyond what they bound the quantity by: they
// refute a goal set with a margin that is greater, or with one more constraint, which has multiplier 1.
func (x *extremes) limit(f *feasibility, c *Certificate, e *Extreme) error {
	m := newMultipliers(f.judge, c)
	m.balance()
	most, rounding := m.bound(x.quantity)
	for d := range x.leeways(rounding) {
		h, err := x.quantity.atLeast(x.g, most+d)
		if err != nil {
			return err
		}
		c := m.certificate(h.question())
		if x.quantity.name != "" {
			c.ConstraintY = append(slices.Clip(c.ConstraintY), x.quantity.sign)
		}
		if most+d >= e.Limit {
			break
		}
		if len(check.Check(h.Model, c)) == 0 {
			e.Limit, e.Beyond = most+d, c
			break
		}
	}
	return nil
}

// optimum is what is to be proved an extreme.
type optimum struct {
	theta, first []float64 // a reward that attains value, and one to go back to; nil: none is known
	value, most  float64   // most is the least upper bound that is known
	y            []float64 // multipliers of the rows that prove it
}

// maximise closes in on the greatest value of a quantity, from a member and from the best that the cuts allow.
func (g *generation) maximise(q quantity) (optimum, error) {
	o := optimum{value: math.Inf(-1)}
	lower, upper := g.g.box()
	p := &g.program
	cost := make([]float64, g.groups+2)
	close, relative := rangeTolerance, marginTolerance
	if g.forced.NumBranches() <= check.ExactBranches {
		close, relative = closeEnough, closeEnough
	}
	tolerance := func() float64 { return close * (upper - lower) }
	if q.name == "" {
		cost[g.margin()] = 1
		least, greatest := g.g.valueBounds()
		p.upper[g.margin()] = max(g.g.Margin, 1+greatest-least)
		defer func() { p.upper[g.margin()] = g.g.Margin }()
		tolerance = func() float64 { return relative * (close*(upper-lower) + math.Abs(o.value)) }
	} else if k := g.group[q.state]; int(k) < g.groups {
		cost[k] = q.sign
	} else {
		cost = nil // it is 0
		o.most = 0
	}
	var corner smallResult // the best that the cuts allow
	atCorner := false      // ask there, because the center before was missed by nothing
	for range generationRounds {
		if cost != nil {
			if corner = g.corner(cost); corner.x != nil {
				o.most, o.y = corner.value, corner.y
			}
		}
		if o.theta != nil && o.most-o.value <= tolerance() {
			break
		}
		r := corner
		if !atCorner || r.x == nil {
			r = g.centerAbove(cost, o)
			if r.x == nil || r.value < -emptyTolerance {
				if o.theta == nil && r.y != nil {
					g.empty(r.y)
				}
				break
			}
		}
		far, err := g.ask(r.x)
		if err != nil {
			return o, err
		}
		value := 0.0
		switch {
		case q.name == "":
			if value = g.least; !far { // but for rounding, every pair keeps the margin asked for
				value = max(value, r.x[g.margin()])
			}
		case far:
			value = math.Inf(-1)
		case cost != nil:
			value = q.sign * r.x[g.group[q.state]]
		}
		if value > o.value && (q.name != "" || value >= g.g.Margin) {
			atCorner = corner.x != nil && !far && !atCorner
			o.theta, o.value = g.reward(r.x[:g.groups]), value
			if o.first == nil && q.name != "" {
				o.first = o.theta
			}
		} else if !far {
			break
		} else {
			atCorner = false
		}
	}
	return o, nil
}

// corner finds the best that the cuts allow.
func (g *generation) corner(cost []float64) smallResult {
	p, radius := &g.program, g.radius()
	least, most := p.lower[radius], p.upper[radius]
	p.lower[radius], p.upper[radius] = 0, 0
	r := p.solve(cost)
	p.lower[radius], p.upper[radius] = least, most
	return r
}

// centerAbove finds the center of what is better than the middle between the best value attained, if any is,
// and the best that the cuts allow.
func (g *generation) centerAbove(cost []float64, o optimum) smallResult {
	if o.theta == nil {
		return g.center()
	}
	p, rows := &g.program, len(g.program.rows)
	row := append([]float64(nil), cost...)
	row[g.radius()] = -1
	p.rows, p.bound = append(p.rows, row), append(p.bound, o.value/2+o.most/2)
	r := g.center()
	p.rows, p.bound = p.rows[:rows], p.bound[:rows]
	return r
}
