package sparse

// The backups below are the inner loops of everything numerical. Each exists once for each way in
// which probabilities are stored, because the test per branch would cost more than the branch.

// best returns the greatest of q(c) = choiceReward[c] + gamma·Σ p·v[target] over the choices of a
// state, and the first choice that has it; (0, None) where the state is terminal. choiceReward is
// nil or len NumChoices.
func (m *MDP) best(state uint32, gamma float64, choiceReward, v []float64) (float64, uint32) {
	lo, hi := m.choiceStart[state], m.choiceStart[state+1]
	if lo == hi {
		return 0, None
	}
	switch {
	case choiceReward != nil:
		return m.bestRewarded(lo, hi, gamma, choiceReward, v)
	case m.branchStart == nil:
		return bestCertain(m.target[lo:hi], lo, gamma, v)
	case m.probability.code != nil:
		return m.bestCoded(lo, hi, gamma, v)
	}
	return m.bestRaw(lo, hi, gamma, v)
}

func bestCertain(targets []uint32, lo uint32, gamma float64, v []float64) (float64, uint32) {
	best, arg := v[targets[0]], uint32(0)
	for i, t := range targets[1:] {
		if x := v[t]; x > best {
			best, arg = x, uint32(i)+1
		}
	}
	return gamma * best, lo + arg
}

func (m *MDP) bestCoded(lo, hi uint32, gamma float64, v []float64) (float64, uint32) {
	table, code, target := m.probability.table, m.probability.code, m.target
	best, arg := 0.0, uint32(None)
	from := m.branchStart[lo]
	for c := lo; c < hi; c++ {
		to := m.branchStart[c+1]
		sum := 0.0
		targets, codes := target[from:to], code[from:to]
		for i, t := range targets {
			sum += table[codes[i]] * v[t]
		}
		if arg == None || sum > best {
			best, arg = sum, c
		}
		from = to
	}
	return gamma * best, arg
}

func (m *MDP) bestRaw(lo, hi uint32, gamma float64, v []float64) (float64, uint32) {
	best, arg := 0.0, uint32(None)
	for c := lo; c < hi; c++ {
		if sum := m.Expectation(c, v); arg == None || sum > best {
			best, arg = sum, c
		}
	}
	return gamma * best, arg
}

func (m *MDP) bestRewarded(lo, hi uint32, gamma float64, choiceReward, v []float64) (float64, uint32) {
	best, arg := 0.0, uint32(None)
	for c := lo; c < hi; c++ {
		if q := choiceReward[c] + gamma*m.Expectation(c, v); arg == None || q > best {
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
// v itself, which makes the sweep a Gauss-Seidel one.
func (m *MDP) Backup(lo, hi uint32, gamma float64, theta, choiceReward, v, out []float64) {
	for s := lo; s < hi; s++ {
		q, _ := m.best(s, gamma, choiceReward, v)
		out[s] = theta[s] + q
	}
}
