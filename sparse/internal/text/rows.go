package text

import (
	"fmt"
	"math"

	"offswitch/sparse"
)

// Words numbers words in order of first occurrence. The zero value is empty.
type Words struct {
	list   []string
	ids    map[string]uint32
	last   uint32
	follow []uint32 // the word that came after each one the last time
}

// Find returns the number of a word, adding it when it is new.
func (w *Words) Find(word []byte) uint32 {
	// Files repeat words in the same order again and again.
	if int(w.last) < len(w.list) {
		if id := w.follow[w.last]; w.list[id] == string(word) {
			w.last = id
			return id
		}
	}
	id, ok := w.ids[string(word)]
	if !ok {
		if w.ids == nil {
			w.ids = make(map[string]uint32)
		}
		id = uint32(len(w.list))
		w.list, w.follow = append(w.list, string(word)), append(w.follow, id)
		w.ids[w.list[id]] = id
	}
	w.follow[w.last] = id
	w.last = id
	return id
}

// At returns a word by its number.
func (w *Words) At(id uint32) string { return w.list[id] }

// Rows collects the states of one piece of a file in order, the choices of each state in order, and
// the branches of each choice in order, for Model.Join.
type Rows struct {
	choiceStart []uint32 // these start from 0 in each piece
	branchStart []uint32
	target      []uint32
	values      []float64
	probability sparse.Floats
	actions     []uint32 // numbers in names; empty while no choice has a name
	names       Words
	states      uint32 // of the model; targets are checked against it
	sum         float64
	endings     *endings // for Lines
}

// Reset empties the rows, for a model of that many states.
func (r *Rows) Reset(states uint32) {
	*r = Rows{
		choiceStart: r.choiceStart[:0], branchStart: r.branchStart[:0], target: r.target[:0], values: r.values[:0],
		actions: r.actions[:0], names: r.names, states: states, endings: r.endings,
	}
}

// NumStates returns the number of states begun.
func (r *Rows) NumStates() int { return len(r.choiceStart) }

// NumChoices returns the number of choices begun.
func (r *Rows) NumChoices() int { return len(r.branchStart) }

// ChoicesOfLast returns the number of choices begun of the state begun last.
func (r *Rows) ChoicesOfLast() int {
	return len(r.branchStart) - int(r.choiceStart[len(r.choiceStart)-1])
}

// BeginState begins the next state.
func (r *Rows) BeginState() { r.choiceStart = append(r.choiceStart, uint32(len(r.branchStart))) }

// BeginChoice begins the next choice of the state begun last; action may be empty.
func (r *Rows) BeginChoice(action []byte) {
	if len(action) > 0 || len(r.actions) > 0 {
		if len(r.actions) < len(r.branchStart) {
			unnamed := r.names.Find(nil)
			for range r.branchStart {
				r.actions = append(r.actions, unnamed)
			}
		}
		r.actions = append(r.actions, r.names.Find(action))
	}
	r.branchStart = append(r.branchStart, uint32(len(r.target)))
	r.sum = 0
}

// ActionOfLast returns the action name of the choice begun last.
func (r *Rows) ActionOfLast() string {
	if n := len(r.actions); n > 0 {
		return r.names.At(r.actions[n-1])
	}
	return ""
}

// Branch adds a branch to the choice begun last.
func (r *Rows) Branch(target uint32, p float64) error {
	switch {
	case !(p > 0 && p <= 1):
		return fmt.Errorf("probability %v is not in (0,1]", p)
	case target >= r.states:
		return fmt.Errorf("target state %d is out of range, the model has %d states", target, r.states)
	}
	r.target = append(r.target, target)
	r.values = append(r.values, p)
	r.sum += p
	return nil
}

// EndChoice checks the choice begun last, which is complete.
func (r *Rows) EndChoice() error {
	if r.sum != 1 && math.Abs(r.sum-1) > sparse.RowTolerance {
		return fmt.Errorf("the probabilities of the choice sum to %v, want 1 within %v", r.sum, sparse.RowTolerance)
	}
	return nil
}

// End completes the rows.
func (r *Rows) End() { r.probability = sparse.CompressFloats(r.values) }

// Model collects the states of all pieces of a file in order.
type Model struct {
	States      uint32 // the number of states there will be, at most
	Choices     uint64 // about how many choices there will be, 0 where that is not known; likewise
	Branches    uint64
	choiceStart []uint32
	branchStart []uint32
	target      []uint32
	probability sparse.FloatsBuilder
	actions     sparse.Actions
	to          []uint32 // scratch: what the actions of a piece become
}

