package umb

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"offswitch/sparse"
)

// maxIndexSize is the greatest index.json that is read.
const maxIndexSize = 64 << 20

// Read reads a model from an uncompressed UMB archive, up to the archive's end marker. The arrays
// are converted as they stream by, several pieces at once: beside the model it takes a few pieces, the
// text of the strings once more with 4 bytes for each, and the rewards of branches until they have
// become expected rewards of their choices. index.json should come first; what of the model comes before
// it is held in memory until it does. The actions of a file that does not name them are called _1,
// _2, and so on, as in PRISM. O(bytes).
//
// An error names the member that is wrong or missing; one of sparse.New is passed on as it is.
// Memory is taken in proportion to the bytes that arrive, whatever the counts in the file say.
func Read(r io.Reader) (*sparse.MDP, error) {
	d := &decoder{source: newSource(), seen: make(map[string]bool)}
	if err := d.archive(&counter{r: r}); err != nil {
		return nil, err
	}
	if d.index == nil {
		return nil, errors.New("index.json is missing: not a UMB file")
	}
	parts, err := d.finish()
	if err != nil {
		return nil, err
	}
	return sparse.New(parts)
}

// counter counts the bytes read through it.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

type decoder struct {
	*source
	index    *index
	handlers map[string]func(*member) error // by name of member, once the index is known
	seen     map[string]bool
	early    []*member // came before the index

	states, choices, branches uint64

	parts         sparse.Parts
	branchRewards []sparse.Floats // of parts.Rewards
	actions       sparse.Actions
	actionNames   stringTable
	valuation     *valuationDecoder // nil: states are not valued
}

