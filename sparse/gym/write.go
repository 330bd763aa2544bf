package gym

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf8"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Write writes a model as a table, one state a line, numbers with as many digits as they need to be
// read back the same. The row of a terminal state has a self-loop that is done for each action of
// the first state that has actions, as in Gymnasium's own tables; outcomes that lead there are done.
//
// Write fails, before it writes anything, on what a table cannot hold: rewards of states, several
// rewards, two choices of one name in one state, two states of one name, states named by the
// numbers 0 to n-1 in another order, names that are not UTF-8. O(states + branches).
func Write(w io.Writer, m *sparse.MDP) error {
	e := writer{Writer: text.NewWriter(w), m: m, reward: new(sparse.Floats)}
	if err := e.check(); err != nil {
		return err
	}
	for s := range uint32(m.NumStates()) {
		before := "{"
		if s > 0 {
			before = ",\n "
		}
		e.String(before)
		e.key(s)
		e.String(": {")
		e.row(s)
		e.Byte('}')
		e.Spill()
	}
	e.String("}\n")
	return e.Flush()
}

type writer struct {
	*text.Writer
	m        *sparse.MDP
	reward   *sparse.Floats
	actions  [][]byte // JSON of each action name; nil for no name
	terminal [][]byte // JSON of the actions of a terminal state
	name     []byte
}

func (e *writer) check() error {
	rewards := e.m.Rewards()
	if len(rewards) > 1 {
		return fmt.Errorf("rewards %q and %q cannot both be written to a Gymnasium table, want one", rewards[0].Name, rewards[1].Name)
	}
	for i := range rewards {
		f := &rewards[i].States
		for s := range uint32(f.Len()) {
			if f.At(s) != 0 {
				return fmt.Errorf("reward %q of state %s cannot be written to a Gymnasium table, want rewards of choices only", rewards[i].Name, e.m.StateName(s))
			}
		}
		e.reward = &rewards[i].Choices
	}
	for _, name := range e.m.Actions().Names() {
		if !utf8.ValidString(name) {
			return fmt.Errorf("action %q cannot be written to a Gymnasium table, want UTF-8", name)
		}
		e.actions = append(e.actions, quote(name))
	}
	if e.m.Names() != nil {
		if err := checkNames(e.m); err != nil {
			return err
		}
	}
	return e.checkActions()
}

// checkNames checks that state names can be keys.
func checkNames(m *sparse.MDP) error {
	_, unique := m.Names().(*sparse.Texts)
	var name []byte
	renumbered := true
	inOrder := true
	for s := range uint32(m.NumStates()) {
		name = m.Names().AppendName(name[:0], s)
		if !utf8.Valid(name) {
			return fmt.Errorf("name %q of state #%d cannot be written to a Gymnasium table, want UTF-8", name, s)
		}
		if !unique {
			if found, err := m.FindState(string(name)); err != nil || found != s {
				return fmt.Errorf("name %q of state #%d is not unique, which a Gymnasium table cannot hold", name, s)
			}
		}
		if renumbered {
			v, err := strconv.ParseUint(string(name), 10, 32)
			renumbered = err == nil && v < uint64(m.NumStates()) && strconv.FormatUint(v, 10) == string(name)
			inOrder = inOrder && v == uint64(s)
		}
	}
	if renumbered && !inOrder {
		return fmt.Errorf("states are named by the numbers 0 to %d, but not in order, which a Gymnasium table cannot hold", m.NumStates()-1)
	}
	return nil
}

// checkActions checks that no state has two choices of one key, and notes the keys of the first
// state that has any.
func (e *writer) checkActions() error {
	var seen map[string]bool
	for s := range uint32(e.m.NumStates()) {
		lo, hi := e.m.Choices(s)
		if lo == hi || e.terminal != nil && e.m.Actions().Len() == 0 {
			continue
		}
		if seen == nil {
			seen = make(map[string]bool)
		}
		clear(seen)
		for c := lo; c < hi; c++ {
			key := e.actionKey(c, c-lo)
			if seen[string(key)] {
				return fmt.Errorf("two choices of state %s are called %s, which a Gymnasium table cannot hold", e.m.StateName(s), key)
			}
			seen[string(key)] = true
		}
		if e.terminal == nil {
			for c := lo; c < hi; c++ {
				e.terminal = append(e.terminal, e.actionKey(c, c-lo))
			}
		}
	}
	return nil
}

// actionKey returns the JSON of a choice's key: its name, or its position where it has none.
func (e *writer) actionKey(c, position uint32) []byte {
	if a := e.m.Actions(); a.Len() > 0 {
		if id := a.ID(c); a.Names()[id] != "" {
			return e.actions[id]
		}
	}
	return strconv.AppendQuote(nil, strconv.Itoa(int(position)))
}

func quote(s string) []byte {
	out, err := json.Marshal(s)
	if err != nil {
		panic(err) // strings always marshal
	}
	return out
}

// key writes the key of a state.
func (e *writer) key(s uint32) {
	names := e.m.Names()
	if names == nil {
		e.Byte('"')
		e.Uint(uint64(s))
		e.Byte('"')
		return
	}
	e.name = names.AppendName(e.name[:0], s)
	e.Append(func(dst []byte) []byte { return append(dst, quote(string(e.name))...) })
}

func (e *writer) row(s uint32) {
	lo, hi := e.m.Choices(s)
	for c := lo; c < hi; c++ {
		if c > lo {
			e.String(", ")
		}
		e.String(string(e.actionKey(c, c-lo)))
		e.String(": [")
		reward := 0.0
		if e.reward.Len() > 0 {
			reward = e.reward.At(c)
		}
		probabilities := e.m.Probabilities(c)
		for i, t := range e.m.Targets(c) {
			if i > 0 {
				e.String(", ")
			}
			e.outcome(probabilities[i], t, reward)
		}
		e.Byte(']')
	}
	if lo < hi {
		return
	}
	for i, key := range e.terminal {
		if i > 0 {
			e.String(", ")
		}
		e.String(string(key) + ": [")
		e.outcome(1, s, 0)
		e.Byte(']')
	}
}

func (e *writer) outcome(p float64, next uint32, reward float64) {
	e.Byte('[')
	e.Float(p)
	e.String(", ")
	if e.m.Names() == nil {
		e.Uint(uint64(next))
	} else {
		e.key(next)
	}
	e.String(", ")
	e.Float(reward)
	if e.m.Terminal(next) {
		e.String(", true]")
	} else {
		e.String(", false]")
	}
}
