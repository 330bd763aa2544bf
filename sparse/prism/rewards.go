package prism

import (
	"bytes"
	"slices"
	"sort"

	"offswitch/sparse"
	"offswitch/sparse/internal/text"
)

// rewardFile is what one X.srew or X.trew holds.
type rewardFile struct {
	source string
	name   string // "" when the file does not say
	column sparse.Floats
}

// readRewards reads all reward files, and makes one reward of the two files of each name.
func readRewards(in Input, p *sparse.Parts, nondeterministic bool) error {
	states := make([]rewardFile, len(in.StateRewards))
	for i, from := range in.StateRewards {
		r := rewardReader{in: text.NewReader(from.Name, from.Reader), parts: p}
		if err := r.readStateRewards(); err != nil {
			return err
		}
		states[i] = rewardFile{from.Name, r.name, r.reward.Finish(r.numStates())}
	}
	choices := make([]rewardFile, len(in.TransitionRewards))
	for i, from := range in.TransitionRewards {
		r := rewardReader{in: text.NewReader(from.Name, from.Reader), parts: p, nondeterministic: nondeterministic}
		if err := r.readTransitionRewards(); err != nil {
			return err
		}
		choices[i] = rewardFile{from.Name, r.name, r.reward.Finish(r.numChoices())}
	}
	nameRewards(states, choices)
	return joinRewards(states, choices, p)
}

// nameRewards names the files without a name like their partner, and otherwise anew.
func nameRewards(states, choices []rewardFile) {
	taken := make(map[string]bool)
	for _, f := range slices.Concat(states, choices) {
		taken[f.name] = true
	}
	for i := range max(len(states), len(choices)) {
		var pair []*rewardFile
		if i < len(states) {
			pair = append(pair, &states[i])
		}
		if i < len(choices) {
			pair = append(pair, &choices[i])
		}
		name := pair[0].name
		if name == "" {
			name = pair[len(pair)-1].name
		}
		if name == "" {
			name = unique(defaultReward, taken)
			taken[name] = true
		}
		for _, f := range pair {
			if f.name == "" {
				f.name = name
			}
		}
	}
}

func joinRewards(states, choices []rewardFile, p *sparse.Parts) error {
	at := make(map[string]int)
	sources := make(map[string]string) // of a kind of file and a name
	join := func(files []rewardFile, kind string, set func(*sparse.Reward, sparse.Floats)) error {
		for _, f := range files {
			if other, ok := sources[kind+f.name]; ok {
				return text.NewReader(f.source, nil).FileError("reward %q stands in %s already", f.name, other)
			}
			sources[kind+f.name] = f.source
			i, ok := at[f.name]
			if !ok {
				i = len(p.Rewards)
				at[f.name] = i
				p.Rewards = append(p.Rewards, sparse.Reward{Name: f.name})
			}
			set(&p.Rewards[i], f.column)
		}
		return nil
	}
	if err := join(states, "s", func(r *sparse.Reward, f sparse.Floats) { r.States = f }); err != nil {
		return err
	}
	return join(choices, "t", func(r *sparse.Reward, f sparse.Floats) { r.Choices = f })
}

type rewardReader struct {
	in               *text.Reader
	parts            *sparse.Parts
	nondeterministic bool
	name             string
	reward           text.Reward
	last             int    // state or choice of the last entry
	entries          uint64 // as the header says
	count            uint64 // entries read

	// disorder is the error of an entry of a state or choice that does not come after the last one.
	disorder func(line, at, last int) error
}

// rewardPiece is a part of a file of rewards. No choice has entries in two of them.
type rewardPiece struct {
	file      *rewardReader
	in        *text.Reader
	err       error
	first     int // state or choice of the first entry
	firstLine int
	last      int // state or choice of the last entry, -1 while there is none
	count     uint64
	column    text.Column
	group     rewardGroup
}

// comment takes the name from # Reward structure "name".
func (r *rewardReader) comment(words []byte) error {
	rest, ok := bytes.CutPrefix(words, []byte("Reward structure"))
	rest = text.TrimLeft(rest)
	if n := len(rest); ok && n >= 2 && rest[0] == '"' && bytes.IndexByte(rest[1:], '"') == n-2 {
		r.name = string(rest[1 : n-1])
	}
	return nil
}

