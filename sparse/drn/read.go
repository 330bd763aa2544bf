package drn

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Read reads a model. An error names the line, what was found there and what was expected. Read
// takes O(size of the file) time, on all cores; beside the model it takes the memory of a few pieces of
// the file, whole states each, and the values of the variables once more. What it allocates depends on
// the states and transitions that are there, not on the counts that the header claims. Lines may be
// 16 MiB long.
func Read(r io.Reader) (*sparse.MDP, error) {
	d := reader{in: text.NewReader("", r)}
	if err := d.header(); err != nil {
		return nil, err
	}
	d.names = new(text.StateNames)
	if err := text.Split(d.in, cut, d.parse, d.join); err != nil {
		return nil, err
	}
	return d.finish()
}

const disorder = "found state %s, want %d: states stand in order from 0"

// reader is what belongs to the whole file.
type reader struct {
	in            *text.Reader
	deterministic bool
	states        uint64 // as the header says
	choices       uint64
	hasChoices    bool
	rewardNames   []string // of the header

	model     text.Model
	labels    text.Labels
	rewards   []reward
	names     *text.StateNames // nil once a state has none
	terminals uint64
}

type reward struct {
	name            string
	states, choices text.Reward
}

// piece is a part of the file that begins with the line of a state; the first one may have other
// lines before that.
type piece struct {
	file       *reader
	in         *text.Reader
	err        error // what ended the piece before its end
	first      int   // its first state
	firstLine  int
	rows       text.Rows
	labelNames text.Words
	marks      []text.Mark
	rewards    []rewardColumns
	names      text.StateNames
	named      bool // so far every state has a name
	terminals  uint64

	pending    bool   // the last action line has no transition yet
	actionName []byte // then: its name
	open       bool   // the last choice may get more branches
	openLine   int    // where the pending action or the open choice begins
	stateLine  int
	nameLine   int       // of the last state that has a name
	rewardLine []float64 // the rewards of the last state or action line
}

type rewardColumns struct {
	name            string
	states, choices text.Column
}

// cut returns where the last state begins. A malformed line of a state is left to the piece of the
// state before, which knows what to expect.
func cut(lines []byte) int {
	for end := len(lines); ; {
		at := bytes.LastIndex(lines[:end], []byte("state"))
		if at < 0 {
			return 0
		}
		start := bytes.LastIndexByte(lines[:at], '\n') + 1
		line := lines[start : at+bytes.IndexByte(lines[at:], '\n')]
		word, rest := text.Field(line)
		if _, _, ok := text.UintField(rest); ok && string(word) == "state" {
			return start
		}
		end = start
	}
}

func (d *reader) parse(p *piece, in *text.Reader) {
	if p.file == nil {
		p.file = d
		for _, name := range d.rewardNames {
			p.rewards = append(p.rewards, rewardColumns{name: name})
		}
	}
	p.in, p.first, p.firstLine, p.terminals = in, 0, 0, 0
	p.pending, p.open, p.named, p.nameLine = false, false, true, 0
	p.rows.Reset(uint32(d.states))
	p.marks = p.marks[:0]
	p.names.Reset()
	for i := range p.rewards {
		p.rewards[i].states.Reset()
		p.rewards[i].choices.Reset()
	}
	p.err = p.read()
}

func (p *piece) read() error {
	for p.in.Next() {
		if err := p.line(p.in.Text()); err != nil {
			return err
		}
	}
	if err := p.in.Err(); err != nil {
		return err
	}
	if err := p.endState(); err != nil {
		return err
	}
	p.rows.End()
	return nil
}

