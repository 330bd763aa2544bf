package models

import (
	"math"

	"offswitch/sparse"
)

// rooms are 64 square rooms one behind the other, each a square of 8×8 blocks of cells. A move
// into the wall of the room stays, any other one fails and stays with probability 0.1. A move from
// one block to another opens, with probability 0.1, a trapdoor to the same cell of the next room,
// unless it is the last room.
//
// So each room is one strongly connected component. But in all rooms except the last only the
// moves within a block stay for sure: 63·64 + 1 = 4033 end components.
type rooms struct {
	block uint64 // side of a block
	side  uint64 // side of a room
}

const (
	numRooms  = 64
	roomWidth = 8 // blocks
)

// Rooms returns the model with blocks of block² cells, 4096·block² states in all. block is at
// least 2; 16 makes 1,048,576 states. Its goal is the last cell of the last room.
func Rooms(block int) *sparse.MDP {
	r := &rooms{block: uint64(block), side: roomWidth * uint64(block)}
	goal := numRooms*r.side*r.side - 1
	return explore(r, func(s uint64) bool { return s == goal })
}

func roomsOf(states int) *sparse.MDP {
	return Rooms(max(2, int(math.Round(math.Sqrt(float64(states)/(numRooms*roomWidth*roomWidth))))))
}

// Start implements sparse.Environment: a corner of the first room.
func (r *rooms) Start() []uint64 { return []uint64{0} }

// Actions implements sparse.Environment.
func (r *rooms) Actions() []string { return []string{"east", "north", "west", "south"} }

// Choices implements sparse.Environment.
func (r *rooms) Choices(s uint64, dst []int) []int { return append(dst, 0, 1, 2, 3) }

// Distribution implements sparse.Environment.
func (r *rooms) Distribution(s uint64, choice int, dst []sparse.Outcome[uint64]) []sparse.Outcome[uint64] {
	cells := r.side * r.side
	x, y := s%r.side, s%cells/r.side
	toX, toY := x, y
	switch choice {
	case 0:
		toX++
	case 1:
		toY++
	case 2:
		toX-- // wraps around to a cell far outside
	case 3:
		toY--
	}
	if toX >= r.side || toY >= r.side {
		return append(dst, sparse.Outcome[uint64]{State: s, Probability: 1})
	}
	to := s - (y*r.side + x) + toY*r.side + toX
	crosses := x/r.block != toX/r.block || y/r.block != toY/r.block
	if !crosses || s/cells == numRooms-1 {
		return append(dst, sparse.Outcome[uint64]{State: to, Probability: 0.9},
			sparse.Outcome[uint64]{State: s, Probability: 0.1})
	}
	return append(dst, sparse.Outcome[uint64]{State: to, Probability: 0.8},
		sparse.Outcome[uint64]{State: s, Probability: 0.1}, sparse.Outcome[uint64]{State: s + cells, Probability: 0.1})
}
