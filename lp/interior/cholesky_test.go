package interior

import (
	"context"
	"flag"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

var seed = flag.Uint64("seed", 1, "seed of the random matrices and programs")

// randomRows returns a matrix of short rows that reach so far, so that there is something to dissect,
// and about one long row.
func randomRows(rng *rand.Rand, rows, columns, reach int) matrix {
	m := matrix{pattern: pattern{start: []int{0}}}
	for range rows {
		at := rng.IntN(columns)
		var index []uint32
		for range rng.IntN(5) {
			index = append(index, uint32((at+rng.IntN(reach))%columns))
		}
		if rng.IntN(rows+1) == 0 {
			for j := range columns {
				if rng.IntN(3) == 0 {
					index = append(index, uint32(j))
				}
			}
		}
		slices.Sort(index)
		for _, j := range slices.Compact(index) {
			m.index, m.value = append(m.index, j), append(m.value, rng.NormFloat64())
		}
		m.start = append(m.start, len(m.index))
	}
	return m
}

func TestNestedDissectionIsAPermutation(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 1))
	for range 20 {
		n := 1 + rng.IntN(3000)
		rows := randomRows(rng, rng.IntN(3*n), n, 1+rng.IntN(40))
		columns := rows.pattern.transpose(n)
		order := nestedDissection(productGraph(&rows.pattern, &columns))
		slices.Sort(order)
		for i, v := range order {
			if len(order) != n || v != uint32(i) {
				t.Fatalf("%d vertices: not a permutation at %d", n, i)
			}
		}
	}
}

// TestFactorSolves compares Nx with the right side for random systems, and the factors of one, two and
// three workers with each other, to the bit.
func TestFactorSolves(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 2))
	for i := range 15 {
		n, reach := 1+rng.IntN(400), 1+rng.IntN(40)
		switch i {
		case 0:
			n = 2000
		case 1:
			n, reach = 400, 400 // one large front
		}
		p := &program{rows: randomRows(rng, 3*n, n, reach), cost: make([]float64, n), least: make([]float64, n), most: make([]float64, n)}
		p.lower, p.upper = make([]float64, 3*n), make([]float64, 3*n)
		weight, diagonal, b := make([]float64, 3*n), make([]float64, n), make([]float64, n)
		for k := range weight {
			weight[k] = math.Exp(4 * rng.NormFloat64())
		}
		for k := range b {
			b[k], diagonal[k] = rng.NormFloat64(), math.Exp(2*rng.NormFloat64())
		}
		var first []float64
		for workers := 1; workers <= 3; workers++ {
			q := *p
			q.rows.index, q.rows.value = slices.Clone(p.rows.index), slices.Clone(p.rows.value) // which are sorted and scaled
			e, err := newElastic(context.Background(), &q, Solver{Workers: workers})
			if err != nil {
				t.Fatal(err)
			}
			e.factor.compute(context.Background(), weight, diagonal)
			x := append([]float64(nil), b...)
			e.factor.solve(x)
			if workers == 1 {
				first = x
				ax, back := make([]float64, 3*n), make([]float64, n)
				e.rows.times(x, ax)
				for k := range ax {
					ax[k] *= weight[k]
				}
				e.rows.transposedTimes(ax, back)
				for k := range b {
					if off := math.Abs(back[k] + diagonal[k]*x[k] - b[k]); off > 1e-6 {
						t.Fatalf("%d columns: off by %v", n, off)
					}
				}
			}
			if !slices.Equal(x, first) {
				t.Fatalf("%d columns: %d workers find another solution than one", n, workers)
			}
		}
	}
}

// TestEliminationTree compares with the definition: the parent of j is the first row below the diagonal
// of column j of the factor, found by dense elimination of the pattern.
func TestEliminationTree(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 3))
	for range 100 {
		n := 1 + rng.IntN(40)
		rows := randomRows(rng, 1+rng.IntN(2*n), n, 1+rng.IntN(n))
		columns := rows.pattern.transpose(n)
		filled := make([][]bool, n)
		for j := range filled {
			filled[j] = make([]bool, n)
		}
		for i := range rows.rows() {
			index, _ := rows.row(i)
			for _, j := range index {
				for _, k := range index {
					filled[j][k] = true
				}
			}
		}
		tree := eliminationTree(rows.rows(), &columns, nil)
		order := make([]uint32, n)
		for j, k := range rng.Perm(n) {
			order[j] = uint32(k)
		}
		other := matrix{pattern{rows.start, slices.Clone(rows.index)}, slices.Clone(rows.value)}
		other.renumber(order)
		others := other.pattern.transpose(n)
		if !slices.Equal(eliminationTree(rows.rows(), &others, order), tree) {
			t.Fatalf("another tree of %d columns in the same order by other numbers", n)
		}
		for j, parent := range tree {
			want := int32(-1)
			for k := n - 1; k > j; k-- {
				if filled[k][j] {
					want = int32(k)
				}
			}
			if parent != want {
				t.Fatalf("the parent of column %d of %d is %d, want %d", j, n, parent, want)
			}
			for k := j + 1; k < n; k++ {
				for l := j + 1; l < n; l++ {
					filled[k][l] = filled[k][l] || filled[k][j] && filled[l][j]
				}
			}
		}
	}
}

// TestTranspose compares what a matrix makes of a vector, entry by entry, with both ways to transpose it.
func TestTranspose(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 5))
	for range 100 {
		n := 1 + rng.IntN(40)
		m := randomRows(rng, 1+rng.IntN(2*n), n, 1+rng.IntN(n))
		transposed, where := m.transpose(n), m.pattern.transpose(n)
		if !slices.Equal(transposed.start, where.start) || !slices.Equal(transposed.index, where.index) {
			t.Fatalf("%d columns: the transpose has entries elsewhere than its pattern", n)
		}
		y, got, want := make([]float64, m.rows()), make([]float64, n), make([]float64, n)
		for i := range y {
			y[i] = rng.NormFloat64()
		}
		m.transposedTimes(y, got)
		if transposed.times(y, want); !slices.Equal(got, want) {
			t.Fatalf("%d columns: %v by the matrix, %v by its transpose", n, got, want)
		}
	}
}
