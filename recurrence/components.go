package recurrence

import "offswitch/sparse"

// Components is a family of disjoint sets of states, numbered from 0.
type Components struct {
	// Of is the component of each state, None where it is in none.
	Of []uint32

	start  []uint32
	states []uint32
}

// Count returns the number of components.
func (c *Components) Count() int { return len(c.start) - 1 }

// Members returns the states of a component in increasing order. Callers must not modify them.
func (c *Components) Members(component uint32) []uint32 {
	return c.states[c.start[component]:c.start[component+1]]
}

// NumStates returns the number of states in some component.
func (c *Components) NumStates() int { return len(c.states) }

// group collects the members of each component by a counting sort.
func (c *Components) group(count int) {
	c.start = make([]uint32, count+2)
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
	c.start = c.start[:count+1]
}

// StronglyConnected returns the strongly connected components of the model under all its choices;
// every state is in one. A component is numbered after all those it can reach.
// O(states + branches), 13 bytes a state while it runs.
func StronglyConnected(m *sparse.MDP) *Components {
	c := new(Components)
	var count int
	c.Of, count = stronglyConnected(m.ChoiceStarts(), m.BranchStarts(), m.AllTargets())
	c.group(count)
	return c
}

// stronglyConnected returns the component of each state and the number of components, those
// reached numbered before those that reach them. The edges of state s are
// choiceStart[s]..choiceStart[s+1]-1, taken through branchStart unless that is nil. It is Tarjan's
// algorithm as Pearce (2016) arranged it: one rank a state, 0 while not visited, the least position
// on the path that is known to be reached while its component is open, and counting down from the top once it is closed,
// so that a single comparison ignores closed components; path and open states share one array.
func stronglyConnected(choiceStart, branchStart, target []uint32) ([]uint32, int) {
	n := len(choiceStart) - 1
	bound := func(s uint32) uint32 {
		if branchStart == nil {
			return choiceStart[s]
		}
		return branchStart[choiceStart[s]]
	}
	rank := make([]uint32, n)
	stack := make([]uint32, n) // the path from the left, finished states of open components from the right
	edge := make([]uint32, n)  // next edge of each state on the path
	inner := make([]bool, n)   // state on the path reaches an earlier one: it is not the first of its component
	depth, open := 0, n
	next, closed := uint32(1), uint32(None-1)
	for first := range uint32(n) {
		if rank[first] != 0 {
			continue
		}
		v := first
		e, end := bound(v), bound(v+1)
		low, reaches := next, false
		rank[v] = next
		next++
		for {
			if e < end {
				w := target[e]
				e++
				switch r := rank[w]; {
				case r == 0:
					stack[depth], edge[depth], inner[depth] = v, e, reaches
					depth++
					rank[v] = low
					v, e, end = w, bound(w), bound(w+1)
					low, reaches = next, false
					rank[v] = next
					next++
				case r < low:
					low, reaches = r, true
				}
				continue
			}
			if reaches {
				open--
				stack[open] = v
				rank[v] = low
			} else {
				next--
				for open < n && rank[stack[open]] >= low {
					rank[stack[open]] = closed
					open++
					next--
				}
				rank[v] = closed
				closed--
			}
			if depth == 0 {
				break
			}
			depth--
			r := rank[v]
			v, e, reaches = stack[depth], edge[depth], inner[depth]
			end, low = bound(v+1), rank[v]
			if r < low {
				low, reaches = r, true
			}
		}
	}
	for s, r := range rank {
		rank[s] = None - 1 - r
	}
	return rank, int(None - 1 - closed)
}
