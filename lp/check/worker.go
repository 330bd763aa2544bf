package check

import (
	"math"
	"runtime"
	"sync"

	"offswitch/sparse"
)

// worker has the memory that one goroutine needs to look at choices.
type worker struct {
	k   *checker
	p   []float64
	row []weight
}

func (k *checker) newWorker() *worker { return &worker{k: k} }

// parallelMin is the number of branches below which a second goroutine costs more than it brings.
const parallelMin = 1 << 15

// eachWorker calls f for consecutive ranges lo..hi-1 that cover all states, at once where that pays, and returns
// the results in order. The ranges depend on the machine; what is made of the results must not.
func eachWorker[T any](k *checker, f func(w *worker, lo, hi uint32) T) []T {
	n, workers := uint64(k.m.NumStates()), uint64(runtime.GOMAXPROCS(0))
	if k.branches < parallelMin {
		workers = 1
	}
	out := make([]T, workers)
	var wait sync.WaitGroup
	for i := range workers {
		wait.Go(func() { out[i] = f(k.newWorker(), uint32(n*i/workers), uint32(n*(i+1)/workers)) })
	}
	wait.Wait()
	return out
}

// pair is a state and one of its choices.
type pair struct{ state, choice uint32 }

// eachPair returns the choices of the states in a set for which proved is false, in order.
func (k *checker) eachPair(states sparse.Bitset, proved func(w *worker, state, choice uint32) bool) []pair {
	var open []pair
	for _, some := range eachWorker(k, func(w *worker, lo, hi uint32) []pair {
		var open []pair
		for s := lo; s < hi; s++ {
			if !states.Has(s) {
				continue
			}
			from, to := k.m.Choices(s)
			for a := from; a < to; a++ {
				if !proved(w, s, a) {
					open = append(open, pair{s, a})
				}
			}
		}
		return open
	}) {
		open = append(open, some...)
	}
	return open
}

// expectation returns γ Σ p v over the branches of a choice, in plain arithmetic.
func (w *worker) expectation(choice uint32, v []float64) float64 {
	m, gamma := w.k.m, w.k.c.Question.Discount
	targets := m.Targets(choice)
	if m.Deterministic() {
		return gamma * v[targets[0]]
	}
	w.p = w.k.probabilities(choice, w.p)
	sum := 0.0
	for i, p := range w.p {
		sum += p * v[targets[i]]
	}
	return gamma * sum
}

// best returns the greatest expectation of choices from..to-1, in plain arithmetic.
func (w *worker) best(from, to uint32, v []float64) float64 {
	best := math.Inf(-1)
	for a := from; a < to; a++ {
		best = max(best, w.expectation(a, v))
	}
	return best
}
