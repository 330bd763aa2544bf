package lp

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Constraint generation decides goal sets with few features, where S_train is closed. Let w be the
// rewards of the groups of states with the same features, and σ a policy that takes the taken choices on S_train.
// What a state earns under σ is linear in w, and for a reward of the goal set the taken choices are
// optimal, so that for every untaken choice a of a state s of S_train
//
//	γ Σ (P(s,π(s),t) − P(s,a,t)) V^σ(t) ≥ ε, or 0 where a is weak.
//
// One such inequality, a cut, is a row of a linear program in w alone. A solve for a given w, with the
// taken choices forced on S_train, finds the best σ outside and the pairs of choices whose cuts w misses
// most; when it misses none, w is a member. The row is found without solving for each feature: it is the
// difference of the discounted occupations after the two choices, which meet again soon as a rule, and it
// is also what a Farkas certificate of the whole system has for multipliers. See Boyd & Vandenberghe,
// Localization and cutting-plane methods, for the centers at which this asks.

const (
	// generationRounds is how many solves there may be for one question.
	generationRounds = 300
	// generationBlocks is how many parts S_train is cut into; each gives the pair that it misses most.
	generationBlocks = 128
	// maxGroups is the largest number of groups of states with the same features.
	maxGroups = 1000
	// spreadTolerance is the occupation of a state that is neglected.
	spreadTolerance = 1e-13
	// spreadWorkers is the number of goroutines that spread, and spreadWork how many times the states that
	// matter each may follow in a round: where occupations spread over the whole model, there are fewer cuts.
	spreadWorkers = 2
	spreadWork    = 100
	// centerTolerance is how far from a cut, relative to the length of its row, rewards count as within.
	centerTolerance = 1e-9
	// emptyTolerance is how far the best center must be out of the cuts for these to leave nothing.
	emptyTolerance = 1e-12
)

// generation is constraint generation for one goal set with features.
type generation struct {
	*feasibility
	forced  *sparse.MDP // the relevant states, with only the taken choices in S_train
	choice  []uint32    // of each choice of forced, its number in the model
	group   []uint32    // of each state that matters, None where its reward is 0
	groups  int
	train   []uint32  // states of S_train with an untaken choice
	spreads []*spread // one for each goroutine
	program small     // over w, the margin and the radius; its rows are the constraints, the box and the cuts
	cuts    []pairCut
	first   int     // row of the program that is a cut
	deepest float64 // least radius
	least   float64 // gap that needs a margin when last asked; -Inf where one that needs none is missed
	used    int     // cuts in the last refutation
}

// pairCut is a cut: its pair of choices, and the policy that is followed afterwards.
type pairCut struct {
	taken, untaken uint32
	sigma          []uint32
}

// occupy spreads the difference of the occupations after both choices, times a factor, and returns how many
// states that took.
func (c *pairCut) occupy(p *spread, factor float64) int {
	p.enter(c.taken, factor, 0)
	p.enter(c.untaken, -factor, 0)
	return p.follow(c.sigma, spreadTolerance*math.Abs(factor), 0, math.MaxInt)
}

// generate decides the goal set by constraint generation.
func (f *feasibility) generate() error {
	g, err := newGeneration(f)
	if err != nil {
		return err
	}
	return g.decide()
}

func newGeneration(f *feasibility) (*generation, error) {
	m := f.g.Model
	g := &generation{feasibility: f, group: make([]uint32, m.NumStates())}
	root, none := check.Ties(m, f.g.Constraints, f.g.Features, f.states)
	for _, s := range f.states {
		switch r := root[s]; {
		case r == none:
			g.group[s] = sparse.None
		case r == s:
			g.group[s] = uint32(g.groups)
			g.groups++
		default:
			g.group[s] = g.group[r]
		}
	}
	if g.groups > maxGroups {
		return nil, fmt.Errorf("the features tell %d kinds of states apart, more than the limit of %d", g.groups, maxGroups)
	}
	for s := range f.g.Train.All() {
		if lo, hi := m.Choices(s); hi-lo > 1 {
			g.train = append(g.train, s)
		}
	}
	g.force()
	for range spreadWorkers {
		g.spreads = append(g.spreads, newSpread(m, f.g.Discount, nil))
	}
	g.bound()
	return g, nil
}

