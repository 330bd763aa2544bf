package umb

import (
	"encoding/binary"
	"fmt"
	"math"

	"offswitch/sparse"
)

// maxRecord is the most bytes that the values of one state may take.
const maxRecord = 256 << 10

// field is where a variable stands in the record of a state, and how its bits become the stored
// form of a sparse.Valuation.
type field struct {
	at, bits uint64
	flip     uint64 // exclusive or: turns two's complement into an unsigned number
	most     uint64 // greatest stored form
}

// load returns the field's stored form. Eight bytes beyond the record must be readable.
func (f *field) load(record []byte) uint64 {
	if f.bits == 0 {
		return 0
	}
	at := record[f.at>>3:]
	x := binary.LittleEndian.Uint64(at) >> (f.at & 7)
	if f.at&7+f.bits > 64 {
		x |= uint64(at[8]) << (64 - f.at&7)
	}
	return x&(math.MaxUint64>>(64-f.bits)) ^ f.flip
}

// valuationDecoder reads the valuations of states.
type valuationDecoder struct {
	fields    []field
	variables []sparse.Variable
	stride    int // bytes a record
	width     int // bytes a state in values
	strings   stringTable
	hasText   bool // some variable is a string
	packed    bool // records are as a sparse.Valuation packs them, whatever the values
	mask      byte // of the last byte of a record, then: what is not padding
	explicit  bool // so far the valuation stands for explicit names
	values    *sparse.Valuation
}

// records is what becomes of a piece of a valuation.
type records struct {
	explicit bool   // state i has string i, and values are none
	values   []byte // packed as in a sparse.Valuation
	stored   []uint64
}

func (d *decoder) prepareValuation() error {
	if d.index.Valuations == nil || d.index.Valuations.States == nil {
		return nil
	}
	info := d.index.Valuations.States
	v, err := newValuationDecoder(info)
	if err != nil {
		return fmt.Errorf("valuations of states: %w", err)
	}
	if len(v.variables) == 0 {
		return nil
	}
	v.explicit = v.explicit && *info.Strings == d.states
	d.valuation = v
	d.handlers[valuationMember] = func(m *member) error { return v.read(m, d.states) }
	if v.hasText {
		d.handlers[valuationStringsPrefix+stringStartSuffix] = func(m *member) error {
			return v.strings.readStarts(m, *info.Strings)
		}
		d.handlers[valuationStringsPrefix+stringTextSuffix] = v.strings.readText
	}
	return nil
}

// newValuationDecoder lays the fields out. It fails on what a sparse.Valuation cannot hold.
func newValuationDecoder(info *valuationInfo) (*valuationDecoder, error) {
	if len(info.Classes) != 1 {
		return nil, fmt.Errorf("%d classes, want one", len(info.Classes))
	}
	v := &valuationDecoder{}
	at, width := uint64(0), 0
	for _, x := range info.Classes[0].Variables {
		if x.Padding > 0 {
			if x.Padding > 8*maxRecord {
				return nil, fmt.Errorf("padding of %d bits, more than the limit of %d", x.Padding, 8*maxRecord)
			}
			at += x.Padding
			continue
		}
		f, y, err := convertVariable(&x, info.Strings)
		if err != nil {
			return nil, fmt.Errorf("variable %q %w", x.Name, err)
		}
		f.at = at
		at += f.bits
		width += y.Bits
		v.fields, v.variables = append(v.fields, f), append(v.variables, y)
		v.hasText = v.hasText || y.Type == sparse.StringVariable
	}
	if at%8 != 0 || at > 8*maxRecord {
		return nil, fmt.Errorf("a state takes %d bits, want a multiple of 8 up to %d", at, 8*maxRecord)
	}
	v.stride, v.width = int(at/8), (width+7)/8
	v.packed, v.mask = v.stride == v.width, 0xff>>(8*v.width-width)
	for i, at := 0, uint64(0); i < len(v.fields); i++ {
		f := &v.fields[i]
		v.packed = v.packed && f.at == at && f.bits > 0 && f.flip == 0 && f.most >= math.MaxUint64>>(64-f.bits)
		at += f.bits
	}
	v.explicit = info.Unique && v.stride == 8 && len(v.variables) == 1 && v.hasText && v.variables[0].Name == textVariable
	var err error
	v.values, err = sparse.NewValuation(v.variables)
	return v, err
}

