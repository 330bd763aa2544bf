package umb

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"unicode/utf8"
	"unsafe"

	"offswitch/sparse"
	"offswitch/sparse/internal/pieces"
)

// source is what the members of one archive share.
type source struct {
	places  []piece
	arrived uint64 // bytes of array members converted so far
}

func newSource() *source { return &source{places: make([]piece, pieces.Places())} }

// piece is a part of a member, and what becomes of it.
type piece struct {
	buf      []byte // pieceSize, and slack so that eight bytes can be loaded from any position
	data     []byte // of buf: whole entries
	first    uint64 // the number of the first entry
	previous uint64 // the entry before the first, where entries have eight bytes; 0 at the start
	err      error

	words   []uint32
	numbers []float64
	column  sparse.Floats
	records records
}

// budget is how many bytes may be allocated before more of the file has been seen: counts in the
// index and sizes in the archive can lie, bytes that have arrived cannot.
func (s *source) budget() uint64 { return max(1<<20, 8*s.arrived) }

// room returns x with capacity for extra more entries, out of total in the end. It takes space for
// all of them as soon as the budget covers it, and grows eightfold otherwise.
func room[T any](s *source, x []T, extra, total int) []T {
	if cap(x)-len(x) >= extra {
		return x
	}
	size := s.budget() / uint64(unsafe.Sizeof(x[0:1:1][0]))
	size = min(max(size, uint64(len(x)+extra)), uint64(total))
	return append(make([]T, 0, size), x...)
}

// member is one file of the archive. Its errors are without its name, which the caller adds.
type member struct {
	*source
	name string
	size uint64
	r    io.Reader
}

// sized refuses a member that is not as long as so many entries of so many bytes are.
func (m *member) sized(entries, width uint64, of string) error {
	if want := entries * width; m.size != want {
		return fmt.Errorf("%d bytes, want %d: %d entries of %d bytes, %s", m.size, want, entries, width, of)
	}
	return nil
}

// each reads the whole member in pieces of entries of so many bytes. Several pieces are worked on
// at once, and handed to done in order; the error is the first in that order.
func (m *member) each(width int, work, done func(*piece) error) error {
	left, most := m.size, uint64(max(pieceSize-pieceSize%width, width))
	first, previous := uint64(0), uint64(0)
	take := func(p *piece) (bool, error) {
		if left == 0 {
			return false, nil
		}
		n := min(left, most)
		if uint64(cap(p.buf)) < n+slack {
			p.buf = make([]byte, n+slack)
		}
		p.data, p.first, p.previous = p.buf[:n], first, previous
		if _, err := io.ReadFull(m.r, p.data); err != nil {
			return false, cutShort(err)
		}
		left -= n
		first += n / uint64(width)
		if width == 8 {
			previous = binary.LittleEndian.Uint64(p.data[n-8:])
		}
		return true, nil
	}
	return pieces.Run(m.places, take, func(p *piece) { p.err = work(p) }, func(p *piece) error {
		if p.err != nil {
			return p.err
		}
		m.arrived += uint64(len(p.data))
		return done(p)
	})
}

func nothing(*piece) error { return nil }

// cutShort says what the end of the file means in the middle of something; other errors stay.
func cutShort(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file is cut short: %w", io.ErrUnexpectedEOF)
	}
	return err
}

// all reads a member whole. The memory taken grows with the bytes that arrive.
func (m *member) all() ([]byte, error) {
	var out []byte
	err := m.each(1, nothing, func(p *piece) error {
		out = append(room(m.source, out, len(p.data), int(m.size)), p.data...)
		return nil
	})
	return out, err
}

// each64 reads n 64-bit entries as 32-bit ones. The function convert does that for the piece's data,
// from eight bytes an entry into words as long as there are entries, and fails as it must.
func (m *member) each64(n uint64, convert func(p *piece) error) ([]uint32, error) {
	var out []uint32
	err := m.each(8, func(p *piece) error {
		p.words = resize(p.words, len(p.data)/8)
		return convert(p)
	}, func(p *piece) error {
		out = append(room(m.source, out, len(p.words), int(n)), p.words...)
		return nil
	})
	return out, err
}

// resize returns a slice of n entries, in x where they have room there.
func resize[T any](x []T, n int) []T {
	if cap(x) < n {
		return make([]T, n)
	}
	return x[:n]
}

// starts reads n+1 ascending 64-bit starts, from 0 to at most last.
func (m *member) starts(n, last uint64, of string) ([]uint32, error) {
	if err := m.sized(n+1, 8, of); err != nil {
		return nil, err
	}
	return m.each64(n+1, func(p *piece) error {
		previous, data := p.previous, p.data
		if x := binary.LittleEndian.Uint64(data); p.first == 0 && x != 0 {
			return fmt.Errorf("entry 0 is %d, want 0", x)
		}
		for i := range p.words {
			x := binary.LittleEndian.Uint64(data[:8])
			if x < previous || x > last {
				return fmt.Errorf("entry %d is %d, want %d to %d", p.first+uint64(i), x, previous, last)
			}
			p.words[i] = uint32(x)
			previous, data = x, data[8:]
		}
		return nil
	})
}

// startsUpTo reads starts as starts does, the last of which must be last.
func (m *member) startsUpTo(n, last uint64, of, targets string) ([]uint32, error) {
	out, err := m.starts(n, last, of)
	if err == nil && uint64(out[n]) != last {
		err = fmt.Errorf("the last entry is %d, want %s, %d", out[n], targets, last)
	}
	return out, err
}

