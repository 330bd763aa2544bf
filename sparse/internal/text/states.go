package text

import (
	"offswitch/sparse"
	"offswitch/sparse/internal/pieces"
)

// States writes the states of a model in order, several pieces of them at once: format writes the
// states lo..hi-1 to a writer that collects them. The error is the first in the order of the states,
// or else that of the writing; what comes before it is written.
func (w *Writer) States(m *sparse.MDP, format func(piece *Writer, lo, hi uint32) error) error {
	if err := w.Flush(); err != nil {
		return err
	}
	type place struct {
		Writer
		lo, hi uint32
		failed error
	}
	next, n := uint32(0), uint32(m.NumStates())
	most := max(1, PieceSize/32) // states and branches of a piece, a line each
	take := func(p *place) (bool, error) {
		p.lo, p.hi = next, next
		for size := 0; p.hi < n && size < most; p.hi++ {
			lo, hi := m.BranchesOf(p.hi)
			size += 1 + int(hi-lo)
		}
		next = p.hi
		return p.lo < p.hi, nil
	}
	work := func(p *place) {
		p.buf = p.buf[:0]
		p.failed = format(&p.Writer, p.lo, p.hi)
	}
	return pieces.Run(make([]place, pieces.Places()), take, work, func(p *place) error {
		if _, w.err = w.w.Write(p.buf); w.err != nil {
			return w.err
		}
		return p.failed
	})
}
