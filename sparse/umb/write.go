package umb

import (
	"archive/tar"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"

	"offswitch/sparse"
	"offswitch/sparse/internal/pieces"
)

// Write writes a model as an uncompressed UMB archive, the same bytes for the same model. Names of
// labels and rewards that are no UMB ids become aliases. Names of states become a valuation, for
// variables their own, for explicit names one string variable called "name". It fails when w does,
// on text that is not UTF-8, and on a string variable whose value is none of its strings.
// O(states + branches).
func Write(w io.Writer, m *sparse.MDP) error {
	e := &encoder{m: m, tar: tar.NewWriter(w), places: make([]written, pieces.Places())}
	x, err := e.describe()
	if err != nil {
		return err
	}
	data, err := json.MarshalIndent(x, "", "  ")
	if err != nil {
		return err
	}
	e.member(indexMember, uint64(len(data)), func() { e.bytes(data) })
	e.structure()
	e.actions()
	e.annotations(&x.Annotations)
	e.valuation()
	if e.err != nil {
		return e.err
	}
	return e.tar.Close()
}

// encoder writes the members. Its first error stays, and nothing is written after it.
type encoder struct {
	m       *sparse.MDP
	tar     *tar.Writer
	places  []written
	err     error
	strings []string          // of all string variables of the model's valuation
	base    []uint64          // position in strings of the first string of each variable
	layout  []sparse.Variable // the valuation's variables as they are written
	stride  int               // bytes a state of the valuation
}

// written is a piece of a member on its way out.
type written struct {
	buf      []byte
	from, to int // its entries
	err      error
}

func (e *encoder) member(name string, size uint64, write func()) {
	if e.err != nil {
		return
	}
	header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(size), Mode: 0o644}
	if e.err = e.tar.WriteHeader(header); e.err == nil {
		write()
	}
}

func (e *encoder) bytes(data []byte) {
	if e.err == nil {
		_, e.err = e.tar.Write(data)
	}
}

// array writes a member of n entries of so many bytes. The function put fills dst with the entries
// from, from+1, …; it is called for several pieces at once.
func (e *encoder) array(name string, n, width int, put func(dst []byte, from int) error) {
	e.member(name, uint64(width)*uint64(n), func() {
		next, most := 0, max(1, pieceSize/max(1, width))
		take := func(p *written) (bool, error) {
			p.from, p.to = next, min(next+most, n)
			next = p.to
			return p.from < p.to, nil
		}
		work := func(p *written) {
			p.buf = resize(p.buf, width*(p.to-p.from))
			p.err = put(p.buf, p.from)
		}
		e.err = pieces.Run(e.places, take, work, func(p *written) error {
			if p.err == nil {
				_, p.err = e.tar.Write(p.buf)
			}
			return p.err
		})
	})
}

// words writes a member of n 64-bit entries.
func (e *encoder) words(name string, n int, put func(dst []byte, from int)) {
	e.array(name, n, 8, func(dst []byte, from int) error { put(dst, from); return nil })
}

func (e *encoder) indices(name string, x []uint32) {
	e.words(name, len(x), func(dst []byte, from int) {
		for _, v := range x[from : from+len(dst)/8] {
			binary.LittleEndian.PutUint64(dst[:8], uint64(v))
			dst = dst[8:]
		}
	})
}

// floats writes n numbers, which copy writes to dst from one of them on.
func (e *encoder) floats(name string, copy func(dst []float64, from uint32), n int) {
	e.words(name, n, func(dst []byte, from int) {
		var numbers [512]float64
		for len(dst) > 0 {
			some := numbers[:min(len(numbers), len(dst)/8)]
			copy(some, uint32(from))
			from += len(some)
			for _, v := range some {
				binary.LittleEndian.PutUint64(dst[:8], math.Float64bits(v))
				dst = dst[8:]
			}
		}
	})
}

func (e *encoder) column(name string, f *sparse.Floats) {
	e.floats(name, func(dst []float64, from uint32) { f.Copy(dst, int(from)) }, f.Len())
}

