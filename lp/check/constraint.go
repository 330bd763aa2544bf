package check

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"

	"offswitch/sparse"
)

// Sense is the relation of a constraint.
type Sense uint8

// The relations.
const (
	AtLeast Sense = iota // ≥
	AtMost               // ≤
	Equal                // =
)

func (s Sense) String() string { return [...]string{">=", "<=", "=="}[s] }

// Constraint is a linear condition on θ: the terms plus the constants, each a float64 taken as
// the real number it denotes and none of them added up yet, stand in relation Sense to 0.
type Constraint struct {
	Text      string // as written; what a certificate carries
	Sense     Sense
	Terms     []Term
	Constants []float64
}

// Term is a coefficient times the reward of one state, or the common reward of a label's states.
type Term struct {
	Coefficient float64
	State       uint32        // the state; for a label its first state
	Label       sparse.Bitset // the states of the label, nil for a state
	Name        string        // of the state or label
}

// Feature is a label or a state on which rewards may depend: with features, states that have the same
// ones have the same reward, and states that have none have reward 0.
type Feature = Term

// ParseFeature returns the feature of a name: that of a state or a label, as r[NAME] has it in ParseConstraint.
func ParseFeature(m *sparse.MDP, name string) (Feature, error) {
	t, err := lookup(m, name)
	if err != nil {
		return t, fmt.Errorf("feature %q: %w", name, err)
	}
	t.Name = name
	return t, nil
}

// Value returns terms plus constants exactly, given the exact reward of a state. A label counts by
// its first state; that its states agree is a condition of its own (see Ties).
func (c *Constraint) Value(theta func(state uint32) *big.Rat) *big.Rat {
	sum := new(big.Rat)
	for _, k := range c.Constants {
		sum.Add(sum, rat(k))
	}
	for _, t := range c.Terms {
		sum.Add(sum, new(big.Rat).Mul(rat(t.Coefficient), theta(t.State)))
	}
	return sum
}

// Met reports whether the value of a constraint, from Value, is as its relation wants.
func (c *Constraint) Met(value *big.Rat) bool {
	switch c.Sense {
	case AtLeast:
		return value.Sign() >= 0
	case AtMost:
		return value.Sign() <= 0
	}
	return value.Sign() == 0
}

func rat(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }

// Ties returns for each of the given states, which are in increasing order, the least of them that has the
// same reward by the constraints and features, and what stands for those whose reward is 0 for want of
// a feature, None where there are no features. Mentioning a label in a constraint makes the rewards of its
// states equal, and labels that overlap are tied together. With features, states that have the
// same ones have the same reward. root is len NumStates, and nil when no constraint mentions a label and
// there are no features; then every state stands for itself. O(states of labels and features), and 8 bytes
// a state.
func Ties(m *sparse.MDP, constraints []Constraint, features []Feature, states []uint32) (root []uint32, none uint32) {
	none = sparse.None
	if len(features) > 0 {
		root = alike(m.NumStates(), features)
		if r := root[m.NumStates()]; int(r) < m.NumStates() {
			none = r
		}
		root = root[:m.NumStates()]
	}
	for i := range constraints {
		for _, t := range constraints[i].Terms {
			if t.Label == nil {
				continue
			}
			if root == nil {
				root = make([]uint32, m.NumStates())
				for s := range root {
					root[s] = uint32(s)
				}
			}
			for s := range t.Label.All() {
				a, b := find(root, t.State), find(root, s)
				root[max(a, b)] = min(a, b)
			}
		}
	}
	if root == nil {
		return nil, none
	}
	for s := range root {
		root[s] = find(root, uint32(s))
	}
	least := make([]uint32, len(root)) // of the given states in each group, plus 1
	for _, s := range states {
		if least[root[s]] == 0 {
			least[root[s]] = s + 1
		}
	}
	if none != sparse.None {
		none = least[find(root, none)] - 1
	}
	for _, s := range states {
		root[s] = least[root[s]] - 1
	}
	return root, none
}

