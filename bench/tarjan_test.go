package bench

import (
	"slices"
	"testing"

	"offswitch/recurrence"
	"offswitch/sparse"
)

// plainTarjan is Tarjan's (1972) algorithm as one writes it down without a thought of memory: what
// ours is measured against and checked with. It returns the component of each state.
func plainTarjan(m *sparse.MDP) []uint32 {
	n := m.NumStates()
	index, low, of := make([]uint32, n), make([]uint32, n), make([]uint32, n)
	next := make([]uint32, n) // the next branch of a state to look at
	var path, open []uint32
	visited, components := uint32(0), uint32(0)
	visit := func(s uint32) {
		visited++
		index[s], low[s], of[s] = visited, visited, sparse.None
		next[s], _ = m.BranchesOf(s)
		path, open = append(path, s), append(open, s)
	}
	for first := range uint32(n) {
		if index[first] != 0 {
			continue
		}
		visit(first)
		for len(path) > 0 {
			s := path[len(path)-1]
			if _, end := m.BranchesOf(s); next[s] < end {
				t := m.Target(next[s])
				next[s]++
				if index[t] == 0 {
					visit(t)
				} else if of[t] == sparse.None {
					low[s] = min(low[s], index[t])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				parent := path[len(path)-1]
				low[parent] = min(low[parent], low[s])
			}
			if low[s] < index[s] {
				continue
			}
			for of[s] == sparse.None {
				of[open[len(open)-1]] = components
				open = open[:len(open)-1]
			}
			components++
		}
	}
	return of
}

func TestComponentsAreThoseOfPlainTarjan(t *testing.T) {
	for _, s := range subjects() {
		for _, order := range []string{local, scattered} {
			m := instanceOf(t, s, 10_000, order).MDP
			got, want := recurrence.NewStructure(m, 0).StronglyConnected(), plainTarjan(m)
			first := make([]uint32, got.Count()) // one state of each component
			for x, k := range got.Of {
				first[k] = uint32(x)
			}
			for x, k := range got.Of {
				if want[x] != want[first[k]] {
					t.Fatalf("%s, %s: states #%d and #%d should be in different components", s.name, order, x, first[k])
				}
			}
			if count := int(slices.Max(want)) + 1; got.Count() != count {
				t.Fatalf("%s, %s: %d components, want %d", s.name, order, got.Count(), count)
			}
		}
	}
}