func (e *encoder) bitset(name string, b sparse.Bitset) {
	e.words(name, len(b), func(dst []byte, from int) {
		for i, v := range b[from : from+len(dst)/8] {
			binary.LittleEndian.PutUint64(dst[8*i:], v)
		}
	})
}

// text writes n strings: where each starts, then all of them.
func (e *encoder) text(prefix string, n int, at func(i int) []byte) {
	end := uint64(0)
	e.member(prefix+stringStartSuffix, 8*uint64(n+1), func() {
		piece := binary.LittleEndian.AppendUint64(nil, 0)
		for i := range n {
			end += uint64(len(at(i)))
			piece = e.spill(binary.LittleEndian.AppendUint64(piece, end))
		}
		e.bytes(piece)
	})
	e.member(prefix+stringTextSuffix, end, func() {
		var piece []byte
		for i := range n {
			piece = e.spill(append(piece, at(i)...))
		}
		e.bytes(piece)
	})
}

// spill writes a piece once it is long enough, and returns what is left of it.
func (e *encoder) spill(piece []byte) []byte {
	if len(piece) < pieceSize {
		return piece
	}
	e.bytes(piece)
	return piece[:0]
}

// structure writes the transitions. Targets come before probabilities, so that a reader has seen
// that there are so many branches before it makes room for them.
func (e *encoder) structure() {
	e.indices(choiceStartMember, e.m.ChoiceStarts())
	if starts := e.m.BranchStarts(); starts != nil {
		e.indices(branchStartMember, starts)
	} else {
		e.words(branchStartMember, e.m.NumChoices()+1, func(dst []byte, from int) {
			for ; len(dst) > 0; dst = dst[8:] {
				binary.LittleEndian.PutUint64(dst, uint64(from))
				from++
			}
		})
	}
	e.indices(targetMember, e.m.AllTargets())
	if n := e.m.NumBranches(); n > 0 {
		e.floats(probabilityMember, e.m.CopyProbabilities, n)
	}
	e.bitset(initialMember, e.m.Initial())
}

func (e *encoder) actions() {
	a := e.m.Actions()
	if a.Len() == 0 {
		return
	}
	names := a.Names()
	e.text(actionStringsPrefix, len(names), func(i int) []byte { return []byte(names[i]) })
	e.array(actionMember, a.Len(), 4, func(dst []byte, from int) error {
		for i := range len(dst) / 4 {
			binary.LittleEndian.PutUint32(dst[4*i:], a.ID(uint32(from+i)))
		}
		return nil
	})
}

func (e *encoder) annotations(a *annotations) {
	for i, l := range e.m.Labels() {
		e.bitset(valuesMember(propositionGroup, a.Propositions.ids[i], states), l.States)
	}
	for i := range e.m.Rewards() {
		r := &e.m.Rewards()[i]
		for _, entity := range a.Rewards.values[i].AppliesTo {
			if name := valuesMember(rewardGroup, a.Rewards.ids[i], entity); entity == states {
				e.column(name, stretch(&r.States, e.m.NumStates()))
			} else {
				e.column(name, &r.Choices)
			}
		}
	}
}

// stretch returns a column of n zeros for the empty one.
func stretch(f *sparse.Floats, n int) *sparse.Floats {
	if f.Len() > 0 {
		return f
	}
	zero := sparse.ConstantFloats(n, 0)
	return &zero
}

