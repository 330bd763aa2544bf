package bench

import (
	"context"
	"fmt"

	"offswitch/bench/models"
	"offswitch/lp"
	"offswitch/sparse"
)

const (
	goalSetDiscount = 0.95
	goalSetMargin   = 1e-3
)

// GoalSetKinds are the kinds of goal sets that GoalSet makes. The first is not empty, the others are:
//   - feasible: the training reward is a member;
//   - flip: a dominated choice is taken in one training state, and the training rewards are known;
//   - zero: the training rewards are known to be 0, and so nothing keeps the margin;
//   - large: the margin is 1.
func GoalSetKinds() []string { return []string{"feasible", "flip", "zero", "large"} }

// GoalSet makes a training-compatible goal set of a kind on a square of about that many cells with
// slipping moves, models.Halves. The training reward, which is the goal set's likely one, is random
// in every cell, in [0,1] in the left half and in [0,1/2] in the right one. The policy is optimal for
// it at discount 0.95, and S_train is what the policy visits from random starts in the left half:
// nearly all of that, and nothing else. Every untaken choice needs a margin of 1e-3, but for those to
// which the training reward gives less.
// Known training rewards are constraints r[#state] = x, one for each state of S_train.
func GoalSet(ctx context.Context, kind string, states int, seed uint64) (lp.GoalSet, error) {
	m := models.Halves(states)
	n := m.NumStates()
	d := newDice(seed, "goal set")
	theta := make([]float64, n)
	for s := range theta {
		theta[s] = fraction(d.roll(uint64(s)))
		if !models.LeftHalf(m, uint32(s)) {
			theta[s] /= 2
		}
	}
	solution, err := m.Solve(ctx, sparse.Problem{Discount: goalSetDiscount, States: theta})
	if err != nil {
		return lp.GoalSet{}, err
	}
	if ctx.Err() != nil {
		return lp.GoalSet{}, context.Cause(ctx)
	}
	g := lp.GoalSet{
		Model: m, Discount: goalSetDiscount, Train: sparse.NewBitset(n), Policy: solution.Policy,
		Margin: goalSetMargin, Weak: sparse.NewBitset(m.NumChoices()), Upper: 1, Likely: theta,
	}
	visit(&g, newDice(seed, "starts"))
	for s := range g.Train.All() {
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if goalSetDiscount*(m.Expectation(g.Policy[s], solution.Values)-m.Expectation(c, solution.Values)) < goalSetMargin {
				g.Weak.Set(c)
			}
		}
	}
	known := func(s uint32) float64 { return theta[s] }
	switch kind {
	case "feasible":
		return g, nil
	case "large":
		g.Margin = 1
		return g, nil
	case "flip":
		flip(&g)
	case "zero":
		known = func(uint32) float64 { return 0 }
	default:
		return g, fmt.Errorf("no kind of goal set is called %q (kinds: %v)", kind, GoalSetKinds())
	}
	for s := range g.Train.All() {
		c, err := lp.ParseConstraint(m, fmt.Sprintf("r[#%d] = %v", s, known(s)))
		if err != nil {
			return g, err
		}
		g.Constraints = append(g.Constraints, c)
	}
	return g, nil
}

// visit makes S_train of what the policy visits from a thousandth of the left half, picked at random,
// and at least one state.
func visit(g *lp.GoalSet, d dice) {
	var visited []uint32
	enter := func(s uint32) {
		if !g.Train.Has(s) {
			g.Train.Set(s)
			visited = append(visited, s)
		}
	}
	n := g.Model.NumStates()
	for i, starts := 0, 1+n/2000; starts > 0; i++ {
		if s := uint32(d.roll(uint64(i)) % uint64(n)); models.LeftHalf(g.Model, s) {
			enter(s)
			starts--
		}
	}
	for next := 0; next < len(visited); next++ {
		for _, t := range g.Model.Targets(g.Policy[visited[next]]) {
			enter(t)
		}
	}
}

// flip makes the policy take another choice, one that needs a margin, in the first state of the second
// half of S_train that has one and whose moves all stay in S_train.
func flip(g *lp.GoalSet) {
	for s := range g.Train.All() {
		inside := int(s) >= g.Model.NumStates()/2
		for _, t := range g.Model.Successors(s) {
			inside = inside && g.Train.Has(t)
		}
		lo, hi := g.Model.Choices(s)
		for c := lo; inside && c < hi; c++ {
			if c != g.Policy[s] && (g.Weak == nil || !g.Weak.Has(c)) {
				g.Policy[s] = c
				return
			}
		}
	}
}
