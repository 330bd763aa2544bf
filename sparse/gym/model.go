package gym

import (
	"fmt"
	"strconv"

	"offswitch/sparse"
)

// model makes the model of a table that was read.
func (t *table) model() (*sparse.MDP, error) {
	for i := range t.keys {
		if k := &t.keys[i]; !k.isRow {
			return nil, fmt.Errorf("line %d: next state %q has no row in the table", k.line, k.key)
		}
	}
	if len(t.order) == 0 {
		return nil, fmt.Errorf("the table is empty: it has no states")
	}
	n := len(t.order)
	number, numbered := t.numbers()
	rowOf := make([]int, n)
	for id := range t.keys {
		rowOf[number[id]] = t.keys[id].row
	}
	terminal, twins := t.ends()
	twinOf := make(map[uint32]uint32)
	names := make([]string, n)
	for s, row := range rowOf {
		id := t.order[row]
		names[s] = t.keys[id].key
		if twins[id] {
			twinOf[id] = uint32(len(names))
			twin := names[s] + twinSuffix
			if _, taken := t.ids[twin]; taken {
				return nil, fmt.Errorf("state %q needs an extra state %q for outcomes that are done, but the table has that one already", names[s], twin)
			}
			names = append(names, twin)
		}
	}
	if len(names) >= sparse.None {
		return nil, fmt.Errorf("the table has more than the limit of %d states", uint32(sparse.None-1))
	}
	b := sparse.NewBuilder(len(names))
	b.DeclareReward(rewardName)
	for s, row := range rowOf {
		if !terminal[t.order[row]] {
			t.addChoices(b, uint32(s), row, number, twinOf)
		}
	}
	if !numbered || len(names) > n {
		texts := new(sparse.Texts)
		for _, name := range names {
			if err := texts.Append(name); err != nil {
				return nil, err
			}
		}
		b.SetNames(texts)
	}
	return b.Build()
}

// numbers returns the model's number of each state: its key where the keys are 0 to n-1, and
// otherwise the position of its row.
func (t *table) numbers() (number []uint32, numbered bool) {
	number = make([]uint32, len(t.keys))
	numbered = true
	for id := range t.keys {
		key := t.keys[id].key
		v, err := strconv.ParseUint(key, 10, 32)
		if err != nil || v >= uint64(len(t.keys)) || strconv.FormatUint(v, 10) != key {
			numbered = false
			break
		}
		number[id] = uint32(v) // distinct, since keys are
	}
	if !numbered {
		for row, id := range t.order {
			number[id] = uint32(row)
		}
	}
	return number, numbered
}

// choices returns the range of the choices of a row.
func (t *table) choices(row int) (lo, hi int) {
	if row > 0 {
		lo = t.choiceEnd[row-1]
	}
	return lo, t.choiceEnd[row]
}

// outcomes returns the outcomes of a choice.
func (t *table) outcomes(choice int) []outcome {
	lo := 0
	if choice > 0 {
		lo = t.branchEnd[choice-1]
	}
	return t.branches[lo:t.branchEnd[choice]]
}

// ends returns the states that are terminal, and those that need a terminal twin.
func (t *table) ends() (terminal, twin []bool) {
	const (
		goesOn   = 1 << iota // an outcome from elsewhere leads here and is not done
		ends                 // one does and is done
		loopEnds             // a self-loop is done
		stays                // some outcome of the state is not a done self-loop
	)
	seen := make([]uint8, len(t.keys))
	for row, id := range t.order {
		lo, hi := t.choices(row)
		for c := lo; c < hi; c++ {
			for _, x := range t.outcomes(c) {
				switch {
				case x.next != id && x.done:
					seen[x.next] |= ends
				case x.next != id:
					seen[x.next] |= goesOn
				case x.done:
					seen[id] |= loopEnds
				}
				if x.next != id || !x.done {
					seen[id] |= stays
				}
			}
		}
	}
	terminal, twin = make([]bool, len(t.keys)), make([]bool, len(t.keys))
	for id, s := range seen {
		switch {
		case s&goesOn == 0 && s&ends != 0, s&(ends|stays) == 0 && s&loopEnds != 0:
			terminal[id] = true
		case s&(ends|loopEnds) != 0:
			lo, hi := t.choices(t.keys[id].row)
			terminal[id] = lo == hi // it is already: no twin
			twin[id] = lo < hi
		}
	}
	return terminal, twin
}

func (t *table) addChoices(b *sparse.Builder, s uint32, row int, number []uint32, twinOf map[uint32]uint32) {
	lo, hi := t.choices(row)
	for c := lo; c < hi; c++ {
		choice := b.StartChoice(s, t.actions[c])
		outcomes := t.outcomes(c)
		expected, same := 0.0, true
		for _, x := range outcomes {
			target := number[x.next]
			if twin, ok := twinOf[x.next]; ok && x.done {
				target = twin
			}
			b.AddBranch(target, x.probability)
			expected += x.probability * x.reward
			same = same && x.reward == outcomes[0].reward
		}
		if same {
			expected = outcomes[0].reward // exactly, without a rounding
		}
		if expected != 0 {
			b.ChoiceReward(rewardName, choice, expected)
		}
	}
}
