package lp

import (
	"offswitch/lp/check"
)

// Verdict is the answer to a question about a goal set.
type Verdict uint8

// The verdicts. All but Undecided are proved: the checker accepted the certificate. Tie says of one reward
// that the taken choices miss the margin by no more than Answer.Tolerance, if at all.
const (
	Undecided Verdict = iota
	Yes
	No
	Tie
)

func (v Verdict) String() string { return [...]string{"undecided", "yes", "no", "tie"}[v] }

// Gap compares the taken choice of a state of S_train with an untaken one: the difference of
// their optimal values Q* lies within Error of Value.
type Gap struct {
	State   uint32
	Taken   uint32
	Untaken uint32
	Value   float64 // Q*(taken) - Q*(untaken), to compare with the margin
	Error   float64 // numerical bound of the error of Value
}

// MaxTies is how many gaps an Answer lists as ties.
const MaxTies = 16

// Answer is the answer to Member or Feasible.
type Answer struct {
	Verdict     Verdict
	Why         string       // one sentence: what decided it, or what is believed and why it is not proved
	Certificate *Certificate // proof of the verdict; nil when undecided

	Closed   bool     // S_train is closed under the policy
	Frontier []uint32 // otherwise: the states outside to which it leads

	// Theta is the reward judged by Member or found by Feasible, len NumStates; nil when none was
	// found. Entries of states that do not matter are 0. Where constraints demand a number that no
	// float64 denotes, the certificate has it exactly, and Theta its neighbour.
	Theta []float64

	// Violated is the pair of choices that proves a No of Member; nil when θ breaks the box or a
	// constraint instead.
	Violated *Gap

	// Ties lists the first MaxTies gaps that the error bound does not tell from the margin, of
	// choices with different distributions, and NumTies counts them all. They make the answer a tie
	// within Tolerance, in units of return, unless they are proved exactly.
	Ties      []Gap
	NumTies   int
	Tolerance float64

	// LeastGap is the smallest gap of an untaken choice of S_train whose distribution is not that
	// of the taken one; +Inf when there is none, NaN when no values were needed. It is as exact as the
	// values are; the certificate is what proves it to reach the margin.
	LeastGap float64

	// Unproved is what the checker found missing in the last certificate tried, when undecided.
	Unproved []check.Violation
}