// alike returns for each of n states, and for one more that has no features, the least of these that has
// the same features, that one more being the least of its own kind.
func alike(n int, features []Feature) []uint32 {
	class, classes := make([]uint32, n+1), uint32(1)
	for _, f := range features {
		split := make(map[uint32]uint32) // those with the feature, of each class
		with := func(s uint32) {
			c, ok := split[class[s]]
			if !ok {
				c = classes
				split[class[s]] = c
				classes++
			}
			class[s] = c
		}
		if f.Label == nil {
			with(f.State)
			continue
		}
		for s := range f.Label.All() {
			with(s)
		}
	}
	first := make([]uint32, classes)
	for s := n; s >= 0; s-- {
		first[class[s]] = uint32(s)
	}
	for s, c := range class {
		class[s] = first[c]
	}
	return class
}

// find returns the root of s, halving the path to it.
func find(root []uint32, s uint32) uint32 {
	for root[s] != s {
		root[s] = root[root[s]]
		s = root[s]
	}
	return s
}

// ParseConstraint reads a linear constraint on θ, such as
//
//	r[coin] - r[end] >= 0.1
//	2*r[(x=0,y=3)] + 0.5 r[#12] + 1 <= 3
//	r[label:coin] == r[state:coin]
//
// r[NAME] is the reward of the state of that name, as sparse.FindState knows it, or the common
// reward of the states that carry that label. Where both exist, r[state:NAME] and r[label:NAME]
// say which is meant. A name is anything without ']'. The relation is <=, >=, == or =; numbers are
// decimal and stand for the nearest float64. Errors point at the column, counted in characters
// from 1, and say what was expected there.
func ParseConstraint(m *sparse.MDP, text string) (Constraint, error) {
	p := constraintParser{m: m, text: text, c: Constraint{Text: text}}
	err := p.parse()
	return p.c, err
}

type constraintParser struct {
	m     *sparse.MDP
	text  string
	at    int // next byte
	right bool
	c     Constraint
}

func (p *constraintParser) fail(at int, format string, args ...any) error {
	column := utf8.RuneCountInString(p.text[:at]) + 1
	return fmt.Errorf("constraint %q, column %d: %s", p.text, column, fmt.Sprintf(format, args...))
}

// expected is an error at the next byte.
func (p *constraintParser) expected(what string) error {
	if p.at == len(p.text) {
		return p.fail(p.at, "expected %s, found the end", what)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return p.fail(p.at, "expected %s, found %q", what, r)
}

func (p *constraintParser) space() {
	for p.at < len(p.text) && (p.text[p.at] == ' ' || p.text[p.at] == '\t') {
		p.at++
	}
}

// take skips spaces and then the token, if it is next.
func (p *constraintParser) take(token string) bool {
	p.space()
	if strings.HasPrefix(p.text[p.at:], token) {
		p.at += len(token)
		return true
	}
	return false
}

func (p *constraintParser) parse() error {
	if err := p.side(); err != nil {
		return err
	}
	switch {
	case p.take(">="):
		p.c.Sense = AtLeast
	case p.take("<="):
		p.c.Sense = AtMost
	case p.take("=="), p.take("="):
		p.c.Sense = Equal
	case p.take("<"), p.take(">"):
		p.at--
		return p.fail(p.at, "expected <=, >= or ==; strict relations have no closed goal set")
	default:
		return p.expected("+, - or one of <=, >=, ==")
	}
	p.right = true
	if err := p.side(); err != nil {
		return err
	}
	if p.at != len(p.text) {
		return p.expected("+, - or the end")
	}
	if len(p.c.Terms) == 0 {
		return p.fail(0, "expected at least one reward, r[NAME]")
	}
	return nil
}

// side reads a sum up to what cannot continue it.
func (p *constraintParser) side() error {
	sign := 1.0
	for {
		if p.right {
			sign = -sign
		}
		if err := p.term(sign); err != nil {
			return err
		}
		switch {
		case p.take("+"):
			sign = 1
		case p.take("-"):
			sign = -1
		default:
			return nil
		}
	}
}

// term reads one summand, which may have a sign of its own.
func (p *constraintParser) term(sign float64) error {
	if p.take("-") {
		sign = -sign
	} else {
		p.take("+")
	}
	p.space()
	from := p.at
	number := p.text[from:p.numberEnd()]
	if number == "" {
		return p.reward(sign, "a number or r[NAME]")
	}
	x, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return p.fail(from, "expected a number, found %q, which is malformed or too large", number)
	}
	p.at += len(number)
	if p.take("*") {
		p.space()
		return p.reward(sign*x, "r[NAME] after *")
	}
	if p.space(); p.at < len(p.text) && p.text[p.at] == 'r' {
		return p.reward(sign*x, "r[NAME]")
	}
	p.c.Constants = append(p.c.Constants, sign*x)
	return nil
}

