package bench

import (
	"math/bits"

	"offswitch/sparse"
)

// state is a packed state: bit 63 is set in the off state alone, bits 36 to 62 are the part, and
// bits 0 to 35 are the family's.
type state uint64

const (
	partShift       = 36
	offBit    state = 1 << 63
)

// pack returns the state of a part with the family's own bits.
func pack(part, own uint64) state { return state(part<<partShift | own) }

func (s state) part() uint64 { return uint64(s&^offBit) >> partShift }
func (s state) own() uint64  { return uint64(s) & (1<<partShift - 1) }

type outcome = sparse.Outcome[state]

// add adds a branch to a row, which holds one choice's branches only. Branches to one state become
// one branch, and a branch of probability 0 is left out.
func add(row []outcome, s state, p float64) []outcome {
	if p == 0 {
		return row
	}
	for i := range row {
		if row[i].State == s {
			row[i].Probability += p
			return row
		}
	}
	return append(row, outcome{State: s, Probability: p})
}

// world is what a family says of its environments; environment adds the rest. A world consists of
// parts that no move connects: the last is the new situation, the others are for training. The
// methods are pure functions.
type world interface {
	// parts returns the number of parts, at least 2.
	parts() uint64
	// start returns the state in which a part begins; in the new situation that is s_new.
	start(part uint64) state
	// land returns the state of a part that a roll of the dice picks.
	land(part, roll uint64) state
	// actions returns the action names.
	actions() []string
	// moves returns the actions available in a state, as bits; none: the state is terminal.
	moves(s state) uint64
	// outcomes appends the branches of an action available in a state to row.
	outcomes(s state, action int, row []outcome) []outcome
	// features says what to note of the states.
	features() features
}

// features are a family's own annotations.
type features struct {
	variables []sparse.Variable
	values    func(s state, dst []uint64) // as sparse.Annotations.Values
	labels    []string
	holds     func(s state, label int) bool
	reward    string
	earns     func(s state) float64
}

// environment is a world with its off switch and its leaks.
type environment struct {
	world
	switched state // s_new
	names    []string
	shutdown int // the number of that action; the next one is leak
	leak     float64
	dice     dice
}

func newEnvironment(w world, o Options) *environment {
	e := &environment{world: w, leak: o.Leak, dice: newDice(o.Seed, "leak")}
	e.switched = w.start(w.parts() - 1)
	e.shutdown = len(w.actions())
	e.names = append(w.actions(), "shutdown")
	if o.Leak > 0 {
		e.names = append(e.names, "leak")
	}
	return e
}

// Start implements sparse.Environment.
func (e *environment) Start() []state {
	var starts []state
	for part := range e.parts() {
		starts = append(starts, e.start(part))
	}
	return starts
}

// Actions implements sparse.Environment.
func (e *environment) Actions() []string { return e.names }

// available returns the actions available in a state, as bits.
func (e *environment) available(s state) uint64 {
	if s&offBit != 0 {
		return 0
	}
	moves := e.moves(s)
	if moves == 0 {
		return 0
	}
	if s == e.switched {
		moves |= 1 << e.shutdown
	}
	if e.leak > 0 && fraction(e.dice.roll(uint64(s))) < e.leak {
		moves |= 2 << e.shutdown
	}
	return moves
}

// Choices implements sparse.Environment.
func (e *environment) Choices(s state, dst []int) []int {
	for moves := e.available(s); moves != 0; moves &= moves - 1 {
		dst = append(dst, bits.TrailingZeros64(moves))
	}
	return dst
}

// Distribution implements sparse.Environment.
func (e *environment) Distribution(s state, i int, dst []outcome) []outcome {
	moves := e.available(s)
	for range i {
		moves &= moves - 1
	}
	switch action := bits.TrailingZeros64(moves); action {
	case e.shutdown:
		return append(dst, outcome{State: s | offBit, Probability: 1})
	case e.shutdown + 1:
		return append(dst, outcome{State: e.other(s), Probability: 1})
	default:
		return append(dst, e.outcomes(s, action, dst[len(dst):])...)
	}
}

// other returns the state to which the leak of a state leads.
func (e *environment) other(s state) state {
	roll := mix(e.dice.roll(uint64(s)))
	fresh := e.parts() - 1
	if s.part() != fresh {
		return e.land(fresh, roll)
	}
	return e.land(roll%fresh, mix(roll))
}

// notes returns the world's features together with what every model carries.
func (e *environment) notes() sparse.Annotations[state] {
	f := e.features()
	common := []string{"train", "new", "off", "terminal"}
	last := len(f.variables)
	return sparse.Annotations[state]{
		Variables: append(f.variables, sparse.Variable{Name: "off", Type: sparse.BoolVariable, Bits: 1}),
		Values: func(s state, dst []uint64) {
			f.values(s&^offBit, dst[:last])
			dst[last] = uint64(s >> 63)
		},
		Labels: append(common, f.labels...),
		Holds: func(s state, label int) bool {
			off := s&offBit != 0
			switch label {
			case 0:
				return s != e.switched && !off && s == e.start(s.part())
			case 1:
				return s == e.switched
			case 2:
				return off
			case 3:
				return off || e.moves(s) == 0
			}
			return !off && f.holds(s, label-len(common))
		},
		Rewards: []string{f.reward},
		Earns: func(s state, _ int) float64 {
			if s&offBit != 0 {
				return 0
			}
			return f.earns(s)
		},
	}
}
