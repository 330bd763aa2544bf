// Package umb reads and writes models in UMB 1.0, the unified Markov binary format: a tar archive
// of index.json, which says what the model is, and of flat little-endian arrays, one a member.
//
// Read accepts what is a Markov decision process with double probabilities: discrete time and one
// player, or none (a Markov chain, whose states get one choice each). It refuses everything else
// by name. Of the annotations it takes the atomic propositions of states (as labels) and the
// rewards of states, choices and branches; propositions of choices and branches, other
// annotations, branch actions, and members that the format does not know are passed over.
//
// Both functions work on the plain tar; the package file beside this one knows about compression.
package umb

import (
	"fmt"

	"offswitch/sparse"
)

const (
	formatVersion  = 1
	formatRevision = 0
)

// Names of the members that are not below a group of annotations.
const (
	indexMember               = "index.json"
	choiceStartMember         = "state-to-choices.bin"
	initialMember             = "state-is-initial.bin"
	branchStartMember         = "choice-to-branches.bin"
	targetMember              = "branch-to-target.bin"
	probabilityMember         = "branch-to-probability.bin"
	actionMember              = "actions/choices/values.bin"
	actionStringsPrefix       = "actions/choices/"
	valuationMember           = "valuations/states/valuations.bin"
	valuationStringsPrefix    = "valuations/states/"
	stringStartSuffix         = "string-mapping.bin"
	stringTextSuffix          = "strings.bin"
	propositionGroup          = "aps"
	rewardGroup               = "rewards"
	states, choices, branches = "states", "choices", "branches"
)

// valuesMember returns the name of the member that holds an annotation's values.
func valuesMember(group, id, entity string) string {
	return fmt.Sprintf("annotations/%s/%s/%s/values.bin", group, id, entity)
}

// textVariable is the string variable in whose place a valuation stands for explicit state names:
// it is the only variable, has 64 bits, and state i has string i.
const textVariable = "name"

// pieceSize is the size of the pieces in which arrays are converted; it is a multiple of 8, and a
// piece and what it becomes fit the second-level cache.
var pieceSize = 256 << 10

// slack is what follows a piece in its buffer.
const slack = 16

// limit is the number of states, choices or branches that a model cannot have.
const limit = sparse.None
