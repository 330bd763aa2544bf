package recurrence

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"sync"
	"sync/atomic"

	"offswitch/sparse"
	"offswitch/sparse/csr"
)

// Verdict says whether a state counts for Theorem 2: whether its visit count exceeds 1.
type Verdict uint8

// The verdicts. Counted and NotCounted are proved.
const (
	Undecided Verdict = iota
	Counted
	NotCounted
)

func (v Verdict) String() string {
	return [...]string{"undecided", "counted", "not counted"}[v]
}

// Visits decides visit counts of states from one start state, s_new. The best visit count of x is
// W_x(γ) = (h_x(s_new)/γ) / (1 - h_x(x)), where h_x(s) is the greatest E[γ^T] over policies and
// T ≥ 1 the first time at x (DESIGN, "Visit counts"; Krakovna & Kramar, Definition 9). A choice all of
// whose branches lead to one state is taken to lead there with probability 1, and distances count no
// more than γ a step; otherwise probabilities count as they are stored. Where those of a choice sum to more than
// 1 by rounding (sparse.RowTolerance), their excess counts like a larger discount: bounds are of the visit counts
// of these numbers, and hold for those of the distributions that they stand for only up to that.
type Visits struct {
	m          *sparse.MDP
	structure  *Structure
	start      uint32
	reach      *Search
	before     *Predecessors
	components *Components // end components

	deterministic bool        // every choice that S_reach has is certain
	classes       *Components // strongly connected components
	certain       adjacency   // choices with one target only
	certainReach  *Search

	finders sync.Pool // of *cycleFinder, for the whole graph
}

// NewVisits prepares to decide visit counts from start, with what is reachable from it. The
// structure must be used for nothing else meanwhile. It returns nil when the structure's context ends, which is
// given up otherwise. O(states + branches).
func NewVisits(structure *Structure, start uint32, reach *Search) *Visits {
	v := &Visits{
		m: structure.m, structure: structure, start: start, reach: reach,
		before: structure.Predecessors(), components: structure.EndComponents(), classes: structure.StronglyConnected(),
	}
	structure.Release()
	if structure.stopped() {
		return nil
	}
	v.deterministic = true
	for i, s := range reach.Order {
		if structure.stoppedAt(uint32(i)) {
			return nil
		}
		lo, hi := v.m.Choices(s)
		for c := lo; c < hi && v.deterministic; c++ {
			v.deterministic = v.m.Certain(c)
		}
	}
	if v.deterministic {
		structure.Within(context.Background())
		v.certain = v.graph()
		v.certainReach = reach
		return v
	}
	certain := certainChoices(structure.ctx, v.m, reach.Reached)
	if structure.stopped() {
		return nil
	}
	var before Predecessors
	before.transpose(structure.ctx, certain, structure.workers, &structure.memory)
	v.certain = adjacency{&certain, &before.graph}
	v.certainReach = new(Search).Within(structure.ctx).search(v.m.NumStates(), []uint32{start}, certain.edges, certain.target)
	structure.Release()
	if structure.stopped() {
		return nil
	}
	structure.Within(context.Background())
	return v
}

// certainChoices returns the graph of the certain choices of a set of states. When the context ends, that is
// worthless.
func certainChoices(ctx context.Context, m *sparse.MDP, states sparse.Bitset) graph {
	g := graph{choiceStart: make([]uint32, m.NumStates()+1)}
	for s := range uint32(m.NumStates()) {
		if s%checkEvery == 0 && ctx.Err() != nil {
			break
		}
		if states.Has(s) {
			lo, hi := m.Choices(s)
			for c := lo; c < hi; c++ {
				if m.Certain(c) {
					g.target = append(g.target, m.Targets(c)[0])
				}
			}
		}
		g.choiceStart[s+1] = uint32(len(g.target))
	}
	return g
}

// Deterministic reports whether every choice in every reachable state is certain, so that all
// counts are exact.
func (v *Visits) Deterministic() bool { return v.deterministic }

// Components returns the end components of the model.
func (v *Visits) Components() *Components { return v.components }

// CountOptions are the settings of Count.
type CountOptions struct {
	Discount float64
	// Width is how far apart the bounds of a count may stay, relative to the upper one; 0 decides
	// whatever can be decided.
	Width    float64
	Below    *Counts // at a lower discount: what counts there counts here too
	Bounds   bool    // also bound every visit count
	Workers  int     // default GOMAXPROCS
	Progress func(sparse.Progress)
}

