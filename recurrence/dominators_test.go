package recurrence

import (
	"context"
	"math/rand/v2"
	"testing"
)

// A state dominates another if without it nothing leads there; the immediate dominator is the one that
// all others dominate.
func TestDominatorsAgainstTheDefinition(t *testing.T) {
	rng := rand.New(rand.NewPCG(*pathSeed, 31))
	for i := range 500 {
		n := 1 + rng.IntN(30)
		g := randomGraph(rng, n)
		var before Predecessors
		before.transpose(context.Background(), g, 1, new(scratch))
		got := dominators(&g, &before.graph)
		dominates := make([][]bool, n) // by the one and the other
		all := reachedWithout(&g, None)
		for d := range n {
			dominates[d] = make([]bool, n)
			for v, reached := range reachedWithout(&g, uint32(d)) {
				dominates[d][v] = all[v] && !reached && v != d
			}
		}
		for v := range n {
			want := uint32(None)
			for d := range n {
				if dominates[d][v] && (want == None || dominates[want][d]) {
					want = uint32(d)
				}
			}
			if got[v] != want {
				t.Fatalf("seed %d, graph %d: the immediate dominator of %d is %d, want %d", *pathSeed, i, v, int32(got[v]), int32(want))
			}
		}
	}
}

// reachedWithout returns what is reached from 0 without passing a state.
func reachedWithout(g *graph, state uint32) []bool {
	reached := make([]bool, g.states())
	if state == 0 {
		return reached
	}
	reached[0] = true
	for stack := []uint32{0}; len(stack) > 0; {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for _, v := range g.next(s) {
			if v != state && !reached[v] {
				reached[v] = true
				stack = append(stack, v)
			}
		}
	}
	return reached
}

// Without a state, states of one strongly connected component can reach each other past it.
func TestCyclesWithoutAState(t *testing.T) {
	rng := rand.New(rand.NewPCG(*pathSeed, 32))
	for i := range 300 {
		n := 2 + rng.IntN(20)
		g := randomGraph(rng, n)
		got := g.cyclesWithout(0)
		reach := make([][]bool, n)
		for s := 1; s < n; s++ {
			reach[s] = make([]bool, n)
			for stack := []uint32{uint32(s)}; len(stack) > 0; {
				from := stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				if !reach[s][from] {
					reach[s][from] = true
					for _, v := range g.next(from) {
						if v != 0 {
							stack = append(stack, v)
						}
					}
				}
			}
		}
		for a := 1; a < n; a++ {
			for b := 1; b < n; b++ {
				if want := reach[a][b] && reach[b][a]; (got[a] == got[b]) != want {
					t.Fatalf("seed %d, graph %d: states %d and %d: together %v, want %v", *pathSeed, i, a, b, got[a] == got[b], want)
				}
			}
		}
	}
}

func randomGraph(rng *rand.Rand, n int) graph {
	g := graph{choiceStart: []uint32{0}}
	for range n {
		for range rng.IntN(4) {
			g.target = append(g.target, rng.Uint32N(uint32(n)))
		}
		g.choiceStart = append(g.choiceStart, uint32(len(g.target)))
	}
	return g
}
