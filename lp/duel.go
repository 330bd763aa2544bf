package lp

import (
	"context"
	"fmt"
	"math"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// A duel proves a goal set empty without a linear program. It starts in a state s of S_train with an
// untaken choice a, which has to be worse than the taken one by the margin ε of a:
//
//	γ Σ P(s,π(s),t) v(t) − γ Σ P(s,a,t) v(t) ≥ ε
//
// On the left, v is what the rows of π say that it is, followed as long as they stay in S_train. On the
// right, v is at least what any policy σ makes of it, with a bonus of ε for each untaken choice in
// S_train. So the rows of the start, those of π times the discounted visits that follow from π(s), and
// those of σ times the visits from a leave nothing but rewards, each times the difference of its
// visits on both sides, and what is left where following stopped, which the bounds of v cover. Where
// these cannot be worth as much as the margins, no reward is a member, and the visits are the Farkas
// multipliers.
//
// Where the rewards of S_train are known, the best σ is optimal for them and for the least rewards
// elsewhere: these are a member, or there is a duel that proves that nothing is. Where they are free,
// each σ is answered by the rewards that are worst for its duel, and the next σ is optimal for the
// mean of these answers (Brown's fictitious play).
type duel struct {
	*judge
	ties  []uint32
	known known
	sigma []uint32 // the choice of each relevant state that is not terminal
	start Gap

	touched []uint32 // states that either side came to, and those that they are tied to
	seen    sparse.Bitset
	left    [2][]float64 // discounted visits of each side that are still to be followed
	visits  [2][]float64 // those that have been followed
	reward  []float64    // what the rows leave of each reward: visits of π less those of σ
}

// The sides of a duel.
const (
	defends = 0 // follows π
	attacks = 1 // follows σ
)

const (
	duelRounds = 6       // policies σ that are tried
	duelShare  = 0.25    // of the excess expected may be lost where following stops
	duelFaint  = 1e-6    // of that share: visits that are not followed
	duelPushes = 1 << 28 // branches to follow in one duel
)

// known holds the least and the greatest reward of each state, or of those that a label ties to it,
// by the box, for want of features, and by constraints on a single reward.
type known struct {
	lower, upper     []float64
	byLower, byUpper []uint32 // constraints that say so; None: the box
}

// knownRewards takes what check.Ties returns. It returns false where these conditions contradict one
// another.
func (g *GoalSet) knownRewards(ties []uint32, none uint32) (k known, ok bool) {
	n := g.Model.NumStates()
	k = known{make([]float64, n), make([]float64, n), make([]uint32, n), make([]uint32, n)}
	lower, upper := g.box()
	for s := range n {
		k.lower[s], k.upper[s], k.byLower[s], k.byUpper[s] = lower, upper, sparse.None, sparse.None
	}
	if none != sparse.None {
		k.lower[none], k.upper[none] = 0, 0
	}
	for i := range g.Constraints {
		c := &g.Constraints[i]
		if len(c.Terms) != 1 || c.Terms[0].Coefficient == 0 {
			continue
		}
		s, a, x := root(ties, c.Terms[0].State), c.Terms[0].Coefficient, 0.0
		for _, constant := range c.Constants {
			x -= constant / a
		}
		if c.Sense == check.Equal || (c.Sense == check.AtLeast) == (a > 0) {
			if x > k.lower[s] {
				k.lower[s], k.byLower[s] = x, uint32(i)
			}
		}
		if c.Sense == check.Equal || (c.Sense == check.AtMost) == (a > 0) {
			if x < k.upper[s] {
				k.upper[s], k.byUpper[s] = x, uint32(i)
			}
		}
		if k.lower[s] > k.upper[s] {
			return k, false
		}
	}
	return k, true
}

// root returns the state that ties, from check.Ties, tie a state to.
func root(ties []uint32, s uint32) uint32 {
	if ties == nil {
		return s
	}
	return ties[s]
}

// duels tries duels, for two discounted solves each, and rewards at which no margin is missed.
func (f *feasibility) duels() error {
	n := f.g.Model.NumStates()
	d := &duel{judge: f.judge}
	var none uint32
	d.ties, none = check.Ties(f.g.Model, f.g.Constraints, f.g.Features, f.states)
	var ok bool
	if d.known, ok = f.g.knownRewards(d.ties, none); !ok {
		return nil
	}
	d.sigma, d.seen, d.reward = make([]uint32, n), sparse.NewBitset(n), make([]float64, n)
	prices := make([]float64, n)
	for side := range d.left {
		d.left[side], d.visits[side] = make([]float64, n), make([]float64, n)
	}
	for _, s := range f.states {
		r := root(d.ties, s)
		if prices[s] = d.known.lower[r]; f.g.Train.Has(s) {
			prices[s] = d.known.lower[r]/2 + d.known.upper[r]/2
		}
	}
	lower, upper := f.g.box()
	near := snapTolerance * (upper - lower)
	for round := 1; round <= duelRounds; round++ {
		expected, err := d.choose(f.ctx, prices)
		if err != nil {
			return err
		}
		if expected <= near {
			if r := f.allowed(prices, near); r != nil {
				return f.try(r, "")
			}
			return nil
		}
		d.follow(expected)
		if c, excess := d.certificate(); excess > 0 && f.prove(&f.best, No, c) {
			f.best.Why = d.why(len(c.Choices) + len(c.Terminals))
			return nil
		}
		d.answer(prices, 1/float64(round+1))
	}
	return nil
}

// why says what a duel of so many rows proved.
func (d *duel) why(rows int) string {
	m, least := d.g.Model, "as good as"
	if x := d.g.margin(d.start.Untaken); x > 0 {
		least = fmt.Sprintf("better by %v than", x)
	}
	return fmt.Sprintf("in state %s, choice %s cannot be %s %s: %d rows of the linear system contradict it",
		m.StateName(d.start.State), m.ActionName(d.start.Taken), least, m.ActionName(d.start.Untaken), rows)
}

// choose finds σ for rewards, and the pair to start from. It returns by how much the margin of the pair
// is missed at these rewards.
func (d *duel) choose(ctx context.Context, rewards []float64) (expected float64, err error) {
	g, m := &d.g, d.restricted()
	bonus := make([]float64, m.NumChoices())
	for s := range g.Train.All() {
		here, _ := g.Model.Choices(s)
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if at := here + c - lo; at != g.Policy[s] {
				bonus[c] = g.margin(at)
			}
		}
	}
	attack, err := m.Solve(ctx, sparse.Problem{Discount: g.Discount, States: rewards, Choices: bonus})
	if err != nil {
		return 0, err
	}
	defence, err := d.defence(ctx, rewards)
	if err != nil {
		return 0, err
	}
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	for s := range d.relevant.All() {
		if !m.Terminal(s) {
			here, _ := g.Model.Choices(s)
			lo, _ := m.Choices(s)
			d.sigma[s] = here + attack.Policy[s] - lo
		}
	}
	expected = math.Inf(-1)
	for s := range g.Train.All() {
		lo, hi := g.Model.Choices(s)
		for c := lo; c < hi; c++ {
			if c == g.Policy[s] {
				continue
			}
			x := g.margin(c) + g.Discount*(g.Model.Expectation(c, attack.Values)-g.Model.Expectation(g.Policy[s], defence.Values))
			if x > expected {
				expected, d.start = x, Gap{State: s, Taken: g.Policy[s], Untaken: c}
			}
		}
	}
	return expected, nil
}

