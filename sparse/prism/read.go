package prism

import (
	"bytes"
	"fmt"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Read reads a model. The files are read one after another, Transitions first. An error names the
// file and the line, what was found there and what was expected. Read takes O(size of the files)
// time, on all cores; beside the model it takes the memory of a few pieces of a file, whole states
// each, and the values of the variables once more. What it allocates depends on the lines that are
// there, not on what headers claim. Lines may be 16 MiB long.
func Read(in Input) (*sparse.MDP, error) {
	t := transitionReader{in: text.NewReader(in.Transitions.Name, in.Transitions.Reader)}
	if err := t.read(); err != nil {
		return nil, err
	}
	n := t.model.NumStates()
	p := t.model.Finish()
	if err := readLabels(in.Labels, n, &p); err != nil {
		return nil, err
	}
	if p.Initial == nil {
		if p.Initial = t.initial; p.Initial == nil {
			p.Initial = append(p.Initial, 1) // PRISM's default, state 0
		}
		p.Initial = append(p.Initial, make(sparse.Bitset, (n+63)/64-len(p.Initial))...)
	}
	if in.States != nil {
		var err error
		if p.Names, err = readStates(*in.States, n); err != nil {
			return nil, err
		}
	}
	if err := readRewards(in, &p, t.nondeterministic); err != nil {
		return nil, err
	}
	return sparse.New(p)
}

// nextLine goes to the next line that is neither blank nor a comment. It calls comment, unless that
// is nil, with what follows the # of each comment on the way.
func nextLine(in *text.Reader, comment func([]byte) error) ([]byte, error) {
	for in.Next() {
		line := text.Trim(in.Text())
		switch {
		case len(line) == 0:
		case line[0] != '#':
			return line, nil
		case comment != nil:
			if err := comment(text.Trim(line[1:])); err != nil {
				return nil, err
			}
		}
	}
	return nil, in.Err()
}

// eachLine calls f with every line that is neither blank nor a comment.
func eachLine(in *text.Reader, f func(line []byte) error) error {
	for {
		line, err := nextLine(in, nil)
		if line == nil || err != nil {
			return err
		}
		if err := f(line); err != nil {
			return err
		}
	}
}

// counts reads a header: up to most numbers, as many as there are.
func counts(in *text.Reader, line []byte, most int) ([]uint64, error) {
	var out []uint64
	for rest := line; ; {
		var word []byte
		if word, rest = text.Field(rest); len(word) == 0 {
			return out, nil
		}
		v, ok := text.Count(word)
		if !ok || len(out) == most {
			return nil, in.Errorf("found header %s, want up to %d numbers", text.Show(line), most)
		}
		out = append(out, v)
	}
}

// transitionReader is what belongs to the whole of X.tra.
type transitionReader struct {
	in               *text.Reader
	nondeterministic bool
	states           uint64 // as the header says
	choices          uint64
	transitions      uint64
	model            text.Model
	initial          sparse.Bitset
}

// transitionPiece is a part of X.tra. No state has lines in two of them.
type transitionPiece struct {
	file       *transitionReader
	in         *text.Reader
	err        error // what ended the piece before its end
	first      int   // its first state
	firstLine  int
	rows       text.Rows
	choice     uint32 // position of the open choice in its state
	choiceLine int    // where the open choice begins; 0: none is open
	initial    []uint32
}

func (t *transitionReader) read() error {
	line, err := nextLine(t.in, t.checkType)
	if err != nil {
		return err
	}
	if line == nil {
		return t.in.Errorf("the file has no header, want the numbers of states, choices and transitions")
	}
	if err := t.header(line); err != nil {
		return err
	}
	if err := text.Split(t.in, cutState, t.parse, t.join); err != nil {
		return err
	}
	return t.finish()
}

// cutState returns where the lines of the last state begin: the first of several that begin with the
// same number, after one that begins with another.
func cutState(lines []byte) int {
	last, at := uint32(sparse.None), 0
	for end := len(lines); end > 0; {
		start := bytes.LastIndexByte(lines[:end-1], '\n') + 1
		line := text.TrimLeft(lines[start : end-1])
		end = start
		if len(line) == 0 || line[0] == '#' || line[0] == '-' {
			continue
		}
		state, _, ok := text.UintField(line)
		switch {
		case !ok:
			last = sparse.None
		case last != sparse.None && state != last:
			return at
		default:
			last, at = state, start
		}
	}
	return 0
}

func (t *transitionReader) parse(p *transitionPiece, in *text.Reader) {
	p.file, p.in, p.first, p.firstLine, p.choiceLine = t, in, 0, 0, 0
	p.initial = p.initial[:0]
	p.rows.Reset(uint32(t.states))
	p.err = p.read()
}

func (p *transitionPiece) read() (err error) {
	for p.next() {
		line := text.TrimLeft(p.in.Text())
		switch {
		case len(line) == 0 || line[0] == '#':
			continue
		case line[0] == '-':
			err = p.initialLine(line)
		default:
			err = p.line(line)
		}
		if err != nil {
			return err
		}
	}
	if err := p.in.Err(); err != nil {
		return err
	}
	if err := p.endChoice(); err != nil {
		return err
	}
	p.rows.End()
	return nil
}

// next goes to the next line that is not one of those that Lines reads.
func (p *transitionPiece) next() bool {
	if p.choiceLine > 0 {
		if line := p.rows.Lines(p.in, uint32(p.first), p.file.nondeterministic); line > 0 {
			p.choice, p.choiceLine = uint32(p.rows.ChoicesOfLast()-1), line
		}
	}
	return p.in.Next()
}

// join adds a piece to the model.
func (t *transitionReader) join(p *transitionPiece) error {
	if last := t.model.NumStates() - 1; p.firstLine > 0 && p.first <= last {
		return t.in.ErrorAt(p.firstLine, disorder, p.first, last)
	}
	if p.err != nil {
		return p.err
	}
	for _, s := range p.initial {
		if words := int(s>>6) + 1; len(t.initial) < words {
			t.initial = append(t.initial, make(sparse.Bitset, words-len(t.initial))...)
		}
		t.initial.Set(s)
	}
	if p.firstLine > 0 {
		t.model.AddTerminal(p.first)
	}
	if err := t.model.Join(&p.rows); err != nil {
		return t.in.FileError("%w", err)
	}
	return nil
}

const disorder = "found state %d after state %d, want increasing order"

// checkType refuses model types other than MDP and DTMC, where a comment names one.
func (t *transitionReader) checkType(comment []byte) error {
	kind, ok := bytes.CutPrefix(comment, []byte("Transitions ("))
	if !ok {
		return nil
	}
	kind = bytes.TrimSuffix(kind, []byte(")"))
	if k := string(kind); k != "MDP" && k != "DTMC" {
		return t.in.Errorf("model type %s is not supported, want MDP or DTMC", text.Show(kind))
	}
	return nil
}

func (t *transitionReader) header(line []byte) error {
	c, err := counts(t.in, line, 4)
	if err != nil {
		return err
	}
	switch len(c) {
	case 4:
		return t.in.Errorf("found header %s of a POMDP, which is not supported, want 3 numbers (MDP) or 2 (DTMC)", text.Show(line))
	case 3:
		t.nondeterministic = true
		t.states, t.choices, t.transitions = c[0], c[1], c[2]
	case 2:
		t.states, t.transitions = c[0], c[1]
	default:
		return t.in.Errorf("found header %s, want 3 numbers (MDP) or 2 (DTMC)", text.Show(line))
	}
	if t.states == 0 || t.states >= sparse.None {
		return t.in.Errorf("number of states is %d, want 1 to %d", t.states, uint32(sparse.None-1))
	}
	t.model.States, t.model.Choices, t.model.Branches = uint32(t.states), t.choices, t.transitions
	return nil
}

// initialLine reads "- - s", in a DTMC "- s": state s is initial.
func (p *transitionPiece) initialLine(line []byte) error {
	rest, ok := bytes.CutPrefix(line, []byte("-"))
	if p.file.nondeterministic && ok {
		rest, ok = bytes.CutPrefix(text.TrimLeft(rest), []byte("-"))
	}
	s, _, isNumber := text.UintField(rest)
	if !ok || !isNumber || uint64(s) >= p.file.states {
		return p.in.Errorf("found %s, want - - and an initial state below %d (in a DTMC - and the state)", text.Show(line), p.file.states)
	}
	p.initial = append(p.initial, s)
	return plausible(p.in, uint64(s)+1)
}

// plausible refuses numbers of states that the lines so far do not back.
func plausible(in *text.Reader, states uint64) error {
	if most := freeStates + statesPerLine*uint64(in.Line()); states > most {
		return in.Errorf("the file reaches %d states in %d lines, want at most %d", states, in.Line(), most)
	}
	return nil
}

// line reads "state choice target probability [action]", in a DTMC without the choice.
func (p *transitionPiece) line(line []byte) error {
	state, rest, ok := text.UintField(line)
	if !ok {
		return p.malformed(line)
	}
	choice := uint32(0)
	if int(state) != p.lastState() {
		// Whatever else is wrong with the line comes after what is wrong with the state before.
		if err := p.endChoice(); err != nil {
			return err
		}
	}
	if p.file.nondeterministic {
		if choice, rest, ok = text.UintField(rest); !ok {
			return p.malformed(line)
		}
	}
	target, rest, ok := text.UintField(rest)
	if !ok {
		return p.malformed(line)
	}
	v, after, ok := text.FloatField(rest)
	if !ok {
		word, _ := text.Field(rest)
		return p.in.Errorf("found probability %s, want a number in (0,1]", text.Show(word))
	}
	var action []byte
	if len(after) > 0 {
		action, after = text.Field(after)
		if after = text.TrimLeft(after); len(after) > 0 {
			return p.in.Errorf("found %s after the action, want the end of the line", text.Show(after))
		}
	}
	if err := p.enter(state, choice, action); err != nil {
		return err
	}
	if err := p.rows.Branch(target, v); err != nil {
		return p.in.Errorf("%w", err)
	}
	return nil
}

func (p *transitionPiece) malformed(line []byte) error {
	if p.file.nondeterministic {
		return p.in.Errorf("found %s, want state, choice, target, probability and perhaps an action", text.Show(line))
	}
	return p.in.Errorf("found %s, want state, target, probability and perhaps an action", text.Show(line))
}

// lastState returns the state of the piece begun last, -1 while there is none.
func (p *transitionPiece) lastState() int { return p.first + p.rows.NumStates() - 1 }

// enter makes the choice that a line belongs to the open one.
func (p *transitionPiece) enter(state, choice uint32, action []byte) error {
	if p.choiceLine > 0 && int(state) == p.lastState() && choice == p.choice {
		// In a DTMC actions belong to transitions; the first one stands for all.
		if p.file.nondeterministic && string(action) != p.rows.ActionOfLast() {
			return p.in.Errorf("found action %s, but the transition before of the same choice has %q", text.Show(action), p.rows.ActionOfLast())
		}
		return nil
	}
	if err := p.endChoice(); err != nil {
		return err
	}
	if uint64(state) >= p.file.states {
		return p.in.Errorf("state %d is out of range, the header says %d states", state, p.file.states)
	}
	if p.rows.NumStates() == 0 {
		p.first, p.firstLine = int(state), p.in.Line()
	}
	switch last := p.lastState(); {
	case int(state) < last:
		return p.in.Errorf(disorder, state, last)
	case int(state) > last:
		if err := plausible(p.in, uint64(state)+1); err != nil {
			return err
		}
		for ; last < int(state); last++ {
			p.rows.BeginState()
		}
	}
	if n := p.rows.ChoicesOfLast(); int(choice) != n {
		return p.in.Errorf("found choice %d of state %d, want %d: choices stand in order from 0", choice, state, n)
	}
	p.choice, p.choiceLine = choice, p.in.Line()
	p.rows.BeginChoice(action)
	return nil
}

func (p *transitionPiece) endChoice() error {
	if p.choiceLine == 0 {
		return nil
	}
	if err := p.rows.EndChoice(); err != nil {
		return p.in.ErrorAt(p.choiceLine, "%w", err)
	}
	p.choiceLine = 0
	return nil
}

func (t *transitionReader) finish() error {
	switch choices, transitions := uint64(t.model.NumChoices()), uint64(t.model.NumBranches()); {
	case transitions != t.transitions:
		return t.in.Errorf("the file ends after %d transitions, but its header says %d", transitions, t.transitions)
	case t.nondeterministic && choices != t.choices:
		return t.in.Errorf("the file ends after %d choices, but its header says %d", choices, t.choices)
	}
	if err := plausible(t.in, t.states); err != nil {
		return err
	}
	t.model.AddTerminal(int(t.states))
	return nil
}

// readLabels reads X.lab into labels and initial states.
func readLabels(from *Source, n int, p *sparse.Parts) error {
	if from == nil {
		return nil
	}
	in := text.NewReader(from.Name, from.Reader)
	line, err := nextLine(in, nil)
	if err != nil {
		return err
	}
	if line == nil {
		return in.Errorf(`the file has no header, want 0="init" and so on`)
	}
	var labels text.Labels
	numbers, err := labelHeader(in, line, &labels)
	if err != nil {
		return err
	}
	parse := func(p *labelPiece, in *text.Reader) {
		p.marks = p.marks[:0]
		p.err = eachLine(in, func(line []byte) error { return p.line(in, line, n, numbers) })
	}
	err = text.Split(in, text.AnyLine, parse, func(p *labelPiece) error {
		if p.err != nil {
			return p.err
		}
		if err := labels.Join(p.marks, nil); err != nil {
			return in.FileError("%w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if p.Labels, p.Initial, err = labels.Finish(n); err != nil {
		return in.FileError("%w", err)
	}
	return nil
}

// labelPiece is a part of X.lab.
type labelPiece struct {
	marks []text.Mark
	err   error
}

// labelHeader reads 0="init" 1="deadlock" …; numbers[i] is one more than what labels calls label i,
// 0 where there is no label i.
func labelHeader(in *text.Reader, line []byte, labels *text.Labels) (numbers []uint32, err error) {
	for rest := line; len(rest) > 0; rest = text.TrimLeft(rest) {
		i, after, ok := text.Uint(rest)
		after, quoted := bytes.CutPrefix(after, []byte(`="`))
		end := bytes.IndexByte(after, '"')
		if !ok || !quoted || end <= 0 {
			return nil, in.Errorf(`found %s, want a label such as 0="init"`, text.Show(rest))
		}
		if i >= maxLabelIndex {
			return nil, in.Errorf("found label %d, want a number below %d", i, maxLabelIndex)
		}
		if int(i) >= len(numbers) {
			numbers = append(numbers, make([]uint32, int(i)+1-len(numbers))...)
		}
		id, isNew := labels.Declare(string(after[:end]))
		if !isNew || numbers[i] != 0 {
			return nil, in.Errorf("label %d=%s stands twice, by its number or its name", i, text.Show(after[:end]))
		}
		numbers[i] = id + 1
		rest = after[end+1:]
	}
	return numbers, nil
}

// line reads "state: label label …".
func (p *labelPiece) line(in *text.Reader, line []byte, n int, numbers []uint32) error {
	state, rest, ok := text.Uint(line)
	rest, colon := bytes.CutPrefix(text.TrimLeft(rest), []byte(":"))
	if !ok || !colon {
		return in.Errorf("found %s, want a state, a colon and the numbers of its labels", text.Show(line))
	}
	if int(state) >= n {
		return in.Errorf("state %d is out of range, the model has %d states", state, n)
	}
	for rest = text.TrimLeft(rest); len(rest) > 0; rest = text.TrimLeft(rest) {
		var i uint32
		before := rest
		if i, rest, ok = text.UintField(rest); !ok || int(i) >= len(numbers) || numbers[i] == 0 {
			word, _ := text.Field(before)
			return in.Errorf("found label %s, want a number from the file's first line", text.Show(word))
		}
		p.marks = append(p.marks, text.Mark{Label: numbers[i] - 1, State: state})
	}
	return nil
}

// readStates reads X.sta.
func readStates(from Source, n int) (sparse.Names, error) {
	in := text.NewReader(from.Name, from.Reader)
	explicit := false
	line, err := nextLine(in, func(comment []byte) error {
		explicit = explicit || string(comment) == namesComment
		return nil
	})
	if err != nil {
		return nil, err
	}
	inner, ok := text.Inside(line)
	if !ok || len(inner) == 0 {
		return nil, in.Errorf("found %s, want the names of the variables, (x,y)", text.Show(line))
	}
	var names []string
	for part := range bytes.SplitSeq(inner, []byte(",")) {
		names = append(names, string(part))
	}
	s := stateReader{in: in, want: n, values: text.NewValues(names)}
	if explicit && len(names) == 1 {
		s.texts = new(sparse.Texts)
	}
	parse := func(p *statePiece, in *text.Reader) {
		p.reset(names)
		p.err = eachLine(in, func(line []byte) error { return p.line(in, line, &s) })
	}
	if err := text.Split(in, text.AnyLine, parse, s.join); err != nil {
		return nil, err
	}
	return s.finish()
}

// stateReader is what belongs to the whole of X.sta.
type stateReader struct {
	in     *text.Reader
	want   int // states of the model
	count  int // states read
	values *text.Values
	texts  *sparse.Texts // instead of values, when states have names of their own
}

// statePiece is a part of X.sta.
type statePiece struct {
	first, firstLine, count int
	variables               int
	values                  *text.Values
	texts                   sparse.Texts
	err                     error
}

func (p *statePiece) reset(variables []string) {
	values := p.values
	if values == nil {
		values = text.NewValues(variables)
	}
	values.Reset()
	*p = statePiece{variables: len(variables), values: values}
}

// line reads "state:(value,value)".
func (p *statePiece) line(in *text.Reader, line []byte, s *stateReader) error {
	state, rest, ok := text.Uint(line)
	rest, colon := bytes.CutPrefix(rest, []byte(":"))
	rest, inside := text.Inside(text.TrimLeft(rest))
	if !ok || !colon || !inside {
		return in.Errorf("found %s, want a state, a colon and its values, such as 7:(0,3)", text.Show(line))
	}
	if p.count == 0 {
		p.first, p.firstLine = int(state), in.Line()
	}
	if want := p.first + p.count; int(state) != want {
		return in.Errorf(outOfOrder, state, want)
	}
	if int(state) >= s.want {
		return in.Errorf("found %s, want the end after %d states", text.Show(line), s.want)
	}
	p.count++
	if s.texts != nil {
		if err := p.texts.Append(string(rest)); err != nil {
			return in.Errorf("%w", err)
		}
		return nil
	}
	if n := 1 + bytes.Count(rest, []byte(",")); n != p.variables {
		return in.Errorf("found %d values in %s, want %d", n, text.Show(line), p.variables)
	}
	for i := range p.variables {
		var value []byte
		value, rest, _ = bytes.Cut(rest, []byte(","))
		p.values.Add(i, value)
	}
	return nil
}

const outOfOrder = "found state %d, want %d: states stand in order from 0"

// join adds a piece to the names.
func (s *stateReader) join(p *statePiece) error {
	if p.firstLine > 0 && p.first != s.count {
		return s.in.ErrorAt(p.firstLine, outOfOrder, p.first, s.count)
	}
	if p.err != nil {
		return p.err
	}
	s.count += p.count
	if s.texts == nil {
		s.values.Join(p.values, s.want)
		return nil
	}
	for i := range uint32(p.texts.Len()) {
		if err := s.texts.Append(string(p.texts.At(i))); err != nil {
			return s.in.FileError("%w", err)
		}
	}
	return nil
}

func (s *stateReader) finish() (sparse.Names, error) {
	if s.count < s.want {
		return nil, s.in.Errorf("the file ends after %d states, want %d", s.count, s.want)
	}
	if s.texts != nil {
		return s.texts, nil
	}
	names, err := s.values.Pack()
	if err != nil {
		return nil, s.in.FileError("%w", err)
	}
	return names, nil
}

// unique returns name, or name and a number from 2 on, such that it is not taken.
func unique(name string, taken map[string]bool) string {
	for i, base := 2, name; taken[name]; i++ {
		name = fmt.Sprint(base, i)
	}
	return name
}
