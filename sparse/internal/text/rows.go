package text

import (
	"fmt"
	"math"

	"offswitch/sparse"
)

// Rows collects the states of a model in order, the choices of each state in order, and the
// branches of each choice in order. It allocates only for what it is given.
type Rows struct {
	States      uint32 // the number of states there will be; targets are checked against it
	choiceStart []uint32
	branchStart []uint32
	target      []uint32
	probability sparse.FloatsBuilder
	actions     sparse.Actions
	ids         map[string]uint32
	sum         float64
	several     bool
}

// NumStates returns the number of states begun.
func (r *Rows) NumStates() int { return len(r.choiceStart) }

// NumChoices returns the number of choices begun.
func (r *Rows) NumChoices() int { return len(r.branchStart) }

// NumBranches returns the number of branches.
func (r *Rows) NumBranches() int { return len(r.target) }

// ChoicesOfLast returns the number of choices begun of the state begun last.
func (r *Rows) ChoicesOfLast() int {
	return len(r.branchStart) - int(r.choiceStart[len(r.choiceStart)-1])
}

// BranchesOfLast returns the number of branches of the choice begun last.
func (r *Rows) BranchesOfLast() int {
	return len(r.target) - int(r.branchStart[len(r.branchStart)-1])
}

// BeginState begins the next state.
func (r *Rows) BeginState() { r.choiceStart = append(r.choiceStart, uint32(len(r.branchStart))) }

// BeginChoice begins the next choice of the state begun last; action may be empty.
func (r *Rows) BeginChoice(action []byte) error {
	if len(r.branchStart) >= sparse.None-1 {
		return fmt.Errorf("the model has more than the limit of %d choices", uint32(sparse.None-1))
	}
	if len(action) > 0 || r.actions.Len() > 0 {
		r.actions.Append(r.action(action))
	}
	r.branchStart = append(r.branchStart, uint32(len(r.target)))
	r.sum = 0
	return nil
}

// action returns the number of an action name. The first name given makes the choices before it
// unnamed ones.
func (r *Rows) action(name []byte) uint32 {
	if id, ok := r.ids[string(name)]; ok {
		return id
	}
	if r.ids == nil {
		r.ids = make(map[string]uint32)
		if len(r.branchStart) > 0 {
			unnamed := r.actions.Intern("")
			r.ids[""] = unnamed
			for range r.branchStart {
				r.actions.Append(unnamed)
			}
		}
	}
	id := r.actions.Intern(string(name))
	r.ids[string(name)] = id
	return id
}

// ActionOfLast returns the action name of the choice begun last.
func (r *Rows) ActionOfLast() string {
	if n := r.actions.Len(); n > 0 {
		return r.actions.Names()[r.actions.ID(uint32(n-1))]
	}
	return ""
}

// Branch adds a branch to the choice begun last.
func (r *Rows) Branch(target uint32, p float64) error {
	switch {
	case !(p > 0 && p <= 1):
		return fmt.Errorf("probability %v is not in (0,1]", p)
	case target >= r.States:
		return fmt.Errorf("target state %d is out of range, the model has %d states", target, r.States)
	case len(r.target) >= sparse.None-1:
		return fmt.Errorf("the model has more than the limit of %d branches", uint32(sparse.None-1))
	}
	r.target = append(r.target, target)
	r.probability.Append(p)
	r.sum += p
	return nil
}

// EndChoice checks the choice begun last, which is complete.
func (r *Rows) EndChoice() error {
	switch n := r.BranchesOfLast(); {
	case n == 0:
		return fmt.Errorf("the choice has no branches, want at least one")
	case n > 1:
		r.several = true
	}
	if math.Abs(r.sum-1) > sparse.RowTolerance {
		return fmt.Errorf("the probabilities of the choice sum to %v, want 1 within %v", r.sum, sparse.RowTolerance)
	}
	return nil
}

// Finish returns the transitions and actions of the model. The rows must not be used afterwards.
func (r *Rows) Finish() sparse.Parts {
	p := sparse.Parts{
		ChoiceStart: append(r.choiceStart, uint32(len(r.branchStart))),
		Target:      r.target, Probability: r.probability.Column(), Actions: r.actions,
	}
	if r.several {
		p.BranchStart = append(r.branchStart, uint32(len(r.target)))
	}
	return p
}

// Column collects the values of a reward in increasing order of index; what is left out is zero.
// The zero value is empty, and takes no memory until a value other than zero comes.
type Column struct{ values *sparse.FloatsBuilder }

// Set adds a value. The index must be greater than that of the last.
func (c *Column) Set(index int, v float64) {
	if c.values == nil {
		if v == 0 {
			return
		}
		c.values = new(sparse.FloatsBuilder)
	}
	c.fill(index)
	c.values.Append(v)
}

func (c *Column) fill(n int) {
	for c.values.Len() < n {
		c.values.Append(0)
	}
}

// Finish returns the column of n entries, empty when all are zero.
func (c *Column) Finish(n int) sparse.Floats {
	if c.values == nil {
		return sparse.Floats{}
	}
	c.fill(n)
	return c.values.Column()
}

// Label sets take a bit a state, also where a file says little; more than manyLabels of them may
// take only labelBytes altogether.
const (
	manyLabels = 2048
	labelBytes = 64 << 20
)

// Labels collects labelled sets of states. The zero value is empty.
type Labels struct {
	list []sparse.Label
	ids  map[string]int
	top  uint32 // greatest state added
}

// Declare returns the number of a label, adding it when it is new.
func (l *Labels) Declare(name []byte) (id int, isNew bool) {
	if id, ok := l.ids[string(name)]; ok {
		return id, false
	}
	if l.ids == nil {
		l.ids = make(map[string]int)
	}
	l.list = append(l.list, sparse.Label{Name: string(name)})
	l.ids[string(name)] = len(l.list) - 1
	return len(l.list) - 1, true
}

// Add puts a state under a label. The sets grow with the greatest state added.
func (l *Labels) Add(id int, state uint32) error {
	if state > l.top {
		l.top = state
	}
	b := &l.list[id].States
	if n := int(state>>6) + 1; len(*b) < n {
		if err := l.check(n); err != nil {
			return err
		}
		*b = append(*b, make(sparse.Bitset, n-len(*b))...)
	}
	b.Set(state)
	return nil
}

func (l *Labels) check(words int) error {
	if n := len(l.list); n > manyLabels && 8*n*words > labelBytes {
		return fmt.Errorf("%d labels of %d states take more than %d MiB", n, 64*words, labelBytes>>20)
	}
	return nil
}

// Finish returns the labels of a model of n states, in order of declaration, and apart from them
// the states under the label "init" (nil when there is none of that name).
func (l *Labels) Finish(n int) (labels []sparse.Label, initial sparse.Bitset, err error) {
	words := (n + 63) / 64
	if err := l.check(words); err != nil {
		return nil, nil, err
	}
	for _, x := range l.list {
		x.States = append(x.States, make(sparse.Bitset, words-len(x.States))...)
		if x.Name == Init {
			initial = x.States
		} else {
			labels = append(labels, x)
		}
	}
	return labels, initial, nil
}

// Init is the label that stands for the initial states in files.
const Init = "init"

// CheckInit returns an error when the model has a label of its own called init that differs from
// its initial states: files cannot tell the two apart.
func CheckInit(m *sparse.MDP) error {
	states, ok := m.Label(Init)
	if !ok {
		return nil
	}
	for i, w := range m.Initial() {
		if states[i] != w {
			return fmt.Errorf("label %q differs from the initial states, for which the format uses that name", Init)
		}
	}
	return nil
}
