package recurrence

import (
	"slices"

	"offswitch/sparse"
)

// refinement is a partition under refinement. Its invariant: a candidate would be strongly connected
// along its live choices if every state in it that lost a way out led to every state in it that lost a
// way in. Without such states a candidate is an end component.
//
// Beside the partitions and the predecessors it takes 8 bytes a state, 4 for each state of the largest
// candidate that is examined, a few bits a state and one a branch.
type refinement struct {
	*Structure
	class []uint32 // strongly connected component of each state
	// of is the candidate of each state; None: in no end component. To begin with that is the
	// strongly connected component; from prepare on it is the place where the candidate begins.
	of    []uint32
	count int // numbers in of are below

	before *Predecessors
	dead   sparse.Bitset // branches of choices that can leave their candidate
	hubs   hubs

	// The members of candidate k are states[k:end(k)]. If there are at least two, those in front of lost(k) are
	// those that lost something; one state alone cannot fall apart. They are in no order. at is where a state
	// is, but for the first two of each candidate, where it is end and lost.
	states, at []uint32

	gone            uint32 // first of the states taken out whose predecessors have not been looked at, a list through at
	lostOut, lostIn sparse.Bitset
	hurt            bool     // a state lost something
	place           uint32   // candidates from here on have not been examined yet
	waiting         []uint32 // candidates before, or here, with states that have lost something since

	seen  sparse.Bitset
	found []uint32 // what the last search found; has room for the largest candidate that is examined
	local *tarjan

	steps uint32
	ended bool // the context has: the partition is worthless
}

// prepare makes what refining needs beyond the partition.
func (d *refinement) prepare() {
	n := len(d.of)
	d.dead = d.memory.set(d.m.NumBranches())
	d.lostOut, d.lostIn, d.seen = d.memory.set(n), d.memory.set(n), d.memory.set(n)
	d.gone = None
	next := d.at[:d.count] // the size of each component, and then where its next member goes
	clear(next)
	for _, k := range d.of {
		if k != None {
			next[k]++
		}
	}
	total := uint32(0)
	for k, members := range next {
		next[k], total = total, total+members
	}
	d.states = d.memory.take(int(total))
	for s, k := range d.of {
		if k != None {
			d.states[next[k]] = uint32(s)
			next[k]++
		}
	}
	d.divide(0, total, d.of)
	d.hubs.index(d)
}

// divide makes candidates of the states at some places, where those of a candidate are next to each other
// and have one number, by state. Numbers may be those of candidates of now, or in at.
func (d *refinement) divide(lo, hi uint32, number []uint32) {
	for lo < hi {
		k := number[d.states[lo]]
		end := lo + 1
		for end < hi && number[d.states[end]] == k {
			end++
		}
		for i, s := range d.states[lo:end] {
			d.of[s], d.at[s] = lo, lo+uint32(i)
		}
		d.bound(lo, end, lo)
		lo = end
	}
}

// end returns where a candidate ends.
func (d *refinement) end(k uint32) uint32 { return d.at[d.states[k]] }

// lost returns where those members of a candidate of at least two end that lost something.
func (d *refinement) lost(k uint32) uint32 { return d.at[d.states[k+1]] }

// bound sets end and lost of a candidate, which is not empty.
func (d *refinement) bound(k, end, lost uint32) {
	d.at[d.states[k]] = end
	if end > k+1 {
		d.at[d.states[k+1]] = lost
	}
}

// alone reports whether a candidate has one state, which cannot fall apart.
func (d *refinement) alone(k uint32) bool { return d.end(k) == k+1 }

// where returns the place of a state in its candidate.
func (d *refinement) where(s uint32) uint32 {
	switch k := d.of[s]; s {
	case d.states[k]:
		return k
	case d.states[k+1]:
		return k + 1
	}
	return d.at[s]
}

