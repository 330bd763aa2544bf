package text

import (
	"bytes"
	"math"
	"math/bits"
	"slices"
	"strconv"

	"offswitch/sparse"
	"offswitch/sparse/internal/pieces"
)

// integers is a list of numbers in as many bytes each as the longest one takes.
type integers struct {
	width int // bytes: 0 while the list is empty, then 1, 2, 4 or 8
	data  []byte
}

func (x *integers) len() int { return len(x.data) / max(x.width, 1) }

func (x *integers) at(i int) int64 {
	switch b := x.data[i*x.width:]; x.width {
	case 1:
		return int64(int8(b[0]))
	case 2:
		return int64(int16(uint16(b[0]) | uint16(b[1])<<8))
	case 4:
		return int64(int32(uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24))
	default:
		return int64(uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56)
	}
}

func (x *integers) append(v int64) {
	if unused := 64 - 8*x.width; v<<unused>>unused != v || x.width == 0 {
		x.widen(v)
	}
	for range x.width {
		x.data = append(x.data, byte(v))
		v >>= 8
	}
}

// widen makes room for v in every number.
func (x *integers) widen(v int64) {
	old := *x
	x.width = 1
	for v != v<<(64-8*x.width)>>(64-8*x.width) || x.width < old.width {
		x.width *= 2
	}
	x.data = make([]byte, 0, x.width*old.len()+16)
	for i := range old.len() {
		x.append(old.at(i))
	}
}

// extend appends numbers to a list that will have so many in all.
func (x *integers) extend(y *integers, all int) {
	if x.width == 0 {
		x.width = y.width
	}
	x.data = room(x.data, y.len()*x.width, uint64(all*x.width))
	if x.width == y.width {
		x.data = append(x.data, y.data...)
		return
	}
	for i := range y.len() {
		x.append(y.at(i))
	}
}

// Values collects the values of variables, state by state, as text, and finds the types: int or
// bool where every value reads so and writes back to the same text, string otherwise.
type Values struct {
	names   []string
	columns []valueColumn
}

// valueColumn has the values of one variable: numbers, 0 and 1 for bools, positions for strings.
type valueColumn struct {
	kind    sparse.VariableType
	numbers integers
	strings Words
}

// NewValues returns an empty collection for variables of those names.
func NewValues(names []string) *Values {
	return &Values{names: names, columns: make([]valueColumn, len(names))}
}

// Reset empties the collection.
func (v *Values) Reset() {
	for i := range v.columns {
		c := &v.columns[i]
		*c = valueColumn{numbers: integers{width: c.numbers.width, data: c.numbers.data[:0]}}
	}
}

// Len returns the number of states whose values are complete.
func (v *Values) Len() int { return v.columns[len(v.columns)-1].numbers.len() }

// Add adds the value that a variable has in the next state.
func (v *Values) Add(variable int, value []byte) {
	c := &v.columns[variable]
	kind, number := classify(value)
	if kind != c.kind {
		c.setKind(kind)
	}
	if c.kind == sparse.StringVariable {
		number = int64(c.strings.Find(value))
	}
	c.numbers.append(number)
}

// setKind makes room for values of another kind: a column has one from its first value on, and
// becomes one of strings when there is a second one.
func (c *valueColumn) setKind(kind sparse.VariableType) {
	if c.numbers.len() == 0 {
		c.kind = kind
	} else if c.kind != sparse.StringVariable {
		c.toStrings()
	}
}

// classify returns the kind of a value and, unless that is a string, its number.
func classify(value []byte) (sparse.VariableType, int64) {
	digits := value
	negative := len(digits) > 0 && digits[0] == '-'
	if negative {
		digits = digits[1:]
	}
	if n := len(digits); n > 0 && n < 19 && (digits[0] != '0' || n == 1 && !negative) {
		number := int64(0)
		for i := 0; i < n; i++ {
			c := digits[i] - '0'
			if c > 9 {
				return classifyWord(value)
			}
			number = 10*number + int64(c)
		}
		if negative {
			number = -number
		}
		return sparse.IntVariable, number
	}
	return classifyWord(value)
}

