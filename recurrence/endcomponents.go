package recurrence

import (
	"slices"
	"sync/atomic"

	"offswitch/sparse"
	"offswitch/sparse/csr"
)

// EndComponents returns the maximal end components of the model: the largest sets of states, each
// with choices that stay inside, in which every state can reach every other. States in one are the
// recurrent states of Definition 8; terminal states are in none. Components are numbered in the
// order of their least states.
//
// It refines the strongly connected components. A choice that can leave its candidate is dead, and
// a state without a live choice is out. What was strongly connected can then only fall apart at
// states that lost a way out or a way in: from these, searches of growing size look for a part
// that is closed in one direction (after Chatterjee & Henzinger, J. ACM 2014), which is found at
// the cost of the smaller side. O(states + branches) where nothing falls apart, which includes
// every deterministic model; O(k·branches·log states) where at most k states lose something at a
// time, and never more than O(branches) for what comes loose at a time. The answer is nil
// when the context ends; see Within.
//
// The memory of StronglyConnected is used again. Where a component falls apart that takes besides the
// predecessors, 4 bytes for each state of the largest such component, and a bit a branch: about 24 bytes a
// state in all and 4 for each of its predecessors. States with very many choices take 8 bytes a branch.
func (r *Structure) EndComponents() *Components {
	if r.components == nil {
		classes := r.StronglyConnected()
		if classes == nil {
			return nil
		}
		c := &Components{Of: r.memory.take(len(classes.Of))}
		copy(c.Of, classes.Of)
		d := &refinement{Structure: r, class: classes.Of, of: c.Of, count: classes.count}
		d.refine()
		if r.stopped() {
			return nil
		}
		c.count = renumber(c.Of, d.count, &r.memory)
		r.components = c
	}
	return r.components
}

// refine goes from the strongly connected components to the end components.
func (d *refinement) refine() {
	// one and several are the components with a state, and with another one.
	one, several := d.memory.set(d.count), d.memory.set(d.count)
	for _, k := range d.of {
		if one.Has(k) {
			several.Set(k)
		}
		one.Set(k)
	}
	d.memory.freeSets(one)
	// out are the states that are alone and cannot stay; mixed says that some choice of another one
	// can stay in its candidate and can leave it. Without that, nothing falls apart.
	out := d.memory.set(len(d.of))
	var mixed atomic.Bool
	csr.Share(d.workers, len(d.of), func(lo, hi uint32) {
		if d.survey(lo, hi, several, out) {
			mixed.Store(true)
		}
	})
	for s := range out.All() {
		d.of[s] = None
	}
	if !mixed.Load() {
		d.memory.freeSets(out, several)
		return
	}
	d.at = d.memory.zeros(len(d.of))
	d.trim(several)
	d.memory.freeSets(several)
	if d.stopped() {
		return
	}
	d.prepare()
	d.count = len(d.states)
	d.assess(out)
	d.memory.freeSets(out)
	if d.hurt && !d.stopped() {
		d.settleAll()
	}
	d.release()
}

// firstBudget is the number of steps with which the searches for a part begin. Tests change it.
var firstBudget = 64

// survey looks at the states lo..hi-1; see refine.
func (d *refinement) survey(lo, hi uint32, several, out sparse.Bitset) (mixed bool) {
	sure := d.m.Deterministic()
	for s := lo; s < hi; s++ {
		if d.stoppedAt(s) {
			return false
		}
		k := d.of[s]
		if !several.Has(k) {
			if !d.canStay(s) {
				out.Set(s)
			}
		} else if !sure && !mixed && leaves(d.g.next(s), d.of, k) {
			mixed = d.mixed(s)
		}
	}
	return mixed
}

// canStay reports whether a choice of a state stays in its candidate.
func (d *refinement) canStay(s uint32) bool {
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if !leaves(d.m.Targets(c), d.of, d.of[s]) {
			return true
		}
	}
	return false
}

// mixed reports whether a choice of a state can stay in its candidate and can leave it.
func (d *refinement) mixed(s uint32) bool {
	k := d.of[s]
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		targets := d.m.Targets(c)
		if leaves(targets, d.of, k) && slices.ContainsFunc(targets, func(t uint32) bool { return d.of[t] == k }) {
			return true
		}
	}
	return false
}

// trimShare is the share of the states that a pass of trim has to take out for another one to
// follow. Tests change it.
var trimShare = 64

// trim takes out the states without a choice that stays, and those that lose their last one by it:
// by passes as long as these take out many, from the last state to the first because a search
// numbers states before those they lead to, and then along the predecessors.
//
// Until it is out, at[s] counts the first choices of s that are known not to stay: none of them will again, so
// that no choice is given up twice.
func (d *refinement) trim(several sparse.Bitset) {
	for {
		d.gone = None
		taken := 0
		for s := uint32(len(d.of)); s > 0; {
			s--
			if d.stoppedAt(s) {
				return
			}
			if k := d.of[s]; k != None && several.Has(k) && !d.stillStays(s) {
				d.takeOut(s)
				taken++
			}
		}
		if taken == 0 {
			return
		}
		if taken < len(d.of)/trimShare {
			break
		}
	}
	before := d.Predecessors()
	if before == nil {
		return
	}
	for done := uint32(0); d.gone != None && !d.stoppedAt(done); done++ {
		s := d.gone
		d.gone = d.at[s]
		for _, p := range before.Of(s) {
			if d.of[p] == d.class[s] && !d.stillStays(p) {
				d.takeOut(p)
			}
		}
	}
}

// stillStays is canStay in trim.
func (d *refinement) stillStays(s uint32) bool {
	lo, hi := d.m.Choices(s)
	for c := lo + d.at[s]; c < hi; c++ {
		if !leaves(d.m.Targets(c), d.of, d.of[s]) {
			d.at[s] = c - lo
			return true
		}
	}
	return false
}

// renumber numbers the components 0, 1, … in the order of their least states and returns how many
// there are. Their numbers are below bound.
func renumber(of []uint32, bound int, memory *scratch) int {
	number := memory.zeros(bound)
	count := uint32(0)
	for s, k := range of {
		if k == None {
			continue
		}
		if number[k] == 0 {
			count++
			number[k] = count
		}
		of[s] = number[k] - 1
	}
	memory.free(number)
	return int(count)
}
