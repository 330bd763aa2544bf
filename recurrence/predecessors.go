package recurrence

import (
	"context"

	"offswitch/sparse/csr"
)

// Predecessors is the transposed transition structure: for each state the other states with a
// branch to it, each once. 4 bytes an entry and 4 a state.
type Predecessors struct{ graph }

// Of returns the other states with a branch to a state, in increasing order. Callers must not
// modify them.
func (p *Predecessors) Of(state uint32) []uint32 { return p.next(state) }

// transpose makes p the transposed graph, or empty when the context ends.
func (p *Predecessors) transpose(ctx context.Context, g graph, workers int, memory *scratch) {
	rows := csr.Rows{ChoiceStart: g.choiceStart, BranchStart: g.branchStart, Target: g.target}
	start, from := csr.Transpose(ctx, rows, workers, memory.take)
	p.graph = graph{choiceStart: start, target: from}
}

// grow returns a slice of length n, in the memory of old where that is large enough. What it
// holds is not defined.
func grow[T any](old []T, n int) []T {
	if cap(old) >= n {
		return old[:n]
	}
	return make([]T, n)
}