// classifyWord is classify for what is no number of 18 digits or less.
func classifyWord(value []byte) (sparse.VariableType, int64) {
	switch string(value) {
	case "true":
		return sparse.BoolVariable, 1
	case "false":
		return sparse.BoolVariable, 0
	}
	if len(value) < 19 {
		return sparse.StringVariable, 0
	}
	if n, err := strconv.ParseInt(string(value), 10, 64); err == nil && strconv.FormatInt(n, 10) == string(value) {
		return sparse.IntVariable, n
	}
	return sparse.StringVariable, 0
}

// appendValue appends the text of a value.
func (c *valueColumn) appendValue(dst []byte, i int) []byte {
	switch x := c.numbers.at(i); c.kind {
	case sparse.BoolVariable:
		return strconv.AppendBool(dst, x != 0)
	case sparse.IntVariable:
		return strconv.AppendInt(dst, x, 10)
	default:
		return append(dst, c.strings.At(uint32(x))...)
	}
}

// toStrings turns a column of ints or bools into one of strings.
func (c *valueColumn) toStrings() {
	old := *c
	*c = valueColumn{kind: sparse.StringVariable}
	var text []byte
	for i := range old.numbers.len() {
		text = old.appendValue(text[:0], i)
		c.numbers.append(int64(c.strings.Find(text)))
	}
}

// Join adds the values of the next piece, which are of the same variables and may change, to those of
// so many states in all.
func (v *Values) Join(piece *Values, states int) {
	for i := range v.columns {
		v.columns[i].join(&piece.columns[i], states)
	}
}

func (c *valueColumn) join(piece *valueColumn, states int) {
	if piece.numbers.len() == 0 {
		return
	}
	if c.kind != piece.kind {
		c.setKind(piece.kind)
	}
	if c.kind != piece.kind {
		piece.toStrings()
	}
	if c.kind != sparse.StringVariable {
		c.numbers.extend(&piece.numbers, states)
		return
	}
	for i := range piece.numbers.len() {
		c.numbers.append(int64(c.strings.Find([]byte(piece.strings.At(uint32(piece.numbers.at(i)))))))
	}
}

func (c *valueColumn) variable(name string) sparse.Variable {
	switch c.kind {
	case sparse.BoolVariable:
		return sparse.Variable{Name: name, Type: c.kind, Bits: 1}
	case sparse.StringVariable:
		strings := c.strings.list
		return sparse.Variable{Name: name, Type: c.kind, Bits: max(1, bits.Len(uint(len(strings)-1))), Strings: strings}
	}
	lower, upper := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range c.numbers.len() {
		x := c.numbers.at(i)
		lower, upper = min(lower, x), max(upper, x)
	}
	return sparse.IntRange(name, lower, upper)
}

// Pack returns the values of all states, packed. It fails on a variable name that is empty or used
// twice.
func (v *Values) Pack() (sparse.Names, error) {
	variables := make([]sparse.Variable, len(v.names))
	for i := range v.columns {
		variables[i] = v.columns[i].variable(v.names[i])
	}
	out, err := sparse.NewValuation(variables)
	if err != nil {
		return nil, err
	}
	n, taken, most := v.Len(), 0, max(1, PieceSize/16)
	out.Grow(n)
	type place struct {
		from, to int
		packed   *sparse.Valuation
	}
	take := func(p *place) (bool, error) {
		p.from, p.to = taken, min(taken+most, n)
		taken = p.to
		return p.from < p.to, nil
	}
	pack := func(p *place) {
		p.packed, _ = sparse.NewValuation(variables)
		p.packed.Grow(p.to - p.from)
		stored := make([]uint64, len(variables))
		for s := p.from; s < p.to; s++ {
			for i := range stored {
				stored[i] = uint64(v.columns[i].numbers.at(s) - variables[i].Lower)
			}
			p.packed.Append(stored)
		}
	}
	err = pieces.Run(make([]place, pieces.Places()), take, pack, func(p *place) error {
		out.AppendRecords(p.packed.Records())
		return nil
	})
	return out, err
}

// StateNames collects names of states in order: as values of variables while all of them read
// (x=0,y=3) for the same variables, and as texts otherwise. The zero value is empty.
type StateNames struct {
	values *Values // nil: there are none
	texts  *sparse.Texts
}

// Reset empties the collection.
func (x *StateNames) Reset() {
	x.texts = nil
	if x.values != nil {
		x.values.Reset()
	}
}