// archive goes through the members. A tar that stops where a member ends lacks its end marker, so
// that no member can get lost unnoticed.
func (d *decoder) archive(r *counter) error {
	t := tar.NewReader(r)
	last, end := "", int64(0)
	for {
		h, err := t.Next()
		switch {
		case err == io.EOF && last != "" && r.n <= end:
			return fmt.Errorf("the file is cut short after %s: %w", last, io.ErrUnexpectedEOF)
		case err == io.EOF:
			return nil
		case errors.Is(err, tar.ErrHeader) && last == "":
			return fmt.Errorf("not a tar archive: %w", err)
		case err != nil && last == "":
			return cutShort(err)
		case err != nil:
			return fmt.Errorf("after %s: %w", last, cutShort(err))
		}
		last, end = h.Name, r.n
		if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if h.Typeflag != tar.TypeReg || isSparse(h) {
			return fmt.Errorf("%s is not a plain file", h.Name)
		}
		end += (h.Size + 511) &^ 511
		m := &member{source: d.source, name: strings.TrimPrefix(strings.TrimPrefix(h.Name, "."), "/"), size: uint64(h.Size), r: t}
		if err := d.member(m); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
}

// isSparse reports whether a member has holes, which make a long member of a short file.
func isSparse(h *tar.Header) bool {
	for key := range maps.Keys(h.PAXRecords) {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func (d *decoder) member(m *member) error {
	switch {
	case d.seen[m.name]:
		return errors.New("stands twice in the archive")
	case m.name == indexMember:
		d.seen[m.name] = true
		return d.readIndex(m)
	case d.index == nil:
		return d.keep(m)
	}
	handler := d.handlers[m.name]
	if handler == nil {
		return nil
	}
	d.seen[m.name] = true
	return handler(m)
}

// keep holds a member that comes before the index, if it can matter.
func (d *decoder) keep(m *member) error {
	known := !strings.Contains(m.name, "/")
	for _, prefix := range []string{actionStringsPrefix, valuationStringsPrefix, "annotations/" + propositionGroup + "/", "annotations/" + rewardGroup + "/"} {
		known = known || strings.HasPrefix(m.name, prefix)
	}
	if !known || !strings.HasSuffix(m.name, ".bin") {
		return nil
	}
	d.seen[m.name] = true
	data, err := m.all()
	d.early = append(d.early, &member{source: d.source, name: m.name, size: m.size, r: bytes.NewReader(data)})
	return err
}

func (d *decoder) readIndex(m *member) error {
	if m.size > maxIndexSize {
		return fmt.Errorf("%d bytes, more than the limit of %d", m.size, maxIndexSize)
	}
	data, err := m.all()
	if err != nil {
		return err
	}
	if d.index, err = parseIndex(data); err != nil {
		return err
	}
	if err := d.prepare(); err != nil {
		return err
	}
	for i, m := range d.early {
		d.early[i] = nil
		if handler := d.handlers[m.name]; handler != nil {
			if err := handler(m); err != nil {
				return fmt.Errorf("%s: %w", m.name, err)
			}
		}
	}
	return nil
}

// prepare decides from the index what each member means.
func (d *decoder) prepare() error {
	s := d.index.System
	d.states, d.choices, d.branches = *s.States, *s.Choices, *s.Branches
	d.handlers = map[string]func(*member) error{
		choiceStartMember: d.readChoiceStarts,
		branchStartMember: d.readBranchStarts,
		targetMember: func(m *member) (err error) {
			d.parts.Target, err = m.indices(d.branches, d.states, "one for each branch", "#states")
			return err
		},
		initialMember: d.readInitial,
	}
	if n := *s.ChoiceActions; n > 0 {
		d.handlers[actionStringsPrefix+stringStartSuffix] = func(m *member) error { return d.actionNames.readStarts(m, n) }
		d.handlers[actionStringsPrefix+stringTextSuffix] = d.actionNames.readText
		d.handlers[actionMember] = func(m *member) (err error) {
			d.actions, err = m.actionIDs(d.choices, n)
			return err
		}
	}
	if s.ProbabilityType != nil {
		d.handlers[probabilityMember] = func(m *member) (err error) {
			d.parts.Probability, err = m.floats(d.branches, s.ProbabilityType, "one for each branch")
			return err
		}
	}
	if err := d.prepareLabels(&d.index.Annotations.Propositions); err != nil {
		return err
	}
	if err := d.prepareRewards(&d.index.Annotations.Rewards); err != nil {
		return err
	}
	return d.prepareValuation()
}

func (d *decoder) readChoiceStarts(m *member) (err error) {
	d.parts.ChoiceStart, err = m.startsUpTo(d.states, d.choices, "one more than there are states", "#choices")
	if err != nil || *d.index.System.Players > 0 {
		return err
	}
	for i, x := range d.parts.ChoiceStart {
		if i != int(x) {
			return fmt.Errorf("entry %d is %d, want %d: #players is 0 (a Markov chain), so that each state has one choice", i, x, i)
		}
	}
	return nil
}

// readBranchStarts leaves the starts out when there are as many branches as choices, where a model
// says nothing of them.
func (d *decoder) readBranchStarts(m *member) (err error) {
	if d.branches == d.choices {
		return m.identity(d.choices, "choices")
	}
	d.parts.BranchStart, err = m.startsUpTo(d.choices, d.branches, "one more than there are choices", "#branches")
	return err
}

func (d *decoder) readInitial(m *member) (err error) {
	if d.parts.Initial, err = m.bitset(d.states); err != nil {
		return err
	}
	if n := d.parts.Initial.Count(); uint64(n) != *d.index.System.InitialStates {
		return fmt.Errorf("%d states are initial, want #initial-states, %d", n, *d.index.System.InitialStates)
	}
	return nil
}

func (d *decoder) prepareLabels(g *group) error {
	for i, id := range g.ids {
		a := &g.values[i]
		for _, entity := range a.AppliesTo {
			if entity != states {
				continue
			}
			if a.Type.Type != "bool" || a.Type.bits() != 1 || a.Probabilities != nil {
				return fmt.Errorf("annotation %q of group aps is %v, want bool of 1 bit without probabilities", id, &a.Type)
			}
			at := len(d.parts.Labels)
			d.parts.Labels = append(d.parts.Labels, sparse.Label{Name: g.name(i)})
			d.handlers[valuesMember(propositionGroup, id, states)] = func(m *member) (err error) {
				d.parts.Labels[at].States, err = m.bitset(d.states)
				return err
			}
			break
		}
	}
	return nil
}

func (d *decoder) prepareRewards(g *group) error {
	d.parts.Rewards = make([]sparse.Reward, len(g.ids))
	d.branchRewards = make([]sparse.Floats, len(g.ids))
	for i, id := range g.ids {
		a := &g.values[i]
		if t := &a.Type; t.Type != "double" && t.Type != "int" && t.Type != "uint" || t.bits() != 64 || a.Probabilities != nil {
			return fmt.Errorf("annotation %q of group rewards is %v, want double, int or uint of 64 bits without probabilities", id, t)
		}
		d.parts.Rewards[i].Name = g.name(i)
		for _, entity := range a.AppliesTo {
			var column *sparse.Floats
			var n uint64
			switch entity {
			case states:
				column, n = &d.parts.Rewards[i].States, d.states
			case choices:
				column, n = &d.parts.Rewards[i].Choices, d.choices
			case branches:
				column, n = &d.branchRewards[i], d.branches
			default:
				return fmt.Errorf("annotation %q of group rewards applies to %q, want states, choices or branches", id, entity)
			}
			d.handlers[valuesMember(rewardGroup, id, entity)] = func(m *member) (err error) {
				*column, err = m.floats(n, &a.Type, "one for each of the "+entity)
				return err
			}
		}
	}
	return nil
}

// finish fills in the defaults of what the archive left out. By now the arrays that must be there
// vouch for the counts.
func (d *decoder) finish() (sparse.Parts, error) {
	p := &d.parts
	if !d.seen[targetMember] && d.branches > 0 {
		return *p, fmt.Errorf("%s is missing", targetMember)
	}
	if !d.seen[branchStartMember] && d.branches != d.choices {
		return *p, fmt.Errorf("%s is missing: there are %d branches for %d choices", branchStartMember, d.branches, d.choices)
	}
	if !d.seen[choiceStartMember] {
		if d.choices != d.states {
			return *p, fmt.Errorf("%s is missing: there are %d choices for %d states", choiceStartMember, d.choices, d.states)
		}
		p.ChoiceStart = make([]uint32, d.states+1)
		for i := range p.ChoiceStart {
			p.ChoiceStart[i] = uint32(i)
		}
	}
	if n := *d.index.System.InitialStates; !d.seen[initialMember] && n > 0 {
		return *p, fmt.Errorf("%s is missing: #initial-states is %d", initialMember, n)
	}
	d.finishLabels()
	for i := range p.Rewards {
		d.finishReward(&p.Rewards[i], &d.branchRewards[i])
	}
	if err := d.finishActions(); err != nil {
		return *p, err
	}
	if d.valuation != nil {
		var err error
		p.Names, err = d.valuation.finish(d)
		return *p, err
	}
	return *p, nil
}

// finishLabels gives all labels without a member the same empty set.
func (d *decoder) finishLabels() {
	var empty sparse.Bitset
	for i := range d.parts.Labels {
		if l := &d.parts.Labels[i]; l.States == nil {
			if empty == nil {
				empty = sparse.NewBitset(int(d.states))
			}
			l.States = empty
		}
	}
}

// finishReward adds the expected rewards of branches to those of their choices, and drops columns
// that are all zero.
func (d *decoder) finishReward(r *sparse.Reward, branches *sparse.Floats) {
	if branches.Len() > 0 {
		var sum sparse.FloatsBuilder
		sum.Expect(int(d.choices))
		for c := range uint32(d.choices) {
			lo, hi := c, c+1
			if d.parts.BranchStart != nil {
				lo, hi = d.parts.BranchStart[c], d.parts.BranchStart[c+1]
			}
			x := 0.0
			if r.Choices.Len() > 0 {
				x = r.Choices.At(c)
			}
			for b := lo; b < hi; b++ {
				p := 1.0
				if d.parts.Probability.Len() > 0 {
					p = d.parts.Probability.At(b)
				}
				x += p * branches.At(b)
			}
			sum.Append(x)
		}
		r.Choices = sum.Column()
		*branches = sparse.Floats{}
	}
	for _, column := range []*sparse.Floats{&r.States, &r.Choices} {
		if v, ok := column.Constant(); ok && v == 0 {
			*column = sparse.Floats{}
		}
	}
}

// finishActions joins the actions of choices with their names. A name that stands for several
// actions makes them one.
func (d *decoder) finishActions() error {
	count := *d.index.System.ChoiceActions
	if count == 0 || d.choices == 0 {
		return nil
	}
	if !d.seen[actionMember] {
		d.actions.Grow(int(d.choices))
		for range d.choices {
			d.actions.Append(0)
		}
	}
	if d.actionNames.start == nil && d.actionNames.text == nil {
		d.parts.Actions = rename(&d.actions, func(id uint32) string { return "_" + strconv.Itoa(int(id)+1) })
		return nil
	}
	if err := d.actionNames.check(actionStringsPrefix); err != nil {
		return err
	}
	names := d.actionNames.strings()
	same := true
	for i, name := range names {
		same = d.actions.Intern(name) == uint32(i) && same
	}
	if same {
		d.parts.Actions = d.actions
		return nil
	}
	d.parts.Actions = rename(&d.actions, func(id uint32) string { return names[id] })
	return nil
}

// rename names each choice's action by its number.
func rename(ids *sparse.Actions, name func(id uint32) string) sparse.Actions {
	var out sparse.Actions
	out.Grow(ids.Len())
	known := make(map[uint32]uint32)
	for c := range uint32(ids.Len()) {
		id := ids.ID(c)
		to, ok := known[id]
		if !ok {
			to = out.Intern(name(id))
			known[id] = to
		}
		out.Append(to)
	}
	return out
}
