package sparse

import (
	"math"
	"math/bits"
	"sync/atomic"
)

// weights holds the probabilities of all choices. The probabilities of one choice, in the order of its
// branches, are its row. Most models have few different rows, and then a choice takes one byte or two,
// and a sweep loads nothing else for a choice but its targets. Zero for a model whose choices are all
// certain.
type weights struct {
	pool   []float64 // the different rows, each in stride entries, as many as the longest has
	stride int
	narrow []uint8   // for each choice which row is its own; nil when there are too many rows for that,
	wide   []uint16  // and then this
	raw    []float64 // for each branch, where rows are too different to share
}

// certain is the row of a choice in a model where all are like that.
var certain = []float64{1}

// Probabilities returns the probabilities of the branches of a choice, in the order of Targets. Callers
// must not modify them.
func (m *MDP) Probabilities(choice uint32) []float64 {
	if m.branchStart == nil {
		return certain
	}
	lo, hi := m.branchStart[choice], m.branchStart[choice+1]
	at := 0
	switch w := &m.weights; {
	case w.raw != nil:
		return w.raw[lo:hi:hi]
	case w.narrow != nil:
		at = int(w.narrow[choice]) * w.stride
	default:
		at = int(w.wide[choice]) * w.stride
	}
	return m.weights.pool[at:][: hi-lo : hi-lo]
}

// CopyProbabilities writes the probabilities of the branches from, from+1, … to dst, up to the end of
// dst or of the branches. O(log choices + len(dst)).
func (m *MDP) CopyProbabilities(dst []float64, from uint32) {
	if m.branchStart == nil {
		for i := range dst[:min(len(dst), len(m.target)-int(from))] {
			dst[i] = 1
		}
		return
	}
	choice := owner(m.branchStart, from)
	skip := from - m.branchStart[choice]
	for ; len(dst) > 0 && int(choice) < m.NumChoices(); choice++ {
		dst = dst[copy(dst, m.Probabilities(choice)[skip:]):]
		skip = 0
	}
}

// room returns weights with the rows of w, for so many choices that take theirs one by one, and so many
// branches.
func (w weights) room(choices, branches int) weights {
	switch {
	case w.narrow != nil:
		w.narrow = make([]uint8, choices)
	case w.wide != nil:
		w.wide = make([]uint16, choices)
	default:
		w.raw = make([]float64, branches)
	}
	return w
}

// take gives the choices from choice on, which have the branches from branch on, the rows of the choices lo
// to hi-1 of m.
func (w *weights) take(m *MDP, lo, hi, choice, branch uint32) {
	switch from := &m.weights; {
	case w.narrow != nil:
		copy(w.narrow[choice:], from.narrow[lo:hi])
	case w.wide != nil:
		copy(w.wide[choice:], from.wide[lo:hi])
	case w.raw != nil:
		copy(w.raw[branch:], from.raw[m.branchStart[lo]:m.branchStart[hi]])
	}
}

// bytes returns the memory that the probabilities take.
func (w *weights) bytes() int {
	return cap(w.narrow) + 2*cap(w.wide) + 8*cap(w.pool) + 8*cap(w.raw)
}

// rowSet numbers different rows in order of first occurrence. Numbers in them are told apart by their
// bits. The zero value is empty.
type rowSet struct {
	slot  []uint32  // open addressing, a power of two long: 1 + number of a row
	start []uint32  // where each row starts in pool, and where the last one ends; empty when there are none
	pool  []float64 // the rows, one after another
}

func (s *rowSet) len() int { return max(len(s.start), 1) - 1 }

func (s *rowSet) row(i uint32) []float64 { return s.pool[s.start[i]:s.start[i+1]] }

// find returns the number of a row, which it adds when it is new.
func (s *rowSet) find(row []float64) uint32 {
	if 2*s.len() >= len(s.slot) {
		s.grow()
	}
	mask := uint64(len(s.slot) - 1)
	h := hashRow(row) & mask
	for ; s.slot[h] != 0; h = (h + 1) & mask {
		if i := s.slot[h] - 1; sameBits(s.row(i), row) {
			return i
		}
	}
	s.slot[h] = s.add(row) + 1
	return s.slot[h] - 1
}

// add returns the number of a row that is known to be new. find does not find it before the next one grows.
func (s *rowSet) add(row []float64) uint32 {
	if len(s.start) == 0 {
		s.start = append(s.start, 0)
	}
	s.pool = append(s.pool, row...)
	s.start = append(s.start, uint32(len(s.pool)))
	return uint32(s.len() - 1)
}

func (s *rowSet) grow() {
	s.slot = make([]uint32, max(64, 2*len(s.slot)))
	mask := uint64(len(s.slot) - 1)
	for i := range uint32(s.len()) {
		h := hashRow(s.row(i)) & mask
		for s.slot[h] != 0 {
			h = (h + 1) & mask
		}
		s.slot[h] = i + 1
	}
}

