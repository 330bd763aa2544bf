package gym

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"offswitch/sparse"
)

// Read reads a table. An error names the line, the state and the action, what was found there and
// what was expected; a key that stands twice is an error. Read takes O(size of the file) time and
// goes no deeper into the JSON than a table does.
func Read(r io.Reader) (*sparse.MDP, error) {
	lines := &lineCounter{r: r}
	t := table{lines: lines, json: json.NewDecoder(lines), ids: make(map[string]uint32)}
	lines.json = t.json
	t.json.UseNumber()
	if err := t.read(); err != nil {
		return nil, err
	}
	return t.model()
}

// lineCounter counts the lines of what the decoder has consumed. The decoder reads ahead, so the
// line feeds of that part are kept apart.
type lineCounter struct {
	r     io.Reader
	json  *json.Decoder
	read  int64   // bytes read
	feeds []int64 // positions of the line feeds that the decoder may not have reached
	lines int     // line feeds before those
}

func (l *lineCounter) Read(p []byte) (int, error) {
	l.line()
	n, err := l.r.Read(p)
	for at := 0; ; at++ {
		i := bytes.IndexByte(p[at:n], '\n')
		if i < 0 {
			break
		}
		at += i
		l.feeds = append(l.feeds, l.read+int64(at))
	}
	l.read += int64(n)
	return n, err
}

// line returns the number of the line that the decoder is in, counted from 1.
func (l *lineCounter) line() int {
	reached := 0
	for reached < len(l.feeds) && l.feeds[reached] < l.json.InputOffset() {
		reached++
	}
	l.lines += reached
	l.feeds = l.feeds[:copy(l.feeds, l.feeds[reached:])]
	return l.lines + 1
}

// table is the content of a file, its states numbered by first mention.
type table struct {
	lines *lineCounter
	json  *json.Decoder
	ids   map[string]uint32
	keys  []mention
	order []uint32 // states in the order of their rows

	choiceEnd []int // for each row
	actions   []string
	branchEnd []int // for each choice
	branches  []outcome

	state, action string // where the decoder is, for errors
}

type mention struct {
	key   string
	line  int  // of the first mention
	row   int  // position of its row
	isRow bool // it has a row
}

type outcome struct {
	probability, reward float64
	next                uint32
	done                bool
}

func (t *table) errorf(format string, args ...any) error {
	where := fmt.Sprintf("line %d: ", t.lines.line())
	if t.state != "" {
		where += "state " + t.state + ": "
	}
	if t.action != "" {
		where += "action " + t.action + ": "
	}
	return fmt.Errorf("%s%w", where, fmt.Errorf(format, args...))
}

// token returns the next token.
func (t *table) token(want string) (json.Token, error) {
	x, err := t.json.Token()
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return nil, t.errorf("want %s: %w", want, err)
	}
	return x, nil
}

// open reads the bracket that begins what is described by want.
func (t *table) open(bracket json.Delim, want string) error {
	x, err := t.token(want)
	if err != nil {
		return err
	}
	if x != bracket {
		return t.errorf("found %s, want %s", show(x), want)
	}
	return nil
}

// shut reads the bracket that must follow; More has said that nothing else does.
func (t *table) shut() error {
	_, err := t.token("a closing bracket")
	return err
}