// Counts are verdicts about all states at one discount; states that are not reachable from the
// start, and terminal ones, are NotCounted.
type Counts struct {
	// Paper is about recurrent states that are reached almost surely, with visit counts over
	// policies that reach and revisit them with probability 1 (Theorem 2 as the paper states it).
	Paper []Verdict
	// Extended is about visit counts over all policies; the proof of Proposition 3 needs no more.
	Extended []Verdict
	// Lower and Upper are bounds of the visit counts over all policies, if they were asked for: as
	// narrow as the verdicts took.
	Lower, Upper []float64
	// Partial is set when the context ended before every state had its turn.
	Partial bool
}

// Interval returns the bounds of how many of the states have a visit count above 1.
func Interval(verdicts []Verdict) (lower, upper int) {
	for _, v := range verdicts {
		switch v {
		case Counted:
			lower, upper = lower+1, upper+1
		case Undecided:
			upper++
		}
	}
	return lower, upper
}

// Above takes over what counts at a higher discount say: what does not count there does not here,
// because visit counts grow with the discount (Proposition 3).
func (c *Counts) Above(higher *Counts) {
	for s := range c.Extended {
		if higher.Paper[s] == NotCounted && c.Paper[s] == Undecided {
			c.Paper[s] = NotCounted
		}
		if higher.Extended[s] == NotCounted && c.Extended[s] == Undecided {
			c.Extended[s] = NotCounted
		}
	}
}

// Count decides for every reachable state whether its visit count exceeds 1. Where the
// environment is deterministic every verdict is exact: with d the distance from the start and c
// the shortest cycle, γ^(d-1) + γ^c > 1. Elsewhere the cycles of the graph say no, the cycles of
// certain choices say yes, and the rest is decided by bounds: from what is around a state, from what is
// known of states nearer to the start, and from landmarks, states for which the whole of what matters is
// solved. That goes on until the bounds of both counts are no further apart than the width asked for.
//
// The cost of exact counts is some passes over the model and searches for cycles where these leave a state
// open. Bounds cost the sweeps of a ball of up to 300 states for each state near enough to count, and some dozens of
// sweeps over those for each landmark; how many there are depends on the width. The memory is about
// 400 bytes for each state near enough, with 12 branches a state. When the context ends, the
// verdicts so far are returned, Partial. The error is a discount or a width out of range.
func (v *Visits) Count(ctx context.Context, o CountOptions) (*Counts, error) {
	if !(o.Discount >= 0 && o.Discount < 1) {
		return nil, fmt.Errorf("discount %v is not in [0,1)", o.Discount)
	}
	if !(o.Width >= 0 && o.Width < 1) {
		return nil, fmt.Errorf("width %v is not in [0,1)", o.Width)
	}
	n := v.m.NumStates()
	c := &counting{Visits: v, gamma: o.Discount, width: o.Width, progress: o.Progress, out: &Counts{Paper: make([]Verdict, n), Extended: make([]Verdict, n)}}
	if o.Bounds {
		c.out.Lower, c.out.Upper = make([]float64, n), make([]float64, n)
		for s := range c.out.Upper {
			c.out.Upper[s] = math.Inf(1)
		}
	}
	c.workers = o.Workers
	if c.workers <= 0 {
		c.workers = runtime.GOMAXPROCS(0)
	}
	csr.Share(c.workers, n, func(lo, hi uint32) {
		for s := lo; s < hi; s++ {
			if !v.reach.Reached.Has(s) || v.m.Terminal(s) || v.deterministic && v.components.Of[s] == None {
				c.settle(s, NotCounted)
			} else if v.components.Of[s] == None {
				c.out.Paper[s] = NotCounted
			} else if o.Below != nil && o.Below.Paper[s] == Counted {
				c.out.Paper[s] = Counted
			}
			if o.Below != nil && o.Below.Extended[s] == Counted {
				c.out.Extended[s] = Counted
			}
		}
	})
	// One at least for the start itself, which is as far from itself as its cycle is long.
	c.longest = longestCycles(o.Discount, max(v.reach.Distance[v.reach.Order[len(v.reach.Order)-1]], 1), uint32(n)+1, c.workers)
	c.byCycles(ctx, "shortest cycles", v.graph(), v.classes.Of, v.reach, v.deterministic, func(s uint32, counts bool) {
		switch {
		case v.deterministic && counts:
			c.settle(s, Counted)
		case !counts:
			c.settle(s, NotCounted)
		}
	})
	if !v.deterministic {
		c.byCycles(ctx, "certain cycles", v.certain, v.classes.Of, v.certainReach, false, func(s uint32, counts bool) {
			if counts {
				c.settle(s, Counted)
			}
		})
		c.byBounds(ctx)
	}
	if o.Bounds && v.deterministic {
		c.byClosedForm(ctx)
	}
	c.out.Partial = ctx.Err() != nil
	if o.Bounds {
		c.plainBounds(ctx)
	}
	return c.out, nil
}

