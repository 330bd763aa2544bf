package lp

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"offswitch/lp/check"
)

const (
	// snapTolerance is how close to a bound of the box, in units of its width, a solver's reward is
	// taken to be meant to lie on it.
	snapTolerance = 1e-9
	// roundedDigits is how many digits are left of rewards where they tie.
	roundedDigits = 8
	// tieMargin is the margin, in units of the width of the box, below which the largest margin is
	// taken to be 0: some ties are forced, and the others are then kept apart one by one.
	tieMargin = 1e-9
	// spreadLimit bounds, in the same unit, how far they are kept apart.
	spreadLimit = 1e-3
)

// Feasible decides whether a goal set has any reward in it. A yes comes with a reward that is proved
// to be a member, a no with Farkas multipliers. What needs no linear program comes first: equations
// that contradict one another; the likely reward; where there is no margin, θ = 0 and constant rewards, which are members whenever the box and
// the constraints allow them (for constant ones, where nothing ends); and duels, which prove that a
// few rows contradict one another or come upon a member. These take a few solves and checks of
// millions of states. What is then still open is for the solver. Where it finds a reward that is not proved a
// member, because something is tied, it maximises the margin. A yes alone says little: see LargestMargin.
// solver may be nil: then only what needs no linear program is decided. Where S_train is not closed, the linear system is only an outer relaxation: a no
// is proved all the same, and a yes where the reward found turns out to be a member.
//
// The error is that of a goal set that is not well-formed, of a solver that refuses a problem that
// is not decided without it, or the end of the context.
func Feasible(ctx context.Context, g GoalSet, solver Solver) (Answer, error) {
	if err := g.validate(); err != nil {
		return Answer{}, err
	}
	f := newFeasibility(ctx, g, solver)
	err := f.run()
	return f.best, err
}

type feasibility struct {
	*judge
	ctx    context.Context
	solver Solver
	best   Answer
	e      *Encoding // nil until the solver is needed
}

// newFeasibility returns a goal set, known to be well-formed, of which nothing is decided.
func newFeasibility(ctx context.Context, g GoalSet, solver Solver) *feasibility {
	f := &feasibility{judge: newJudge(g, check.Feasible), ctx: ctx, solver: solver}
	f.best = f.answer
	return f
}

func (f *feasibility) run() error {
	if f.contradiction() || f.clash() {
		return nil
	}
	if err := f.likely(); err != nil {
		return err
	}
	if err := f.constants(); err != nil {
		return err
	}
	if f.g.Features != nil && f.best.Closed {
		if f.best.Verdict == Yes {
			return nil
		}
		return f.generate()
	}
	if f.best.Verdict == Undecided {
		if err := f.duels(); err != nil || f.best.Verdict == No {
			return err
		}
	}
	if f.best.Verdict == Yes {
		return nil
	}
	if f.solver == nil {
		f.best.Why = "no reward that was tried is a proved member, and there is no solver to look for others"
		return nil
	}
	return f.solve()
}

// solve asks the solver.
func (f *feasibility) solve() (err error) {
	if f.e, err = Encode(f.g); err != nil {
		return err
	}
	result, err := f.ask(f.e.Problem)
	switch {
	case err != nil:
		return err
	case usable(result, f.e.Problem):
		return f.found(result.X)
	}
	f.refute(result)
	return nil
}

// ask asks the solver about one program.
func (f *feasibility) ask(p *Problem) (Result, error) {
	result, err := f.solver.Solve(f.ctx, p)
	if f.ctx.Err() != nil {
		err = context.Cause(f.ctx)
	}
	return result, err
}

// usable reports whether a result has a solution to look at.
func usable(r Result, p *Problem) bool {
	for _, x := range r.X {
		if !finite(x) {
			return false
		}
	}
	return r.Status == Optimal && len(r.X) == p.Columns()
}

// contradiction looks for a margin above 0 between equal distributions, which cannot be, and reports
// whether that proved a no.
func (f *feasibility) contradiction() bool {
	same, ok := f.g.equalRows()
	if !ok {
		return false
	}
	c := check.New(f.g.Model, check.Infeasible, f.g.question())
	c.Choices, c.ChoiceY = []uint32{same.Taken, same.Untaken}, []float64{-1, 1}
	if same.Taken > same.Untaken {
		c.Choices, c.ChoiceY = []uint32{same.Untaken, same.Taken}, []float64{1, -1}
	}
	c.ConstraintY = make([]float64, len(f.g.Constraints))
	f.best.Why = fmt.Sprintf("in state %s, choices %s and %s have the same distribution, so there is no margin between them",
		f.g.Model.StateName(same.State), f.g.Model.ActionName(same.Taken), f.g.Model.ActionName(same.Untaken))
	return f.prove(&f.best, No, c)
}

