package bench

// random is a Garnet (Archibald, McKinnon & Thomas 1995): every state has three actions, and each
// action leads to three random states of the same part, with probabilities cut at two random
// points. The points are multiples of 1/256, so that rows sum to 1 exactly. One state in 16 is a
// goal of random worth, and so is cell 1.
type random struct{ line }

func newRandom(o Options) world { return &random{newLine(o, "random")} }

func (r *random) actions() []string    { return []string{"a", "b", "c"} }
func (r *random) moves(s state) uint64 { return 0b111 }

func (r *random) outcomes(s state, action int, row []outcome) []outcome {
	roll := r.dice.roll(uint64(s)<<2 | uint64(action))
	first, second := 1+roll%254, 1+roll>>8%254
	if first == second {
		second++
	}
	low, high := min(first, second), max(first, second)
	for _, weight := range [3]uint64{low, high - low, 256 - high} {
		roll = mix(roll)
		row = add(row, r.land(s.part(), roll), float64(weight)/256)
	}
	return row
}

func (r *random) features() features {
	roll := func(s state) uint64 { return r.dice.roll(^uint64(s)) }
	return r.line.features(
		func(s state) bool { return roll(s)%16 == 0 || s.own() == 1 },
		func(s state) float64 { return worth(roll(s) >> 4) })
}
