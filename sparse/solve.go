package sparse

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"

	"offswitch/sparse/csr"
)

// Problem is a discounted problem on a model: optimal values and policy for a reward, or the
// values of a given policy.
type Problem struct {
	Discount  float64   // γ, in [0,1)
	States    []float64 // state reward θ, len NumStates
	Choices   []float64 // choice reward, len NumChoices; nil: none
	Policy    []uint32  // evaluate this choice of each state (None or anything where terminal); nil: optimise
	Tolerance float64   // wanted |V - Values|; default 1e-9 times the greatest |reward|, or what rounding allows
	Workers   int       // goroutines, where states do not depend on each other; default GOMAXPROCS
	Progress  func(Progress)
}

// Solution is the answer to a Problem. The true value of every state lies within Error of Values;
// the bound is proved by one sweep (Park induction: v-Error ≤ T(v-Error), T(v+Error) ≤ v+Error)
// with the rounding of that sweep counted, the stored probabilities taken as exact.
type Solution struct {
	Values    []float64
	Error     float64  // may be larger than the tolerance asked for, when rounding or interruption left it there
	Policy    []uint32 // first choice that is optimal as far as the error tells; None where terminal
	Sweeps    int      // sweeps made, a sweep of the policy alone counted as one too
	Converged bool     // Error is at most the tolerance, or all that rounding allows
}

const (
	// sweepParallelMin is the number of branches below which a second worker costs more than it brings.
	sweepParallelMin = 1 << 17
	// tieRelative bounds what counts as a tie between choices, relative to the larger value, so
	// that states far from any reward still follow its faint gradient.
	tieRelative = 1e-9
	// checkEvery is the number of states of work after which to see whether the context has ended.
	checkEvery = 1 << 18
)

// Solve solves the problem by policy iteration: Gauss-Seidel sweeps over all choices, in alternating
// directions, and after each an evaluation of the policy found. That is exact where the policy's moves
// are certain or never come back, and else good to a fraction of what the sweep changed. Where two
// sweeps in the order of the model leave many states as they were, sweeps follow the distance to the
// nearest reward instead, so that their number hardly depends on how states are numbered.
//
// The result is the same, to the bit, for any number of workers. When the context ends, Solve returns
// the values so far, with their proved error, which takes one more sweep, and Converged false, and no error; the
// policy then is the one that they were last improved by. Errors are a discount
// or reward out of range; slices of the wrong length panic. Solve takes 21 bytes a state; where choices are
// not certain, 60, and 12 for each branch of each state's longest choice, and 44 for each state of the
// policy's largest component; and 8 a state and 4 a branch while it finds distances. O(branches) a sweep.
func (m *MDP) Solve(ctx context.Context, p Problem) (*Solution, error) {
	s, err := m.newSolver(p)
	if err != nil {
		return nil, err
	}
	s.run(ctx)
	s.finish(ctx)
	return &Solution{Values: s.values, Error: s.final, Policy: s.policy, Sweeps: s.sweeps, Converged: s.done}, nil
}

type solver struct {
	m       *MDP
	p       Problem
	bellman bellman
	scale   float64  // greatest |reward|
	modulus float64  // contraction: γ·(1+rowExcess), rounded up
	goal    float64  // wanted error
	bounds  []uint32 // states bounds[w]..bounds[w+1]-1 are worker w's where states do not depend on each other
	values  []float64
	policy  []uint32
	order   []uint32 // of the states in sweeps that improve the policy; nil: as they are numbered
	sweeps  int
	final   float64 // proved error of the values when certify last ran
	noise   float64 // what rounding may change in one backup of values as large as there are now
	done    bool
}

func (m *MDP) newSolver(p Problem) (*solver, error) {
	n := m.NumStates()
	if !(p.Discount >= 0 && p.Discount < 1) {
		return nil, fmt.Errorf("discount %v is not in [0,1)", p.Discount)
	}
	if len(p.States) != n || p.Choices != nil && len(p.Choices) != m.NumChoices() || p.Policy != nil && len(p.Policy) != n {
		panic("sparse: Solve with rewards or a policy of the wrong length")
	}
	s := &solver{m: m, p: p, bellman: m.newBellman(p.Discount, p.States, p.Choices), modulus: p.Discount * (1 + m.rowExcess) * (1 + 4*unit)}
	if s.modulus >= 1 {
		return nil, fmt.Errorf("discount %v is too close to 1 for probabilities that sum to 1 only within %.3g", p.Discount, m.rowExcess)
	}
	state, choice := greatest(p.States), greatest(p.Choices)
	s.scale = state + choice
	if math.IsNaN(s.scale) || math.IsInf(s.scale, 0) {
		return nil, fmt.Errorf("rewards must be finite numbers")
	}
	if math.IsInf(s.scale/(1-s.modulus)*2, 0) {
		return nil, fmt.Errorf("rewards up to %v add up to more than a float64 holds at discount %v", s.scale, p.Discount)
	}
	s.goal = p.Tolerance
	if s.goal <= 0 {
		s.goal = 1e-9 * s.scale
	}
	workers := p.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if m.NumBranches() < sweepParallelMin {
		workers = 1
	}
	s.bounds = m.split(workers)
	// Modified policy iteration may cycle unless it starts where one backup lowers no value
	// (Puterman, Markov Decision Processes, section 6.5). This constant is such a start.
	s.values, s.policy = make([]float64, n), make([]uint32, n)
	start := s.start()
	for i := range s.values {
		s.values[i], s.policy[i] = start, None
		if p.Policy != nil && !m.Terminal(uint32(i)) {
			s.policy[i] = p.Policy[i]
		}
	}
	return s, nil
}

