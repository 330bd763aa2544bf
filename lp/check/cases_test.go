package check_test

import (
	"strings"
	"testing"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// fork returns a model in which state #0 goes on to #1, which may stay, or out to #2, as #1 may too; and a proof by
// what #1 does that going on is not better by 0.2 where the reward of #1 is at most 0.1.
func fork(t *testing.T) (*sparse.MDP, *check.Certificate) {
	t.Helper()
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "on", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "out", sparse.Branch{Target: 2, Probability: 1})
	b.AddChoice(1, "stay", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(1, "out", sparse.Branch{Target: 2, Probability: 1})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	// v(1) − v(2) ≥ 0.4 is asked for, but v(1) is 2 θ(1) ≤ 0.2, or θ(1) + v(2)/2 ≤ 0.1 + v(2). The rows alone
	// let v(1) be 2.
	c := check.New(m, check.Infeasible, check.Question{Discount: 0.5, Train: []uint32{0}, Policy: []int64{0}, Margin: 0.2, Upper: 1,
		Constraints: []string{"r[#1] <= 0.1"}})
	stays := check.Multipliers{Choices: []uint32{0, 1, 2}, ChoiceY: []float64{-1, 1, -1}, ConstraintY: []float64{-1}}
	leaves := check.Multipliers{Choices: []uint32{0, 1, 3}, ChoiceY: []float64{-1, 1, -0.5}, ConstraintY: []float64{-0.5}}
	c.Cases = []check.Case{{Best: []uint32{2}, Multipliers: stays}, {Best: []uint32{3}, Multipliers: leaves}}
	return m, c
}

// A proof by cases has to prove each case, and to leave none out.
func TestCases(t *testing.T) {
	m, c := fork(t)
	if bad := check.Check(m, c); len(bad) > 0 {
		t.Fatal(bad)
	}
	for _, x := range []struct {
		name   string
		change func(c *check.Certificate)
		want   string
	}{
		{"one left out", func(c *check.Certificate) { c.Cases = c.Cases[:1] }, "not, in order, those of each choice"},
		{"one twice", func(c *check.Certificate) { c.Cases = append(c.Cases, c.Cases[1]) }, "not, in order, those of each choice"},
		{"out of order", func(c *check.Certificate) { c.Cases[0], c.Cases[1] = c.Cases[1], c.Cases[0] }, "not, in order, those of each choice"},
		{"one more assumed", func(c *check.Certificate) { c.Cases[0].Best = []uint32{2, 2} }, "not, in order, those of each choice"},
		{"nothing assumed", func(c *check.Certificate) { c.Cases[0].Best = nil }, "not, in order, those of each choice"},
		{"assumed in S_train", func(c *check.Certificate) { c.Cases[0].Best = []uint32{0} }, "is in S_train"},
		{"assumed nowhere", func(c *check.Certificate) { c.Cases[0].Best = []uint32{4} }, "choice 4 is out of range"},
		{"too much assumed", func(c *check.Certificate) { c.Cases[0].Best = make([]uint32, check.MaxBest+1) }, "assumes 65 choices"},
		{"too many", func(c *check.Certificate) { c.Cases = make([]check.Case, check.MaxCases+1) }, "1025 cases, want at most 1024"},
		{"more multipliers", func(c *check.Certificate) { c.ConstraintY = []float64{0} }, "beside those of the 2 cases"},
		{"another's multipliers", func(c *check.Certificate) { c.Cases[1].Multipliers = c.Cases[0].Multipliers }, "case 1: choice stay of state #1 has multiplier -1"},
		{"no contradiction", func(c *check.Certificate) { c.Cases[1].ConstraintY = []float64{0} }, "case 1: the multipliers give"},
		{"no cases", func(c *check.Certificate) { c.Multipliers, c.Cases = c.Cases[0].Multipliers, nil }, "choice stay of state #1 has multiplier -1"},
	} {
		m, c := fork(t)
		x.change(c)
		if bad := check.Check(m, c); len(bad) == 0 || !strings.Contains(bad[0].Text, x.want) {
			t.Errorf("%s: %v, want %q", x.name, bad, x.want)
		}
	}
}