// numberEnd returns where the number that starts here ends: digits, a point, an exponent.
func (p *constraintParser) numberEnd() int {
	i := p.at
	for ; i < len(p.text); i++ {
		c := p.text[i]
		exponentSign := (c == '+' || c == '-') && i > p.at && (p.text[i-1] == 'e' || p.text[i-1] == 'E')
		exponent := (c == 'e' || c == 'E') && i > p.at
		if !(c >= '0' && c <= '9' || c == '.' || exponent || exponentSign) {
			break
		}
	}
	return i
}

func (p *constraintParser) reward(coefficient float64, what string) error {
	if !strings.HasPrefix(p.text[p.at:], "r[") {
		return p.expected(what)
	}
	from := p.at + len("r[")
	length := strings.IndexByte(p.text[from:], ']')
	if length < 0 {
		return p.fail(len(p.text), "expected ] to end the name that starts at column %d", utf8.RuneCountInString(p.text[:from])+1)
	}
	t, err := lookup(p.m, p.text[from:from+length])
	if err != nil {
		return p.fail(from, "%v", err)
	}
	t.Coefficient = coefficient
	p.c.Terms = append(p.c.Terms, t)
	p.at = from + length + 1
	return nil
}

// lookup finds the state or label of a name.
func lookup(m *sparse.MDP, name string) (Term, error) {
	name = strings.TrimSpace(name)
	stateName, onlyState := strings.CutPrefix(name, "state:")
	labelName, onlyLabel := strings.CutPrefix(name, "label:")
	state, missing := m.FindState(stateName)
	label, isLabel := m.Label(labelName)
	isState := missing == nil && !onlyLabel
	isLabel = isLabel && !onlyState
	switch {
	case isState && isLabel:
		return Term{}, fmt.Errorf("%q is both a state and a label: write r[state:%s] or r[label:%s]", name, name, name)
	case isState:
		return Term{State: state, Name: stateName}, nil
	case isLabel:
		if label.First() == sparse.None {
			return Term{}, fmt.Errorf("expected a label with states, but no state carries %q", labelName)
		}
		return Term{State: label.First(), Label: label, Name: labelName}, nil
	case onlyState:
		return Term{}, fmt.Errorf("expected a state: %v", missing)
	case onlyLabel:
		return Term{}, fmt.Errorf("expected a label: no label is called %q%s", labelName, known(m))
	}
	return Term{}, fmt.Errorf("expected a state or a label: %v, and no label is%s", missing, known(m))
}

// known lists the first labels of the model for an error.
func known(m *sparse.MDP) string {
	var names []string
	for _, l := range m.Labels() {
		if len(names) == 8 {
			names = append(names, "…")
			break
		}
		names = append(names, l.Name)
	}
	if names == nil {
		return " (the model has no labels)"
	}
	return " (labels: " + strings.Join(names, ", ") + ")"
}