// convertVariable returns a variable and its field, which has no position yet. Errors continue
// a sentence that begins with the variable.
func convertVariable(x *variable, strings *uint64) (f field, y sparse.Variable, err error) {
	f.most = math.MaxUint64
	switch {
	case x.Type == nil:
		return f, y, fmt.Errorf("has no type")
	case x.Optional:
		return f, y, fmt.Errorf("is optional, which is not supported")
	case x.Type.bits() > 64:
		return f, y, fmt.Errorf("is %v, want at most 64", x.Type)
	case x.Type.bits() == 0 && x.Type.Type != "int" && x.Type.Type != "uint":
		return f, y, fmt.Errorf("is %v, want at least 1", x.Type)
	case x.Offset != nil && x.Type.Type != "int" && x.Type.Type != "uint":
		return f, y, fmt.Errorf("is %v and has an offset, want none", x.Type)
	}
	f.bits = x.Type.bits()
	y = sparse.Variable{Name: x.Name, Bits: max(1, int(f.bits))}
	if x.Offset != nil {
		y.Lower = *x.Offset
	}
	switch x.Type.Type {
	case "bool":
		y.Type = sparse.BoolVariable
	case "double":
		y.Type = sparse.DoubleVariable
		if f.bits != 64 {
			return f, y, fmt.Errorf("is %v, want 64", x.Type)
		}
	case "string":
		y.Type = sparse.StringVariable
		if strings == nil || *strings == 0 || *strings >= limit {
			return f, y, fmt.Errorf("is a string, want #strings between 1 and %d", uint32(limit-1))
		}
		f.most = *strings - 1
	case "int", "uint":
		y.Type = sparse.IntVariable
		if x.Type.Type == "int" && f.bits > 0 {
			f.flip = 1 << (f.bits - 1)
			lower := y.Lower - int64(f.flip)
			if f.bits < 64 && lower > y.Lower || f.bits == 64 && y.Lower != 0 {
				return f, y, fmt.Errorf("is %v with offset %d, which leaves the range of int64", x.Type, y.Lower)
			}
			y.Lower = lower
		}
		f.most = uint64(math.MaxInt64) - uint64(y.Lower)
	default:
		return f, y, fmt.Errorf("is %v, want bool, int, uint, double or string", x.Type)
	}
	return f, y, nil
}

func (v *valuationDecoder) read(m *member, n uint64) error {
	if err := m.sized(n, uint64(v.stride), "one for each state"); err != nil || v.stride == 0 {
		return err
	}
	explicit, count := v.explicit, uint64(0)
	return m.each(v.stride, func(p *piece) error {
		return v.readRecords(p, explicit)
	}, func(p *piece) error {
		states := uint64(len(p.data) / v.stride)
		if v.explicit && !p.records.explicit {
			v.explicit = false
			v.numbered(0, count)
		}
		if count += states; v.explicit {
			return nil
		}
		if need := int(count) * v.width; need > v.values.Bytes() {
			v.values.Grow(int(min(n-count, max(states, m.budget()/uint64(v.width)))) + int(states))
		}
		if p.records.explicit {
			v.numbered(count-states, count)
		} else {
			v.values.AppendRecords(p.records.values)
		}
		return nil
	})
}

// readRecords converts the records of a piece. While the valuation may stand for explicit names it
// only checks that they do.
func (v *valuationDecoder) readRecords(p *piece, explicit bool) error {
	r := &p.records
	if r.explicit = explicit; explicit {
		for i, data := p.first, p.data; len(data) > 0 && r.explicit; i, data = i+1, data[8:] {
			r.explicit = binary.LittleEndian.Uint64(data) == i
		}
	}
	if v.packed || r.explicit {
		r.values = p.data
		for i := v.stride - 1; i < len(p.data); i += v.stride {
			p.data[i] &= v.mask
		}
		return nil
	}
	values, err := sparse.NewValuation(v.variables)
	if err != nil {
		return err
	}
	values.Grow(len(p.data) / v.stride)
	r.stored = resize(r.stored, len(v.fields))
	data := p.data[:len(p.data)+slack]
	for state := p.first; len(data) > slack; state++ {
		for i := range v.fields {
			f := &v.fields[i]
			x := f.load(data)
			if x > f.most {
				return v.outOfRange(state, i, x)
			}
			r.stored[i] = x
		}
		values.Append(r.stored)
		data = data[v.stride:]
	}
	r.values = values.Records()
	return nil
}

func (v *valuationDecoder) outOfRange(state uint64, i int, stored uint64) error {
	x := &v.variables[i]
	if x.Type == sparse.StringVariable {
		return fmt.Errorf("state #%d: variable %q is string %d, want at most %d", state, x.Name, stored, v.fields[i].most)
	}
	return fmt.Errorf("state #%d: variable %q is %d + %d, more than an int64 holds", state, x.Name, x.Lower, stored)
}

// numbered adds the states from..to-1, each of which has the string of its number.
func (v *valuationDecoder) numbered(from, to uint64) {
	for s := from; s < to; s++ {
		v.values.Append([]uint64{s})
	}
}

// finish returns the names of the states.
func (v *valuationDecoder) finish(d *decoder) (sparse.Names, error) {
	if !d.seen[valuationMember] {
		if v.stride > 0 {
			return nil, fmt.Errorf("%s is missing", valuationMember)
		}
	}
	if v.stride == 0 {
		stored := make([]uint64, len(v.variables))
		for range d.states {
			v.values.Append(stored)
		}
	}
	if !v.hasText {
		return v.values, nil
	}
	if err := v.strings.check(valuationStringsPrefix); err != nil {
		return nil, err
	}
	if v.explicit {
		names := new(sparse.Texts)
		for i := range v.strings.len() {
			if err := names.Append(string(v.strings.at(i))); err != nil {
				return nil, err
			}
		}
		return names, nil
	}
	strings := v.strings.strings()
	for i := range v.variables { // the valuation's own: they are the same slice
		if v.variables[i].Type == sparse.StringVariable {
			v.variables[i].Strings = strings
		}
	}
	return v.values, nil
}
