// Package recurrence finds what comes back in a Markov decision process: reachable states with
// witness paths, strongly connected components, maximal end components, almost-sure reachability,
// distances, visit counts and critical discounts.
//
// A state is recurrent in the sense of Krakovna & Kramar (Definition 8: some policy returns to it
// with probability 1) exactly when it lies in a maximal end component. Visit counts (Definition 9)
// and critical discounts (Proposition 3) are decided by Visits, each state separately: exactly
// where the environment is deterministic, by certified bounds where it is not.
//
// A Structure answers the questions about transitions alone, in memory that it can use again. All
// algorithms are iterative, over flat arrays, and linear in states and branches unless they say
// otherwise. A state set given as a sparse.Bitset has one bit for each state of the model.
package recurrence

import "offswitch/sparse"

// None stands for "no state", "no component" and "not reached".
const None = sparse.None
