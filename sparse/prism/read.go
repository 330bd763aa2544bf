package prism

import (
	"bytes"
	"fmt"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// Read reads a model. The files are read one after another, Transitions first. An error names the
// file and the line, what was found there and what was expected. Read takes O(size of the files)
// time; what it allocates depends on the lines that are there, not on what headers claim. Lines may
// be 16 MiB long.
func Read(in Input) (*sparse.MDP, error) {
	t := transitionReader{in: text.NewReader(in.Transitions.Name, in.Transitions.Reader)}
	if err := t.read(); err != nil {
		return nil, err
	}
	n := t.rows.NumStates()
	p := t.rows.Finish()
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

type transitionReader struct {
	in               *text.Reader
	nondeterministic bool
	states           uint64 // as the header says
	choices          uint64
	transitions      uint64
	rows             text.Rows
	choice           uint32 // position of the open choice in its state
	choiceLine       int    // where the open choice begins; 0: none is open
	initial          sparse.Bitset
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
	for t.in.Next() {
		line := text.TrimLeft(t.in.Text())
		switch {
		case len(line) == 0 || line[0] == '#':
			continue
		case line[0] == '-':
			err = t.initialLine(line)
		default:
			err = t.line(line)
		}
		if err != nil {
			return err
		}
	}
	if err := t.in.Err(); err != nil {
		return err
	}
	return t.finish()
}

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
	t.rows.States = uint32(t.states)
	return nil
}

// initialLine reads "- - s", in a DTMC "- s": state s is initial.
func (t *transitionReader) initialLine(line []byte) error {
	rest, ok := bytes.CutPrefix(line, []byte("-"))
	if t.nondeterministic && ok {
		rest, ok = bytes.CutPrefix(text.TrimLeft(rest), []byte("-"))
	}
	s, _, isNumber := text.UintField(rest)
	if !ok || !isNumber || uint64(s) >= t.states {
		return t.in.Errorf("found %s, want - - and an initial state below %d (in a DTMC - and the state)", text.Show(line), t.states)
	}
	if err := t.plausible(uint64(s) + 1); err != nil {
		return err
	}
	if words := int(s>>6) + 1; len(t.initial) < words {
		t.initial = append(t.initial, make(sparse.Bitset, words-len(t.initial))...)
	}
	t.initial.Set(s)
	return nil
}

// plausible refuses numbers of states that the lines so far do not back.
func (t *transitionReader) plausible(states uint64) error {
	if most := freeStates + statesPerLine*uint64(t.in.Line()); states > most {
		return t.in.Errorf("the file reaches %d states in %d lines, want at most %d", states, t.in.Line(), most)
	}
	return nil
}

// line reads "state choice target probability [action]", in a DTMC without the choice.
func (t *transitionReader) line(line []byte) error {
	state, rest, ok := text.UintField(line)
	if !ok {
		return t.malformed(line)
	}
	choice := uint32(0)
	if t.nondeterministic {
		if choice, rest, ok = text.UintField(rest); !ok {
			return t.malformed(line)
		}
	}
	target, rest, ok := text.UintField(rest)
	if !ok {
		return t.malformed(line)
	}
	word, rest := text.Field(rest)
	p, ok := text.Float(word)
	if !ok {
		return t.in.Errorf("found probability %s, want a number in (0,1]", text.Show(word))
	}
	action, rest := text.Field(rest)
	if rest = text.TrimLeft(rest); len(rest) > 0 {
		return t.in.Errorf("found %s after the action, want the end of the line", text.Show(rest))
	}
	if err := t.enter(state, choice, action); err != nil {
		return err
	}
	if err := t.rows.Branch(target, p); err != nil {
		return t.in.Errorf("%w", err)
	}
	return nil
}

func (t *transitionReader) malformed(line []byte) error {
	if t.nondeterministic {
		return t.in.Errorf("found %s, want state, choice, target, probability and perhaps an action", text.Show(line))
	}
	return t.in.Errorf("found %s, want state, target, probability and perhaps an action", text.Show(line))
}

// enter makes the choice that a line belongs to the open one.
func (t *transitionReader) enter(state, choice uint32, action []byte) error {
	last := t.rows.NumStates() - 1
	if int(state) == last && choice == t.choice {
		// In a DTMC actions belong to transitions; the first one stands for all.
		if t.nondeterministic && string(action) != t.rows.ActionOfLast() {
			return t.in.Errorf("found action %s, but the transition before of the same choice has %q", text.Show(action), t.rows.ActionOfLast())
		}
		return nil
	}
	if err := t.endChoice(); err != nil {
		return err
	}
	switch {
	case uint64(state) >= t.states:
		return t.in.Errorf("state %d is out of range, the header says %d states", state, t.states)
	case int(state) < last:
		return t.in.Errorf("found state %d after state %d, want increasing order", state, last)
	case int(state) > last:
		if err := t.plausible(uint64(state) + 1); err != nil {
			return err
		}
		for ; last < int(state); last++ {
			t.rows.BeginState()
		}
	}
	if n := t.rows.ChoicesOfLast(); int(choice) != n {
		return t.in.Errorf("found choice %d of state %d, want %d: choices stand in order from 0", choice, state, n)
	}
	t.choice, t.choiceLine = choice, t.in.Line()
	if err := t.rows.BeginChoice(action); err != nil {
		return t.in.Errorf("%w", err)
	}
	return nil
}

func (t *transitionReader) endChoice() error {
	if t.choiceLine == 0 {
		return nil
	}
	if err := t.rows.EndChoice(); err != nil {
		return t.in.ErrorAt(t.choiceLine, "%w", err)
	}
	return nil
}

func (t *transitionReader) finish() error {
	if err := t.endChoice(); err != nil {
		return err
	}
	switch choices, transitions := uint64(t.rows.NumChoices()), uint64(t.rows.NumBranches()); {
	case transitions != t.transitions:
		return t.in.Errorf("the file ends after %d transitions, but its header says %d", transitions, t.transitions)
	case t.nondeterministic && choices != t.choices:
		return t.in.Errorf("the file ends after %d choices, but its header says %d", choices, t.choices)
	}
	if err := t.plausible(t.states); err != nil {
		return err
	}
	for uint64(t.rows.NumStates()) < t.states {
		t.rows.BeginState()
	}
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
	for {
		line, err := nextLine(in, nil)
		if err != nil {
			return err
		}
		if line == nil {
			break
		}
		if err := labelLine(in, line, n, numbers, &labels); err != nil {
			return err
		}
	}
	if p.Labels, p.Initial, err = labels.Finish(n); err != nil {
		return in.FileError("%w", err)
	}
	return nil
}

// labelHeader reads 0="init" 1="deadlock" …; numbers[i] is one more than what labels calls label i,
// 0 where there is no label i.
func labelHeader(in *text.Reader, line []byte, labels *text.Labels) (numbers []int, err error) {
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
			numbers = append(numbers, make([]int, int(i)+1-len(numbers))...)
		}
		id, isNew := labels.Declare(after[:end])
		if !isNew || numbers[i] != 0 {
			return nil, in.Errorf("label %d=%s stands twice, by its number or its name", i, text.Show(after[:end]))
		}
		numbers[i] = id + 1
		rest = after[end+1:]
	}
	return numbers, nil
}