// identity checks that the starts are 0, 1, …, n, and stores nothing.
func (m *member) identity(n uint64, of string) error {
	if err := m.sized(n+1, 8, of); err != nil {
		return err
	}
	return m.each(8, func(p *piece) error {
		next := p.first
		for data := p.data; len(data) >= 8; data = data[8:] {
			if x := binary.LittleEndian.Uint64(data); x != next {
				return fmt.Errorf("entry %d is %d, want %d: exactly one for each of the %s", next, x, next, of)
			}
			next++
		}
		return nil
	}, nothing)
}

// indices reads n 64-bit indices below bound.
func (m *member) indices(n, bound uint64, of, bounds string) ([]uint32, error) {
	if err := m.sized(n, 8, of); err != nil {
		return nil, err
	}
	return m.each64(n, func(p *piece) error {
		data := p.data
		for i := range p.words {
			x := binary.LittleEndian.Uint64(data[:8])
			if x >= bound {
				return fmt.Errorf("entry %d is %d, want less than %s, %d", p.first+uint64(i), x, bounds, bound)
			}
			p.words[i] = uint32(x)
			data = data[8:]
		}
		return nil
	})
}

// actionIDs reads n 32-bit indices below bound.
func (m *member) actionIDs(n, bound uint64) (sparse.Actions, error) {
	var out sparse.Actions
	if err := m.sized(n, 4, "one for each choice"); err != nil {
		return out, err
	}
	err := m.each(4, func(p *piece) error {
		p.words = resize(p.words, len(p.data)/4)
		for i := range p.words {
			x := binary.LittleEndian.Uint32(p.data[4*i:])
			if uint64(x) >= bound {
				return fmt.Errorf("entry %d is %d, want less than #choice-actions, %d", p.first+uint64(i), x, bound)
			}
			p.words[i] = x
		}
		return nil
	}, func(p *piece) error {
		if out.Len() == 0 {
			out.Grow(int(min(n, m.budget()/4)))
		}
		out.Extend(p.words)
		return nil
	})
	return out, err
}

// floats reads n numbers as a column.
func (m *member) floats(n uint64, t *valueType, of string) (sparse.Floats, error) {
	if err := m.sized(n, 8, of); err != nil {
		return sparse.Floats{}, err
	}
	var out sparse.FloatsBuilder
	err := m.each(8, func(p *piece) error {
		p.numbers = resize(p.numbers, len(p.data)/8)
		decodeNumbers(p.numbers, p.data, t.Type)
		p.column = sparse.CompressFloats(p.numbers)
		return nil
	}, func(p *piece) error {
		out.Expect(int(min(n, m.budget()/8)))
		out.Extend(&p.column)
		return nil
	})
	return out.Column(), err
}

func decodeNumbers(dst []float64, data []byte, kind string) {
	for i := range dst {
		dst[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[:8]))
		data = data[8:]
	}
	switch kind {
	case "int":
		for i, v := range dst {
			dst[i] = float64(int64(math.Float64bits(v)))
		}
	case "uint":
		for i, v := range dst {
			dst[i] = float64(math.Float64bits(v))
		}
	}
}

// bitset reads a set over 0..n-1.
func (m *member) bitset(n uint64) (sparse.Bitset, error) {
	words := (n + 63) / 64
	if err := m.sized(words, 8, "one bit for each state"); err != nil {
		return nil, err
	}
	var out sparse.Bitset
	err := m.each(8, nothing, func(p *piece) error {
		out = room(m.source, out, len(p.data)/8, int(words))
		for data := p.data; len(data) > 0; data = data[8:] {
			out = append(out, binary.LittleEndian.Uint64(data))
		}
		return nil
	})
	if err == nil && n%64 != 0 && out[words-1]>>(n%64) != 0 {
		err = fmt.Errorf("a bit beyond state #%d, the last one, is set", n-1)
	}
	return out, err
}

// stringTable is a list of strings in one block of text. Its two members come in any order.
type stringTable struct {
	start []uint32 // len strings+1; nil until read
	text  []byte
}

// readStarts reads where n strings start.
func (t *stringTable) readStarts(m *member, n uint64) (err error) {
	t.start, err = m.starts(n, math.MaxUint32, "one more than there are strings")
	return err
}

func (t *stringTable) readText(m *member) (err error) {
	if m.size > math.MaxUint32 {
		return fmt.Errorf("%d bytes of text, more than the limit of %d", m.size, uint32(math.MaxUint32))
	}
	t.text, err = m.all()
	return err
}

func (t *stringTable) len() int { return len(t.start) - 1 }

func (t *stringTable) at(i int) []byte { return t.text[t.start[i]:t.start[i+1]] }

// check refuses a table whose halves do not fit, or whose strings are not text. The error names
// the members by prefix.
func (t *stringTable) check(prefix string) error {
	if t.start == nil {
		return fmt.Errorf("%s is missing", prefix+stringStartSuffix)
	}
	if end := t.start[t.len()]; int(end) != len(t.text) {
		return fmt.Errorf("%s%s: %d bytes, want %d as %s says", prefix, stringTextSuffix, len(t.text), end, stringStartSuffix)
	}
	for i := range t.len() {
		if !utf8.Valid(t.at(i)) {
			return fmt.Errorf("%s%s: string %d, %q, is not UTF-8", prefix, stringTextSuffix, i, t.at(i))
		}
	}
	return nil
}

// strings returns the strings, which share one copy of the text.
func (t *stringTable) strings() []string {
	text := string(t.text)
	out := make([]string, t.len())
	for i := range out {
		out[i] = text[t.start[i]:t.start[i+1]]
	}
	return out
}
