// Package drn reads and writes models in DRN, the explicit text format of the model checker Storm:
// one MDP in one file, its states in order, under each the actions, under those the transitions.
//
//	@type: MDP
//	@reward_models
//	cost
//	@nr_states
//	2
//	@nr_choices
//	2
//	@model
//	state 0 [1] init
//		action go [0.5]
//			0 : 0.25
//			1 : 0.75
//	state 1 [0] goal "far away"
//
// What the format says, and what is lost:
//   - A state without an action is terminal; it counts as one choice in @nr_choices, as in Storm. So
//     is one whose only action has no transitions, which is how Storm writes a deadlock.
//   - The label init stands for the initial states. A label without states is lost, and the order
//     of labels is that of their first states. A DTMC is read as a model with one choice a state.
//   - The action __NOLABEL__ is a choice without a name.
//   - Names of states are comments, //[name], each on the line after its state, where Storm writes
//     the values of the variables. They are read back when every state has one and no two are the
//     same; otherwise the states are read without names. Names of the form (x=0,y=3) come back as
//     values of variables.
//   - A quotient such as 1/3 stands for the nearest float64.
package drn

const (
	unnamedAction = "__NOLABEL__"
	maxRewards    = 256 // reward models in one file
)
