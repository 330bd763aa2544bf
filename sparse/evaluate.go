package sparse

import (
	"context"
	"math"
)

// evaluator brings the values of a solver close to those of its current policy, which it sees as a
// chain: one choice a state. Sweeps in the order of the model move values along a chain one step at a
// time where the order is against it, and let them creep, by a factor of γ a sweep, where the chain
// goes round in short cycles. So certain chains are evaluated exactly, and others in an order that
// follows them, with the creeping extrapolated.
type evaluator struct {
	mark []uint8  // 0 not visited, 1 on the path, 2 done
	path []uint32 // states of the walk at hand

	// For chains that are not certain: the chain by positions, successors first as far as it goes.
	// With own loops solved for, the value at position i is earned[i] + Σ weight·value[target] over
	// the branches start[i]..start[i+1]-1.
	next   []uint32 // next branch to follow of each state on the path; then the position of each state
	order  []uint32 // state at each position
	start  []uint32
	target []uint32
	weight []float64
	earned []float64
	value  []float64
	before []float64                 // values before the sweeps of this step,
	after  []float64                 // and after those of the last step,
	step   []float32                 // and what these had changed
	steps  [evaluatorDepth][]float32 // differences between consecutive steps,
	afters [evaluatorDepth][]float32 // and between the values after them
}

const (
	evaluatorDepth  = 3  // steps that an extrapolation looks back
	evaluatorSweeps = 3  // sweeps of a step
	evaluatorSteps  = 12 // steps at most for one policy
	// evaluatorGain is by how much an evaluation reduces what the policy's improvement changed.
	evaluatorGain = 50
)

func newEvaluator(m *MDP) *evaluator {
	n := m.NumStates()
	e := &evaluator{mark: make([]uint8, n), path: make([]uint32, n)}
	if m.Deterministic() {
		return e
	}
	e.next, e.order, e.start = make([]uint32, n), make([]uint32, 0, n), make([]uint32, 0, n+1)
	e.earned, e.value = make([]float64, n), make([]float64, n)
	e.before, e.after, e.step = make([]float64, n), make([]float64, n), make([]float32, n)
	for j := range e.steps {
		e.steps[j], e.afters[j] = make([]float32, n), make([]float32, n)
	}
	return e
}

// run evaluates the solver's policy from the first worker's values, and leaves the result in every
// worker's. change is what the improvement that led to the policy changed at most.
func (e *evaluator) run(ctx context.Context, s *solver, change float64) {
	if s.m.Deterministic() {
		e.follow(s)
		s.sweeps++
	} else {
		e.arrange(s)
		e.write(s)
		e.iterate(ctx, s, change/evaluatorGain)
	}
	for _, v := range s.values[1:] {
		copy(v, s.values[0])
	}
}

// follow evaluates a certain chain exactly, up to rounding. It is trees that hang on terminal states
// and on cycles; a cycle of L steps that earns a on its way is worth a/(1-γ^L) where it starts.
func (e *evaluator) follow(s *solver) {
	v, gamma := s.values[0], s.p.Discount
	clear(e.mark)
	for first := range uint32(len(v)) {
		depth := 0
		u := first
		for e.mark[u] == 0 && !s.m.Terminal(u) {
			e.mark[u] = 1
			e.path[depth] = u
			depth++
			u = s.m.target[s.policy[u]]
		}
		switch e.mark[u] {
		case 0: // terminal
			v[u] = s.p.States[u]
			e.mark[u] = 2
		case 1:
			earned, factor := 0.0, 1.0
			for i := depth - 1; ; i-- {
				earned = s.reward(e.path[i]) + gamma*earned
				factor *= gamma
				if e.path[i] == u {
					break
				}
			}
			v[u] = earned / (1 - factor)
		}
		for ; depth > 0; depth-- {
			p := e.path[depth-1]
			v[p] = s.reward(p) + gamma*v[u]
			e.mark[p] = 2
			u = p
		}
	}
}

// reward returns what a state that is not terminal and the policy's choice there earn at once.
func (s *solver) reward(state uint32) float64 {
	x := s.p.States[state]
	if s.p.Choices != nil {
		x += s.p.Choices[s.policy[state]]
	}
	return x
}

// arrange finds the order: depth-first postorder along the chain.
func (e *evaluator) arrange(s *solver) {
	m := s.m
	clear(e.mark)
	e.order = e.order[:0]
	depth := 0
	push := func(u uint32) {
		e.mark[u], e.path[depth] = 1, u
		if !m.Terminal(u) {
			e.next[depth], _ = m.Branches(s.policy[u])
		}
		depth++
	}
	for first := range uint32(len(e.mark)) {
		if e.mark[first] == 0 {
			push(first)
		}
	walk:
		for depth > 0 {
			u := e.path[depth-1]
			if !m.Terminal(u) {
				_, hi := m.Branches(s.policy[u])
				for b := e.next[depth-1]; b < hi; b++ {
					if t := m.target[b]; e.mark[t] == 0 {
						e.next[depth-1] = b + 1
						push(t)
						continue walk
					}
				}
			}
			depth--
			e.order = append(e.order, u)
		}
	}
	for i, u := range e.order {
		e.next[u] = uint32(i)
	}
}

