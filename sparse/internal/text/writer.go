package text

import (
	"io"
	"math"
	"strconv"
)

// Writer collects text and writes it in large pieces. Its methods may be called after an error,
// which Flush returns.
type Writer struct {
	w     io.Writer // nil in a writer of a piece
	buf   []byte
	err   error
	cache [256]struct {
		bits uint64
		size uint8 // 0: free
		text [24]byte
	}
}

// NewWriter returns a writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w, buf: make([]byte, 0, 1<<16+1<<12)} }

// String adds a string.
func (w *Writer) String(s string) { w.buf = append(w.buf, s...) }

// Byte adds one byte.
func (w *Writer) Byte(c byte) { w.buf = append(w.buf, c) }

// Uint adds a number.
func (w *Writer) Uint(v uint64) { w.buf = strconv.AppendUint(w.buf, v, 10) }

// Float adds the shortest decimal that reads back as v.
func (w *Writer) Float(v float64) {
	bits := math.Float64bits(v)
	e := &w.cache[bits*0x9E3779B97F4A7C15>>56]
	if e.bits != bits || e.size == 0 {
		e.bits, e.size = bits, uint8(len(strconv.AppendFloat(e.text[:0], v, 'g', -1, 64)))
	}
	w.buf = append(w.buf, e.text[:e.size]...)
}

// Append adds what f appends to the slice that it is given, and returns that.
func (w *Writer) Append(f func(dst []byte) []byte) (added []byte) {
	n := len(w.buf)
	w.buf = f(w.buf)
	return w.buf[n:]
}

// EndLine ends the line.
func (w *Writer) EndLine() {
	w.buf = append(w.buf, '\n')
	w.Spill()
}

// Spill writes out what was collected once it is much, unless the writer is one of a piece.
func (w *Writer) Spill() {
	if len(w.buf) >= 1<<16 && w.w != nil {
		w.Flush()
	}
}

// Flush writes out what was collected, and returns the first error of all writing so far.
func (w *Writer) Flush() error {
	if w.err == nil && len(w.buf) > 0 {
		_, w.err = w.w.Write(w.buf)
	}
	w.buf = w.buf[:0]
	return w.err
}
