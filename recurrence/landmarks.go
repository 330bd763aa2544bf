package recurrence

import (
	"context"
	"slices"
	"sort"

	"offswitch/sparse"
)

const (
	// landmarkBytes bounds the memory of the landmarks that are compared with at a time, and
	// mostLandmarks their number.
	landmarkBytes = 1 << 28
	mostLandmarks = 32
	// nearest is the number of landmarks that a state is compared with at a time.
	nearest = 4
)

// byLandmarks solves for some of the open states, and compares those around them with them. The
// landmarks stand closer together from round to round.
func (b *bounding) byLandmarks(ctx context.Context) {
	slots := max(b.workers, min(mostLandmarks, landmarkBytes/(20*int(b.size()+1))))
	landmarks := make([]*hitting, slots)
	for i := range landmarks {
		landmarks[i] = &hitting{area: b.area}
	}
	for apart := farApart; len(b.open) > 0 && ctx.Err() == nil && !b.enough(); apart /= 2 {
		sites := b.open
		if apart > 0 {
			sites = b.scatter(apart)
			if 2*len(sites) > len(b.open) {
				apart, sites = 0, b.open
			}
		}
		sites = slices.Clone(sites)
		for len(sites) > 0 && ctx.Err() == nil && !b.enough() {
			sites = slices.DeleteFunc(sites, func(at uint32) bool { return b.verdicts[at] != Undecided })
			batch := sites[:min(slots, len(sites))]
			sites = sites[len(batch):]
			b.solve(ctx, batch, landmarks)
			if apart > 0 {
				b.compareAround(ctx, landmarks[:len(batch)], 2*apart)
			}
			b.sift()
		}
		if apart == 0 {
			return
		}
	}
}

// solve makes landmarks of states, and decides about them.
func (b *bounding) solve(ctx context.Context, sites []uint32, landmarks []*hitting) {
	index := make([]uint32, len(sites))
	for i := range index {
		index[i] = uint32(i)
	}
	b.each(ctx, "landmarks", index, 1, func() func(uint32) {
		return func(i uint32) {
			h, x := landmarks[i], sites[i]
			h.decide(ctx, x)
			b.learn(x, h.start(), h.back())
		}
	})
}

// neighbour is a landmark and how many steps it is away.
type neighbour struct {
	landmark *hitting
	steps    int
}

// compareAround compares the open states around landmarks with the nearest of them.
func (b *bounding) compareAround(ctx context.Context, landmarks []*hitting, radius int) {
	near := make(map[uint32][]neighbour)
	var states []uint32
	open := b.openSet()
	walk := newWalk(b.area)
	for _, p := range landmarks {
		walk.around(p.goal.first, radius)
		for i, at := range walk.order {
			if open.Has(at) && b.verdicts[at] == Undecided {
				if near[at] == nil {
					states = append(states, at)
				}
				near[at] = append(near[at], neighbour{p, walk.steps(i)})
			}
		}
	}
	slices.Sort(states)
	b.each(ctx, "comparisons", states, 16, func() func(uint32) {
		ball := newBall(b.area)
		return func(at uint32) {
			ball.around(at)
			some := near[at]
			slices.SortStableFunc(some, func(p, q neighbour) int { return p.steps - q.steps })
			for _, p := range some[:min(nearest, len(some))] {
				atStart, atX := interval{0, 1}, interval{0, 1}
				atStart.lower, atX.lower = ball.compareUp(p.landmark)
				atStart.upper, atX.upper = ball.compareDown(p.landmark)
				if b.learn(at, atStart, atX); b.verdicts[at] != Undecided {
					return
				}
			}
		}
	})
}

// scatter returns open states of which no two are less than apart steps from each other, such that
// every other open state is that near to one.
func (b *bounding) scatter(apart int) []uint32 {
	walk := newWalk(b.area)
	covered := sparse.NewBitset(int(b.size()) + 1)
	var sites []uint32
	for _, at := range b.open {
		if covered.Has(at) {
			continue
		}
		sites = append(sites, at)
		walk.around(at, apart)
		for _, t := range walk.order {
			covered.Set(t)
		}
	}
	return sites
}

// walk finds what is near a state, along branches and against them.
type walk struct {
	*area
	seen  sparse.Bitset
	order []uint32 // what was found, nearest first
	ends  []int    // where in the order the states end that are so many steps away
}

func newWalk(a *area) *walk { return &walk{area: a, seen: sparse.NewBitset(int(a.size()) + 1)} }

// around finds the positions within radius steps of one.
func (w *walk) around(at uint32, radius int) {
	for _, t := range w.order {
		w.seen.Clear(t)
	}
	w.order, w.ends = append(w.order[:0], at), append(w.ends[:0], 1)
	w.seen.Set(at)
	add := func(t uint32) {
		if !w.seen.Has(t) && t < w.size() {
			w.seen.Set(t)
			w.order = append(w.order, t)
		}
	}
	g := w.graph()
	for done := 0; len(w.ends) <= radius; {
		for end := len(w.order); done < end; done++ {
			for _, t := range g.next(w.order[done]) {
				add(t)
			}
			for _, t := range w.before.Of(w.order[done]) {
				add(t)
			}
		}
		w.ends = append(w.ends, len(w.order))
	}
}

// steps returns how many steps away what stands at a place of the order is.
func (w *walk) steps(i int) int { return sort.SearchInts(w.ends, i+1) }
