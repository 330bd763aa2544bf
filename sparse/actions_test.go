package sparse

import (
	"math/rand/v2"
	"strconv"
	"testing"
)

// A column of actions says the same however it is stored, while it grows and when it is finished.
func TestActionsAgainstAPlainList(t *testing.T) {
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		var a Actions
		kinds := []int{1, 2, 5, 255, 256, 257, 300}[rng.IntN(7)]
		for i := range kinds {
			if got := a.Intern(strconv.Itoa(i)); got != uint32(i) {
				t.Fatalf("seed %d: Intern(%d) = %d", seed, i, got)
			}
		}
		// Repetition of a few patterns, with some noise in between.
		patterns := make([][]uint32, 1+rng.IntN(3))
		for i := range patterns {
			for range 1 + rng.IntN(8) {
				patterns[i] = append(patterns[i], rng.Uint32N(uint32(kinds)))
			}
		}
		noise := []float64{0, 0, 0.001, 0.1, 1}[rng.IntN(5)]
		var want []uint32
		for n := rng.IntN(1 + rng.IntN(20_000)); len(want) < n; {
			if rng.Float64() < noise {
				want = append(want, rng.Uint32N(uint32(kinds)))
				continue
			}
			pattern := patterns[rng.IntN(1+rng.IntN(len(patterns)))]
			for range 1 + rng.IntN(200) {
				want = append(want, pattern...)
			}
		}
		check := func(when string) {
			t.Helper()
			if a.Len() != len(want) {
				t.Fatalf("seed %d, %s: %d choices, want %d", seed, when, a.Len(), len(want))
			}
			for c, id := range want {
				if got := a.ID(uint32(c)); got != id {
					t.Fatalf("seed %d, %s: action %d of choice %d, want %d", seed, when, got, c, id)
				}
			}
		}
		for _, id := range want {
			a.Append(id)
		}
		check("growing")
		flat := a.Bytes()
		a.seal()
		check("finished")
		if a.Bytes() > flat {
			t.Errorf("seed %d: %d bytes when finished, %d before", seed, a.Bytes(), flat)
		}
		if noise == 0 && len(patterns) == 1 && kinds <= 256 && len(want) > 10_000 && 5*a.Bytes() > len(want) {
			t.Errorf("seed %d: %d bytes for %d choices of one pattern", seed, a.Bytes(), len(want))
		}
		if a.block != nil {
			func() {
				defer func() {
					if recover() == nil {
						t.Errorf("seed %d: no panic for a choice beyond the last", seed)
					}
				}()
				a.ID(uint32(len(want)))
			}()
		}
		copied := a
		for range 3 {
			copied.Append(0)
		}
		check("after a copy grew")
		a.Append(7 % uint32(kinds))
		want = append(want, 7%uint32(kinds))
		check("grown on")
	}
}
