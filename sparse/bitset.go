package sparse

import "math/bits"

// Bitset is a set of indices, one bit each, 64 to a word, least significant bit first (the
// layout of UMB's bitsets). The zero value of length Words(n) is the empty set over 0..n-1.
type Bitset []uint64

// NewBitset returns the empty set over 0..n-1.
func NewBitset(n int) Bitset { return make(Bitset, (n+63)/64) }

// Has reports whether i is in the set. It panics when i is beyond the set's universe.
func (b Bitset) Has(i uint32) bool { return b[i>>6]&(1<<(i&63)) != 0 }

// Set puts i into the set.
func (b Bitset) Set(i uint32) { b[i>>6] |= 1 << (i & 63) }

// Clear takes i out of the set.
func (b Bitset) Clear(i uint32) { b[i>>6] &^= 1 << (i & 63) }

// Count returns the number of elements.
func (b Bitset) Count() int {
	n := 0
	for _, w := range b {
		n += bits.OnesCount64(w)
	}
	return n
}

// All iterates over the elements in increasing order.
func (b Bitset) All() func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for i, w := range b {
			for w != 0 {
				if !yield(uint32(i*64 + bits.TrailingZeros64(w))) {
					return
				}
				w &= w - 1
			}
		}
	}
}

// First returns the least element, or None when the set is empty.
func (b Bitset) First() uint32 {
	for s := range b.All() {
		return s
	}
	return None
}

// Complement returns the set of those of 0..n-1 that are not in the set, which is over as many.
func (b Bitset) Complement(n int) Bitset {
	out := make(Bitset, len(b))
	for i, w := range b {
		out[i] = ^w
	}
	if n%64 != 0 {
		out[len(out)-1] &= 1<<(n%64) - 1
	}
	return out
}

// Fill makes the set that of all of 0..n-1, which it is over.
func (b Bitset) Fill(n int) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	if n%64 != 0 {
		b[len(b)-1] = 1<<(n%64) - 1
	}
}

// Clone returns a copy.
func (b Bitset) Clone() Bitset { return append(Bitset(nil), b...) }
