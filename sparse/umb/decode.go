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
)

// source is what the members of one archive share.
type source struct {
	buf     []byte // bufferSize, and slack so that eight bytes can be loaded from any position
	arrived uint64 // bytes of array members converted so far
}

func newSource() *source { return &source{buf: make([]byte, bufferSize, bufferSize+16)} }

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

// pieces hands out the whole member in pieces, each a multiple of width long but for the last.
func (m *member) pieces(width int, f func(piece []byte) error) error {
	most := uint64(bufferSize - bufferSize%width)
	for left := m.size; left > 0; {
		piece := m.buf[:min(left, most)]
		if _, err := io.ReadFull(m.r, piece); err != nil {
			return cutShort(err)
		}
		m.arrived += uint64(len(piece))
		left -= uint64(len(piece))
		if err := f(piece); err != nil {
			return err
		}
	}
	return nil
}

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
	err := m.pieces(1, func(piece []byte) error {
		out = append(room(m.source, out, len(piece), int(m.size)), piece...)
		return nil
	})
	return out, err
}

// starts reads n+1 ascending 64-bit starts, from 0 to at most last.
func (m *member) starts(n, last uint64, of string) ([]uint32, error) {
	if err := m.sized(n+1, 8, of); err != nil {
		return nil, err
	}
	var out []uint32
	previous := uint64(0)
	err := m.pieces(8, func(piece []byte) error {
		done := len(out)
		out = room(m.source, out, len(piece)/8, int(n+1))[:done+len(piece)/8]
		for i, dst := 0, out[done:]; i < len(dst); i++ {
			x := binary.LittleEndian.Uint64(piece[8*i:])
			if x < previous || x > last {
				return fmt.Errorf("entry %d is %d, want %d to %d", done+i, x, previous, last)
			}
			dst[i] = uint32(x)
			previous = x
		}
		if done == 0 && out[0] != 0 {
			return fmt.Errorf("entry 0 is %d, want 0", out[0])
		}
		return nil
	})
	return out, err
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
	next := uint64(0)
	return m.pieces(8, func(piece []byte) error {
		for ; len(piece) > 0; piece = piece[8:] {
			if x := binary.LittleEndian.Uint64(piece); x != next {
				return fmt.Errorf("entry %d is %d, want %d: exactly one for each of the %s", next, x, next, of)
			}
			next++
		}
		return nil
	})
}

// indices reads n 64-bit indices below bound.
func (m *member) indices(n, bound uint64, of, bounds string) ([]uint32, error) {
	if err := m.sized(n, 8, of); err != nil {
		return nil, err
	}
	var out []uint32
	err := m.pieces(8, func(piece []byte) error {
		done := len(out)
		out = room(m.source, out, len(piece)/8, int(n))[:done+len(piece)/8]
		for i, dst := 0, out[done:]; i < len(dst); i++ {
			x := binary.LittleEndian.Uint64(piece[8*i:])
			if x >= bound {
				return fmt.Errorf("entry %d is %d, want less than %s, %d", done+i, x, bounds, bound)
			}
			dst[i] = uint32(x)
		}
		return nil
	})
	return out, err
}

// actionIDs reads n 32-bit indices below bound.
func (m *member) actionIDs(n, bound uint64) (sparse.Actions, error) {
	var out sparse.Actions
	if err := m.sized(n, 4, "one for each choice"); err != nil {
		return out, err
	}
	done := 0
	err := m.pieces(4, func(piece []byte) error {
		if done == 0 {
			out.Grow(int(min(n, m.budget()/4)))
		}
		for ; len(piece) > 0; piece = piece[4:] {
			x := binary.LittleEndian.Uint32(piece)
			if uint64(x) >= bound {
				return fmt.Errorf("entry %d is %d, want less than #choice-actions, %d", done, x, bound)
			}
			out.Append(x)
			done++
		}
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
	err := m.pieces(8, func(piece []byte) error {
		out.Expect(int(min(n, m.budget()/8)))
		appendNumbers(&out, piece, t.Type)
		return nil
	})
	return out.Column(), err
}

func appendNumbers(out *sparse.FloatsBuilder, piece []byte, kind string) {
	switch kind {
	case "int":
		for ; len(piece) >= 8; piece = piece[8:] {
			out.Append(float64(int64(binary.LittleEndian.Uint64(piece))))
		}
	case "uint":
		for ; len(piece) >= 8; piece = piece[8:] {
			out.Append(float64(binary.LittleEndian.Uint64(piece)))
		}
	default:
		for ; len(piece) >= 8; piece = piece[8:] {
			out.Append(math.Float64frombits(binary.LittleEndian.Uint64(piece)))
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
	err := m.pieces(8, func(piece []byte) error {
		out = room(m.source, out, len(piece)/8, int(words))
		for ; len(piece) > 0; piece = piece[8:] {
			out = append(out, binary.LittleEndian.Uint64(piece))
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
