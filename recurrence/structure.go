package recurrence

import (
	"context"
	"runtime"

	"offswitch/sparse"
)

// parallelFrom is the least number of states for which goroutines are worth their start.
const parallelFrom = 1 << 14

// checkEvery is how many states there are, about, between looks at a context.
const checkEvery = 1 << 16

// Structure answers questions about the transition structure of one model. What several answers
// need is made once, when first needed. It is for one goroutine at a time; what it returned may be
// read by many.
type Structure struct {
	m       *sparse.MDP
	ctx     context.Context
	g       graph
	most    int // goroutines, where there is enough to do
	workers int // goroutines for this model
	memory  scratch

	before     *Predecessors
	classes    *Components
	components *Components
}

// NewStructure prepares to answer about a model. workers is the number of goroutines to use, which
// changes no answer; 0 stands for GOMAXPROCS.
func NewStructure(m *sparse.MDP, workers int) *Structure {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	r := &Structure{most: workers, ctx: context.Background()}
	r.Reset(m)
	return r
}

// Within makes r give up soon, within some 10^5 states, when a context ends, and returns r. What it is asked then
// it answers with nil, unless it has answered that before. Given another context it begins anew.
func (r *Structure) Within(ctx context.Context) *Structure {
	r.ctx = ctx
	return r
}

// stopped reports whether it is time to give up.
func (r *Structure) stopped() bool { return r.ctx.Err() != nil }

// stoppedAt is stopped, asked at every state, or every so many.
func (r *Structure) stoppedAt(s uint32) bool { return s%checkEvery == 0 && r.stopped() }

// Reset makes r answer about another model, in the memory of what it answered before: all that is
// no longer valid.
func (r *Structure) Reset(m *sparse.MDP) {
	r.m, r.g = m, graph{m.ChoiceStarts(), m.BranchStarts(), m.AllTargets()}
	r.workers = r.most
	if m.NumStates() < parallelFrom {
		r.workers = 1
	}
	for _, c := range []*Components{r.classes, r.components} {
		if c != nil {
			r.memory.free(c.Of)
		}
	}
	if r.before != nil {
		r.memory.free(r.before.choiceStart, r.before.target)
	}
	r.before, r.classes, r.components = nil, nil, nil
}

// Release lets go of working memory that the next question could use again.
func (r *Structure) Release() { r.memory = scratch{} }

// Predecessors returns the transposed transition structure. The first call takes O(states +
// branches), and a bit a state at most while it runs. It returns nil when the context ends; see Within.
func (r *Structure) Predecessors() *Predecessors {
	if r.before == nil {
		var before Predecessors
		if before.transpose(r.ctx, r.g, r.workers, &r.memory); before.target == nil {
			return nil
		}
		r.before = &before
	}
	return r.before
}

// graph is a graph in compressed rows: the edges of state s are choiceStart[s]..choiceStart[s+1]-1,
// taken through branchStart unless that is nil.
type graph struct{ choiceStart, branchStart, target []uint32 }

func (g *graph) states() int { return len(g.choiceStart) - 1 }

// bound returns the first edge of a state, or the end of the edges when the state is the last plus one.
func (g *graph) bound(s uint32) uint32 {
	e := g.choiceStart[s]
	if g.branchStart != nil {
		e = g.branchStart[e]
	}
	return e
}

// edges returns the range from..to-1 of the edges of a state.
func (g *graph) edges(s uint32) (from, to uint32) { return g.bound(s), g.bound(s + 1) }

// next returns the targets of the edges of a state.
func (g *graph) next(s uint32) []uint32 { return g.target[g.bound(s):g.bound(s+1)] }

// targets returns the targets of the branches of a choice.
func (g *graph) targets(c uint32) []uint32 {
	if g.branchStart == nil {
		return g.target[c : c+1]
	}
	return g.target[g.branchStart[c]:g.branchStart[c+1]]
}

// scratch keeps memory from one step of the work for the next.
type scratch struct {
	spare [][]uint32
	sets  []sparse.Bitset
}

// take returns a slice of length n; what it holds is not defined.
func (m *scratch) take(n int) []uint32 { return reuse(&m.spare, n) }

// set returns the empty set over 0..n-1.
func (m *scratch) set(n int) sparse.Bitset {
	x := reuse(&m.sets, (n+63)/64)
	clear(x)
	return x
}

// reuse takes the smallest slice that is large enough out of spare, or makes one.
func reuse[S ~[]T, T any](spare *[]S, n int) S {
	best := -1
	for i, x := range *spare {
		if cap(x) >= n && (best < 0 || cap(x) < cap((*spare)[best])) {
			best = i
		}
	}
	if best < 0 {
		return make(S, n)
	}
	x := (*spare)[best]
	last := len(*spare) - 1
	(*spare)[best] = (*spare)[last]
	*spare = (*spare)[:last]
	return x[:n]
}

func (m *scratch) zeros(n int) []uint32 {
	x := m.take(n)
	clear(x)
	return x
}

// free hands memory back; nil is none.
func (m *scratch) free(x ...[]uint32) {
	for _, x := range x {
		if cap(x) > 0 {
			m.spare = append(m.spare, x)
		}
	}
}

// freeSets hands sets back; nil is none.
func (m *scratch) freeSets(x ...sparse.Bitset) {
	for _, x := range x {
		if cap(x) > 0 {
			m.sets = append(m.sets, x)
		}
	}
}
