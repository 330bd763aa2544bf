package sparse

import "math"

// bellman backs states up, for one discount and one reward. Its loops are the inner loops of everything
// numerical. They exist once for each way in which probabilities are stored, because a test per state
// would cost as much as a branch; and they take maxima with max, which does not branch: a processor
// guesses wrong on every other value.
type bellman struct {
	m       *MDP
	gamma   float64
	states  []float64 // θ, len NumStates
	choices []float64 // nil or len NumChoices
}

func (m *MDP) newBellman(gamma float64, states, choices []float64) bellman {
	return bellman{m: m, gamma: gamma, states: states, choices: choices}
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
	case m.weights.narrow != nil:
		b.narrow(starts, theta, v, out)
	case m.weights.wide != nil:
		b.wide(starts, theta, v, out)
	default:
		b.raw(starts, theta, v, out)
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

func (b *bellman) narrow(starts []uint32, theta, v, out []float64) {
	c := starts[0]
	from := b.m.branchStart[c]
	for i, end := range starts[1:] {
		ends, codes := b.m.branchStart[c+1:end+1], b.m.weights.narrow[c:end]
		codes = codes[:len(ends)]
		c = end
		if len(ends) == 0 {
			out[i] = theta[i]
			continue
		}
		best := math.Inf(-1)
		for j, to := range ends {
			targets := b.m.target[from:to]
			weights := b.m.weights.pool[int(codes[j])*b.m.weights.stride:][:len(targets)]
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

func (b *bellman) wide(starts []uint32, theta, v, out []float64) {
	c := starts[0]
	from := b.m.branchStart[c]
	for i, end := range starts[1:] {
		ends, codes := b.m.branchStart[c+1:end+1], b.m.weights.wide[c:end]
		codes = codes[:len(ends)]
		c = end
		if len(ends) == 0 {
			out[i] = theta[i]
			continue
		}
		best := math.Inf(-1)
		for j, to := range ends {
			targets := b.m.target[from:to]
			weights := b.m.weights.pool[int(codes[j])*b.m.weights.stride:][:len(targets)]
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
			targets, weights := b.m.target[from:to], b.m.weights.raw[from:to]
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
	targets := m.Targets(choice)
	weights := m.Probabilities(choice)[:len(targets)]
	sum := 0.0
	for k, t := range targets {
		sum += weights[k] * v[t]
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