// defence solves for the values of π, with the greatest that there may be outside S_train.
func (d *duel) defence(ctx context.Context, rewards []float64) (*sparse.Solution, error) {
	g := &d.g
	n := g.Model.NumStates()
	m := g.Model.WithoutChoices(g.Train.Complement(n))
	p := sparse.Problem{Discount: g.Discount, States: make([]float64, n), Policy: make([]uint32, n)}
	_, greatest := g.valueBounds()
	for s := range p.States {
		p.States[s] = greatest
	}
	for s := range g.Train.All() {
		here, _ := g.Model.Choices(s)
		lo, _ := m.Choices(s)
		p.States[s], p.Policy[s] = rewards[s], lo+g.Policy[s]-here
	}
	return m.Solve(ctx, p)
}

// follow follows both sides from the start until no more is left than a share of the expected excess
// is worth.
func (d *duel) follow(expected float64) {
	for _, s := range d.touched {
		d.seen.Clear(s)
		d.reward[root(d.ties, s)] = 0
		for side := range d.left {
			d.left[side][s], d.visits[side][s] = 0, 0
		}
	}
	d.touched = d.touched[:0]
	least, greatest := d.g.valueBounds()
	enough := duelShare * expected / (greatest - least)
	d.spread(defends, d.start.Taken, 1)
	d.spread(attacks, d.start.Untaken, 1)
	for pushes := 0; pushes < duelPushes; {
		moved := 0.0
		for _, s := range d.touched { // those that are new at the end are for the next pass
			for side := range d.left {
				x := d.left[side][s]
				if x <= duelFaint*enough || side == defends && !d.g.Train.Has(s) {
					continue
				}
				moved += x
				d.left[side][s] = 0
				d.visits[side][s] += x
				if !d.g.Model.Terminal(s) {
					pushes += d.spread(side, d.choice(side, s), x)
				}
			}
		}
		if moved <= enough {
			break
		}
	}
	for _, s := range d.touched {
		d.reward[root(d.ties, s)] += d.visits[defends][s] - d.visits[attacks][s]
	}
}

