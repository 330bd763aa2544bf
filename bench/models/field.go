package models

import (
	"math"

	"offswitch/sparse"
)

// Field returns an open square of about that many cells, numbered row by row, with four moves each;
// one into the border stays. With slips a move goes to the left or the right of its direction with
// probability 1/3 each. The last cell is the goal.
func Field(states int, slips bool) *sparse.MDP {
	side := uint32(math.Round(math.Sqrt(float64(states))))
	branches := 1
	if slips {
		branches = 3
	}
	w := newWriter(int(side*side), 4, 4*branches)
	for s := range side * side {
		around := neighbours(s, side)
		for i, to := range around {
			if slips {
				w.choice(to, around[(i+1)%4], around[(i+3)%4])
			} else {
				w.choice(to)
			}
		}
		w.next()
	}
	return w.model(side*side - 1)
}

// neighbours returns the cells to the right of one, below, to the left and above, in a square; a cell at
// the border is its own neighbour.
func neighbours(cell, side uint32) (around [4]uint32) {
	x, y := cell%side, cell/side
	around = [4]uint32{cell, cell, cell, cell}
	if x+1 < side {
		around[0] = cell + 1
	}
	if y+1 < side {
		around[1] = cell + side
	}
	if x > 0 {
		around[2] = cell - 1
	}
	if y > 0 {
		around[3] = cell - side
	}
	return around
}
