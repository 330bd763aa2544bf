// Package gym reads and writes the transition tables P of Gymnasium's toy-text environments, dumped
// as JSON:
//
//	{"0": {"0": [[0.5, 0, 0.0, false], [0.5, 1, 1.0, true]]}, "1": {"0": [[1.0, 1, 0, true]]}}
//
// that is, for each state and each action a list of outcomes: probability, next state, reward, and
// whether the episode is done then (true and false, or 1 and 0).
//
// What the table says, and what is lost:
//   - Done means that what would come after the next state does not count. When every outcome that
//     leads to a state from elsewhere is done, that state itself is terminal: its choices are
//     dropped, with their rewards. So is a state that has nothing but done self-loops. Any other
//     state S into which an outcome is done gets a terminal twin, "S done", that this outcome leads
//     to instead; twins follow the states of the table, and states then have names.
//   - A state whose row is empty, {}, is terminal.
//   - Rewards of outcomes become those of their choice, Σ probability·reward, under the name reward.
//     The writer puts the reward of a choice on all its outcomes.
//   - States whose keys are 0 to n-1 in any order are numbered so and have no names; otherwise
//     states have their keys as names, and their order. Keys of actions are names of actions;
//     choices without names get their position as key.
//   - Outcomes of probability 0 are left out.
//   - There are no initial states and no labels: both are lost, and so is the name of the reward.
package gym

const (
	rewardName = "reward"
	twinSuffix = " done"
)
