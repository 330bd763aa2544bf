package sparse

import (
	"fmt"
	"math"

	"offswitch/sparse/internal/pieces"
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

// rowPiece is how many choices are checked at once.
var rowPiece = 1 << 16

// rows is what a check of the choices lo..hi-1 finds.
type rows struct {
	lo, hi      uint32
	maxBranches uint32
	off         float64 // greatest |Σp - 1| as float64 computes it
	excess      float64 // as MDP.rowExcess
	clean       bool
}

// add notes the sum of a choice's probabilities, which is not quite 1.
func (r *rows) add(sum float64, branches uint32) {
	off := math.Abs(sum - 1)
	r.off = max(r.off, off)
	r.excess = max(r.excess, off+sumError(branches))
}

// sumError bounds how far the float64 sum of so many probabilities is off the real one, which is by
// at most (branches-1)·unit·sum.
func sumError(branches uint32) float64 { return float64(branches) * unit * 1.001 }

// validateRows checks the branches of every choice, on all cores. What is not clean is looked
// through again for its first defect.
func (m *MDP) validateRows() error {
	choices, taken := m.NumChoices(), 0
	take := func(r *rows) (bool, error) {
		*r = rows{lo: uint32(taken), hi: uint32(min(taken+rowPiece, choices))}
		taken = int(r.hi)
		return r.lo < r.hi, nil
	}
	check := func(r *rows) { r.clean = m.checkStarts(r) && m.checkTargets(r) && m.checkSums(r) }
	return pieces.Run(make([]rows, pieces.Places()), take, check, func(r *rows) error {
		m.maxBranches, m.rowExcess = max(m.maxBranches, int(r.maxBranches)), max(m.rowExcess, r.excess)
		if r.clean {
			return nil
		}
		return m.rowDefect(r.lo, r.hi)
	})
}

// checkStarts reports whether each choice has at least one branch and none beyond the last.
func (m *MDP) checkStarts(r *rows) bool {
	if m.branchStart == nil {
		r.maxBranches = 1
		return true
	}
	clean, previous := true, m.branchStart[r.lo]
	for _, end := range m.branchStart[r.lo+1 : r.hi+1] {
		clean = clean && end > previous
		r.maxBranches = max(r.maxBranches, end-previous)
		previous = end
	}
	return clean && int(previous) <= len(m.target)
}

func (m *MDP) checkTargets(r *rows) bool {
	lo, hi := r.lo, r.hi
	if m.branchStart != nil {
		lo, hi = m.branchStart[r.lo], m.branchStart[r.hi]
	}
	greatest := uint32(0)
	for _, t := range m.target[lo:hi] {
		greatest = max(greatest, t)
	}
	return int(greatest) < m.NumStates()
}

// checkSums reports whether all probabilities are in (0,1] and those of each choice sum to 1. The
// columns of big models have loops of their own.
func (m *MDP) checkSums(r *rows) bool {
	p, clean := &m.probability, true
	for _, v := range p.table {
		clean = clean && v > 0 && v <= 1
	}
	if r.maxBranches > 1 {
		r.excess = sumError(r.maxBranches)
	}
	v, constant := p.Constant()
	switch {
	case constant && r.maxBranches == 1:
		if v != 1 {
			r.add(v, 1)
		}
	case m.branchStart != nil && p.code != nil:
		r.sumCoded(m.branchStart[r.lo:r.hi+1], p.code, p.table)
	case m.branchStart != nil && p.raw != nil:
		clean = r.sumRaw(m.branchStart[r.lo:r.hi+1], p.raw)
	default:
		for c := r.lo; c < r.hi; c++ {
			sum := 0.0
			lo, hi := m.Branches(c)
			for b := lo; b < hi; b++ {
				v := p.At(b)
				clean = clean && v > 0 && v <= 1
				sum += v
			}
			if sum != 1 {
				r.add(sum, hi-lo)
			}
		}
	}
	return clean && r.off <= RowTolerance
}

func (r *rows) sumCoded(starts []uint32, code []uint8, table []float64) {
	var value [256]float64
	copy(value[:], table)
	lo := starts[0]
	for _, hi := range starts[1:] {
		sum := 0.0
		for _, x := range code[lo:hi] {
			sum += value[x]
		}
		if sum != 1 {
			r.add(sum, hi-lo)
		}
		lo = hi
	}
}

func (r *rows) sumRaw(starts []uint32, values []float64) (clean bool) {
	clean = true
	lo := starts[0]
	for _, hi := range starts[1:] {
		sum := 0.0
		for _, v := range values[lo:hi] {
			clean = clean && v > 0 && v <= 1
			sum += v
		}
		if sum != 1 {
			r.add(sum, hi-lo)
		}
		lo = hi
	}
	return clean
}

// rowDefect returns the first defect of the choices lo..hi-1, nil when there is none.
func (m *MDP) rowDefect(lo, hi uint32) error {
	n := uint32(m.NumStates())
	for c := lo; c < hi; c++ {
		from, to := m.Branches(c)
		if to <= from {
			return fmt.Errorf("%s has no branches, want at least one", m.describeChoice(c))
		}
		if int(to) > len(m.target) {
			return fmt.Errorf("%s: branches end at %d, but the model has %d", m.describeChoice(c), to, len(m.target))
		}
		sum := 0.0
		for b := from; b < to; b++ {
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
