package recurrence

import (
	"context"
	"slices"

	"offswitch/sparse"
)

const (
	// levelBounds is how many distances from the start get a solve of their own.
	levelBounds = 8
	// levelPrecision is the precision of these, in units of 1-γ.
	levelPrecision = 1e-2
)

// Tests change these.
var (
	// fewStates is the number of open states up to which each is solved for at once.
	fewStates = 64
	// margin is how much further than the open states the area goes at first in which landmarks are solved for.
	margin = uint32(32)
	// farApart is how far apart landmarks are at first.
	farApart = 16
)

// byBounds decides what cycles left open: first in the paper's sense, end component by end
// component, because a yes there is a yes over all policies too; then over all policies, because a
// no there is a no in the paper's sense too; last, again in the paper's sense, for end components so
// small that only what leads to them is looked at.
func (c *counting) byBounds(ctx context.Context) {
	open := make(map[uint32][]uint32) // by end component
	var order, rest []uint32
	for _, s := range c.reach.Order {
		if k := c.components.Of[s]; k != None && c.out.Paper[s] == Undecided {
			if open[k] == nil {
				order = append(order, k)
			}
			open[k] = append(open[k], s)
		}
	}
	small := slices.Clone(order)
	for _, k := range order {
		if ctx.Err() == nil && (len(open[k]) > fewStates || len(order) == 1) {
			c.inComponent(ctx, k, open[k])
		}
	}
	for _, s := range c.reach.Order {
		if c.out.Extended[s] == Undecided {
			rest = append(rest, s)
		}
	}
	counted, _ := Interval(c.out.Extended)
	c.bound(ctx, rest, c.reach.Reached, true, counted, func(s uint32, v Verdict) {
		c.out.Extended[s] = v
		if v == NotCounted {
			c.out.Paper[s] = v
		}
	})
	small = slices.DeleteFunc(small, func(k uint32) bool {
		open[k] = slices.DeleteFunc(open[k], func(s uint32) bool { return c.out.Paper[s] != Undecided })
		return len(open[k]) == 0 || len(open[k]) > fewStates
	})
	c.inSmallComponents(ctx, small, open)
}

// inComponent decides about states of an end component in the paper's sense. Where policies that are
// not surely on the way to it gain nothing, that decides in both.
func (c *counting) inComponent(ctx context.Context, k uint32, states []uint32) {
	inside := c.region(ctx, k)
	if inside == nil {
		return
	}
	if !inside.Has(c.start) {
		for _, s := range states {
			c.out.Paper[s] = NotCounted
		}
		return
	}
	counted := 0
	for _, s := range c.components.Members(k) {
		if c.out.Paper[s] == Counted {
			counted++
		}
	}
	same := c.nothingElse(ctx, k, inside)
	c.bound(ctx, states, inside, same, counted, func(s uint32, v Verdict) {
		c.out.Paper[s] = v
		if v == Counted || same {
			c.out.Extended[s] = v
		}
	})
}

// nothingElse reports whether a choice that leaves a region has no hope at all of an end component. When
// the context ends, that is not known.
func (c *counting) nothingElse(ctx context.Context, k uint32, region sparse.Bitset) bool {
	hope := new(Search).Within(ctx).Backward(c.before, c.components.Members(k)...).Reached
	for i, s := range c.reach.Order {
		if i%checkEvery == 0 && ctx.Err() != nil {
			return false
		}
		lo, hi := c.m.Choices(s)
		for choice := lo; choice < hi; choice++ {
			targets := c.m.Targets(choice)
			if (!region.Has(s) || !stays(targets, region)) && slices.ContainsFunc(targets, hope.Has) {
				return false
			}
		}
	}
	return ctx.Err() == nil
}

// bounding decides visit counts of many states from certified bounds of h_x(start) and h_x(x), with
// policies that stay inside.
type bounding struct {
	*counting
	*area
	inside   sparse.Bitset
	all      bool // policies that do not stay inside gain nothing
	distance []uint32
	known    []interval // of h_x(start), by position
	open     []uint32   // positions, nearest to the start first
	answer   func(s uint32, v Verdict)
	counted  int       // that are counted already
	verdicts []Verdict // by position
	farthest uint32    // distance beyond which no state counts, or is on the way to one that does
}