// force makes the model in which only the taken choices are left in S_train.
func (g *generation) force() {
	m, n := g.g.Model, g.g.Model.NumStates()
	p := sparse.Parts{ChoiceStart: append(make([]uint32, 0, n+1), 0), BranchStart: []uint32{0}}
	var probability sparse.FloatsBuilder
	for s := range uint32(n) {
		lo, hi := m.Choices(s)
		switch {
		case !g.relevant.Has(s):
			hi = lo
		case lo < hi && g.g.Train.Has(s):
			lo, hi = g.g.Policy[s], g.g.Policy[s]+1
		}
		for c := lo; c < hi; c++ {
			for _, x := range m.Probabilities(c) {
				probability.Append(x)
			}
			p.Target = append(p.Target, m.Targets(c)...)
			p.BranchStart = append(p.BranchStart, uint32(len(p.Target)))
			g.choice = append(g.choice, c)
		}
		p.ChoiceStart = append(p.ChoiceStart, uint32(len(g.choice)))
	}
	p.Probability = probability.Column()
	var err error
	if g.forced, err = sparse.New(p); err != nil {
		panic(err) // it is part of a model that is one
	}
}

// The last columns of the program: the margin, which is fixed unless it is asked for, and the radius of a
// ball around w that keeps within the box and the cuts; below 0 it says by how much these are missed.
func (g *generation) margin() int { return g.groups }
func (g *generation) radius() int { return g.groups + 1 }

// bound starts the program: the box, and the constraints in terms of w.
func (g *generation) bound() {
	lower, upper := g.g.box()
	p, n := &g.program, g.groups
	for range n {
		p.lower, p.upper = append(p.lower, lower), append(p.upper, upper)
	}
	least, greatest := g.g.valueBounds()
	g.deepest = -4 * (1 + greatest - least)
	p.lower, p.upper = append(p.lower, g.g.Margin, g.deepest), append(p.upper, g.g.Margin, upper-lower)
	for i := range g.g.Constraints {
		c := &g.g.Constraints[i]
		row, b := make([]float64, n+2), 0.0
		for _, t := range c.Terms {
			if k := g.group[t.State]; k != sparse.None {
				row[k] += t.Coefficient
			}
		}
		for _, x := range c.Constants {
			b -= x
		}
		if c.Sense != check.AtMost {
			p.rows, p.bound = append(p.rows, row), append(p.bound, b)
		}
		if c.Sense != check.AtLeast {
			p.rows, p.bound = append(p.rows, scaled(row, -1)), append(p.bound, -b)
		}
	}
	for k := range n {
		for _, side := range []float64{1, -1} {
			row, b := make([]float64, n+2), lower
			if row[k], row[g.radius()] = side, -1; side < 0 {
				b = -upper
			}
			p.rows, p.bound = append(p.rows, row), append(p.bound, b)
		}
	}
	g.first = len(p.rows)
}

func scaled(row []float64, factor float64) []float64 {
	out := make([]float64, len(row))
	for k, x := range row {
		out[k] = factor * x
	}
	return out
}

// center finds the w and the margin around which the largest ball keeps within everything.
func (g *generation) center() smallResult {
	cost := make([]float64, g.groups+2)
	cost[g.radius()] = 1
	return g.program.solve(cost)
}

// decide asks at the center of what the cuts leave, until that is empty or the center is a member.
func (g *generation) decide() error {
	for range generationRounds {
		r := g.center()
		if r.y == nil {
			g.best.Why = "the small linear program of the features is not solved"
			return nil
		}
		if r.x == nil || r.value < -emptyTolerance {
			g.empty(r.y)
			return nil
		}
		far, err := g.ask(r.x)
		if err != nil {
			return err
		}
		if !far {
			return g.found(r.x[:g.groups])
		}
	}
	g.best.Why = fmt.Sprintf("not decided by %d cuts", len(g.cuts))
	return nil
}

