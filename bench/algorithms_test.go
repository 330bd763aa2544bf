package bench

import (
	"context"
	"fmt"
	"testing"

	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"

	"offswitch/recurrence"
	"offswitch/sparse"
)

// everyModel runs a benchmark on a model of each family and size. run does the work once.
func everyModel(b *testing.B, slip float64, prepare func(m *sparse.MDP) (run func())) {
	for _, family := range Families() {
		o := Options{Seed: 1}
		if family.HasSlip {
			o.Slip = slip
		}
		for o.States = 10_000; o.States <= *largest; o.States *= 10 {
			b.Run(fmt.Sprintf("%s/%d", family.Name, o.States), func(b *testing.B) {
				m := generate(b, family.Name, o)
				run := prepare(m)
				for b.Loop() {
					run()
				}
				done := float64(b.N) / b.Elapsed().Seconds()
				b.ReportMetric(done*float64(m.NumStates()), "states/s")
				b.ReportMetric(done*float64(m.NumBranches()), "branches/s")
				b.ReportMetric(float64(m.Bytes())/float64(m.NumStates()), "bytes/state")
			})
		}
	}
}

// One Bellman backup of every state, on one core: the unit in which other costs are told.
func BenchmarkSweep(b *testing.B) {
	everyModel(b, 0.2, func(m *sparse.MDP) func() {
		n := m.NumStates()
		theta, v, out := m.Rewards()[0].States.Dense(n), make([]float64, n), make([]float64, n)
		return func() { m.Backup(0, uint32(n), 0.99, theta, nil, v, out) }
	})
}

func BenchmarkPredecessors(b *testing.B) {
	everyModel(b, 0.2, func(m *sparse.MDP) func() {
		return func() { recurrence.NewStructure(m, 0).Predecessors() }
	})
}

func BenchmarkStronglyConnected(b *testing.B) {
	everyModel(b, 0.2, func(m *sparse.MDP) func() {
		return func() { recurrence.NewStructure(m, 0).StronglyConnected() }
	})
}

func BenchmarkEndComponents(b *testing.B) {
	everyModel(b, 0.2, func(m *sparse.MDP) func() {
		return func() { recurrence.NewStructure(m, 0).EndComponents() }
	})
}

// gonum's decomposition of the same graphs, on maps and with recursion.
func BenchmarkGonumTarjan(b *testing.B) {
	everyModel(b, 0.2, func(m *sparse.MDP) func() {
		g := simple.NewDirectedGraph()
		for s := range uint32(m.NumStates()) {
			for _, t := range m.Successors(s) {
				if s != t {
					g.SetEdge(g.NewEdge(simple.Node(s), simple.Node(t)))
				}
			}
		}
		return func() { topo.TarjanSCC(g) }
	})
}

func BenchmarkSolve(b *testing.B) {
	everyModel(b, 0.2, func(m *sparse.MDP) func() {
		p := sparse.Problem{Discount: 0.99, States: m.Rewards()[0].States.Dense(m.NumStates())}
		return func() {
			if _, err := m.Solve(context.Background(), p); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// Counting where every move is certain, which is exact.
func BenchmarkCount(b *testing.B) {
	for _, name := range []string{"coinrun", "grid", "ring", "chain"} {
		for states := 10_000; states <= *largest; states *= 10 {
			b.Run(fmt.Sprintf("%s/%d", name, states), func(b *testing.B) {
				m := generate(b, name, Options{States: states, Seed: 1})
				fresh, _ := m.Label("new")
				start := fresh.First()
				structure, reach := recurrence.NewStructure(m, 0), new(recurrence.Search).Forward(m, start)
				for b.Loop() {
					visits := recurrence.NewVisits(structure, start, reach)
					if _, err := visits.Count(context.Background(), recurrence.CountOptions{Discount: 0.99}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N)*float64(m.NumStates())/b.Elapsed().Seconds(), "states/s")
			})
		}
	}
}
