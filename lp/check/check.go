package check

import (
	"encoding/hex"
	"fmt"
	"math"
	"math/big"

	"offswitch/sparse"
)

// MaxViolations is how many violations Check lists; it counts the others.
const MaxViolations = 100

// ExactBranches is the greatest number of branches in the region on which open inequalities are
// decided with math/big. A branch counts once for each case of a proof by cases.
const ExactBranches = 1 << 16

// exactTotal bounds the length of all different exact rewards together: denominators multiply when
// fractions are added.
const exactTotal = 1 << 13

// Violation is one reason why a certificate does not prove its answer.
type Violation struct {
	Rule  string // short name of what is violated: schema, model, question, theta, box, constraint, tie, values, pair, choice, class, cases, farkas, more
	Text  string // what, where, and by how much
	Count int    // how many it stands for: 1, and of the rule more all those that are not listed
}

func (v Violation) String() string { return v.Rule + ": " + v.Text }

// Check returns every violation of a certificate, the first MaxViolations of them in full. None
// means that the certificate's answer to its question is proved for this model; see the package
// comment for the proof. A violation means only that it is not proved. Any certificate is safe to
// check. O(states + branches) time, for each case of a proof by cases O(states) more, and about 40 bytes a
// state; the exact arithmetic of what stays open costs about a thousand times as much a branch.
func Check(m *sparse.MDP, c *Certificate) []Violation {
	k := &checker{m: m, c: c}
	k.check()
	if k.more > 0 {
		k.found = append(k.found, Violation{"more", fmt.Sprintf("%d more violations", k.more), k.more})
	}
	return k.found
}

type checker struct {
	m     *sparse.MDP
	c     *Certificate
	found []Violation
	more  int

	constraints []Constraint
	features    []Feature
	ties        []uint32 // see Ties
	none        uint32   // see Ties
	train       sparse.Bitset
	taken       []uint32      // choice of each state of S_train, None where terminal; None elsewhere
	weak        sparse.Bitset // choices that need no margin
	relevant    sparse.Bitset // R
	states      []uint32      // R and the states that constraints mention, increasing
	position    []uint32      // of each state in states
	branches    int           // in R
	modulus     float64       // β, an upper bound of γ·Σp
	exactTheta  map[uint32]*big.Rat
}

func (k *checker) fail(rule, format string, args ...any) {
	if k.enough() {
		return
	}
	k.found = append(k.found, Violation{rule, fmt.Sprintf(format, args...), 1})
}

// enough reports whether a violation need not be described any more, and then counts it.
func (k *checker) enough() bool {
	if len(k.found) < MaxViolations {
		return false
	}
	k.more++
	return true
}

func (k *checker) check() {
	c := k.c
	if c.Schema != Schema {
		k.fail("schema", "%q, want %q", c.Schema, Schema)
	}
	if hash := k.m.Hash(); c.Model != hex.EncodeToString(hash[:]) {
		k.fail("model", "the certificate is about model %.16s…, this one is %x…", c.Model, hash[:8])
	}
	if len(k.found) > 0 {
		return
	}
	k.question()
	if len(k.found) > 0 {
		return
	}
	k.region()
	if len(k.found) > 0 {
		return
	}
	switch c.Kind {
	case Infeasible:
		k.infeasible()
	case MemberNo:
		k.memberNo()
	case MemberYes, Feasible, MemberTie:
		k.memberYes()
	default:
		k.fail("schema", "unknown kind %q", c.Kind)
	}
}

// question checks that the question makes sense for the model.
func (k *checker) question() {
	q, n := &k.c.Question, uint32(k.m.NumStates())
	if !(q.Discount >= 0 && q.Discount < 1) {
		k.fail("question", "discount %v is not in [0,1)", q.Discount)
	}
	if !(q.Margin >= 0) || !finite(q.Margin) {
		k.fail("question", "margin %v is not a finite number of at least 0", q.Margin)
	}
	if !finite(q.Lower) || !finite(q.Upper) || q.Lower > q.Upper {
		k.fail("question", "the box [%v,%v] is not one", q.Lower, q.Upper)
	}
	k.train = sparse.NewBitset(int(n))
	k.taken = make([]uint32, n)
	for s := range k.taken {
		k.taken[s] = sparse.None
	}
	if len(q.Policy) != len(q.Train) {
		k.fail("question", "%d taken choices for the %d states of S_train", len(q.Policy), len(q.Train))
		return
	}
	for i, s := range q.Train {
		if s >= n || i > 0 && q.Train[i-1] >= s {
			k.fail("question", "state #%d of S_train is out of range or out of order", s)
			continue
		}
		k.train.Set(s)
		lo, hi := k.m.Choices(s)
		switch taken := q.Policy[i]; {
		case lo == hi && taken != -1:
			k.fail("question", "%s is terminal, but choice %d is said to be taken there", k.name(s), taken)
		case lo < hi && (taken < int64(lo) || taken >= int64(hi)):
			k.fail("question", "choice %d is not one of %s, which has %d..%d", taken, k.name(s), lo, hi-1)
		case lo < hi:
			k.taken[s] = uint32(taken)
		}
	}
	k.weak = sparse.NewBitset(k.m.NumChoices())
	for i, a := range q.Weak {
		if a >= uint32(k.m.NumChoices()) || i > 0 && q.Weak[i-1] >= a {
			k.fail("question", "weak choice %d is out of range or out of order", a)
			continue
		}
		k.weak.Set(a)
	}
	for _, text := range q.Constraints {
		x, err := ParseConstraint(k.m, text)
		if err != nil {
			k.fail("question", "%v", err)
			continue
		}
		k.constraints = append(k.constraints, x)
	}
	for _, name := range q.Features {
		x, err := ParseFeature(k.m, name)
		if err != nil {
			k.fail("question", "%v", err)
			continue
		}
		k.features = append(k.features, x)
	}
}

