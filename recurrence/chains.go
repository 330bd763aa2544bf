package recurrence

import (
	"context"
	"sync"

	"offswitch/sparse"
)

const (
	// chainRadius and chainBall bound the ball around each state from which its chains come.
	chainRadius = 8
	chainBall   = 300
	// chainSweeps is how many sweeps a ball gets at most; fewer sweeps give weaker bounds, not wrong ones.
	chainSweeps = 60
	// chainsWorthwhile is how many open states make chains worth their cost.
	chainsWorthwhile = 64
)

// byChains proves that states count by chains of short ways: h_x(s) ≥ h_y(s)·h_x(y), because going to y
// first and then to x is one way to x. States are settled outward from the start, level by level; each
// takes the best nearer state of a small ball around it. It costs one small solve for every state that
// is near enough to count at all, whatever the size of the model, and loses some percent on long ways;
// what it leaves open is for solve. Policies stay inside the given states.
func (c *counting) byChains(ctx context.Context, inside sparse.Bitset, open []uint32, count func(s uint32)) {
	asked := sparse.NewBitset(c.m.NumStates())
	for _, s := range open {
		asked.Set(s)
	}
	lower := make([]float64, c.m.NumStates()) // of h_x(start)
	workers := make([]*hitting, c.workers)
	for w := range workers {
		workers[w] = newHitting(c.m, c.before, inside, c.gamma)
	}
	order, distance := c.reach.Order, c.reach.Distance
	for from := 0; from < len(order) && ctx.Err() == nil; {
		d := distance[order[from]]
		if int(d) >= len(c.longest) && d > 0 {
			return // too far to count, or to be on the way to what counts
		}
		to := from
		for to < len(order) && distance[order[to]] == d {
			to++
		}
		level := order[from:to]
		settle := func(h *hitting, states []uint32) {
			for _, x := range states {
				if ctx.Err() == nil && inside.Has(x) && !c.m.Terminal(x) && h.chain(x, c.start, distance, lower) && asked.Has(x) {
					count(x)
				}
			}
		}
		if len(level) < 4*len(workers) {
			settle(workers[0], level)
		} else {
			var wait sync.WaitGroup
			for w, h := range workers {
				wait.Go(func() { settle(h, level[len(level)*w/len(workers):len(level)*(w+1)/len(workers)]) })
			}
			wait.Wait()
		}
		if c.progress != nil {
			c.progress(sparse.Progress{Stage: "chains", Done: to, Total: len(order)})
		}
		from = to
	}
}

// chain sets the lower bound of h_x(start) from those of nearer states, and reports whether x is
// proved to count.
func (h *hitting) chain(x, start uint32, distance []uint32, lower []float64) bool {
	defer h.forget()
	h.gather(x, chainRadius, chainBall)
	h.build()
	off := h.rise(chainSweeps)
	atX := interval{max(h.again-off, 0), 1}
	if x == start {
		return compare(h.gamma, atX, atX) == Counted
	}
	best := 0.0
	for i, y := range h.ball {
		switch way := h.value[i] - off; {
		case i == 0 || way <= 0:
		case y == start:
			best = max(best, way)
		case distance[y] < distance[x]:
			best = max(best, way*lower[y])
		}
	}
	lower[x] = best * (1 - 0x1p-50)
	return compare(h.gamma, interval{lower[x], 1}, atX) == Counted
}

// rise sweeps from 0, with nothing beyond the ball, until values hardly change, and returns how far
// rounding may have raised them above the solution: a backup of values below it stays below it.
func (h *hitting) rise(sweeps int) float64 {
	modulus, rounding := h.contraction()
	if modulus >= 1 {
		return 1
	}
	h.value[len(h.ball)] = 0
	for range sweeps {
		if h.sweep() < 1e-6 {
			break
		}
	}
	return rounding / (1 - modulus) * (1 + 0x1p-50)
}