func (r *rewardReader) numStates() int { return len(r.parts.ChoiceStart) - 1 }

func (r *rewardReader) numChoices() int { return int(r.parts.ChoiceStart[r.numStates()]) }

// header reads the numbers of the model, which must be right, and of entries.
func (r *rewardReader) header(want ...int) error {
	line, err := nextLine(r.in, r.comment)
	if err != nil {
		return err
	}
	c, err := counts(r.in, line, len(want)+1)
	if err != nil {
		return err
	}
	if len(c) != len(want)+1 {
		return r.in.Errorf("found header %s, want %d numbers", text.Show(line), len(want)+1)
	}
	for i, v := range want {
		if c[i] != uint64(v) {
			return r.in.Errorf("found header %s, but the model has %d %s", text.Show(line), v, [...]string{"states", "choices"}[i])
		}
	}
	r.entries = c[len(want)]
	return nil
}

// each reads the entries, a line each, with what reads a line.
func (r *rewardReader) each(cut func([]byte) int, line func(*rewardPiece, []byte) error) error {
	r.last = -1
	parse := func(p *rewardPiece, in *text.Reader) {
		p.file, p.in, p.last, p.count = r, in, -1, 0
		p.column.Reset()
		p.group.choice = -1
		p.err = eachLine(in, func(b []byte) error { p.count++; return line(p, b) })
		p.endGroup()
	}
	if err := text.Split(r.in, cut, parse, r.join); err != nil {
		return err
	}
	if r.count != r.entries {
		return r.in.Errorf("the file ends after %d entries, but its header says %d", r.count, r.entries)
	}
	return nil
}

func (r *rewardReader) join(p *rewardPiece) error {
	if p.last >= 0 && p.first <= r.last {
		return r.disorder(p.firstLine, p.first, r.last)
	}
	if p.err != nil {
		return p.err
	}
	r.reward.Join(p.first, &p.column)
	r.last, r.count = max(r.last, p.last), r.count+p.count
	return nil
}

// advance goes to an entry of a state or choice other than that of the last entry.
func (p *rewardPiece) advance(to int) error {
	if p.last < 0 {
		p.first, p.firstLine = to, p.in.Line()
	} else if to <= p.last {
		return p.file.disorder(p.in.Line(), to, p.last)
	}
	p.last = to
	return nil
}

// value reads the number that ends a line.
func (p *rewardPiece) value(rest []byte) (float64, error) {
	word := text.Trim(rest)
	v, ok := text.Float(word)
	if !ok {
		return 0, p.in.Errorf("found reward %s, want a finite number", text.Show(word))
	}
	return v, nil
}

func (r *rewardReader) readStateRewards() error {
	if err := r.header(r.numStates()); err != nil {
		return err
	}
	r.disorder = func(line, state, last int) error { return r.in.ErrorAt(line, disorder, state, last) }
	return r.each(text.AnyLine, (*rewardPiece).state)
}

// state reads "state reward".
func (p *rewardPiece) state(line []byte) error {
	state, rest, ok := text.UintField(line)
	if !ok || int(state) >= p.file.numStates() {
		return p.in.Errorf("found %s, want a state below %d and its reward", text.Show(line), p.file.numStates())
	}
	v, err := p.value(rest)
	if err != nil {
		return err
	}
	if err := p.advance(int(state)); err != nil {
		return err
	}
	p.column.Set(p.last-p.first, v)
	return nil
}

func (r *rewardReader) readTransitionRewards() error {
	want := []int{r.numStates()}
	if r.nondeterministic {
		want = append(want, r.numChoices())
	}
	if err := r.header(want...); err != nil {
		return err
	}
	r.disorder = func(line, choice, _ int) error {
		starts := r.parts.ChoiceStart
		state := sort.Search(r.numStates(), func(s int) bool { return int(starts[s+1]) > choice })
		return r.in.ErrorAt(line, "found choice %d of state %d after a later one, want the order of the transitions", choice-int(starts[state]), state)
	}
	return r.each(cutState, (*rewardPiece).transition)
}

