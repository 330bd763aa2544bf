package recurrence

import (
	"context"
	"slices"
	"sync"

	"offswitch/sparse"
)

// approachStates is the most states that may lead to an end component for it to be looked at by itself.
const approachStates = 1 << 14

// inSmallComponents decides about states of end components in the paper's sense: on what surely leads
// to each, if that is little.
func (c *counting) inSmallComponents(ctx context.Context, components []uint32, open map[uint32][]uint32) {
	if len(components) == 0 {
		return
	}
	fates := c.fates()
	var large []uint32
	var lock sync.Mutex
	c.each(ctx, "small end components", components, 16, func() func(uint32) {
		a := &approach{Visits: c.Visits, fate: fates, inside: sparse.NewBitset(c.m.NumStates())}
		h := &hitting{area: newArea(ctx, c.m, c.gamma)}
		return func(k uint32) {
			if !a.find(k) {
				lock.Lock()
				large = append(large, k)
				lock.Unlock()
				return
			}
			if !a.inside.Has(c.start) {
				for _, s := range open[k] {
					c.out.Paper[s] = NotCounted
				}
				return
			}
			h.spread(c.before, a.inside, c.start, everywhere)
			if ctx.Err() != nil {
				return
			}
			for _, s := range open[k] {
				if v := h.decide(ctx, h.position[s]); v != Undecided {
					c.out.Paper[s] = v
				}
			}
		}
	})
	slices.Sort(large)
	for _, k := range large {
		if ctx.Err() == nil {
			c.inComponent(ctx, k, open[k])
		}
	}
}

// manyFates is the fate of a state from which more than one bottom class can be reached.
const manyFates = None - 1

// fates returns for each reachable state the class, in number n+s where s is terminal, in which every
// walk from it that never comes to an end ends, if there is only one such class.
func (v *Visits) fates() []uint32 {
	n := uint32(v.m.NumStates())
	fate := make([]uint32, n)
	for s := range fate {
		fate[s] = None
	}
	bottom := sparse.NewBitset(v.classes.Count())
	bottom.Fill(v.classes.Count())
	for _, s := range v.reach.Order {
		for _, t := range v.m.Successors(s) {
			if k := v.classes.Of[s]; k != None && v.classes.Of[t] != k {
				bottom.Clear(k)
			}
		}
	}
	var queue []uint32
	for _, s := range v.reach.Order {
		switch k := v.classes.Of[s]; {
		case v.m.Terminal(s):
			fate[s] = n + s
		case k != None && bottom.Has(k):
			fate[s] = k
		default:
			continue
		}
		queue = append(queue, s)
	}
	for len(queue) > 0 {
		t := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, s := range v.before.Of(t) {
			switch {
			case !v.reach.Reached.Has(s) || fate[s] == fate[t] || fate[s] == manyFates:
				continue
			case fate[s] == None:
				fate[s] = fate[t]
			default:
				fate[s] = manyFates
			}
			queue = append(queue, s)
		}
	}
	return fate
}

// approach finds the states from which an end component is reached almost surely, for one small end
// component after another, by looking only at what leads to it.
type approach struct {
	*Visits
	fate   []uint32
	states []uint32
	inside sparse.Bitset // the same as a set
}

// find finds the states for an end component, and reports whether these were few enough to look at.
//
// A choice that may lead to where only other classes can be reached from is never taken; nor is one, as in
// AlmostSure, that may lead out of what was found with it.
func (a *approach) find(k uint32) bool {
	members := a.components.Members(k)
	own := a.fate[members[0]]
	if own == manyFates {
		own = None
	}
	a.forget()
	if !a.back(members, func(targets []uint32) bool {
		for _, t := range targets {
			if f := a.fate[t]; f != manyFates && f != own {
				return false
			}
		}
		return true
	}) {
		return false
	}
	for {
		size := len(a.states)
		bound := slices.Clone(a.states)
		slices.Sort(bound)
		a.forget()
		a.back(members, func(targets []uint32) bool {
			for _, t := range targets {
				if _, found := slices.BinarySearch(bound, t); !found {
					return false
				}
			}
			return true
		})
		if len(a.states) == size {
			return true
		}
	}
}

func (a *approach) forget() {
	for _, s := range a.states {
		a.inside.Clear(s)
	}
	a.states = a.states[:0]
}

// back searches from the members of an end component against the branches of choices that may be
// taken, and reports whether it came to an end.
func (a *approach) back(members []uint32, may func(targets []uint32) bool) bool {
	add := func(s uint32) {
		a.inside.Set(s)
		a.states = append(a.states, s)
	}
	for _, s := range members {
		add(s)
	}
	for done := 0; done < len(a.states); done++ {
		if len(a.states) > approachStates {
			return false
		}
		t := a.states[done]
		for _, s := range a.before.Of(t) {
			if a.inside.Has(s) || !a.reach.Reached.Has(s) {
				continue
			}
			lo, hi := a.m.Choices(s)
			for c := lo; c < hi; c++ {
				if targets := a.m.Targets(c); slices.Contains(targets, t) && may(targets) {
					add(s)
					break
				}
			}
		}
	}
	return true
}
