package recurrence

import (
	"context"
	"math/bits"

	"offswitch/sparse"
	"offswitch/sparse/csr"
)

// The searches below want only the set that is reached. They pass over the states in their order,
// up and down in turn, with one bit a state: where the order is any good, most of what a pass
// finds it also follows up, and all memory traffic but the bits, which fit the cache, is
// sequential. When the context ends, what they find is worthless.

// How many passes there are before a queue takes over. Tests make them few.
var (
	forwardPasses  = 64 // each only costs what is new in it, and a look at every word
	backwardPasses = 16 // each looks at every state not yet reached
)

// direction is the order of a pass: the exclusive or with it turns the position of a bit around.
type direction int

const (
	up   direction = 0
	down direction = 63
)

func (d direction) turn() direction { return up + down - d }

// forward returns the states of region that can be reached from start without leaving it.
func (g *graph) forward(ctx context.Context, start uint32, region sparse.Bitset, memory *scratch) sparse.Bitset {
	// Only what is in the region counts of what is marked.
	marked, done := memory.set(64*len(region)), memory.set(64*len(region))
	marked.Set(start)
	more := true
	for pass, d := 0, up; more && pass < forwardPasses; pass, d = pass+1, d.turn() {
		more = g.push(ctx, marked, done, region, d)
	}
	if more {
		queue, length := memory.take(region.Count()), 0
		for i := range region {
			marked[i] &= region[i]
			for now := marked[i] &^ done[i]; now != 0; now &= now - 1 {
				queue[length] = uint32(i<<6 | bits.TrailingZeros64(now))
				length++
			}
		}
		g.flood(ctx, marked, region, queue, length, nil)
		memory.free(queue)
	}
	memory.freeSets(done)
	for i, w := range region {
		marked[i] &= w
	}
	return marked
}

// push marks where the marked states of the region lead that are not done, and makes them done. It
// reports whether there was one. Whether a target is marked already cannot be predicted, so that
// is not asked.
func (g *graph) push(ctx context.Context, marked, done, region sparse.Bitset, d direction) (more bool) {
	for j := range region {
		if j%(checkEvery/64) == 0 && ctx.Err() != nil {
			return false
		}
		i := j
		if d == down {
			i = len(region) - 1 - j
		}
		for {
			now := marked[i] & region[i] &^ done[i]
			if now == 0 {
				break
			}
			more = true
			done[i] |= now
			for ; now != 0; now &= now - 1 {
				for _, t := range g.next(uint32(i<<6 | bits.TrailingZeros64(now))) {
					marked[t>>6] |= 1 << (t & 63)
				}
			}
		}
	}
	return more
}

// flood adds to reached the states of the region that edges lead to from the first so many states of
// the queue, and on from there; those that allowed refuses are left out, unless it is nil. The queue
// has room for the region.
func (g *graph) flood(ctx context.Context, reached, region sparse.Bitset, queue []uint32, length int, allowed func(s uint32) bool) {
	var rows csr.Batch
	look := checkEvery // at the context, when so many are done
	for done := 0; done < length; {
		if done >= look {
			if look = done + checkEvery; ctx.Err() != nil {
				return
			}
		}
		n := csr.Fetch(&rows, g.edges, g.target, queue[done:length])
		done += n
		for i := range n {
			for _, t := range g.target[rows.From[i]:rows.To[i]] {
				if region.Has(t) && !reached.Has(t) && (allowed == nil || allowed(t)) {
					reached.Set(t)
					queue[length] = t
					length++
				}
			}
		}
	}
}

// backward is a search against the edges, inside a region.
type backward struct {
	ctx context.Context
	*graph
	region  sparse.Bitset
	reached sparse.Bitset // the states to start from, and then all that are found
	// careful lets the search use only choices all of whose branches stay in the region.
	careful bool
	looks   int // branches that a careful search may look at behind the queue; once it is below 0, it finds nothing more
}

// pull adds the states of the region that lead into what is reached, pass after pass. It reports
// whether nothing is left to add, which it cannot tell when passes add little.
func (b *backward) pull(first direction) (done bool) {
	before, most := b.reached.Count(), b.region.Count()
	for pass, d := 0, first; pass < backwardPasses; pass, d = pass+1, d.turn() {
		if b.pass(d); b.ctx.Err() != nil {
			return true
		}
		now := b.reached.Count()
		// What a pass in one direction does not find, one in the other may.
		switch {
		case now == before && pass > 0, now == most:
			return true
		case pass > 0 && now < most>>max(4, 16-4*pass):
			return false
		}
		before = now
	}
	return false
}

func (b *backward) pass(d direction) {
	for j := range b.region {
		if j%(checkEvery/64) == 0 && b.ctx.Err() != nil {
			return
		}
		i := j
		if d == down {
			i = len(b.region) - 1 - j
		}
		left := b.region[i] &^ b.reached[i]
		if d == down {
			left = bits.Reverse64(left)
		}
		for ; left != 0; left &= left - 1 {
			bit := bits.TrailingZeros64(left) ^ int(d)
			s := uint32(i<<6 | bit)
			if b.careful {
				if b.joinsSurely(s) {
					b.reached[i] |= 1 << bit
				}
				continue
			}
			// Which target it is that is reached cannot be predicted, so all are looked at.
			hit := uint64(0)
			for _, t := range b.next(s) {
				hit |= b.reached[t>>6] >> (t & 63)
			}
			b.reached[i] |= hit & 1 << bit
		}
	}
}

// joinsSurely reports whether a state has a choice that stays in the region and can lead into what is
// reached.
func (b *backward) joinsSurely(s uint32) bool {
	for c := b.choiceStart[s]; c < b.choiceStart[s+1]; c++ {
		leads, stays := false, true
		for _, t := range b.targets(c) {
			leads = leads || b.reached.Has(t)
			stays = stays && b.region.Has(t)
		}
		if leads && stays {
			return true
		}
	}
	return false
}

// pullQueue completes the search with the predecessors. The queue has room for the region.
func (b *backward) pullQueue(before *Predecessors, queue []uint32) {
	length := 0
	for s := range b.reached.All() {
		queue[length] = s
		length++
	}
	var allowed func(s uint32) bool
	if b.careful {
		allowed = func(s uint32) bool {
			if b.looks < 0 {
				return false
			}
			from, to := b.edges(s)
			b.looks -= int(to - from)
			return b.joinsSurely(s)
		}
	}
	before.flood(b.ctx, b.reached, b.region, queue, length, allowed)
}
