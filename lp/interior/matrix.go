package interior

import (
	"cmp"
	"slices"
)

// pattern says where a sparse matrix has entries, by rows: those of row i are start[i]..start[i+1]-1.
type pattern struct {
	start []int
	index []uint32 // columns
}

func (p *pattern) rows() int { return len(p.start) - 1 }

// in returns the columns in which a row has entries.
func (p *pattern) in(i int) []uint32 { return p.index[p.start[i]:p.start[i+1]] }

// starts returns where the rows of the transpose start. columns is the number of columns.
func (p *pattern) starts(columns int) []int {
	start := make([]int, columns+1)
	for _, j := range p.index {
		start[j+1]++
	}
	for j := range columns {
		start[j+1] += start[j]
	}
	return start
}

// transpose returns the pattern of the transpose, whose rows are in increasing order.
func (p *pattern) transpose(columns int) pattern {
	t := pattern{p.starts(columns), make([]uint32, len(p.index))}
	next := append([]int(nil), t.start[:columns]...)
	for i := range p.rows() {
		for _, j := range p.in(i) {
			t.index[next[j]] = uint32(i)
			next[j]++
		}
	}
	return t
}

// matrix is a sparse matrix by rows.
type matrix struct {
	pattern
	value []float64
}

// row returns the entries of a row.
func (m *matrix) row(i int) (index []uint32, value []float64) {
	lo, hi := m.start[i], m.start[i+1]
	return m.index[lo:hi], m.value[lo:hi]
}

// transpose returns the transpose, whose rows have their entries in increasing order. columns is the
// number of columns of m.
func (m *matrix) transpose(columns int) matrix {
	t := matrix{pattern{m.starts(columns), make([]uint32, len(m.index))}, make([]float64, len(m.index))}
	next := append([]int(nil), t.start[:columns]...)
	for i := range m.rows() {
		index, value := m.row(i)
		for k, j := range index {
			t.index[next[j]], t.value[next[j]] = uint32(i), value[k]
			next[j]++
		}
	}
	return t
}

// renumber gives the columns other numbers, and sorts the entries of each row by them.
func (m *matrix) renumber(number []uint32) {
	type entry struct {
		column uint32
		value  float64
	}
	var entries []entry
	for i := range m.rows() {
		index, value := m.row(i)
		entries = entries[:0]
		for k, j := range index {
			entries = append(entries, entry{number[j], value[k]})
		}
		slices.SortFunc(entries, func(a, b entry) int { return cmp.Compare(a.column, b.column) })
		for k, e := range entries {
			index[k], value[k] = e.column, e.value
		}
	}
}

// times sets out to mx.
func (m *matrix) times(x, out []float64) {
	for i := range out {
		lo, hi := m.start[i], m.start[i+1]
		index, sum := m.index[lo:hi], 0.0
		for k, v := range m.value[lo:hi] {
			sum += v * x[index[k]]
		}
		out[i] = sum
	}
}

// transposedTimes sets out to mᵀy.
func (m *matrix) transposedTimes(y, out []float64) {
	clear(out)
	for i, x := range y {
		lo, hi := m.start[i], m.start[i+1]
		index := m.index[lo:hi]
		for k, v := range m.value[lo:hi] {
			out[index[k]] += v * x
		}
	}
}
