package recurrence

import (
	"slices"

	"offswitch/sparse"
)

// refinement is a partition under refinement. Its invariant: a candidate would be strongly connected
// along its live choices if every state in it that lost a way out led to every state in it that lost a
// way in. Without such states a candidate is an end component.
type refinement struct {
	*Structure
	class []uint32 // strongly connected component of each state
	of    []uint32 // candidate of each state; None: in no end component
	count uint32   // candidates so far

	before *Predecessors
	dead   sparse.Bitset // branches of choices that can leave their candidate
	gone   []uint32      // states taken out whose predecessors have not been looked at

	// The members of a candidate are states[start:end], in no order; at is where a state is in it.
	states, at []uint32
	start, end []uint32

	lostOut, lostIn sparse.Bitset
	hurt            []hurt   // entries of the candidates' lists of states that lost something
	first           []uint32 // first entry of each candidate's list
	unused          uint32   // first of the list of unused entries
	waiting         []uint32 // candidates whose list is not empty

	seen  sparse.Bitset
	found []uint32 // what the last search found
	here  []uint32 // the states of the candidate at hand that lost something
	moved []uint32 // the states that get a new candidate
	local *tarjan
}

// hurt is an entry of such a list, and the number of the next one.
type hurt struct{ state, next uint32 }

// prepare makes what refining needs beyond the partition.
func (d *refinement) prepare() {
	n := len(d.of)
	d.dead = d.memory.set(d.m.NumBranches())
	d.lostOut, d.lostIn, d.seen = d.memory.set(n), d.memory.set(n), d.memory.set(n)
	d.at = d.memory.take(n)
	d.start, d.end, d.first = d.memory.take(int(d.count)), d.memory.zeros(int(d.count)), d.memory.take(int(d.count))
	for _, k := range d.of {
		if k != None {
			d.end[k]++
		}
	}
	total := uint32(0)
	for k, members := range d.end {
		d.start[k], d.end[k], d.first[k] = total, total, None
		total += members
	}
	d.states = d.memory.take(int(total))
	for s, k := range d.of {
		if k != None {
			at := d.end[k]
			d.end[k]++
			d.states[at], d.at[s] = uint32(s), at
		}
	}
}

// assess notes what the candidates have lost that their strongly connected component had.
func (d *refinement) assess(size []uint32) {
	for s := range uint32(len(d.of)) {
		class := d.class[s]
		if size[class] == 1 {
			continue
		}
		if d.of[s] == None {
			for _, t := range d.g.next(s) {
				if d.of[t] != None && d.class[t] == class {
					d.note(t, d.lostIn)
				}
			}
			continue
		}
		lo, hi := d.m.Choices(s)
		for c := lo; c < hi; c++ {
			if !leaves(d.m.Targets(c), d.of, d.of[s]) {
				continue
			}
			d.bury(c)
			lost := false
			for _, t := range d.m.Targets(c) {
				switch {
				case d.class[t] != class:
				case d.of[t] == None:
					lost = true
				case !d.leads(s, t):
					d.note(t, d.lostIn)
					lost = true
				}
			}
			if lost {
				d.note(s, d.lostOut)
			}
		}
	}
}

// release hands back the memory of prepare and decompose.
func (d *refinement) release() {
	d.memory.free(d.states, d.at, d.start, d.end, d.first)
	d.memory.freeSets(d.dead, d.lostOut, d.lostIn, d.seen)
	if d.local != nil {
		d.local.release()
		d.memory.free(d.local.rank)
	}
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
	d.settle(s)
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
	d.bury(choice)
	lost := !within
	for _, t := range d.m.Targets(choice) {
		if d.of[t] == d.of[s] && !d.leads(s, t) || d.of[t] != d.of[s] && d.of[t] != None && !within {
			d.note(t, d.lostIn)
			lost = true
		}
	}
	if lost {
		d.note(s, d.lostOut)
	}
}

// bury makes a choice dead.
func (d *refinement) bury(choice uint32) {
	lo, hi := d.m.Branches(choice)
	for b := lo; b < hi; b++ {
		d.dead.Set(b)
	}
}

// leads reports whether a live choice of a state can lead to another.
func (d *refinement) leads(s, to uint32) bool {
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) && slices.Contains(d.m.Targets(c), to) {
			return true
		}
	}
	return false
}

// note puts a state into one of the sets of those that lost something, and on its candidate's list.
func (d *refinement) note(s uint32, lost sparse.Bitset) {
	listed := d.lostOut.Has(s) || d.lostIn.Has(s)
	lost.Set(s)
	if !listed {
		d.list(s)
	}
}

// list puts a state on its candidate's list of those that lost something.
func (d *refinement) list(s uint32) {
	k := d.of[s]
	if d.first[k] == None {
		d.waiting = append(d.waiting, k)
	}
	entry := d.unused
	if entry == None {
		entry = uint32(len(d.hurt))
		d.hurt = append(d.hurt, hurt{})
	} else {
		d.unused = d.hurt[entry].next
	}
	d.hurt[entry] = hurt{s, d.first[k]}
	d.first[k] = entry
}

// settle takes a state out when it has no live choice.
func (d *refinement) settle(s uint32) {
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) {
			return
		}
	}
	k := d.of[s]
	d.end[k]--
	d.swap(d.at[s], d.end[k])
	d.of[s] = None
	d.gone = append(d.gone, s)
}