// write writes the chain out by positions, with the solver's values.
func (e *evaluator) write(s *solver) {
	m, gamma := s.m, s.p.Discount
	e.start, e.target, e.weight = append(e.start[:0], 0), e.target[:0], e.weight[:0]
	for i, u := range e.order {
		e.value[i], e.earned[i] = s.values[0][u], s.p.States[u]
		if !m.Terminal(u) {
			lo, hi := m.Branches(s.policy[u])
			stays := 0.0
			for b := lo; b < hi; b++ {
				if m.target[b] == u {
					stays += m.probability.At(b)
				}
			}
			scale := 1 / (1 - gamma*stays)
			e.earned[i] = s.reward(u) * scale
			for b := lo; b < hi; b++ {
				if t := m.target[b]; t != u {
					e.target = append(e.target, e.next[t])
					e.weight = append(e.weight, gamma*scale*m.probability.At(b))
				}
			}
		}
		e.start = append(e.start, uint32(len(e.target)))
	}
}

// iterate sweeps over the chain until no value changes by more than enough, or long enough, and hands
// the values back.
func (e *evaluator) iterate(ctx context.Context, s *solver, enough float64) {
	done := false
	for round := 0; round < evaluatorSteps && !done; round++ {
		copy(e.before, e.value)
		for i := 0; i < evaluatorSweeps && !done; i++ {
			done = e.sweep() <= enough || ctx.Err() != nil
			s.sweeps++
		}
		if !done {
			e.extrapolate(round)
		}
	}
	v := s.values[0]
	for i, u := range e.order {
		v[u] = e.value[i]
	}
}

// sweep backs up every position once, in order, and returns the greatest change.
func (e *evaluator) sweep() float64 {
	value, change := e.value, 0.0
	from := uint32(0)
	for i := range value {
		to := e.start[i+1]
		x := e.earned[i]
		targets, weights := e.target[from:to], e.weight[from:to]
		for k, t := range targets {
			x += weights[k] * value[t]
		}
		change = max(change, math.Abs(x-value[i]))
		value[i] = x
		from = to
	}
	return change
}

// extrapolate replaces the values by the combination of those after the last few steps that leaves
// the least residual (Anderson acceleration; for a fixed policy, where everything is linear, as good
// as GMRES). The differences are kept as float32: they are only directions.
func (e *evaluator) extrapolate(round int) {
	const m = evaluatorDepth
	fresh, count := (round+m-1)%m, min(round, m)
	var gram [m][m]float64
	var right [m]float64
	for i, x := range e.value {
		step := x - e.before[i]
		if round > 0 {
			e.steps[fresh][i] = float32(step - float64(e.step[i]))
			e.afters[fresh][i] = float32(x - e.after[i])
		}
		e.step[i], e.after[i] = float32(step), x
		for j := range count {
			d := float64(e.steps[j][i])
			right[j] += d * step
			for k := range j + 1 {
				gram[j][k] += d * float64(e.steps[k][i])
			}
		}
	}
	factor, ok := leastSquares(gram, right, count)
	if !ok {
		return
	}
	for j := range count {
		for i, d := range e.afters[j] {
			e.value[i] -= factor[j] * float64(d)
		}
	}
}

// leastSquares solves gram·x = right for the first n unknowns by Cholesky's decomposition; gram is
// given by its lower half. It reports failure when there is nothing to solve for, or the directions
// are nearly dependent.
func leastSquares(gram [evaluatorDepth][evaluatorDepth]float64, right [evaluatorDepth]float64, n int) (x [evaluatorDepth]float64, ok bool) {
	const independent = 1e-10
	for j := range n {
		for k := range j + 1 {
			sum := gram[j][k]
			for i := range k {
				sum -= gram[j][i] * gram[k][i]
			}
			if j > k {
				gram[j][k] = sum / gram[k][k]
				continue
			}
			if !(sum > independent*gram[j][j]) {
				return x, false
			}
			gram[j][j] = math.Sqrt(sum)
		}
	}
	for j := range n {
		x[j] = right[j]
		for k := range j {
			x[j] -= gram[j][k] * x[k]
		}
		x[j] /= gram[j][j]
	}
	for j := n - 1; j >= 0; j-- {
		for k := j + 1; k < n; k++ {
			x[j] -= gram[k][j] * x[k]
		}
		x[j] /= gram[j][j]
	}
	return x, n > 0
}