// assess notes what the candidates have lost that their strongly connected component had. out are states that
// were one.
func (d *refinement) assess(out sparse.Bitset) {
	for s := range uint32(len(d.of)) {
		if d.stoppedAt(s) {
			return
		}
		if out.Has(s) {
			continue
		}
		class := d.class[s]
		if d.of[s] == None {
			for _, t := range d.g.next(s) {
				if d.of[t] != None && d.class[t] == class {
					d.lose(t, d.lostIn)
				}
			}
			continue
		}
		if d.alone(d.of[s]) {
			continue
		}
		lo, hi := d.m.Choices(s)
		for c := lo; c < hi; c++ {
			if !leaves(d.m.Targets(c), d.of, d.of[s]) {
				continue
			}
			d.bury(s, c)
			lost := false
			for _, t := range d.m.Targets(c) {
				switch {
				case d.class[t] != class:
				case d.of[t] == None:
					lost = true
				case !d.leads(s, t):
					d.lose(t, d.lostIn)
					lost = true
				}
			}
			if lost {
				d.lose(s, d.lostOut)
			}
		}
	}
}

// settleAll examines candidates until no state has lost anything.
func (d *refinement) settleAll() {
	if d.before = d.Predecessors(); d.before == nil {
		return
	}
	for d.place = 0; int(d.place) < len(d.states); d.place++ {
		if d.of[d.states[d.place]] != d.place {
			continue
		}
		for k := d.place; ; {
			d.step()
			if d.examine(k); d.ended {
				return
			}
			last := len(d.waiting) - 1
			if last < 0 {
				break
			}
			k, d.waiting = d.waiting[last], d.waiting[:last]
		}
	}
}

// step counts steps of the work, and now and then looks at the context.
func (d *refinement) step() {
	d.steps++
	if d.steps%checkEvery == 0 {
		d.ended = d.stopped()
	}
}

// release hands back the memory of prepare and decompose.
func (d *refinement) release() {
	d.memory.free(d.states, d.at, d.found)
	d.memory.freeSets(d.dead, d.lostOut, d.lostIn, d.seen)
}

// live reports whether a choice is not dead.
func (d *refinement) live(c uint32) bool {
	b, _ := d.m.Branches(c)
	return !d.dead.Has(b)
}

// drop kills the choices of a state that can leave its candidate, which is strongly connected with
// them. What leads out of that is on no cycle, so only ways inside are lost.
func (d *refinement) drop(s uint32) {
	k := d.of[s]
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) && leaves(d.m.Targets(c), d.of, k) {
			d.kill(s, c, true)
		}
	}
}

// leaves reports whether a target is not in a candidate.
func leaves(targets, of []uint32, candidate uint32) bool {
	for _, t := range targets {
		if of[t] != candidate {
			return true
		}
	}
	return false
}

// kill makes a choice of a state dead and notes what is lost with it; within says that only its
// branches inside the candidate matter. Where another choice leads to the same state, nothing is.
func (d *refinement) kill(s, choice uint32, within bool) {
	d.bury(s, choice)
	lost := !within
	for _, t := range d.m.Targets(choice) {
		if d.of[t] == d.of[s] && !d.leads(s, t) || d.of[t] != d.of[s] && d.of[t] != None && !within {
			d.lose(t, d.lostIn)
			lost = true
		}
	}
	if lost {
		d.lose(s, d.lostOut)
	}
}

// bury makes a live choice of a state dead.
func (d *refinement) bury(s, choice uint32) {
	lo, hi := d.m.Branches(choice)
	for b := lo; b < hi; b++ {
		d.dead.Set(b)
	}
	if h := d.hubs.of(d, s); h != nil {
		d.hubs.bury(h, d.m.Targets(choice))
	}
}

// leads reports whether a live choice of a state can lead to another.
func (d *refinement) leads(s, to uint32) bool {
	if h := d.hubs.of(d, s); h != nil {
		return d.hubs.leads(h, to)
	}
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) && slices.Contains(d.m.Targets(c), to) {
			return true
		}
	}
	return false
}

// lose puts a state into one of the sets of those that lost something, and among those of its candidate.
func (d *refinement) lose(s uint32, lost sparse.Bitset) {
	lost.Set(s)
	d.note(s)
}

// note puts a state among those of its candidate that lost something.
func (d *refinement) note(s uint32) {
	k := d.of[s]
	if d.alone(k) {
		return
	}
	end, lost, place := d.end(k), d.lost(k), d.where(s)
	if place < lost {
		return
	}
	d.swap(place, lost)
	d.bound(k, end, lost+1)
	d.hurt = true
	if lost == k && k <= d.place {
		d.waiting = append(d.waiting, k)
	}
}