// swap exchanges two members.
func (d *refinement) swap(i, j uint32) {
	s, t := d.states[i], d.states[j]
	d.states[i], d.states[j] = t, s
	d.at[t], d.at[s] = i, j
}

// drain kills the live choices that can lead to states taken out, until none is left.
func (d *refinement) drain() {
	for len(d.gone) > 0 {
		s := d.gone[len(d.gone)-1]
		d.gone = d.gone[:len(d.gone)-1]
		for _, p := range d.before.Of(s) {
			if d.of[p] != None {
				d.cut(p, s)
			}
		}
	}
}

// cut kills the live choices of a state that can lead to another.
func (d *refinement) cut(s, to uint32) {
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		if d.live(c) && slices.Contains(d.m.Targets(c), to) {
			d.kill(s, c, false)
		}
	}
	d.settle(s)
}

// examine splits a candidate if its states that lost something show that it falls apart; otherwise
// they are forgotten.
func (d *refinement) examine(k uint32) {
	d.here = d.here[:0]
	for i := d.first[k]; i != None; {
		entry := &d.hurt[i]
		if d.of[entry.state] == k {
			d.here = append(d.here, entry.state)
		}
		entry.next, d.unused, i = d.unused, i, entry.next
	}
	d.first[k] = None
	if len(d.here) == 0 {
		return
	}
	members := int(d.end[k] - d.start[k])
	edges := members * (1 + d.m.NumBranches()/len(d.of))
	ways := [...]struct {
		lost   sparse.Bitset
		search func(s, k uint32, budget int) bool
	}{{d.lostOut, d.ahead}, {d.lostIn, d.behind}}
	for budget := firstBudget; budget*len(d.here) < edges; budget *= 4 {
		open := false
		for _, s := range d.here {
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
			return
		}
	}
	d.decompose(k)
}

// ahead finds what a state of a candidate can reach in it, and reports whether that took no more
// than budget steps.
func (d *refinement) ahead(s, k uint32, budget int) bool {
	d.begin(s)
	for i := 0; i < len(d.found) && budget >= 0; i++ {
		lo, hi := d.m.Choices(d.found[i])
		for c := lo; c < hi; c++ {
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
	return budget >= 0
}

// behind finds what can reach a state of a candidate in it, like ahead.
func (d *refinement) behind(s, k uint32, budget int) bool {
	d.begin(s)
	for i := 0; i < len(d.found) && budget >= 0; i++ {
		for _, p := range d.before.Of(d.found[i]) {
			budget--
			if d.of[p] != k || d.seen.Has(p) {
				continue
			}
			lo, hi := d.m.Choices(p)
			for c := lo; c < hi; c++ {
				targets := d.m.Targets(c)
				budget -= len(targets)
				if d.live(c) && slices.Contains(targets, d.found[i]) {
					d.meet(p)
					break
				}
			}
		}
	}
	d.forget()
	return budget >= 0
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
	part := d.candidate()
	d.moved = append(d.moved[:0], d.found...)
	for _, s := range d.moved {
		d.end[k]--
		d.swap(d.at[s], d.end[k])
		d.of[s] = part
	}
	d.start[part], d.end[part] = d.end[k], d.end[k]+uint32(len(d.moved))
	for _, s := range d.here {
		if d.lostOut.Has(s) || d.lostIn.Has(s) {
			d.list(s)
		}
	}
	for _, s := range d.moved {
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
	for _, s := range d.moved {
		if d.of[s] == part {
			d.settle(s)
		}
	}
	d.drain()
}

// candidate makes room for one more candidate.
func (d *refinement) candidate() uint32 {
	d.start, d.end, d.first = append(d.start, 0), append(d.end, 0), append(d.first, None)
	d.count++
	return d.count - 1
}

// decompose splits a candidate into its strongly connected components along live choices.
func (d *refinement) decompose(k uint32) {
	t := d.local
	if t == nil {
		rank := d.memory.take(len(d.of))
		for s := range rank {
			rank[s] = None
		}
		t = newTarjan(d.g, rank, &d.memory)
		t.dead = d.dead
		d.local = t
	}
	for _, s := range d.here {
		d.lostOut.Clear(s)
		d.lostIn.Clear(s)
	}
	t.last = None - 1
	lo, hi := d.start[k], d.end[k]
	members := d.states[lo:hi]
	t.reserve(len(members))
	for _, s := range members {
		t.rank[s] = 0
	}
	for _, s := range members {
		if t.rank[s] == 0 {
			t.search(s)
		}
	}
	parts := None - 1 - t.last
	if parts == 1 {
		return
	}
	// The first part keeps the number k.
	number := func(s uint32) uint32 {
		if r := None - 1 - t.rank[s]; r > 0 {
			return d.count - parts + r
		}
		return k
	}
	for range parts - 1 {
		d.candidate()
	}
	d.end[k] = 0
	for _, s := range members {
		d.of[s] = number(s)
		d.end[d.of[s]]++
	}
	place := func(k uint32) {
		d.start[k], d.end[k], lo = lo, lo, lo+d.end[k]
	}
	place(k)
	for p := d.count - parts + 1; p < d.count; p++ {
		place(p)
	}
	d.moved = append(d.moved[:0], members...)
	for _, s := range d.moved {
		at := d.end[d.of[s]]
		d.end[d.of[s]]++
		d.states[at], d.at[s] = s, at
	}
	for _, s := range d.moved {
		d.drop(s)
	}
	d.drain()
}
