package recurrence

import (
	"cmp"
	"slices"
	"sort"
)

// hubFrom is the number of choices from which on a state is a hub: looking through all of them each time that
// one is lost would be too much. Tests make it small.
var hubFrom uint32 = 256

// hubs is what refining knows of hubs: which branches lead where, and how many of them are live. 8 bytes a
// branch of a hub.
type hubs struct {
	all    []hub
	branch []uint32 // branches of the hubs, those of one by target
	left   []uint32 // of the branches of a hub with one target, how many are live, where the first of them is
	target []uint32 // of all branches
}

// hub is a state with very many choices.
type hub struct {
	state    uint32
	from, to uint32 // its branches
	live     uint32 // its live choices
}

// index finds the hubs of the candidates. All choices are live. O(branches of hubs·log).
func (x *hubs) index(d *refinement) {
	x.target = d.m.AllTargets()
	total := 0
	x.each(d, func(s uint32) {
		from, to := d.m.BranchesOf(s)
		total += int(to - from)
	})
	if total == 0 {
		return
	}
	x.branch, x.left = make([]uint32, 0, total), make([]uint32, total)
	x.each(d, func(s uint32) {
		lo, hi := d.m.Choices(s)
		h := hub{state: s, from: uint32(len(x.branch)), live: hi - lo}
		for b, end := d.m.BranchesOf(s); b < end; b++ {
			x.branch = append(x.branch, b)
		}
		h.to = uint32(len(x.branch))
		slices.SortFunc(x.branch[h.from:], func(b, c uint32) int {
			return cmp.Or(cmp.Compare(x.target[b], x.target[c]), cmp.Compare(b, c))
		})
		first := h.from
		for i := h.from; i < h.to; i++ {
			if x.target[x.branch[i]] != x.target[x.branch[first]] {
				first = i
			}
			x.left[first]++
		}
		x.all = append(x.all, h)
	})
}

// each calls f with the hubs of the candidates that may fall apart, in increasing order.
func (x *hubs) each(d *refinement, f func(s uint32)) {
	for s, k := range d.of {
		lo, hi := d.m.Choices(uint32(s))
		if hi-lo >= hubFrom && k != None && !d.alone(k) {
			f(uint32(s))
		}
	}
}

// of returns what is known of a state that is a hub, and nil for others.
func (x *hubs) of(d *refinement, s uint32) *hub {
	if lo, hi := d.m.Choices(s); hi-lo < hubFrom {
		return nil
	}
	i, ok := slices.BinarySearchFunc(x.all, s, func(h hub, s uint32) int { return cmp.Compare(h.state, s) })
	if !ok {
		return nil
	}
	return &x.all[i]
}

// first returns the place of a hub's first branch to a state.
func (x *hubs) first(h *hub, to uint32) uint32 {
	n := int(h.to - h.from)
	return h.from + uint32(sort.Search(n, func(i int) bool { return x.target[x.branch[h.from+uint32(i)]] >= to }))
}

// branches returns the branches of a hub to a state.
func (x *hubs) branches(h *hub, to uint32) []uint32 {
	from := x.first(h, to)
	end := from
	for end < h.to && x.target[x.branch[end]] == to {
		end++
	}
	return x.branch[from:end]
}

// leads reports whether a live choice of a hub can lead to a state.
func (x *hubs) leads(h *hub, to uint32) bool {
	i := x.first(h, to)
	return i < h.to && x.target[x.branch[i]] == to && x.left[i] > 0
}

// bury takes a choice that was live from what is known of a hub.
func (x *hubs) bury(h *hub, targets []uint32) {
	h.live--
	for _, t := range targets {
		x.left[x.first(h, t)]--
	}
}

// choice returns the choice of a state that has a branch.
func (x *hubs) choice(d *refinement, s, branch uint32) uint32 {
	lo, hi := d.m.Choices(s)
	ends := d.g.branchStart[lo+1 : hi+1]
	return lo + uint32(sort.Search(len(ends), func(i int) bool { return ends[i] > branch }))
}
