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

	// Proof is about the goal set of these conditions alone (and of states without choices, which are
	// no condition), and says that it is empty. It is nil where that was not proved: then the
	// conditions are those that the proof about the whole goal set rests on.
	Proof *Certificate

	// Open counts the conditions without which it is not known whether there is a reward. 0 means that
	// the conflict is irreducible: whichever condition is left out, the others have a reward, which
	// was found and proved to be one.
	Open int
}

// ConflictPair is a state of S_train and what is taken there.
type ConflictPair struct {
	State   uint32
	Taken   uint32
	Against []uint32 // untaken choices that the proof sets against it; none where only the value of the taken one counts
}

// effort is how hard to try to prove something about some conditions.
type effort uint8

// The efforts, by what they cost.
const (
	truncate effort = iota // have the multipliers at hand checked, without those of other conditions
	guess                  // ask Feasible without a solver
	solve                  // ask it with the solver
)

// prices are about what the efforts cost a relevant branch, in units of 20 ns; to find these branches
// costs one unit too.
var prices = [...]int{truncate: 1, guess: 64, solve: 256}

// generating is the price of constraint generation, which features take: dozens of discounted solves.
const generating = 1024

// whyNotBudget is what WhyNot may spend unless it is to be thorough, in the same unit: some seconds. A
// limit of time would make the result depend on the machine.
const whyNotBudget = 1 << 28

// WhyNot finds a small conflict in a goal set that a certificate proves to be empty, as Feasible returns
// it. It leaves out what the certificate does not rest on, then the conditions with the smallest
// multipliers, many at once, and in the end single ones, as long as Feasible still proves that there
// is no reward. It stops where the context ends, and, unless it is thorough, where that takes long, as
// in large models; the conflict is as small then as it has become.
func WhyNot(ctx context.Context, g GoalSet, proof *Certificate, solver Solver, thorough bool) Conflict {
	w := &whyNot{ctx: ctx, g: g, solver: solver, budget: whyNotBudget, proof: proof}
	if thorough {
		w.budget = math.MaxInt
	}
	for s := range g.Train.All() {
		if !g.Model.Terminal(s) {
			w.kept = append(w.kept, s)
		}
	}
	for i := range g.Constraints {
		w.kept = append(w.kept, condition(g.Model.NumStates()+i))
	}
	w.lighten(truncate)
	w.lighten(guess)
	w.lighten(solve)
	w.settle()
	if support := w.support(); w.proof == proof && len(support) < len(w.kept) {
		return w.conflict(support, nil, nil)
	}
	needed := w.leaveOut()
	return w.conflict(w.kept, w.proof, needed)
}

// condition is a state of S_train that has choices, or the number of states plus the position of a
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
	for i, c := range w.proof.Choices {
		s, y := m.ChoiceState(c), w.proof.ChoiceY[i]
		if c == w.g.Policy[s] {
			state[s] = max(state[s], -y)
		} else if w.g.margin(c) > 0 {
			state[s] = max(state[s], y)
		}
	}
	weights := make([]float64, len(w.kept))
	constraint := 0
	for i, c := range w.kept {
		if int(c) < len(state) {
			weights[i] = state[c]
			continue
		}
		weights[i] = math.Abs(w.proof.ConstraintY[constraint])
		for _, t := range w.g.Constraints[int(c)-len(state)].Terms {
			if t.Label != nil { // which ties rewards, whatever the multiplier
				weights[i] = max(weights[i], math.SmallestNonzeroFloat64)
			}
		}
		constraint++
	}
	return weights
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

// narrow finds out about some of the conditions kept, with the efforts given in turn and as far as there
// is anything left to spend on it, and keeps only them when they clash.
func (w *whyNot) narrow(conditions []condition, efforts ...effort) Verdict {
	if w.budget <= 0 || w.ctx.Err() != nil {
		return Undecided
	}
	conditions = slices.Sorted(slices.Values(conditions))
	g := w.goals(conditions)
	relevant := g.Relevant()
	branches := w.branches(relevant)
	w.budget -= branches
	for _, e := range efforts {
		if !w.spend(branches * w.price(e)) {
			return Undecided
		}
		a := w.try(conditions, g, relevant, e)
		if a.Verdict == No {
			w.kept, w.proof = conditions, a.Certificate
		}
		if a.Verdict != Undecided {
			return a.Verdict
		}
	}
	return Undecided
}

// spend reports whether a cost can be afforded, and then does.
func (w *whyNot) spend(cost int) bool {
	if w.budget < cost || w.ctx.Err() != nil {
		return false
	}
	w.budget -= cost
	return true
}

// price is what an effort costs a branch.
func (w *whyNot) price(e effort) int {
	if e > truncate && w.g.Features != nil {
		return generating
	}
	return prices[e]
}

// branches returns the number of branches of a set of states.
func (w *whyNot) branches(set sparse.Bitset) int {
	n := 0
	for s := range set.All() {
		n += len(w.g.Model.Successors(s))
	}
	return n
}