// Len returns the number of names.
func (x *StateNames) Len() int {
	switch {
	case x.texts != nil:
		return x.texts.Len()
	case x.values != nil:
		return x.values.Len()
	}
	return 0
}

// Add adds the name of the next state. It fails when all the names together pass 4 GiB.
func (x *StateNames) Add(name []byte) error {
	if x.texts == nil {
		n := x.Len()
		if n == 0 {
			x.begin(name)
		}
		if x.values != nil && x.values.addName(name) {
			return nil
		}
		if err := x.toTexts(n); err != nil {
			return err
		}
	}
	return x.texts.Append(string(name))
}

// begin takes the variables from the first name.
func (x *StateNames) begin(name []byte) {
	variables, ok := variableNames(name)
	if !ok {
		x.values = nil
	} else if x.values == nil || !slices.Equal(x.values.names, variables) {
		x.values = NewValues(variables)
	}
}

// toTexts turns the first n names, which are values, to texts.
func (x *StateNames) toTexts(n int) error {
	x.texts = new(sparse.Texts)
	var name []byte
	for s := range n {
		name = x.values.appendName(name[:0], s)
		if err := x.texts.Append(string(name)); err != nil {
			return err
		}
	}
	x.values = nil
	return nil
}

// Join adds the names of the next piece, which may change, to those of so many states in all.
func (x *StateNames) Join(piece *StateNames, states int) error {
	if piece.Len() == 0 {
		return nil
	}
	if piece.values != nil && x.Len() == 0 {
		x.values = NewValues(piece.values.names)
	}
	if piece.values != nil && x.values != nil && slices.Equal(x.values.names, piece.values.names) {
		x.values.Join(piece.values, states)
		return nil
	}
	for _, y := range []*StateNames{x, piece} {
		if y.texts == nil {
			if err := y.toTexts(y.Len()); err != nil {
				return err
			}
		}
	}
	for i := range uint32(piece.texts.Len()) {
		if err := x.texts.Append(string(piece.texts.At(i))); err != nil {
			return err
		}
	}
	return nil
}

// Finish returns the names. The collection must not be used afterwards.
func (x *StateNames) Finish() (sparse.Names, error) {
	if x.texts == nil && x.values != nil {
		if packed, err := x.values.Pack(); err == nil {
			return packed, nil
		}
	}
	if x.texts == nil {
		if err := x.toTexts(x.Len()); err != nil {
			return nil, err
		}
	}
	return x.texts, nil
}

// Inside returns what stands between the parentheses at both ends of b.
func Inside(b []byte) ([]byte, bool) {
	if len(b) < 2 || b[0] != '(' || b[len(b)-1] != ')' {
		return nil, false
	}
	return b[1 : len(b)-1], true
}

func variableNames(name []byte) (names []string, ok bool) {
	inner, ok := Inside(name)
	if !ok || len(inner) == 0 {
		return nil, false
	}
	for part := range bytes.SplitSeq(inner, []byte(",")) {
		variable, _, ok := bytes.Cut(part, []byte("="))
		if !ok {
			return nil, false
		}
		names = append(names, string(variable))
	}
	return names, true
}

// addName adds the values of the next state by its name. It reports false, having added some of
// them perhaps, when the name is not of these variables.
func (v *Values) addName(name []byte) bool {
	rest, ok := Inside(name)
	if !ok {
		return false
	}
	for i, variable := range v.names {
		n := len(variable)
		if i > 0 {
			if len(rest) == 0 || rest[0] != ',' {
				return false
			}
			rest = rest[1:]
		}
		if len(rest) <= n || string(rest[:n]) != variable || rest[n] != '=' {
			return false
		}
		rest = rest[n+1:]
		end := 0
		for end < len(rest) && rest[end] != ',' {
			end++
		}
		v.Add(i, rest[:end])
		rest = rest[end:]
	}
	return len(rest) == 0
}

// appendName appends the name of a state.
func (v *Values) appendName(dst []byte, state int) []byte {
	dst = append(dst, '(')
	for i := range v.columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(dst, v.names[i]...), '=')
		dst = v.columns[i].appendValue(dst, state)
	}
	return append(dst, ')')
}
