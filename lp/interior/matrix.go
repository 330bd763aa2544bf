package interior

// matrix is a sparse matrix by rows: the entries of row i are start[i]..start[i+1]-1.
type matrix struct {
	start []int
	index []uint32 // columns
	value []float64
}

func (m *matrix) rows() int { return len(m.start) - 1 }

// row returns the entries of a row.
func (m *matrix) row(i int) (index []uint32, value []float64) {
	lo, hi := m.start[i], m.start[i+1]
	return m.index[lo:hi], m.value[lo:hi]
}

// transpose returns the transpose, whose rows have their entries in increasing order. columns is the
// number of columns of m.
func (m *matrix) transpose(columns int) matrix {
	t := matrix{make([]int, columns+1), make([]uint32, len(m.index)), make([]float64, len(m.index))}
	for _, j := range m.index {
		t.start[j+1]++
	}
	for j := range columns {
		t.start[j+1] += t.start[j]
	}
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
