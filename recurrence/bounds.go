package recurrence

import (
	"context"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"offswitch/sparse"
)

const (
	// levelBounds is how many distances from the start get a solve of their own.
	levelBounds = 8
	// levelPrecision is the precision of these, in units of 1-γ.
	levelPrecision = 1e-2
	// stepPasses is the most passes from the start outward.
	stepPasses = 4
	// landmarkBytes bounds the memory of the landmarks that are compared with at a time, and
	// mostLandmarks their number.
	landmarkBytes = 1 << 28
	mostLandmarks = 32
	// nearest is the number of landmarks that a state is compared with at a time.
	nearest = 4
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
	b := &bounding{counting: c, area: newArea(c.m, c.gamma), inside: inside, all: all, answer: answer, counted: counted}
	b.look(furthest(c.gamma))
	if !b.contracts() {
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
		if b.byLandmarks(ctx); b.complete {
			return
		}
	}
}

// look makes the area that of what is at most so far from the start. What is known of states in it stays.
func (b *bounding) look(depth uint32) {
	b.spread(b.counting.before, b.inside, b.start, min(depth, everywhere))
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

// bySteps bounds h from the start outward, state by state, from what is known of nearer states. Where
// most open states lie behind gates it does so again, because what is known of a gate also says how
// much there is to gain behind it by starting anew.
func (b *bounding) bySteps(ctx context.Context) {
	g := b.graph()
	s := &steps{bounding: b, gates: dominators(&g, &b.area.before.graph), cycles: g.cyclesWithout(0), home: &hitting{area: b.area}}
	s.home.solve(ctx, span{0, 1}, levelPrecision*(1-b.area.gamma))
	for pass := 0; pass < stepPasses && ctx.Err() == nil && !b.enough(); pass++ {
		s.asked, s.needed = sparse.NewBitset(int(b.size())), sparse.NewBitset(int(b.size()))
		for _, at := range b.open {
			s.asked.Set(at)
			for gate := at; gate != None && !s.needed.Has(gate); gate = s.gates[gate] {
				s.needed.Set(gate)
			}
		}
		if pass == 0 {
			s.needed.Fill(int(b.size()))
		}
		s.gated.Store(0)
		s.pass(ctx)
		b.sift()
		if int(s.gated.Load()) < len(b.open)/2 {
			return
		}
	}
}

// steps is one call of bySteps.
type steps struct {
	*bounding
	asked  sparse.Bitset // open states
	needed sparse.Bitset // states from whose bounds theirs may come
	gates  []uint32
	cycles []uint32
	home   *hitting
	gated  atomic.Int64 // open states that stay open behind a gate
}

func (s *steps) pass(ctx context.Context) {
	balls := make([]*ball, s.workers)
	for w := range balls {
		balls[w] = newBall(s.area)
	}
	for d := range len(s.level) - 1 {
		from, to := s.level[d], s.level[d+1]
		if d > int(s.farthest) || ctx.Err() != nil {
			return
		}
		s.report("steps", int(to), int(s.size()))
		if to-from < uint32(4*s.workers) {
			for at := from; at < to && ctx.Err() == nil; at++ {
				s.settle(balls[0], at)
			}
			continue
		}
		var wait sync.WaitGroup
		for w, near := range balls {
			wait.Go(func() {
				for i := uint32(w); i < to-from && ctx.Err() == nil; i += uint32(s.workers) {
					s.settle(near, from+i)
				}
			})
		}
		wait.Wait()
	}
}

// settle learns what a small ball around a state says: first the one behind its gate, which says what
// its way from the start is worth, and then one that goes further back, which may say more about the
// way around.
func (s *steps) settle(near *ball, at uint32) {
	if !s.needed.Has(at) {
		return
	}
	if near.behind(at, s.gates[at]) {
		s.weigh(near, at)
		if !s.asked.Has(at) || s.verdicts[at] != Undecided {
			return
		}
		s.gated.Add(1)
	}
	near.around(at)
	s.weigh(near, at)
}

func (s *steps) weigh(near *ball, at uint32) {
	atStart, atX := interval{0, 1}, interval{0, 1}
	atStart.lower, atX.lower = near.stepUp(s.distance, s.known, s.home)
	if near.gate >= 0 || s.asked.Has(at) && compare(s.area.gamma, atStart, atX) != Counted {
		atStart.upper, atX.upper = near.stepDown(s.known, s.cycles, s.home)
	}
	if at == 0 {
		atStart = interval{1, 1}
	}
	if s.asked.Has(at) {
		s.learn(at, atStart, atX)
	} else {
		s.note(at, atStart)
	}
}

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
	open := sparse.NewBitset(int(b.size()))
	for _, at := range b.open {
		open.Set(at)
	}
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
