package bench

import (
	"math"

	"offswitch/sparse"
)

// grid is a house of square rooms in each part. Walls one cell thick stand between the rooms, and
// each wall between two rooms has one door, in a random place. A move into a wall stays. A move
// that slips goes to the left or to the right of its direction instead, with probability slip/2
// each. Both parts begin in a corner; the goal is in the opposite corner in training and in a
// neighbouring corner in the new house, and does not end the episode.
type grid struct {
	houses [2]house
	slip   float64
	dice   dice
}

// house is the size of one part, in cells; the width is a number of whole rooms.
type house struct {
	width, height uint64
	room          uint64 // side of a room, without walls
}

// A state's own bits are x and, from this bit on, y.
const gridShift = 18

func newGrid(o Options) world {
	train := (o.States - 1) / 2
	return &grid{
		houses: [2]house{newHouse(train), newHouse(o.States - 1 - train)},
		slip:   o.Slip, dice: newDice(o.Seed, "grid"),
	}
}

// newHouse returns a house, nearly square, of about that many free cells.
func newHouse(cells int) house {
	room := min(max(math.Round(math.Sqrt(float64(cells))/4), 2), 8)
	pitch := room + 1
	free := (room*room + 2) / (pitch * pitch) // two doors a room
	across := max(1, math.Round(math.Sqrt(float64(cells)/free)/pitch))
	perRow := (across*(room*room+2) - 1) / pitch
	return house{
		width:  uint64(across*pitch) - 1,
		height: uint64(max(2, math.Round(float64(cells)/perRow))),
		room:   uint64(room),
	}
}

func gridState(part, x, y uint64) state { return pack(part, y<<gridShift|x) }

func (s state) gridCell() (x, y uint64) {
	return s.own() & (1<<gridShift - 1), s.own() >> gridShift
}

func (g *grid) parts() uint64           { return 2 }
func (g *grid) start(part uint64) state { return gridState(part, 0, 0) }

// land returns a cell inside a room.
func (g *grid) land(part, roll uint64) state {
	h := &g.houses[part]
	x, y := roll%h.width, roll>>32%h.height
	if x%(h.room+1) == h.room {
		x--
	}
	if y%(h.room+1) == h.room {
		y--
	}
	return gridState(part, x, y)
}

func (g *grid) actions() []string    { return []string{"east", "north", "west", "south"} }
func (g *grid) moves(s state) uint64 { return 0b1111 }

func (g *grid) outcomes(s state, action int, row []outcome) []outcome {
	row = add(row, g.move(s, action), 1-g.slip)
	if g.slip > 0 {
		row = add(row, g.move(s, (action+1)%4), g.slip/2)
		row = add(row, g.move(s, (action+3)%4), g.slip/2)
	}
	return row
}

// move returns where a move in a direction ends: in s where a wall is in the way.
func (g *grid) move(s state, direction int) state {
	x, y := s.gridCell()
	switch direction {
	case 0:
		x++
	case 1:
		y++
	case 2:
		x-- // wraps around to a cell far outside
	case 3:
		y--
	}
	h := &g.houses[s.part()]
	if x >= h.width || y >= h.height || g.wall(s.part(), x, y) {
		return s
	}
	return gridState(s.part(), x, y)
}

// wall reports whether a cell of the house is part of a wall.
func (g *grid) wall(part, x, y uint64) bool {
	h := &g.houses[part]
	pitch := h.room + 1
	upright, flat := x%pitch == h.room, y%pitch == h.room
	if !upright && !flat {
		return false
	}
	if upright && flat {
		return true
	}
	roomX, roomY := x/pitch, y/pitch
	if upright {
		roll := g.dice.roll(uint64(gridState(part, roomX, roomY)) << 1)
		return y%pitch != roll%min(h.room, h.height-roomY*pitch) // the last rooms may be lower
	}
	return x%pitch != g.dice.roll(uint64(gridState(part, roomX, roomY))<<1|1)%h.room
}

// door reports whether a free cell is a door.
func (g *grid) door(s state) bool {
	x, y := s.gridCell()
	room := g.houses[s.part()].room
	return x%(room+1) == room || y%(room+1) == room
}

// goal returns the goal of a part.
func (g *grid) goal(part uint64) state {
	h := &g.houses[part]
	if part == 1 {
		return gridState(part, h.width-1, 0)
	}
	y := h.height - 1
	if y%(h.room+1) == h.room {
		y--
	}
	return gridState(part, h.width-1, y)
}

func (g *grid) features() features {
	most := g.houses[1]
	most.width = max(most.width, g.houses[0].width)
	most.height = max(most.height, g.houses[0].height)
	return features{
		variables: []sparse.Variable{
			sparse.IntRange("part", 0, 1),
			sparse.IntRange("x", 0, int64(most.width-1)),
			sparse.IntRange("y", 0, int64(most.height-1)),
		},
		values: func(s state, dst []uint64) {
			dst[0] = s.part()
			dst[1], dst[2] = s.gridCell()
		},
		labels: []string{"goal", "door", "firstroom"},
		holds: func(s state, label int) bool {
			switch label {
			case 0:
				return s == g.goal(s.part())
			case 1:
				return g.door(s)
			}
			x, y := s.gridCell()
			room := g.houses[s.part()].room
			return x < room && y < room
		},
		reward: "goal",
		earns: func(s state) float64 {
			if s == g.goal(s.part()) {
				return 1
			}
			return 0
		},
	}
}
