package models

import (
	"fmt"

	"offswitch/sparse"
)

// writer takes down a model state by state.
type writer struct {
	parts       sparse.Parts
	probability sparse.FloatsBuilder
}

// newWriter returns a writer for a number of states, with room for as many choices and branches a state.
func newWriter(states, choices, branches int) *writer {
	w := &writer{}
	w.parts.ChoiceStart = append(make([]uint32, 0, states+1), 0)
	w.parts.BranchStart = append(make([]uint32, 0, choices*states+1), 0)
	w.parts.Target = make([]uint32, 0, branches*states)
	w.probability.Expect(branches * states)
	return w
}

// choice gives the state at hand a choice that leads to each of the targets with the same
// probability.
func (w *writer) choice(targets ...uint32) {
	for _, t := range targets {
		w.parts.Target = append(w.parts.Target, t)
		w.probability.Append(1 / float64(len(targets)))
	}
	w.parts.BranchStart = append(w.parts.BranchStart, uint32(len(w.parts.Target)))
}

// next ends the state at hand.
func (w *writer) next() {
	w.parts.ChoiceStart = append(w.parts.ChoiceStart, uint32(len(w.parts.BranchStart)-1))
}

// model returns the model written; its goal is one state.
func (w *writer) model(goal uint32) *sparse.MDP {
	n := len(w.parts.ChoiceStart) - 1
	w.parts.Probability = w.probability.Column()
	w.parts.Initial = sparse.NewBitset(n)
	w.parts.Initial.Set(0)
	goals := sparse.NewBitset(n)
	goals.Set(goal)
	w.parts.Labels = []sparse.Label{{Name: "goal", States: goals}}
	var reward sparse.FloatsBuilder
	reward.Expect(n)
	for s := range uint32(n) {
		reward.Append(float64(either(s == goal, 1, 0)))
	}
	w.parts.Rewards = []sparse.Reward{{Name: "goal", States: reward.Column()}}
	m, err := sparse.New(w.parts)
	if err != nil {
		panic(fmt.Sprintf("models: %v", err))
	}
	return m
}
