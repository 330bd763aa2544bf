package recurrence

import (
	"context"

	"offswitch/sparse"
	"offswitch/sparse/csr"
)

// Search is the result of a breadth-first search along branches. The zero value is ready for one;
// each search takes over the memory of the one before.
type Search struct {
	Order    []uint32      // the states reached, nearest first, the start states included
	Reached  sparse.Bitset // the same as a set
	Distance []uint32      // branches from the nearest start state; None where not reached

	ctx context.Context // nil: none
}

// Within makes searches of r give up soon, within some 10^5 states, when a context ends, and returns r. What they
// have reached then need not be all.
func (r *Search) Within(ctx context.Context) *Search {
	r.ctx = ctx
	return r
}

// Forward searches from the start states along all branches of all choices, and returns r.
// O(states + branches).
func (r *Search) Forward(m *sparse.MDP, start ...uint32) *Search {
	return r.search(m.NumStates(), start, m.BranchesOf, m.AllTargets())
}

// Backward searches from the start states against the branches, and returns r: what it reaches is
// every state from which some policy reaches a start state with positive probability.
// O(states + branches).
func (r *Search) Backward(p *Predecessors, start ...uint32) *Search {
	return r.search(p.states(), start, p.edges, p.target)
}

// Visited searches along what a policy does, and returns r: what it reaches are the states that
// the policy visits with positive probability. policy[s] is the choice taken in s; where it is None
// the walk ends. O(states + branches).
func (r *Search) Visited(m *sparse.MDP, policy []uint32, start ...uint32) *Search {
	return r.search(m.NumStates(), start, func(s uint32) (from, to uint32) {
		if policy[s] == None {
			return 0, 0
		}
		return m.Branches(policy[s])
	}, m.AllTargets())
}

func (r *Search) search(n int, start []uint32, edges func(s uint32) (from, to uint32), target []uint32) *Search {
	r.Order, r.Reached, r.Distance = r.Order[:0], grow(r.Reached, (n+63)/64), grow(r.Distance, n)
	clear(r.Reached)
	for s := range r.Distance {
		r.Distance[s] = None
	}
	for _, s := range start {
		if r.Distance[s] == None {
			r.Distance[s] = 0
			r.Reached.Set(s)
			r.Order = append(r.Order, s)
		}
	}
	var rows csr.Batch
	look := checkEvery // at the context, when so many are done
	for done := 0; done < len(r.Order); {
		if done >= look && r.ctx != nil {
			if look = done + checkEvery; r.ctx.Err() != nil {
				break
			}
		}
		states := r.Order[done:]
		n := csr.Fetch(&rows, edges, target, states)
		done += n
		for i := range n {
			d := r.Distance[states[i]] + 1
			for _, t := range target[rows.From[i]:rows.To[i]] {
				if r.Distance[t] == None {
					r.Distance[t] = d
					r.Reached.Set(t)
					r.Order = append(r.Order, t)
				}
			}
		}
	}
	return r
}

// Step is one step of a witness path: a choice taken in a state, and where it can lead.
type Step struct {
	State, Choice, Next uint32
}

// Path returns a shortest path from a start state to a goal: some way to reach it with positive
// probability. It is empty when a start state is a goal, and ok is false when there is no path.
// allow, if not nil, says which choices the path may take. When the context ends, there is none.
// O(states + branches).
func Path(ctx context.Context, m *sparse.MDP, start []uint32, goal func(state uint32) bool, allow func(choice uint32) bool) (path []Step, ok bool) {
	n := m.NumStates()
	via := make([]uint32, n) // the choice that led to a state
	seen := sparse.NewBitset(n)
	var order []uint32
	for _, s := range start {
		if !seen.Has(s) {
			seen.Set(s)
			via[s] = None
			order = append(order, s)
		}
	}
	for i := 0; i < len(order); i++ {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return nil, false
		}
		s := order[i]
		if goal(s) {
			for via[s] != None {
				from := m.ChoiceState(via[s])
				path = append(path, Step{State: from, Choice: via[s], Next: s})
				s = from
			}
			for a, b := 0, len(path)-1; a < b; a, b = a+1, b-1 {
				path[a], path[b] = path[b], path[a]
			}
			return path, true
		}
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if allow != nil && !allow(c) {
				continue
			}
			for _, t := range m.Targets(c) {
				if !seen.Has(t) {
					seen.Set(t)
					via[t] = c
					order = append(order, t)
				}
			}
		}
	}
	return nil, false
}
