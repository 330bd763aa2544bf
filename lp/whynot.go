package lp

import (
	"cmp"
	"context"
	"math"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Conflict is a set of conditions that no reward in the box meets together: what the policy does in
// some states of S_train, and some of the constraints.
type Conflict struct {
	Pairs       []ConflictPair // in increasing order of states
	Constraints []int          // positions in GoalSet.Constraints, increasing

	// Proof is about the goal set of these conditions alone, and says that it is empty. It is nil where that was not proved: then the
	// conditions are those that the proof about the whole goal set rests on.
	Proof *Certificate

	// Open counts the conditions without which it is not known whether there is a reward. 0 means that
	// the conflict is irreducible: whichever condition is left out, the others have a reward, which
	// was found and proved to be one.
	Open int
}

// ConflictPair is a state of S_train that has several choices, and which of them is taken there.
type ConflictPair struct {
	State   uint32
	Taken   uint32
	Against []uint32 // untaken choices that the proof sets against it; none where only the value of the taken one counts
}

const (
	// whyNotBudget and whyNotPasses are what WhyNot may spend unless it is to be thorough, in units of some
	// 20 ns, which add up to seconds, and in passes over the model. A limit of time would make the result
	// depend on the machine.
	whyNotBudget, whyNotPasses = 1 << 28, 100
	// statePrice is the price of a linear program for each state of its area, branchPrice that of the passes
	// over the model around it for each branch.
	statePrice, branchPrice = 1 << 10, 2
	// featuredPrice is how many times that a program with features costs: they fill it.
	featuredPrice = 16
	// mostAlone is how many conditions are tried alone.
	mostAlone = 128
)

// WhyNot finds a small conflict in a goal set that a certificate proves to be empty, as Feasible returns
// it. Where the certificate rests on no constraints, it tries single conditions. Else it starts from all
// that the certificate rests on and leaves out the conditions with the smallest multipliers, many at once,
// and in the end single ones, as long as the rows of the states near the others contradict one another;
// and it puts conditions together, from the one with the greatest multiplier, until they clash. Where the rows
// do not contradict, the choices of states without a condition are tried in turn, which ends with a reward or with
// a proof by cases, or where there are too many: then a condition stays open. It stops where the context ends, and,
// unless it is thorough, where that takes long; the conflict is as small then as it has become.
//
// Where rewards depend on features and the model is large, hardly a reward is found for what the rows near
// leave possible, since every state has a say in it: what is named then clashes, but may be hundreds of conditions,
// most of them open.
//
// Programs are those of some hundreds of states, whatever the size of the model, which counts only for the
// checks: a few passes over it for each condition of the conflict.
func WhyNot(ctx context.Context, g GoalSet, proof *Certificate, solver Solver, thorough bool) Conflict {
	w := &whyNot{ctx: ctx, g: g, solver: solver, proof: proof}
	w.budget = whyNotBudget + whyNotPasses*branchPrice*g.Model.NumBranches()
	if thorough {
		w.budget = math.MaxInt
	}
	for s := range g.Train.All() {
		if w.chooses(s) {
			w.kept = append(w.kept, s)
		}
	}
	for i := range g.Constraints {
		w.kept = append(w.kept, condition(g.Model.NumStates()+i))
	}
	support := w.support()
	if !w.truncate(support) {
		return w.conflict(support, nil, nil)
	}
	if w.alone(support) {
		return w.conflict(w.kept, w.proof, w.needed())
	}
	if g.Features != nil { // programs with features are dense: the fewer conditions the better
		w.lighten(w.truncate)
	}
	w.lighten(w.clashes)
	w.leaveOut()
	return w.smallest()
}

// condition is a state of S_train that has several choices, or the number of states plus the position of a
// constraint.
type condition = uint32

type whyNot struct {
	ctx    context.Context
	g      GoalSet
	solver Solver
	budget int
	kept   []condition // which clash, increasing
	proof  *Certificate
}

// chooses reports whether a state has several choices, so that what is taken there is a condition.
func (w *whyNot) chooses(s uint32) bool {
	lo, hi := w.g.Model.Choices(s)
	return hi-lo > 1
}

// goals returns the goal set of some conditions.
func (w *whyNot) goals(conditions []condition) GoalSet {
	g, n := w.g, w.g.Model.NumStates()
	g.Train, g.Constraints = sparse.NewBitset(n), nil
	for _, c := range conditions {
		if int(c) < n {
			g.Train.Set(c)
		} else {
			g.Constraints = append(g.Constraints, w.g.Constraints[int(c)-n])
		}
	}
	return g
}

// weights returns, for each condition kept, the greatest multiplier of it that the proof rests on:
// where an inequality between values has a multiplier, it holds whatever is taken, so that only the
// equality of the taken choice, or a margin, makes a condition of a state.
func (w *whyNot) weights() []float64 {
	m := w.g.Model
	state := make([]float64, m.NumStates())
	for _, x := range everyCase(w.proof) {
		for i, c := range x.Choices {
			s, y := m.ChoiceState(c), x.ChoiceY[i]
			if c == w.g.Policy[s] {
				state[s] = max(state[s], -y)
			} else if w.g.margin(c) > 0 {
				state[s] = max(state[s], y)
			}
		}
	}
	weights := make([]float64, len(w.kept))
	constraint := 0
	for i, c := range w.kept {
		if int(c) < len(state) {
			weights[i] = state[c]
			continue
		}
		for _, x := range everyCase(w.proof) {
			weights[i] = max(weights[i], math.Abs(x.ConstraintY[constraint]))
		}
		for _, t := range w.g.Constraints[int(c)-len(state)].Terms {
			if t.Label != nil { // which ties rewards, whatever the multiplier
				weights[i] = max(weights[i], math.SmallestNonzeroFloat64)
			}
		}
		constraint++
	}
	return weights
}

// everyCase returns the multipliers of each case of a proof.
func everyCase(c *Certificate) []*check.Multipliers {
	if len(c.Cases) == 0 {
		return []*check.Multipliers{&c.Multipliers}
	}
	all := make([]*check.Multipliers, len(c.Cases))
	for i := range c.Cases {
		all[i] = &c.Cases[i].Multipliers
	}
	return all
}

// support returns the conditions that the proof rests on, those of smaller multipliers first.
func (w *whyNot) support() []condition {
	weights := w.weights()
	var places []int
	for i, x := range weights {
		if x > 0 {
			places = append(places, i)
		}
	}
	slices.SortStableFunc(places, func(i, j int) int { return cmp.Compare(weights[i], weights[j]) })
	support := make([]condition, len(places))
	for k, i := range places {
		support[k] = w.kept[i]
	}
	return support
}

// spend reports whether a cost can be afforded, and then does.
func (w *whyNot) spend(cost int) bool {
	if w.budget < cost || w.ctx.Err() != nil {
		return false
	}
	w.budget -= cost
	return true
}

// truncate keeps only some of the conditions where the multipliers at hand, without those of the others,
// prove that they clash.
func (w *whyNot) truncate(conditions []condition) bool {
	if !w.spend(branchPrice * w.g.Model.NumBranches()) {
		return false
	}
	conditions = slices.Sorted(slices.Values(conditions))
	g := w.goals(conditions)
	c := w.truncated(conditions, g, g.Relevant())
	if len(check.Check(g.Model, c)) > 0 {
		return false
	}
	w.kept, w.proof = conditions, c
	return true
}

// clash keeps only some conditions where the rows of about so many states near them prove that they
// clash. The verdict is that of area.clash.
func (w *whyNot) clash(conditions []condition, states int) (*area, Verdict) {
	conditions = slices.Sorted(slices.Values(conditions))
	a := w.around(conditions, states)
	if !w.spend(branchPrice * w.g.Model.NumBranches()) {
		return a, Undecided
	}
	v := a.clash()
	if v == No {
		w.keep(conditions, a)
	}
	return a, v
}

// keep keeps only some conditions, which an area proves to clash, and of these those that the proof rests on.
func (w *whyNot) keep(conditions []condition, a *area) {
	w.kept, w.proof = slices.Sorted(slices.Values(conditions)), a.best.Certificate
	if support := w.support(); len(support) < len(w.kept) {
		w.truncate(support)
	}
}

// truncated returns what the proof says of some of the conditions kept, whose goal set is g.
func (w *whyNot) truncated(conditions []condition, g GoalSet, relevant sparse.Bitset) *Certificate {
	c := check.New(g.Model, check.Infeasible, g.question())
	if len(w.proof.Cases) == 0 {
		c.Multipliers = w.truncatedCase(conditions, g, relevant, nil, &w.proof.Multipliers)
	}
	for i := range w.proof.Cases {
		x := &w.proof.Cases[i]
		c.Cases = append(c.Cases, check.Case{Best: x.Best, Multipliers: w.truncatedCase(conditions, g, relevant, x.Best, &x.Multipliers)})
	}
	return c
}

func (w *whyNot) truncatedCase(conditions []condition, g GoalSet, relevant sparse.Bitset, best []uint32, x *check.Multipliers) (y check.Multipliers) {
	for i, a := range x.Choices {
		s := g.Model.ChoiceState(a)
		if relevant.Has(s) && (x.ChoiceY[i] > 0 || g.Train.Has(s) || !w.chooses(s) || slices.Contains(best, a)) {
			y.Choices, y.ChoiceY = append(y.Choices, a), append(y.ChoiceY, x.ChoiceY[i])
		}
	}
	for i, s := range x.Terminals {
		if relevant.Has(s) {
			y.Terminals, y.TerminalY = append(y.Terminals, s), append(y.TerminalY, x.TerminalY[i])
		}
	}
	constraint := 0
	for _, c := range w.kept {
		if int(c) < g.Model.NumStates() {
			continue
		}
		if _, ok := slices.BinarySearch(conditions, c); ok {
			y.ConstraintY = append(y.ConstraintY, x.ConstraintY[constraint])
		}
		constraint++
	}
	return y
}

// lighten leaves out the conditions of the smallest multipliers, half of all at first, as long as the others are
// found to clash, and so kept.
func (w *whyNot) lighten(found func(conditions []condition) bool) {
	for size := len(w.support()) / 2; size > 0; {
		if found(w.support()[size:]) {
			size = min(size, len(w.support())/2)
		} else {
			size /= 2
		}
	}
}

// alone keeps one pair of S_train that no reward meets, if there is one among those of the greatest
// multipliers. Where constraints take part in the conflict there hardly is, and it does not look.
func (w *whyNot) alone(support []condition) bool {
	if slices.ContainsFunc(support, func(c condition) bool { return int(c) >= w.g.Model.NumStates() }) {
		return false
	}
	for _, c := range slices.Backward(support[max(0, len(support)-mostAlone):]) {
		if _, v := w.clash([]condition{c}, fewStates); v == No {
			return true
		}
	}
	return false
}

// clashes is clash with many states, as lighten needs it.
func (w *whyNot) clashes(conditions []condition) bool {
	_, v := w.clash(conditions, manyStates)
	return v == No
}

// leaveOut leaves out single conditions as long as the others clash.
func (w *whyNot) leaveOut() {
	for _, c := range w.support() {
		place, ok := slices.BinarySearch(w.kept, c)
		if !ok {
			continue
		}
		w.clash(slices.Delete(slices.Clone(w.kept), place, place+1), fewStates)
	}
}

// needed returns the conditions kept without which a reward was found, and leaves out those that turn out not to be
// needed.
func (w *whyNot) needed() map[condition]bool {
	needed := make(map[condition]bool)
	for again := true; again; {
		again = false
		open := false
		for _, c := range w.support() {
			place, ok := slices.BinarySearch(w.kept, c)
			if !ok || needed[c] {
				continue
			}
			switch w.decide(slices.Delete(slices.Clone(w.kept), place, place+1)) {
			case Yes:
				needed[c] = true
			case No:
				again, open = again || open, false
			default:
				open = true
			}
		}
	}
	return needed
}

// decide finds out whether there is a reward for some of the conditions kept; if not, it keeps only these.
func (w *whyNot) decide(conditions []condition) Verdict {
	a, v := w.clash(conditions, fewStates)
	if v == Yes {
		if v = a.byCases(mostNodes); v == No {
			w.keep(conditions, a)
		}
	}
	if v == Undecided && !a.whole {
		if _, v = w.clash(conditions, manyStates); v == Yes {
			v = Undecided
		}
	}
	return v
}

// fades are the factors that growth is tried with before the conflict kept is looked at, and after that if it
// has to be.
var fades = [2]float64{0.2, 0.4}

// smallest returns the conflict kept, or a smaller one near it, such that as little as possible is open.
func (w *whyNot) smallest() Conflict {
	kept, proof := w.kept, w.proof
	var best Conflict
	decided := false
	try := func() {
		rest := w.budget / 2
		w.budget -= rest
		needed := w.needed()
		w.budget += rest
		if c := w.conflict(w.kept, w.proof, needed); !decided || c.Open < best.Open {
			best, decided = c, true
		}
		w.kept, w.proof = kept, proof
	}
	grow := func(fade float64) {
		if w.g.Features == nil && w.newGrowth().run(fade) {
			if w.leaveOut(); len(w.kept) <= len(kept) {
				try()
			}
			w.kept, w.proof = kept, proof
		}
	}
	if grow(fades[0]); !decided || best.Open > 0 {
		try()
	}
	if best.Open > 0 {
		grow(fades[1])
	}
	return best
}

// conflict describes what clashes, in the end.
func (w *whyNot) conflict(conditions []condition, proof *Certificate, needed map[condition]bool) Conflict {
	c := Conflict{Proof: proof}
	m, n := w.g.Model, w.g.Model.NumStates()
	against := make(map[uint32][]uint32)
	for _, x := range everyCase(w.proof) {
		for i, a := range x.Choices {
			if s := m.ChoiceState(a); a != w.g.Policy[s] && x.ChoiceY[i] > 0 && !slices.Contains(against[s], a) {
				against[s] = append(against[s], a)
			}
		}
	}
	for _, x := range slices.Sorted(slices.Values(conditions)) {
		if !needed[x] {
			c.Open++
		}
		if int(x) < n {
			c.Pairs = append(c.Pairs, ConflictPair{x, w.g.Policy[x], against[x]})
		} else {
			c.Constraints = append(c.Constraints, int(x)-n)
		}
	}
	return c
}
