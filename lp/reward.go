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

// repairRows is how many constraints repair takes on; its elimination is cubic.
const repairRows = 200

// repair moves a reward that meets the constraints but for rounding to one that meets them
// exactly: equations, broken inequalities, and inequalities closer than slack to being equations become
// a system of exact equations, solved for one reward each, preferably one far inside the box. The
// result may still be wrong; the caller checks.
func (r *reward) repair(g *GoalSet, slack float64) {
	states := g.matter(g.Relevant())
	ties, none := check.Ties(g.Model, g.Constraints, g.Features, states)
	type row struct {
		coefficient map[uint32]*big.Rat // by root; a handful
		rest        *big.Rat            // Σ coefficient·θ + rest = 0
	}
	var rows []row
	for i := range g.Constraints {
		c := &g.Constraints[i]
		value := c.Value(r.at)
		off, _ := value.Float64()
		if c.Met(value) && c.Sense != check.Equal && math.Abs(off) >= slack || len(rows) == repairRows {
			continue
		}
		x := row{make(map[uint32]*big.Rat), new(big.Rat)}
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
		rows = append(rows, x)
	}
	lower, upper := g.box()
	room := func(s uint32) float64 { return min(r.values[s]-lower, upper-r.values[s]) }
	pivots := make([]uint32, len(rows))
	for i, x := range rows {
		pivot := uint32(sparse.None)
		for s, c := range x.coefficient {
			if c.Sign() != 0 && (pivot == sparse.None || room(s) > room(pivot) || room(s) == room(pivot) && s < pivot) {
				pivot = s
			}
		}
		pivots[i] = pivot
		if pivot == sparse.None {
			continue
		}
		scale := new(big.Rat).Inv(x.coefficient[pivot])
		for s := range x.coefficient {
			x.coefficient[s].Mul(x.coefficient[s], scale)
		}
		x.rest.Mul(x.rest, scale)
		for j, y := range rows {
			f := y.coefficient[pivot]
			if j == i || f == nil || f.Sign() == 0 {
				continue
			}
			f = new(big.Rat).Set(f)
			for s, c := range x.coefficient {
				if y.coefficient[s] == nil {
					y.coefficient[s] = new(big.Rat)
				}
				y.coefficient[s].Sub(y.coefficient[s], new(big.Rat).Mul(f, c))
			}
			y.rest.Sub(y.rest, new(big.Rat).Mul(f, x.rest))
		}
	}
	solved := make(map[uint32]*big.Rat)
	for i, x := range rows {
		if pivots[i] == sparse.None {
			continue
		}
		sum := new(big.Rat).Neg(x.rest)
		for s, c := range x.coefficient {
			if s != pivots[i] {
				sum.Sub(sum, new(big.Rat).Mul(c, r.at(s)))
			}
		}
		solved[pivots[i]] = sum
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