// clash looks for equations among the constraints that contradict one another, and reports whether that settles it:
// a no is proved, or they contradict one another by no more than what writing a number as a float64 may change, as
// 0.3 - 0.1 = 0.2 does. Then who wrote them did not mean a contradiction, and there is no reward to be found.
func (f *feasibility) clash() bool {
	c := check.New(f.g.Model, check.Infeasible, f.g.question())
	slight := false
	if c.ConstraintY, slight = f.g.clashing(f.states); c.ConstraintY == nil {
		return false
	}
	if slight {
		f.best.Why = "equations among the constraints contradict one another, but by no more than what taking their numbers as float64 may change"
		return true
	}
	f.best.Why = "equations among the constraints contradict one another"
	return f.prove(&f.best, No, c)
}

// equalRows returns a pair of choices of S_train that have the same distribution but need a margin.
func (g *GoalSet) equalRows() (same Gap, ok bool) {
	if g.Margin == 0 {
		return same, false
	}
	var rows rowKeys
	for s := range g.Train.All() {
		lo, hi := g.Model.Choices(s)
		for a := lo; a < hi; a++ {
			if a != g.Policy[s] && g.margin(a) > 0 && rows.sameDistribution(g.Model, a, g.Policy[s]) {
				return Gap{State: s, Taken: g.Policy[s], Untaken: a}, true
			}
		}
	}
	return same, false
}

// likely tries the reward that may well be a member.
func (f *feasibility) likely() error {
	if f.g.Likely == nil {
		return nil
	}
	r := &reward{values: f.g.Likely}
	for _, s := range f.states {
		if !finite(r.values[s]) {
			return nil
		}
	}
	if r.breaks(&f.g, f.states) != "" {
		return nil
	}
	return f.try(r, "the likely reward is a member: ")
}

// try judges a reward, and says why it is a member, if it is.
func (f *feasibility) try(r *reward, why string) error {
	a, err := f.judge.judge(f.ctx, r)
	if err != nil {
		return err
	}
	if f.keep(a); a.Verdict == Yes {
		f.best.Why = why + a.Why
	}
	return nil
}

// constants tries constant rewards, 0 first, when there is no margin to reach.
func (f *feasibility) constants() error {
	if f.g.Margin > 0 || f.best.Verdict == Yes {
		return nil
	}
	lower, upper := f.g.box()
	for _, x := range []float64{0, upper, lower, lower/2 + upper/2} {
		r := &reward{values: make([]float64, f.g.Model.NumStates())}
		for _, s := range f.states {
			r.values[s] = x
		}
		if r.breaks(&f.g, f.states) != "" {
			continue
		}
		a, err := f.judge.judge(f.ctx, r)
		if err != nil {
			return err
		}
		if f.keep(a); a.Verdict == Yes {
			f.best.Why = fmt.Sprintf("the constant reward %v is a member", x)
			return nil
		}
	}
	return nil
}

// keep makes a proved yes the answer, and otherwise what is believed, unless there is a better
// answer already.
func (f *feasibility) keep(a Answer) {
	if a.Verdict != Yes {
		if f.best.Verdict == Undecided {
			f.best.Why, f.best.Unproved = a.Why, a.Unproved
		}
		return
	}
	f.best = a
}

// found judges the reward of a solution of the system. Where it is not proved a member, those that keep
// apart what can be are tried: the reward of the largest margin, and where that is none, because some ties
// are forced, one that keeps the others apart.
func (f *feasibility) found(x []float64) error {
	if yes, err := f.candidates(x); err != nil || yes {
		return err
	}
	believed := f.solver.Name() + " finds a solution"
	if len(f.e.strict) > 0 {
		lower, upper := f.g.box()
		margin, yes, err := f.apart(f.e.maximiseMargin())
		if err == nil && !yes && f.g.Margin == 0 && margin <= tieMargin*(upper-lower) {
			_, yes, err = f.apart(f.e.spreadMargin(spreadLimit * (upper - lower)))
		}
		if err != nil || yes {
			return err
		}
		if finite(margin) {
			believed += fmt.Sprintf(" with margin %.6g", margin)
		}
	}
	believed += ", but its reward is not proved a member: "
	if !f.best.Closed {
		believed += "S_train is not closed, so that the linear program is only an outer relaxation; "
	}
	f.best.Why = believed + f.best.Why
	return nil
}

// apart judges the reward of an optimal solution, and returns the value of the last column; NaN where none
// is found.
func (f *feasibility) apart(p *Problem) (last float64, yes bool, err error) {
	result, err := f.ask(p)
	if f.ctx.Err() != nil {
		return math.NaN(), false, err
	}
	if err != nil || !usable(result, p) { // there is a solution already
		return math.NaN(), false, nil
	}
	yes, err = f.candidates(result.X)
	return result.X[len(result.X)-1], yes, err
}