// try proves what it can about a goal set with an effort.
func (w *whyNot) try(conditions []condition, g GoalSet, relevant sparse.Bitset, e effort) (a Answer) {
	var err error
	switch e {
	case truncate:
		if c := w.truncated(conditions, g, relevant); len(check.Check(g.Model, c)) == 0 {
			a.Verdict, a.Certificate = No, c
		}
	case guess:
		a, err = Feasible(w.ctx, g, nil)
	case solve:
		a, err = Feasible(w.ctx, g, w.solver)
	}
	if err != nil { // too large for the solver, or the end of the context
		return Answer{}
	}
	return a
}

// truncated returns what the proof says of some of the conditions kept, whose goal set is g.
func (w *whyNot) truncated(conditions []condition, g GoalSet, relevant sparse.Bitset) *Certificate {
	c := check.New(g.Model, check.Infeasible, g.question())
	for i, a := range w.proof.Choices {
		s, y := g.Model.ChoiceState(a), w.proof.ChoiceY[i]
		if relevant.Has(s) && (y > 0 || g.Train.Has(s)) {
			c.Choices, c.ChoiceY = append(c.Choices, a), append(c.ChoiceY, y)
		}
	}
	for i, s := range w.proof.Terminals {
		if relevant.Has(s) {
			c.Terminals, c.TerminalY = append(c.Terminals, s), append(c.TerminalY, w.proof.TerminalY[i])
		}
	}
	constraint := 0
	for _, x := range w.kept {
		if int(x) < g.Model.NumStates() {
			continue
		}
		if _, ok := slices.BinarySearch(conditions, x); ok {
			c.ConstraintY = append(c.ConstraintY, w.proof.ConstraintY[constraint])
		}
		constraint++
	}
	return c
}

// lighten leaves out the conditions of the smallest multipliers, half of all at first, with one effort.
func (w *whyNot) lighten(e effort) {
	for size := len(w.support()) / 2; size > 0; {
		if w.narrow(w.support()[size:], e) != No {
			size /= 2
			continue
		}
		if e != truncate { // there are other multipliers now
			w.lighten(truncate)
		}
		size = min(size, len(w.support())/2)
	}
}

// settle leaves out what the proof does not rest on, as long as the rest has a proof of its own.
func (w *whyNot) settle() {
	for {
		if s := w.support(); len(s) == len(w.kept) || w.narrow(s, truncate, guess, solve) != No {
			return
		}
	}
}

// leaveOut tries to do without each of the conditions. It returns those without which there is a reward.
func (w *whyNot) leaveOut() (needed map[condition]bool) {
	needed = make(map[condition]bool)
	for _, c := range w.support() {
		place, ok := slices.BinarySearch(w.kept, c)
		if !ok {
			continue
		}
		rest := slices.Delete(slices.Clone(w.kept), place, place+1)
		switch w.narrow(rest, truncate, guess, solve) {
		case Yes:
			needed[c] = true
		case No:
			w.settle()
		case Undecided:
			needed[c] = w.memberWithout(c, rest)
		}
	}
	return needed
}

// memberWithout looks for a reward without one condition in smaller goal sets than that of the rest, in
// which the policy is also followed from there on, and takes another choice in the state left out. Then
// S_train is closed, so that the solver's rewards are members.
func (w *whyNot) memberWithout(out condition, rest []condition) bool {
	if int(out) >= w.g.Model.NumStates() {
		return w.closedMember(rest, w.g.Policy)
	}
	lo, hi := w.g.Model.Choices(out)
	for c := lo; c < hi; c++ {
		policy := slices.Clone(w.g.Policy)
		policy[out] = c
		if c != w.g.Policy[out] && w.closedMember(rest, policy) {
			return true
		}
	}
	return false
}

func (w *whyNot) closedMember(conditions []condition, policy []uint32) bool {
	if w.budget <= 0 {
		return false
	}
	g := w.goals(conditions)
	g.Policy = policy
	if !w.follow(&g) {
		return false
	}
	if !w.spend(w.branches(g.Relevant()) * w.price(solve)) {
		return false
	}
	a, err := Feasible(w.ctx, g, w.solver)
	return err == nil && a.Verdict == Yes
}

// follow adds to S_train what the policy visits from there, and reports whether it says what to do there.
func (w *whyNot) follow(g *GoalSet) bool {
	var queue []uint32
	for s := range g.Train.All() {
		queue = append(queue, s)
	}
	for i := 0; i < len(queue); i++ {
		s := queue[i]
		if !w.g.Train.Has(s) {
			return false
		}
		if g.Model.Terminal(s) {
			continue
		}
		for _, t := range g.Model.Targets(g.Policy[s]) {
			if !g.Train.Has(t) {
				g.Train.Set(t)
				queue = append(queue, t)
			}
		}
	}
	return true
}

// conflict describes what clashes, in the end.
func (w *whyNot) conflict(conditions []condition, proof *Certificate, needed map[condition]bool) Conflict {
	c := Conflict{Proof: proof}
	m, n := w.g.Model, w.g.Model.NumStates()
	against := make(map[uint32][]uint32)
	for i, a := range w.proof.Choices {
		if s := m.ChoiceState(a); a != w.g.Policy[s] && w.proof.ChoiceY[i] > 0 {
			against[s] = append(against[s], a)
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
