package sparse

import (
	"fmt"
	"math"
)

// RowTolerance is how far the probabilities of one choice may sum from 1. Files written with
// fewer than nine digits can exceed it; they describe no probability distribution.
const RowTolerance = 1e-9

// unit is the unit roundoff of float64, 2^-53.
const unit = 0x1p-53

// validate checks everything that New promises and sets the derived fields. Each defect has one
// message that names the state (and the choice) and says what was expected.
func (m *MDP) validate() error {
	n := len(m.choiceStart) - 1
	switch {
	case n < 1:
		return fmt.Errorf("the model is empty: it has no states")
	case uint64(n) >= None:
		return fmt.Errorf("the model has %d states, more than the limit of %d", n, uint32(None-1))
	case uint64(len(m.target)) >= None:
		return fmt.Errorf("the model has %d branches, more than the limit of %d", len(m.target), uint32(None-1))
	case m.choiceStart[0] != 0:
		return fmt.Errorf("the choices of the first state start at %d, want 0", m.choiceStart[0])
	}
	for s := range n {
		if m.choiceStart[s] > m.choiceStart[s+1] {
			return fmt.Errorf("%s: choices start at %d and end at %d", m.describe(uint32(s)), m.choiceStart[s], m.choiceStart[s+1])
		}
		if m.choiceStart[s] < m.choiceStart[s+1] {
			m.choiceStates++
		}
	}
	choices := m.NumChoices()
	if m.branchStart == nil && choices != len(m.target) {
		return fmt.Errorf("the model has %d choices of one branch each, but %d branches", choices, len(m.target))
	}
	if m.branchStart != nil {
		if len(m.branchStart) != choices+1 {
			return fmt.Errorf("branch starts: %d entries, want one more than the %d choices", len(m.branchStart), choices)
		}
		if m.branchStart[0] != 0 || int(m.branchStart[choices]) != len(m.target) {
			return fmt.Errorf("branch starts run from %d to %d, want 0 to %d", m.branchStart[0], m.branchStart[choices], len(m.target))
		}
	}
	if m.probability.Len() != len(m.target) {
		return fmt.Errorf("%d probabilities for %d branches", m.probability.Len(), len(m.target))
	}
	if err := m.validateRows(); err != nil {
		return err
	}
	return m.validateNotes()
}

func (m *MDP) validateRows() error {
	n := uint32(m.NumStates())
	if v, ok := m.probability.Constant(); ok && v == 1 && m.branchStart == nil {
		m.maxBranches = 1
		for c, t := range m.target {
			if t >= n {
				return fmt.Errorf("%s: target %d is out of range, the model has %d states", m.describeChoice(uint32(c)), t, n)
			}
		}
		return nil
	}
	for c := range uint32(m.NumChoices()) {
		lo, hi := c, c+1
		if m.branchStart != nil {
			lo, hi = m.branchStart[c], m.branchStart[c+1]
			if hi <= lo {
				return fmt.Errorf("%s has no branches, want at least one", m.describeChoice(c))
			}
			if int(hi) > len(m.target) {
				return fmt.Errorf("%s: branches end at %d, but the model has %d", m.describeChoice(c), hi, len(m.target))
			}
		}
		sum := 0.0
		for b := lo; b < hi; b++ {
			p := m.probability.At(b)
			if !(p > 0 && p <= 1) {
				return fmt.Errorf("%s: probability %v is not in (0,1]", m.describeChoice(c), p)
			}
			if t := m.target[b]; t >= n {
				return fmt.Errorf("%s: target %d is out of range, the model has %d states", m.describeChoice(c), t, n)
			}
			sum += p
		}
		if math.Abs(sum-1) > RowTolerance {
			return fmt.Errorf("%s: probabilities sum to %v, want 1 within %v", m.describeChoice(c), sum, RowTolerance)
		}
		m.maxBranches = max(m.maxBranches, int(hi-lo))
		if hi-lo > 1 || sum != 1 {
			// The float64 sum is off the real one by at most (branches-1)·unit·sum.
			m.rowExcess = max(m.rowExcess, math.Abs(sum-1)+float64(hi-lo)*unit*1.001)
		}
	}
	return nil
}

