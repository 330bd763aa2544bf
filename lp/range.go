package lp

import (
	"context"
	"fmt"
	"math"
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
	// leeway and leewayGrowth are by how much more than a solver says a limit is stated, in widths of the
	// box, so that it can be proved, and by which factor that grows until it is, up to leewayMost.
	leeway       = 1e-9
	leewayGrowth = 10
	leewayMost   = 1e-2
)

// retreats are how far to go back from a reward that attains an extreme, by itself, until it is proved a member: as
// a share of the way to the first member, and of the margin.
var retreats = []float64{0, 1e-10, 1e-9, 1e-8, 1e-6, 1e-4, 1e-2, 0.1}

// LargestMargin finds the largest margin with which a goal set is not empty; g.Margin is the least that
// counts. Untaken choices with the distribution of the taken one, which no reward tells apart, are taken
// to be weak. The answer's verdict is whether there is any margin, and its reward the one that keeps the
// largest. With features it takes one discounted solve for each of some dozens of rewards; otherwise it is
// up to the solver, which is asked a few times. Errors are those of Feasible.
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
	x.attained(a, x.g, &least)
	x.quantity.sign = 1
	x.attained(b, x.g, &greatest)
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
	cuts     *generation // for all quantities of one goal set
}

// find finds the extreme; its limit is that of the box if nothing better is proved.
func (x *extremes) find() (Answer, Extreme, error) {
	a, e, err := x.proved()
	if x.quantity.name == "" {
		return a, e, err
	}
	lower, upper := x.g.box()
	if x.g.Features != nil {
		lower, upper = min(lower, 0), max(upper, 0)
	}
	if plain := max(x.quantity.sign*lower, x.quantity.sign*upper); e.Limit > plain {
		e.Limit, e.Beyond = plain, nil
	}
	return a, e, err
}

func (x *extremes) proved() (Answer, Extreme, error) {
	e := unknownExtreme()
	if err := x.g.validate(); err != nil {
		return Answer{}, e, err
	}
	if closed, _ := x.g.Closed(); closed && x.g.Features != nil {
		return x.generate()
	}
	a, err := Feasible(x.ctx, x.g, x.solver)
	if err != nil || a.Verdict == No {
		return a, e, err
	}
	x.attained(a, x.g, &e)
	if x.solver == nil {
		return a, e, nil
	}
	z, ok, err := x.optimum(&a)
	if err != nil || !ok {
		return a, e, err
	}
	err = x.prove(&a, &e, z)
	return a, e, err
}

// optimum asks the solver for the extreme; ok is false when it does not find it, or there is none.
func (x *extremes) optimum(a *Answer) (z float64, ok bool, err error) {
	e, err := Encode(x.g)
	if err != nil {
		return 0, false, err
	}
	p := e.Problem
	if x.quantity.name == "" {
		p = e.maximiseMargin()
	} else {
		p = p.clone()
		p.Cost[e.column[e.position[x.quantity.state]]] = -x.quantity.sign
	}
	r, err := x.solver.Solve(x.ctx, p)
	switch {
	case err != nil:
		return 0, false, err
	case !usable(r, p):
		a.Why += fmt.Sprintf("; the extreme is not known: %s ended %v (%s)", x.solver.Name(), r.Status, r.Detail)
		return 0, false, nil
	case x.quantity.name == "":
		return r.X[len(r.X)-1], true, nil
	}
	return x.quantity.sign * r.X[e.column[e.position[x.quantity.state]]], true, nil
}

// prove proves from both sides of what the solver says, as closely as it can be done.
func (x *extremes) prove(a *Answer, e *Extreme, z float64) error {
	for _, side := range []struct {
		sign float64
		want Verdict
	}{{-1, Yes}, {1, No}} {
		for d := range x.leeways() {
			h, err := x.quantity.atLeast(x.g, z+side.sign*d)
			if err != nil {
				return err
			}
			b, err := Feasible(x.ctx, h, x.solver)
			if err != nil {
				return err
			}
			if b.Verdict != side.want {
				continue
			}
			if side.want == Yes {
				x.attained(b, h, e)
				*a = b
			} else {
				e.Limit, e.Beyond = z+d, b.Certificate
			}
			break
		}
	}
	return nil
}

// attained keeps what a proved member of a goal set attains, if that is the most so far.
func (x *extremes) attained(a Answer, h GoalSet, e *Extreme) {
	if a.Verdict != Yes {
		return
	}
	if value := x.quantity.of(a, h); !(value <= e.Value) {
		e.Value, e.Member = value, a.Certificate
	}
}