// describe makes the index, and the layout of the valuation with it.
func (e *encoder) describe() (*index, error) {
	m := e.m
	number := func(n int) *uint64 { x := uint64(n); return &x }
	version, revision := uint32(formatVersion), uint32(formatRevision)
	x := &index{
		Version: &version, Revision: &revision, FileData: &fileData{Tool: "offswitch"},
		System: &system{
			Time: "discrete", Players: number(1), States: number(m.NumStates()), InitialStates: number(m.Initial().Count()),
			Choices: number(m.NumChoices()), ChoiceActions: number(0), Branches: number(m.NumBranches()),
			BranchActions: number(0), Observations: number(0),
		},
	}
	if m.NumBranches() > 0 {
		x.System.ProbabilityType = &valueType{Type: "double", Size: number(64)}
	}
	if m.Actions().Len() > 0 {
		x.System.ChoiceActions = number(len(m.Actions().Names()))
		for _, name := range m.Actions().Names() {
			if !utf8.ValidString(name) {
				return nil, fmt.Errorf("action name %q is not UTF-8", name)
			}
		}
	}
	var labels, rewards namer
	for _, l := range m.Labels() {
		if err := labels.add("label", l.Name, annotation{AppliesTo: []string{states}, Type: valueType{Type: "bool", Size: number(1)}}); err != nil {
			return nil, err
		}
	}
	for _, r := range m.Rewards() {
		var to []string
		if r.States.Len() > 0 || r.Choices.Len() == 0 {
			to = append(to, states)
		}
		if r.Choices.Len() > 0 {
			to = append(to, choices)
		}
		if err := rewards.add("reward", r.Name, annotation{AppliesTo: to, Type: valueType{Type: "double", Size: number(64)}}); err != nil {
			return nil, err
		}
	}
	x.Annotations.Propositions, x.Annotations.Rewards = labels.group, rewards.group
	var err error
	x.Valuations, err = e.describeNames()
	return x, err
}

// maxID is the longest id given to an annotation; with it the members' names fit a tar header.
const maxID = 40

// namer gives ids to names, each id once.
type namer struct {
	group
	used map[string]bool
	next map[string]int // number to try next after an id that is taken
}

func (n *namer) add(what, name string, a annotation) error {
	if !utf8.ValidString(name) {
		return fmt.Errorf("the name of %s %q is not UTF-8", what, name)
	}
	if n.used == nil {
		n.used, n.next = make(map[string]bool), make(map[string]int)
	}
	plain := legalID(name)
	id := plain
	for n.used[id] {
		n.next[plain]++
		id = fmt.Sprintf("%s_%d", plain, n.next[plain]+1)
	}
	n.used[id] = true
	if id != name {
		a.Alias = &name
	}
	n.ids, n.values = append(n.ids, id), append(n.values, a)
	return nil
}

// legalID makes an id of a name: lower case, and _ for what an id cannot hold.
func legalID(name string) string {
	id := strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
			return c
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		}
		return '_'
	}, name)
	if id == "" {
		return "default"
	}
	return id[:min(len(id), maxID)]
}

// describeNames describes the valuation that stands for the state names, nil if there are none.
func (e *encoder) describeNames() (*valuations, error) {
	number := func(n int) *uint64 { x := uint64(n); return &x }
	names := e.m.Names()
	if names == nil {
		return nil, nil
	}
	info := new(valuationInfo)
	v, ok := names.(*sparse.Valuation)
	if !ok {
		info.Unique, info.Strings = true, number(names.Len())
		info.Classes = []class{{Variables: []variable{{Name: textVariable, Type: &valueType{Type: "string", Size: number(64)}}}}}
		return &valuations{States: info}, e.checkTexts(names)
	}
	e.layOut(v.Variables())
	if e.strings != nil {
		info.Strings = number(len(e.strings))
	}
	for _, s := range e.strings {
		if !utf8.ValidString(s) {
			return nil, fmt.Errorf("%q, a value of the state variables, is not UTF-8", s)
		}
	}
	total := 0
	described := class{Variables: []variable{}}
	for i := range e.layout {
		x := &e.layout[i]
		if !utf8.ValidString(x.Name) {
			return nil, fmt.Errorf("the name of variable %q is not UTF-8", x.Name)
		}
		described.Variables = append(described.Variables, describeVariable(x))
		total += x.Bits
	}
	if total%8 != 0 {
		described.Variables = append(described.Variables, variable{Padding: uint64(8 - total%8)})
	}
	if e.stride = (total + 7) / 8; e.stride > maxRecord {
		return nil, fmt.Errorf("the variables take %d bytes a state, more than the limit of %d", e.stride, maxRecord)
	}
	info.Classes = []class{described}
	return &valuations{States: info}, nil
}

