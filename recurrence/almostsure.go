package recurrence

import "offswitch/sparse"

// sureRounds is how often AlmostSure narrows down by searches before it turns to end components.
// Tests change it.
var sureRounds = 4

// sureLooks is how many branches of states that are not found a search looks at, for each branch there is: states
// with very many choices are looked at again and again.
const sureLooks = 4

// AlmostSure returns the states from which some policy reaches the target set with probability 1,
// the target itself included. Positive probability is not enough: this is what the proof of
// Krakovna & Kramar's Proposition 1 needs.
//
// The states that can reach the target at all are an upper bound; those that can by choices that
// surely stay within the bound are a better one, and a bound that stays the same is the answer.
// Where everything is deterministic the first one is. A few rounds settle most models; what they
// leave open is decided on the end components. O(states + branches · branches of a choice). The answer is nil
// when the context ends; see Within.
func (r *Structure) AlmostSure(target sparse.Bitset) sparse.Bitset {
	n := r.g.states()
	bound := sparse.NewBitset(n)
	bound.Fill(n)
	for round := range sureRounds {
		size := bound.Count()
		b := backward{ctx: r.ctx, graph: &r.g, region: bound, reached: target.Clone(), careful: round > 0, looks: sureLooks * len(r.g.target)}
		// Down first: the states that a search found on its way to the target.
		if !b.pull(down) {
			before := r.Predecessors()
			if before == nil {
				return nil
			}
			queue := r.memory.take(size)
			b.pullQueue(before, queue)
			r.memory.free(queue)
		}
		if r.stopped() {
			return nil
		}
		if b.looks < 0 {
			break
		}
		bound = b.reached
		if r.m.Deterministic() || bound.Count() == size || r.closed(bound) {
			return bound
		}
	}
	return r.sureByComponents(target)
}

// closed reports whether no branch leads out of a set.
func (r *Structure) closed(set sparse.Bitset) bool {
	for s := range set.All() {
		if !stays(r.g.next(s), set) {
			return false
		}
	}
	return true
}

// sureByComponents is AlmostSure in a time that does not depend on how often a bound would have to be
// narrowed, nor on how many choices a state has.
//
// With every end component taken as one node, no policy stays away from sinks forever. So a state
// is lost exactly when each way on risks a lost one: a node without a way on is lost to begin with
// unless it holds a target, and losing spreads backwards. Each state holds on to one way on for as long as
// that risks nothing, and then looks for the next; a way once passed over never becomes safe again.
// 12 bytes a state.
func (r *Structure) sureByComponents(target sparse.Bitset) sparse.Bitset {
	m, n := r.m, uint32(r.m.NumStates())
	inside, before := r.EndComponents(), r.Predecessors()
	if r.stopped() {
		return nil
	}
	x := &losing{m: m, inside: inside, safe: sparse.NewBitset(int(n)), way: make([]uint32, n)}
	x.safe.Fill(int(n))
	nodes := uint32(inside.Count()) + n
	wins := sparse.NewBitset(int(nodes))
	for s := range target.All() {
		wins.Set(x.node(s))
	}
	ways := make([]uint32, nodes) // states of a node that have a way on
	for s := range n {
		if r.stoppedAt(s) {
			return nil
		}
		if x.findWay(s) {
			ways[x.node(s)]++
		}
	}
	for s := range n {
		k := x.node(s)
		first := k >= uint32(inside.Count()) || inside.Members(k)[0] == s
		if first && ways[k] == 0 && !wins.Has(k) {
			x.lose(k)
		}
	}
	for done := uint32(0); len(x.lost) > 0; done++ {
		if r.stoppedAt(done) {
			return nil
		}
		t := x.lost[len(x.lost)-1]
		x.lost = x.lost[:len(x.lost)-1]
		for _, s := range before.Of(t) {
			k := x.node(s)
			lo, hi := m.Choices(s)
			if wins.Has(k) || x.way[s] == hi-lo || x.findWay(s) {
				continue
			}
			if ways[k]--; ways[k] == 0 {
				x.lose(k)
			}
		}
	}
	return x.safe
}

// losing is how far sureByComponents has come.
type losing struct {
	m      *sparse.MDP
	inside *Components
	safe   sparse.Bitset // states that are not known to be lost
	lost   []uint32      // states that are, and have not been followed
	way    []uint32      // of each state, the first of its choices that is a way on without a risk, or their number
}

// node returns the end component of a state or, numbered behind those, what stands for a state in none.
func (x *losing) node(s uint32) uint32 {
	if k := x.inside.Of[s]; k != None {
		return k
	}
	return uint32(x.inside.Count()) + s
}

// lose makes a node lost.
func (x *losing) lose(k uint32) {
	first := len(x.lost)
	if alone := uint32(x.inside.Count()); k >= alone {
		x.lost = append(x.lost, k-alone)
	} else {
		x.lost = append(x.lost, x.inside.Members(k)...)
	}
	for _, s := range x.lost[first:] {
		x.safe.Clear(s)
	}
}

// findWay goes to the first way on of a state from where it is that risks nothing, and reports whether there is one.
func (x *losing) findWay(s uint32) bool {
	lo, hi := x.m.Choices(s)
	k := x.node(s)
	for c := lo + x.way[s]; c < hi; c++ {
		if targets := x.m.Targets(c); stays(targets, x.safe) && goesOn(targets, k, x.node) {
			x.way[s] = c - lo
			return true
		}
	}
	x.way[s] = hi - lo
	return false
}

// goesOn reports whether a target is in another node.
func goesOn(targets []uint32, from uint32, node func(uint32) uint32) bool {
	for _, t := range targets {
		if node(t) != from {
			return true
		}
	}
	return false
}
