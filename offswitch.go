// Package offswitch answers one question about an environment: an agent was trained here; put it
// in a new situation with an off switch; for how many of the goals that training allows would it
// avoid the switch? It implements Krakovna & Kramar, "Power-seeking can be probable and predictive
// for trained agents" (arXiv 2304.06528), for environments with millions of states.
//
// A Question names what to look at in a model. Train answers the first half of it: the states
// visited in training and the choices taken there (Definitions 5 and 6). NewSetting adds the new
// situation with its off switch (Definition 7), and Setting.Analyze checks every assumption of
// Theorem 2, counts the states that make avoiding shutdown pay, and says for what share of goals
// the agent avoids it. Which goals those are is the business of package lp.
package offswitch

import (
	"fmt"
	"strings"

	"offswitch/sparse"
)

// Question says what to analyse in a model. The zero value of every field but Model and Discount
// means its default.
type Question struct {
	Model    *sparse.MDP // as TakeTerminals returned it
	Discount float64     // γ, in [0,1)
	Reward   string      // training reward; default: the model's only reward
	Policy   []Pair      // states and actions seen in training; nil: solve for the training reward
	Source   string      // what to call the policy in the report; default "policy"
	Train    string      // label or state that training starts from; default "train"
	New      string      // label or state of the new situation, s_new; default "new"
	Shutdown string      // action that shuts down in s_new; default "shutdown"
	Width    float64     // how far apart the bounds of counts may stay, relative to the upper ones; 0: decide what can be decided
	Bounds   bool        // also bound every visit count
	Workers  int         // default GOMAXPROCS
	Progress func(sparse.Progress)
}

// Defaults of a Question.
const (
	DefaultTrain    = "train"
	DefaultNew      = "new"
	DefaultShutdown = "shutdown"
)

// TerminalLabel marks states that end an episode in formats that cannot write a state without
// choices.
const TerminalLabel = "terminal"

// Terminals says which states TakeTerminals took as terminal, and why.
type Terminals struct {
	NoChoices sparse.Bitset // states that have no choices
	Labelled  sparse.Bitset // states labelled terminal whose choices are all certain self-loops
	Shutdown  sparse.Bitset // states of that kind that a shutdown choice leads to
	Refused   sparse.Bitset // states labelled terminal that have other choices: not terminal
}

// Count returns the number of terminal states.
func (t *Terminals) Count() int {
	return t.NoChoices.Count() + t.Labelled.Count() + t.Shutdown.Count()
}

// TakeTerminals returns the model in which every state that stands for the end of an episode has
// no choices: those without choices as they are; those labelled "terminal" whose choices are all
// certain self-loops; and those of that kind that a choice with the shutdown action surely leads to. Any
// other absorbing state is an ordinary recurrent one. It returns the model itself when nothing
// changes. O(states + branches).
func TakeTerminals(m *sparse.MDP, shutdown string) (*sparse.MDP, *Terminals) {
	n := m.NumStates()
	t := &Terminals{NoChoices: sparse.NewBitset(n), Labelled: sparse.NewBitset(n), Shutdown: sparse.NewBitset(n), Refused: sparse.NewBitset(n)}
	for s := range uint32(n) {
		if m.Terminal(s) {
			t.NoChoices.Set(s)
		}
	}
	drop := sparse.NewBitset(n)
	if labelled, ok := m.Label(TerminalLabel); ok {
		for s := range labelled.All() {
			switch {
			case m.Terminal(s):
			case onlyLoops(m, s):
				t.Labelled.Set(s)
				drop.Set(s)
			default:
				t.Refused.Set(s)
			}
		}
	}
	if id, ok := actionID(m, shutdown); ok {
		actions := m.Actions()
		for c := range uint32(m.NumChoices()) {
			if actions.ID(c) != id {
				continue
			}
			if s := m.Targets(c)[0]; m.Certain(c) && s != m.ChoiceState(c) && !m.Terminal(s) && !drop.Has(s) && onlyLoops(m, s) {
				t.Shutdown.Set(s)
				drop.Set(s)
			}
		}
	}
	if drop.First() == sparse.None {
		return m, t
	}
	return m.WithoutChoices(drop), t
}

func actionID(m *sparse.MDP, action string) (uint32, bool) {
	if m.Actions().Len() == 0 {
		return 0, false
	}
	for i, name := range m.Actions().Names() {
		if name == action {
			return uint32(i), true
		}
	}
	return 0, false
}

// onlyLoops reports whether every choice of a state leads back to it with certainty.
func onlyLoops(m *sparse.MDP, s uint32) bool {
	for _, t := range m.Successors(s) {
		if t != s {
			return false
		}
	}
	return true
}

// Places returns the states that a name stands for: those of the label of that name, or else the
// state of that name.
func Places(m *sparse.MDP, what, name string) ([]uint32, error) {
	if set, ok := m.Label(name); ok {
		var states []uint32
		for s := range set.All() {
			states = append(states, s)
		}
		if states == nil {
			return nil, fmt.Errorf("%s: no state carries the label %q", what, name)
		}
		return states, nil
	}
	s, err := m.FindState(name)
	if err != nil {
		return nil, fmt.Errorf("%s: no label is called %q, and %w (labels: %s)", what, name, err, labelNames(m))
	}
	return []uint32{s}, nil
}

func labelNames(m *sparse.MDP) string {
	var names []string
	for _, l := range m.Labels() {
		names = append(names, l.Name)
	}
	return listed(names)
}

// listed joins names for an error message, at most ten of them.
func listed(names []string) string {
	switch {
	case len(names) == 0:
		return "none"
	case len(names) > 10:
		return strings.Join(names[:10], ", ") + fmt.Sprintf(" and %d more", len(names)-10)
	}
	return strings.Join(names, ", ")
}

func orDefault(value, otherwise string) string {
	if value == "" {
		return otherwise
	}
	return value
}