// empty makes a no of multipliers of the program, if they prove one.
func (g *generation) empty(y []float64) {
	constraints, cuts := g.multipliers(y)
	if c := g.refutation(g.g.question(), constraints, cuts); g.prove(&g.best, No, c) {
		why := "no reward of these features meets the constraints"
		if g.used > 0 {
			why = fmt.Sprintf("no reward of these features agrees with all of S_train; pairs of choices that clash: %d", g.used)
		}
		g.best.Why = why + g.overlap()
	}
}

// ask solves at w and a margin, adds cuts of pairs that miss the margin, and returns whether one of them
// keeps w away by more than rounding. The least gap is kept.
func (g *generation) ask(x []float64) (far bool, err error) {
	w := x[:g.groups]
	v, err := g.forced.Solve(g.ctx, sparse.Problem{Discount: g.g.Discount, States: g.reward(w)})
	if err == nil && g.ctx.Err() != nil {
		err = context.Cause(g.ctx)
	}
	if err != nil {
		return false, err
	}
	return g.add(g.missed(v, x[g.margin()]), v, x), nil
}

// reward returns the reward of w.
func (g *generation) reward(w []float64) []float64 {
	theta := make([]float64, len(g.group))
	for _, s := range g.states {
		if k := g.group[s]; k != sparse.None {
			theta[s] = w[k]
		}
	}
	return theta
}

// missed returns, of each block of S_train, the pair whose gap falls short most of the margin, or of 0 if it
// is weak, if any does; Value is the gap less that. It sets the least gap of all.
func (g *generation) missed(v *sparse.Solution, margin float64) []Gap {
	var worst []Gap
	m := g.g.Model
	scale := 0.0
	for _, s := range g.states {
		scale = max(scale, math.Abs(v.Values[s]))
	}
	slack := float64(m.MaxBranches()+4) * 0x1p-51 * scale
	g.least = math.Inf(1)
	for b := range generationBlocks {
		lo, hi := len(g.train)*b/generationBlocks, len(g.train)*(b+1)/generationBlocks
		least := Gap{Value: -slack}
		for _, s := range g.train[lo:hi] {
			taken := g.g.Policy[s]
			q := m.Expectation(taken, v.Values)
			first, end := m.Choices(s)
			for a := first; a < end; a++ {
				gap := g.g.Discount * (q - m.Expectation(a, v.Values))
				weak, off := g.g.weak(a), gap
				if !weak {
					off -= margin
				}
				if a == taken || off >= least.Value && (weak || gap >= g.least) || g.rows.sameDistribution(m, taken, a) {
					continue
				}
				if !weak {
					g.least = min(g.least, gap)
				} else if off < -slack {
					g.least = math.Inf(-1)
				}
				if off < least.Value {
					least = Gap{State: s, Taken: taken, Untaken: a, Value: off}
				}
			}
		}
		if least.Taken != least.Untaken {
			worst = append(worst, least)
		}
	}
	return worst
}

// add makes cuts of missed pairs, and reports whether one of them keeps w away.
func (g *generation) add(missed []Gap, v *sparse.Solution, at []float64) bool {
	sigma := g.outside(v)
	slices.SortStableFunc(missed, func(x, y Gap) int { return cmp.Compare(x.Value, y.Value) })
	cuts, rows := make([]pairCut, len(missed)), make([][]float64, len(missed))
	var wait sync.WaitGroup
	for k, p := range g.spreads {
		wait.Go(func() {
			work := spreadWork * len(g.states)
			for i := k; i < len(missed) && work > 0; i += len(g.spreads) {
				cuts[i] = pairCut{taken: missed[i].Taken, untaken: missed[i].Untaken, sigma: sigma}
				work -= cuts[i].occupy(p, 1)
				rows[i] = g.row(p, g.g.weak(missed[i].Untaken))
			}
		})
	}
	wait.Wait()
	far := false
	for i, row := range rows {
		if row == nil {
			continue
		}
		value := 0.0
		for k, x := range row[:g.radius()] {
			value += x * at[k]
		}
		far = far || value < centerTolerance*row[g.radius()]
		g.cuts = append(g.cuts, cuts[i])
		g.program.rows, g.program.bound = append(g.program.rows, row), append(g.program.bound, 0)
	}
	return far
}

