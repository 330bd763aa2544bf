package lp

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// reward is a θ whose entries are float64 but for a few fractions.
type reward struct {
	values []float64           // len NumStates
	exact  map[uint32]*big.Rat // entries that no float64 denotes; values holds the nearest
}

// at returns the exact reward of a state.
func (r *reward) at(s uint32) *big.Rat {
	if x := r.exact[s]; x != nil {
		return x
	}
	return rational(r.values[s])
}

// same reports whether two states have the same reward.
func (r *reward) same(s, t uint32) bool {
	if r.exact[s] == nil && r.exact[t] == nil {
		return r.values[s] == r.values[t]
	}
	return r.at(s).Cmp(r.at(t)) == 0
}

func rational(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }

func (r *reward) set(s uint32, x *big.Rat) {
	var exact bool
	if r.values[s], exact = x.Float64(); exact {
		delete(r.exact, s)
		return
	}
	if r.exact == nil {
		r.exact = make(map[uint32]*big.Rat)
	}
	r.exact[s] = x
}

// breaks says how the reward breaks the box, a tie of labels or a constraint, exactly, or returns
// the empty string.
func (r *reward) breaks(g *GoalSet, states []uint32) string {
	lower, upper := g.box()
	least, greatest := rational(lower), rational(upper)
	ties, none := check.Ties(g.Model, g.Constraints, g.Features, states)
	for _, s := range states {
		if none != sparse.None && ties[s] == none {
			if r.values[s] != 0 || r.exact[s] != nil && r.exact[s].Sign() != 0 {
				return fmt.Sprintf("the reward %v of state %s, which has no features, is not 0", r.values[s], g.Model.StateName(s))
			}
			continue
		}
		inside := lower <= r.values[s] && r.values[s] <= upper
		if x := r.exact[s]; x != nil {
			inside = x.Cmp(least) >= 0 && x.Cmp(greatest) <= 0
		}
		if !inside {
			why := fmt.Sprintf("the reward %v of state %s is not in [%v,%v]", r.values[s], g.Model.StateName(s), lower, upper)
			if greatest := slices.Max(r.values); lower == 0 && upper > 0 && slices.Min(r.values) >= 0 {
				why += fmt.Sprintf("; all rewards divided by %v are, and choices compare as before", greatest/upper)
			}
			return why
		}
		if ties != nil && ties[s] != s && !r.same(s, ties[s]) {
			return fmt.Sprintf("states %s and %s have different rewards, but a constraint names a label that ties them, or they have the same features",
				g.Model.StateName(ties[s]), g.Model.StateName(s))
		}
	}
	for i := range g.Constraints {
		if v := g.Constraints[i].Value(r.at); !g.Constraints[i].Met(v) {
			off, _ := v.Float64()
			return fmt.Sprintf("the constraint %s is off by %.3g", g.Constraints[i].Text, math.Abs(off))
		}
	}
	return ""
}

// keys returns numbers that are equal where the rewards of states are, 0 for reward 0.
func (r *reward) keys() []uint64 {
	keys := make([]uint64, len(r.values))
	for s, x := range r.values {
		if x != 0 { // -0 too
			keys[s] = math.Float64bits(x)
		}
	}
	number := make(map[string]uint64)
	for s, x := range r.exact {
		text := x.RatString()
		if _, ok := number[text]; !ok {
			number[text] = math.Float64bits(math.NaN()) + uint64(len(number))
		}
		keys[s] = number[text]
	}
	return keys
}

// fractions returns the exact entries as a certificate carries them.
func (r *reward) fractions() []check.ExactTheta {
	var out []check.ExactTheta
	for s, x := range r.exact {
		out = append(out, check.ExactTheta{State: s, Value: x.String()})
	}
	slices.SortFunc(out, func(a, b check.ExactTheta) int { return cmp.Compare(a.State, b.State) })
	return out
}

// equationRows is how many constraints are taken for equations; elimination is cubic.
const equationRows = 200

// equation says that coefficients times rewards, plus rest, is 0, exactly; it is a combination of constraints.
type equation struct {
	coefficient map[uint32]*big.Rat // by root; a handful
	rest        *big.Rat
	of          map[int]*big.Rat // multipliers of constraints
	pivot       uint32           // the state that it is solved for, once it is, None for none
}

// equation returns a constraint taken for an equation.
func (g *GoalSet) equation(i int, ties []uint32, none uint32) equation {
	c := &g.Constraints[i]
	x := equation{make(map[uint32]*big.Rat), new(big.Rat), map[int]*big.Rat{i: big.NewRat(1, 1)}, sparse.None}
	for _, k := range c.Constants {
		x.rest.Add(x.rest, rational(k))
	}
	for _, t := range c.Terms {
		s := root(ties, t.State)
		if s == none {
			continue // its reward is 0
		}
		if x.coefficient[s] == nil {
			x.coefficient[s] = new(big.Rat)
		}
		x.coefficient[s].Add(x.coefficient[s], rational(t.Coefficient))
	}
	return x
}

