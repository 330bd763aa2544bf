package prism

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Write writes a model. It calls create with the suffix of each file that the model takes: ".tra",
// ".lab", then, when the states have names, ".sta", and, when there are rewards, ".srew" and
// ".trew" for a single one, "1.srew", "1.trew", "2.srew", … for several. A file is complete when
// create is called for the next one or Write returns; closing is the caller's.
//
// Numbers are written with as many digits as they need to be read back the same. Write fails,
// before it creates a file, on what the format cannot hold: an action whose name is not one word, a
// label or reward with a quotation mark or a line break in its name, a label init apart from the
// initial states, variables with a comma or a line break in their names or strings; and while it
// writes, on a state name with a line break. O(states + branches·log(branches of a choice)).
func Write(create func(suffix string) (io.Writer, error), m *sparse.MDP) error {
	if err := check(m); err != nil {
		return err
	}
	e := &writer{create: create, m: m}
	e.merged = countMerged(m)
	if err := e.file(".tra", e.transitions); err != nil {
		return err
	}
	if err := e.file(".lab", e.labels); err != nil {
		return err
	}
	if m.Names() != nil {
		if err := e.file(".sta", e.states); err != nil {
			return err
		}
	}
	for i := range m.Rewards() {
		r, number := &m.Rewards()[i], ""
		if len(m.Rewards()) > 1 {
			number = strconv.Itoa(i + 1)
		}
		if err := e.file(number+".srew", func() error { return e.stateRewards(r) }); err != nil {
			return err
		}
		if err := e.file(number+".trew", func() error { return e.choiceRewards(r) }); err != nil {
			return err
		}
	}
	return nil
}

func check(m *sparse.MDP) error {
	if err := text.CheckInit(m); err != nil {
		return err
	}
	for _, name := range m.Actions().Names() {
		if name != "" && !text.IsWord(name) {
			return fmt.Errorf("action %q cannot be written for PRISM, want one word", name)
		}
	}
	for _, l := range m.Labels() {
		if l.Name == "" || strings.ContainsAny(l.Name, "\"\n") {
			return fmt.Errorf("label %q cannot be written for PRISM, want a name without quotation marks and line breaks", l.Name)
		}
	}
	if n := len(m.Labels()) + 2; n > maxLabelIndex {
		return fmt.Errorf("%d labels cannot be written for PRISM, want fewer than %d", n, maxLabelIndex)
	}
	for i := range m.Rewards() {
		if name := m.Rewards()[i].Name; strings.ContainsAny(name, "\"\n") {
			return fmt.Errorf("reward %q cannot be written for PRISM, want a name without quotation marks and line breaks", name)
		}
	}
	if v, ok := m.Names().(*sparse.Valuation); ok {
		return checkVariables(v.Variables())
	}
	return nil
}

func checkVariables(variables []sparse.Variable) error {
	if len(variables) == 0 {
		return fmt.Errorf("the states are named by no variables at all, want at least one")
	}
	for _, x := range variables {
		if strings.ContainsAny(x.Name, ",\n") {
			return fmt.Errorf("variable %q cannot be written for PRISM, want a name without commas and line breaks", x.Name)
		}
		for _, s := range x.Strings {
			if strings.ContainsAny(s, ",\n") {
				return fmt.Errorf("value %q of variable %q cannot be written for PRISM, want one without commas and line breaks", s, x.Name)
			}
		}
	}
	return nil
}

type writer struct {
	*text.Writer
	create func(suffix string) (io.Writer, error)
	m      *sparse.MDP
	merged int   // transitions, self-loops of terminal states apart
	order  []int // scratch: the branches of one choice
}

// eachState writes all states, in pieces at once, with what writes one.
func (e *writer) eachState(state func(e *writer, s uint32) error) error {
	return e.States(e.m, func(w *text.Writer, lo, hi uint32) error {
		piece := &writer{Writer: w, m: e.m}
		for s := lo; s < hi; s++ {
			if err := state(piece, s); err != nil {
				return err
			}
		}
		return nil
	})
}