// settle takes a state out when it has no live choice.
func (d *refinement) settle(s uint32) {
	if !d.stuck(s) {
		return
	}
	d.remove(s)
	d.takeOut(s)
}

// stuck reports whether a state has no live choice.
func (d *refinement) stuck(s uint32) bool {
	if h := d.hubs.of(d, s); h != nil {
		return h.live == 0
	}
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) {
			return false
		}
	}
	return true
}

// takeOut puts a state into no end component, and among those whose predecessors are still to be looked at.
func (d *refinement) takeOut(s uint32) {
	d.of[s] = None
	d.at[s], d.gone = d.gone, s
}

// remove moves a state behind its candidate.
func (d *refinement) remove(s uint32) {
	k := d.of[s]
	if d.alone(k) {
		return
	}
	end, lost, place := d.end(k)-1, d.lost(k), d.where(s)
	if place < lost {
		lost--
		d.swap(place, lost)
		place = lost
	}
	d.swap(place, end)
	d.bound(k, end, lost)
}

// swap exchanges two members. If they are the first ones, bound has to follow.
func (d *refinement) swap(i, j uint32) {
	s, t := d.states[i], d.states[j]
	d.states[i], d.states[j] = t, s
	d.at[t], d.at[s] = i, j
}

// drain kills the live choices that can lead to states taken out, until none is left.
func (d *refinement) drain() {
	for d.gone != None && !d.ended {
		d.step()
		s := d.gone
		d.gone = d.at[s]
		for _, p := range d.before.Of(s) {
			// What leads into another component has never been live.
			if d.of[p] != None && d.class[p] == d.class[s] {
				d.cut(p, s)
			}
		}
	}
}

// cut kills the live choices of a state that can lead to another.
func (d *refinement) cut(s, to uint32) {
	if h := d.hubs.of(d, s); h != nil {
		for _, b := range d.hubs.branches(h, to) {
			if !d.dead.Has(b) {
				d.kill(s, d.hubs.choice(d, s, b), false)
			}
		}
		d.settle(s)
		return
	}
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) && slices.Contains(d.m.Targets(c), to) {
			d.kill(s, c, false)
		}
	}
	d.settle(s)
}

// examine splits a candidate if its states that lost something show that it falls apart; otherwise
// that is forgotten.
func (d *refinement) examine(k uint32) {
	if d.of[d.states[k]] != k || d.alone(k) || d.lost(k) == k {
		return
	}
	members := int(d.end(k) - k)
	if cap(d.found) < members {
		d.memory.free(d.found)
		d.found = d.memory.take(members)
	}
	here := d.states[k:d.lost(k)]
	edges := members * (1 + d.m.NumBranches()/len(d.of))
	ways := [...]struct {
		lost   sparse.Bitset
		search func(s, k uint32, budget int) bool
	}{{d.lostOut, d.ahead}, {d.lostIn, d.behind}}
	for budget := firstBudget; budget*len(here) < edges && !d.ended; budget *= 4 {
		open := false
		for _, s := range here {
			for _, way := range ways {
				switch {
				case !way.lost.Has(s):
				case !way.search(s, k, budget):
					open = true
				case len(d.found) < members:
					d.split(k)
					return
				default:
					way.lost.Clear(s)
				}
			}
		}
		if !open {
			d.bound(k, d.end(k), k)
			return
		}
	}
	if !d.ended {
		d.decompose(k)
	}
}

// ahead finds what a state of a candidate can reach in it, and reports whether that took no more
// than budget steps.
func (d *refinement) ahead(s, k uint32, budget int) bool {
	d.begin(s)
	for i := 0; i < len(d.found) && budget >= 0 && !d.ended; i++ {
		d.step()
		lo, hi := d.m.Choices(d.found[i])
		for c := lo; c < hi && budget >= 0; c++ {
			budget--
			if !d.live(c) {
				continue
			}
			for _, t := range d.m.Targets(c) {
				budget--
				d.meet(t)
			}
		}
	}
	d.forget()
	return budget >= 0 && !d.ended
}

