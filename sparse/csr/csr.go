// Package csr holds what sparse and recurrence both do to graphs of states in compressed sparse rows:
// transposing them, following rows that lie anywhere in memory, and sharing out ranges of states
// among goroutines.
package csr

import "sync"

// AtOnce is the most rows that are fetched at once.
const AtOnce = 64

// Batch is some rows at a time. Rows in random places wait for memory; many waits at once take no
// longer than one.
type Batch struct {
	From, To [AtOnce]uint32 // the entries of each row
	touched  uint32
}

// Fetch looks up the rows of the first states, brings their entries in a column near, and returns how many
// states those are. row gives the range of the entries of a state.
func Fetch[T uint8 | uint32](b *Batch, row func(s uint32) (from, to uint32), column []T, states []uint32) int {
	n := min(len(states), AtOnce)
	for i, s := range states[:n] {
		b.From[i], b.To[i] = row(s)
	}
	touched := T(0)
	for i := range n {
		if b.From[i] < b.To[i] {
			touched ^= column[b.From[i]] ^ column[b.To[i]-1]
		}
	}
	b.touched = uint32(touched) // so that the loads are not left out
	return n
}

// Share calls f with one stretch of 0..n-1 for each worker, about equal ones, each in a goroutine of
// its own, and waits for all. Stretches begin at multiples of 64, so that no two have a word of a bitset in
// common, and none is empty. A panic in f becomes a panic here.
func Share[T int | uint32](workers, n int, f func(lo, hi T)) {
	if workers == 1 && n > 0 {
		f(0, T(n))
		return
	}
	words := (n + 63) / 64
	var wait sync.WaitGroup
	failed := make([]any, workers)
	for w := range workers {
		if lo, hi := words*w/workers*64, min(words*(w+1)/workers*64, n); lo < hi {
			wait.Go(func() {
				defer func() { failed[w] = recover() }()
				f(T(lo), T(hi))
			})
		}
	}
	wait.Wait()
	for _, x := range failed {
		if x != nil {
			panic(x)
		}
	}
}
