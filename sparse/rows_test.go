package sparse

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainRows is validateRows in the plainest way: it returns the first defect in order of choices,
// the most branches of a choice, and the greatest excess of a row.
func plainRows(m *MDP, probability *Floats) (most int, excess float64, err error) {
	for c := range uint32(m.NumChoices()) {
		if err := m.rowDefect(probability, c, c+1); err != nil {
			return most, excess, err
		}
		lo, hi := m.Branches(c)
		sum := 0.0
		for b := lo; b < hi; b++ {
			sum += probability.At(b)
		}
		most = max(most, int(hi-lo))
		if hi-lo > 1 || sum != 1 {
			excess = max(excess, math.Abs(sum-1)+float64(hi-lo)*unit*1.001)
		}
	}
	return most, excess, nil
}

// randomRows returns a model as New gets it and its probabilities, with up to two defects.
func randomRows(rng *rand.Rand) (*MDP, Floats) {
	n := 1 + rng.IntN(30)
	p := Parts{ChoiceStart: []uint32{0}, BranchStart: []uint32{0}}
	var values []float64
	kind := rng.IntN(3)
	for range n {
		for range rng.IntN(4) {
			k := 1 + kind*rng.IntN(4)
			for i := range k {
				v := 1 / float64(k)
				if kind == 2 {
					v += float64(2*i+1-k) * rng.Float64() * 0.1
				}
				p.Target, values = append(p.Target, rng.Uint32N(uint32(n))), append(values, v)
			}
			if kind == 2 {
				rest := values[len(values)-k:]
				total := 0.0
				for _, v := range rest {
					total += v
				}
				for i := range rest {
					rest[i] /= total
				}
			}
			p.BranchStart = append(p.BranchStart, uint32(len(p.Target)))
		}
		p.ChoiceStart = append(p.ChoiceStart, uint32(len(p.BranchStart)-1))
	}
	for range rng.IntN(3) {
		if len(values) == 0 {
			break
		}
		b, c := rng.IntN(len(values)), 1+rng.IntN(len(p.BranchStart)-1)
		switch rng.IntN(3) {
		case 0:
			values[b] = []float64{0, -1, 2, math.NaN(), values[b] + 1e-8, values[b] - 1e-10}[rng.IntN(6)]
		case 1:
			p.Target[b] = uint32(n)
		case 2:
			if c < len(p.BranchStart)-1 {
				p.BranchStart[c] = []uint32{0, p.BranchStart[c-1], p.BranchStart[c+1], uint32(len(values) + 1)}[rng.IntN(4)]
			}
		}
	}
	m := &MDP{choiceStart: p.ChoiceStart, branchStart: p.BranchStart, target: p.Target}
	if rng.IntN(2) == 0 {
		return m, CompressFloats(values)
	}
	return m, RawFloats(values)
}

// Rows checked in pieces of any size have the same first defect, or else the same bounds, as rows
// checked one by one.
func TestRowsInPieces(t *testing.T) {
	defer func(size int) { rowPiece = size }(rowPiece)
	for seed := range uint64(4000) {
		rng := rand.New(rand.NewPCG(seed, 1))
		m, probability := randomRows(rng)
		most, excess, want := plainRows(m, &probability)
		rowPiece = 1 + rng.IntN(20)
		err := m.validateRows(&probability)
		if fmt.Sprint(err) != fmt.Sprint(want) {
			t.Fatalf("seed %d, %d rows at once: error %v, want %v", seed, rowPiece, err, want)
		}
		if err == nil && (m.maxBranches != most || m.rowExcess != excess) {
			t.Fatalf("seed %d, %d rows at once: %d branches, excess %v, want %d, %v", seed, rowPiece, m.maxBranches, m.rowExcess, most, excess)
		}
	}
}

// A column built of pieces is the column built one entry at a time.
func TestFloatsOfPieces(t *testing.T) {
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 1))
		distinct := []int{1, 2, 10, 255, 256, 257, 300}[rng.IntN(7)]
		var plain, pieced FloatsBuilder
		for range rng.IntN(6) {
			values := make([]float64, rng.IntN(400))
			few := 1 + rng.IntN(distinct)
			for i := range values {
				values[i] = float64(rng.IntN(few)) * []float64{1, -1}[rng.IntN(2)]
				plain.Append(values[i])
			}
			piece := CompressFloats(values)
			if rng.IntN(4) == 0 {
				piece = RawFloats(values)
			}
			pieced.Expect(rng.IntN(1000))
			pieced.Extend(&piece)
			for range rng.IntN(3) {
				v := float64(rng.IntN(few))
				plain.Append(v)
				pieced.Append(v)
			}
		}
		a, b := plain.Column(), pieced.Column()
		bits := func(f Floats) []uint64 {
			out := []uint64{uint64(len(f.table))}
			for _, v := range append(slices.Clone(f.table), f.Dense(0)...) {
				out = append(out, math.Float64bits(v))
			}
			return out
		}
		if a.Len() != b.Len() || (a.raw == nil) != (b.raw == nil) || (a.code == nil) != (b.code == nil) || !slices.Equal(bits(a), bits(b)) {
			t.Fatalf("seed %d: %v, want %v", seed, b, a)
		}
	}
}