// bound decides about states with policies that stay inside, counted of which are counted already;
// all says that those are as good as all policies. First come bounds that cost little for each state: by
// levels, then by steps. What they leave open is compared with landmarks, states for which h is solved on
// all of the area, ever closer together, until all states that are still open have been landmarks
// themselves. Answers for different states come from different goroutines.
func (c *counting) bound(ctx context.Context, states []uint32, inside sparse.Bitset, all bool, counted int, answer func(uint32, Verdict)) {
	if c.narrow(len(states), counted) {
		return
	}
	b := &bounding{counting: c, area: newArea(ctx, c.m, c.gamma), inside: inside, all: all, answer: answer, counted: counted}
	b.look(furthest(c.gamma))
	if !b.contracts() || ctx.Err() != nil {
		return
	}
	for _, s := range states {
		if at := b.position[s]; at == None {
			answer(s, NotCounted) // no policy gets there soon enough
		} else {
			b.open = append(b.open, at)
		}
	}
	slices.Sort(b.open)
	if len(b.open) > fewStates {
		b.byLevels(ctx)
		b.bySteps(ctx)
	}
	for further := margin; !b.enough() && ctx.Err() == nil; further *= 2 {
		b.look(b.distance[b.open[len(b.open)-1]] + further)
		if ctx.Err() != nil {
			return
		}
		if b.byLandmarks(ctx); b.complete {
			return
		}
	}
}

// look makes the area that of what is at most so far from the start. What is known of states in it stays.
func (b *bounding) look(depth uint32) {
	b.spread(b.counting.before, b.inside, b.start, min(depth, everywhere))
	if b.ctx.Err() != nil {
		return
	}
	b.distance = b.distances()
	known := len(b.known)
	b.known = slices.Grow(b.known, max(0, int(b.size())-known))[:b.size()]
	for at := known; at < len(b.known); at++ {
		b.known[at] = interval{0, 1}
	}
	b.verdicts = slices.Grow(b.verdicts, max(0, int(b.size())-known))[:b.size()]
}

// decide takes what is known of a state into account.
func (b *bounding) decide(at uint32, atX interval) {
	atStart := b.known[at]
	if at == 0 {
		atStart = atX
	}
	b.bounded(b.states[at], visits(b.area.gamma, atStart, atX), b.all)
	if v := compare(b.area.gamma, atStart, atX); v != Undecided && b.verdicts[at] == Undecided {
		b.verdicts[at] = v
		b.answer(b.states[at], v)
	}
}

// openSet returns the open states as a set of positions.
func (b *bounding) openSet() sparse.Bitset {
	set := sparse.NewBitset(int(b.size()))
	for _, at := range b.open {
		set.Set(at)
	}
	return set
}

// enough reports whether so few states are open that the interval of the count is narrow enough.
func (b *bounding) enough() bool { return b.narrow(len(b.open), b.counted) }

func (c *counting) narrow(open, counted int) bool {
	return float64(open) <= c.width*float64(counted+open)
}

// learn narrows what is known of h_x(start), and decides.
func (b *bounding) learn(at uint32, atStart, atX interval) {
	b.note(at, atStart)
	b.decide(at, atX)
}

func (b *bounding) note(at uint32, atStart interval) {
	k := &b.known[at]
	k.lower, k.upper = max(k.lower, atStart.lower), min(k.upper, atStart.upper)
}

// sift keeps those states open that are.
func (b *bounding) sift() {
	b.open = slices.DeleteFunc(b.open, func(at uint32) bool {
		if b.verdicts[at] == Counted {
			b.counted++
		}
		return b.verdicts[at] != Undecided
	})
	b.tell()
}

// byLevels bounds h_x(start) from above: who goes to x must first get as far from the start as any
// level that is not behind x, and then, a step at a time, to x. Where the bound is at most γ(1-γ)
// x cannot count, because h_x(x) ≤ γ.
func (b *bounding) byLevels(ctx context.Context) {
	levels := uint32(len(b.level) - 1)
	var solved []uint32
	for i := uint32(1); i <= levelBounds && len(b.open) > fewStates; i++ {
		if d := levels * i / (levelBounds + 1); d > 0 && (solved == nil || d > solved[len(solved)-1]) {
			solved = append(solved, d)
		}
	}
	upper := make([]float64, levels)
	for d := range upper {
		upper[d] = 1
	}
	b.each(ctx, "levels", solved, 1, func() func(uint32) {
		h := &hitting{area: b.area}
		return func(d uint32) {
			if h.solve(ctx, span{b.level[d], b.size() + 1}, levelPrecision*(1-b.area.gamma)) {
				upper[d] = h.upper(0)
			}
		}
	})
	for d := uint32(1); d < levels; d++ {
		upper[d] = min(upper[d], upper[d-1]*b.least(1))
	}
	for at, d := range b.distance[:b.size()] {
		b.known[at] = interval{0, upper[d]}
	}
	b.farthest = 0
	for int(b.farthest)+1 < len(upper) && upper[b.farthest+1] > b.area.gamma*(1-b.area.gamma) {
		b.farthest++
	}
	for _, at := range b.open {
		b.decide(at, interval{0, b.least(1)})
	}
	b.sift()
}
