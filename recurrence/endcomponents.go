package recurrence

import "offswitch/sparse"

// EndComponents returns the maximal end components of the model: the largest sets of states, each
// with choices that stay inside, in which every state can reach every other. States in one are the
// recurrent states of Definition 8; terminal states are in none. Components are numbered in the
// order of their least states.
//
// It refines the strongly connected components: a choice that can leave its component is dropped,
// states left without choices go, and what changed is decomposed again. O(states + branches) for
// each round that changes something; where everything is deterministic one round is enough.
func EndComponents(m *sparse.MDP) *Components {
	d := &decomposition{m: m}
	d.of, d.count = stronglyConnected(m.ChoiceStarts(), m.BranchStarts(), m.AllTargets())
	d.dropTransient()
	d.refine()
	c := &Components{Of: d.of}
	count := renumber(c.Of, d.count)
	c.group(count)
	return c
}

// decomposition is a partition under refinement: of holds the candidate component of each state,
// None for states that are in no end component.
type decomposition struct {
	m       *sparse.MDP
	before  *Predecessors // made when first needed
	of      []uint32
	count   int
	changed []bool // candidates to decompose again
}

// stays reports whether all branches of a choice lead into a candidate.
func (d *decomposition) stays(choice, candidate uint32) bool {
	for _, t := range d.m.Targets(choice) {
		if d.of[t] != candidate {
			return false
		}
	}
	return true
}

// dropTransient takes out the states that are alone and cannot stay, which most models have many
// of, and marks the candidates with a choice that can leave: those may fall apart further.
func (d *decomposition) dropTransient() {
	size := make([]uint32, d.count)
	for _, k := range d.of {
		size[k]++
	}
	d.changed = make([]bool, d.count)
	for s := range uint32(len(d.of)) {
		k := d.of[s]
		lo, hi := d.m.Choices(s)
		some, all := false, true
		for c := lo; c < hi; c++ {
			if d.stays(c, k) {
				some = true
			} else {
				all = false
			}
		}
		switch {
		case !some && size[k] == 1:
			d.of[s] = None
		case !all && !d.m.Deterministic():
			d.changed[k] = d.changed[k] || size[k] > 1
		}
	}
}

// refine decomposes changed candidates until none is left.
func (d *decomposition) refine() {
	var members [][]uint32
	c := Components{Of: d.of}
	c.group(d.count)
	for k, again := range d.changed {
		if again {
			members = append(members, c.Members(uint32(k)))
		}
	}
	if len(members) == 0 {
		return
	}
	d.before = NewPredecessors(d.m)
	local := make([]uint32, len(d.of)) // position of a state among the members at hand
	for len(members) > 0 {
		states := members[len(members)-1]
		members = members[:len(members)-1]
		members = append(members, d.split(d.prune(states), local)...)
	}
}

// prune takes out the states without a choice that stays, and those that lose their last one by
// it, and returns the rest.
func (d *decomposition) prune(states []uint32) []uint32 {
	candidate := d.of[states[0]]
	canStay := func(s uint32) bool {
		lo, hi := d.m.Choices(s)
		for c := lo; c < hi; c++ {
			if d.stays(c, candidate) {
				return true
			}
		}
		return false
	}
	var gone []uint32
	for _, s := range states {
		if !canStay(s) {
			gone = append(gone, s)
		}
	}
	for _, s := range gone {
		d.of[s] = None
	}
	for len(gone) > 0 {
		s := gone[len(gone)-1]
		gone = gone[:len(gone)-1]
		for _, p := range d.before.Of(s) {
			if d.of[p] == candidate && !canStay(p) {
				d.of[p] = None
				gone = append(gone, p)
			}
		}
	}
	rest := make([]uint32, 0, len(states))
	for _, s := range states {
		if d.of[s] == candidate {
			rest = append(rest, s)
		}
	}
	return rest
}

// split decomposes one candidate along the choices that stay in it. When it falls apart, its parts
// become candidates, and those with a choice that now leaves are returned to be decomposed again.
func (d *decomposition) split(states, local []uint32) [][]uint32 {
	if len(states) == 0 {
		return nil
	}
	candidate := d.of[states[0]]
	for i, s := range states {
		local[s] = uint32(i)
	}
	start := make([]uint32, 1, len(states)+1)
	var target []uint32
	for _, s := range states {
		lo, hi := d.m.Choices(s)
		for c := lo; c < hi; c++ {
			if d.stays(c, candidate) {
				for _, t := range d.m.Targets(c) {
					target = append(target, local[t])
				}
			}
		}
		start = append(start, uint32(len(target)))
	}
	of, count := stronglyConnected(start, nil, target)
	if count == 1 {
		return nil
	}
	parts := Components{Of: of}
	parts.group(count)
	first, last := uint32(d.count), uint32(d.count+count-1)
	for i, s := range states {
		d.of[s] = first + of[i]
	}
	d.count += count
	var again [][]uint32
	for k := range uint32(count) {
		members := parts.Members(k)
		for i, at := range members {
			members[i] = states[at]
		}
		for _, s := range members {
			if d.lost(s, first, last) {
				again = append(again, members)
				break
			}
		}
	}
	return again
}

// lost reports whether some choice of a state stayed in the candidate that was split into parts
// first..last, but not in the part that the state is in now.
func (d *decomposition) lost(s, first, last uint32) bool {
	lo, hi := d.m.Choices(s)
	for c := lo; c < hi; c++ {
		within, together := true, true
		for _, t := range d.m.Targets(c) {
			k := d.of[t]
			within = within && first <= k && k <= last
			together = together && k == d.of[s]
		}
		if within && !together {
			return true
		}
	}
	return false
}

// renumber numbers the components 0, 1, … in the order of their least states and returns how many
// there are. Components are below bound.
func renumber(of []uint32, bound int) int {
	number := make([]uint32, bound)
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
	return int(count)
}
