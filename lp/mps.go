package lp

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// mpsNameLength bounds names in MPS files; some readers stop at 255 characters.
const mpsNameLength = 100

// WriteMPS writes a problem in free MPS format, to be minimised. Numbers are written in the shortest
// form that reads back to the same float64. Names are R and C with the number of the row or column,
// which makes them unique, and their name in the model's words with whatever is not safe replaced
// by _. The objective row is called cost.
func WriteMPS(w io.Writer, p *Problem) error {
	if err := p.Validate(); err != nil {
		return err
	}
	out := &mpsWriter{w: bufio.NewWriter(w), p: p}
	out.line("NAME", "offswitch", "FREE") // CLP takes short names for the fixed format otherwise
	out.rows()
	out.columns()
	out.rowBounds()
	out.columnBounds()
	out.line("ENDATA")
	return out.w.Flush()
}

type mpsWriter struct {
	w *bufio.Writer
	p *Problem
}

// line writes a section header, or with an empty first field a data line. bufio keeps the first
// error for Flush.
func (o *mpsWriter) line(fields ...string) {
	o.w.WriteString(strings.Join(fields, " "))
	o.w.WriteByte('\n')
}

func (o *mpsWriter) row(i int) string    { return mpsName("R", i, o.p.NameRow(i)) }
func (o *mpsWriter) column(j int) string { return mpsName("C", j, o.p.NameColumn(j)) }

// mpsName makes a unique name of a number and an arbitrary text.
func mpsName(prefix string, i int, name string) string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("_.,=()#", r) {
			return r
		}
		return '_'
	}
	text := fmt.Sprintf("%s%d:%s", prefix, i, strings.Map(safe, name))
	return text[:min(len(text), mpsNameLength)]
}

func mpsNumber(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

func (o *mpsWriter) rows() {
	o.line("ROWS")
	o.line("", "N", "cost")
	for i := range o.p.Rows() {
		o.line("", mpsRowType(o.p.RowLower[i], o.p.RowUpper[i]), o.row(i))
	}
}

// mpsRowType returns E, G, L, or N for a row without bounds; G with a RANGES entry when it has two.
func mpsRowType(lower, upper float64) string {
	switch {
	case lower == upper:
		return "E"
	case !math.IsInf(lower, 0):
		return "G"
	case !math.IsInf(upper, 0):
		return "L"
	}
	return "N"
}

func (o *mpsWriter) columns() {
	p := o.p
	o.line("COLUMNS")
	for j := range p.Columns() {
		name := o.column(j)
		if p.Cost[j] != 0 || p.Start[j] == p.Start[j+1] { // a column has to stand somewhere
			o.line("", name, "cost", mpsNumber(p.Cost[j]))
		}
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			o.line("", name, o.row(int(p.Row[k])), mpsNumber(p.Value[k]))
		}
	}
}

func (o *mpsWriter) rowBounds() {
	p := o.p
	o.line("RHS")
	for i := range p.Rows() {
		b := p.RowLower[i]
		if math.IsInf(b, 0) {
			b = p.RowUpper[i]
		}
		if b != 0 && !math.IsInf(b, 0) {
			o.line("", "rhs", o.row(i), mpsNumber(b))
		}
	}
	o.line("RANGES")
	for i := range p.Rows() {
		if width := p.RowUpper[i] - p.RowLower[i]; finite(width) && width > 0 {
			o.line("", "range", o.row(i), mpsNumber(width))
		}
	}
}

func (o *mpsWriter) columnBounds() {
	p := o.p
	o.line("BOUNDS")
	for j := range p.Columns() {
		name, lower, upper := o.column(j), p.Lower[j], p.Upper[j]
		switch {
		case lower == upper:
			o.line("", "FX", "bound", name, mpsNumber(lower))
			continue
		case math.IsInf(lower, 0) && math.IsInf(upper, 0):
			o.line("", "FR", "bound", name)
			continue
		case math.IsInf(lower, 0):
			o.line("", "MI", "bound", name)
		default: // even 0, which readers change on a negative upper bound
			o.line("", "LO", "bound", name, mpsNumber(lower))
		}
		if math.IsInf(upper, 0) {
			o.line("", "PL", "bound", name)
		} else {
			o.line("", "UP", "bound", name, mpsNumber(upper))
		}
	}
}