// start is the value that every state begins with, a lower bound of all values.
func (s *solver) start() float64 {
	return (least(s.p.States) + least(s.p.Choices)) / (1 - s.modulus)
}

func greatest(x []float64) float64 {
	g := 0.0
	for _, v := range x {
		g = max(g, math.Abs(v))
	}
	return g
}

func least(x []float64) float64 {
	l := 0.0
	for _, v := range x {
		l = min(l, v)
	}
	return l
}

// rounding bounds the error of one computed backup of values up to greatest: each product and sum
// of a choice, the discount, and the two rewards; and underflow.
func (s *solver) rounding(greatest float64) float64 {
	ops := float64(s.m.maxBranches + 6)
	return ops * (unit*(s.scale+greatest*(1+s.m.rowExcess)) + 4*math.SmallestNonzeroFloat64) * (1 + 1e-6)
}

// split cuts the states into consecutive ranges of about equal work, one for each worker at most.
func (m *MDP) split(workers int) []uint32 {
	n := m.NumStates()
	bounds := []uint32{0}
	total := float64(n + m.NumBranches())
	for w := 1; w < workers; w++ {
		lo, hi := int(bounds[w-1]), n
		for lo < hi {
			mid := (lo + hi) / 2
			_, branches := m.BranchesOf(uint32(mid))
			if float64(mid)+float64(branches) < total*float64(w)/float64(workers) {
				lo = mid + 1
			} else {
				hi = mid
			}
		}
		bounds = append(bounds, uint32(lo))
	}
	return append(bounds, uint32(n))
}

// each runs f for every worker's range and returns the greatest result.
func (s *solver) each(f func(lo, hi uint32) float64) float64 {
	out := make([]float64, len(s.bounds)-1)
	var wait sync.WaitGroup
	for w := range out[1:] {
		wait.Go(func() { out[w+1] = f(s.bounds[w+1], s.bounds[w+2]) })
	}
	out[0] = f(s.bounds[0], s.bounds[1])
	wait.Wait()
	g := out[0]
	for _, x := range out[1:] {
		g = max(g, x)
	}
	return g
}

const (
	// A policy is evaluated until a sweep changes evaluationGain times less than the improvement that
	// led to it, or to the end where that improvement moved at most one state in fewMoved.
	evaluationGain = 100
	fewMoved       = 50
	// manyUntouched is the share, one in so many, of states that the first two sweeps left as they
	// were from which on sweeps follow the distance to rewards.
	manyUntouched = 8
	// patience is the number of improvements in a row, each changing values more than an earlier one,
	// after which plain sweeps take over, which contract whatever happens.
	patience = 32
)

func (s *solver) run(ctx context.Context) {
	// A sweep that moves no value by more than still leaves an error of about still·γ/(1-γ).
	still := s.goal * (1 - s.modulus) / 2
	least := math.Inf(1)
	n := s.m.NumStates()
	stalled := 0
	e := newEvaluator(s)
	for round := 0; ctx.Err() == nil; round++ {
		change, moved := s.improve(ctx, round%2 == 1, max(still, s.noise))
		if ctx.Err() != nil {
			break
		}
		if s.p.Progress != nil {
			s.p.Progress(Progress{Stage: "solving", Done: s.sweeps, Error: change * s.modulus / (1 - s.modulus)})
		}
		if change <= max(still, s.noise) {
			if s.certify(); s.final <= max(s.goal, 4*s.noise/(1-s.modulus)) {
				s.done = true
				return
			}
			still = min(still, change) / 2
		}
		if change >= least {
			stalled++
		} else {
			stalled, least = 0, change
		}
		if change == 0 || stalled > 256 && change <= 64*s.noise {
			s.certify()
			s.done = true
			return
		}
		switch {
		case stalled > patience:
			continue
		case round == 1 && s.p.Policy == nil && s.untouched() > n/manyUntouched:
			s.order = s.towardReward(ctx)
			continue
		}
		enough := max(still/4, s.noise)
		if moved > n/fewMoved && s.p.Policy == nil {
			enough = max(enough, change/evaluationGain)
		}
		e.run(ctx, enough)
	}
	s.certify()
}

