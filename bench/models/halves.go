package models

import (
	"math"

	"offswitch/sparse"
)

// Halves returns a square like Field with slips, of which a line down the middle parts the left half
// from the right one: a move that slips stays on its side. So a policy that does not mean to cross
// stays in its half, which is what a training set has to do.
func Halves(states int) *sparse.MDP {
	side := uint32(math.Round(math.Sqrt(float64(states))))
	w := newWriter(int(side*side), 4, 12)
	for s := range side * side {
		around := neighbours(s, side)
		slip := func(direction int) uint32 {
			to := around[direction%4]
			if (s%side < side/2) != (to%side < side/2) {
				return s
			}
			return to
		}
		for i, to := range around {
			w.choice(to, slip(i+1), slip(i+3))
		}
		w.next()
	}
	return w.model(side*side - 1)
}

// LeftHalf reports whether a state of a model of Halves belongs to the left half.
func LeftHalf(m *sparse.MDP, state uint32) bool {
	side := uint32(math.Round(math.Sqrt(float64(m.NumStates()))))
	return state%side < side/2
}
