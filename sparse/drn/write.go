package drn

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Write writes a model, numbers with as many digits as they need to be read back the same. It
// fails, before it writes anything, on what the format cannot hold: a label with a quotation mark
// or a line break in it, an action or a reward whose name is not one word, a label init apart from
// the initial states; and while it writes, on a state name with a line break. O(states + branches).
func Write(w io.Writer, m *sparse.MDP) error {
	if err := check(m); err != nil {
		return err
	}
	e := writer{Writer: text.NewWriter(w), m: m, quoted: make([]string, len(m.Labels()))}
	for i, l := range m.Labels() {
		e.quoted[i] = " " + l.Name
		if !plainLabel(l.Name) {
			e.quoted[i] = ` "` + l.Name + `"`
		}
	}
	for _, name := range m.Actions().Names() {
		if name == "" {
			name = unnamedAction
		}
		e.actions = append(e.actions, "\taction "+name)
	}
	e.header()
	return e.States(m, func(w *text.Writer, lo, hi uint32) error {
		piece := e
		piece.Writer = w
		for s := lo; s < hi; s++ {
			if err := piece.state(s); err != nil {
				return err
			}
		}
		return nil
	})
}

func check(m *sparse.MDP) error {
	if err := text.CheckInit(m); err != nil {
		return err
	}
	for _, l := range m.Labels() {
		if l.Name == "" || strings.ContainsAny(l.Name, "\"\n") {
			return fmt.Errorf("label %q cannot be written to DRN, want a name without quotation marks and line breaks", l.Name)
		}
	}
	for _, name := range m.Actions().Names() {
		if name != "" && (!text.IsWord(name) || name[0] == '[') || name == unnamedAction {
			return fmt.Errorf("action %q cannot be written to DRN, want one word other than %s that does not begin with [", name, unnamedAction)
		}
	}
	rewards := m.Rewards()
	if len(rewards) > maxRewards {
		return fmt.Errorf("%d rewards cannot be written to DRN, want at most %d", len(rewards), maxRewards)
	}
	for i := range rewards {
		if !text.IsWord(rewards[i].Name) {
			return fmt.Errorf("reward %q cannot be written to DRN, want one word", rewards[i].Name)
		}
	}
	return nil
}

type writer struct {
	*text.Writer
	m       *sparse.MDP
	quoted  []string // how each label is written
	actions []string // the line of each action name
}

func (e *writer) header() {
	e.String("@type: MDP\n@parameters\n\n@reward_models\n")
	for i := range e.m.Rewards() {
		if i > 0 {
			e.Byte(' ')
		}
		e.String(e.m.Rewards()[i].Name)
	}
	e.String("\n@nr_states\n")
	e.Uint(uint64(e.m.NumStates()))
	e.String("\n@nr_choices\n")
	e.Uint(uint64(e.m.NumChoices() + e.m.NumTerminal()))
	e.String("\n@model\n")
}

func (e *writer) state(s uint32) error {
	m := e.m
	e.String("state ")
	e.Uint(uint64(s))
	e.values(s, func(r *sparse.Reward) *sparse.Floats { return &r.States })
	if m.Initial().Has(s) {
		e.String(" " + text.Init)
	}
	labels := m.Labels()
	for i := range labels {
		if labels[i].States.Has(s) && labels[i].Name != text.Init {
			e.String(e.quoted[i])
		}
	}
	e.EndLine()
	if names := m.Names(); names != nil {
		e.String("//[")
		name := e.Append(func(dst []byte) []byte { return names.AppendName(dst, s) })
		if bytes.IndexByte(name, '\n') >= 0 {
			return fmt.Errorf("name %q of state #%d cannot be written to DRN, want no line break", name, s)
		}
		e.Byte(']')
		e.EndLine()
	}
	lo, hi := m.Choices(s)
	for c := lo; c < hi; c++ {
		e.choice(c)
	}
	return nil
}

func (e *writer) choice(c uint32) {
	if a := e.m.Actions(); a.Len() > 0 {
		e.String(e.actions[a.ID(c)])
	} else {
		e.String("\taction " + unnamedAction)
	}
	e.values(c, func(r *sparse.Reward) *sparse.Floats { return &r.Choices })
	e.EndLine()
	probabilities := e.m.Probabilities(c)
	for i, t := range e.m.Targets(c) {
		e.String("\t\t")
		e.Uint(uint64(t))
		e.String(" : ")
		e.Float(probabilities[i])
		e.EndLine()
	}
}

// values writes the rewards [1, 0.5] of a state or a choice, nothing in a model without rewards.
func (e *writer) values(i uint32, column func(*sparse.Reward) *sparse.Floats) {
	rewards := e.m.Rewards()
	for k := range rewards {
		if k == 0 {
			e.String(" [")
		} else {
			e.String(", ")
		}
		if f := column(&rewards[k]); f.Len() > 0 {
			e.Float(f.At(i))
		} else {
			e.Byte('0')
		}
	}
	if len(rewards) > 0 {
		e.Byte(']')
	}
}
