package lp

import (
	"context"
	"slices"

	"offswitch/sparse"
)

// Conflict is a set of conditions that no reward in the box meets together: what the policy does in
// some states of S_train, and some of the constraints.
type Conflict struct {
	Pairs       []ConflictPair // in increasing order of states
	Constraints []int          // positions in GoalSet.Constraints, increasing

	// Proof is about the goal set of these conditions alone, and says that it is empty. It is nil
	// where that was not proved: then the conditions are those that the proof about the whole goal set rests on.
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

// whyNotBranches bounds the relevant branches of all the goal sets that WhyNot asks Feasible about, added
// up: a few seconds to a minute, depending on the solver. A limit of time would make the result depend
// on the machine.
const whyNotBranches = 1 << 22

// WhyNot finds a small conflict in a goal set that a certificate proves to be empty, as Feasible returns
// it. It keeps what the certificate rests on, and then leaves out conditions, half of them at once at
// first and in the end one by one, wherever Feasible still proves that there is no reward. Where the
// context ends, or a large model makes this too slow, the conflict is as small as it has become.
func WhyNot(ctx context.Context, g GoalSet, proof *Certificate, solver Solver) Conflict {
	w := &whyNot{ctx: ctx, g: g, solver: solver, budget: whyNotBranches, proof: proof, needed: make(map[condition]bool)}
	for s := range g.Train.All() {
		if !g.Model.Terminal(s) {
			w.kept = append(w.kept, s)
		}
	}
	for i := range g.Constraints {
		w.kept = append(w.kept, condition(g.Model.NumStates()+i))
	}
	support := w.support()
	if w.narrow(support) == Undecided {
		return w.conflict(support, nil)
	}
	for size := len(w.kept) / 2; size > 1; size /= 2 {
		w.leaveOut(size)
	}
	w.leaveOut(1)
	return w.conflict(w.kept, w.proof)
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
	needed map[condition]bool // those without which there is a reward
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

// support returns the conditions kept that the proof rests on: where an inequality between values has a
// multiplier, it holds whatever is taken, so that only an equality of the taken choice, or a
// margin, makes a condition of a state.
func (w *whyNot) support() []condition {
	m, used := w.g.Model, sparse.NewBitset(w.g.Model.NumStates())
	for i, c := range w.proof.Choices {
		s, y := m.ChoiceState(c), w.proof.ChoiceY[i]
		if c == w.g.Policy[s] && y < 0 || c != w.g.Policy[s] && y > 0 && w.g.Margin > 0 {
			used.Set(s)
		}
	}
	var support []condition
	constraint := 0
	for _, c := range w.kept {
		if int(c) < m.NumStates() {
			if used.Has(c) {
				support = append(support, c)
			}
			continue
		}
		if w.proof.ConstraintY[constraint] != 0 {
			support = append(support, c)
		}
		constraint++
	}
	return support
}

// ask asks Feasible about some conditions, unless that takes more than may be spent.
func (w *whyNot) ask(conditions []condition) Answer {
	g := w.goals(conditions)
	for s := range g.Relevant().All() {
		w.budget -= len(g.Model.Successors(s))
	}
	if w.budget < 0 || w.ctx.Err() != nil {
		return Answer{}
	}
	a, err := Feasible(w.ctx, g, w.solver)
	if err != nil {
		return Answer{} // too large for the solver, or the end of the context
	}
	return a
}

// narrow asks about some of the conditions kept. When these clash too, it keeps only them, and of
// them only what the proof rests on, as long as that has a proof of its own.
func (w *whyNot) narrow(conditions []condition) Verdict {
	a := w.ask(conditions)
	if a.Verdict != No {
		return a.Verdict
	}
	for a.Verdict == No {
		w.kept, w.proof = conditions, a.Certificate
		if conditions = w.support(); len(conditions) == len(w.kept) {
			break
		}
		a = w.ask(conditions)
	}
	return No
}

// leaveOut tries to do without so many of the conditions kept at a time.
func (w *whyNot) leaveOut(size int) {
	for out := range slices.Chunk(slices.Clone(w.kept), size) {
		var rest []condition
		for _, c := range w.kept {
			if c < out[0] || c > out[len(out)-1] {
				rest = append(rest, c)
			}
		}
		if len(rest) < len(w.kept) && w.narrow(rest) == Yes && size == 1 {
			w.needed[out[0]] = true
		}
	}
}

// conflict describes what clashes, in the end.
func (w *whyNot) conflict(conditions []condition, proof *Certificate) Conflict {
	c := Conflict{Proof: proof}
	m, n := w.g.Model, w.g.Model.NumStates()
	against := make(map[uint32][]uint32)
	for i, a := range w.proof.Choices {
		if s := m.ChoiceState(a); a != w.g.Policy[s] && w.proof.ChoiceY[i] > 0 {
			against[s] = append(against[s], a)
		}
	}
	for _, x := range conditions {
		if !w.needed[x] {
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
