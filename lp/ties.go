package lp

import (
	"cmp"
	"math"
	"slices"

	"offswitch/sparse"
)

// weight is the probability of leading to a group of states.
type weight struct {
	to uint32
	p  float64
}

// rowKeys compares choices by where they lead, exactly. Its zero value is ready to use.
type rowKeys struct{ a, b []weight }

// canonical appends the branches of a choice to dst, sorted, with those of one group merged where
// that is exact, so that equal results mean equal distributions over groups. group maps targets;
// None drops a branch.
func canonical(m *sparse.MDP, choice uint32, group func(uint32) uint32, dst []weight) []weight {
	probabilities := m.Probabilities(choice)
	for i, t := range m.Targets(choice) {
		if g := group(t); g != sparse.None {
			dst = append(dst, weight{g, probabilities[i]})
		}
	}
	if len(dst) < 2 {
		return dst
	}
	slices.SortFunc(dst, func(x, y weight) int {
		return cmp.Or(cmp.Compare(x.to, y.to), cmp.Compare(x.p, y.p))
	})
	out := dst[:0]
	for i := 0; i < len(dst); {
		n := 1
		sum, exact := dst[i].p, true
		for ; i+n < len(dst) && dst[i+n].to == dst[i].to; n++ {
			sum, exact = addExactly(sum, dst[i+n].p, exact)
		}
		if exact {
			out = append(out, weight{dst[i].to, sum})
		} else {
			out = append(out, dst[i:i+n]...)
		}
		i += n
	}
	return out
}

// addExactly returns a+b, and whether it and the additions before it were exact.
func addExactly(a, b float64, before bool) (float64, bool) {
	s := a + b
	t := s - a
	return s, before && (a-(s-t))+(b-t) == 0
}

// sameDistribution reports whether two choices have the same distribution, equal targets merged.
// Sums that no float64 holds are told apart even where they happen to be equal.
func (k *rowKeys) sameDistribution(m *sparse.MDP, a, b uint32) bool {
	return k.same(m, a, b, func(t uint32) uint32 { return t })
}

// same is sameDistribution over groups of targets, as canonical has them.
func (k *rowKeys) same(m *sparse.MDP, a, b uint32, group func(uint32) uint32) bool {
	if m.Deterministic() {
		return group(m.Targets(a)[0]) == group(m.Targets(b)[0])
	}
	k.a, k.b = canonical(m, a, group, k.a[:0]), canonical(m, b, group, k.b[:0])
	return slices.Equal(k.a, k.b)
}

// clusters groups states that have the same reward and the same value but for the last bits: what
// valueClasses finds, as a rule, where values are as exact as float64 are, in one pass. 0 stands for
// value 0, other groups are 1 + a state of theirs. It returns nil where values underflow, which tell
// nothing. O(states).
func clusters(m *sparse.MDP, states []uint32, values []float64, theta []uint64) []uint32 {
	const (
		bits  = 12       // of a value that do not count
		close = 64       // how near to the next group a value is tried there, too
		least = 0x1p-960 // below which bits are lost soon
	)
	of, slots := make([]uint32, m.NumStates()), newSlots(len(states))
	find := func(s uint32, key uint64) uint32 {
		for i := mix(theta[s], key) & uint64(len(slots)-1); ; i = (i + 1) & uint64(len(slots)-1) {
			if slots[i] == 0 {
				return uint32(i)
			}
			if r := slots[i] - 1; math.Float64bits(values[r])>>bits == key && theta[r] == theta[s] && m.Terminal(r) == m.Terminal(s) {
				return uint32(i)
			}
		}
	}
	for _, s := range states {
		if values[s] == 0 {
			continue
		}
		if math.Abs(values[s]) < least {
			return nil
		}
		x := math.Float64bits(values[s])
		at := find(s, x>>bits)
		for _, near := range [2]uint64{x - close, x + close} {
			if slots[at] == 0 && near>>bits != x>>bits {
				if other := find(s, near>>bits); slots[other] != 0 {
					at = other
				}
			}
		}
		if slots[at] == 0 {
			slots[at] = 1 + s
		}
		of[s] = slots[at]
	}
	return of
}

// newSlots returns an empty hash table for n states, at most half full.
func newSlots(n int) []uint32 {
	size := 16
	for size < 2*n {
		size *= 2
	}
	return make([]uint32, size)
}

// classes finds states that have exactly the same value under a policy: a partition that is stable
// in the sense of the proof in package check, which is the way to prove exact ties.
type classes struct {
	m      *sparse.MDP
	states []uint32 // closed under all choices
	sigma  []uint32 // the policy, len NumStates
	theta  []uint64 // equal where rewards are equal, 0 for reward 0; len NumStates

	of    []uint32 // class of each state: 0 for value 0, else 1 + a state of the class
	slots []uint32 // hash table of states, 0 for none, else 1 + state
	a, b  []weight
}

const (
	// refineRounds is how many rounds the refinement may take: each round tells apart what is one
	// step further from a difference.
	refineRounds = 32
	// mergePasses is how many passes merging may take.
	mergePasses = 8
	// selfClass stands for the class that a state is itself in.
	selfClass = sparse.None - 1
)

