package recurrence

import (
	"sync"

	"offswitch/sparse"
)

// Components is a family of disjoint sets of states, numbered from 0.
type Components struct {
	// Of is the component of each state, None where it is in none.
	Of []uint32

	count  int
	once   sync.Once
	start  []uint32
	states []uint32
}

// Count returns the number of components.
func (c *Components) Count() int { return c.count }

// Members returns the states of a component in increasing order. Callers must not modify them. The
// first call takes O(states), and 4 bytes a state and component from then on.
func (c *Components) Members(component uint32) []uint32 {
	c.once.Do(c.group)
	return c.states[c.start[component]:c.start[component+1]]
}

// NumStates returns the number of states in some component. O(states).
func (c *Components) NumStates() int {
	n := 0
	for _, k := range c.Of {
		if k != None {
			n++
		}
	}
	return n
}

// group collects the members of each component by a counting sort.
func (c *Components) group() {
	c.start = make([]uint32, c.count+2)
	total := 0
	for _, k := range c.Of {
		if k != None {
			c.start[k+2]++
			total++
		}
	}
	for k := 2; k < len(c.start); k++ {
		c.start[k] += c.start[k-1]
	}
	c.states = make([]uint32, total)
	for s, k := range c.Of {
		if k != None {
			c.states[c.start[k+1]] = uint32(s)
			c.start[k+1]++
		}
	}
	c.start = c.start[:c.count+1]
}

// StronglyConnected returns the strongly connected components of the model under all its choices;
// every state is in one. A component is numbered after all those it can reach.
//
// Components with a large share of the states are found as what can reach one of their states and
// what that can reach, by passes in the order of states; what remains is left to Tarjan's algorithm.
// O(states + branches), at most 13 bytes a state while it runs, 4 of them for the answer; 9 where the model
// is deterministic. Where passes find a large component too slowly it takes the predecessors too. It uses one
// core: two searches at once gained nothing over one search, and another in what that found. The answer is
// nil when the context ends; see Within.
func (r *Structure) StronglyConnected() *Components {
	if r.classes == nil {
		n := r.g.states()
		t := newTarjan(r.ctx, r.g, r.memory.zeros(n))
		r.decompose(t)
		if r.stopped() {
			return nil
		}
		r.classes = &Components{Of: t.rank, count: t.finish()}
		r.memory.free(t.stack)
		if t.via == nil && r.g.branchStart != nil {
			r.memory.free(t.start)
		}
	}
	return r.classes
}

// giantFrom is the least number of states among which a large component is sought. Tests make it small.
var giantFrom = 1 << 13

// A large component has at least one in giantShare of the states among which it is sought.
const giantShare = 8

// decompose ranks all states.
func (r *Structure) decompose(t *tarjan) {
	n := r.g.states()
	least := max(giantFrom, n/(2*giantShare))
	all := r.memory.set(n)
	all.Fill(n)
	// The sets at hand, the last one first: either to be decomposed, or one component. From a set to
	// be decomposed, edges lead out of it only into what is ranked by then.
	type part struct {
		states sparse.Bitset
		whole  bool
	}
	parts := []part{{states: all}}
	for len(parts) > 0 && !r.stopped() {
		p := parts[len(parts)-1]
		parts = parts[:len(parts)-1]
		if p.whole {
			t.close(p.states)
			r.memory.freeSets(p.states)
			continue
		}
		var behind, component sparse.Bitset
		if size := p.states.Count(); size >= least {
			behind, component = r.giant(p.states, size)
		}
		if component == nil {
			t.visit(p.states, &r.memory)
			r.memory.freeSets(p.states)
			continue
		}
		for i := range p.states {
			p.states[i] &^= behind[i]
			behind[i] &^= component[i]
		}
		parts = append(parts, part{states: behind}, part{component, true}, p)
	}
}

// giant looks for a component with a large share of a region of so many states, and returns it with
// all that can reach it in the region, or nil. It gives up when passes do not get far, which is when
// the order of states is of no help.
func (r *Structure) giant(region sparse.Bitset, size int) (behind, component sparse.Bitset) {
	pivot := r.loops(region)
	if pivot == None {
		return nil, nil
	}
	b := backward{ctx: r.ctx, graph: &r.g, region: region, reached: r.memory.set(64 * len(region))}
	b.reached.Set(pivot)
	done := b.pull(up) // from a first state, the others come in order
	if reach := b.reached.Count(); reach*giantShare < size {
		r.memory.freeSets(b.reached)
		return nil, nil
	}
	if !done {
		before := r.Predecessors()
		if before == nil {
			return nil, nil
		}
		queue := r.memory.take(size)
		b.pullQueue(before, queue)
		r.memory.free(queue)
	}
	component = r.g.forward(r.ctx, pivot, b.reached, &r.memory)
	if component.Count()*giantShare < size {
		r.memory.freeSets(b.reached, component)
		return nil, nil
	}
	return b.reached, component
}

// loops returns the first state of a region that an edge leads back to from a later one: where states
// are numbered as a search found them, that tends to be the first state on a cycle. It is None when
// the region has no cycles.
func (r *Structure) loops(region sparse.Bitset) uint32 {
	for s := range region.All() {
		if r.stoppedAt(s) {
			break
		}
		for _, t := range r.g.next(s) {
			if t < s && region.Has(t) {
				return t
			}
		}
	}
	return None
}
