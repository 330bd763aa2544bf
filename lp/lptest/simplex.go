package lptest

import "math/big"

// AtMost is a condition A·x ≤ B.
type AtMost struct {
	A []*big.Rat
	B *big.Rat
}

// NewAtMost returns the condition on n variables that 0 is at most 0.
func NewAtMost(n int) AtMost {
	c := AtMost{make([]*big.Rat, n), new(big.Rat)}
	for j := range c.A {
		c.A[j] = new(big.Rat)
	}
	return c
}

// Negated returns the condition A·x ≥ B.
func (c AtMost) Negated() AtMost {
	d := NewAtMost(len(c.A))
	for j, x := range c.A {
		d.A[j].Neg(x)
	}
	d.B.Neg(c.B)
	return d
}

// Optimum returns the greatest cost·x over all x ≥ 0 that meet some conditions, nil if none does; it panics where there
// is no greatest. It is the simplex method with Bland's rule, at first from the dual side until x meets all.
func Optimum(conditions []AtMost, cost []*big.Rat) *big.Rat {
	t := newTableau(conditions, cost)
	for {
		i, j := t.broken()
		if i < 0 {
			break
		}
		if j < 0 {
			return nil
		}
		t.pivot(i, j)
	}
	for {
		i, j := t.better()
		if j < 0 {
			return t.rows[len(conditions)][len(cost)]
		}
		if i < 0 {
			panic("lptest: Optimum of a program without bounds")
		}
		t.pivot(i, j)
	}
}

// tableau has a row for each basic variable, which is row[last] - Σ row[j]·nonbasic[j], and in the end one for the cost.
type tableau struct {
	rows            [][]*big.Rat
	basic, nonbasic []int
}

func newTableau(conditions []AtMost, cost []*big.Rat) *tableau {
	t := new(tableau)
	for j := range cost {
		t.nonbasic = append(t.nonbasic, j)
	}
	for i, c := range conditions {
		t.basic = append(t.basic, len(cost)+i)
		row := NewAtMost(len(cost) + 1).A
		for j, x := range c.A {
			row[j].Set(x)
		}
		row[len(cost)].Set(c.B)
		t.rows = append(t.rows, row)
	}
	last := NewAtMost(len(cost) + 1).A
	for j, x := range cost {
		last[j].Neg(x)
	}
	t.rows = append(t.rows, last)
	return t
}

// broken returns a basic variable below 0 and a nonbasic one that can mend that, negative where there is none.
func (t *tableau) broken() (i, j int) {
	i = t.first(t.basic, func(i int) bool { return t.rows[i][len(t.nonbasic)].Sign() < 0 })
	if i < 0 {
		return -1, -1
	}
	return i, t.first(t.nonbasic, func(j int) bool { return t.rows[i][j].Sign() < 0 })
}

// better returns a nonbasic variable that the cost grows with, and the basic one that bounds it.
func (t *tableau) better() (i, j int) {
	j = t.first(t.nonbasic, func(j int) bool { return t.rows[len(t.basic)][j].Sign() < 0 })
	if j < 0 {
		return -1, -1
	}
	i = -1
	var least *big.Rat
	for k, row := range t.rows[:len(t.basic)] {
		if row[j].Sign() <= 0 {
			continue
		}
		ratio := new(big.Rat).Quo(row[len(t.nonbasic)], row[j])
		if i < 0 || ratio.Cmp(least) < 0 || ratio.Cmp(least) == 0 && t.basic[k] < t.basic[i] {
			i, least = k, ratio
		}
	}
	return i, j
}

// first returns the place of the first variable that is such, -1 where none is.
func (t *tableau) first(variables []int, such func(place int) bool) int {
	found := -1
	for place, x := range variables {
		if (found < 0 || x < variables[found]) && such(place) {
			found = place
		}
	}
	return found
}

// pivot exchanges a basic and a nonbasic variable.
func (t *tableau) pivot(i, j int) {
	row := t.rows[i]
	inverse := new(big.Rat).Inv(row[j])
	row[j] = big.NewRat(1, 1)
	for _, x := range row {
		x.Mul(x, inverse)
	}
	product := new(big.Rat)
	for k, other := range t.rows {
		factor := other[j]
		if k == i || factor.Sign() == 0 {
			continue
		}
		other[j] = new(big.Rat)
		for l, x := range row {
			if x.Sign() != 0 {
				other[l].Sub(other[l], product.Mul(factor, x))
			}
		}
	}
	t.basic[i], t.nonbasic[j] = t.nonbasic[j], t.basic[i]
}
