package text

import (
	"bytes"
	"math"
	"math/bits"
	"strconv"

	"offswitch/sparse"
)

// Values collects the values of variables, state by state, as text, and finds the types: int or
// bool where every value reads so and writes back to the same text, string otherwise.
type Values struct {
	names   []string
	columns []valueColumn
}

// valueColumn has the values of one variable: numbers, 0 and 1 for bools, positions for strings.
type valueColumn struct {
	kind    sparse.VariableType
	started bool
	narrow  []int32
	wide    []int64 // instead of narrow, once a value needs it
	ids     map[string]int64
	strings []string
}

// NewValues returns an empty collection for variables of those names.
func NewValues(names []string) *Values {
	return &Values{names: names, columns: make([]valueColumn, len(names))}
}

// Add adds the value that a variable has in the next state.
func (v *Values) Add(variable int, value []byte) {
	c := &v.columns[variable]
	kind, number := classify(value)
	if !c.started {
		c.kind, c.started = kind, true
	}
	if kind != c.kind && c.kind != sparse.StringVariable {
		c.toStrings()
	}
	if c.kind == sparse.StringVariable {
		number = c.intern(value)
	}
	c.append(number)
}

func classify(value []byte) (sparse.VariableType, int64) {
	switch {
	case string(value) == "true":
		return sparse.BoolVariable, 1
	case string(value) == "false":
		return sparse.BoolVariable, 0
	}
	digits := value
	if len(digits) > 0 && digits[0] == '-' {
		digits = digits[1:]
	}
	canonical := len(digits) == 1 || len(digits) > 1 && digits[0] != '0'
	if !canonical || len(digits) > 19 || string(value) == "-0" {
		return sparse.StringVariable, 0
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil || value[0] == '+' {
		return sparse.StringVariable, 0
	}
	return sparse.IntVariable, n
}

func (c *valueColumn) append(number int64) {
	if c.wide == nil && number == int64(int32(number)) {
		c.narrow = append(c.narrow, int32(number))
		return
	}
	if c.wide == nil {
		c.wide = make([]int64, len(c.narrow), 2*len(c.narrow)+16)
		for i, x := range c.narrow {
			c.wide[i] = int64(x)
		}
		c.narrow = nil
	}
	c.wide = append(c.wide, number)
}

func (c *valueColumn) at(i int) int64 {
	if c.wide != nil {
		return c.wide[i]
	}
	return int64(c.narrow[i])
}

func (c *valueColumn) len() int { return len(c.narrow) + len(c.wide) }

func (c *valueColumn) intern(value []byte) int64 {
	if id, ok := c.ids[string(value)]; ok {
		return id
	}
	if c.ids == nil {
		c.ids = make(map[string]int64)
	}
	id := int64(len(c.strings))
	c.strings = append(c.strings, string(value))
	c.ids[string(value)] = id
	return id
}

// toStrings turns a column of ints or bools into one of strings.
func (c *valueColumn) toStrings() {
	old := *c
	c.kind, c.narrow, c.wide = sparse.StringVariable, nil, nil
	var text []byte
	for i := range old.len() {
		if old.kind == sparse.BoolVariable {
			text = strconv.AppendBool(text[:0], old.at(i) != 0)
		} else {
			text = strconv.AppendInt(text[:0], old.at(i), 10)
		}
		c.append(c.intern(text))
	}
}

func (c *valueColumn) variable(name string) sparse.Variable {
	switch c.kind {
	case sparse.BoolVariable:
		return sparse.Variable{Name: name, Type: c.kind, Bits: 1}
	case sparse.StringVariable:
		return sparse.Variable{Name: name, Type: c.kind, Bits: max(1, bits.Len(uint(len(c.strings)-1))), Strings: c.strings}
	}
	lower, upper := int64(math.MaxInt64), int64(math.MinInt64)
	for i := range c.len() {
		lower, upper = min(lower, c.at(i)), max(upper, c.at(i))
	}
	return sparse.IntRange(name, lower, upper)
}

// Names returns the values of all states, packed. It fails on a variable name that is empty or
// used twice.
func (v *Values) Names() (sparse.Names, error) {
	variables := make([]sparse.Variable, len(v.names))
	for i := range v.columns {
		variables[i] = v.columns[i].variable(v.names[i])
	}
	out, err := sparse.NewValuation(variables)
	if err != nil {
		return nil, err
	}
	n := v.columns[0].len()
	out.Grow(n)
	stored := make([]uint64, len(variables))
	for s := range n {
		for i := range stored {
			stored[i] = uint64(v.columns[i].at(s) - variables[i].Lower)
		}
		out.Append(stored)
	}
	return out, nil
}

// Compact returns a valuation that gives every state the same name as texts do, when all of them
// read (x=0,y=3) for the same variables, and texts itself otherwise.
func Compact(texts *sparse.Texts) sparse.Names {
	if texts.Len() == 0 {
		return texts
	}
	names, ok := variableNames(texts.At(0))
	if !ok {
		return texts
	}
	values := NewValues(names)
	for s := range uint32(texts.Len()) {
		if !values.addName(texts.At(s)) {
			return texts
		}
	}
	packed, err := values.Names()
	if err != nil {
		return texts
	}
	return packed
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

func (v *Values) addName(name []byte) bool {
	rest, ok := Inside(name)
	for i, variable := range v.names {
		if !ok || len(rest) <= len(variable) || string(rest[:len(variable)]) != variable || rest[len(variable)] != '=' {
			return false
		}
		var value []byte
		value, rest, ok = bytes.Cut(rest[len(variable)+1:], []byte(","))
		v.Add(i, value)
	}
	return !ok // nothing follows the last value
}
