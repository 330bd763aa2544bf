package check

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"

	"offswitch/sparse"
)

// Schema is the version of the certificate format.
const Schema = "offswitch.certificate/3"

// Kind says what a certificate proves.
type Kind string

// The kinds.
const (
	MemberYes  Kind = "member-yes" // this θ belongs to the goal set
	MemberNo   Kind = "member-no"  // this θ does not
	MemberTie  Kind = "member-tie" // this θ would, with the margin smaller by the tolerance, possibly below 0
	Feasible   Kind = "feasible"   // the goal set is not empty: this θ belongs to it
	Infeasible Kind = "infeasible" // the goal set is empty
)

// Certificate is a question about a goal set, its answer, and what proves the answer; see Write for
// its file. States and choices are numbers of the model.
type Certificate struct {
	Schema   string   `json:"schema"`
	Kind     Kind     `json:"kind"`
	Model    string   `json:"model"` // hexadecimal sparse.MDP.Hash; names and labels are looked up in the model at hand
	Question Question `json:"question"`

	// All kinds but infeasible: the reward, at the states that matter, which are those reachable
	// from S_train by any choices and those that constraints mention, in increasing order.
	States []uint32     `json:"-"`
	Theta  []float64    `json:"-"`
	Exact  []ExactTheta `json:"exact,omitempty"` // rewards that no float64 denotes; Theta holds a neighbour
	Values []float64    `json:"-"`               // close to V*, parallel to States; ignored where only constraints matter

	// Kind member-no: the choices of a state of S_train; absent when θ breaks the box or a constraint.
	Pair *Pair `json:"pair,omitempty"`

	// Kind member-tie: by how much the margin may be missed.
	Tolerance float64 `json:"tolerance,omitempty"`

	// Kinds member-yes and feasible, where exact ties need it, parallel to States: the policy σ, -1
	// where terminal or irrelevant, and the classes of equal value, 0 for value 0.
	Sigma   []int64  `json:"-"`
	Classes []uint32 `json:"-"`

	// Kind infeasible: the proof, or, where it takes several cases, the proof of each of them.
	Multipliers `json:"-"`
	Cases       []Case `json:"cases,omitempty"` // MaxCases at most
}

// Multipliers are those of the rows of choices, of terminal states, and of the constraints (one for
// each). Rows not listed have multiplier 0.
type Multipliers struct {
	Choices     []uint32  `json:"choices,omitempty"`
	ChoiceY     []float64 `json:"choice_y,omitempty"`
	Terminals   []uint32  `json:"terminals,omitempty"`
	TerminalY   []float64 `json:"terminal_y,omitempty"`
	ConstraintY []float64 `json:"constraint_y,omitempty"`
}

// Case is a case of a proof by cases: what no reward does at which these choices are best in their states.
// Cases that have the first choices in common follow one another; then comes, in order, each choice of one
// more state.
type Case struct {
	Best []uint32 `json:"best"` // choices of states outside S_train that S_train reaches, MaxBest at most
	Multipliers
}

// MaxCases is how many cases a proof may take, and MaxBest how many choices one may assume to be best.
const MaxCases, MaxBest = 1 << 10, 64

// Question is what a certificate answers.
type Question struct {
	Discount    float64  `json:"discount"`
	Train       []uint32 `json:"-"` // S_train, increasing
	Policy      []int64  `json:"-"` // taken choice of each, -1 where terminal
	Margin      float64  `json:"margin"`
	Weak        []uint32 `json:"-"` // untaken choices of S_train that need no margin, increasing
	Lower       float64  `json:"lower"`
	Upper       float64  `json:"upper"`
	Constraints []string `json:"constraints,omitempty"`
	Features    []string `json:"features,omitempty"` // rewards depend on these alone, and are 0 where a state has none
}

// ExactTheta is the exact reward of a state as a fraction p/q.
type ExactTheta struct {
	State uint32 `json:"state"`
	Value string `json:"value"`
}

// Pair is a taken and an untaken choice of a state.
type Pair struct {
	State   uint32 `json:"state"`
	Taken   uint32 `json:"taken"`
	Untaken uint32 `json:"untaken"`
}

// New returns a certificate of a kind for a model and a question, still without its proof.
// It hashes the model, O(states + branches).
func New(m *sparse.MDP, kind Kind, q Question) *Certificate {
	hash := m.Hash()
	return &Certificate{Schema: Schema, Kind: kind, Model: hex.EncodeToString(hash[:]), Question: q}
}

// exactLimit bounds the length of a fraction, so that a short file cannot ask for a huge number.
const exactLimit = 1 << 12

// parseExact reads a fraction p/q of decimal digits.
func parseExact(text string) (*big.Rat, error) {
	if len(text) > exactLimit {
		return nil, fmt.Errorf("fraction of %d characters, want at most %d", len(text), exactLimit)
	}
	for _, c := range text {
		if !(c >= '0' && c <= '9' || c == '/' || c == '-') {
			return nil, fmt.Errorf("%q is not a fraction p/q", text)
		}
	}
	x, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, fmt.Errorf("%q is not a fraction p/q", text)
	}
	return x, nil
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
