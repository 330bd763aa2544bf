package umb

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// index is index.json.
type index struct {
	Version     *uint32     `json:"format-version"`
	Revision    *uint32     `json:"format-revision"`
	FileData    *fileData   `json:"file-data,omitempty"`
	System      *system     `json:"transition-system"`
	Annotations annotations `json:"annotations,omitzero"`
	Valuations  *valuations `json:"valuations,omitempty"`
}

type fileData struct {
	Tool string `json:"tool"`
}

// system is the transition system: what kind it is and how many of everything it has.
type system struct {
	Time            string     `json:"time"`
	Players         *uint64    `json:"#players"`
	States          *uint64    `json:"#states"`
	InitialStates   *uint64    `json:"#initial-states"`
	Choices         *uint64    `json:"#choices"`
	ChoiceActions   *uint64    `json:"#choice-actions"`
	Branches        *uint64    `json:"#branches"`
	BranchActions   *uint64    `json:"#branch-actions"`
	Observations    *uint64    `json:"#observations"`
	ProbabilityType *valueType `json:"branch-probability-type,omitempty"`
}

// valueType is the type of the values of an array. Size is in bits; absent it is the default of
// the type.
type valueType struct {
	Type string  `json:"type"`
	Size *uint64 `json:"size,omitempty"`
}

// UnmarshalJSON tells the dialect before 1.0, where a type was a string, from mere nonsense.
func (t *valueType) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return fmt.Errorf("a type is the string %s, want an object: the file is of a dialect before UMB 1.0", data)
	}
	type plain valueType
	return json.Unmarshal(data, (*plain)(t))
}

// bits returns the size, which is no more than 64 for the types that this package reads.
func (t *valueType) bits() uint64 {
	switch {
	case t.Size != nil:
		return *t.Size
	case t.Type == "bool":
		return 1
	}
	return 64
}

func (t *valueType) String() string { return fmt.Sprintf("%s of %d bits", t.Type, t.bits()) }

// annotations are the groups of annotations that are read; others are dropped.
type annotations struct {
	Rewards      group `json:"rewards,omitzero"`
	Propositions group `json:"aps,omitzero"`
}

// IsZero reports whether there is nothing to write.
func (a annotations) IsZero() bool { return a.Rewards.IsZero() && a.Propositions.IsZero() }

type annotation struct {
	Alias         *string    `json:"alias,omitempty"`
	AppliesTo     []string   `json:"applies-to"`
	Type          valueType  `json:"type"`
	Probabilities *valueType `json:"probability-type,omitempty"`
}

// group is a group of annotations by id. Unlike a map it keeps their order, which is the order of
// the model's labels and rewards.
type group struct {
	ids    []string
	values []annotation
}

func (g group) IsZero() bool { return len(g.ids) == 0 }

// UnmarshalJSON reads an object. It fails on an id that stands twice.
func (g *group) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("a group of annotations is %.20s, want an object", data)
	}
	seen := make(map[string]bool)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return err
		}
		id := t.(string)
		if seen[id] {
			return fmt.Errorf("annotation %q stands twice", id)
		}
		seen[id] = true
		var a annotation
		if err := d.Decode(&a); err != nil {
			return fmt.Errorf("annotation %q: %w", id, err)
		}
		g.ids, g.values = append(g.ids, id), append(g.values, a)
	}
	return nil
}

