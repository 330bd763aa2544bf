package bench

import "offswitch/sparse"

// line is what the families have in common whose parts are cells 0 to n-1: part 0 for training,
// part 1 new. Each part begins in cell 0.
type line struct {
	cells [2]uint64
	slip  float64
	dice  dice
}

func newLine(o Options, family string) line {
	train := uint64(o.States-1) / 2
	return line{
		cells: [2]uint64{train, uint64(o.States) - 1 - train},
		slip:  o.Slip, dice: newDice(o.Seed, family),
	}
}

func (l *line) parts() uint64                { return 2 }
func (l *line) start(part uint64) state      { return pack(part, 0) }
func (l *line) land(part, roll uint64) state { return pack(part, roll%l.cells[part]) }

// advance appends a move from s to a cell that fails, and stays, with probability slip.
func (l *line) advance(s state, cell uint64, row []outcome) []outcome {
	return add(add(row, pack(s.part(), cell), 1-l.slip), s, l.slip)
}

// features notes the part and the cell of a state, and a reward goal where holds says so.
func (l *line) features(holds func(s state) bool, earns func(s state) float64) features {
	return features{
		variables: []sparse.Variable{
			sparse.IntRange("part", 0, 1),
			sparse.IntRange("cell", 0, int64(l.cells[1]-1)), // the new part is never the smaller one
		},
		values: func(s state, dst []uint64) { dst[0], dst[1] = s.part(), s.own() },
		labels: []string{"goal"},
		holds:  func(s state, _ int) bool { return holds(s) },
		reward: "goal",
		earns: func(s state) float64 {
			if !holds(s) {
				return 0
			}
			return earns(s)
		},
	}
}

// one is the reward of a goal that is worth the most.
func one(state) float64 { return 1 }
