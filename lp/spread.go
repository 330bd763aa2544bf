package lp

import (
	"math"

	"offswitch/sparse"
)

// spread follows discounted visits from choices along a policy. Its slices are by state.
type spread struct {
	m       *sparse.MDP
	gamma   float64
	within  sparse.Bitset // states in which visits are followed; elsewhere they wait; nil: all
	visits  []float64     // of all times, discounted
	waiting []float64     // not followed yet
	touched []uint32      // states that visits have come to
	seen    sparse.Bitset // the same
	queue   []uint32      // states with visits to be followed
	spare   []uint32
	queued  sparse.Bitset
}

func newSpread(m *sparse.MDP, gamma float64, within sparse.Bitset) *spread {
	n := m.NumStates()
	return &spread{m: m, gamma: gamma, within: within, visits: make([]float64, n), waiting: make([]float64, n),
		seen: sparse.NewBitset(n), queued: sparse.NewBitset(n)}
}

// enter leaves visits where a choice leads. They are followed where more than a tolerance waits.
func (p *spread) enter(choice uint32, visits, tolerance float64) {
	probabilities := p.m.Probabilities(choice)
	for i, t := range p.m.Targets(choice) {
		if !p.seen.Has(t) {
			p.seen.Set(t)
			p.touched = append(p.touched, t)
		}
		p.waiting[t] += p.gamma * visits * probabilities[i]
		if math.Abs(p.waiting[t]) > tolerance && !p.queued.Has(t) && (p.within == nil || p.within.Has(t)) {
			p.queued.Set(t)
			p.queue = append(p.queue, t)
		}
	}
}

// follow follows a policy, round by round, until no state has more than a tolerance to be followed, or a
// round moves no more than enough, or as many states as most have been followed. Terminal states keep
// their visits. It returns how many states it followed, each as often as that. O(branches of those).
func (p *spread) follow(policy []uint32, tolerance, enough float64, most int) (followed int) {
	moved := math.Inf(1)
	for len(p.queue) > 0 && moved > enough && followed < most {
		round := p.queue
		p.queue, moved = p.spare[:0], 0
		for _, s := range round {
			p.queued.Clear(s)
			x := p.waiting[s]
			p.waiting[s] = 0
			p.visits[s] += x
			moved += math.Abs(x)
			if !p.m.Terminal(s) {
				p.enter(policy[s], x, tolerance)
			}
		}
		followed += len(round)
		p.spare = round
	}
	for _, s := range p.queue {
		p.queued.Clear(s)
	}
	p.queue = p.queue[:0]
	return followed
}

// reset forgets everything.
func (p *spread) reset() {
	for _, s := range p.touched {
		p.visits[s], p.waiting[s] = 0, 0
		p.seen.Clear(s)
	}
	p.touched = p.touched[:0]
}
