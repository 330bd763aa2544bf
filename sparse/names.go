package sparse

import (
	"fmt"
	"hash/maphash"
	"math"
	"strconv"
	"strings"

	"offswitch/sparse/csr"
)

// Names gives each state its name. Implementations store names compactly (one block of text, or
// the packed values of a model's variables) and write them out on demand.
type Names interface {
	// Len returns the number of states named.
	Len() int
	// AppendName appends the name of a state to dst.
	AppendName(dst []byte, state uint32) []byte
}

// Texts is a list of explicit names in one block of text. Its zero value is the empty list.
type Texts struct {
	text []byte
	end  []uint32 // end[i] is where name i ends in text
}

// Append adds a name. It fails when all the names together would pass 4 GiB.
func (t *Texts) Append(name string) error {
	if len(t.text)+len(name) > math.MaxUint32 {
		return fmt.Errorf("state names take more than 4 GiB of text")
	}
	t.text = append(t.text, name...)
	t.end = append(t.end, uint32(len(t.text)))
	return nil
}

// Len returns the number of names.
func (t *Texts) Len() int { return len(t.end) }

// At returns name i without copying it; callers must not modify it.
func (t *Texts) At(i uint32) []byte {
	from := uint32(0)
	if i > 0 {
		from = t.end[i-1]
	}
	return t.text[from:t.end[i]:t.end[i]]
}

// AppendName appends name i to dst.
func (t *Texts) AppendName(dst []byte, i uint32) []byte { return append(dst, t.At(i)...) }

// VariableType is the type of one variable of a valuation.
type VariableType uint8

// The variable types of UMB that fit 64 bits.
const (
	BoolVariable   VariableType = iota // 0 or 1
	IntVariable                        // Lower plus the stored unsigned value
	DoubleVariable                     // an IEEE-754 double
	StringVariable                     // a position in Strings
)

// Variable describes one variable of a valuation and how its value is packed.
type Variable struct {
	Name    string
	Type    VariableType
	Bits    int      // stored bits, 1 to 64; 64 for a DoubleVariable
	Lower   int64    // IntVariable: the value stored as 0
	Strings []string // StringVariable: the values
}

// IntRange returns a variable that holds lower..upper in as few bits as that takes.
func IntRange(name string, lower, upper int64) Variable {
	if lower > upper {
		panic("sparse: IntRange from a greater to a smaller number")
	}
	bits := 1
	for span := uint64(upper - lower); bits < 64 && span>>bits != 0; bits++ {
	}
	return Variable{Name: name, Type: IntVariable, Bits: bits, Lower: lower}
}

// Valuation names states by the values of variables, packed to whole bytes a state; the name of a
// state reads (x=0,y=3).
type Valuation struct {
	variables []Variable
	offset    []int // first bit of each variable in a record
	stride    int   // bytes a state
	length    int
	data      []byte
}

// NewValuation returns an empty valuation over the variables. It fails on a variable without a
// name, a name used twice, and a width out of range.
func NewValuation(variables []Variable) (*Valuation, error) {
	v := &Valuation{variables: variables, offset: make([]int, len(variables))}
	seen := make(map[string]bool)
	bits := 0
	for i, x := range variables {
		switch {
		case x.Name == "":
			return nil, fmt.Errorf("variable %d has no name", i)
		case seen[x.Name]:
			return nil, fmt.Errorf("variable %q stands twice", x.Name)
		case x.Bits < 1 || x.Bits > 64:
			return nil, fmt.Errorf("variable %q has %d bits, want 1 to 64", x.Name, x.Bits)
		case x.Type == DoubleVariable && x.Bits != 64:
			return nil, fmt.Errorf("variable %q of type double has %d bits, want 64", x.Name, x.Bits)
		}
		seen[x.Name] = true
		v.offset[i] = bits
		bits += x.Bits
	}
	v.stride = (bits + 7) / 8
	return v, nil
}

// Variables returns the variables. Callers must not modify them.
func (v *Valuation) Variables() []Variable { return v.variables }

// Len returns the number of states valued.
func (v *Valuation) Len() int { return v.length }

// Bytes returns the memory that the values take.
func (v *Valuation) Bytes() int { return cap(v.data) }

// Grow makes room for n more states.
func (v *Valuation) Grow(n int) {
	if need := len(v.data) + n*v.stride; need > cap(v.data) {
		v.data = append(make([]byte, 0, need), v.data...)
	}
}

// Append adds one state by the stored form of its values, one for each variable: for an
// IntVariable the value less Lower, for a DoubleVariable math.Float64bits.
func (v *Valuation) Append(stored []uint64) {
	if len(stored) != len(v.variables) {
		panic("sparse: Valuation.Append with the wrong number of values")
	}
	base := len(v.data)
	for range v.stride {
		v.data = append(v.data, 0)
	}
	v.put(v.data[base:], stored)
	v.length++
}

// put packs values into a record of zeros.
func (v *Valuation) put(record []byte, stored []uint64) {
	for i, x := range stored {
		at := v.offset[i]
		for left := v.variables[i].Bits; left > 0; {
			take := min(8-at&7, left)
			record[at>>3] |= byte(x&(1<<take-1)) << (at & 7)
			x >>= take
			at += take
			left -= take
		}
	}
}