// counting is one call of Count.
type counting struct {
	*Visits
	gamma    float64
	width    float64
	longest  []uint32
	workers  int
	progress func(sparse.Progress)
	interval string // of the count so far, for reports of progress
	out      *Counts
}

// report reports progress, if anyone wants to know.
func (c *counting) report(stage string, done, total int) {
	if c.progress != nil {
		c.progress(sparse.Progress{Stage: stage, Done: done, Total: total, Known: c.interval})
	}
}

// tell updates what reports say of the count.
func (c *counting) tell() {
	if c.progress != nil {
		lower, upper := Interval(c.out.Extended)
		c.interval = fmt.Sprintf("%d to %d count", lower, upper)
	}
}

// plainBounds takes into account what verdicts and distances say about visit counts: at most one visit in
// each step once the state is reached. When the context ends, bounds stay as wide as they are.
func (c *counting) plainBounds(ctx context.Context) {
	const slack = 1 + 0x1p-40
	for s, v := range c.out.Extended {
		if s%checkEvery == 0 && ctx.Err() != nil {
			return
		}
		lower, upper := &c.out.Lower[s], &c.out.Upper[s]
		if !c.reach.Reached.Has(uint32(s)) || c.m.Terminal(uint32(s)) {
			*lower, *upper = 0, 0
			continue
		}
		steps := math.Pow(c.gamma*(1+c.m.RowExcess()), float64(max(c.reach.Distance[s], 1)-1))
		*upper = min(*upper, steps/(1-c.gamma*(1+c.m.RowExcess()))*slack)
		switch v {
		case Counted:
			*lower = max(*lower, 1)
		case NotCounted:
			*upper = min(*upper, 1)
		}
	}
}

// bounded takes bounds of the visit count of a state into account; all says that the upper one holds for
// all policies.
func (c *counting) bounded(s uint32, w interval, all bool) {
	if c.out.Lower == nil {
		return
	}
	c.out.Lower[s] = max(c.out.Lower[s], w.lower)
	if all {
		c.out.Upper[s] = min(c.out.Upper[s], w.upper)
	}
}

func (c *counting) settle(s uint32, v Verdict) {
	c.out.Extended[s] = v
	if c.components.Of[s] == None {
		v = NotCounted
	}
	c.out.Paper[s] = v
}

// each calls f for every element of states, in parallel blocks, until the context ends; work
// makes what one worker needs.
func (c *counting) each(ctx context.Context, stage string, states []uint32, block int, work func() func(s uint32)) {
	var next, done atomic.Int64
	var wait sync.WaitGroup
	var report sync.Mutex
	for range min(c.workers, (len(states)+block-1)/block) {
		wait.Go(func() {
			f := work()
			for ctx.Err() == nil {
				from := int(next.Add(int64(block))) - block
				if from >= len(states) {
					return
				}
				for _, s := range states[from:min(from+block, len(states))] {
					if ctx.Err() != nil {
						return
					}
					f(s)
					done.Add(1)
				}
				if c.progress != nil {
					report.Lock()
					c.report(stage, int(done.Load()), len(states))
					report.Unlock()
				}
			}
		})
	}
	wait.Wait()
}

// region returns the reachable states from which an end component is reached almost surely; nil when the
// context ends.
func (v *Visits) region(ctx context.Context, component uint32) sparse.Bitset {
	target := sparse.NewBitset(v.m.NumStates())
	for _, s := range v.components.Members(component) {
		target.Set(s)
	}
	region := v.structure.Within(ctx).AlmostSure(target)
	v.structure.Within(context.Background())
	if region == nil {
		return nil
	}
	for i := range region {
		region[i] &= v.reach.Reached[i]
	}
	return region
}

// Sense tells the two visit counts apart.
type Sense uint8

// The senses; see Counts.
const (
	Paper Sense = iota
	Extended
)