// leeways yields by how much to stay off what a solver says, more and more, in the units of the box.
func (x *extremes) leeways() func(yield func(float64) bool) {
	lower, upper := x.g.box()
	return func(yield func(float64) bool) {
		for d := leeway; d <= leewayMost; d *= leewayGrowth {
			if !yield(d * (upper - lower)) {
				return
			}
		}
	}
}

// generate finds the extreme by constraint generation.
func (x *extremes) generate() (Answer, Extreme, error) {
	e := unknownExtreme()
	if x.cuts == nil {
		f := &feasibility{judge: newJudge(x.g, check.Feasible), ctx: x.ctx, solver: x.solver}
		f.best = f.answer
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
	if err = x.member(g, o, &e); err == nil {
		err = x.limit(g, o, &e)
	}
	return g.best, e, err
}

// member proves that an optimum, or what lies between it and the first center, is attained.
func (x *extremes) member(g *generation, o optimum, e *Extreme) error {
	if o.w == nil {
		return nil
	}
	// Where not even the first member is proved, going back does not help.
	for _, d := range retreats {
		yes, err := x.retreat(g, o, e, d)
		if err != nil || yes {
			return err
		}
		if d == retreats[0] {
			if yes, err = x.retreat(g, o, e, 1); err != nil || !yes {
				return err
			}
		}
	}
	return nil
}

// retreat tries to prove what lies some way back from an optimum.
func (x *extremes) retreat(g *generation, o optimum, e *Extreme, d float64) (yes bool, err error) {
	lower, upper := x.g.box()
	h, w := x.g, append([]float64(nil), o.w...)
	if x.quantity.name == "" {
		h.Margin = max(h.Margin, min(o.value-d*(upper-lower), o.value*(1-d)))
	} else {
		for k := range w {
			w[k] += d * (o.first[k] - w[k])
		}
	}
	known, judge := g.best, g.judge
	if g.best = g.answer; h.Margin != x.g.Margin {
		g.judge = newJudge(h, check.Feasible)
	}
	err = g.found(w)
	if g.judge = judge; err != nil {
		return false, err
	}
	if g.best.Verdict == Yes {
		x.attained(g.best, h, e)
		return true, nil
	}
	if known.Verdict == Yes {
		g.best = known
	}
	return false, nil
}

// limit proves that nothing goes beyond an optimum.
func (x *extremes) limit(g *generation, o optimum, e *Extreme) error {
	switch {
	case x.quantity.name != "" && g.group[x.quantity.state] == sparse.None:
		e.Limit = 0 // for want of features
		return nil
	case o.y == nil:
		return nil
	}
	constraints, cuts := g.multipliers(o.y)
	if x.quantity.name != "" {
		constraints = append(constraints, x.quantity.sign)
	}
	for d := range x.leeways() {
		h, err := x.quantity.atLeast(x.g, o.most+d)
		if err != nil {
			return err
		}
		c := g.refutation(h.question(), constraints, cuts)
		if len(check.Check(h.Model, c)) == 0 {
			e.Limit, e.Beyond = o.most+d, c
			break
		}
	}
	return nil
}

// optimum is what maximise finds.
type optimum struct {
	w, first    []float64 // that attains value, and the first member
	value, most float64   // most is the least upper bound by the cuts
	y           []float64 // multipliers that prove it
}

// maximise closes in on the greatest value of a quantity, from a member and from the best that the cuts allow.
func (g *generation) maximise(q quantity) (optimum, error) {
	o := optimum{value: math.Inf(-1)}
	lower, upper := g.g.box()
	p := &g.program
	cost := make([]float64, g.groups+2)
	tolerance := func() float64 { return rangeTolerance * (upper - lower) }
	if q.name == "" {
		cost[g.margin()] = 1
		least, greatest := g.g.valueBounds()
		p.upper[g.margin()] = max(g.g.Margin, 1+greatest-least)
		tolerance = func() float64 { return marginTolerance * (rangeTolerance*(upper-lower) + math.Abs(o.value)) }
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
		if o.w != nil && o.most-o.value <= tolerance() {
			break
		}
		r := corner
		if !atCorner {
			r = g.centerAbove(cost, o)
			if r.x == nil || r.value < -emptyTolerance {
				if o.w == nil && r.y != nil {
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
			o.w, o.value = append([]float64(nil), r.x[:g.groups]...), value
			if o.first == nil {
				o.first = o.w
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
	if o.w == nil {
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
