package recurrence

import (
	"context"
	"math"
	"slices"

	"offswitch/sparse"
)

// area is the part of the model within some distance of the start, written out as a model of its
// own. Its states are numbered by position, nearest to the start first, which is at 0. The position behind
// them stands for all that is too far: to bound values from above it has choices to be, in one
// step, wherever one can come back; to bound them from below it is worth nothing. Choices that
// may lead out of the states that policies must stay among are left out, and a choice all of whose
// branches lead to one state has one branch, of probability 1. 8 bytes a state, choice and branch
// with as many again for the states before.
type area struct {
	ctx      context.Context // when it ends, the area is not made to the end
	m        *sparse.MDP
	gamma    float64
	states   []uint32 // by position
	position []uint32 // by state; None outside
	level    []uint32 // by distance, the first position that far; one more entry at the end
	complete bool     // nothing was left out for being too far

	rows
	before Predecessors

	// What one backup does to an error, and the most that rounding adds to it in one: it is at most
	// γ·Σp, and each of its roundings at most a unit of that; the last term is more than any underflow.
	modulus, rounding float64
}

// rows are choices and branches by state.
type rows struct {
	choiceStart []uint32 // by state
	branchStart []uint32 // by choice
	target      []uint32 // by branch
	probability []float64
}

// best returns the greatest Σ p·value over the choices of a state, 0 without any.
func (r *rows) best(value []float64, state uint32) float64 {
	best := 0.0
	ends := r.branchStart[r.choiceStart[state] : r.choiceStart[state+1]+1]
	from := ends[0]
	for _, to := range ends[1:] {
		sum := 0.0
		weights := r.probability[from:to]
		for i, t := range r.target[from:to] {
			sum += weights[i] * value[t]
		}
		if sum > best {
			best = sum
		}
		from = to
	}
	return best
}

// everywhere is a depth that no state is beyond.
const everywhere = None - 2

// newArea returns an empty area.
func newArea(ctx context.Context, m *sparse.MDP, gamma float64) *area {
	a := &area{ctx: ctx, m: m, position: make([]uint32, m.NumStates())}
	for s := range a.position {
		a.position[s] = None
	}
	a.discount(gamma)
	return a
}

// discount sets the discount.
func (a *area) discount(gamma float64) {
	a.gamma = gamma
	a.modulus = gamma * (1 + a.m.RowExcess()) * (1 + 0x1p-50)
	a.rounding = float64(a.m.MaxBranches()+4)*0x1p-53*a.modulus + 0x1p-1000
}

// spread makes it what policies that stay inside reach from the start in at most depth steps, and returns
// it. before are the predecessors in the model. When the context ends, what it is then is worthless.
func (a *area) spread(before *Predecessors, inside sparse.Bitset, start, depth uint32) *area {
	m := a.m
	for _, s := range a.states {
		a.position[s] = None
	}
	a.complete = true
	a.position[start] = 0
	a.states, a.level = append(a.states[:0], start), append(a.level[:0], 0, 1)
	for uint32(len(a.level)) <= depth+1 && a.ctx.Err() == nil {
		from, to := a.level[len(a.level)-2], a.level[len(a.level)-1]
		for at := from; at < to; at++ {
			if at%checkEvery == 0 && a.ctx.Err() != nil {
				break
			}
			lo, hi := m.Choices(a.states[at])
			for c := lo; c < hi; c++ {
				if !stays(m.Targets(c), inside) {
					continue
				}
				for _, t := range m.Targets(c) {
					if a.position[t] == None {
						a.position[t] = uint32(len(a.states))
						a.states = append(a.states, t)
					}
				}
			}
		}
		if to == uint32(len(a.states)) {
			break
		}
		a.level = append(a.level, uint32(len(a.states)))
	}
	if a.ctx.Err() != nil {
		a.complete = false
		return a
	}
	a.write(inside)
	if a.ctx.Err() != nil {
		return a
	}
	if !a.complete {
		a.writeReturns(before, inside)
	}
	a.choiceStart = append(a.choiceStart, uint32(len(a.branchStart)-1))
	a.before.transpose(a.ctx, a.graph(), 1, new(scratch))
	return a
}

// stays reports whether all targets are inside.
func stays(targets []uint32, inside sparse.Bitset) bool {
	for _, t := range targets {
		if !inside.Has(t) {
			return false
		}
	}
	return true
}

func (a *area) write(inside sparse.Bitset) {
	m := a.m
	choices, branches := 0, 0
	a.eachRow(inside, func(c uint32) {
		choices++
		branches += len(m.Targets(c))
	}, func() {})
	a.choiceStart = append(make([]uint32, 0, len(a.states)+2), 0)
	a.branchStart = append(make([]uint32, 0, choices+1), 0)
	a.target, a.probability = make([]uint32, 0, branches), make([]float64, 0, branches)
	a.eachRow(inside, func(c uint32) {
		targets, probabilities := m.Targets(c), m.Probabilities(c)
		if m.Certain(c) {
			targets = targets[:1]
		}
		for i, t := range targets {
			if t = a.position[t]; t == None {
				t = uint32(len(a.states))
				a.complete = false
			}
			p := probabilities[i]
			if len(targets) == 1 {
				p = 1
			}
			a.target, a.probability = append(a.target, t), append(a.probability, p)
		}
		a.branchStart = append(a.branchStart, uint32(len(a.target)))
	}, func() { a.choiceStart = append(a.choiceStart, uint32(len(a.branchStart)-1)) })
}

// writeReturns writes the choices of what is too far.
func (a *area) writeReturns(before *Predecessors, inside sparse.Bitset) {
	outside := func(s uint32) bool { return a.position[s] == None && inside.Has(s) }
	for at, s := range a.states {
		if slices.ContainsFunc(before.Of(s), outside) {
			a.target, a.probability = append(a.target, uint32(at)), append(a.probability, 1)
			a.branchStart = append(a.branchStart, uint32(len(a.target)))
		}
	}
}

// eachRow calls choice for each choice that the area has, and state at the end of each state.
func (a *area) eachRow(inside sparse.Bitset, choice func(c uint32), state func()) {
	for at, s := range a.states {
		if at%checkEvery == 0 && a.ctx.Err() != nil {
			return
		}
		lo, hi := a.m.Choices(s)
		for c := lo; c < hi; c++ {
			if stays(a.m.Targets(c), inside) {
				choice(c)
			}
		}
		state()
	}
}

func (a *area) graph() graph { return graph{a.choiceStart, a.branchStart, a.target} }

// size returns the number of states, which is also the position of what is too far.
func (a *area) size() uint32 { return uint32(len(a.states)) }

// distances returns the distance from the start of each position, None of what is too far.
func (a *area) distances() []uint32 {
	d := make([]uint32, a.size()+1)
	d[a.size()] = None
	for k := range uint32(len(a.level) - 1) {
		for at := a.level[k]; at < a.level[k+1]; at++ {
			d[at] = k
		}
	}
	return d
}

// drift returns by how much rounding may have moved values away from the side of the solution on
// which they were begun, however many backups there were.
func (a *area) drift() float64 {
	if !a.contracts() {
		return 1
	}
	return a.rounding / (1 - a.modulus) * (1 + 0x1p-50)
}

// least returns an upper bound of what being some steps away from a goal is worth.
func (a *area) least(steps uint32) float64 {
	return math.Pow(a.modulus, float64(steps)) * (1 + 0x1p-40)
}

// contracts reports whether a backup brings values closer together in spite of rows that exceed 1.
func (a *area) contracts() bool { return a.modulus < 1 }
