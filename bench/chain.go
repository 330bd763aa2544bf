package bench

// chain is a row of cells in each part. From every cell one can go forward to the next; besides,
// half of the cells have a reset to the first cell and the others a stay, at random. The last cell
// is the goal and terminal. A forward move that slips stays.
type chain struct{ line }

func newChain(o Options) world { return &chain{newLine(o, "chain")} }

func (c *chain) actions() []string { return []string{"forward", "reset", "stay"} }

func (c *chain) moves(s state) uint64 {
	switch {
	case c.last(s):
		return 0
	case c.dice.roll(uint64(s))&1 == 0:
		return 0b011
	}
	return 0b101
}

func (c *chain) last(s state) bool { return s.own() == c.cells[s.part()]-1 }

func (c *chain) outcomes(s state, action int, row []outcome) []outcome {
	switch action {
	case 0:
		return c.advance(s, s.own()+1, row)
	case 1:
		return add(row, c.start(s.part()), 1)
	}
	return add(row, s, 1)
}

func (c *chain) features() features { return c.line.features(c.last, one) }