func hashRow(row []float64) uint64 {
	const odd = 0x9E3779B97F4A7C15
	h := uint64(len(row))
	for _, p := range row {
		h = bits.RotateLeft64((h^math.Float64bits(p))*odd, 29)
	}
	return h * odd >> 32
}

func sameBits(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i, x := range a {
		if math.Float64bits(x) != math.Float64bits(b[i]) {
			return false
		}
	}
	return true
}

// weightsBuilder makes weights of the rows of consecutive pieces of the choices. Rows are numbered as they
// first occur in the model, whichever goroutine comes to them.
type weightsBuilder struct {
	set      rowSet
	weights  weights // without rows
	branches int     // of the choices so far
	various  atomic.Bool
}

const (
	narrowRows = 1 << 8
	wideRows   = 1 << 16
	// Rows are not shared when the different ones have more than half of the branches so far, and
	// fewBranches of them.
	fewBranches = 1 << 16
)

// add adds a piece that has so many branches, of so many choices in all.
func (b *weightsBuilder) add(r *rows, branches, choices int) {
	if b.various.Load() {
		return
	}
	for i := len(r.number); i < r.set.len(); i++ {
		r.number = append(r.number, uint16(b.set.find(r.set.row(uint32(i)))))
	}
	b.branches += branches
	if b.set.len() > wideRows || 2*len(b.set.pool) > b.branches+fewBranches {
		b.weights = weights{}
		b.various.Store(true)
		return
	}
	w := &b.weights
	if b.set.len() <= narrowRows {
		if w.narrow == nil {
			w.narrow = make([]uint8, choices)
		}
		for i, k := range r.of {
			w.narrow[r.lo+uint32(i)] = uint8(r.number[k])
		}
		return
	}
	if w.wide == nil {
		w.wide = make([]uint16, choices)
		for i, k := range w.narrow {
			w.wide[i] = uint16(k)
		}
		w.narrow = nil
	}
	for i, k := range r.of {
		w.wide[r.lo+uint32(i)] = r.number[k]
	}
}

// certain reports whether every choice has one branch, of probability 1.
func (b *weightsBuilder) certain() bool {
	return !b.various.Load() && (b.set.len() == 0 || b.set.len() == 1 && sameBits(b.set.row(0), certain))
}

// finish returns the weights, in whichever way they take less memory; column has the probabilities of all
// branches, and no choice has more of them than most.
func (b *weightsBuilder) finish(column *Floats, most int) weights {
	w, rows := b.weights, b.set.len()
	if b.various.Load() || len(w.narrow)+2*len(w.wide)+8*most*rows > 8*column.Len() {
		if column.raw != nil {
			return weights{raw: trim(column.raw)}
		}
		return weights{raw: column.Dense(0)}
	}
	w.pool, w.stride = make([]float64, most*rows), most
	for i := range rows {
		copy(w.pool[i*most:], b.set.row(uint32(i)))
	}
	return w
}

// row returns entries lo to hi-1, in memory of its own or in scratch.
func (f *Floats) row(lo, hi uint32, scratch []float64) []float64 {
	if f.raw != nil {
		return f.raw[lo:hi]
	}
	scratch = scratch[:hi-lo]
	if f.code == nil {
		for i := range scratch {
			scratch[i] = f.table[0]
		}
		return scratch
	}
	for i, c := range f.code[lo:hi] {
		scratch[i] = f.table[c]
	}
	return scratch
}

// keySet has the numbers of short rows by their keys, so that a row once seen is found without a look at its
// probabilities. It must grow before its first use.
type keySet struct {
	key    []uint64 // open addressing, a power of two long; 0: nothing
	number []uint32 // of the row with that key
	count  int
}

// place returns where a key is or may be put.
func (s *keySet) place(key uint64) int {
	mask := len(s.key) - 1
	h := int(key*0x9E3779B97F4A7C15>>32) & mask
	for s.key[h] != key && s.key[h] != 0 {
		h = (h + 1) & mask
	}
	return h
}

// put adds a key in its place.
func (s *keySet) put(place int, key uint64, number uint32) {
	s.key[place], s.number[place] = key, number
	if s.count++; 2*s.count > len(s.key) {
		s.grow()
	}
}

func (s *keySet) grow() {
	old := *s
	n := max(64, 2*len(old.key))
	s.key, s.number = make([]uint64, n), make([]uint32, n)
	for i, key := range old.key {
		if key != 0 {
			at := s.place(key)
			s.key[at], s.number[at] = key, old.number[i]
		}
	}
}

// key returns what tells entries lo to hi-1 from all others by their codes, 0 where they have none or are
// more than seven.
func (f *Floats) key(lo, hi uint32) uint64 {
	if f.code == nil || hi-lo > 7 {
		return 0
	}
	key := uint64(hi - lo)
	for _, c := range f.code[lo:hi] {
		key = key<<8 | uint64(c)
	}
	return key
}
