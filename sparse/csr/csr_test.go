package csr

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"testing"
)

var seed = flag.Uint64("seed", 1, "seed of the random graphs")

// random returns the rows of a random graph, and its edges state by state.
func random(rng *rand.Rand) (Rows, [][]uint32) {
	n := rng.IntN(300)
	r := Rows{ChoiceStart: []uint32{0}}
	if rng.IntN(2) == 0 {
		r.BranchStart = []uint32{0}
	}
	next := make([][]uint32, n)
	for s := range next {
		for range rng.IntN(4) {
			for range 1 + rng.IntN(3) {
				t := rng.Uint32N(uint32(n))
				r.Target, next[s] = append(r.Target, t), append(next[s], t)
			}
			if r.BranchStart != nil {
				r.BranchStart = append(r.BranchStart, uint32(len(r.Target)))
			}
		}
		end := len(r.Target)
		if r.BranchStart != nil {
			end = len(r.BranchStart) - 1
		}
		r.ChoiceStart = append(r.ChoiceStart, uint32(end))
	}
	return r, next
}

func TestTransposeHasEverySourceOnce(t *testing.T) {
	few := fewEdges
	defer func() { fewEdges = few }()
	dirty := func(n int) []uint32 { return slices.Repeat([]uint32{77}, n) }
	for i := range uint64(500) {
		r, next := random(rand.New(rand.NewPCG(*seed, i)))
		want := make([][]uint32, len(next))
		for s, targets := range next {
			for _, to := range targets {
				if to != uint32(s) && !slices.Contains(want[to], uint32(s)) {
					want[to] = append(want[to], uint32(s))
				}
			}
		}
		for workers := 1; workers <= 3; workers++ {
			fewEdges = []int{few, 3}[i%2]
			start, from := Transpose(context.Background(), r, workers, dirty)
			for to := range want {
				if got := from[start[to]:start[to+1]]; !slices.Equal(got, want[to]) {
					t.Fatalf("seed %d, graph %d, %d workers: %v lead to %d, want %v", *seed, i, workers, got, to, want[to])
				}
			}
			if int(start[len(want)]) != len(from) {
				t.Fatalf("seed %d, graph %d: %d entries, want %d", *seed, i, len(from), start[len(want)])
			}
		}
	}
}

func TestTransposeStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	r, _ := random(rand.New(rand.NewPCG(*seed, 0)))
	if start, from := Transpose(ctx, r, 2, func(n int) []uint32 { return make([]uint32, n) }); start != nil || from != nil {
		t.Error("an answer though the context has ended")
	}
}

func TestShareIsAPartition(t *testing.T) {
	for n := range 400 {
		for workers := 1; workers <= 5; workers++ {
			times := make([]int, n)
			Share(workers, n, func(lo, hi int) {
				if lo%64 != 0 || lo >= hi {
					t.Errorf("%d for %d workers: a stretch from %d to %d", n, workers, lo, hi)
				}
				for i := lo; i < hi; i++ {
					times[i]++
				}
			})
			if slices.ContainsFunc(times, func(k int) bool { return k != 1 }) {
				t.Fatalf("%d for %d workers: %v", n, workers, times)
			}
		}
	}
}

func TestShareHandsPanicsOn(t *testing.T) {
	defer func() {
		if x := recover(); x != "here" {
			t.Errorf("panic %v", x)
		}
	}()
	Share(3, 1000, func(lo, _ uint32) {
		if lo > 0 {
			panic("here")
		}
	})
}