// choice returns what a side chooses in a state.
func (d *duel) choice(side int, s uint32) uint32 {
	if side == defends {
		return d.g.Policy[s]
	}
	return d.sigma[s]
}

// touch adds a state, and the one that it is tied to, to those that are cleared before the next duel.
func (d *duel) touch(s uint32) {
	for _, t := range [2]uint32{s, root(d.ties, s)} {
		if !d.seen.Has(t) {
			d.seen.Set(t)
			d.touched = append(d.touched, t)
		}
	}
}

// spread leaves a side's visits, discounted, where a choice leads, and returns the number of branches.
func (d *duel) spread(side int, choice uint32, visits float64) int {
	m := d.g.Model
	targets, probabilities := m.Targets(choice), m.Probabilities(choice)
	for i, t := range targets {
		d.touch(t)
		d.left[side][t] += d.g.Discount * probabilities[i] * visits
	}
	return len(targets)
}

// certificate returns the multipliers of the duel, and the excess of yᵀb over (yᵀA)x, above 0 where
// they prove the goal set empty, up to rounding.
func (d *duel) certificate() (c *Certificate, excess float64) {
	g := &d.g
	c = check.New(g.Model, check.Infeasible, g.question())
	c.ConstraintY = make([]float64, len(g.Constraints))
	least, greatest := g.valueBounds()
	d.touch(d.start.State)
	slices.Sort(d.touched)
	for _, s := range d.touched {
		x, y := d.visits[defends][s], d.visits[attacks][s]
		if z := d.left[defends][s] - d.left[attacks][s]; z > 0 {
			excess -= z * greatest
		} else {
			excess -= z * least
		}
		if g.Model.Terminal(s) {
			if x != y {
				c.Terminals, c.TerminalY = append(c.Terminals, s), append(c.TerminalY, y-x)
			}
			continue
		}
		if s == d.start.State {
			x++
		}
		lo, hi := g.Model.Choices(s)
		for a := lo; a < hi; a++ {
			multiplier := 0.0
			if a == d.start.Untaken {
				multiplier = 1
			}
			if y > 0 && a == d.sigma[s] {
				multiplier += y
			}
			if g.Train.Has(s) {
				if a == g.Policy[s] {
					multiplier -= x
				} else {
					excess += g.margin(a) * multiplier
				}
			}
			if multiplier != 0 {
				c.Choices, c.ChoiceY = append(c.Choices, a), append(c.ChoiceY, multiplier)
			}
		}
	}
	for _, s := range d.touched {
		if root(d.ties, s) == s {
			excess -= d.charge(c, s)
		}
	}
	return c, excess
}

// charge returns what the rows leave of a reward is worth at most, and uses the constraint that says
// so.
func (d *duel) charge(c *Certificate, r uint32) float64 {
	z, by, bound := d.reward[r], d.known.byUpper[r], d.known.upper[r]
	if z < 0 {
		by, bound = d.known.byLower[r], d.known.lower[r]
	}
	if by != sparse.None {
		c.ConstraintY[by] = -z / d.g.Constraints[by].Terms[0].Coefficient
	}
	return z * bound
}

// answer moves free rewards of S_train towards those that are worst for the duel, by a share of the way.
func (d *duel) answer(rewards []float64, share float64) {
	for _, s := range d.touched {
		r := root(d.ties, s)
		worst := d.known.lower[r]
		if d.reward[r] > 0 {
			worst = d.known.upper[r]
		}
		rewards[s] += share * (worst - rewards[s])
	}
}