// region finds R, the states that matter, and β.
func (k *checker) region() {
	k.relevant = k.train.Clone()
	queue := append([]uint32(nil), k.c.Question.Train...) // its order is near that of an explored model's states
	sum, certain := 1.0, k.m.Deterministic()
	for head := 0; head < len(queue); head++ {
		successors := k.m.Successors(queue[head])
		k.branches += len(successors)
		for _, t := range successors {
			if !k.relevant.Has(t) {
				k.relevant.Set(t)
				queue = append(queue, t)
			}
		}
		if certain { // all probabilities are 1
			continue
		}
		lo, hi := k.m.Choices(queue[head])
		for a := lo; a < hi; a++ {
			row := point(0)
			for _, p := range k.m.Probabilities(a) {
				row = row.add(point(p))
			}
			sum = max(sum, row.hi())
		}
	}
	if k.modulus = point(sum).times(k.c.Question.Discount).hi(); !(k.modulus < 1) {
		k.fail("question", "discount %v times probabilities that sum to %v is not below 1", k.c.Question.Discount, sum)
	}
	matter := k.relevant.Clone()
	for i := range k.constraints {
		for _, t := range k.constraints[i].Terms {
			matter.Set(t.State)
			for w, word := range t.Label {
				matter[w] |= word
			}
		}
	}
	k.position = make([]uint32, k.m.NumStates())
	for s := range matter.All() {
		k.position[s] = uint32(len(k.states))
		k.states = append(k.states, s)
	}
	k.ties, k.none = Ties(k.m, k.constraints, k.features, k.states)
}

// reward checks that θ is given, and exactly, at every state that matters.
func (k *checker) reward() bool {
	c := k.c
	if len(c.States) != len(k.states) || len(c.Theta) != len(k.states) {
		k.fail("theta", "%d states with %d rewards, want the %d states that matter", len(c.States), len(c.Theta), len(k.states))
		return false
	}
	for i, s := range k.states {
		if c.States[i] != s {
			k.fail("theta", "state #%d stands where #%d is expected", c.States[i], s)
		}
		if !finite(c.Theta[i]) {
			k.fail("theta", "%s: %v is not a finite number", k.name(s), c.Theta[i])
		}
	}
	if len(k.found) > 0 {
		return false
	}
	k.exactTheta = make(map[uint32]*big.Rat, len(c.Exact))
	distinct, length := make(map[string]bool), 0
	for _, e := range c.Exact {
		if !distinct[e.Value] {
			distinct[e.Value] = true
			length += len(e.Value)
		}
		if length > exactTotal {
			k.fail("theta", "the exact rewards take more than %d characters", exactTotal)
			return false
		}
		x, err := parseExact(e.Value)
		if err != nil {
			k.fail("theta", "state #%d: %v", e.State, err)
			continue
		}
		if e.State >= uint32(len(k.position)) || !k.matters(e.State) || k.exactTheta[e.State] != nil {
			k.fail("theta", "an exact reward for state #%d is not expected or stands twice", e.State)
			continue
		}
		k.exactTheta[e.State] = x
		b := k.theta(e.State)
		if off := new(big.Rat).Sub(x, rat(b.x)); !finite(b.e) || off.Abs(off).Cmp(rat(b.e)) > 0 {
			k.fail("theta", "%s: %s is not next to %v", k.name(e.State), e.Value, c.Theta[k.position[e.State]])
		}
	}
	return len(k.found) == 0
}

// margin returns the margin that an untaken choice of S_train needs.
func (k *checker) margin(choice uint32) float64 {
	if k.weak.Has(choice) {
		return 0
	}
	return k.c.Question.Margin
}

func (k *checker) matters(s uint32) bool {
	i := k.position[s]
	return int(i) < len(k.states) && k.states[i] == s
}

// theta returns bounds of the reward of a state that matters.
func (k *checker) theta(s uint32) interval {
	x := k.c.Theta[k.position[s]]
	if k.exactTheta[s] != nil {
		return interval{x, max(above(x)-x, x-below(x))}
	}
	return point(x)
}

// thetaExact returns the reward of a state that matters.
func (k *checker) thetaExact(s uint32) *big.Rat {
	if x := k.exactTheta[s]; x != nil {
		return x
	}
	return rat(k.c.Theta[k.position[s]])
}