// validateNotes checks labels, rewards, actions and names against the model's size.
func (m *MDP) validateNotes() error {
	n, words := m.NumStates(), (m.NumStates()+63)/64
	inside := func(what string, b Bitset) error {
		if len(b) != words {
			return fmt.Errorf("%s: %d words, want %d for %d states", what, len(b), words, n)
		}
		if n%64 != 0 && b[words-1]>>(n%64) != 0 {
			return fmt.Errorf("%s holds a state beyond the last, #%d", what, n-1)
		}
		return nil
	}
	if err := inside("the set of initial states", m.initial); err != nil {
		return err
	}
	labels := make(map[string]bool)
	for _, l := range m.labels {
		if labels[l.Name] {
			return fmt.Errorf("label %q stands twice", l.Name)
		}
		labels[l.Name] = true
		if err := inside(fmt.Sprintf("label %q", l.Name), l.States); err != nil {
			return err
		}
	}
	rewards := make(map[string]bool)
	for i := range m.rewards {
		r := &m.rewards[i]
		if rewards[r.Name] {
			return fmt.Errorf("reward %q stands twice", r.Name)
		}
		rewards[r.Name] = true
		if err := checkColumn(r.Name, "state", &r.States, n, func(i uint32) string { return m.describe(i) }); err != nil {
			return err
		}
		if err := checkColumn(r.Name, "choice", &r.Choices, m.NumChoices(), m.describeChoice); err != nil {
			return err
		}
	}
	if k := m.actions.Len(); k != 0 && k != m.NumChoices() {
		return fmt.Errorf("%d action names for %d choices", k, m.NumChoices())
	}
	for c := range uint32(m.actions.Len()) {
		if id := m.actions.ID(c); int(id) >= len(m.actions.names) {
			return fmt.Errorf("%s has action %d, but %d actions are named", m.describe(m.ChoiceState(c)), id, len(m.actions.names))
		}
	}
	if m.names == nil {
		return nil
	}
	if m.names.Len() != n {
		return fmt.Errorf("%d state names for %d states", m.names.Len(), n)
	}
	if texts, ok := m.names.(*Texts); ok {
		var first, second uint32
		if m.index, first, second = newNameIndex(n, texts.AppendName); second != None {
			return fmt.Errorf("state name %q stands twice: states #%d and #%d", texts.At(first), first, second)
		}
	}
	return nil
}

func checkColumn(reward, of string, f *Floats, n int, describe func(uint32) string) error {
	if f.Len() != 0 && f.Len() != n {
		return fmt.Errorf("reward %q: %d values for %d %ss", reward, f.Len(), n, of)
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	clean := true
	for _, v := range f.table {
		clean = clean && finite(v)
	}
	if clean && f.raw == nil {
		return nil
	}
	for i := range uint32(f.Len()) {
		if v := f.At(i); !finite(v) {
			return fmt.Errorf("reward %q of %s is %v, want a finite number", reward, describe(i), v)
		}
	}
	return nil
}

// describe names a state in an error, by name and index; it works on unfinished models.
func (m *MDP) describe(s uint32) string {
	if m.names == nil || m.names.Len() != m.NumStates() {
		return fmt.Sprintf("state #%d", s)
	}
	return fmt.Sprintf("state %s (#%d)", m.names.AppendName(nil, s), s)
}

func (m *MDP) describeChoice(c uint32) string {
	s := m.ChoiceState(c)
	where := fmt.Sprintf("%s, choice %d", m.describe(s), c-m.choiceStart[s])
	if m.actions.Len() == m.NumChoices() && m.actions.Len() > 0 {
		if id := m.actions.ID(c); int(id) < len(m.actions.names) && m.actions.names[id] != "" {
			name := m.actions.names[id]
			where += fmt.Sprintf(" (%s)", name)
		}
	}
	return where
}
