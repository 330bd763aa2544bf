package sparse

import (
	"fmt"
	"math"
	"runtime"

	"offswitch/sparse/internal/pieces"
)

// RowTolerance is how far the probabilities of one choice may sum from 1. Files written with
// fewer than nine digits can exceed it; they describe no probability distribution.
const RowTolerance = 1e-9

// unit is the unit roundoff of float64, 2^-53.
const unit = 0x1p-53

// validate checks everything that New promises and sets the derived fields, weights by the
// probabilities of the branches. Each defect has one
// message that names the state (and the choice) and says what was expected.
func (m *MDP) validate(probability *Floats) error {
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
	if probability.Len() != len(m.target) {
		return fmt.Errorf("%d probabilities for %d branches", probability.Len(), len(m.target))
	}
	if err := m.validateRows(probability); err != nil {
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
	of          []uint32  // for each choice which row of set is its own
	scratch     []float64 // for one row

	// Kept from piece to piece, so that each place learns a row once. There is one for each core: more would
	// learn more often, and not fit the caches.
	set    rowSet
	keys   keySet   // of the short ones in set
	number []uint16 // of these rows in the model
}

// sumError bounds how far the float64 sum of so many probabilities is off the real one, which is by
// at most (branches-1)·unit·sum.
func sumError(branches int) float64 { return float64(branches) * unit * 1.001 }

// validateRows checks the branches of every choice, on all cores, and brings probabilities into the
// form in which they stay. Where all are 1 and there are as many branches as choices, sums need no
// check, because then a choice with two branches leaves another one none. When something is not clean,
// all up to there is looked through again for the first defect.
func (m *MDP) validateRows(probability *Floats) error {
	choices, taken := m.NumChoices(), 0
	take := func(r *rows) (bool, error) {
		r.lo, r.hi = uint32(taken), uint32(min(taken+rowPiece, choices))
		r.maxBranches, r.off, r.excess = 0, 0, 0
		taken = int(r.hi)
		return r.lo < r.hi, nil
	}
	var all weightsBuilder
	p, constant := probability.Constant()
	sure := constant && p == 1 && choices == len(m.target)
	check := func(r *rows) {
		r.clean = m.checkStarts(r) && m.checkTargets(r) && (sure || m.checkSums(r, probability, !all.various.Load()))
	}
	err := pieces.Run(make([]rows, runtime.GOMAXPROCS(0)), take, check, func(r *rows) error {
		m.maxBranches, m.rowExcess = max(m.maxBranches, int(r.maxBranches)), max(m.rowExcess, r.excess)
		if !r.clean {
			return m.rowDefect(probability, 0, r.hi)
		}
		if !sure {
			lo, hi := m.branchesBetween(r)
			all.add(r, int(hi-lo), choices)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if sure || all.certain() {
		m.branchStart = nil
		return nil
	}
	if m.branchStart == nil {
		m.branchStart = make([]uint32, len(m.target)+1)
		for i := range m.branchStart {
			m.branchStart[i] = uint32(i)
		}
	}
	m.weights = all.finish(probability, m.maxBranches)
	return nil
}

// branchesBetween returns the range lo..hi-1 of the branches of the choices of r.
func (m *MDP) branchesBetween(r *rows) (lo, hi uint32) {
	if m.branchStart == nil {
		return r.lo, r.hi
	}
	return m.branchStart[r.lo], m.branchStart[r.hi]
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
	lo, hi := m.branchesBetween(r)
	greatest := uint32(0)
	for _, t := range m.target[lo:hi] {
		greatest = max(greatest, t)
	}
	return int(greatest) < m.NumStates()
}

// checkSums reports whether all probabilities are in (0,1] and those of each choice sum to 1. To collect
// the different rows is also a way to add up each only once.
func (m *MDP) checkSums(r *rows, probability *Floats, collect bool) bool {
	if uint32(len(r.scratch)) < r.maxBranches {
		r.scratch = make([]float64, r.maxBranches)
	}
	r.of = r.of[:0]
	if r.keys.key == nil {
		r.keys.grow()
	}
	clean := true
	for c := r.lo; c < r.hi; c++ {
		lo, hi := m.Branches(c)
		if !collect {
			clean = r.check(probability.row(lo, hi, r.scratch)) && clean
			continue
		}
		if key := probability.key(lo, hi); key != 0 {
			at := r.keys.place(key)
			number := r.keys.number[at]
			if r.keys.key[at] == 0 {
				row := probability.row(lo, hi, r.scratch)
				clean = r.check(row) && clean
				number = r.set.add(row)
				r.keys.put(at, key, number)
			}
			r.of = append(r.of, number)
			continue
		}
		row := probability.row(lo, hi, r.scratch)
		known := r.set.len()
		number := r.set.find(row)
		if int(number) == known {
			clean = r.check(row) && clean
		}
		r.of = append(r.of, number)
	}
	return clean && r.off <= RowTolerance
}

// check notes the sum of a row, and reports whether its probabilities are in (0,1].
func (r *rows) check(row []float64) (clean bool) {
	sum, clean := 0.0, true
	for _, p := range row {
		clean = clean && p > 0 && p <= 1
		sum += p
	}
	off := math.Abs(sum - 1)
	if off > 0 || len(row) > 1 {
		r.off, r.excess = max(r.off, off), max(r.excess, off+sumError(len(row)))
	}
	return clean
}

// rowDefect returns the first defect of the choices lo..hi-1, nil when there is none.
func (m *MDP) rowDefect(probability *Floats, lo, hi uint32) error {
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
			p := probability.At(b)
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