// Bounds returns proved bounds of W_x(γ), of relative width about width or as narrow as rounding
// allows. The count is 0 in the paper's sense where x is not recurrent or not reached almost
// surely. The error is a discount out of range.
func (v *Visits) Bounds(ctx context.Context, x uint32, discount, width float64, sense Sense) (lower, upper float64, err error) {
	if !(discount > 0 && discount < 1) {
		return 0, 0, fmt.Errorf("discount %v is not in (0,1)", discount)
	}
	if v.deterministic {
		w := v.certainly(x, discount, sense)
		return w.lower, w.upper, nil
	}
	inside := v.inside(ctx, x, sense)
	if ctx.Err() != nil {
		return 0, math.Inf(1), nil
	}
	if inside == nil {
		return 0, 0, nil
	}
	a := newArea(ctx, v.m, discount)
	if !a.contracts() {
		return 0, math.Inf(1), nil
	}
	for depth := v.reach.Distance[x] + v.reach.Distance[x]/2 + 8; ; depth = 2 * depth {
		a.spread(v.before, inside, v.start, min(depth, everywhere))
		if ctx.Err() != nil {
			return 0, math.Inf(1), nil
		}
		if a.position[x] == None {
			if a.complete {
				return 0, 0, nil
			}
			continue
		}
		h := &hitting{area: a}
		var w interval
		h.narrow(ctx, a.position[x], min(roughly, width), func() bool {
			w = visits(discount, h.start(), h.back())
			return w.upper-w.lower <= width*w.upper
		})
		if ctx.Err() != nil || a.complete || w.upper-w.lower <= width*w.upper {
			return w.lower, w.upper, nil
		}
	}
}

// inside returns what policies that visit x must stay in, in a sense; nil where there are none, and
// when the context ends.
func (v *Visits) inside(ctx context.Context, x uint32, sense Sense) sparse.Bitset {
	if !v.reach.Reached.Has(x) || v.m.Terminal(x) {
		return nil
	}
	if sense == Extended {
		return v.reach.Reached
	}
	k := v.components.Of[x]
	if k == None {
		return nil
	}
	if region := v.region(ctx, k); region != nil && region.Has(v.start) {
		return region
	}
	return nil
}

// Critical returns bounds of γ*_x, the discount above which the visit count of x exceeds 1
// (Proposition 3; it is one, because the count grows with the discount). At lower, if it is not 0, x
// is proved not to count; at upper, if it is not 1, to count. They are at most precision apart
// unless x counts at no discount up to 1-precision, a verdict between them stays undecided, or the
// context ends. Both are 1 where x counts at no discount for lack of a policy that visits it, or
// that visits it again: without a cycle through x its count is 1 at most.
func (v *Visits) Critical(ctx context.Context, x uint32, precision float64, sense Sense) (lower, upper float64) {
	precision = min(max(precision, 0x1p-40), 0.5)
	if v.deterministic {
		return v.certainCritical(x, precision)
	}
	inside := v.inside(ctx, x, sense)
	if ctx.Err() != nil {
		return 0, 1
	}
	if inside == nil {
		return 1, 1
	}
	if _, cycle := v.DistanceAndCycle(x); cycle == None {
		return 1, 1
	}
	h := &hitting{area: newArea(ctx, v.m, 0).spread(v.before, inside, v.start, everywhere)}
	if ctx.Err() != nil {
		return 0, 1
	}
	lower, upper = 0, 1
	// The logarithm of the count at both, as near as it is known. From 0 outward, because it takes long near
	// 1, and then where a straight line between the two has its root.
	below, above := math.Inf(-1), math.Inf(1)
	aside := false
	for next := 0.5; upper-lower > precision && ctx.Err() == nil; {
		h.discount(next)
		verdict := h.decide(ctx, h.position[x])
		w := visits(next, h.start(), h.back())
		excess := math.Log((w.lower + w.upper) / 2)
		switch {
		case verdict == Undecided && !aside:
			aside = true // it may be the very discount
			next -= precision / 3
			continue
		case verdict == Undecided || verdict == NotCounted && next >= 1-precision:
			return max(lower, map[Verdict]float64{NotCounted: next}[verdict]), upper
		case verdict == Counted:
			upper, above, below = next, excess, below/2
		default:
			lower, below, above = next, excess, above/2
		}
		switch next = lower + (upper-lower)*below/(below-above); {
		case upper == 1:
			next = min(lower+(1-lower)/2, 1-precision)
		case math.IsNaN(next) || math.IsInf(below, 0):
			next = lower + (upper-lower)/2
		}
		next = min(max(next, lower+precision/2), upper-precision/2)
	}
	return lower, upper
}
