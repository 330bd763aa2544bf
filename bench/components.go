package bench

import "offswitch/sparse"

// components is a binary tree of blocks in each part. A block is eight cells:
//
//	0 to 4  an end component: step goes round, hop goes to a random cell of the five or stays;
//	        leave leads from 4 to the link, and risk leads from 2 to 3, but with probability 1e-9
//	        out of the component, to a random cell of 5 to 7
//	5       a transient link to the entrances (cells 0) of two further blocks, by two choices left
//	        and right or by one choice gamble that picks one of them; and a choice fall
//	6       a trap: its one choice stays
//	7       a terminal state; fall leads to 6 or 7
//
// Where the tree ends, links lead to the trap; half of a gamble then leads back to the root. So one
// strongly connected component holds many end components, and few of them are reached for sure.
// Cell 3 of every block is a goal, of random worth.
type components struct {
	blocks [2]uint64
	dice   dice
}

const (
	blockCells = 8
	ringCells  = 5 // cells 0 to 4 of a block
	riskCell   = 2
	goalCell   = 3
	leaveCell  = 4
	linkCell   = 5
	trapCell   = 6
	endCell    = 7

	riskProbability = 1e-9
)

// The actions of components, in the order of their names.
const (
	stepAction = iota
	hopAction
	leaveAction
	riskAction
	leftAction
	rightAction
	gambleAction
	fallAction
	stayAction
)

func newComponents(o Options) world {
	blocks := max(2, uint64(o.States-1+blockCells/2)/blockCells)
	return &components{blocks: [2]uint64{blocks / 2, blocks - blocks/2}, dice: newDice(o.Seed, "components")}
}

func (c *components) parts() uint64           { return 2 }
func (c *components) start(part uint64) state { return pack(part, 0) }

func (c *components) land(part, roll uint64) state {
	return pack(part, roll%(c.blocks[part]*blockCells))
}

func (c *components) actions() []string {
	return []string{"step", "hop", "leave", "risk", "left", "right", "gamble", "fall", "stay"}
}

func (c *components) moves(s state) uint64 {
	const round = 1<<stepAction | 1<<hopAction
	switch s.own() % blockCells {
	case riskCell:
		return round | 1<<riskAction
	case leaveCell:
		return round | 1<<leaveAction
	case linkCell:
		if c.dice.roll(uint64(s))&1 == 0 {
			return 1<<gambleAction | 1<<fallAction
		}
		return 1<<leftAction | 1<<rightAction | 1<<fallAction
	case trapCell:
		return 1 << stayAction
	case endCell:
		return 0
	}
	return round
}

func (c *components) outcomes(s state, action int, row []outcome) []outcome {
	cell := s.own() % blockCells
	block := s - state(cell) // also the block's cell 0
	roll := c.dice.roll(uint64(s)) >> 1
	next := block + state((cell+1)%ringCells)
	switch action {
	case stepAction:
		return add(row, next, 1)
	case hopAction:
		return add(add(row, s, 0.5), block+state(roll%ringCells), 0.5)
	case leaveAction:
		return add(row, block+linkCell, 1)
	case riskAction:
		out := block + linkCell + state(roll%(blockCells-linkCell))
		return add(add(row, next, 1-riskProbability), out, riskProbability)
	case leftAction, rightAction:
		return add(row, c.child(block, uint64(action-leftAction), block+trapCell), 1)
	case gambleAction:
		left, right := c.child(block, 0, block+trapCell), c.child(block, 1, c.start(s.part()))
		return add(add(row, left, 0.5), right, 0.5)
	case fallAction:
		return add(add(row, block+trapCell, 0.5), block+endCell, 0.5)
	}
	return add(row, s, 1)
}

// child returns the entrance of the block on one side below a block, or what stands in for it
// where the tree ends.
func (c *components) child(block state, side uint64, instead state) state {
	below := 2*(block.own()/blockCells) + 1 + side
	if below >= c.blocks[block.part()] {
		return instead
	}
	return pack(block.part(), below*blockCells)
}

func (c *components) features() features {
	return features{
		variables: []sparse.Variable{
			sparse.IntRange("part", 0, 1),
			sparse.IntRange("block", 0, int64(c.blocks[1]-1)), // the new part is never the smaller one
			sparse.IntRange("cell", 0, blockCells-1),
		},
		values: func(s state, dst []uint64) {
			dst[0], dst[1], dst[2] = s.part(), s.own()/blockCells, s.own()%blockCells
		},
		labels: []string{"goal", "link", "trap"},
		holds: func(s state, label int) bool {
			return s.own()%blockCells == [...]uint64{goalCell, linkCell, trapCell}[label]
		},
		reward: "goal",
		earns: func(s state) float64 {
			if s.own()%blockCells != goalCell {
				return 0
			}
			return worth(c.dice.roll(^uint64(s)))
		},
	}
}