// untouched returns the number of states that still have the value they began with.
func (s *solver) untouched() int {
	count, start := 0, s.start()
	for _, x := range s.values {
		if x == start {
			count++
		}
	}
	return count
}

// improve backs up every state once, forward or backward, each from what the states before it have
// become; where these come in an order of their own, by batches whose rows are fetched at once. It returns
// the greatest change of a value, and the number of states that changed their choice and their value by
// more than still.
func (s *solver) improve(ctx context.Context, backward bool, still float64) (change float64, moved int) {
	s.sweeps++
	greatest := 0.0
	var x [1]float64
	var rows csr.Batch
	var batch [csr.AtOnce]uint32
	n := uint32(len(s.values))
	for done := uint32(0); done < n; {
		if done%checkEvery == 0 && ctx.Err() != nil {
			break
		}
		next := batch[:min(n-done, csr.AtOnce)]
		for i := range next {
			state := done + uint32(i)
			if backward {
				state = n - 1 - state
			}
			if s.order != nil {
				state = s.order[state]
			}
			next[i] = state
		}
		if s.order != nil {
			csr.Fetch(&rows, s.m.BranchesOf, s.m.target, next)
		}
		done += uint32(len(next))
		for _, state := range next {
			s.backup(state, state+1, x[:])
			d := math.Abs(x[0] - s.values[state])
			if s.p.Policy == nil && s.choose(state, x[0]) && d > still {
				moved++
			}
			change, greatest = max(change, d), max(greatest, math.Abs(x[0]))
			s.values[state] = x[0]
		}
	}
	s.noise = s.rounding(greatest)
	return change, moved
}

// choose switches to the first choice behind the backed-up value x of a state, if that is more than the
// state's value and than what the choice so far gives, by more than rounding may pretend. It reports
// whether it did.
func (s *solver) choose(state uint32, x float64) bool {
	old, least := s.policy[state], x-8*unit*math.Abs(x)
	if old != None && (s.values[state] >= least || s.p.States[state]+s.bellman.q(old, s.values) >= least) || s.m.Terminal(state) {
		return false
	}
	_, s.policy[state] = s.bellman.best(state, s.values)
	return old != s.policy[state]
}

// certify finds a proved bound of |V - v|: the residual of one full backup, rounding included, over
// one less the contraction.
func (s *solver) certify() {
	v := s.values
	s.sweeps++
	s.noise = s.rounding(s.each(func(lo, hi uint32) float64 { return greatest(v[lo:hi]) }))
	residual := s.each(func(lo, hi uint32) float64 {
		var piece [512]float64
		g := 0.0
		for lo < hi {
			end := min(lo+uint32(len(piece)), hi)
			s.backup(lo, end, piece[:end-lo])
			for i, x := range v[lo:end] {
				g = max(g, math.Abs(piece[i]-x))
			}
			lo = end
		}
		return g
	})
	s.final = (residual + s.noise) / (1 - s.modulus) * (1 + 8*unit)
}

// backup writes the backed-up values of states lo..hi-1 to out: by the given policy, or by the best
// choices.
func (s *solver) backup(lo, hi uint32, out []float64) {
	if s.p.Policy == nil {
		s.bellman.backup(lo, hi, s.values, out)
		return
	}
	for state := lo; state < hi; state++ {
		out[state-lo] = s.p.States[state]
		if !s.m.Terminal(state) {
			out[state-lo] += s.bellman.q(s.p.Policy[state], s.values)
		}
	}
}

// finish picks the policy, ties to the first optimal choice. Where there was no time to converge there is none
// for that, and states that no sweep has come to take their first choice.
func (s *solver) finish(ctx context.Context) {
	switch {
	case s.p.Policy != nil:
	case !s.done && ctx.Err() != nil:
		for state, c := range s.policy {
			if c == None && !s.m.Terminal(uint32(state)) {
				s.policy[state], _ = s.m.Choices(uint32(state))
			}
		}
	default:
		slack := 2*s.modulus*s.final + 2*s.noise
		s.each(func(lo, hi uint32) float64 {
			for state := lo; state < hi; state++ {
				s.policy[state] = None
				if s.m.Terminal(state) {
					continue
				}
				q, arg := s.bellman.best(state, s.values)
				least := q - min(slack, tieRelative*math.Abs(q))
				first, _ := s.m.Choices(state)
				for first < arg && s.bellman.q(first, s.values) < least {
					first++
				}
				s.policy[state] = first
			}
			return 0
		})
	}
}
