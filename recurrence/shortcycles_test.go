package recurrence

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/sparse"
)

// cycleWays are settings of everything that decides which of several ways an answer takes.
var cycleWays = []struct {
	name                           string
	first, second, skip, many, few int
	workers                        int
}{
	{"as it is", firstEdges, secondEdges, mostSkipped, manyOpen, fewOpen, 2},
	{"cuts alone", 0, 0, 0, 1 << 30, 0, 1},
	{"cuts on two cores, start aside", 0, 0, 0, 1, 0, 2},
	{"short searches, then cuts", 4, 20, 1, 4, 1, 2},
	{"searches alone", 0, 0, 1, 1 << 30, 1 << 30, 2},
}

func everyCycleWay(f func(name string, workers int)) {
	defer func(a, b, c, d, e int) {
		firstEdges, secondEdges, mostSkipped, manyOpen, fewOpen = a, b, c, d, e
	}(firstEdges, secondEdges, mostSkipped, manyOpen, fewOpen)
	for _, w := range cycleWays {
		firstEdges, secondEdges, mostSkipped, manyOpen, fewOpen = w.first, w.second, w.skip, w.many, w.few
		f(w.name, w.workers)
	}
}

// loops returns a deterministic model of about so many states in which cycles are long: a ring with
// skips, a row of rings with a way back, a torus of one-way streets, or a ring with rings at it.
func loops(rng *rand.Rand, states int) *sparse.MDP {
	shape, size := rng.IntN(4), 3+rng.IntN(states/8)
	rings := max(2, states/size)
	n := rings * size
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		ring, at := int(s)/size, int(s)%size
		to := func(ring, at int) {
			b.AddChoice(s, "", sparse.Branch{Target: uint32((ring+rings)%rings*size + at%size), Probability: 1})
		}
		switch shape {
		case 0:
			b.AddChoice(s, "", sparse.Branch{Target: (s + 1) % uint32(n), Probability: 1})
			if rng.IntN(2) == 0 {
				b.AddChoice(s, "", sparse.Branch{Target: (s + 2 + rng.Uint32N(6)) % uint32(n), Probability: 1})
			}
			continue
		case 1:
			if at == 0 && ring+1 < rings {
				to(ring+1, 0)
			}
			if at == size/2 && ring > 0 {
				to(ring-1, size/2)
			}
		case 2:
			to(ring+1, at)
		case 3:
			if at == 0 {
				to(ring+1, 0)
			}
		}
		to(ring, at+1)
	}
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

// All ways give the answers that a search from each state gives.
func TestShortCyclesEveryWay(t *testing.T) {
	compare := func(t *testing.T, name string, rng *rand.Rand, m *sparse.MDP) {
		start := rng.Uint32N(uint32(m.NumStates()))
		reach := new(Search).Forward(m, start)
		v := NewVisits(NewStructure(m, 1), start, reach)
		// Deterministic or not: every branch is an edge.
		graph := v.graph()
		length := make([]uint32, m.NumStates())
		for x := range length {
			length[x] = shortestReturn(graph.next, uint32(x))
		}
		deepest := reach.Distance[reach.Order[len(reach.Order)-1]]
		for range 3 {
			gamma := 1 - math.Exp(-rng.Float64()*math.Log(20*float64(m.NumStates())))
			longest := longestCycles(gamma, max(deepest, 1), uint32(m.NumStates())+1, 1)
			everyCycleWay(func(way string, workers int) {
				for _, thorough := range []bool{true, false} {
					n := m.NumStates()
					c := &counting{Visits: v, gamma: gamma, longest: longest, workers: workers, out: &Counts{Paper: make([]Verdict, n), Extended: make([]Verdict, n)}}
					c.byCycles(context.Background(), "", graph, v.classes.Of, reach, thorough, func(s uint32, counts bool) {
						c.out.Extended[s] = NotCounted
						if counts {
							c.out.Extended[s] = Counted
						}
					})
					for x, got := range c.out.Extended {
						d := reach.Distance[x]
						if d == None {
							if got != Undecided {
								t.Fatalf("seed %d, %s, %s: state %d is not reached, but %v", *pathSeed, name, way, x, got)
							}
							continue
						}
						if uint32(x) == start {
							d = length[x]
						}
						want := NotCounted
						if length[x] != None && exceeds(gamma, uint64(d)-1, uint64(length[x])) {
							want = Counted
						}
						if got != want && (got != Undecided || thorough) {
							t.Fatalf("seed %d, %s, %s, γ %v: state %d at distance %d on a cycle of %d: %v, want %v", *pathSeed, name, way, gamma, x, d, length[x], got, want)
						}
					}
				}
			})
		}
	}
	models(t, compare)
	rng := rand.New(rand.NewPCG(*pathSeed, 3))
	for range 60 {
		compare(t, "loops", rng, loops(rng, 60+rng.IntN(300)))
	}
}

// shortestReturn returns the length of the shortest cycle through x by a search from it.
func shortestReturn(g *graph, x uint32) uint32 {
	distance := make([]uint32, g.states())
	for s := range distance {
		distance[s] = None
	}
	queue := []uint32{x}
	for i := 0; i < len(queue); i++ {
		d := uint32(0)
		if i > 0 {
			d = distance[queue[i]]
		}
		for _, t := range g.next(queue[i]) {
			if distance[t] == None {
				distance[t] = d + 1
				if t == x {
					return d + 1
				}
				queue = append(queue, t)
			}
		}
	}
	return None
}
