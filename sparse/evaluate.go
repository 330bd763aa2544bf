package sparse

import (
	"context"
	"math"
)

// evaluator brings the values of a solver close to those of its current policy, which it sees as a
// chain: one choice a state. Where all of it is certain, the chain is evaluated exactly. Elsewhere its
// strongly connected components are evaluated one after the other, successors first: those of one
// state exactly, the others by sweeps within the component, in an order that follows the chain as far
// as it goes, with the creeping that is left, by a factor near γ a sweep, extrapolated.
type evaluator struct {
	s    *solver
	path []uint32 // states of the walk at hand, from the front; those that wait for their component, from the back
	mark []uint8  // in certain chains: 0 not visited, 1 on the path, 2 done

	// For chains that are not certain: the chain by positions. With own loops solved for, the value at
	// position i is earned[i] + Σ weight·value[target] over the branches start[i]..start[i+1]-1.
	low    []uint32 // of the search for components; then the position of each state
	entry  []uint32 // when the search came to each state on the path
	next   []uint32 // and the branch to follow next
	count  uint32   // states that it has come to
	order  []uint32 // state at each position
	start  []uint32
	target []uint32 // in the search: of the chain by states
	weight []float64
	earned []float64
	value  []float64
	blocks []uint32 // where components begin, from 0, and the number of states: no branch leads from before one of these to it or beyond

	extrapolation
}

const (
	evaluatorDepth  = 3   // steps that an extrapolation looks back
	evaluatorSweeps = 3   // sweeps of a step
	evaluatorSteps  = 100 // steps at most for one component
	// evaluatorRelative times the component's greatest value is what the last sweep of a component may
	// change: where values are faint, because all rewards are far away, the policy follows them as well.
	evaluatorRelative = 1e-4
)

func newEvaluator(s *solver) *evaluator {
	n := s.m.NumStates()
	e := &evaluator{s: s, path: make([]uint32, n)}
	_, exponent := math.Frexp(s.scale)
	e.scale = math.Ldexp(1, exponent)
	if s.m.Deterministic() {
		e.mark = make([]uint8, n)
		return e
	}
	e.low, e.entry, e.next = make([]uint32, n), make([]uint32, n), make([]uint32, n)
	e.order, e.start = make([]uint32, 0, n), make([]uint32, n+1)
	e.earned, e.value = make([]float64, n), make([]float64, n)
	room := uint32(0)
	for state := range uint32(n) {
		room += s.m.longest(state)
	}
	e.target, e.weight = make([]uint32, room), make([]float64, room)
	return e
}

// run evaluates the solver's policy from the solver's values, and leaves the result there. It ends in
// each component when a sweep changes no value by more than enough.
func (e *evaluator) run(ctx context.Context, enough float64) {
	s := e.s
	if e.mark != nil {
		e.follow(ctx)
		s.sweeps++
		return
	}
	if !e.arrange(ctx) {
		return
	}
	if e.write(ctx); ctx.Err() != nil {
		return
	}
	s.each(func(lo, hi uint32) float64 {
		for i, u := range e.order[lo:hi] {
			e.value[lo+uint32(i)] = s.values[u]
		}
		return 0
	})
	e.iterate(ctx, enough)
	s.each(func(lo, hi uint32) float64 {
		for i, u := range e.order[lo:hi] {
			s.values[u] = e.value[lo+uint32(i)]
		}
		return 0
	})
}

// longest returns the most branches of a choice of a state.
func (m *MDP) longest(state uint32) uint32 {
	most := uint32(0)
	lo, hi := m.Choices(state)
	for c := lo; c < hi; c++ {
		most = max(most, m.branchStart[c+1]-m.branchStart[c])
	}
	return most
}

