// Package models holds models that benchmarks and tests of the algorithms need beside the shutdown
// settings of package bench: public models that others have published numbers for, plain fields, and
// adversarial structures, which are as hard on the algorithms as anything we know.
//
// Each model carries the label goal and the reward goal, 1 in the states with that label and 0 in
// all others. State 0 is the initial state, and every state can be reached from it.
package models

import (
	"context"
	"fmt"
	"math"

	"offswitch/sparse"
)

// Family is a kind of model.
type Family struct {
	Name    string
	Summary string // one line
	// Explored tells models made by sparse.Explore from those written down as arrays.
	Explored bool
	// Make returns the family's model that is nearest in size to a number of states, at least 100.
	// Sizes of philosophers and coin are a factor of about 10 apart, and rooms has at least 16,384
	// states; all others come within 10%.
	Make func(states int) *sparse.MDP
	// Most is the size beyond which the best algorithm we have takes minutes; 0: none.
	Most int
}

// Families returns all families, in a fixed order.
func Families() []Family {
	return []Family{
		{"philosophers", "PRISM's dining philosophers without fairness: one component", true, philosophersOf, 0},
		{"coin", "PRISM's randomised consensus coin: end components at the very end only", true, coinOf, 0},
		{"field", "an open square, row by row, with four certain moves", false, func(n int) *sparse.MDP { return Field(n, false) }, 0},
		{"slipfield", "the same with moves that slip: twelve branches a state", false, func(n int) *sparse.MDP { return Field(n, true) }, 0},
		{"rooms", "64 rooms with trapdoors to the next one, where blocks of each room fall apart", false, roomsOf, 0},
		{"peel", "a line of end components that come loose one by one", false, Peel, 0},
		{"comb", "the same with √n components, where each that goes harms all the others", false, Comb, 1_000_000},
		{"hub", "end components around a state with a choice for each, which it loses one by one", false, Hub, 0},
		{"tiny", "end components of ten states, each left for a later one", false, Tiny, 0},
		{"traps", "a binary tree with a trap at every node; nothing else is an end component", false, Traps, 0},
	}
}

// explore makes the model of an environment that has a goal.
func explore(env sparse.Environment[uint64], goal func(state uint64) bool) *sparse.MDP {
	m, err := sparse.Explore(context.Background(), env, sparse.Annotations[uint64]{
		Labels: []string{"goal"}, Holds: func(s uint64, _ int) bool { return goal(s) },
		Rewards: []string{"goal"}, Earns: func(s uint64, _ int) float64 {
			if goal(s) {
				return 1
			}
			return 0
		},
	}, sparse.ExploreOptions{})
	if err != nil {
		panic(fmt.Sprintf("models: %v", err))
	}
	return m
}

// nearest returns the position of the size nearest to n, by ratio.
func nearest(sizes []int, n int) int {
	best, least := 0, math.Inf(1)
	for i, size := range sizes {
		if off := math.Abs(math.Log(float64(size) / float64(n))); off < least {
			best, least = i, off
		}
	}
	return best
}