func show(x json.Token) string {
	const most = 60
	text := fmt.Sprint(x)
	if s, ok := x.(string); ok {
		text = strconv.Quote(s)
	}
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

func (t *table) read() error {
	if err := t.open('{', "{ and the rows of the states"); err != nil {
		return err
	}
	for t.json.More() {
		if err := t.row(); err != nil {
			return err
		}
	}
	if err := t.shut(); err != nil {
		return err
	}
	if x, err := t.json.Token(); err != io.EOF {
		if err != nil {
			return t.errorf("want the end of the file: %w", err)
		}
		return t.errorf("found %s, want the end of the file", show(x))
	}
	return nil
}

// mentioned returns the number of a state.
func (t *table) mentioned(key string) uint32 {
	id, ok := t.ids[key]
	if !ok {
		id = uint32(len(t.keys))
		t.ids[key] = id
		t.keys = append(t.keys, mention{key: key, line: t.lines.line()})
	}
	return id
}

// row reads one state: its key, and its actions.
func (t *table) row() error {
	x, err := t.token("the key of a state")
	if err != nil {
		return err
	}
	key := x.(string) // the decoder lets nothing else be a key
	t.state = strconv.Quote(key)
	id := t.mentioned(key)
	if t.keys[id].isRow {
		return t.errorf("the state stands twice")
	}
	if len(t.order) >= sparse.None-1 {
		return t.errorf("more than the limit of %d states", uint32(sparse.None-1))
	}
	t.keys[id].isRow, t.keys[id].row = true, len(t.order)
	t.order = append(t.order, id)
	if err := t.open('{', "{ and the actions of the state"); err != nil {
		return err
	}
	var known map[string]bool
	first := len(t.actions)
	for t.json.More() {
		if known, err = t.choice(first, known); err != nil {
			return err
		}
		t.action = ""
	}
	t.choiceEnd = append(t.choiceEnd, len(t.actions))
	err = t.shut()
	t.state = ""
	return err
}

// fewActions is up to how many actions of a state are compared one by one.
const fewActions = 16

// choice reads one action of a state: its key, and its outcomes. The state's actions before it
// begin at first; known has them once there are many.
func (t *table) choice(first int, known map[string]bool) (map[string]bool, error) {
	x, err := t.token("the key of an action")
	if err != nil {
		return nil, err
	}
	key := x.(string)
	t.action = strconv.Quote(key)
	if key == "" {
		return nil, t.errorf("the key of the action is empty, want a name or a number")
	}
	if before := t.actions[first:]; known == nil && len(before) >= fewActions {
		known = make(map[string]bool)
		for _, a := range before {
			known[a] = true
		}
	}
	twice := known[key]
	if known == nil {
		for _, a := range t.actions[first:] {
			twice = twice || a == key
		}
	} else {
		known[key] = true
	}
	if twice {
		return nil, t.errorf("the action stands twice")
	}
	t.actions = append(t.actions, key)
	if err := t.open('[', "[ and the outcomes of the action"); err != nil {
		return nil, err
	}
	start, sum := len(t.branches), 0.0
	for t.json.More() {
		p, err := t.outcome()
		if err != nil {
			return nil, err
		}
		sum += p
	}
	if err := t.shut(); err != nil {
		return nil, err
	}
	if len(t.branches) == start || math.Abs(sum-1) > sparse.RowTolerance {
		return nil, t.errorf("the probabilities of the outcomes sum to %v, want 1 within %v", sum, sparse.RowTolerance)
	}
	t.branchEnd = append(t.branchEnd, len(t.branches))
	return known, nil
}

// outcome reads [probability, next state, reward, done], and returns the probability.
func (t *table) outcome() (float64, error) {
	if err := t.open('[', "an outcome [probability, next state, reward, done]"); err != nil {
		return 0, err
	}
	p, err := t.number("a probability")
	if err != nil {
		return 0, err
	}
	if !(p >= 0 && p <= 1) {
		return 0, t.errorf("probability %v is not in [0,1]", p)
	}
	next, err := t.next()
	if err != nil {
		return 0, err
	}
	reward, err := t.number("a reward")
	if err != nil {
		return 0, err
	}
	done, err := t.done()
	if err != nil {
		return 0, err
	}
	x, err := t.token("] after the outcome")
	if err != nil {
		return 0, err
	}
	if x != json.Delim(']') {
		return 0, t.errorf("found %s, want ] after the four parts of an outcome", show(x))
	}
	if p > 0 {
		t.branches = append(t.branches, outcome{p, reward, next, done})
	}
	return p, nil
}

func (t *table) number(want string) (float64, error) {
	x, err := t.token(want)
	if err != nil {
		return 0, err
	}
	n, ok := x.(json.Number)
	if !ok {
		return 0, t.errorf("found %s, want %s", show(x), want)
	}
	v, err := n.Float64()
	if err != nil {
		return 0, t.errorf("found %s, want %s that is a finite number", show(x), want)
	}
	return v, nil
}

// next reads a state, its key in or without quotation marks. A whole number may be written as a
// float, 3.0 for 3.
func (t *table) next() (uint32, error) {
	x, err := t.token("the next state")
	if err != nil {
		return 0, err
	}
	switch x := x.(type) {
	case string:
		return t.mentioned(x), nil
	case json.Number:
		return t.mentioned(strings.TrimSuffix(x.String(), ".0")), nil
	}
	return 0, t.errorf("found %s, want the next state", show(x))
}

func (t *table) done() (bool, error) {
	x, err := t.token("whether the episode is done")
	if err != nil {
		return false, err
	}
	switch x := x.(type) {
	case bool:
		return x, nil
	case json.Number:
		if x == "0" || x == "1" {
			return x == "1", nil
		}
	}
	return false, t.errorf("found %s, want true, false, 0 or 1 for done", show(x))
}
