package bench

import "offswitch/sparse"

// coinrun is the paper's example: platform levels, of which the part is the number. A level is a
// row of columns, cut into segments of eight. A segment has a base height of 1 to 3. Between its
// first two and its last two columns there may be a gap, 2 to 4 wide, or a wall, 1 to 3 high, and
// where there is no wall there may be a ledge to pass below or above.
//
// In each time step the player moves left, right or not at all, unless something solid is there,
// and then rises or falls by one cell. A jump, possible on solid ground, rises for jumpHeight
// steps, which the phase counts down; the player steers meanwhile. Taking the coin ends the
// episode, and so does falling to the bottom of a gap. Whoever is not yet bound to fall into
// a gap can still get everywhere.
//
// A step on solid ground that slips fails half of the time, and slides two cells the other half.
// So one can still get everywhere without a risk, but not carelessly.
//
// The training levels are at most 64 columns long, so that a discounted coin is worth something;
// their coin is on the ground of the last column, a place labelled end. The new level is as long
// as all of them together, and its coin is on the ground on the way to its end.
type coinrun struct {
	trainLevels  uint64 // also the number of the new level
	trainColumns int    // of all training levels together
	newColumns   int
	coinColumn   int // of the coin in the new level
	slip         float64
	terrain      dice
}

const (
	segmentColumns = 8
	jumpHeight     = 4
	startColumn    = 1

	longestTraining = 64
	fewestTraining  = 3
	fewestColumns   = 36 // of all levels together

	statesPerColumn = 11.4 // roughly
)

// The actions of coinrun, in the order of their names.
const (
	leftMove = iota
	rightMove
	standMove
	jumpMove
)

func newCoinrun(o Options) world {
	columns := max(fewestColumns, int(float64(o.States)/statesPerColumn))
	c := &coinrun{
		trainColumns: columns / 2, newColumns: columns - columns/2,
		slip: o.Slip, terrain: newDice(o.Seed, "coinrun"),
	}
	c.trainLevels = uint64(max(fewestTraining, (c.trainColumns+longestTraining-1)/longestTraining))
	onTheWay := c.newColumns/segmentColumns - 1 // whole segments but the first
	c.coinColumn = segmentColumns * (1 + int(c.terrain.roll(0)%uint64(onTheWay)))
	return c
}

// place is an unpacked state.
type place struct {
	level uint64
	x, y  int
	phase int // steps that a jump still rises; 0 on the ground and while falling
}

func (p place) pack() state {
	return pack(p.level, uint64(p.x)<<7|uint64(p.y)<<3|uint64(p.phase))
}

func (s state) place() place {
	own := s.own()
	return place{level: s.part(), x: int(own >> 7), y: int(own >> 3 & 15), phase: int(own & 7)}
}

// columns returns the length of a level.
func (c *coinrun) columns(level uint64) int {
	if level == c.trainLevels {
		return c.newColumns
	}
	return (c.trainColumns + int(level)) / int(c.trainLevels)
}

// column returns what is solid in a column: the cells below ground, and the cell at ledge unless
// that is 0. In a gap ground is 0.
func (c *coinrun) column(level uint64, x int) (ground, ledge int) {
	first := x &^ (segmentColumns - 1)
	roll := c.terrain.roll(uint64(place{level: level, x: first}.pack()))
	take := func(n uint64) int {
		r := roll & 0xff % n
		roll >>= 8
		return int(r)
	}
	base := 1 + take(3)
	ground = base
	if first+segmentColumns > c.columns(level) {
		return ground, 0
	}
	obstacle, size, withLedge, at := take(3), take(3), take(2) == 1, x-first-2
	switch {
	case at < 0 || at > 3:
		return ground, 0
	case obstacle == 1 && at < 2+size:
		ground = 0
	case obstacle == 2 && (at == 1 || at == 2):
		return base + 1 + size, 0
	case obstacle == 2:
		return base, 0
	}
	if withLedge {
		ledge = base + 3
	}
	return ground, ledge
}

