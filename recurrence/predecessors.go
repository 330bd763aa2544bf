package recurrence

import "sync"

// Predecessors is the transposed transition structure: for each state the other states with a
// branch to it, each once. 4 bytes an entry and 4 a state.
type Predecessors struct {
	start []uint32
	from  []uint32
}

// Of returns the other states with a branch to a state, in increasing order. Callers must not
// modify them.
func (p *Predecessors) Of(state uint32) []uint32 { return p.from[p.start[state]:p.start[state+1]] }

// entries returns the range from..to-1 of the entries of a state.
func (p *Predecessors) entries(s uint32) (from, to uint32) { return p.start[s], p.start[s+1] }

// transpose makes p the transposed graph. Each worker goes over all
// edges, but counts and writes only those into its range of targets.
func (p *Predecessors) transpose(g graph, workers int, memory *scratch) {
	n := g.states()
	// Two numbers a target, together because they are needed together: how many sources it has, and 1
	// + the last one that was met; then where the next one goes, and again the last.
	tally := memory.zeros(2 * n)
	shares(n, workers, func(lo, hi uint32) { g.countSources(lo, hi, tally) })
	p.start = memory.take(n + 1)
	total := uint32(0)
	for t := range n {
		p.start[t] = total
		tally[2*t], tally[2*t+1], total = total, 0, total+tally[2*t]
	}
	p.start[n] = total
	p.from = memory.take(int(total))
	shares(n, workers, func(lo, hi uint32) { g.writeSources(lo, hi, tally, p.from) })
	memory.free(tally)
}

// countSources counts the sources of the targets lo..hi-1.
func (g *graph) countSources(lo, hi uint32, tally []uint32) {
	from := uint32(0)
	for s := range uint32(g.states()) {
		to := g.bound(s + 1)
		for _, t := range g.target[from:to] {
			if t-lo < hi-lo && t != s {
				if at := tally[2*int(t):][:2]; at[1] != s+1 {
					at[0]++
					at[1] = s + 1
				}
			}
		}
		from = to
	}
}

// writeSources writes the sources of the targets lo..hi-1 to where the tally says.
func (g *graph) writeSources(lo, hi uint32, tally, sources []uint32) {
	from := uint32(0)
	for s := range uint32(g.states()) {
		to := g.bound(s + 1)
		for _, t := range g.target[from:to] {
			if t-lo < hi-lo && t != s {
				if at := tally[2*int(t):][:2]; at[1] != s+1 {
					sources[at[0]] = s
					at[0]++
					at[1] = s + 1
				}
			}
		}
		from = to
	}
}

// shares calls f for each worker with about an equal share of 0..n-1, in one goroutine each. Shares
// begin at multiples of 64, so that no two have a word of a set in common.
func shares(n, workers int, f func(lo, hi uint32)) {
	if workers == 1 {
		f(0, uint32(n))
		return
	}
	words := (n + 63) / 64
	var wait sync.WaitGroup
	for w := range workers {
		wait.Go(func() { f(uint32(words*w/workers*64), uint32(min(words*(w+1)/workers*64, n))) })
	}
	wait.Wait()
}

// grow returns a slice of length n, in the memory of old where that is large enough. What it
// holds is not defined.
func grow[T any](old []T, n int) []T {
	if cap(old) >= n {
		return old[:n]
	}
	return make([]T, n)
}
