package interior

import (
	"math"
	"sync"
)

// pivot returns the inverse of the diagonal entry of L: 0, as if it were infinite, where rounding is
// all that elimination has left of that of N, which keeps the column where it is for this step (Wright
// 1999).
func pivot(left, whole float64) float64 {
	if !(left > pivotTolerance*whole) {
		return 0
	}
	return 1 / math.Sqrt(left)
}

// dot returns the inner product of two vectors of the same length.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s0 += x[0] * y[0]
		s1 += x[1] * y[1]
		s2 += x[2] * y[2]
		s3 += x[3] * y[3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// plainDot is dot with one sum, in the order of multiply: what an entry comes to must not depend on
// how rows are shared out.
func plainDot(a, b []float64) float64 {
	b = b[:len(a)]
	sum := 0.0
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}

// multiply subtracts the lower part of ABᵀ from C: A has m rows, B has n, of inner entries each, and
// lie in arrays of rows of strideA and strideB entries; entry (i,j) of C counts where j ≤ i - shift.
func multiply(a []float64, m, strideA int, b []float64, n, strideB, inner int, c []float64, strideC, shift int) {
	if inner == 0 {
		return
	}
	i := 0
	for ; i+4 <= m; i += 4 {
		a0, a1 := a[i*strideA:][:inner], a[(i+1)*strideA:][:inner]
		a2, a3 := a[(i+2)*strideA:][:inner], a[(i+3)*strideA:][:inner]
		// All four rows take the columns of the last: what is above the diagonal is never read.
		columns := min(n, i+3-shift+1)
		j := 0
		for ; j+2 <= columns; j += 2 {
			b0, b1 := b[j*strideB:][:inner], b[(j+1)*strideB:][:inner]
			var s00, s01, s10, s11, s20, s21, s30, s31 float64
			for l, y0 := range b0 {
				y1 := b1[l]
				x0, x1, x2, x3 := a0[l], a1[l], a2[l], a3[l]
				s00 += x0 * y0
				s01 += x0 * y1
				s10 += x1 * y0
				s11 += x1 * y1
				s20 += x2 * y0
				s21 += x2 * y1
				s30 += x3 * y0
				s31 += x3 * y1
			}
			at := i*strideC + j
			c[at] -= s00
			c[at+1] -= s01
			at += strideC
			c[at] -= s10
			c[at+1] -= s11
			at += strideC
			c[at] -= s20
			c[at+1] -= s21
			at += strideC
			c[at] -= s30
			c[at+1] -= s31
		}
		for ; j < columns; j++ {
			b0 := b[j*strideB:][:inner]
			at := i*strideC + j
			c[at] -= plainDot(a0, b0)
			c[at+strideC] -= plainDot(a1, b0)
			c[at+2*strideC] -= plainDot(a2, b0)
			c[at+3*strideC] -= plainDot(a3, b0)
		}
	}
	for ; i < m; i++ {
		row := a[i*strideA:][:inner]
		for j := range min(n, i-shift+1) {
			c[i*strideC+j] -= plainDot(row, b[j*strideB:][:inner])
		}
	}
}

// share runs f on consecutive ranges of lo..hi-1, one for each worker.
func share(workers, lo, hi int, f func(from, to int)) {
	if hi-lo < 8*workers {
		f(lo, hi)
		return
	}
	var wait sync.WaitGroup
	for w := range workers {
		from, to := lo+(hi-lo)*w/workers, lo+(hi-lo)*(w+1)/workers
		wait.Go(func() { f(from, to) })
	}
	wait.Wait()
}

// solve overwrites b with the solution x of Nx = b.
func (f *factor) solve(b []float64) {
	for s := range int32(len(f.block)) {
		k, block, first := f.width(s), f.block[s], f.first[s]
		x := b[first:f.first[s+1]]
		for i := range x {
			x[i] = (x[i] - dot(block[i*k:i*k+i], x[:i])) * block[i*k+i]
		}
		for i, j := range f.below[s] {
			b[j] -= dot(block[(k+i)*k:(k+i)*k+k], x)
		}
	}
	for s := int32(len(f.block)) - 1; s >= 0; s-- {
		k, block, first := f.width(s), f.block[s], f.first[s]
		x := b[first:f.first[s+1]]
		for i, j := range f.below[s] {
			subtract(x, block[(k+i)*k:(k+i)*k+k], b[j])
		}
		for i := k - 1; i >= 0; i-- {
			x[i] *= block[i*k+i]
			subtract(x[:i], block[i*k:i*k+i], x[i])
		}
	}
}

// subtract subtracts a multiple of y from x.
func subtract(x, y []float64, factor float64) {
	y = y[:len(x)]
	for i := range x {
		x[i] -= factor * y[i]
	}
}
