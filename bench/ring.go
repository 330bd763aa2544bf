package bench

// ring is one cycle in each part. From every cell one can step to the next, and from about half of
// the cells also skip 2 to 8 cells ahead. Each part has one goal, in a random cell. A move that
// slips stays.
type ring struct{ line }

func newRing(o Options) world { return &ring{newLine(o, "ring")} }

func (r *ring) actions() []string { return []string{"step", "skip"} }

func (r *ring) moves(s state) uint64 {
	if r.dice.roll(uint64(s))&1 == 0 {
		return 0b01
	}
	return 0b11
}

func (r *ring) outcomes(s state, action int, row []outcome) []outcome {
	ahead := uint64(1)
	if action == 1 {
		ahead = 2 + r.dice.roll(uint64(s))>>1%7
	}
	return r.advance(s, (s.own()+ahead)%r.cells[s.part()], row)
}

func (r *ring) features() features {
	var goal [2]state
	for part := range r.parts() {
		goal[part] = pack(part, 1+r.dice.roll(^part)%(r.cells[part]-1))
	}
	return r.line.features(func(s state) bool { return s == goal[s.part()] }, one)
}