// zero reports whether the reward of a state that matters is 0 for want of features.
func (k *checker) zero(s uint32) bool { return k.none != sparse.None && k.ties[s] == k.none }

func (k *checker) sameTheta(s, t uint32) bool {
	if k.exactTheta[s] == nil && k.exactTheta[t] == nil {
		return k.c.Theta[k.position[s]] == k.c.Theta[k.position[t]]
	}
	return k.thetaExact(s).Cmp(k.thetaExact(t)) == 0
}

// allowed reports how θ breaks the box, the constraints, and the ties of labels, all exactly, by
// calling broken.
func (k *checker) allowed(broken func(rule, format string, args ...any)) {
	q := &k.c.Question
	lower, upper := rat(q.Lower), rat(q.Upper)
	for i, s := range k.states {
		outside := !(k.c.Theta[i] >= q.Lower && k.c.Theta[i] <= q.Upper)
		if x := k.exactTheta[s]; x != nil {
			outside = x.Cmp(lower) < 0 || x.Cmp(upper) > 0
		}
		if k.zero(s) {
			if k.c.Theta[i] != 0 || k.exactTheta[s] != nil && k.exactTheta[s].Sign() != 0 {
				broken("tie", "%s: reward %v, want 0 where a state has no features", k.name(s), k.c.Theta[i])
			}
			continue
		}
		if outside {
			broken("box", "%s: reward %v is not in [%v,%v]", k.name(s), k.c.Theta[i], q.Lower, q.Upper)
		}
		if k.ties != nil && !k.sameTheta(s, k.ties[s]) {
			broken("tie", "%s and %s have different rewards, but a label that a constraint names, or equal features, tie them", k.name(s), k.name(k.ties[s]))
		}
	}
	for i := range k.constraints {
		x := &k.constraints[i]
		if v := x.Value(k.thetaExact); !x.Met(v) {
			f, _ := v.Float64()
			broken("constraint", "%s is off by %.3g", x.Text, math.Abs(f))
		}
	}
}

func (k *checker) memberNo() {
	if !k.reward() {
		return
	}
	if k.c.Pair == nil {
		wrong := 0
		k.allowed(func(string, string, ...any) { wrong++ })
		if wrong == 0 {
			k.fail("pair", "no pair of choices is given, and the reward meets the box and the constraints")
		}
		return
	}
	p := *k.c.Pair
	if p.State >= uint32(k.m.NumStates()) || !k.train.Has(p.State) {
		k.fail("pair", "state #%d is not in S_train", p.State)
		return
	}
	lo, hi := k.m.Choices(p.State)
	if p.Taken != k.taken[p.State] || p.Untaken < lo || p.Untaken >= hi || p.Untaken == p.Taken {
		k.fail("pair", "%s: choices %d and %d are not the taken one and an untaken one", k.name(p.State), p.Taken, p.Untaken)
		return
	}
	v := k.newValues()
	if v == nil {
		return
	}
	eps := k.margin(p.Untaken)
	if eps > 0 && k.sameRow(p.Taken, p.Untaken, k.byTarget) || v.gapBelow(p.Taken, p.Untaken, eps) {
		return
	}
	k.fail("pair", "%s: choice %s is not proved to miss the margin %v against choice %s: value difference %s, error bound %.3g",
		k.name(p.State), k.m.ActionName(p.Taken), eps, k.m.ActionName(p.Untaken), v.gap(p.Taken, p.Untaken), v.slack)
}

func (k *checker) memberYes() {
	if !k.reward() {
		return
	}
	k.allowed(k.fail)
	v := k.newValues()
	if v == nil {
		return
	}
	tolerance := 0.0
	if k.c.Kind == MemberTie {
		if tolerance = k.c.Tolerance; !(tolerance >= 0) || !finite(tolerance) {
			k.fail("schema", "tolerance %v is not a finite number of at least 0", tolerance)
			return
		}
	}
	need := func(choice uint32) float64 { return point(k.margin(choice)).sub(point(tolerance)).hi() }
	open := v.open(k.train, func(s uint32) uint32 { return k.taken[s] }, need, k.byTarget)
	if len(open) == 0 {
		return
	}
	found, more := k.found, k.more
	optimal := k.classes(v)
	settled := true
	for _, p := range open {
		eps := need(p.Untaken)
		if optimal && eps <= 0 && k.sameRow(p.Taken, p.Untaken, k.byClass) || v.exactlyAtLeast(p.Taken, p.Untaken, eps) {
			continue
		}
		if settled = false; k.enough() {
			continue
		}
		k.fail("choice", "%s: choice %s is not proved better than choice %s by %v: value difference %s, error bound %.3g",
			k.name(p.State), k.m.ActionName(p.Taken), k.m.ActionName(p.Untaken), eps, v.gap(p.Taken, p.Untaken), v.slack)
	}
	if settled { // what is wrong with the classes does not matter
		k.found, k.more = found, more
	}
}

func (k *checker) name(s uint32) string {
	name := k.m.StateName(s)
	if number := fmt.Sprintf("#%d", k.m.Original(s)); name != number {
		return fmt.Sprintf("state %s (%s)", name, number)
	}
	return "state " + name
}