// NumStates returns the number of states so far.
func (m *Model) NumStates() int { return len(m.choiceStart) }

// NumChoices returns the number of choices so far.
func (m *Model) NumChoices() int { return len(m.branchStart) }

// NumBranches returns the number of branches so far.
func (m *Model) NumBranches() int { return len(m.target) }

// AddTerminal adds states without choices up to a number of states.
func (m *Model) AddTerminal(states int) {
	for len(m.choiceStart) < states {
		m.choiceStart = append(m.choiceStart, uint32(len(m.branchStart)))
	}
}

// Join adds the states of the next piece. It allocates in proportion to what has come so far.
func (m *Model) Join(r *Rows) error {
	choices, branches := len(m.branchStart), len(m.target)
	if choices+len(r.branchStart) >= sparse.None || branches+len(r.target) >= sparse.None {
		return fmt.Errorf("the model has more than the limit of %d choices or branches", uint32(sparse.None-1))
	}
	m.choiceStart = room(m.choiceStart, len(r.choiceStart), uint64(m.States)+1)
	for _, x := range r.choiceStart {
		m.choiceStart = append(m.choiceStart, uint32(choices)+x)
	}
	all := expected(m.Choices, choices+len(r.branchStart), float64(m.States)/float64(max(1, len(m.choiceStart))))
	m.branchStart = room(m.branchStart, len(r.branchStart), all)
	m.joinActions(r)
	for _, x := range r.branchStart {
		m.branchStart = append(m.branchStart, uint32(branches)+x)
	}
	all = expected(m.Branches, branches+len(r.target), float64(all)/float64(max(1, len(m.branchStart))))
	m.target = append(room(m.target, len(r.target), all), r.target...)
	m.probability.Expect(cap(m.target))
	m.probability.Extend(&r.probability)
	return nil
}

// expected returns how many entries there will be: as many as a file says, or else some more than so
// many times the n that there are.
func expected(said uint64, n int, times float64) uint64 {
	if said > 0 {
		return said + 1
	}
	return uint64(1.02 * times * float64(n))
}

// maxGrowth is how many times what has come so far a file that says how much will come is believed.
// What is allocated and not used takes no memory yet, but what is outgrown does for a while.
const maxGrowth = 64

// room returns x with capacity for n more entries, and for all of them as far as that is believed.
func room[T any](x []T, n int, all uint64) []T {
	if cap(x)-len(x) >= n {
		return x
	}
	need := len(x) + n
	return append(make([]T, 0, max(need+need/16, int(min(all, uint64(maxGrowth*need))))), x...)
}

// fit returns x with capacity for one more entry and without much more.
func fit(x []uint32) []uint32 {
	if n := len(x) + 1; cap(x) < n || cap(x) > n+n/16 {
		return append(make([]uint32, 0, n), x...)
	}
	return x
}

// joinActions names the choices of a piece, when they or those before have names.
func (m *Model) joinActions(r *Rows) {
	if len(r.actions) == 0 && m.actions.Len() == 0 {
		return
	}
	m.actions.Grow(cap(m.branchStart) - m.actions.Len())
	unnamed := len(m.branchStart)
	if len(r.actions) == 0 {
		unnamed += len(r.branchStart)
	}
	if m.actions.Len() < unnamed {
		for id := m.actions.Intern(""); m.actions.Len() < unnamed; {
			m.actions.Append(id)
		}
	}
	m.to = renumber(m.to, len(r.names.list))
	for i, id := range r.actions {
		if m.to[id] == sparse.None {
			m.to[id] = m.actions.Intern(r.names.At(id))
		}
		r.actions[i] = m.to[id]
	}
	m.actions.Extend(r.actions)
}

// renumber returns n times None, in x where there is room.
func renumber(x []uint32, n int) []uint32 {
	x = x[:0]
	for range n {
		x = append(x, sparse.None)
	}
	return x
}

// Finish returns the transitions and actions of the model. It must not be used afterwards.
func (m *Model) Finish() sparse.Parts {
	p := sparse.Parts{
		ChoiceStart: append(fit(m.choiceStart), uint32(len(m.branchStart))),
		Target:      fit(m.target), Probability: m.probability.Column(), Actions: m.actions,
	}
	if len(m.target) > len(m.branchStart) {
		p.BranchStart = append(fit(m.branchStart), uint32(len(m.target)))
	}
	return p
}
