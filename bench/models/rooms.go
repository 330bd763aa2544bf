package models

import (
	"math"

	"offswitch/sparse"
)

const (
	numRooms  = 64
	roomWidth = 8 // blocks
)

// Rooms returns 64 square rooms one behind the other, each a square of 8×8 blocks of block² cells:
// 4096·block² states, 1,048,576 for a block of 16; block is at least 2. Every state has four moves.
// A move into the wall of the room stays, any other one fails and stays with probability 1/2. A move
// from one block to another finds, with probability 1/3, a trapdoor to the same cell of the next
// room instead, unless this is the last one.
//
// So each room is one strongly connected component. But in all rooms except the last only the
// moves within a block stay for sure: 63·64 + 1 = 4033 end components.
//
// The cells are numbered row by row and room by room; the goal is the last one.
func Rooms(block int) *sparse.MDP {
	side := uint32(roomWidth * block)
	cells := side * side
	w := newWriter(int(numRooms*cells), 4, 9)
	for s := range numRooms * cells {
		x, y := s%side, s%cells/side
		for _, to := range [4][2]uint32{{x + 1, y}, {x, y + 1}, {x - 1, y}, {x, y - 1}} {
			if to[0] >= side || to[1] >= side { // less than 0 has become very large
				w.choice(s)
				continue
			}
			next := s/cells*cells + to[1]*side + to[0]
			sameBlock := x/uint32(block) == to[0]/uint32(block) && y/uint32(block) == to[1]/uint32(block)
			if sameBlock || s/cells == numRooms-1 {
				w.choice(s, next)
			} else {
				w.choice(s, next, s+cells)
			}
		}
		w.next()
	}
	return w.model(numRooms*cells - 1)
}

func roomsOf(states int) *sparse.MDP {
	return Rooms(max(2, int(math.Round(math.Sqrt(float64(states)/(numRooms*roomWidth*roomWidth))))))
}