// behind finds what can reach a state of a candidate in it, like ahead.
func (d *refinement) behind(s, k uint32, budget int) bool {
	d.begin(s)
	for i := 0; i < len(d.found) && budget >= 0 && !d.ended; i++ {
		d.step()
		for _, p := range d.before.Of(d.found[i]) {
			if budget--; budget < 0 {
				break
			}
			if d.of[p] != k || d.seen.Has(p) {
				continue
			}
			if lo, hi := d.m.Choices(p); hi-lo < hubFrom {
				from, to := d.m.BranchesOf(p)
				budget -= int(to - from)
			}
			if d.leads(p, d.found[i]) {
				d.meet(p)
			}
		}
	}
	d.forget()
	return budget >= 0 && !d.ended
}

// begin starts a search.
func (d *refinement) begin(s uint32) {
	d.found = append(d.found[:0], s)
	d.seen.Set(s)
}

// meet adds a state to what a search found, unless it is there.
func (d *refinement) meet(s uint32) {
	if !d.seen.Has(s) {
		d.seen.Set(s)
		d.found = append(d.found, s)
	}
}

// forget ends a search; what it found stays in found.
func (d *refinement) forget() {
	for _, s := range d.found {
		d.seen.Clear(s)
	}
}

// split makes the states found a candidate of their own.
func (d *refinement) split(k uint32) {
	moved := d.found
	end := d.end(k)
	part := end - uint32(len(moved))
	for _, s := range moved {
		d.remove(s)
		d.of[s] = part
	}
	d.bound(part, end, part)
	for _, s := range moved {
		if d.lostOut.Has(s) || d.lostIn.Has(s) {
			d.note(s)
		}
	}
	if !d.alone(k) && d.lost(k) > k {
		d.waiting = append(d.waiting, k)
	}
	for _, s := range moved {
		lo, hi := d.m.Choices(s)
		for c := lo; c < hi; c++ {
			if d.live(c) && leaves(d.m.Targets(c), d.of, part) {
				d.kill(s, c, false)
			}
		}
		for _, p := range d.before.Of(s) {
			if d.of[p] == k {
				d.cut(p, s)
			}
		}
	}
	for _, s := range moved {
		if d.of[s] == part {
			d.settle(s)
		}
	}
	d.drain()
}

// decompose splits a candidate into its strongly connected components along live choices, which all stay
// inside.
func (d *refinement) decompose(k uint32) {
	for _, s := range d.states[k:d.lost(k)] {
		d.lostOut.Clear(s)
		d.lostIn.Clear(s)
	}
	end := d.end(k)
	members := d.states[k:end]
	t := d.local
	if t == nil {
		t = newTarjan(d.ctx, d.g, d.at)
		t.dead = d.dead
		d.local = t
	}
	t.stack, t.last = d.found[:len(members)], None-1 // until the candidate is divided anew, at has the ranks
	for _, s := range members {
		t.rank[s] = 0
	}
	for _, s := range members {
		if t.rank[s] == 0 && !t.search(s) {
			d.ended = true
			return
		}
	}
	if parts := None - 1 - t.last; parts > 1 {
		d.group(members, parts)
		d.divide(k, end, d.at)
		for _, s := range d.found[:len(members)] {
			d.drop(s)
		}
		for _, s := range d.found[:len(members)] {
			d.settle(s) // after all, so that none is gone while others lose a way to it
		}
		d.drain()
		return
	}
	d.divide(k, end, d.at)
}

// group brings the members of a part together, by rank, and leaves a copy in found. Until the candidate is
// divided anew, of the first members in found holds a number for each part.
func (d *refinement) group(members []uint32, parts uint32) {
	before := d.found[:len(members)]
	copy(before, members)
	for _, s := range before[:parts] {
		d.of[s] = 0
	}
	part := func(s uint32) *uint32 { return &d.of[before[None-1-d.at[s]]] }
	for _, s := range before {
		*part(s)++
	}
	total := uint32(0)
	for _, s := range before[:parts] {
		d.of[s], total = total, total+d.of[s]
	}
	for _, s := range before {
		next := part(s)
		members[*next] = s
		*next++
	}
}