// MarshalJSON writes an object in the group's order.
func (g group) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, id := range g.ids {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(id)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(&g.values[i])
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// name returns what the model calls annotation i.
func (g *group) name(i int) string {
	if alias := g.values[i].Alias; alias != nil {
		return *alias
	}
	return g.ids[i]
}

type valuations struct {
	States *valuationInfo `json:"states,omitempty"`
}

type valuationInfo struct {
	Unique  bool    `json:"unique"`
	Strings *uint64 `json:"#strings,omitempty"`
	Classes []class `json:"classes"`
}

type class struct {
	Variables []variable `json:"variables"`
}

// variable is a variable of a valuation, or padding.
type variable struct {
	Padding  uint64     `json:"padding,omitempty"`
	Name     string     `json:"name,omitempty"`
	Optional bool       `json:"is-optional,omitempty"`
	Type     *valueType `json:"type,omitempty"`
	Offset   *int64     `json:"offset,omitempty"`
}

// parseIndex reads index.json and checks that the model is one that this package can read.
func parseIndex(data []byte) (*index, error) {
	x := new(index)
	if err := json.Unmarshal(data, x); err != nil {
		return nil, err
	}
	if x.Version == nil {
		return nil, fmt.Errorf("format-version is missing")
	}
	if *x.Version != formatVersion {
		return nil, fmt.Errorf("format-version is %d, want %d", *x.Version, formatVersion)
	}
	if x.System == nil {
		return nil, fmt.Errorf("transition-system is missing")
	}
	if err := x.System.check(); err != nil {
		return nil, err
	}
	return x, nil
}

// check refuses what is not a discrete-time model of at most one player with double
// probabilities, and counts beyond what a model can have.
func (s *system) check() error {
	counts := []struct {
		name  string
		value *uint64
	}{
		{"#players", s.Players}, {"#states", s.States}, {"#initial-states", s.InitialStates},
		{"#choices", s.Choices}, {"#choice-actions", s.ChoiceActions}, {"#branches", s.Branches},
		{"#branch-actions", s.BranchActions}, {"#observations", s.Observations},
	}
	for _, c := range counts {
		if c.value == nil {
			return fmt.Errorf("%s is missing", c.name)
		}
		if *c.value >= limit {
			return fmt.Errorf("%s is %d, more than the limit of %d", c.name, *c.value, uint32(limit-1))
		}
	}
	if err := s.checkKind(); err != nil {
		return err
	}
	switch {
	case *s.States == 0:
		return fmt.Errorf("#states is 0, want at least 1")
	case *s.InitialStates > *s.States:
		return fmt.Errorf("#initial-states is %d, but #states is %d", *s.InitialStates, *s.States)
	case *s.Branches < *s.Choices:
		return fmt.Errorf("#branches is %d, want at least one for each of the %d choices", *s.Branches, *s.Choices)
	case *s.Players == 0 && *s.Choices != *s.States:
		return fmt.Errorf("#players is 0 (a Markov chain) and #choices is %d, want one for each of the %d states", *s.Choices, *s.States)
	}
	return nil
}

func (s *system) checkKind() error {
	switch {
	case s.Time == "stochastic":
		return fmt.Errorf("time is stochastic: a model in continuous time (CTMC or CTMDP), want discrete")
	case s.Time == "urgent-stochastic":
		return fmt.Errorf("time is urgent-stochastic: a Markov automaton, want discrete")
	case s.Time != "discrete":
		return fmt.Errorf("time is %q, want discrete", s.Time)
	case *s.Players > 1:
		return fmt.Errorf("#players is %d: a game, want at most one player", *s.Players)
	case *s.Observations > 0:
		return fmt.Errorf("#observations is %d: a partially observable model, want none", *s.Observations)
	case s.ProbabilityType == nil && *s.Branches > 0:
		return fmt.Errorf("branch-probability-type is missing: a model without probabilities (LTS), want double")
	case s.ProbabilityType == nil:
		return nil
	}
	switch t := s.ProbabilityType; {
	case t.Type == "double-interval" || t.Type == "rational-interval":
		return fmt.Errorf("branch-probability-type is %s: a model with interval probabilities, want double", t.Type)
	case t.Type == "rational":
		return fmt.Errorf("branch-probability-type is rational: a model with exact probabilities, want double")
	case t.Type != "double" || t.bits() != 64:
		return fmt.Errorf("branch-probability-type is %v, want double of 64 bits", t)
	}
	return nil
}