// join adds a piece to the model.
func (d *reader) join(p *piece) error {
	states, choices := d.model.NumStates(), d.model.NumChoices()
	if p.firstLine > 0 && p.first != states {
		return d.in.ErrorAt(p.firstLine, disorder, text.Show(fmt.Append(nil, p.first)), states)
	}
	if p.err != nil {
		return p.err
	}
	if err := d.model.Join(&p.rows); err != nil {
		return d.in.FileError("%w", err)
	}
	if err := d.labels.Join(p.marks, &p.labelNames); err != nil {
		return d.in.FileError("%w", err)
	}
	for i := range p.rewards {
		if i == len(d.rewards) {
			d.rewards = append(d.rewards, reward{name: p.rewards[i].name})
		}
		d.rewards[i].states.Join(states, &p.rewards[i].states)
		d.rewards[i].choices.Join(choices, &p.rewards[i].choices)
	}
	if d.names != nil && (!p.named || d.names.Join(&p.names, int(d.states)) != nil) {
		d.names = nil
	}
	d.terminals += p.terminals
	return nil
}

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
			return d.in.Errorf("%s stands twice", text.Show([]byte(name)))
		}
		switch name {
		case "@model":
			return d.checkHeader(seen)
		case "@type", "@value_type":
			if !hasValue {
				return d.in.Errorf("found %s, want %s: and a value", name, name)
			}
			value = text.Trim(value)
		case "@parameters", "@reward_models", "@nr_states", "@nr_choices":
			if !d.in.Next() {
				return d.endOfHeader("the line that belongs to " + name)
			}
			value = text.Trim(d.in.Text())
		case "@placeholders":
			return d.in.Errorf("@placeholders is not supported, want plain numbers")
		default:
			return d.in.Errorf("found %s, want a header line such as @type: MDP, or @model", text.Show(line))
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
	return d.in.Errorf("the file ends in its header, want %s", wanted)
}

func (d *reader) headerValue(name string, value []byte) error {
	switch name {
	case "@type":
		if t := string(value); t != "MDP" && t != "DTMC" {
			return d.in.Errorf("model type %s is not supported, want MDP or DTMC", text.Show(value))
		}
		d.deterministic = string(value) == "DTMC"
	case "@value_type":
		if t := string(value); t != "double" && t != "rational" {
			return d.in.Errorf("value type %s is not supported, want double", text.Show(value))
		}
	case "@parameters":
		if len(value) > 0 {
			return d.in.Errorf("parameters %s are not supported, want an empty line", text.Show(value))
		}
	case "@reward_models":
		return d.readRewardNames(value)
	case "@nr_states":
		n, ok := text.Count(value)
		if !ok || n == 0 || n >= sparse.None {
			return d.in.Errorf("number of states is %s, want 1 to %d", text.Show(value), uint32(sparse.None-1))
		}
		d.states = n
		d.model.States = uint32(n)
	case "@nr_choices":
		n, ok := text.Count(value)
		if !ok || n >= 2*sparse.None {
			return d.in.Errorf("number of choices is %s, want a number up to %d", text.Show(value), uint32(sparse.None-1))
		}
		d.choices, d.hasChoices = n, true
		d.model.Choices = n
	}
	return nil
}

func (d *reader) readRewardNames(line []byte) error {
	for {
		var word []byte
		if word, line = text.Field(line); len(word) == 0 {
			return nil
		}
		name := string(word)
		if slices.Contains(d.rewardNames, name) {
			return d.in.Errorf("reward model %s stands twice", text.Show(word))
		}
		if len(d.rewardNames) == maxRewards {
			return d.in.Errorf("more than the limit of %d reward models", maxRewards)
		}
		d.rewardNames = append(d.rewardNames, name)
		d.rewards = append(d.rewards, reward{name: name})
	}
}

func (d *reader) checkHeader(seen map[string]bool) error {
	for _, name := range []string{"@type", "@nr_states"} {
		if !seen[name] {
			return d.in.Errorf("@model comes before %s, want it in the header", name)
		}
	}
	return nil
}

func (p *piece) line(line []byte) error {
	line = text.TrimLeft(line)
	switch {
	case len(line) == 0:
		return nil
	case line[0]-'0' <= 9:
		return p.branch(line)
	case line[0] == '/' && len(line) > 1 && line[1] == '/':
		return p.comment(text.Trim(line[2:]))
	}
	word, rest := text.Field(line)
	switch string(word) {
	case "state":
		return p.state(rest)
	case "action":
		return p.action(rest)
	}
	return p.in.Errorf("found %s, want a state, an action, a transition (target : probability) or a comment", text.Show(line))
}