// transition reads "state choice target reward", in a DTMC without the choice.
func (p *rewardPiece) transition(line []byte) error {
	state, rest, ok := text.UintField(line)
	position := uint32(0)
	if ok && p.file.nondeterministic {
		position, rest, ok = text.UintField(rest)
	}
	if !ok || int(state) >= p.file.numStates() {
		return p.malformed(line)
	}
	target, rest, ok := text.UintField(rest)
	if !ok {
		return p.malformed(line)
	}
	v, err := p.value(rest)
	if err != nil {
		return err
	}
	parts := p.file.parts
	lo, hi := parts.ChoiceStart[state], parts.ChoiceStart[state+1]
	if position >= hi-lo {
		return p.in.Errorf("found choice %d of state %d, which has %d choices", position, state, hi-lo)
	}
	if c := int(lo + position); c != p.last {
		p.endGroup()
		if err := p.advance(c); err != nil {
			return err
		}
		p.group.begin(parts, c)
	}
	switch p.group.add(parts, target, v) {
	case unknownTarget:
		return p.in.Errorf("found a reward for state %d, choice %d, target %d, but there is no such transition", state, position, target)
	case repeatedTarget:
		return p.in.Errorf("the reward for state %d, choice %d, target %d stands twice", state, position, target)
	}
	return nil
}

func (p *rewardPiece) malformed(line []byte) error {
	if p.file.nondeterministic {
		return p.in.Errorf("found %s, want state, choice, target and reward", text.Show(line))
	}
	return p.in.Errorf("found %s, want state, target and reward", text.Show(line))
}

func (p *rewardPiece) endGroup() {
	if p.group.choice >= 0 {
		p.column.Set(p.group.choice-p.first, p.group.expected())
	}
}

// rewardGroup collects the rewards of the transitions of one choice.
type rewardGroup struct {
	choice int      // -1: none
	order  []uint32 // its branches in order of target
	seen   []bool   // which of order have a reward
	next   int      // where in order the next target is likely to be
	count  int      // branches with a reward
	first  float64
	same   bool // all rewards are equal to first
	sum    float64
}

func (g *rewardGroup) begin(p *sparse.Parts, choice int) {
	lo, hi := uint32(choice), uint32(choice+1)
	if p.BranchStart != nil {
		lo, hi = p.BranchStart[choice], p.BranchStart[choice+1]
	}
	*g = rewardGroup{choice: choice, order: g.order[:0], seen: g.seen[:0], same: true}
	sorted := true
	for b := lo; b < hi; b++ {
		sorted = sorted && (b == lo || p.Target[b-1] <= p.Target[b])
		g.order, g.seen = append(g.order, b), append(g.seen, false)
	}
	if !sorted {
		slices.SortFunc(g.order, func(a, b uint32) int { return int(p.Target[a]) - int(p.Target[b]) })
	}
}

type addition int

const (
	added addition = iota
	unknownTarget
	repeatedTarget
)

// add notes the reward of the branches to a target.
func (g *rewardGroup) add(p *sparse.Parts, target uint32, v float64) addition {
	i := g.next
	if i >= len(g.order) || p.Target[g.order[i]] != target {
		i, _ = slices.BinarySearchFunc(g.order, target, func(b, t uint32) int { return int(p.Target[b]) - int(t) })
	}
	if i == len(g.order) || p.Target[g.order[i]] != target {
		return unknownTarget
	}
	if g.seen[i] {
		return repeatedTarget
	}
	if g.count == 0 {
		g.first = v
	}
	g.same = g.same && v == g.first
	for ; i < len(g.order) && p.Target[g.order[i]] == target; i++ {
		g.seen[i] = true
		g.count++
		g.sum += p.Probability.At(g.order[i]) * v
	}
	g.next = i
	return added
}

// expected returns Σ probability·reward; where all branches have the same reward, exactly that.
func (g *rewardGroup) expected() float64 {
	if g.same && g.count == len(g.order) {
		return g.first
	}
	return g.sum
}
