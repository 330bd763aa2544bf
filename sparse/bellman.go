package sparse

import "math"

// bellman backs states up, for one discount and one reward. Its loops are the inner loops of everything
// numerical. They exist once for each way in which probabilities are stored, because a test per state
// would cost as much as a branch; and they take maxima with max, which does not branch: a processor
// guesses wrong on every other value.
type bellman struct {
	m       *MDP
	gamma   float64
	states  []float64    // θ, len NumStates
	choices []float64    // nil or len NumChoices
	table   [256]float64 // that of the probabilities, where indices need no check
}

func (m *MDP) newBellman(gamma float64, states, choices []float64) bellman {
	b := bellman{m: m, gamma: gamma, states: states, choices: choices}
	copy(b.table[:], m.probability.table)
	return b
}

// backup writes the backed-up values of states lo..hi-1 to out, hi-lo long.
func (b *bellman) backup(lo, hi uint32, v, out []float64) {
	starts, theta := b.m.choiceStart[lo:hi+1], b.states[lo:hi]
	out = out[:len(theta)]
	switch m := b.m; {
	case lo == hi:
	case b.choices != nil:
		b.rewarded(starts, theta, v, out)
	case m.branchStart == nil:
		b.certain(starts, theta, v, out)
	case m.probability.code != nil:
		b.coded(starts, theta, v, out)
	case m.probability.raw != nil:
		b.raw(starts, theta, v, out)
	default:
		b.constant(starts, theta, v, out)
	}
}

func (b *bellman) certain(starts []uint32, theta, v, out []float64) {
	from := starts[0]
	for i, to := range starts[1:] {
		targets := b.m.target[from:to]
		from = to
		if len(targets) == 0 {
			out[i] = theta[i]
			continue
		}
		best := v[targets[0]]
		for _, t := range targets[1:] {
			best = max(best, v[t])
		}
		out[i] = theta[i] + b.gamma*best
	}
}

func (b *bellman) coded(starts []uint32, theta, v, out []float64) {
	c := starts[0]
	from := b.m.branchStart[c]
	for i, end := range starts[1:] {
		ends := b.m.branchStart[c+1 : end+1]
		c = end
		if len(ends) == 0 {
			out[i] = theta[i]
			continue
		}
		best := math.Inf(-1)
		for _, to := range ends {
			targets, codes := b.m.target[from:to], b.m.probability.code[from:to]
			codes = codes[:len(targets)]
			from = to
			sum := 0.0
			for k, t := range targets {
				sum += b.table[codes[k]] * v[t]
			}
			best = max(best, sum)
		}
		out[i] = theta[i] + b.gamma*best
	}
}

func (b *bellman) raw(starts []uint32, theta, v, out []float64) {
	c := starts[0]
	from := b.m.branchStart[c]
	for i, end := range starts[1:] {
		ends := b.m.branchStart[c+1 : end+1]
		c = end
		if len(ends) == 0 {
			out[i] = theta[i]
			continue
		}
		best := math.Inf(-1)
		for _, to := range ends {
			targets, weights := b.m.target[from:to], b.m.probability.raw[from:to]
			weights = weights[:len(targets)]
			from = to
			sum := 0.0
			for k, t := range targets {
				sum += weights[k] * v[t]
			}
			best = max(best, sum)
		}
		out[i] = theta[i] + b.gamma*best
	}
}

func (b *bellman) constant(starts []uint32, theta, v, out []float64) {
	c := starts[0]
	from := b.m.branchStart[c]
	for i, end := range starts[1:] {
		ends := b.m.branchStart[c+1 : end+1]
		c = end
		if len(ends) == 0 {
			out[i] = theta[i]
			continue
		}
		best := math.Inf(-1)
		for _, to := range ends {
			sum := 0.0
			for _, t := range b.m.target[from:to] {
				sum += b.table[0] * v[t]
			}
			from = to
			best = max(best, sum)
		}
		out[i] = theta[i] + b.gamma*best
	}
}

func (b *bellman) rewarded(starts []uint32, theta, v, out []float64) {
	c := starts[0]
	for i, end := range starts[1:] {
		if c == end {
			out[i] = theta[i]
			continue
		}
		best := math.Inf(-1)
		for ; c < end; c++ {
			best = max(best, b.choices[c]+b.gamma*b.m.Expectation(c, v))
		}
		out[i] = theta[i] + best
	}
}

// q returns what a choice earns from now on, without the reward of its state.
func (b *bellman) q(choice uint32, v []float64) float64 {
	x := b.gamma * b.m.Expectation(choice, v)
	if b.choices != nil {
		x = b.choices[choice] + x
	}
	return x
}

// best returns the greatest q of the choices of a state that is not terminal, and the first choice
// that has it.
func (b *bellman) best(state uint32, v []float64) (float64, uint32) {
	lo, hi := b.m.Choices(state)
	best, arg := b.q(lo, v), lo
	for c := lo + 1; c < hi; c++ {
		if q := b.q(c, v); q > best {
			best, arg = q, c
		}
	}
	return best, arg
}

// Expectation returns Σ p·v[target] over the branches of a choice, summed in order; len(v) ==
// NumStates.
func (m *MDP) Expectation(choice uint32, v []float64) float64 {
	if m.branchStart == nil {
		return v[m.target[choice]]
	}
	lo, hi := m.branchStart[choice], m.branchStart[choice+1]
	targets := m.target[lo:hi]
	sum := 0.0
	switch f := &m.probability; {
	case f.raw != nil:
		weights := f.raw[lo:hi]
		for i, t := range targets {
			sum += weights[i] * v[t]
		}
	case f.code != nil:
		codes := f.code[lo:hi]
		for i, t := range targets {
			sum += f.table[codes[i]] * v[t]
		}
	default:
		p := f.table[0]
		for _, t := range targets {
			sum += p * v[t]
		}
	}
	return sum
}

// Backup applies one Bellman optimality backup to states lo..hi-1:
// out[s] = θ[s] + max over choices of (choiceReward[c] + gamma·Σ p·v[target]), and θ[s] where s is
// terminal. theta, v and out are len NumStates; choiceReward is nil or len NumChoices. out may be
// v itself, which makes the sweep a Gauss-Seidel one. O(branches), and as fast as the model's arrays
// come from memory where v fits into the cache.
func (m *MDP) Backup(lo, hi uint32, gamma float64, theta, choiceReward, v, out []float64) {
	b := m.newBellman(gamma, theta, choiceReward)
	b.backup(lo, hi, v, out[lo:hi])
}