// comment takes //[name] directly after the line of a state as the name of that state. An empty one is none.
func (p *piece) comment(words []byte) error {
	n := p.rows.NumStates()
	named := len(words) >= 2 && words[0] == '[' && words[len(words)-1] == ']'
	switch line := p.in.Line(); {
	case !named || n == 0:
		return nil
	case p.nameLine > 0 && line == p.nameLine+1:
		return p.in.Errorf("found //%s, want one name for a state: it has one in the line before", text.Show(words))
	case line != p.stateLine+1:
		return nil
	}
	p.nameLine = p.in.Line()
	p.named = p.named && len(words) > len("[]") && p.names.Add(words[1:len(words)-1]) == nil
	return nil
}

// endChoice checks the last choice, when there is one.
func (p *piece) endChoice() error {
	if !p.open {
		return nil
	}
	p.open = false
	if err := p.rows.EndChoice(); err != nil {
		return p.in.ErrorAt(p.openLine, "%w", err)
	}
	return nil
}

// endState completes the last state, when there is one.
func (p *piece) endState() error {
	n := p.rows.NumStates()
	if n == 0 {
		return nil
	}
	if err := p.endChoice(); err != nil {
		return err
	}
	switch {
	case p.rows.ChoicesOfLast() == 0:
		p.terminals++
	case p.pending:
		return p.hollow()
	}
	p.pending = false
	p.named = p.named && p.names.Len() == n
	return nil
}

func (p *piece) state(rest []byte) error {
	if err := p.endState(); err != nil {
		return err
	}
	n := p.rows.NumStates()
	index, rest, ok := text.UintField(rest)
	if ok && n == 0 {
		p.first, p.firstLine = int(index), p.in.Line()
	}
	if want := p.first + n; !ok || int(index) != want {
		word, _ := text.Field(rest)
		if ok {
			word = fmt.Append(nil, index)
		}
		return p.in.Errorf(disorder, text.Show(word), want)
	}
	if uint64(index) >= p.file.states {
		return p.in.Errorf("found state %d, but @nr_states is %d", index, p.file.states)
	}
	p.rows.BeginState()
	p.stateLine = p.in.Line()
	rest, err := p.rewardValues(rest)
	if err != nil {
		return err
	}
	for i, v := range p.rewardLine {
		p.rewards[i].states.Set(n, v)
	}
	return p.stateLabels(rest, index)
}

// rewardValues reads [1, 0.5] at the start of rest into rewardLine, which is empty without it.
func (p *piece) rewardValues(rest []byte) ([]byte, error) {
	p.rewardLine = p.rewardLine[:0]
	rest = text.TrimLeft(rest)
	if len(rest) == 0 || rest[0] != '[' {
		return rest, nil
	}
	end := bytes.IndexByte(rest, ']')
	if end < 0 {
		return nil, p.in.Errorf("found %s, want ] after the rewards", text.Show(rest))
	}
	list, after := rest[1:end], rest[end+1:]
	for more := len(text.Trim(list)) > 0; more; {
		var word []byte
		word, list, more = bytes.Cut(list, []byte(","))
		v, ok := text.Float(text.Trim(word))
		if !ok {
			return nil, p.in.Errorf("found reward %s, want a finite number", text.Show(word))
		}
		if p.rewardLine = append(p.rewardLine, v); len(p.rewardLine) > len(p.rewards) {
			if err := p.addReward(); err != nil {
				return nil, err
			}
		}
	}
	return after, nil
}

// addReward adds a reward that @reward_models leaves out, which has its number for a name, as in
// Storm.
func (p *piece) addReward() error {
	name := fmt.Sprintf("rew%d", len(p.rewards))
	if slices.Contains(p.file.rewardNames, name) {
		return p.in.Errorf("reward model %s stands twice", text.Show([]byte(name)))
	}
	if len(p.rewards) == maxRewards {
		return p.in.Errorf("more than the limit of %d reward models", maxRewards)
	}
	p.rewards = append(p.rewards, rewardColumns{name: name})
	return nil
}

