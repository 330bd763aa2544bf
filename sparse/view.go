package sparse

import (
	csr "github.com/james-bowman/sparse"
)

// PolicyMatrix returns the transition matrix of a policy, NumStates by NumStates, as a compressed
// sparse matrix that is also a gonum mat.Matrix. policy[s] is the choice taken in s; the row of a
// terminal state is empty. Columns of a row are increasing, and branches with the same target are
// added up. It takes 16 bytes a branch and 8 a state.
func (m *MDP) PolicyMatrix(policy []uint32) *csr.CSR {
	n := m.NumStates()
	if len(policy) != n {
		panic("sparse: PolicyMatrix with a policy of the wrong length")
	}
	rows := make([]int, 1, n+1)
	var columns []int
	var values []float64
	for s := range uint32(n) {
		start := len(columns)
		if !m.Terminal(s) {
			weights := m.Probabilities(policy[s])
			for k, target := range m.Targets(policy[s]) {
				t, p := int(target), weights[k]
				i := len(columns)
				for i > start && columns[i-1] > t {
					i--
				}
				if i > start && columns[i-1] == t {
					values[i-1] += p
					continue
				}
				columns, values = append(columns, 0), append(values, 0)
				copy(columns[i+1:], columns[i:])
				copy(values[i+1:], values[i:])
				columns[i], values[i] = t, p
			}
		}
		rows = append(rows, len(columns))
	}
	return csr.NewCSR(n, n, rows, columns, values)
}