// fill makes an empty valuation one of n states, whose stored values set writes to dst; it is called
// from so many goroutines at once.
func (v *Valuation) fill(workers, n int, set func(state int, dst []uint64)) {
	v.data, v.length = make([]byte, n*v.stride), n
	csr.Share(workers, n, func(lo, hi int) {
		stored := make([]uint64, len(v.variables))
		for s := lo; s < hi; s++ {
			set(s, stored)
			v.put(v.data[s*v.stride:][:v.stride], stored)
		}
	})
}

// Records returns the packed values of all states: the bits of each variable follow those of the
// one before, from the least significant bit of the first byte on, and each state begins a new
// byte. Callers must not modify them.
func (v *Valuation) Records() []byte { return v.data }

// AppendRecords adds states by their packed values, as Records returns them.
func (v *Valuation) AppendRecords(records []byte) {
	if v.stride == 0 || len(records)%v.stride != 0 {
		panic("sparse: Valuation.AppendRecords with a part of a record")
	}
	v.data = append(v.data, records...)
	v.length += len(records) / v.stride
}

// Stored returns the stored form of a variable's value in a state, as Append took it.
func (v *Valuation) Stored(state uint32, variable int) uint64 {
	record := v.data[int(state)*v.stride:][:v.stride]
	at, x := v.offset[variable], uint64(0)
	for done, bits := 0, v.variables[variable].Bits; done < bits; {
		take := min(8-at&7, bits-done)
		x |= uint64(record[at>>3]>>(at&7)&byte(1<<take-1)) << done
		at += take
		done += take
	}
	return x
}

// AppendValue appends the text of a variable's value in a state to dst.
func (v *Valuation) AppendValue(dst []byte, state uint32, variable int) []byte {
	x := &v.variables[variable]
	stored := v.Stored(state, variable)
	switch x.Type {
	case BoolVariable:
		return strconv.AppendBool(dst, stored != 0)
	case DoubleVariable:
		return strconv.AppendFloat(dst, math.Float64frombits(stored), 'g', -1, 64)
	case StringVariable:
		if stored < uint64(len(x.Strings)) {
			return append(dst, x.Strings[stored]...)
		}
		return append(dst, '?')
	}
	return strconv.AppendInt(dst, x.Lower+int64(stored), 10)
}

// AppendName appends the name of a state, (x=0,y=3), to dst.
func (v *Valuation) AppendName(dst []byte, state uint32) []byte {
	dst = append(dst, '(')
	for i := range v.variables {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, v.variables[i].Name...)
		dst = append(dst, '=')
		dst = v.AppendValue(dst, state, i)
	}
	return append(dst, ')')
}

// canonical drops the variable names from a valuation's name, (x=0,y=3) to (0,3), so that both
// forms find the same state.
func (v *Valuation) canonical(name string) string {
	rest := name
	values := make([]string, 0, len(v.variables))
	for i := range v.variables {
		before, after, ok := strings.Cut(rest, v.variables[i].Name+"=")
		switch {
		case !ok || i == 0 && before != "(":
			return name
		case i > 0:
			if before, ok = strings.CutSuffix(before, ","); !ok {
				return name
			}
			values = append(values, before)
		}
		rest = after
	}
	last, ok := strings.CutSuffix(rest, ")")
	if !ok {
		return name
	}
	return "(" + strings.Join(append(values, last), ",") + ")"
}

// appendShort appends the name of a state without variable names, (0,3).
func (v *Valuation) appendShort(dst []byte, state uint32) []byte {
	dst = append(dst, '(')
	for i := range v.variables {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = v.AppendValue(dst, state, i)
	}
	return append(dst, ')')
}

// nameIndex finds states by name: open addressing over state indices, 8 to 16 bytes a state.
type nameIndex struct {
	seed maphash.Seed
	slot []uint32 // 1 + state
	text func(dst []byte, state uint32) []byte
}

// newNameIndex indexes the names of states 0..n-1. When two states share a name it also returns
// the first such pair in order of the second state, otherwise None twice.
func newNameIndex(n int, text func([]byte, uint32) []byte) (x *nameIndex, first, second uint32) {
	size := 16
	for size < 2*n {
		size *= 2
	}
	x = &nameIndex{seed: maphash.MakeSeed(), slot: make([]uint32, size), text: text}
	first, second = None, None
	var name, other []byte
	for s := range uint32(n) {
		name = text(name[:0], s)
		h := maphash.Bytes(x.seed, name) & uint64(size-1)
		for ; x.slot[h] != 0; h = (h + 1) & uint64(size-1) {
			if second != None {
				continue
			}
			if other = text(other[:0], x.slot[h]-1); string(other) == string(name) {
				first, second = x.slot[h]-1, s
			}
		}
		x.slot[h] = s + 1
	}
	return x, first, second
}

// find returns the first two states of that name, None where there is none.
func (x *nameIndex) find(name string) (first, second uint32) {
	first, second = None, None
	var text []byte
	size := uint64(len(x.slot))
	for h := maphash.String(x.seed, name) & (size - 1); x.slot[h] != 0; h = (h + 1) & (size - 1) {
		text = x.text(text[:0], x.slot[h]-1)
		if string(text) != name {
			continue
		}
		if first != None {
			return first, x.slot[h] - 1
		}
		first = x.slot[h] - 1
	}
	return first, second
}
