package text

import (
	"fmt"

	"offswitch/sparse"
)

// Column collects the values of a reward in one piece of a file, in increasing order of index, for
// Reward.Join. What is left out is zero.
type Column struct{ values *sparse.FloatsBuilder } // up to the last one that is not zero; nil: none

// Reset empties the column.
func (c *Column) Reset() { c.values = nil }

// Set adds a value. The index counts from 0 in each piece and must be greater than that of the last.
func (c *Column) Set(index int, v float64) {
	if v == 0 {
		return
	}
	if c.values == nil {
		c.values = new(sparse.FloatsBuilder)
	}
	fill(c.values, index)
	c.values.Append(v)
}

// fill adds zeros up to n values.
func fill(values *sparse.FloatsBuilder, n int) {
	if more := n - values.Len(); more > 0 {
		zeros := sparse.ConstantFloats(more, 0)
		values.Extend(&zeros)
	}
}

// Reward collects the values of a reward from all pieces. The zero value is empty, and takes no
// memory until a value other than zero comes.
type Reward struct{ values *sparse.FloatsBuilder }

// Join adds the values of the next piece, which begins at an index.
func (r *Reward) Join(index int, c *Column) {
	if c.values == nil {
		return
	}
	if r.values == nil {
		r.values = new(sparse.FloatsBuilder)
	}
	fill(r.values, index)
	values := c.values.Column()
	r.values.Extend(&values)
}

// Finish returns the column of n entries, empty when all are zero.
func (r *Reward) Finish(n int) sparse.Floats {
	if r.values == nil {
		return sparse.Floats{}
	}
	fill(r.values, n)
	return r.values.Column()
}

// Mark puts a state under a label.
type Mark struct{ Label, State uint32 }

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
	to   []uint32 // scratch: what the labels of a piece become
}

// Declare returns the number of a label, adding it when it is new.
func (l *Labels) Declare(name string) (id uint32, isNew bool) {
	if id, ok := l.ids[name]; ok {
		return uint32(id), false
	}
	if l.ids == nil {
		l.ids = make(map[string]int)
	}
	l.list = append(l.list, sparse.Label{Name: name})
	l.ids[name] = len(l.list) - 1
	return uint32(len(l.list) - 1), true
}

// Join adds marks whose labels are numbers in names; without names they are those of Declare.
func (l *Labels) Join(marks []Mark, names *Words) error {
	if names != nil {
		l.to = renumber(l.to, len(names.list))
	}
	for _, x := range marks {
		id := x.Label
		if names != nil {
			if l.to[id] == sparse.None {
				l.to[id], _ = l.Declare(names.At(id))
			}
			id = l.to[id]
		}
		if err := l.add(id, x.State); err != nil {
			return fmt.Errorf("state %d: %w", x.State, err)
		}
	}
	return nil
}

// add puts a state under a label. The sets grow with the greatest state added.
func (l *Labels) add(id, state uint32) error {
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
