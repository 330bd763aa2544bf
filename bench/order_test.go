package bench

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"offswitch/sparse"
)

// relabellings are the ways to number a model's states. Each is applied to a scattered model.
var relabellings = []struct {
	name string
	of   func(m *sparse.MDP) []uint32
}{
	{"scattered", atRandom},
	{"breadth-first", sparse.BreadthFirst},
	{"cuthill-mckee", sparse.CuthillMcKee},
}

// atRandom returns the states in random order.
func atRandom(m *sparse.MDP) []uint32 {
	order := make([]uint32, m.NumStates())
	for i := range order {
		order[i] = uint32(i)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	return order
}

// onScatteredGrids runs a benchmark on grids whose states come in random order.
func onScatteredGrids(b *testing.B, f func(b *testing.B, m *sparse.MDP)) {
	for _, slip := range []float64{0, 0.2} {
		for states := 10_000; states <= *largest; states *= 10 {
			b.Run(fmt.Sprintf("slip%v/%d", slip, states), func(b *testing.B) {
				m := generate(b, "grid", Options{States: states, Seed: 1, Slip: slip})
				f(b, m.Relabel(atRandom(m)))
			})
		}
	}
}

// One Bellman backup of every state of a scattered grid, as it is and in better relabellings.
func BenchmarkOrderedSweep(b *testing.B) {
	onScatteredGrids(b, func(b *testing.B, m *sparse.MDP) {
		for _, order := range relabellings {
			b.Run(order.name, func(b *testing.B) {
				run := sweep(newInstance(m.Relabel(order.of(m))))
				for b.Loop() {
					run()
				}
				b.ReportMetric(float64(b.N)*float64(m.NumStates())/b.Elapsed().Seconds(), "states/s")
			})
		}
	})
}

// What it costs to bring a scattered grid into order: finding the order, and moving everything.
func BenchmarkOrder(b *testing.B) {
	onScatteredGrids(b, func(b *testing.B, m *sparse.MDP) {
		for _, order := range relabellings[1:] {
			b.Run(order.name, func(b *testing.B) {
				for b.Loop() {
					order.of(m)
				}
			})
		}
		b.Run("relabel", func(b *testing.B) {
			order := sparse.BreadthFirst(m)
			for b.Loop() {
				m.Relabel(order)
			}
		})
		b.Run("sweep-before", func(b *testing.B) {
			run := sweep(newInstance(m))
			for b.Loop() {
				run()
			}
		})
	})
}