func (e *writer) file(suffix string, write func() error) error {
	w, err := e.create(suffix)
	if err != nil {
		return err
	}
	e.Writer = text.NewWriter(w)
	if err := write(); err != nil {
		return err
	}
	return e.Flush()
}

// ascending reports whether a choice's targets are in strictly increasing order.
func ascending(targets []uint32) bool {
	for i := 1; i < len(targets); i++ {
		if targets[i-1] >= targets[i] {
			return false
		}
	}
	return true
}

// countMerged returns the number of branches once those of one choice to one target are merged.
func countMerged(m *sparse.MDP) int {
	n := m.NumBranches()
	var sorted []uint32
	for c := range uint32(m.NumChoices()) {
		targets := m.Targets(c)
		if ascending(targets) {
			continue
		}
		sorted = append(sorted[:0], targets...)
		slices.Sort(sorted)
		n -= len(sorted) - len(slices.Compact(sorted))
	}
	return n
}

// mergedBranches calls f with the targets of a choice in increasing order and their probabilities.
func (e *writer) mergedBranches(c uint32, f func(target uint32, p float64)) {
	targets, probabilities := e.m.Targets(c), e.m.Probabilities(c)
	if ascending(targets) {
		for i, t := range targets {
			f(t, probabilities[i])
		}
		return
	}
	e.order = e.order[:0]
	for i := range targets {
		e.order = append(e.order, i)
	}
	slices.SortStableFunc(e.order, func(a, b int) int { return int(targets[a]) - int(targets[b]) })
	for i := 0; i < len(e.order); {
		target, p := targets[e.order[i]], 0.0
		for ; i < len(e.order) && targets[e.order[i]] == target; i++ {
			p += probabilities[e.order[i]]
		}
		f(target, min(p, 1)) // sums may be off by a rounding
	}
}

// numbers writes a line of numbers.
func (e *writer) numbers(values ...int) {
	for i, v := range values {
		if i > 0 {
			e.Byte(' ')
		}
		e.Uint(uint64(v))
	}
	e.EndLine()
}

func (e *writer) transitions() error {
	m, loops := e.m, e.m.NumTerminal()
	e.numbers(m.NumStates(), m.NumChoices()+loops, e.merged+loops)
	return e.eachState((*writer).stateTransitions)
}

func (e *writer) stateTransitions(s uint32) error {
	m := e.m
	lo, hi := m.Choices(s)
	for c := lo; c < hi; c++ {
		action := ""
		if a := m.Actions(); a.Len() > 0 {
			action = a.Names()[a.ID(c)]
		}
		e.mergedBranches(c, func(target uint32, p float64) { e.transition(s, c-lo, target, p, action) })
	}
	if lo == hi {
		e.transition(s, 0, s, 1, "")
	}
	return nil
}

// prefix writes "state choice target ".
func (e *writer) prefix(s, choice, target uint32) {
	e.Uint(uint64(s))
	e.Byte(' ')
	e.Uint(uint64(choice))
	e.Byte(' ')
	e.Uint(uint64(target))
	e.Byte(' ')
}

func (e *writer) transition(s, choice, target uint32, p float64, action string) {
	e.prefix(s, choice, target)
	e.Float(p)
	if action != "" {
		e.Byte(' ')
		e.String(action)
	}
	e.EndLine()
}

