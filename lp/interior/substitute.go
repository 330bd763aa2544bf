package interior

import (
	"math"

	"offswitch/lp"
)

const (
	// Equations of at most mostEntries entries are solved for a column of at most mostEntries entries,
	// whose coefficient is at least leastPivot of the greatest of the equation.
	mostEntries = 24
	leastPivot  = 0.01
	// negligible times the greatest entry of a row is what rounding leaves of others that cancel.
	negligible = 1e-14
)

// program is a linear program whose equations have been solved for columns, as far as that is cheap:
// rewards of S_train, by the rows of the taken choices. The row of such an equation stands for the
// bounds of its column.
type program struct {
	rows         matrix
	lower, upper []float64 // of the rows
	least, most  []float64 // bounds of the columns
	cost         []float64

	original *lp.Problem
	byRows   matrix   // of the original; like that, there only while it is needed
	pivot    []int8   // which of its entries each row is solved for, -1: none
	solvedBy []int32  // row that each original column is solved by, -1: none
	column   []uint32 // number here of the other original columns
	columns  []uint32 // original number of each column here
}

// substitute solves equations of p, which it does not keep: see restore.
func substitute(p *lp.Problem) *program {
	m, n := p.Rows(), p.Columns()
	byColumns := matrix{pattern{p.Start, p.Row}, p.Value}
	q := &program{pivot: make([]int8, m), solvedBy: make([]int32, n), column: make([]uint32, n)}
	q.restore(p)
	q.choosePivots(&byColumns)
	for j := range n {
		if q.solvedBy[j] < 0 {
			q.column[j] = uint32(len(q.columns))
			q.columns = append(q.columns, uint32(j))
			q.least, q.most, q.cost = append(q.least, p.Lower[j]), append(q.most, p.Upper[j]), append(q.cost, p.Cost[j])
		}
	}
	q.write()
	q.byRows, q.original = matrix{}, nil
	return q
}

// choosePivots picks equations and columns such that no equation has the column of another.
func (q *program) choosePivots(byColumns *matrix) {
	p := q.original
	for j := range q.solvedBy {
		q.solvedBy[j] = -1
	}
	used := make([]bool, len(q.solvedBy)) // columns of equations that are solved
	for i := range q.pivot {
		q.pivot[i] = -1
		index, value := q.byRows.row(i)
		if p.RowLower[i] != p.RowUpper[i] || len(index) > mostEntries {
			continue
		}
		greatest, free := 0.0, true
		for k, j := range index {
			greatest = max(greatest, math.Abs(value[k]))
			free = free && q.solvedBy[j] < 0
		}
		if !free {
			continue
		}
		best, fewest := -1, mostEntries+1
		for k, j := range index {
			entries := byColumns.start[j+1] - byColumns.start[j]
			if !used[j] && math.Abs(value[k]) >= leastPivot*greatest && entries < fewest {
				best, fewest = k, entries
			}
		}
		if best < 0 {
			continue
		}
		for _, j := range index {
			used[j] = true
		}
		q.pivot[i] = int8(best)
		q.solvedBy[index[best]] = int32(i)
	}
}

// coefficient returns that of the column that a row is solved for.
func (q *program) coefficient(row int32) float64 {
	_, value := q.byRows.row(int(row))
	return value[q.pivot[row]]
}

// write writes the rows and the costs that are left.
func (q *program) write() {
	p := q.original
	q.rows.start = append(make([]int, 0, len(q.pivot)+1), 0)
	q.lower, q.upper = make([]float64, 0, len(q.pivot)), make([]float64, 0, len(q.pivot))
	at := make([]int, len(q.columns)) // 1 + position of a column among the entries
	greatest := 0.0
	add := func(j uint32, x float64) {
		greatest = max(greatest, math.Abs(x))
		c := q.column[j]
		if at[c] == 0 {
			q.rows.index, q.rows.value = append(q.rows.index, c), append(q.rows.value, 0)
			at[c] = len(q.rows.index)
		}
		q.rows.value[at[c]-1] += x
	}
	for i := range q.byRows.rows() {
		index, value := q.byRows.row(i)
		lower, upper := p.RowLower[i], p.RowUpper[i]
		begin := len(q.rows.index)
		greatest = 0
		if q.pivot[i] >= 0 {
			j, a := index[q.pivot[i]], value[q.pivot[i]]
			x, y := lower-a*p.Lower[j], lower-a*p.Upper[j]
			lower, upper = min(x, y), max(x, y)
		}
		for k, j := range index {
			r := q.solvedBy[j]
			switch {
			case r == int32(i):
			case r >= 0:
				others, coefficients := q.byRows.row(int(r))
				factor := value[k] / q.coefficient(r)
				for l, h := range others {
					if h != j {
						add(h, -factor*coefficients[l])
					}
				}
				lower, upper = lower-factor*p.RowLower[r], upper-factor*p.RowLower[r]
			default:
				add(j, value[k])
			}
		}
		end := begin
		for k := begin; k < len(q.rows.index); k++ {
			at[q.rows.index[k]] = 0
			if math.Abs(q.rows.value[k]) > negligible*greatest {
				q.rows.index[end], q.rows.value[end] = q.rows.index[k], q.rows.value[k]
				end++
			}
		}
		q.rows.index, q.rows.value = q.rows.index[:end], q.rows.value[:end]
		q.rows.start = append(q.rows.start, end)
		q.lower, q.upper = append(q.lower, lower), append(q.upper, upper)
	}
	for j, r := range q.solvedBy {
		if r < 0 || p.Cost[j] == 0 {
			continue
		}
		others, coefficients := q.byRows.row(int(r))
		factor := p.Cost[j] / q.coefficient(r)
		for l, h := range others {
			if int(h) != j {
				q.cost[q.column[h]] -= factor * coefficients[l]
			}
		}
	}
}

// restore brings the original program back.
func (q *program) restore(p *lp.Problem) {
	byColumns := matrix{pattern{p.Start, p.Row}, p.Value}
	q.original, q.byRows = p, byColumns.transpose(p.Rows())
}

// solution returns the values of the original columns, within their bounds.
func (q *program) solution(x []float64) []float64 {
	p := q.original
	out := make([]float64, p.Columns())
	for c, j := range q.columns {
		out[j] = x[c]
	}
	for j, r := range q.solvedBy {
		if r < 0 {
			continue
		}
		sum := p.RowLower[r]
		index, value := q.byRows.row(int(r))
		for k, h := range index {
			if int(h) != j {
				sum -= value[k] * out[h]
			}
		}
		out[j] = max(p.Lower[j], min(p.Upper[j], sum/q.coefficient(r)))
	}
	return out
}

// multipliers returns those of the original rows for the program with its costs, or without.
func (q *program) multipliers(y []float64, costs bool) []float64 {
	p := q.original
	out := append([]float64(nil), y...)
	for j, r := range q.solvedBy {
		if r < 0 {
			continue
		}
		sum := 0.0
		if costs {
			sum = -p.Cost[j]
		}
		for k := p.Start[j]; k < p.Start[j+1]; k++ {
			if i := p.Row[k]; i != uint32(r) {
				sum += p.Value[k] * y[i]
			}
		}
		out[r] -= sum / q.coefficient(r)
	}
	return out
}