func (c *coinrun) solid(level uint64, x, y int) bool {
	if x < 0 || x >= c.columns(level) {
		return true
	}
	ground, ledge := c.column(level, x)
	return y < ground || y == ledge && ledge > 0
}

// coin and end return the columns of the coin and of the end of a level; both are on the ground.
func (c *coinrun) coin(level uint64) int {
	if level == c.trainLevels {
		return c.coinColumn
	}
	return c.end(level)
}

func (c *coinrun) end(level uint64) int { return c.columns(level) - 1 }

// on reports whether a place is on the ground of a column, or jumping just off it.
func (c *coinrun) on(p place, x int) bool {
	if p.x != x {
		return false
	}
	ground, _ := c.column(p.level, x)
	return p.y == ground
}

// standing returns the place on the ground of a column.
func (c *coinrun) standing(level uint64, x int) state {
	ground, _ := c.column(level, x)
	return place{level: level, x: x, y: ground}.pack()
}

func (c *coinrun) parts() uint64           { return c.trainLevels + 1 }
func (c *coinrun) start(part uint64) state { return c.standing(part, startColumn) }

// land returns a place on the ground.
func (c *coinrun) land(part, roll uint64) state {
	x := int(roll % uint64(c.columns(part)))
	if ground, _ := c.column(part, x); ground == 0 {
		x &^= segmentColumns - 1
	}
	return c.standing(part, x)
}

func (c *coinrun) actions() []string { return []string{"left", "right", "stand", "jump"} }

func (c *coinrun) moves(s state) uint64 {
	p := s.place()
	switch {
	case p.y == 0 || c.on(p, c.coin(p.level)):
		return 0
	case c.grounded(p):
		return 1<<leftMove | 1<<rightMove | 1<<standMove | 1<<jumpMove
	}
	return 1<<leftMove | 1<<rightMove | 1<<standMove
}

func (c *coinrun) grounded(p place) bool { return p.phase == 0 && c.solid(p.level, p.x, p.y-1) }

func (c *coinrun) outcomes(s state, action int, row []outcome) []outcome {
	p := s.place()
	way := 0
	switch action {
	case leftMove:
		way = -1
	case rightMove:
		way = 1
	case jumpMove:
		p.phase = jumpHeight
	}
	if way == 0 || c.slip == 0 || !c.grounded(p) {
		return add(row, c.step(p, way, 1), 1)
	}
	row = add(row, c.step(p, way, 1), 1-c.slip)
	row = add(row, c.step(p, way, 0), c.slip/2)
	return add(row, c.step(p, way, 2), c.slip/2)
}

// step returns the place one time step later, after a move of some cells in a direction.
func (c *coinrun) step(p place, way, cells int) state {
	for range cells {
		if !c.solid(p.level, p.x+way, p.y) {
			p.x += way
		}
	}
	switch {
	case p.phase > 0 && !c.solid(p.level, p.x, p.y+1):
		p.y++
		p.phase--
	case c.solid(p.level, p.x, p.y-1):
		p.phase = 0
	default:
		p.y--
		p.phase = 0
	}
	return p.pack()
}

func (c *coinrun) features() features {
	holdsCoin := func(p place) bool { return c.on(p, c.coin(p.level)) }
	return features{
		variables: []sparse.Variable{
			sparse.IntRange("level", 0, int64(c.trainLevels)),
			sparse.IntRange("x", 0, int64(c.newColumns-1)),
			sparse.IntRange("y", 0, 15),
			sparse.IntRange("phase", 0, jumpHeight),
		},
		values: func(s state, dst []uint64) {
			p := s.place()
			dst[0], dst[1], dst[2], dst[3] = p.level, uint64(p.x), uint64(p.y), uint64(p.phase)
		},
		labels: []string{"coin", "end", "gap"},
		holds: func(s state, label int) bool {
			p := s.place()
			switch label {
			case 0:
				return holdsCoin(p)
			case 1:
				return c.on(p, c.end(p.level))
			}
			return p.y == 0
		},
		reward: "coin",
		earns: func(s state) float64 {
			if holdsCoin(s.place()) {
				return 1
			}
			return 0
		},
	}
}