// candidates judges the rewards that a solution may be meant to be, and reports whether one is a
// proved member.
func (f *feasibility) candidates(x []float64) (bool, error) {
	lower, upper := f.g.box()
	near := snapTolerance * (upper - lower)
	exact := f.e.Theta(x)
	snapped := slices.Clone(exact)
	f.snap(snapped)
	for _, values := range [][]float64{snapped, exact, rounded(exact)} {
		r := f.allowed(values, near)
		if r == nil {
			continue
		}
		a, err := f.judge.judge(f.ctx, r)
		if err != nil {
			return false, err
		}
		if f.keep(a); a.Verdict == Yes {
			return true, nil
		}
	}
	return false, nil
}

// snap puts rewards on a bound of the box, or on 0, where they are as close as a solver comes.
func (f *feasibility) snap(theta []float64) {
	lower, upper := f.g.box()
	near := snapTolerance * (upper - lower)
	for _, s := range f.states {
		switch x := theta[s]; {
		case math.Abs(x) <= near && lower <= 0 && upper >= 0:
			theta[s] = 0
		case x-lower <= near:
			theta[s] = lower
		case upper-x <= near:
			theta[s] = upper
		}
	}
}

// rounded returns rewards as short as people write them: where ties are forced, the rewards that a solver means to
// be equal, or to be those of constraints, are then equal.
func rounded(theta []float64) []float64 {
	out := make([]float64, len(theta))
	for s, x := range theta {
		out[s], _ = strconv.ParseFloat(strconv.FormatFloat(x, 'g', roundedDigits, 64), 64)
	}
	return out
}

// allowed returns the reward of these values, or one close by, that meets the constraints exactly;
// nil when none is found.
func (f *feasibility) allowed(values []float64, near float64) *reward {
	r := &reward{values: values}
	why := r.breaks(&f.g, f.states)
	for _, slack := range []float64{near, 0} {
		if why == "" {
			return r
		}
		r = &reward{values: append([]float64(nil), values...)}
		r.repair(&f.g, slack)
		why = r.breaks(&f.g, f.states)
	}
	if why == "" {
		return r
	}
	f.keep(Answer{Why: "after rounding, " + why})
	return nil
}

// refute makes a certificate of the solver's Farkas multipliers.
func (f *feasibility) refute(result Result) {
	believed := fmt.Sprintf("%s ended %v", f.solver.Name(), result.Status)
	if result.Detail != "" {
		believed += " (" + result.Detail + ")"
	}
	if result.Status != Infeasible || len(result.Y) != f.e.Rows() {
		f.best.Why = believed
		return
	}
	f.proveNo(result.Y, believed)
}

// proveNo proves a no by multipliers of the rows: by the great ones alone if they do, since most rows
// have nothing to do with it, but an interior-point method gives all of them some weight.
func (f *feasibility) proveNo(y []float64, believed string) {
	scale := 0.0
	for _, x := range y {
		scale = max(scale, math.Abs(x))
	}
	for _, least := range []float64{1e-2, 1e-4, 0} {
		f.best.Why = believed
		if f.prove(&f.best, No, f.infeasible(f.g.question(), y, scale, least)) {
			f.best.Why = "no reward meets the linear system: its rows contradict one another" + f.overlap()
			return
		}
	}
}

// infeasible makes an infeasibility certificate of multipliers of the rows, in units of a scale, if that is
// not 0, and without those below least. What rounding left on the wrong side of 0 is dropped.
func (f *feasibility) infeasible(q check.Question, y []float64, scale, least float64) *Certificate {
	c := check.New(f.g.Model, check.Infeasible, q)
	for row, x := range y {
		lower, upper := f.e.RowLower[row], f.e.RowUpper[row]
		if math.IsInf(upper, 1) {
			x = max(x, 0)
		}
		if math.IsInf(lower, -1) {
			x = min(x, 0)
		}
		if scale > 0 {
			x /= scale
		}
		if math.Abs(x) < least {
			x = 0
		}
		i, k := f.e.rowOf(row)
		switch {
		case i == len(f.e.States):
			c.ConstraintY = append(c.ConstraintY, x)
		case x == 0:
		case f.g.Model.Terminal(f.e.States[i]):
			c.Terminals, c.TerminalY = append(c.Terminals, f.e.States[i]), append(c.TerminalY, x)
		default:
			lo, _ := f.g.Model.Choices(f.e.States[i])
			c.Choices, c.ChoiceY = append(c.Choices, lo+uint32(k)), append(c.ChoiceY, x)
		}
	}
	return c
}

// overlap says which labels that the constraints mention mean one reward because some state carries
// both, which is easily overlooked.
func (f *feasibility) overlap() string {
	var labels []check.Term
	for i := range f.g.Constraints {
		for _, t := range f.g.Constraints[i].Terms {
			for _, other := range labels {
				for s := range t.Label.All() {
					if t.Name != other.Name && other.Label.Has(s) {
						return fmt.Sprintf("; r[%s] and r[%s] are the same reward, because state %s carries both labels", other.Name, t.Name, f.g.Model.StateName(s))
					}
				}
			}
			if t.Label != nil {
				labels = append(labels, t)
			}
		}
	}
	return ""
}
