package recurrence

import "sync"

// Predecessors is the transposed transition structure: for each state the other states with a
// branch to it, each once. 4 bytes an entry and 4 a state.
type Predecessors struct{ graph }

// Of returns the other states with a branch to a state, in increasing order. Callers must not
// modify them.
func (p *Predecessors) Of(state uint32) []uint32 { return p.next(state) }

// transpose makes p the transposed graph. Each worker goes over all edges, but counts and writes
// only those into its range of targets.
func (p *Predecessors) transpose(g graph, workers int, memory *scratch) {
	n := g.states()
	// Two numbers a target, together because they are needed together: how many sources it has, and 1
	// + the last one that was met; then where the next one goes, and again the last.
	tally := memory.zeros(2 * n)
	shares(n, workers, func(lo, hi uint32) { g.sources(lo, hi, tally, nil) })
	start := memory.take(n + 1)
	total := uint32(0)
	for t := range n {
		start[t] = total
		tally[2*t], tally[2*t+1], total = total, 0, total+tally[2*t]
	}
	start[n] = total
	from := memory.take(int(total))
	shares(n, workers, func(lo, hi uint32) { g.sources(lo, hi, tally, from) })
	memory.free(tally)
	p.graph = graph{choiceStart: start, target: from}
}

// sources tallies the sources of the targets lo..hi-1, each once, a state that leads to itself left
// out, and unless from is nil writes them there, where the tally says.
func (g *graph) sources(lo, hi uint32, tally, from []uint32) {
	first := uint32(0)
	for s := range uint32(g.states()) {
		end := g.bound(s + 1)
		for _, t := range g.target[first:end] {
			if t-lo < hi-lo && t != s {
				if at := tally[2*int(t):][:2]; at[1] != s+1 {
					if from != nil {
						from[at[0]] = s
					}
					at[0]++
					at[1] = s + 1
				}
			}
		}
		first = end
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
