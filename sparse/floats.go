package sparse

import "math"

// Floats is a column of float64 stored once per distinct value where that is smaller: a single
// value for a constant column, one byte an entry for up to 256 distinct values, eight bytes an
// entry otherwise. Values are told apart by their bits. The zero value is the empty column.
type Floats struct {
	length int
	table  []float64 // the distinct values; nil when raw is used
	code   []uint8   // position in table of each entry; nil for a constant column
	raw    []float64
}

// RawFloats returns a column that takes values over as they are, uncompressed.
func RawFloats(values []float64) Floats { return Floats{length: len(values), raw: values} }

// ConstantFloats returns a column of n entries that all are v.
func ConstantFloats(n int, v float64) Floats {
	if n == 0 {
		return Floats{}
	}
	return Floats{length: n, table: []float64{v}}
}

// CompressFloats returns the smallest column that holds values; it keeps values itself when they
// have more than 256 distinct bit patterns.
func CompressFloats(values []float64) Floats {
	var b FloatsBuilder
	code := make([]uint8, len(values))
	for i, v := range values {
		bits := math.Float64bits(v)
		at := uint32(b.slot[hashFloat(bits)]) - 1
		if at >= uint32(len(b.column.table)) || math.Float64bits(b.column.table[at]) != bits {
			x, ok := b.find(bits)
			if !ok {
				return RawFloats(values)
			}
			at = uint32(x)
		}
		code[i] = uint8(at)
	}
	if len(b.column.table) <= 1 {
		code = nil
	}
	return Floats{length: len(values), table: b.column.table, code: code}
}

// Len returns the number of entries.
func (f *Floats) Len() int { return f.length }

// At returns entry i.
func (f *Floats) At(i uint32) float64 {
	switch {
	case f.raw != nil:
		return f.raw[i]
	case f.code != nil:
		return f.table[f.code[i]]
	case int(i) < f.length:
		return f.table[0]
	}
	panic("sparse: Floats index out of range")
}

// Constant reports whether every entry has the same value, stored once, and that value. An empty
// column is not constant.
func (f *Floats) Constant() (float64, bool) {
	if f.raw == nil && f.code == nil && f.length > 0 {
		return f.table[0], true
	}
	return 0, false
}

// Dense returns the column as a slice of its own, Len long, zero-filled to n entries when it is shorter.
func (f *Floats) Dense(n int) []float64 {
	out := make([]float64, max(n, f.length))
	f.Copy(out, 0)
	return out
}

// Copy writes entries from, from+1, … into dst, up to the end of either.
func (f *Floats) Copy(dst []float64, from int) {
	n := min(len(dst), f.length-from)
	if n <= 0 {
		return
	}
	dst = dst[:n]
	switch {
	case f.raw != nil:
		copy(dst, f.raw[from:])
	case f.code != nil:
		for i, c := range f.code[from : from+n] {
			dst[i] = f.table[c]
		}
	default:
		for i := range dst {
			dst[i] = f.table[0]
		}
	}
}

// Distinct returns the stored values without repetition, or nil when they are stored raw.
func (f *Floats) Distinct() []float64 { return f.table }

// Bytes returns the memory that the column's entries take.
func (f *Floats) Bytes() int { return 8*cap(f.table) + cap(f.code) + 8*cap(f.raw) }

// Extremes returns the least and the greatest entry; (+Inf, -Inf) for an empty column.
func (f *Floats) Extremes() (least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	values := f.table
	if f.raw != nil {
		values = f.raw
	}
	for _, v := range values {
		least, greatest = min(least, v), max(greatest, v)
	}
	return least, greatest
}

// FloatsBuilder grows a column one entry at a time, switching representation when a value needs
// it. The zero value is ready to use.
type FloatsBuilder struct {
	column Floats
	slot   [512]uint16 // open addressing by bits: 1 + position in table
	last   uint64
	at     uint8 // position in table of last
	limit  int   // expected length, for the first allocation
}

// Expect announces the number of entries to come, to save growing.
func (b *FloatsBuilder) Expect(n int) { b.limit = n }

// Len returns the number of entries so far.
func (b *FloatsBuilder) Len() int { return b.column.length }