// eliminate solves each equation for one reward, preferably one with room, and eliminates it from the others.
func eliminate(rows []equation, room func(s uint32) float64) {
	for i := range rows {
		x := &rows[i]
		for s, c := range x.coefficient {
			if c.Sign() != 0 && (x.pivot == sparse.None || room(s) > room(x.pivot) || room(s) == room(x.pivot) && s < x.pivot) {
				x.pivot = s
			}
		}
		if x.pivot == sparse.None {
			continue
		}
		x.scale(new(big.Rat).Inv(x.coefficient[x.pivot]))
		for j := range rows {
			if f := rows[j].coefficient[x.pivot]; j != i && f != nil && f.Sign() != 0 {
				rows[j].subtract(x, new(big.Rat).Set(f))
			}
		}
	}
}

func (x *equation) scale(factor *big.Rat) {
	for _, c := range x.coefficient {
		c.Mul(c, factor)
	}
	for _, y := range x.of {
		y.Mul(y, factor)
	}
	x.rest.Mul(x.rest, factor)
}

func (x *equation) subtract(y *equation, factor *big.Rat) {
	for s, c := range y.coefficient {
		subtractFrom(x.coefficient, s, c, factor)
	}
	for i, c := range y.of {
		subtractFrom(x.of, i, c, factor)
	}
	x.rest.Sub(x.rest, new(big.Rat).Mul(factor, y.rest))
}

// subtractFrom subtracts a multiple of c from an entry.
func subtractFrom[K comparable](entries map[K]*big.Rat, at K, c, factor *big.Rat) {
	if entries[at] == nil {
		entries[at] = new(big.Rat)
	}
	entries[at].Sub(entries[at], new(big.Rat).Mul(factor, c))
}

// clashing returns multipliers of the constraints that make nothing of the rewards of equations which contradict one
// another; nil where none do. The contradiction is slight where rounding each number to a float64 may make it.
func (g *GoalSet) clashing(states []uint32) (y []float64, slight bool) {
	ties, none := check.Ties(g.Model, g.Constraints, g.Features, states)
	var rows []equation
	for i := range g.Constraints {
		if g.Constraints[i].Sense == check.Equal && len(rows) < equationRows {
			rows = append(rows, g.equation(i, ties, none))
		}
	}
	eliminate(rows, func(uint32) float64 { return 0 })
	for _, x := range rows {
		if x.pivot != sparse.None || x.rest.Sign() == 0 {
			continue
		}
		slight = new(big.Rat).Abs(x.rest).Cmp(g.roundingOf(&x)) <= 0
		if y != nil && slight {
			continue
		}
		y = make([]float64, len(g.Constraints))
		whole := big.NewInt(int64(-x.rest.Sign()))
		for _, c := range x.of { // whole numbers are float64 if they are not large
			whole.Mul(whole, new(big.Int).Quo(c.Denom(), new(big.Int).GCD(nil, nil, new(big.Int).Abs(whole), c.Denom())))
		}
		for i, c := range x.of {
			y[i], _ = new(big.Rat).Mul(c, new(big.Rat).SetInt(whole)).Float64()
		}
		if !slight {
			return y, false
		}
	}
	return y, slight
}

// roundingOf returns by how much a combination of constraints is off at most if each of their numbers is off by half a
// unit in the last place.
func (g *GoalSet) roundingOf(x *equation) *big.Rat {
	lower, upper := g.box()
	widest := max(math.Abs(lower), math.Abs(upper))
	sum := new(big.Rat)
	for i, y := range x.of {
		size := 0.0
		for _, k := range g.Constraints[i].Constants {
			size += math.Abs(k)
		}
		for _, t := range g.Constraints[i].Terms {
			size += math.Abs(t.Coefficient) * widest
		}
		sum.Add(sum, new(big.Rat).Abs(new(big.Rat).Mul(y, rational(size*0x1p-53*(1+0x1p-40)))))
	}
	return sum
}

// repair moves a reward that meets the constraints but for rounding to one that meets them
// exactly: equations, broken inequalities, and inequalities closer than slack to being equations become
// a system of exact equations, solved for one reward each, preferably one far inside the box. The
// result may still be wrong; the caller checks.
func (r *reward) repair(g *GoalSet, slack float64) {
	states := g.matter(g.Relevant())
	ties, none := check.Ties(g.Model, g.Constraints, g.Features, states)
	var rows []equation
	for i := range g.Constraints {
		c := &g.Constraints[i]
		value := c.Value(r.at)
		off, _ := value.Float64()
		if c.Met(value) && c.Sense != check.Equal && math.Abs(off) >= slack || len(rows) == equationRows {
			continue
		}
		rows = append(rows, g.equation(i, ties, none))
	}
	lower, upper := g.box()
	eliminate(rows, func(s uint32) float64 { return min(r.values[s]-lower, upper-r.values[s]) })
	solved := make(map[uint32]*big.Rat)
	for _, x := range rows {
		if x.pivot == sparse.None {
			continue
		}
		sum := new(big.Rat).Neg(x.rest)
		for s, c := range x.coefficient {
			if s != x.pivot {
				sum.Sub(sum, new(big.Rat).Mul(c, r.at(s)))
			}
		}
		solved[x.pivot] = sum
	}
	for s, x := range solved {
		r.set(s, x)
	}
	if ties == nil {
		return
	}
	for _, s := range states {
		if x := solved[ties[s]]; x != nil && ties[s] != s {
			r.set(s, x)
		}
	}
}
