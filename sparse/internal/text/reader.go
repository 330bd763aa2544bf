// Package text has what the readers and writers of line-based model formats share: lines, numbers,
// rows of choices and branches as they come, label sets, reward columns, and state names.
package text

import (
	"bytes"
	"fmt"
	"io"
)

// MaxLine is the length in bytes of the longest line that a Reader takes.
const MaxLine = 1 << 24

// maxEmptyReads is how often in a row an io.Reader may return nothing without an error.
const maxEmptyReads = 100

// Reader hands out the lines of a file one by one, without copying or keeping them.
type Reader struct {
	name       string
	r          io.Reader
	buf        []byte
	start, end int // what of buf is not handed out yet
	line       int
	text       []byte
	err        error // io.EOF once all is read
}

// NewReader returns a reader of lines; errors start with the name, unless it is empty.
func NewReader(name string, r io.Reader) *Reader {
	return &Reader{name: name, r: r, buf: make([]byte, 1<<16)}
}

// Next goes to the next line and reports whether there is one; see Err. The last line need not end
// in a line feed; a carriage return before the line feed is not part of the line.
func (r *Reader) Next() bool {
	scanned := 0
	for {
		if i := bytes.IndexByte(r.buf[r.start+scanned:r.end], '\n'); i >= 0 {
			r.take(scanned+i, 1)
			return true
		}
		scanned = r.end - r.start
		if r.err != nil {
			if r.err != io.EOF || scanned == 0 {
				return false
			}
			r.take(scanned, 0)
			return true
		}
		if r.fill(); scanned > MaxLine {
			r.line++
			r.err = fmt.Errorf("the line is longer than the limit of %d bytes", MaxLine)
			return false
		}
	}
}

func (r *Reader) take(n, feed int) {
	r.text = r.buf[r.start : r.start+n]
	r.start += n + feed
	r.line++
	if n > 0 && r.text[n-1] == '\r' {
		r.text = r.text[:n-1]
	}
}

// fill reads more, after making room for it.
func (r *Reader) fill() {
	if r.start > 0 {
		r.end = copy(r.buf, r.buf[r.start:r.end])
		r.start = 0
	}
	if r.end == len(r.buf) {
		// Growing from a small buffer keeps small files cheap; a large one makes few system calls.
		larger := make([]byte, max(2*len(r.buf), 1<<20))
		copy(larger, r.buf)
		r.buf = larger
	}
	r.end += r.readSome(r.buf[r.end:])
}

// readSome reads into p, at least one byte unless err is set.
func (r *Reader) readSome(p []byte) (n int) {
	for range maxEmptyReads {
		n, r.err = r.r.Read(p)
		if n > 0 || r.err != nil {
			return n
		}
	}
	r.err = io.ErrNoProgress
	return 0
}

// Text returns the current line. It is valid up to the next call of Next.
func (r *Reader) Text() []byte { return r.text }

// Line returns the number of the current line, counted from 1.
func (r *Reader) Line() int { return r.line }

// Err returns what ended the reading, nil at the end of the file.
func (r *Reader) Err() error {
	if r.err == nil || r.err == io.EOF {
		return nil
	}
	return r.Errorf("%w", r.err)
}

// Errorf returns an error that names the file and the current line.
func (r *Reader) Errorf(format string, args ...any) error { return r.ErrorAt(r.line, format, args...) }

// ErrorAt returns an error that names the file and a line.
func (r *Reader) ErrorAt(line int, format string, args ...any) error {
	return r.FileError("line %d: %w", max(line, 1), fmt.Errorf(format, args...))
}

// FileError returns an error that names the file only.
func (r *Reader) FileError(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if r.name == "" {
		return err
	}
	return fmt.Errorf("%s: %w", r.name, err)
}

// Show returns what an error shows of a piece of the file: quoted, and cut when it is long.
func Show(b []byte) string {
	const most = 60
	if len(b) > most {
		return fmt.Sprintf("%q…", b[:most])
	}
	return fmt.Sprintf("%q", b)
}