// Append adds one entry.
func (b *FloatsBuilder) Append(v float64) {
	c := &b.column
	c.length++
	if c.raw != nil {
		c.raw = append(c.raw, v)
		return
	}
	bits := math.Float64bits(v)
	if len(c.table) > 0 && bits == b.last {
		if c.code != nil {
			c.code = append(c.code, b.at)
		}
		return
	}
	code, ok := b.find(bits)
	if !ok {
		c.length--
		b.spill()
		c.length++
		c.raw = append(c.raw, v)
		return
	}
	b.last, b.at = bits, code
	if c.code == nil && len(c.table) > 1 {
		c.code = make([]uint8, c.length-1, max(b.limit, c.length))
	}
	if c.code != nil {
		c.code = append(c.code, code)
	}
}

// Extend adds all entries of a column, with the same result as one Append for each of them where
// the column's distinct values stand in order of first occurrence, as a FloatsBuilder leaves them.
// It is much faster than that, unless the column is raw and this one is not yet.
func (b *FloatsBuilder) Extend(f *Floats) {
	c, i := &b.column, 0
	for c.raw == nil && f.raw != nil && i < f.length {
		b.Append(f.raw[i])
		i++
	}
	if c.raw == nil && f.raw == nil && b.extendCoded(f) || i == f.length {
		return
	}
	if c.raw == nil {
		b.spill()
	}
	n := len(c.raw)
	b.grow(f.length - i)
	c.raw = c.raw[:n+f.length-i]
	f.Copy(c.raw[n:], i)
	c.length = len(c.raw)
}

// extendCoded adds the entries of a column that is not raw, unless there are too many values.
func (b *FloatsBuilder) extendCoded(f *Floats) bool {
	var to [256]uint8 // code here of each code there
	same := true
	for i, v := range f.table {
		code, ok := b.find(math.Float64bits(v))
		if !ok {
			return false
		}
		to[i] = code
		same = same && int(code) == i
	}
	c := &b.column
	n := c.length
	c.length += f.length
	if n == 0 && f.length > 0 {
		b.last, b.at = math.Float64bits(c.table[0]), 0
	}
	if c.code == nil && len(c.table) <= 1 {
		return true
	}
	b.grow(f.length)
	c.code = c.code[:c.length]
	switch dst := c.code[n:]; {
	case f.code == nil && f.length > 0:
		for i := range dst {
			dst[i] = to[0]
		}
	case same:
		copy(dst, f.code)
	default:
		for i, x := range f.code {
			dst[i] = to[x]
		}
	}
	return true
}

// grow makes room for n more codes, or for n more values where they are raw. The codes of the
// entries so far, when there are none yet, become 0.
func (b *FloatsBuilder) grow(n int) {
	c := &b.column
	if c.raw != nil {
		c.raw = room(c.raw, n, b.limit)
		return
	}
	if c.code == nil {
		c.code = room(c.code, c.length, b.limit)[:c.length-n]
	}
	c.code = room(c.code, n, b.limit)
}

// room returns x with capacity for n more entries, and for limit of them altogether.
func room[T any](x []T, n, limit int) []T {
	if cap(x)-len(x) >= n {
		return x
	}
	return append(make([]T, 0, max(len(x)+n, len(x)+len(x)/4, limit)), x...)
}

// hashFloat returns the slot at which the search for a value begins.
func hashFloat(bits uint64) uint64 { return bits * 0x9E3779B97F4A7C15 >> 55 }

// find returns the position of the value in the table, adding it while there is room.
func (b *FloatsBuilder) find(bits uint64) (uint8, bool) {
	h := hashFloat(bits)
	for b.slot[h] != 0 {
		if at := b.slot[h] - 1; math.Float64bits(b.column.table[at]) == bits {
			return uint8(at), true
		}
		h = (h + 1) & 511
	}
	if len(b.column.table) == 256 {
		return 0, false
	}
	b.column.table = append(b.column.table, math.Float64frombits(bits))
	b.slot[h] = uint16(len(b.column.table))
	return uint8(len(b.column.table) - 1), true
}

func (b *FloatsBuilder) spill() {
	c := &b.column
	raw := make([]float64, c.length, max(b.limit, c.length+1))
	c.Copy(raw, 0)
	*c = Floats{length: c.length, raw: raw}
}

// Column returns the column built so far. The builder must not be used afterwards.
func (b *FloatsBuilder) Column() Floats { return b.column }
