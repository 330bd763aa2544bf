// Package prism reads and writes models in PRISM's explicit text files: X.tra (transitions), X.lab
// (labels), X.sta (the values of the variables in each state), X.srew and X.trew (rewards of states
// and of transitions), with the comment lines of newer versions or without.
//
// What the format says, and what is lost:
//   - X.tra of an MDP begins with the numbers of states, choices and transitions, that of a DTMC with
//     those of states and transitions; a DTMC is read as a model with one choice a state. Lines are
//     in order of states and choices.
//   - A state that no line begins with is terminal when read. PRISM itself gives such states a
//     self-loop, so the writer gives a terminal state one choice without a name, a self-loop of
//     probability 1, and puts it under the label terminal. The reader keeps both: to the analysis, a
//     state under that label whose choices are all certain self-loops is terminal.
//   - The writer orders the branches of a choice by target and merges those to the same target.
//   - The label init stands for the initial states. Where there is none of that name, X.tra may name
//     them in lines that begin with -, and otherwise state 0 is initial, as in PRISM.
//   - X.sta becomes the names of the states: variables that hold ints, bools, or, which PRISM itself
//     does not read, strings. States with names of their own are written as values of one
//     variable below the comment # Names.
//   - Rewards of transitions become those of their choice, Σ probability·reward; the writer puts the
//     reward of a choice on all its transitions. The comment # Reward structure "x" names a reward.
//     One without a name is called reward (then reward2, …); two files of different kind at the same
//     position of Input's lists are the same reward unless both have names and these differ.
//   - Names of labels and rewards may hold spaces, which PRISM itself does not read.
package prism

import "io"

// Source is one file to read. Name is what errors call it.
type Source struct {
	Name   string
	Reader io.Reader
}

// Input is the set of files that make up one model; all but Transitions may be left out.
type Input struct {
	Transitions       Source   // X.tra
	Labels            *Source  // X.lab
	States            *Source  // X.sta
	StateRewards      []Source // X.srew, or X1.srew, X2.srew, …: position i pairs with position i
	TransitionRewards []Source // X.trew, or X1.trew, X2.trew, …: of the other list
}

const (
	terminalLabel = "terminal"
	nameVariable  = "name"  // the variable that stands for explicit names, and
	namesComment  = "Names" // the comment that says so
	defaultReward = "reward"
)

// A file may mention fewer states than its header claims, since a terminal state needs no line of
// its own; it may leave out freeStates of them, and statesPerLine more for every line it has.
const (
	freeStates    = 1 << 20
	statesPerLine = 16
)

// maxLabelIndex bounds the numbers of labels in X.lab.
const maxLabelIndex = 1 << 16
