package drn

import (
	"bytes"
	"fmt"
	"io"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Read reads a model. An error names the line, what was found there and what was expected. Read
// takes O(size of the file) time; what it allocates depends on the states and transitions that are
// there, not on the counts that the header claims. Lines may be 16 MiB long.
func Read(r io.Reader) (*sparse.MDP, error) {
	d := reader{in: text.NewReader("", r)}
	if err := d.header(); err != nil {
		return nil, err
	}
	for d.in.Next() {
		if err := d.bodyLine(d.in.Text()); err != nil {
			return nil, err
		}
	}
	if err := d.in.Err(); err != nil {
		return nil, err
	}
	return d.finish()
}

type rewardColumns struct {
	name            string
	states, choices text.Column
}

type reader struct {
	in            *text.Reader
	deterministic bool
	states        uint64 // as the header says
	choices       uint64
	hasChoices    bool
	rows          text.Rows
	labels        text.Labels
	rewards       []rewardColumns

	pending    bool   // the last action line has no transition yet
	actionName []byte // then: its name
	open       bool   // the last choice may get more branches
	openLine   int    // where the pending action or the open choice begins
	terminals  uint64
	names      *sparse.Texts // nil once a state has none
	stateLine  int
	rewardLine []float64 // the rewards of the last state or action line
}

// errorf returns an error about the current line.
func (d *reader) errorf(format string, args ...any) error { return d.in.Errorf(format, args...) }

// header reads up to and including the line @model.
func (d *reader) header() error {
	seen := make(map[string]bool)
	for d.in.Next() {
		line := text.Trim(d.in.Text())
		if len(line) == 0 || bytes.HasPrefix(line, []byte("//")) {
			continue
		}
		key, value, hasValue := bytes.Cut(line, []byte(":"))
		name := string(text.Trim(key))
		if len(name) > 0 && name[0] == '@' && seen[name] {
			return d.errorf("%s stands twice", text.Show([]byte(name)))
		}
		switch name {
		case "@model":
			return d.checkHeader(seen)
		case "@type", "@value_type":
			if !hasValue {
				return d.errorf("found %s, want %s: and a value", name, name)
			}
			value = text.Trim(value)
		case "@parameters", "@reward_models", "@nr_states", "@nr_choices":
			if !d.in.Next() {
				return d.endOfHeader("the line that belongs to " + name)
			}
			value = text.Trim(d.in.Text())
		case "@placeholders":
			return d.errorf("@placeholders is not supported, want plain numbers")
		default:
			return d.errorf("found %s, want a header line such as @type: MDP, or @model", text.Show(line))
		}
		seen[name] = true
		if err := d.headerValue(name, value); err != nil {
			return err
		}
	}
	return d.endOfHeader("@model")
}

func (d *reader) endOfHeader(wanted string) error {
	if err := d.in.Err(); err != nil {
		return err
	}
	return d.errorf("the file ends in its header, want %s", wanted)
}

func (d *reader) headerValue(name string, value []byte) error {
	switch name {
	case "@type":
		if t := string(value); t != "MDP" && t != "DTMC" {
			return d.errorf("model type %s is not supported, want MDP or DTMC", text.Show(value))
		}
		d.deterministic = string(value) == "DTMC"
	case "@value_type":
		if t := string(value); t != "double" && t != "rational" {
			return d.errorf("value type %s is not supported, want double", text.Show(value))
		}
	case "@parameters":
		if len(value) > 0 {
			return d.errorf("parameters %s are not supported, want an empty line", text.Show(value))
		}
	case "@reward_models":
		return d.rewardNames(value)
	case "@nr_states":
		n, ok := text.Count(value)
		if !ok || n == 0 || n >= sparse.None {
			return d.errorf("number of states is %s, want 1 to %d", text.Show(value), uint32(sparse.None-1))
		}
		d.states = n
		d.rows.States = uint32(n)
	case "@nr_choices":
		n, ok := text.Count(value)
		if !ok || n >= 2*sparse.None {
			return d.errorf("number of choices is %s, want a number up to %d", text.Show(value), uint32(sparse.None-1))
		}
		d.choices, d.hasChoices = n, true
	}
	return nil
}

func (d *reader) rewardNames(line []byte) error {
	for {
		var word []byte
		if word, line = text.Field(line); len(word) == 0 {
			return nil
		}
		if err := d.addReward(string(word)); err != nil {
			return err
		}
	}
}

func (d *reader) addReward(name string) error {
	for i := range d.rewards {
		if d.rewards[i].name == name {
			return d.errorf("reward model %s stands twice", text.Show([]byte(name)))
		}
	}
	if len(d.rewards) == maxRewards {
		return d.errorf("more than the limit of %d reward models", maxRewards)
	}
	d.rewards = append(d.rewards, rewardColumns{name: name})
	return nil
}

func (d *reader) checkHeader(seen map[string]bool) error {
	for _, name := range []string{"@type", "@nr_states"} {
		if !seen[name] {
			return d.errorf("@model comes before %s, want it in the header", name)
		}
	}
	d.names = new(sparse.Texts)
	return nil
}

func (d *reader) bodyLine(line []byte) error {
	line = text.TrimLeft(line)
	switch {
	case len(line) == 0:
		return nil
	case line[0]-'0' <= 9:
		return d.branch(line)
	case line[0] == '/' && len(line) > 1 && line[1] == '/':
		return d.comment(text.Trim(line[2:]))
	}
	word, rest := text.Field(line)
	switch string(word) {
	case "state":
		return d.state(rest)
	case "action":
		return d.action(rest)
	}
	return d.errorf("found %s, want a state, an action, a transition (target : probability) or a comment", text.Show(line))
}

// comment takes //[name] directly after the line of a state as the name of that state.
func (d *reader) comment(words []byte) error {
	n := d.rows.NumStates()
	named := len(words) >= 2 && words[0] == '[' && words[len(words)-1] == ']'
	if !named || n == 0 || d.names == nil || d.in.Line() != d.stateLine+1 {
		return nil
	}
	if d.names.Append(string(words[1:len(words)-1])) != nil {
		d.names = nil
	}
	return nil
}

// endChoice checks the last choice, when there is one.
func (d *reader) endChoice() error {
	if !d.open {
		return nil
	}
	d.open = false
	if err := d.rows.EndChoice(); err != nil {
		return d.in.ErrorAt(d.openLine, "%w", err)
	}
	return nil
}

// endState completes the last state, when there is one.
func (d *reader) endState() error {
	n := d.rows.NumStates()
	if n == 0 {
		return nil
	}
	if err := d.endChoice(); err != nil {
		return err
	}
	switch {
	case d.rows.ChoicesOfLast() == 0:
		d.terminals++
	case d.pending:
		return d.hollow()
	}
	d.pending = false
	if d.names != nil && d.names.Len() < n {
		d.names = nil
	}
	return nil
}

func (d *reader) state(rest []byte) error {
	if err := d.endState(); err != nil {
		return err
	}
	n := d.rows.NumStates()
	index, rest, ok := text.UintField(rest)
	if !ok || int(index) != n {
		word, _ := text.Field(rest)
		if ok {
			word = fmt.Append(nil, index)
		}
		return d.errorf("found state %s, want %d: states stand in order from 0", text.Show(word), n)
	}
	if uint64(index) >= d.states {
		return d.errorf("found state %d, but @nr_states is %d", index, d.states)
	}
	d.rows.BeginState()
	d.stateLine = d.in.Line()
	rest, err := d.rewardValues(rest)
	if err != nil {
		return err
	}
	for i, v := range d.rewardLine {
		d.rewards[i].states.Set(n, v)
	}
	return d.stateLabels(rest, index)
}

// rewardValues reads [1, 0.5] at the start of rest into rewardLine, which is empty without it.
func (d *reader) rewardValues(rest []byte) ([]byte, error) {
	d.rewardLine = d.rewardLine[:0]
	rest = text.TrimLeft(rest)
	if len(rest) == 0 || rest[0] != '[' {
		return rest, nil
	}
	end := bytes.IndexByte(rest, ']')
	if end < 0 {
		return nil, d.errorf("found %s, want ] after the rewards", text.Show(rest))
	}
	list, after := rest[1:end], rest[end+1:]
	for more := len(text.Trim(list)) > 0; more; {
		var word []byte
		word, list, more = bytes.Cut(list, []byte(","))
		v, ok := text.Float(text.Trim(word))
		if !ok {
			return nil, d.errorf("found reward %s, want a finite number", text.Show(word))
		}
		// Storm names the rewards that @reward_models leaves out in this way.
		if d.rewardLine = append(d.rewardLine, v); len(d.rewardLine) > len(d.rewards) {
			if err := d.addReward(fmt.Sprintf("rew%d", len(d.rewards))); err != nil {
				return nil, err
			}
		}
	}
	return after, nil
}

func (d *reader) stateLabels(rest []byte, state uint32) error {
	for {
		rest = text.TrimLeft(rest)
		if len(rest) == 0 {
			return nil
		}
		var name []byte
		if rest[0] == '"' {
			end := bytes.IndexByte(rest[1:], '"')
			if end <= 0 {
				return d.errorf("found label %s, want a name between two quotation marks", text.Show(rest))
			}
			name, rest = rest[1:1+end], rest[end+2:]
		} else {
			if name, rest = text.Field(rest); !plainLabel(name) {
				return d.errorf("found %s, want a label (rewards come before labels, comments have a line of their own)", text.Show(name))
			}
		}
		id, _ := d.labels.Declare(name)
		if err := d.labels.Add(id, state); err != nil {
			return d.errorf("%w", err)
		}
	}
}

// plainLabel reports whether a label can stand without quotation marks and be nothing else.
func plainLabel[T string | []byte](name T) bool {
	if len(name) == 0 || name[0] == '[' || name[0] == '{' || name[0] == '!' || name[0] == '/' {
		return false
	}
	for i := range len(name) {
		switch name[i] {
		case '"', ' ', '\t', '\n', '\v', '\f', '\r':
			return false
		}
	}
	return true
}

func (d *reader) action(rest []byte) error {
	if d.rows.NumStates() == 0 {
		return d.errorf("found an action, want a state first")
	}
	if d.pending {
		return d.hollow()
	}
	if err := d.endChoice(); err != nil {
		return err
	}
	if d.deterministic && d.rows.ChoicesOfLast() > 0 {
		return d.errorf("found a second action of one state, want one each in a DTMC")
	}
	name, rest := text.Field(rest)
	if len(name) == 0 || name[0] == '[' {
		return d.errorf("found an action without a name, want one (%s stands for none)", unnamedAction)
	}
	if string(name) == unnamedAction {
		name = nil
	}
	rest, err := d.rewardValues(rest)
	if err != nil {
		return err
	}
	if rest = text.Trim(rest); len(rest) > 0 {
		return d.errorf("found %s after the action, want the end of the line", text.Show(rest))
	}
	d.pending, d.openLine = true, d.in.Line()
	d.actionName = append(d.actionName[:0], name...)
	return nil
}

// hollow returns the error of an action without transitions that is not the only one of its state.
func (d *reader) hollow() error {
	return d.in.ErrorAt(d.openLine, "the action has no transitions, want at least one where a state has several actions")
}

// branch reads a transition, which begins with a digit.
func (d *reader) branch(line []byte) error {
	if !d.open {
		if err := d.begin(); err != nil {
			return err
		}
	}
	target, rest, ok := text.Uint(line)
	rest = text.Trim(rest)
	if !ok || len(rest) == 0 || rest[0] != ':' {
		return d.errorf("found %s, want a transition, target : probability", text.Show(line))
	}
	word := text.Trim(rest[1:])
	p, ok := text.Float(word)
	if !ok {
		return d.errorf("found probability %s, want a number in (0,1]", text.Show(word))
	}
	if err := d.rows.Branch(target, p); err != nil {
		return d.errorf("%w", err)
	}
	return nil
}

// begin begins the choice of the last action line, or, as in Storm, an unnamed one for transitions
// directly below a state.
func (d *reader) begin() error {
	if d.rows.NumStates() == 0 {
		return d.errorf("found a transition, want a state first")
	}
	if !d.pending {
		d.openLine, d.actionName, d.rewardLine = d.in.Line(), d.actionName[:0], d.rewardLine[:0]
	}
	if err := d.rows.BeginChoice(d.actionName); err != nil {
		return d.errorf("%w", err)
	}
	for i, v := range d.rewardLine {
		d.rewards[i].choices.Set(d.rows.NumChoices()-1, v)
	}
	d.open, d.pending = true, false
	return nil
}

// finish checks the counts of the header and makes the model.
func (d *reader) finish() (*sparse.MDP, error) {
	if err := d.endState(); err != nil {
		return nil, err
	}
	n, choices := d.rows.NumStates(), uint64(d.rows.NumChoices())
	if uint64(n) != d.states {
		return nil, d.errorf("the file ends after %d states, but @nr_states is %d", n, d.states)
	}
	if d.hasChoices && d.choices != choices+d.terminals && d.choices != choices {
		return nil, d.errorf("the file has %d actions and %d states without any, but @nr_choices is %d, want the sum",
			choices, d.terminals, d.choices)
	}
	p := d.rows.Finish()
	var err error
	if p.Labels, p.Initial, err = d.labels.Finish(n); err != nil {
		return nil, d.errorf("%w", err)
	}
	for i := range d.rewards {
		r := &d.rewards[i]
		p.Rewards = append(p.Rewards, sparse.Reward{Name: r.name, States: r.states.Finish(n), Choices: r.choices.Finish(int(choices))})
	}
	if d.names != nil {
		p.Names = text.Compact(d.names)
		if m, err := sparse.New(p); err == nil {
			return m, nil
		}
		p.Names = nil // two states of one name: comments after all, or some other defect
	}
	return sparse.New(p)
}