// row makes the row of a cut, of a weak choice or not, of what is spread, and clears that.
func (g *generation) row(p *spread, weak bool) []float64 {
	row := make([]float64, g.groups+2)
	for _, s := range p.touched {
		if k := g.group[s]; k != sparse.None {
			row[k] += p.visits[s]
		}
	}
	p.reset()
	square := 0.0
	for _, x := range row {
		square += x * x
	}
	if row[g.radius()] = -math.Sqrt(square); !weak {
		row[g.margin()] = -1
	}
	return row
}

// multipliers tells those of the constraints and those of the cuts apart.
func (g *generation) multipliers(y []float64) (constraints, cuts []float64) {
	i := 0
	for j := range g.g.Constraints {
		x := 0.0
		if g.g.Constraints[j].Sense != check.AtMost {
			x, i = x+y[i], i+1
		}
		if g.g.Constraints[j].Sense != check.AtLeast {
			x, i = x-y[i], i+1
		}
		constraints = append(constraints, x)
	}
	return constraints, y[g.first:]
}

// refutation makes a certificate of multipliers that a goal set, of this question, is empty.
func (g *generation) refutation(q check.Question, constraints, cuts []float64) *Certificate {
	m := g.g.Model
	c := check.New(m, check.Infeasible, q)
	c.ConstraintY = constraints
	pairs := make(map[uint32]float64) // multipliers of the pairs' own rows
	total := make(map[uint32]float64) // of choices
	ends := make(map[uint32]float64)  // of terminal states
	g.used = 0
	p := g.spreads[0]
	for j, x := range cuts {
		if x == 0 {
			continue
		}
		g.used++
		cut := &g.cuts[j]
		pairs[cut.taken] -= x
		pairs[cut.untaken] += x
		cut.occupy(p, x)
		for _, s := range p.touched {
			if a := cut.sigma[s]; a == sparse.None {
				ends[s] -= p.visits[s]
			} else {
				total[a] -= p.visits[s]
			}
		}
		p.reset()
	}
	for a, x := range pairs {
		total[a] += x
	}
	for _, a := range slices.Sorted(maps.Keys(total)) {
		x := total[a]
		if s := m.ChoiceState(a); x < 0 && !(g.g.Train.Has(s) && a == g.g.Policy[s]) {
			continue // rounding
		}
		c.Choices, c.ChoiceY = append(c.Choices, a), append(c.ChoiceY, x)
	}
	for _, s := range slices.Sorted(maps.Keys(ends)) {
		c.Terminals, c.TerminalY = append(c.Terminals, s), append(c.TerminalY, ends[s])
	}
	return c
}

// outside returns the policy of a solution, in memory of the last cut where that is the same.
func (g *generation) outside(v *sparse.Solution) []uint32 {
	sigma := make([]uint32, len(v.Policy))
	for s, c := range v.Policy {
		if sigma[s] = c; c != sparse.None {
			sigma[s] = g.choice[c]
		}
	}
	if last := len(g.cuts) - 1; last >= 0 && slices.Equal(sigma, g.cuts[last].sigma) {
		return g.cuts[last].sigma
	}
	return sigma
}

// found judges the reward of w, and then the rounded one.
func (g *generation) found(w []float64) error {
	lower, upper := g.g.box()
	for _, values := range [][]float64{w, rounded(w)} {
		r := g.allowed(g.reward(values), snapTolerance*(upper-lower))
		if r == nil {
			continue
		}
		a, err := g.judge.judge(g.ctx, r)
		if err != nil {
			return err
		}
		if g.keep(a); a.Verdict == Yes {
			return nil
		}
	}
	if g.best.Verdict == Undecided {
		g.best.Why = "constraint generation finds a reward, but it is not proved a member: " + g.best.Why
	}
	return nil
}
