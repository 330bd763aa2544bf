package lp

import (
	"math"
	"math/rand/v2"
	"testing"
)

// randomSmall returns a program with ties, dependent rows and fixed columns.
func randomSmall(rng *rand.Rand) (p *small, cost []float64) {
	n, m := 1+rng.IntN(6), rng.IntN(15)
	number := func() float64 {
		if rng.IntN(2) == 0 {
			return float64(rng.IntN(5) - 2)
		}
		return 2*rng.Float64() - 1
	}
	p = &small{}
	inside := make([]float64, n) // makes most programs feasible
	for j := range n {
		lower := number()
		upper := lower + math.Abs(number())
		p.lower, p.upper = append(p.lower, lower), append(p.upper, upper)
		inside[j] = lower + rng.Float64()*(upper-lower)
		cost = append(cost, number())
	}
	for range m {
		row, sum := make([]float64, n), 0.0
		for j := range row {
			row[j] = number()
			sum += row[j] * inside[j]
		}
		if len(p.rows) > 0 && rng.IntN(5) == 0 {
			k := rng.IntN(len(p.rows))
			row = append(row[:0], p.rows[k]...)
			sum = p.bound[k]
		}
		if rng.IntN(10) == 0 {
			sum += rng.Float64()
		}
		p.rows, p.bound = append(p.rows, row), append(p.bound, sum-float64(rng.IntN(2))*rng.Float64())
	}
	return p, cost
}

// A solution is within its bounds and worth as much as its multipliers allow at most; multipliers of no
// solution prove that there is none.
func TestSmallByDuality(t *testing.T) {
	const slack = 1e-8
	rng := rand.New(rand.NewPCG(1, 1))
	none := 0
	for i := range 20000 {
		p, cost := randomSmall(rng)
		r := p.solve(cost)
		if r.y == nil {
			t.Fatalf("program %d: given up", i)
		}
		// For y of at least 0, any x within bounds has cost·x ≤ Σ max over the box of (cost + yA)x − y·bound.
		most := 0.0
		combined := append([]float64(nil), cost...)
		if r.x == nil {
			clear(combined)
			none++
		}
		for k, y := range r.y {
			if y < 0 {
				t.Fatalf("program %d: multiplier %v", i, y)
			}
			most -= y * p.bound[k]
			for j, a := range p.rows[k] {
				combined[j] += y * a
			}
		}
		for j, c := range combined {
			most += max(c*p.lower[j], c*p.upper[j])
		}
		if r.x == nil {
			if most >= 0 {
				t.Fatalf("program %d: the multipliers of no solution allow %v", i, most)
			}
			continue
		}
		value := 0.0
		for j, x := range r.x {
			value += cost[j] * x
			if x < p.lower[j] || x > p.upper[j] {
				t.Fatalf("program %d: x%d = %v is not in [%v,%v]", i, j, x, p.lower[j], p.upper[j])
			}
		}
		for k, row := range p.rows {
			sum := 0.0
			for j, a := range row {
				sum += a * r.x[j]
			}
			if sum < p.bound[k]-slack {
				t.Fatalf("program %d: row %d is %v, want %v", i, k, sum, p.bound[k])
			}
		}
		if math.Abs(value-most) > slack || math.Abs(value-r.value) > slack {
			t.Fatalf("program %d: worth %v, said to be %v, at most %v", i, value, r.value, most)
		}
	}
	if none < 1000 || none > 15000 {
		t.Errorf("%d programs without solution", none)
	}
}