// follow evaluates a certain chain exactly, up to rounding. It is trees that hang on terminal states
// and on cycles; a cycle of L steps that earns a on its way is worth a/(1-γ^L) where it starts. When the context
// ends, other states keep their values.
func (e *evaluator) follow(ctx context.Context) {
	s := e.s
	v, gamma := s.values, s.p.Discount
	clear(e.mark)
	for first := range uint32(len(v)) {
		if first%checkEvery == 0 && ctx.Err() != nil {
			return
		}
		depth := 0
		u := first
		for e.mark[u] == 0 && !s.m.Terminal(u) {
			e.mark[u] = 1
			e.path[depth] = u
			if depth++; depth%checkEvery == 0 && ctx.Err() != nil {
				return
			}
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

// gather writes the targets of the chain out, by state.
func (e *evaluator) gather() {
	e.layOut(nil)
	m, start := e.s.m, e.start
	e.s.each(func(lo, hi uint32) float64 {
		for u := lo; u < hi; u++ {
			if c := e.s.policy[u]; c != None {
				copy(e.target[start[u]:start[u+1]], m.target[m.branchStart[c]:m.branchStart[c+1]])
			}
		}
		return 0
	})
}

// layOut finds where the branches of each state in the chain start: by state, or by where places says the
// state is.
func (e *evaluator) layOut(places []uint32) {
	s, start := e.s, e.start
	s.each(func(lo, hi uint32) float64 {
		for u := lo; u < hi; u++ {
			count := uint32(0)
			if c := s.policy[u]; c != None {
				count = s.m.branchStart[c+1] - s.m.branchStart[c]
			}
			at := u
			if places != nil {
				at = places[u]
			}
			start[at+1] = count
		}
		return 0
	})
	start[0] = 0
	for i, count := range start[1:] {
		start[i+1] = start[i] + count
	}
}

// arrange finds the order and where its components begin: Tarjan's search, with components told
// successors first, and in each the states in depth-first postorder. It reports whether it came to
// the end.
func (e *evaluator) arrange(ctx context.Context) bool {
	const done = None
	low, path, target := e.low, e.path, e.target
	clear(low)
	e.gather()
	e.order, e.blocks, e.count = e.order[:0], append(e.blocks[:0], 0), 0
	waiting := len(path) // waiting states are path[waiting:]
	for i := range uint32(len(low)) {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return false
		}
		first := i
		if e.s.order != nil {
			first = e.s.order[i]
		}
		if low[first] != 0 {
			continue
		}
	walk:
		for depth := e.enter(first, 0); depth > 0; {
			u := path[depth-1]
			least := low[u]
			for b, hi := e.next[depth-1], e.start[u+1]; b < hi; b++ {
				t := target[b]
				if low[t] == 0 {
					low[u], e.next[depth-1] = least, b
					depth = e.enter(t, depth)
					continue walk
				}
				least = min(least, low[t])
			}
			depth--
			low[u] = least
			if least < e.entry[depth] {
				waiting--
				path[waiting] = u
				continue
			}
			end := waiting
			for end < len(path) && low[path[end]] >= least {
				end++
			}
			for k := end; k > waiting; k-- {
				low[path[k-1]] = done
				e.order = append(e.order, path[k-1])
			}
			waiting = end
			low[u] = done
			e.order = append(e.order, u)
			e.blocks = append(e.blocks, uint32(len(e.order)))
		}
	}
	if ctx.Err() != nil {
		return false
	}
	for i, u := range e.order {
		low[u] = uint32(i)
	}
	return true
}

// enter puts a new state on the path and returns the length of that.
func (e *evaluator) enter(state uint32, depth int) int {
	e.count++
	e.low[state], e.path[depth], e.entry[depth] = e.count, state, e.count
	e.next[depth] = e.start[state]
	return depth + 1
}

// write writes the chain out by positions, if the context lasts.
func (e *evaluator) write(ctx context.Context) {
	e.layOut(e.low)
	e.s.each(func(lo, hi uint32) float64 {
		for u := lo; u < hi && (u%checkEvery != 0 || ctx.Err() == nil); u++ {
			e.writeState(u)
		}
		return 0
	})
}

// writeState writes out the choice of a state at its position. What is left of the room is filled with
// branches of no weight.
func (e *evaluator) writeState(u uint32) {
	i, c := e.low[u], e.s.policy[u]
	e.earned[i] = e.s.p.States[u]
	if c == None {
		return
	}
	m, gamma, stays := e.s.m, e.s.p.Discount, 0.0
	weights := m.Probabilities(c)
	at, end := e.start[i], e.start[i+1]
	for k, t := range m.Targets(c) {
		p := weights[k]
		if t == u {
			stays += p
			continue
		}
		e.target[at], e.weight[at] = e.low[t], gamma*p
		at++
	}
	e.earned[i] = e.s.reward(u)
	if stays > 0 {
		scale := 1 / (1 - gamma*stays)
		e.earned[i] *= scale
		weights := e.weight[e.start[i]:at]
		for k := range weights {
			weights[k] *= scale
		}
	}
	for ; at < end; at++ {
		e.target[at], e.weight[at] = i, 0
	}
}

// iterate evaluates the components, or as many as there is time for.
func (e *evaluator) iterate(ctx context.Context, enough float64) {
	largest, lo := uint32(0), uint32(0)
	for _, hi := range e.blocks[1:] {
		largest, lo = max(largest, hi-lo), hi
	}
	if largest > 1 {
		e.resize(int(largest))
	}
	work, check := 0, checkEvery
	lo = 0
	for _, hi := range e.blocks[1:] {
		if hi == lo+1 {
			e.sweep(lo, hi)
			work++
		} else {
			work += e.settle(ctx, lo, hi, enough)
		}
		if lo = hi; work >= check {
			if check = work + checkEvery; ctx.Err() != nil {
				break
			}
		}
	}
	e.s.sweeps += (work + len(e.value) - 1) / max(1, len(e.value))
}

// settle sweeps over a component until that changes little, or for long enough. It returns the number
// of states backed up.
func (e *evaluator) settle(ctx context.Context, lo, hi uint32, enough float64) (work int) {
	values := e.value[lo:hi]
	for round := range evaluatorSteps {
		copy(e.before, values)
		for range evaluatorSweeps {
			change, greatest := e.sweep(lo, hi)
			work += len(values)
			if change <= min(enough, evaluatorRelative*greatest) || len(values) > checkEvery && ctx.Err() != nil {
				return work
			}
		}
		if ctx.Err() != nil {
			break
		}
		e.extrapolate(round, values)
	}
	return work
}

// sweep backs up the positions from lo to before hi once, in order, and returns the greatest change
// and the greatest value.
func (e *evaluator) sweep(lo, hi uint32) (change, greatest float64) {
	value := e.value
	from := e.start[lo]
	for i := lo; i < hi; i++ {
		to := e.start[i+1]
		x := e.earned[i]
		targets, weights := e.target[from:to], e.weight[from:to]
		weights = weights[:len(targets)]
		for k, t := range targets {
			x += weights[k] * value[t]
		}
		change, greatest = max(change, math.Abs(x-value[i])), max(greatest, math.Abs(x))
		value[i] = x
		from = to
	}
	return change, greatest
}

// extrapolation is what is known of the last steps of an iteration.
type extrapolation struct {
	before []float64                 // values before the sweeps of this step,
	after  []float64                 // and after those of the last step,
	step   []float32                 // and what these had changed
	steps  [evaluatorDepth][]float32 // differences between consecutive steps,
	afters [evaluatorDepth][]float32 // and between the values after them
	scale  float64                   // a power of two near the greatest reward, by which float32s are divided
}

// resize makes room for n values.
func (e *extrapolation) resize(n int) {
	if n > len(e.before) {
		e.before, e.after, e.step = make([]float64, n), make([]float64, n), make([]float32, n)
		for j := range e.steps {
			e.steps[j], e.afters[j] = make([]float32, n), make([]float32, n)
		}
	}
}

// extrapolate replaces the values by the combination of those after the last few steps that leaves
// the least residual (Anderson acceleration; for a fixed policy, where everything is linear, as good
// as GMRES). The differences are kept as float32: they are only directions.
func (e *extrapolation) extrapolate(round int, value []float64) {
	const m = evaluatorDepth
	fresh, count := (round+m-1)%m, min(round, m)
	var gram [m][m]float64
	var right [m]float64
	scale := 1 / e.scale
	for i, x := range value {
		step := (x - e.before[i]) * scale
		if round > 0 {
			e.steps[fresh][i] = float32(step - float64(e.step[i]))
			e.afters[fresh][i] = float32((x - e.after[i]) * scale)
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
		f := factor[j] * e.scale
		for i, d := range e.afters[j][:len(value)] {
			value[i] -= f * float64(d)
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