func (p *piece) stateLabels(rest []byte, state uint32) error {
	for {
		rest = text.TrimLeft(rest)
		if len(rest) == 0 {
			return nil
		}
		var name []byte
		if rest[0] == '"' {
			end := bytes.IndexByte(rest[1:], '"')
			if end <= 0 {
				return p.in.Errorf("found label %s, want a name between two quotation marks", text.Show(rest))
			}
			name, rest = rest[1:1+end], rest[end+2:]
		} else {
			if name, rest = text.Field(rest); !plainLabel(name) {
				return p.in.Errorf("found %s, want a label (rewards come before labels, comments have a line of their own)", text.Show(name))
			}
		}
		p.marks = append(p.marks, text.Mark{Label: p.labelNames.Find(name), State: state})
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

func (p *piece) action(rest []byte) error {
	if p.rows.NumStates() == 0 {
		return p.in.Errorf("found an action, want a state first")
	}
	if p.pending {
		return p.hollow()
	}
	if err := p.endChoice(); err != nil {
		return err
	}
	if p.file.deterministic && p.rows.ChoicesOfLast() > 0 {
		return p.in.Errorf("found a second action of one state, want one each in a DTMC")
	}
	name, rest := text.Field(rest)
	if len(name) == 0 || name[0] == '[' {
		return p.in.Errorf("found an action without a name, want one (%s stands for none)", unnamedAction)
	}
	if string(name) == unnamedAction {
		name = nil
	}
	rest, err := p.rewardValues(rest)
	if err != nil {
		return err
	}
	if rest = text.Trim(rest); len(rest) > 0 {
		return p.in.Errorf("found %s after the action, want the end of the line", text.Show(rest))
	}
	p.pending, p.openLine = true, p.in.Line()
	p.actionName = append(p.actionName[:0], name...)
	return nil
}

// hollow returns the error of an action without transitions that is not the only one of its state.
func (p *piece) hollow() error {
	return p.in.ErrorAt(p.openLine, "the action has no transitions, want at least one where a state has several actions")
}

// branch reads a transition, which begins with a digit.
func (p *piece) branch(line []byte) error {
	if !p.open {
		if err := p.begin(); err != nil {
			return err
		}
	}
	target, rest, ok := text.Uint(line)
	rest = text.TrimLeft(rest)
	if !ok || len(rest) == 0 || rest[0] != ':' {
		return p.in.Errorf("found %s, want a transition, target : probability", text.Show(line))
	}
	v, after, ok := text.FloatField(rest[1:])
	if !ok || len(text.TrimLeft(after)) > 0 {
		return p.in.Errorf("found probability %s, want a number in (0,1]", text.Show(text.Trim(rest[1:])))
	}
	if err := p.rows.Branch(target, v); err != nil {
		return p.in.Errorf("%w", err)
	}
	return nil
}

// begin begins the choice of the last action line, or, as in Storm, an unnamed one for transitions
// directly below a state.
func (p *piece) begin() error {
	if p.rows.NumStates() == 0 {
		return p.in.Errorf("found a transition, want a state first")
	}
	if !p.pending {
		p.openLine, p.actionName, p.rewardLine = p.in.Line(), p.actionName[:0], p.rewardLine[:0]
	}
	p.rows.BeginChoice(p.actionName)
	for i, v := range p.rewardLine {
		p.rewards[i].choices.Set(p.rows.NumChoices()-1, v)
	}
	p.open, p.pending = true, false
	return nil
}

// finish checks the counts of the header and makes the model.
func (d *reader) finish() (*sparse.MDP, error) {
	n, choices := d.model.NumStates(), uint64(d.model.NumChoices())
	if uint64(n) != d.states {
		return nil, d.in.Errorf("the file ends after %d states, but @nr_states is %d", n, d.states)
	}
	if d.hasChoices && d.choices != choices+d.terminals && d.choices != choices {
		return nil, d.in.Errorf("the file has %d actions and %d states without any, but @nr_choices is %d, want the sum",
			choices, d.terminals, d.choices)
	}
	p := d.model.Finish()
	var err error
	if p.Labels, p.Initial, err = d.labels.Finish(n); err != nil {
		return nil, d.in.FileError("%w", err)
	}
	for i := range d.rewards {
		r := &d.rewards[i]
		p.Rewards = append(p.Rewards, sparse.Reward{Name: r.name, States: r.states.Finish(n), Choices: r.choices.Finish(int(choices))})
	}
	if d.names != nil {
		if p.Names, err = d.names.Finish(); err == nil {
			if m, err := sparse.New(p); err == nil {
				return m, nil
			}
		}
		p.Names = nil // two states of one name: comments after all, or some other defect
	}
	return sparse.New(p)
}
