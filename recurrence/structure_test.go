package recurrence_test

import (
	"flag"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"

	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

var seed = flag.Uint64("seed", 1, "seed of the random models")

// chainReach returns, for each state, the states that a policy's chain reaches from it in one
// step or more; states in stop are not left.
func chainReach(m *sparse.MDP, policy []uint32, stop sparse.Bitset) [][]bool {
	n := m.NumStates()
	reach := make([][]bool, n)
	for s := range uint32(n) {
		reach[s] = make([]bool, n)
		if policy[s] != sparse.None && !(stop != nil && stop.Has(s)) {
			for _, t := range m.Targets(policy[s]) {
				reach[s][t] = true
			}
		}
	}
	for k := range n {
		for i := range n {
			for j := range n {
				reach[i][j] = reach[i][j] || reach[i][k] && reach[k][j]
			}
		}
	}
	return reach
}

func TestStronglyConnectedAgainstGonum(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 0))
	for i := range 3000 {
		m := sparsetest.Random(rng, 30, i%2 == 0)
		g := simple.NewDirectedGraph()
		for s := range m.NumStates() {
			g.AddNode(simple.Node(s))
		}
		for s := range uint32(m.NumStates()) {
			for _, u := range m.Successors(s) {
				if u != s {
					g.SetEdge(g.NewEdge(simple.Node(s), simple.Node(u)))
				}
			}
		}
		want := topo.TarjanSCC(g)
		got := recurrence.NewStructure(m, 0).StronglyConnected()
		if got.Count() != len(want) {
			t.Fatalf("seed %d, model %d: %d components, want %d", *seed, i, got.Count(), len(want))
		}
		for _, scc := range want {
			for _, node := range scc {
				if got.Of[node.ID()] != got.Of[scc[0].ID()] {
					t.Fatalf("seed %d, model %d: states %d and %d are apart", *seed, i, node.ID(), scc[0].ID())
				}
			}
		}
		for s := range uint32(m.NumStates()) {
			if !slices.Contains(got.Members(got.Of[s]), s) {
				t.Fatalf("seed %d, model %d: state %d is not among its component's members", *seed, i, s)
			}
			for _, u := range m.Successors(s) {
				if got.Of[u] > got.Of[s] {
					t.Fatalf("seed %d, model %d: component %d comes before %d, which it reaches", *seed, i, got.Of[s], got.Of[u])
				}
			}
		}
	}
}

// Definition 8 word by word: recurrent is what some policy returns to with probability 1.
func TestEndComponentsAgainstAllPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 1))
	for i := range 3000 {
		m := sparsetest.RandomFew(rng, 8, i%5 == 0)
		n := m.NumStates()
		recurrent := make([]bool, n)
		together := make([]bool, n*n) // in one class of some policy
		sparsetest.Policies(m, func(policy []uint32) {
			reach := chainReach(m, policy, nil)
			for s := range n {
				returns := reach[s][s]
				for u := range n {
					returns = returns && (!reach[s][u] || reach[u][s])
				}
				if !returns {
					continue
				}
				recurrent[s] = true
				for u := range n {
					together[s*n+u] = together[s*n+u] || reach[s][u]
				}
			}
		})
		got := recurrence.NewStructure(m, 0).EndComponents()
		for s := range n {
			if recurrent[s] != (got.Of[s] != recurrence.None) {
				t.Fatalf("seed %d, model %d, state %d: recurrent %v, component %d", *seed, i, s, recurrent[s], got.Of[s])
			}
			for u := range n {
				if together[s*n+u] && got.Of[s] != got.Of[u] {
					t.Fatalf("seed %d, model %d: states %d and %d recur together, but are in components %d and %d", *seed, i, s, u, got.Of[s], got.Of[u])
				}
			}
		}
		checkComponents(t, m, got)
	}
}

// checkComponents checks what makes each component an end component: it is closed under some
// choice of each state, and connected by such choices.
func checkComponents(t *testing.T, m *sparse.MDP, c *recurrence.Components) {
	t.Helper()
	for k := range uint32(c.Count()) {
		members := c.Members(k)
		inside := func(choice uint32) bool {
			for _, u := range m.Targets(choice) {
				if c.Of[u] != k {
					return false
				}
			}
			return true
		}
		for _, s := range members {
			for _, u := range members {
				if _, ok := recurrence.Path(t.Context(), m, []uint32{s}, func(x uint32) bool { return x == u }, inside); !ok {
					t.Fatalf("component %d: no way from %d to %d inside it", k, s, u)
				}
			}
			if len(members) == 1 {
				lo, hi := m.Choices(s)
				stays := false
				for choice := lo; choice < hi; choice++ {
					stays = stays || inside(choice)
				}
				if !stays {
					t.Fatalf("component %d: state %d cannot stay", k, s)
				}
			}
		}
	}
}

func TestAlmostSureAgainstAllPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 2))
	for i := range 3000 {
		m := sparsetest.RandomFew(rng, 8, i%5 == 0)
		n := m.NumStates()
		target := sparse.NewBitset(n)
		for range 1 + rng.IntN(2) {
			target.Set(rng.Uint32N(uint32(n)))
		}
		want := make([]bool, n)
		sparsetest.Policies(m, func(policy []uint32) {
			reach := chainReach(m, policy, target)
			hits := func(s int) bool {
				for u := range target.All() {
					if s == int(u) || reach[s][u] {
						return true
					}
				}
				return false
			}
			for s := range n {
				sure := hits(s)
				for u := range n {
					sure = sure && (!reach[s][u] || hits(u))
				}
				want[s] = want[s] || sure
			}
		})
		got := recurrence.NewStructure(m, 0).AlmostSure(target)
		for s := range n {
			if want[s] != got.Has(uint32(s)) {
				t.Fatalf("seed %d, model %d, state %d, target %v: almost surely %v, want %v", *seed, i, s, slices.Collect(target.All()), got.Has(uint32(s)), want[s])
			}
		}
	}
}

// A recursive search overflows its stack here.
func TestLongChain(t *testing.T) {
	const n = 1_000_000
	b := sparse.NewBuilder(n)
	for s := range uint32(n - 1) {
		b.AddChoice(s, "", sparse.Branch{Target: s + 1, Probability: 1})
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if c := recurrence.NewStructure(m, 0).StronglyConnected(); c.Count() != n || c.Of[0] != n-1 {
		t.Errorf("%d components, the first state in %d", c.Count(), c.Of[0])
	}
	if c := recurrence.NewStructure(m, 0).EndComponents(); c.Count() != 0 {
		t.Errorf("%d end components, want none", c.Count())
	}
	if d := new(recurrence.Search).Forward(m, 0).Distance[n-1]; d != n-1 {
		t.Errorf("distance %d to the end", d)
	}
	path, ok := recurrence.Path(t.Context(), m, []uint32{0}, func(s uint32) bool { return s == n-1 }, nil)
	if !ok || len(path) != n-1 || path[n-2].Next != n-1 {
		t.Errorf("path of %d steps", len(path))
	}
}

// The choice that leaves the component must not keep its state in an end component.
func TestChoiceThatLeavesIsNotKept(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "on", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(1, "back", sparse.Branch{Target: 0, Probability: 1 - 1e-12}, sparse.Branch{Target: 2, Probability: 1e-12})
	b.AddChoice(2, "stay", sparse.Branch{Target: 2, Probability: 1})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := recurrence.NewStructure(m, 0).EndComponents().Of, []uint32{recurrence.None, recurrence.None, 0}; !slices.Equal(got, want) {
		t.Errorf("components %v, want %v", got, want)
	}
}
