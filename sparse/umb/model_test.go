package umb

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"offswitch/sparse"
)

// randomModel returns a model of 1 to most states: terminal states, self-loops, duplicate branches
// and choices, unreachable parts, no choices at all, one branch a choice or several, one distinct
// probability, a few, or more than 256; labels and rewards with odd names; action names on all,
// some or no choices; state names explicit, by variables of every type, or absent.
func randomModel(rng *rand.Rand, most int) *sparse.MDP {
	n := 1 + rng.IntN(most)
	b := sparse.NewBuilder(n)
	bare, deterministic, smooth := rng.IntN(8) == 0, rng.IntN(4) == 0, rng.IntN(3) == 0
	named := rng.IntN(4)
	for s := range uint32(n) {
		if bare || rng.IntN(6) == 0 {
			continue
		}
		for range 1 + rng.IntN(3) {
			b.AddChoice(s, randomAction(rng, named), randomBranches(rng, n, deterministic, smooth)...)
		}
	}
	for s := range uint32(n) {
		if rng.IntN(9) == 0 {
			b.SetInitial(s)
		}
	}
	addLabels(rng, b, n)
	addRewards(rng, b, n)
	switch rng.IntN(3) {
	case 0:
		for s := range uint32(n) {
			b.Name(s, fmt.Sprintf("s%d%.*s", s, rng.IntN(4), "…é "))
		}
	case 1:
		b.SetNames(randomValuation(rng, n))
	}
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

func randomAction(rng *rand.Rand, named int) string {
	switch {
	case named == 0 || named == 1 && rng.IntN(2) == 0:
		return ""
	case named == 2:
		return fmt.Sprintf("a%d", rng.IntN(400))
	}
	return []string{"left", "right", "grün"}[rng.IntN(3)]
}

func randomBranches(rng *rand.Rand, n int, deterministic, smooth bool) []sparse.Branch {
	target := func() uint32 { return rng.Uint32N(uint32(n)) }
	switch {
	case deterministic || rng.IntN(4) == 0:
		return []sparse.Branch{{Target: target(), Probability: 1}}
	case smooth:
		p := rng.Float64()/2 + 0.1
		return []sparse.Branch{{Target: target(), Probability: p}, {Target: target(), Probability: 1 - p}}
	}
	t := target()
	return []sparse.Branch{{Target: t, Probability: 0.5}, {Target: target(), Probability: 0.25}, {Target: t, Probability: 0.25}}
}

func addLabels(rng *rand.Rand, b *sparse.Builder, n int) {
	for _, name := range []string{"goal", "Goal", "zürich \"x\"", "", "a/b", "GOAL", string(bytes.Repeat([]byte("long"), 40))} {
		if rng.IntN(2) == 0 {
			continue
		}
		b.Label(name)
		for s := range uint32(n) {
			if rng.IntN(3) == 0 {
				b.Label(name, s)
			}
		}
	}
}

func addRewards(rng *rand.Rand, b *sparse.Builder, n int) {
	for _, name := range []string{"steps", "Steps", "r 1", ""} {
		kind := rng.IntN(5)
		if kind == 0 {
			continue
		}
		b.DeclareReward(name)
		for s := range uint32(n) {
			if kind&1 != 0 && rng.IntN(3) > 0 {
				b.StateReward(name, s, rng.NormFloat64())
			}
		}
		for c := range b.NumChoices() {
			if kind&2 != 0 && rng.IntN(3) > 0 {
				b.ChoiceReward(name, c, float64(rng.IntN(7))-3)
			}
		}
	}
}

// randomValuation returns random values of up to nine variables of every type and of odd widths.
func randomValuation(rng *rand.Rand, n int) *sparse.Valuation {
	all := []sparse.Variable{
		sparse.IntRange("x", 0, 6), {Name: "b", Type: sparse.BoolVariable, Bits: 1},
		sparse.IntRange("y", -5, 1000), {Name: "d", Type: sparse.DoubleVariable, Bits: 64},
		{Name: "color", Type: sparse.StringVariable, Bits: 2, Strings: []string{"red", "", "grün"}},
		sparse.IntRange("z", math.MinInt64, math.MaxInt64), {Name: "wide", Type: sparse.BoolVariable, Bits: 3},
		{Name: "name", Type: sparse.StringVariable, Bits: 64, Strings: []string{"one", "two"}},
		sparse.IntRange("w", math.MaxInt64-3, math.MaxInt64),
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	variables := all[:1+rng.IntN(len(all))]
	v, err := sparse.NewValuation(variables)
	if err != nil {
		panic(err)
	}
	stored := make([]uint64, len(variables))
	for range n {
		for i, x := range variables {
			switch stored[i] = rng.Uint64(); x.Type {
			case sparse.DoubleVariable:
				stored[i] = math.Float64bits(rng.NormFloat64())
			case sparse.StringVariable:
				stored[i] %= uint64(len(x.Strings))
			}
		}
		v.Append(stored)
	}
	return v
}

// difference says how two models differ, "" when they are equal: in structure and probability
// bits, initial states, labels and rewards with their order, action names, and state names. An
// empty reward column equals one of zeros.
func difference(a, b *sparse.MDP) string {
	switch {
	case a.NumStates() != b.NumStates() || a.NumChoices() != b.NumChoices() || a.NumBranches() != b.NumBranches():
		return fmt.Sprintf("sizes: %d/%d/%d and %d/%d/%d", a.NumStates(), a.NumChoices(), a.NumBranches(), b.NumStates(), b.NumChoices(), b.NumBranches())
	case a.Hash() != b.Hash():
		return "transitions"
	case !slices.Equal(a.Initial(), b.Initial()):
		return "initial states"
	case len(a.Labels()) != len(b.Labels()):
		return fmt.Sprintf("%d labels and %d", len(a.Labels()), len(b.Labels()))
	case len(a.Rewards()) != len(b.Rewards()):
		return fmt.Sprintf("%d rewards and %d", len(a.Rewards()), len(b.Rewards()))
	case (a.Actions().Len() == 0) != (b.Actions().Len() == 0):
		return fmt.Sprintf("%d actions and %d", a.Actions().Len(), b.Actions().Len())
	case (a.Names() == nil) != (b.Names() == nil):
		return fmt.Sprintf("names %T and %T", a.Names(), b.Names())
	}
	for i, l := range a.Labels() {
		if other := b.Labels()[i]; l.Name != other.Name || !slices.Equal(l.States, other.States) {
			return fmt.Sprintf("label %q and %q", l.Name, other.Name)
		}
	}
	for i := range a.Rewards() {
		r, q := &a.Rewards()[i], &b.Rewards()[i]
		if r.Name != q.Name || !equalColumns(&r.States, &q.States, a.NumStates()) || !equalColumns(&r.Choices, &q.Choices, a.NumChoices()) {
			return fmt.Sprintf("reward %q and %q", r.Name, q.Name)
		}
	}
	for c := range uint32(a.NumChoices()) {
		if x, y := a.ActionName(c), b.ActionName(c); x != y {
			return fmt.Sprintf("action of choice %d: %q and %q", c, x, y)
		}
	}
	if a.Names() == nil {
		return ""
	}
	return differenceOfNames(a.Names(), b.Names())
}

func equalColumns(a, b *sparse.Floats, n int) bool {
	x, y := a.Dense(n), b.Dense(n)
	for i := range x {
		if math.Float64bits(x[i]) != math.Float64bits(y[i]) && (x[i] != 0 || y[i] != 0) {
			return false
		}
	}
	return true
}

func differenceOfNames(a, b sparse.Names) string {
	v, isValuation := a.(*sparse.Valuation)
	w, ok := b.(*sparse.Valuation)
	if isValuation != ok {
		return fmt.Sprintf("names %T and %T", a, b)
	}
	if isValuation {
		if len(v.Variables()) != len(w.Variables()) {
			return fmt.Sprintf("%d variables and %d", len(v.Variables()), len(w.Variables()))
		}
		for i, x := range v.Variables() {
			if y := w.Variables()[i]; x.Name != y.Name || x.Type != y.Type || x.Lower != y.Lower {
				return fmt.Sprintf("variable %+v and %+v", x, y)
			}
		}
	}
	for s := range uint32(a.Len()) {
		if x, y := a.AppendName(nil, s), b.AppendName(nil, s); !bytes.Equal(x, y) {
			return fmt.Sprintf("name of state #%d: %q and %q", s, x, y)
		}
	}
	return ""
}
