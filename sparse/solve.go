package sparse

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
)

// Problem is a discounted problem on a model: optimal values and policy for a reward, or the
// values of a given policy.
type Problem struct {
	Discount  float64   // γ, in [0,1)
	States    []float64 // state reward θ, len NumStates
	Choices   []float64 // choice reward, len NumChoices; nil: none
	Policy    []uint32  // evaluate this choice of each state (None or anything where terminal); nil: optimise
	Tolerance float64   // wanted |V - Values|; default 1e-9 times the greatest |reward|, or what rounding allows
	Workers   int       // goroutines; default GOMAXPROCS
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
)

// Solve solves the problem by policy iteration: Gauss-Seidel sweeps over all choices, in alternating
// directions, and after each an evaluation of the policy found, exact where it is certain and
// good to a fraction of the sweep's change elsewhere. In the sweeps each worker owns a range of states
// and sees the others' values of the sweep before, so that the result depends on the number of
// workers but not on their timing. When the context ends, it returns the values so far, with their
// proved error and Converged false, and no error. Errors are a discount or reward out of range; slices
// of the wrong length panic. It takes 8 bytes a state for each worker and 9 more; where choices are not certain, 81 more and 12 a
// branch of the policy. O(branches) a sweep.
func (m *MDP) Solve(ctx context.Context, p Problem) (*Solution, error) {
	s, err := m.newSolver(p)
	if err != nil {
		return nil, err
	}
	s.run(ctx)
	return s.finish(), nil
}

type solver struct {
	m       *MDP
	p       Problem
	scale   float64     // greatest |reward|
	modulus float64     // contraction: γ·(1+rowExcess), rounded up
	goal    float64     // wanted error
	bounds  []uint32    // worker w owns states bounds[w]..bounds[w+1]-1
	values  [][]float64 // each worker's view of all values
	policy  []uint32
	sweeps  int
	final   float64 // proved error of the values when certify last ran
	noise   float64 // what rounding may change in one backup, as certify last found
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
	s := &solver{m: m, p: p, modulus: p.Discount * (1 + m.rowExcess) * (1 + 4*unit)}
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
	// Modified policy iteration may cycle unless it starts where one backup lowers no value
	// (Puterman, Markov Decision Processes, section 6.5). This constant is such a start.
	start := (least(p.States) + least(p.Choices)) / (1 - s.modulus)
	workers := p.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	if m.NumBranches() < sweepParallelMin {
		workers = 1
	}
	s.bounds = m.split(workers)
	s.values = make([][]float64, len(s.bounds)-1)
	for w := range s.values {
		s.values[w] = make([]float64, n)
		for i := range s.values[w] {
			s.values[w][i] = start
		}
	}
	s.policy = make([]uint32, n)
	return s, nil
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
func (s *solver) each(f func(w int, lo, hi uint32) float64) float64 {
	if len(s.values) == 1 {
		return f(0, s.bounds[0], s.bounds[1])
	}
	out := make([]float64, len(s.values))
	var wait sync.WaitGroup
	for w := range s.values {
		wait.Go(func() { out[w] = f(w, s.bounds[w], s.bounds[w+1]) })
	}
	wait.Wait()
	g := out[0]
	for _, x := range out[1:] {
		g = max(g, x)
	}
	return g
}

// share copies every worker's own values to the others' views.
func (s *solver) share() {
	if len(s.values) == 1 {
		return
	}
	s.each(func(w int, _, _ uint32) float64 {
		for u := range s.values {
			if u != w {
				copy(s.values[w][s.bounds[u]:s.bounds[u+1]], s.values[u][s.bounds[u]:s.bounds[u+1]])
			}
		}
		return 0
	})
}

func (s *solver) run(ctx context.Context) {
	// A sweep that moves no value by more than still leaves an error of about still·γ/(1-γ).
	still := s.goal * (1 - s.modulus) / 2
	previous := math.Inf(1)
	stalled := 0
	var e *evaluator
	for round := 0; ctx.Err() == nil; round++ {
		change := s.sweep(round%2 == 1)
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
		if change >= previous {
			stalled++
		} else {
			stalled, previous = 0, change
		}
		if stalled > 8 && stalled%8 == 0 || change == 0 {
			s.certify() // and learns what rounding may do to values of this size
			if change == 0 || stalled > 256 && change <= 64*s.noise {
				s.done = true
				return
			}
		}
		if stalled > 8 {
			continue // plain sweeps contract whatever happens
		}
		if e == nil {
			e = newEvaluator(s.m)
		}
		e.run(ctx, s, change)
	}
	s.certify()
}

// sweep improves every state once, forward or backward, and returns the greatest change of a value.
func (s *solver) sweep(backward bool) float64 {
	s.sweeps++
	change := s.each(func(w int, lo, hi uint32) float64 {
		v := s.values[w]
		g := 0.0
		if backward {
			for state := hi; state > lo; {
				state--
				g = max(g, s.improve(v, state))
			}
			return g
		}
		for state := lo; state < hi; state++ {
			g = max(g, s.improve(v, state))
		}
		return g
	})
	s.share()
	return change
}

// improve backs up one state, notes the choice behind it, and returns the change of its value.
func (s *solver) improve(v []float64, state uint32) float64 {
	x, c := s.backup(v, state)
	s.policy[state] = c
	change := math.Abs(x - v[state])
	v[state] = x
	return change
}

// certify finds a proved bound of |V - v|: the residual of one full backup, rounding included, over
// one less the contraction.
func (s *solver) certify() {
	v := s.values[0]
	s.sweeps++
	s.noise = s.rounding(s.each(func(_ int, lo, hi uint32) float64 { return greatest(v[lo:hi]) }))
	residual := s.each(func(_ int, lo, hi uint32) float64 {
		g := 0.0
		for state := lo; state < hi; state++ {
			x, _ := s.backup(v, state)
			g = max(g, math.Abs(x-v[state]))
		}
		return g
	})
	s.final = (residual + s.noise) / (1 - s.modulus) * (1 + 8*unit)
}

// backup returns the backed-up value of one state and the choice behind it: the given policy's, or
// the first best one; None where the state is terminal.
func (s *solver) backup(v []float64, state uint32) (float64, uint32) {
	x := s.p.States[state]
	if s.m.Terminal(state) {
		return x, None
	}
	if s.p.Policy != nil {
		c := s.p.Policy[state]
		return x + s.q(c, v), c
	}
	q, c := s.m.best(state, s.p.Discount, s.p.Choices, v)
	return x + q, c
}

// q returns what a choice earns from now on, without the reward of its state.
func (s *solver) q(c uint32, v []float64) float64 {
	x := s.p.Discount * s.m.Expectation(c, v)
	if s.p.Choices != nil {
		x += s.p.Choices[c]
	}
	return x
}

// finish picks the policy, ties to the first optimal choice.
func (s *solver) finish() *Solution {
	v := s.values[0]
	slack := 2*s.modulus*s.final + 2*s.noise
	s.each(func(_ int, lo, hi uint32) float64 {
		for state := lo; state < hi; state++ {
			_, arg := s.backup(v, state)
			if arg != None && s.p.Policy == nil {
				q := s.q(arg, v)
				least := q - min(slack, tieRelative*math.Abs(q))
				first := s.m.choiceStart[state]
				for first < arg && s.q(first, v) < least {
					first++
				}
				arg = first
			}
			s.policy[state] = arg
		}
		return 0
	})
	return &Solution{Values: v, Error: s.final, Policy: s.policy, Sweeps: s.sweeps, Converged: s.done}
}