// layOut gathers the strings of all variables in one list, and widens the variables for which
// that takes more bits. Lists that several variables share are taken once.
func (e *encoder) layOut(variables []sparse.Variable) {
	e.layout = append([]sparse.Variable(nil), variables...)
	e.base = make([]uint64, len(variables))
	for i := range variables {
		if variables[i].Type != sparse.StringVariable {
			continue
		}
		own := variables[i].Strings
		shared := false
		for j := 0; j < i && !shared; j++ {
			other := variables[j].Strings
			if shared = variables[j].Type == sparse.StringVariable && len(other) == len(own) && (len(own) == 0 || &other[0] == &own[0]); shared {
				e.base[i] = e.base[j]
			}
		}
		if !shared {
			e.base[i] = uint64(len(e.strings))
			e.strings = append(e.strings, own...)
		}
		if last := e.base[i] + uint64(len(own)); last > 0 {
			e.layout[i].Bits = max(variables[i].Bits, bits.Len64(last-1))
		}
	}
}

// describeVariable describes a variable with the bits that a sparse.Valuation stores, and an
// offset where those are not the value itself.
func describeVariable(x *sparse.Variable) variable {
	size := uint64(x.Bits)
	y := variable{Name: x.Name, Type: &valueType{Size: &size}}
	switch x.Type {
	case sparse.BoolVariable:
		y.Type.Type = "bool"
	case sparse.DoubleVariable:
		y.Type.Type = "double"
	case sparse.StringVariable:
		y.Type.Type = "string"
	default:
		y.Type.Type = "uint"
		if x.Lower != 0 {
			y.Offset = &x.Lower
		}
	}
	return y
}

func (e *encoder) checkTexts(names sparse.Names) error {
	var text []byte
	for s := range uint32(names.Len()) {
		if text = names.AppendName(text[:0], s); !utf8.Valid(text) {
			return fmt.Errorf("the name of state #%d, %q, is not UTF-8", s, text)
		}
	}
	return nil
}

func (e *encoder) valuation() {
	names := e.m.Names()
	if names == nil || e.err != nil {
		return
	}
	v, ok := names.(*sparse.Valuation)
	if !ok {
		var text []byte
		e.text(valuationStringsPrefix, names.Len(), func(i int) []byte {
			text = names.AppendName(text[:0], uint32(i))
			return text
		})
		e.words(valuationMember, names.Len(), func(dst []byte, from int) {
			for ; len(dst) > 0; dst = dst[8:] {
				binary.LittleEndian.PutUint64(dst, uint64(from))
				from++
			}
		})
		return
	}
	if e.strings != nil {
		e.text(valuationStringsPrefix, len(e.strings), func(i int) []byte { return []byte(e.strings[i]) })
	}
	e.array(valuationMember, v.Len(), e.stride, func(dst []byte, from int) error {
		piece := dst[:0]
		for s := from; len(piece) < len(dst); s++ {
			var err error
			if piece, err = e.appendRecord(piece, v, uint32(s)); err != nil {
				return err
			}
		}
		return nil
	})
}

// appendRecord packs the values of a state, least significant bit first.
func (e *encoder) appendRecord(piece []byte, v *sparse.Valuation, s uint32) ([]byte, error) {
	pending, have := uint64(0), 0
	for i := range e.layout {
		x := &e.layout[i]
		value := v.Stored(s, i)
		switch {
		case x.Type == sparse.StringVariable && value >= uint64(len(x.Strings)):
			return nil, fmt.Errorf("state #%d: variable %q is string %d, but has only %d", s, x.Name, value, len(x.Strings))
		case x.Type == sparse.StringVariable:
			value += e.base[i]
		case x.Type == sparse.IntVariable && value > uint64(math.MaxInt64)-uint64(x.Lower):
			return nil, fmt.Errorf("state #%d: variable %q is %d + %d, more than an int64 holds", s, x.Name, x.Lower, value)
		}
		for left := x.Bits; left > 0; {
			take := min(64-have, left)
			pending |= value & (math.MaxUint64 >> (64 - take)) << have
			value >>= take
			left -= take
			if have += take; have == 64 {
				piece = binary.LittleEndian.AppendUint64(piece, pending)
				pending, have = 0, 0
			}
		}
	}
	for ; have > 0; have -= 8 {
		piece = append(piece, byte(pending))
		pending >>= 8
	}
	return piece, nil
}