// labelLine reads "state: label label …".
func labelLine(in *text.Reader, line []byte, n int, numbers []int, labels *text.Labels) error {
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
		if err := labels.Add(numbers[i]-1, state); err != nil {
			return in.Errorf("%w", err)
		}
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
	s := stateReader{in: in, values: text.NewValues(names), variables: len(names)}
	if explicit && len(names) == 1 {
		s.texts = new(sparse.Texts)
	}
	for i := 0; ; i++ {
		line, err := nextLine(in, nil)
		switch {
		case err != nil:
			return nil, err
		case line == nil && i < n:
			return nil, in.Errorf("the file ends after %d states, want %d", i, n)
		case line == nil:
			return s.finish()
		case i == n:
			return nil, in.Errorf("found %s, want the end after %d states", text.Show(line), n)
		}
		if err := s.line(line, i); err != nil {
			return nil, err
		}
	}
}

type stateReader struct {
	in        *text.Reader
	values    *text.Values
	variables int
	texts     *sparse.Texts // instead of values, when states have names of their own
}

// line reads "state:(value,value)".
func (s *stateReader) line(line []byte, want int) error {
	state, rest, ok := text.Uint(line)
	rest, colon := bytes.CutPrefix(rest, []byte(":"))
	rest, inside := text.Inside(text.TrimLeft(rest))
	if !ok || !colon || !inside {
		return s.in.Errorf("found %s, want a state, a colon and its values, %d:(0,3)", text.Show(line), want)
	}
	if int(state) != want {
		return s.in.Errorf("found state %d, want %d: states stand in order from 0", state, want)
	}
	if s.texts != nil {
		if err := s.texts.Append(string(rest)); err != nil {
			return s.in.Errorf("%w", err)
		}
		return nil
	}
	if n := 1 + bytes.Count(rest, []byte(",")); n != s.variables {
		return s.in.Errorf("found %d values in %s, want %d", n, text.Show(line), s.variables)
	}
	for i := range s.variables {
		var value []byte
		value, rest, _ = bytes.Cut(rest, []byte(","))
		s.values.Add(i, value)
	}
	return nil
}

func (s *stateReader) finish() (sparse.Names, error) {
	if s.texts != nil {
		return s.texts, nil
	}
	names, err := s.values.Names()
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