// valueClasses returns the class of each state, 0 for states of value exactly 0. Refinement of the
// partition by rewards finds the coarsest answer, where it settles soon; where differences travel
// far, as on long paths, classes grow from the ends of the paths instead, by merging states that
// lead alike, which is correct at every step. O(branches log) for each round or pass.
func valueClasses(m *sparse.MDP, states, sigma []uint32, theta []uint64) []uint32 {
	c := &classes{m: m, states: states, sigma: sigma, theta: theta, of: make([]uint32, m.NumStates()), slots: newSlots(len(states))}
	order := c.postorder()
	worthless := c.worthless(order)
	if c.refine(worthless) {
		return c.of
	}
	c.merge(order, worthless)
	return c.of
}

// postorder returns the states in an order in which successors under the policy come first, but
// for those along cycles.
func (c *classes) postorder() []uint32 {
	order := make([]uint32, 0, len(c.states))
	seen := sparse.NewBitset(c.m.NumStates())
	type frame struct{ state, branch, end uint32 }
	var stack []frame
	push := func(s uint32) {
		seen.Set(s)
		f := frame{state: s}
		if !c.m.Terminal(s) {
			f.branch, f.end = c.m.Branches(c.sigma[s])
		}
		stack = append(stack, f)
	}
	for _, s := range c.states {
		if seen.Has(s) {
			continue
		}
		push(s)
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			if f.branch == f.end {
				order = append(order, f.state)
				stack = stack[:len(stack)-1]
				continue
			}
			f.branch++
			if t := c.m.Target(f.branch - 1); !seen.Has(t) {
				push(t)
			}
		}
	}
	return order
}

// worthless returns the states from which the policy never reaches a reward.
func (c *classes) worthless(order []uint32) sparse.Bitset {
	set := sparse.NewBitset(c.m.NumStates())
	for _, s := range order {
		if c.theta[s] == 0 {
			set.Set(s)
		}
	}
	for again := true; again; {
		again = false
		for _, s := range order {
			if !set.Has(s) || c.m.Terminal(s) {
				continue
			}
			for _, t := range c.m.Targets(c.sigma[s]) {
				if !set.Has(t) {
					set.Clear(s)
					again = true
					break
				}
			}
		}
	}
	return set
}

// refine splits the partition by rewards until states of a class lead alike; false when it takes
// too many rounds.
func (c *classes) refine(worthless sparse.Bitset) bool {
	next := make([]uint32, len(c.of))
	for _, s := range c.states {
		c.of[s] = 1
		if worthless.Has(s) {
			c.of[s] = 0
		}
	}
	count := 0
	for range refineRounds {
		clear(c.slots)
		found := 0
		for _, s := range c.states {
			if c.of[s] == 0 {
				continue
			}
			r := c.intern(s, true)
			if r == s {
				found++
			}
			next[s] = 1 + r
		}
		c.of, next = next, c.of
		if found == count {
			return true
		}
		count = found
	}
	return false
}

// merge starts from single states and unites those that lead alike.
func (c *classes) merge(order []uint32, worthless sparse.Bitset) {
	for _, s := range order {
		c.of[s] = 1 + s
		if worthless.Has(s) {
			c.of[s] = 0
		}
	}
	for range mergePasses {
		merged := false
		clear(c.slots)
		for _, s := range order {
			if c.of[s] == 0 {
				continue
			}
			if r := c.intern(s, false); c.class(r) != c.class(s) {
				c.of[c.class(s)-1] = c.class(r)
				merged = true
			}
		}
		if !merged {
			break
		}
	}
	for _, s := range order {
		c.of[s] = c.class(s)
	}
}

// class returns the class of a state, through the unions made so far.
func (c *classes) class(s uint32) uint32 {
	for c.of[s] != 0 && c.of[s] != 1+s {
		up := c.of[s] - 1
		if c.of[up] == 1+up || c.of[up] == 0 {
			return c.of[up]
		}
		c.of[s] = c.of[up]
		s = up
	}
	return c.of[s]
}

// key appends what a state's value is made of under the present classes: where it leads.
func (c *classes) key(s uint32, refining bool, dst []weight) []weight {
	if c.m.Terminal(s) {
		return append(dst, weight{sparse.None, 0})
	}
	class := func(t uint32) uint32 { return c.of[t] }
	if !refining {
		class = c.class
	}
	own := class(s)
	return canonical(c.m, c.sigma[s], func(t uint32) uint32 {
		switch k := class(t); k {
		case 0:
			return sparse.None
		case own:
			return selfClass
		default:
			return k
		}
	}, dst)
}

// intern returns the first state entered that has the same reward and key as s, when refining also
// the same class; s itself, now entered, when there is none.
func (c *classes) intern(s uint32, refining bool) uint32 {
	c.a = c.key(s, refining, c.a[:0])
	h := mix(0, c.theta[s])
	if refining {
		h = mix(h, uint64(c.of[s]))
	}
	for _, w := range c.a {
		h = mix(mix(h, uint64(w.to)), math.Float64bits(w.p))
	}
	for i := h & uint64(len(c.slots)-1); ; i = (i + 1) & uint64(len(c.slots)-1) {
		if c.slots[i] == 0 {
			c.slots[i] = 1 + s
			return s
		}
		r := c.slots[i] - 1
		if c.theta[r] != c.theta[s] || refining && c.of[r] != c.of[s] {
			continue
		}
		if c.b = c.key(r, refining, c.b[:0]); slices.Equal(c.a, c.b) {
			return r
		}
	}
}

// mix hashes x into h.
func mix(h, x uint64) uint64 {
	h = (h ^ x) * 0x9E3779B97F4A7C15
	return h ^ h>>29
}
