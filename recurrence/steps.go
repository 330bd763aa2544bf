package recurrence

import (
	"context"
	"sync"
	"sync/atomic"

	"offswitch/sparse"
)

// stepPasses is the most passes from the start outward.
const stepPasses = 4

// bySteps bounds h from the start outward, state by state, from what is known of nearer states. Where
// most open states lie behind gates it does so again, because what is known of a gate also says how
// much there is to gain behind it by starting anew.
func (b *bounding) bySteps(ctx context.Context) {
	g := b.graph()
	s := &steps{bounding: b, gates: dominators(&g, &b.area.before.graph), cycles: g.cyclesWithout(0), home: &hitting{area: b.area}}
	s.home.solve(ctx, span{0, 1}, levelPrecision*(1-b.area.gamma))
	for pass := 0; pass < stepPasses && ctx.Err() == nil && !b.enough(); pass++ {
		s.asked, s.needed = b.openSet(), sparse.NewBitset(int(b.size()))
		for _, at := range b.open {
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
