package lp

import (
	"fmt"
	"math"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Constraint is a linear condition on θ.
type Constraint = check.Constraint

// ParseConstraint reads a constraint such as r[coin] - r[end] >= 0.1; see check.ParseConstraint for
// the syntax.
func ParseConstraint(m *sparse.MDP, text string) (Constraint, error) {
	return check.ParseConstraint(m, text)
}

// Feature is a label or a state on which rewards may depend.
type Feature = check.Feature

// ParseFeature returns the feature of a name: that of a state or a label, as r[NAME] has it in a constraint.
func ParseFeature(m *sparse.MDP, name string) (Feature, error) { return check.ParseFeature(m, name) }

// Certificate is an answer with its proof, in a form that can be written, read and checked.
type Certificate = check.Certificate

// GoalSet is the set of rewards θ in a box for which the taken choice of every state of S_train is
// optimal, by Margin over every untaken choice that is not weak, and which meet the constraints. θ
// counts on the states of Relevant and those that constraints mention; elsewhere it is ignored.
type GoalSet struct {
	Model       *sparse.MDP
	Discount    float64       // γ, in [0,1)
	Train       sparse.Bitset // S_train; when it is empty, only the box and the constraints count
	Policy      []uint32      // taken choice of each state of S_train (anything where terminal), len NumStates; the rest is ignored
	Margin      float64       // ε ≥ 0, in units of return; the paper's goal set has 0
	Weak        sparse.Bitset // untaken choices that need no margin, by choice, len of NumChoices; others are ignored; nil: none
	Lower       float64       // box of each θ(s); both 0: [0,1]
	Upper       float64
	Constraints []Constraint // of the same model
	Likely      []float64    // a reward that may well be a member, such as that of training, for Feasible to try first, len NumStates; nil: none
	Features    []Feature    // of the same model; rewards depend on these alone, and are 0 where a state has none; nil: every θ(s) is free
}

// box returns the bounds of θ, with the default filled in.
func (g *GoalSet) box() (lower, upper float64) {
	if g.Lower == 0 && g.Upper == 0 {
		return 0, 1
	}
	return g.Lower, g.Upper
}

// validate returns an error for numbers out of range; slices of the wrong length panic.
func (g *GoalSet) validate() error {
	n := g.Model.NumStates()
	if len(g.Train) != len(sparse.NewBitset(n)) || len(g.Policy) != n {
		panic("lp: GoalSet with S_train or a policy of the wrong length")
	}
	if g.Weak != nil && len(g.Weak) != len(sparse.NewBitset(g.Model.NumChoices())) || g.Likely != nil && len(g.Likely) != n {
		panic("lp: GoalSet with weak choices or a likely reward of the wrong length")
	}
	lower, upper := g.box()
	switch {
	case !(g.Discount >= 0 && g.Discount < 1):
		return fmt.Errorf("discount %v is not in [0,1)", g.Discount)
	case !(g.bound() < 1):
		return fmt.Errorf("discount %v is too close to 1 for probabilities that sum to 1 only within %.3g", g.Discount, g.Model.RowExcess())
	case !(g.Margin >= 0) || math.IsInf(g.Margin, 0):
		return fmt.Errorf("margin %v is not a finite number of at least 0", g.Margin)
	case !(lower <= upper) || math.IsInf(lower, 0) || math.IsInf(upper, 0):
		return fmt.Errorf("[%v,%v] is not a finite box of rewards", lower, upper)
	}
	for s := range g.Train.All() {
		lo, hi := g.Model.Choices(s)
		if c := g.Policy[s]; lo < hi && (c < lo || c >= hi) {
			return fmt.Errorf("state %s is in S_train, but the policy's choice %d is not one of its choices %d..%d", g.Model.StateName(s), c, lo, hi-1)
		}
	}
	return nil
}

// margin returns the margin that an untaken choice of S_train needs.
func (g *GoalSet) margin(choice uint32) float64 {
	if g.weak(choice) {
		return 0
	}
	return g.Margin
}

// weak reports whether a choice needs no margin.
func (g *GoalSet) weak(choice uint32) bool { return g.Weak != nil && g.Weak.Has(choice) }

// bound returns an upper bound of γ·Σp over all choices.
func (g *GoalSet) bound() float64 {
	return g.Discount * (1 + g.Model.RowExcess()) * (1 + 0x1p-50)
}

// Closed reports whether S_train is closed under the taken choices, and the states outside it to
// which they lead, in increasing order. O(states + branches of S_train).
func (g *GoalSet) Closed() (closed bool, frontier []uint32) {
	out := sparse.NewBitset(g.Model.NumStates())
	for s := range g.Train.All() {
		if g.Model.Terminal(s) {
			continue
		}
		for _, t := range g.Model.Targets(g.Policy[s]) {
			if !g.Train.Has(t) {
				out.Set(t)
			}
		}
	}
	for t := range out.All() {
		frontier = append(frontier, t)
	}
	return frontier == nil, frontier
}

// Relevant returns the states that S_train reaches by any choices, S_train included. Which θ are
// compatible depends on no other state. O(states + branches).
func (g *GoalSet) Relevant() sparse.Bitset {
	seen := g.Train.Clone()
	var queue []uint32
	for s := range g.Train.All() {
		queue = append(queue, s)
	}
	for i := 0; i < len(queue); i++ {
		for _, t := range g.Model.Successors(queue[i]) {
			if !seen.Has(t) {
				seen.Set(t)
				queue = append(queue, t)
			}
		}
	}
	return seen
}

// matter returns the states that a certificate speaks of: the relevant ones and those that
// constraints mention, in increasing order.
func (g *GoalSet) matter(relevant sparse.Bitset) []uint32 {
	all := relevant.Clone()
	for i := range g.Constraints {
		for _, t := range g.Constraints[i].Terms {
			all.Set(t.State)
			for s := range t.Label.All() {
				all.Set(s)
			}
		}
	}
	states := make([]uint32, 0, all.Count())
	for s := range all.All() {
		states = append(states, s)
	}
	return states
}

// question returns the goal set as a certificate carries it.
func (g *GoalSet) question() check.Question {
	q := check.Question{Discount: g.Discount, Margin: g.Margin}
	q.Lower, q.Upper = g.box()
	for s := range g.Train.All() {
		taken := int64(-1)
		if !g.Model.Terminal(s) {
			taken = int64(g.Policy[s])
		}
		q.Train = append(q.Train, s)
		q.Policy = append(q.Policy, taken)
		lo, hi := g.Model.Choices(s)
		for c := lo; c < hi && g.Weak != nil; c++ {
			if int64(c) != taken && g.Weak.Has(c) {
				q.Weak = append(q.Weak, c)
			}
		}
	}
	for i := range g.Constraints {
		q.Constraints = append(q.Constraints, g.Constraints[i].Text)
	}
	for _, f := range g.Features {
		q.Features = append(q.Features, f.Name)
	}
	return q
}
