package models

import (
	"math"

	"offswitch/sparse"
)

// Peel returns a line of pieces, each a cycle of three states, and an exit beyond its near end. In
// the first state of each piece a choice bridge leads to one of the two neighbours.
//
// All pieces together are one strongly connected component. But the bridge of the nearest piece can
// lead out of it, to the exit. Without its bridge that piece comes loose, hence the bridge of the
// next one can leave as well, and so on: each round takes one piece off the component, and in
// the end every piece is an end component. The exit is terminal and the goal.
func Peel(states int) *sparse.MDP {
	l := line{size: 3, pieces: uint32(states-1) / 3}
	w := newWriter(int(l.exit())+1, 2, 2)
	for s := range l.exit() {
		w.choice(l.step(s))
		if s%l.size == 0 {
			w.choice(l.bridge(s))
		}
		w.next()
	}
	w.next()
	return w.model(l.exit())
}

// Comb returns the line of Peel with about √n pieces of √n states. In addition, state i > 0 of
// piece k ≥ i has a choice that leads to the next state of the piece or to piece i-1. So each piece
// that comes loose takes one choice from every piece that is left, and only one of those comes loose
// next: searching from where something was lost costs as much as searching everything.
func Comb(states int) *sparse.MDP {
	size := uint32(math.Round(math.Sqrt(float64(states))))
	l := line{size: size, pieces: uint32(states-1) / size}
	w := newWriter(int(l.exit())+1, 2, 3)
	for s := range l.exit() {
		w.choice(l.step(s))
		switch i, k := s%size, s/size; {
		case i == 0:
			w.choice(l.bridge(s))
		case i <= k:
			w.choice(l.step(s), (i-1)*size)
		}
		w.next()
	}
	w.next()
	return w.model(l.exit())
}

// line is the line of Peel: pieces 0, 1, … of consecutive states, then the exit.
type line struct{ size, pieces uint32 }

func (l *line) exit() uint32 { return l.size * l.pieces }

// step returns the next state on the cycle of a state's piece.
func (l *line) step(s uint32) uint32 {
	if s%l.size == l.size-1 {
		return s - l.size + 1
	}
	return s + 1
}

// bridge returns the first states of the pieces before and behind that of s, which is the first of
// its own. The last piece stands for the one behind it.
func (l *line) bridge(s uint32) (before, behind uint32) {
	before, behind = l.exit(), min(s+l.size, l.exit()-l.size)
	if s > 0 {
		before = s - l.size
	}
	return before, behind
}

// tinySize is how many states an end component of Tiny has.
const tinySize = 10

// Tiny returns a row of rings of ten states. Each state has a step to the next one, and a hop that
// goes one or three states ahead. The last state of each ring has a leave too: to the first state of
// its own ring, of the next one, or of a ring further on. Rings are both the strongly connected
// components and the end components. The last state is the goal.
func Tiny(states int) *sparse.MDP {
	rings := max(1, uint32(states)/tinySize)
	w := newWriter(int(rings)*tinySize, 3, 4)
	for ring := range rings {
		first := ring * tinySize
		for i := range uint32(tinySize) {
			w.choice(first + (i+1)%tinySize)
			w.choice(first+(i+1)%tinySize, first+(i+3)%tinySize)
			if i == tinySize-1 && ring+1 < rings {
				// Multiplying spreads the distances, from which the order of the states is no help.
				further := ring + 1 + uint32(uint64(ring)*0x9e3779b9%uint64(rings-ring-1))
				w.choice(first, first+tinySize, further*tinySize)
			}
			w.next()
		}
	}
	return w.model(rings*tinySize - 1)
}

// Traps returns a binary tree of nodes, with a trap for each. Down leads to one of the two children,
// and to the trap where a child is missing; up leads to the parent, if there is one, or to the trap;
// a trap keeps what is in it. All nodes are one strongly connected component and no node is in an end component:
// only the traps are, each by itself. Nodes go from the leaves to the root, each because its children
// went. The last trap is the goal.
func Traps(states int) *sparse.MDP {
	nodes := uint32(states) / 2
	w := newWriter(int(2*nodes), 2, 3)
	for node := range nodes {
		trap := nodes + node
		left, right := 2*node+1, 2*node+2
		if left >= nodes {
			left = trap
		}
		if right >= nodes {
			right = trap
		}
		w.choice(left, right)
		if node == 0 {
			w.choice(trap)
		} else {
			w.choice((node-1)/2, trap)
		}
		w.next()
	}
	for trap := nodes; trap < 2*nodes; trap++ {
		w.choice(trap)
		w.next()
	}
	return w.model(2*nodes - 1)
}

// Hub returns a hub, pieces around it, each a cycle of three states, and an exit. The hub has a choice for each
// piece, which leads there. The last state of each piece has a choice that leads back to the hub or to the
// piece before, that of the first one to the exit instead.
//
// Everything but the exit is one strongly connected component. But the first piece's choice can lead out of
// it. Without that choice the piece comes loose, hence the next one's can leave as well, and so on: in each
// round the hub, which has a third as many choices as there are states, loses one. In the end every
// piece is an end component, and the hub is in none. The exit is terminal and the goal.
func Hub(states int) *sparse.MDP {
	const size = 3
	pieces := max(1, uint32(states-2)/size)
	exit := 1 + size*pieces
	w := newWriter(int(exit)+1, 2, 2)
	for first := uint32(1); first < exit; first += size {
		w.choice(first)
	}
	w.next()
	before := exit
	for s := uint32(1); s < exit; s++ {
		if s%size != 0 {
			w.choice(s + 1)
		} else {
			first := s + 1 - size
			w.choice(first)
			w.choice(0, before)
			before = first
		}
		w.next()
	}
	w.next()
	return w.model(exit)
}