// labels writes X.lab: init, the model's labels, and terminal when there are terminal states.
func (e *writer) labels() error {
	m := e.m
	list := []sparse.Label{{Name: text.Init, States: m.Initial()}}
	terminal := -1
	for _, l := range m.Labels() {
		if l.Name == text.Init {
			continue
		}
		if l.Name == terminalLabel {
			terminal = len(list)
		}
		list = append(list, l)
	}
	if terminal < 0 && m.NumTerminal() > 0 {
		terminal = len(list)
		list = append(list, sparse.Label{Name: terminalLabel, States: sparse.NewBitset(m.NumStates())})
	}
	for i, l := range list {
		if i > 0 {
			e.Byte(' ')
		}
		e.Uint(uint64(i))
		e.String(`="` + l.Name + `"`)
	}
	e.EndLine()
	return e.eachState(func(e *writer, s uint32) error {
		any := false
		for i := range list {
			if !list[i].States.Has(s) && !(i == terminal && m.Terminal(s)) {
				continue
			}
			if !any {
				any = true
				e.Uint(uint64(s))
				e.Byte(':')
			}
			e.Byte(' ')
			e.Uint(uint64(i))
		}
		if any {
			e.EndLine()
		}
		return nil
	})
}

func (e *writer) states() error {
	names := e.m.Names()
	v, valued := names.(*sparse.Valuation)
	if !valued {
		e.String("# " + namesComment + "\n")
	}
	e.Byte('(')
	if !valued {
		e.String(nameVariable)
	} else {
		for i, x := range v.Variables() {
			if i > 0 {
				e.Byte(',')
			}
			e.String(x.Name)
		}
	}
	e.Byte(')')
	e.EndLine()
	return e.eachState(func(e *writer, s uint32) error {
		e.Uint(uint64(s))
		e.String(":(")
		name := e.Append(func(dst []byte) []byte {
			if !valued {
				return names.AppendName(dst, s)
			}
			for i := range v.Variables() {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = v.AppendValue(dst, s, i)
			}
			return dst
		})
		if bytes.IndexByte(name, '\n') >= 0 {
			return fmt.Errorf("name %q of state #%d cannot be written for PRISM, want no line break", name, s)
		}
		e.Byte(')')
		e.EndLine()
		return nil
	})
}

// rewardComments writes the comments that name a reward.
func (e *writer) rewardComments(r *sparse.Reward, kind string) {
	e.String("# Reward structure")
	if r.Name != "" {
		e.String(` "` + r.Name + `"`)
	}
	e.String("\n# " + kind + " rewards\n")
}

func (e *writer) stateRewards(r *sparse.Reward) error {
	e.rewardComments(r, "State")
	n := 0
	for s := range uint32(r.States.Len()) {
		if r.States.At(s) != 0 {
			n++
		}
	}
	e.numbers(e.m.NumStates(), n)
	if n == 0 {
		return nil
	}
	return e.eachState(func(e *writer, s uint32) error {
		if v := r.States.At(s); v != 0 {
			e.Uint(uint64(s))
			e.Byte(' ')
			e.Float(v)
			e.EndLine()
		}
		return nil
	})
}

func (e *writer) choiceRewards(r *sparse.Reward) error {
	e.rewardComments(r, "Transition")
	m, n := e.m, 0
	if r.Choices.Len() > 0 {
		for s := range uint32(m.NumStates()) {
			e.rewarded(r, s, func(_, _, _ uint32, _ float64) { n++ })
		}
	}
	e.numbers(m.NumStates(), m.NumChoices()+m.NumTerminal(), n)
	if n == 0 {
		return nil
	}
	return e.eachState(func(e *writer, s uint32) error {
		e.rewarded(r, s, func(s, choice, target uint32, v float64) {
			e.prefix(s, choice, target)
			e.Float(v)
			e.EndLine()
		})
		return nil
	})
}

// rewarded calls f for every transition of a state's choices with a reward.
func (e *writer) rewarded(r *sparse.Reward, s uint32, f func(s, choice, target uint32, v float64)) {
	lo, hi := e.m.Choices(s)
	for c := lo; c < hi; c++ {
		if v := r.Choices.At(c); v != 0 {
			e.mergedBranches(c, func(target uint32, _ float64) { f(s, c-lo, target, v) })
		}
	}
}
