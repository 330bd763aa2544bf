package text

import (
	"bytes"
	"fmt"
	"io"

	"offswitch/sparse/internal/pieces"
)

// PieceSize is about the size of the pieces of text that are read or written at once. A piece and what
// it comes from or becomes fit the second-level cache; tests make it smaller.
var PieceSize = 256 << 10

// place is where a piece is read and parsed.
type place[P any] struct {
	buf    []byte
	in     Reader
	parsed P
}

// Split reads what is left of the file in pieces and parses several of them at once. A piece is
// whole lines. The function cut gets some, and returns how long the start of them is that another
// piece may follow, 0 when there is none; it may see lines again that were not in that start.
//
// Each parsed piece is handed to join, in the order of the file; parse must undo what is left in its
// argument of another piece. The error is the first one in that order, of reading or of join. After
// Split the reader is at the last line. The memory taken is that of a few pieces.
func Split[P any](r *Reader, cut func(lines []byte) int, parse func(*P, *Reader), join func(*P) error) error {
	take := func(p *place[P]) (bool, error) { return r.takePiece(&p.buf, &p.in, cut) }
	return pieces.Run(make([]place[P], pieces.Places()), take,
		func(p *place[P]) { parse(&p.parsed, &p.in) }, func(p *place[P]) error { return join(&p.parsed) })
}

// AnyLine is the cut of a file in which every line stands by itself.
func AnyLine(lines []byte) int { return len(lines) }

// takePiece makes a reader of the next piece, whose lines are kept in buf.
func (r *Reader) takePiece(buf *[]byte, piece *Reader, cut func([]byte) int) (bool, error) {
	if cap(*buf) < PieceSize {
		*buf = make([]byte, 0, PieceSize)
	}
	b := (*buf)[:0]
	length, tried := 0, 0
	for {
		for len(b) < cap(b) && (r.start < r.end || r.err == nil) {
			b = r.appendMore(b)
		}
		if r.start == r.end && r.err == io.EOF {
			length = len(b)
			break
		}
		if r.start == r.end && r.err != nil {
			return false, r.Err()
		}
		if lines := bytes.LastIndexByte(b, '\n') + 1; lines > tried {
			if length = cut(b[:lines]); length > 0 {
				break
			}
			tried = lines
		}
		if len(b)-tried > MaxLine {
			r.line += bytes.Count(b, []byte{'\n'}) + 1
			r.err = fmt.Errorf("the line is longer than the limit of %d bytes", MaxLine)
			return false, r.Err()
		}
		b = append(make([]byte, 0, 2*cap(b)), b...)
	}
	r.putBack(b[length:])
	*buf = b
	*piece = Reader{name: r.name, buf: b[:length], end: length, line: r.line, err: io.EOF}
	r.line += bytes.Count(b[:length], []byte{'\n'})
	if length > 0 && b[length-1] != '\n' {
		r.line++
	}
	return length > 0, nil
}

// appendMore appends what comes next, as far as there is capacity.
func (r *Reader) appendMore(b []byte) []byte {
	room := b[len(b):cap(b)]
	n := copy(room, r.buf[r.start:r.end])
	if r.start += n; n == 0 {
		n = r.readSome(room)
	}
	return b[:len(b)+n]
}

// putBack makes what appendMore appended last come again.
func (r *Reader) putBack(tail []byte) {
	if r.start < r.end {
		r.start -= len(tail) // so far it has all come from the buffer
		return
	}
	r.buf = append(r.buf[:0], tail...)
	r.start, r.end = 0, len(r.buf)
}
