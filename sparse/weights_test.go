package sparse

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
)

// randomWeights returns a valid model whose choices have rows from a pool of so many, or all rows of
// their own where there is none, and the probabilities of all branches.
func randomWeights(t *testing.T, rng *rand.Rand, states, pool int) (*MDP, []float64) {
	row := func() []float64 {
		out := make([]float64, 1+rng.IntN(4))
		rest := 1.0
		for i := range out[1:] {
			out[i] = rest * (0.1 + 0.8*rng.Float64())
			rest -= out[i]
		}
		out[len(out)-1] = rest
		return out
	}
	rows := make([][]float64, pool)
	for i := range rows {
		rows[i] = row()
	}
	p := Parts{ChoiceStart: []uint32{0}, BranchStart: []uint32{0}}
	var values []float64
	for range states {
		for range rng.IntN(4) {
			next := row()
			if pool > 0 {
				next = rows[rng.IntN(pool)]
			}
			values = append(values, next...)
			for range next {
				p.Target = append(p.Target, rng.Uint32N(uint32(states)))
			}
			p.BranchStart = append(p.BranchStart, uint32(len(p.Target)))
		}
		p.ChoiceStart = append(p.ChoiceStart, uint32(len(p.BranchStart)-1))
	}
	p.Probability = RawFloats(slices.Clone(values))
	if rng.IntN(2) == 0 {
		p.Probability = CompressFloats(values)
	}
	m, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return m, values
}

// A model gives back the probabilities that it was made of, however it stores them, as do a relabelled
// one and one without some choices.
func TestProbabilitiesAreThoseGiven(t *testing.T) {
	defer func(size int) { rowPiece = size }(rowPiece)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	forms := make(map[string]int)
	for seed := range uint64(150) {
		rng := rand.New(rand.NewPCG(seed, 2))
		runtime.GOMAXPROCS(1 + rng.IntN(3))
		states, pool := 1+rng.IntN(60), rng.IntN(5)
		if seed%10 == 0 {
			// Enough for rows that a byte does not tell apart, and for too many of them.
			states, pool = 30_000, []int{0, 256, 2000, 20000}[seed/10%4]
		}
		rowPiece = 1 + rng.IntN(max(20, states))
		m, values := randomWeights(t, rng, states, pool)
		switch {
		case m.Deterministic():
			forms["certain"]++
		case m.weights.narrow != nil:
			forms["narrow"]++
		case m.weights.wide != nil:
			forms["wide"]++
		default:
			forms["raw"]++
		}
		if got, most := m.weights.bytes(), 8*len(values); got > most+most/64 {
			t.Errorf("seed %d: %d bytes, want at most %d and two percent", seed, got, most)
		}
		from := rng.IntN(len(values) + 1)
		copied := make([]float64, rng.IntN(len(values)+2))
		for i := range copied {
			copied[i] = math.NaN()
		}
		m.CopyProbabilities(copied, uint32(from))
		wanted := values[from:min(len(values), from+len(copied))]
		if !slices.Equal(copied[:len(wanted)], wanted) {
			t.Errorf("seed %d: branches from %d on have %v, want %v", seed, from, copied, wanted)
		}
		order := make([]uint32, states)
		for i, s := range rng.Perm(states) {
			order[i] = uint32(s)
		}
		gone := NewBitset(states)
		for range rng.IntN(states + 1) {
			gone.Set(rng.Uint32N(uint32(states)))
		}
		relabelled, fewer := m.Relabel(order), m.WithoutChoices(gone)
		for i, s := range order {
			lo, hi := m.Choices(s)
			to, _ := relabelled.Choices(uint32(i))
			left, _ := fewer.Choices(s)
			for c := lo; c < hi; c++ {
				first, last := m.Branches(c)
				if got := m.Probabilities(c); !slices.Equal(got, values[first:last]) {
					t.Fatalf("seed %d, choice %d: %v, want %v", seed, c, got, values[first:last])
				}
				if got := relabelled.Probabilities(to + c - lo); !slices.Equal(got, values[first:last]) {
					t.Fatalf("seed %d, choice %d relabelled: %v, want %v", seed, c, got, values[first:last])
				}
				if gone.Has(s) {
					continue
				}
				if got := fewer.Probabilities(left + c - lo); !slices.Equal(got, values[first:last]) {
					t.Fatalf("seed %d, choice %d among fewer: %v, want %v", seed, c, got, values[first:last])
				}
			}
		}
	}
	for _, form := range []string{"certain", "narrow", "wide", "raw"} {
		if forms[form] == 0 {
			t.Errorf("no model was %s: %v", form, forms)
		}
	}
}
