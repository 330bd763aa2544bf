package sparse

import (
	"math"
	"strings"
	"testing"
)

// sound returns the parts of a small model without defects: two states with one choice of two
// branches each.
func sound() Parts {
	return Parts{
		ChoiceStart: []uint32{0, 1, 2},
		BranchStart: []uint32{0, 2, 4},
		Target:      []uint32{0, 1, 0, 1},
		Probability: RawFloats([]float64{0.5, 0.5, 0.25, 0.75}),
		Labels:      []Label{{"goal", Bitset{2}}},
		Rewards:     []Reward{{Name: "r", States: RawFloats([]float64{0, 1}), Choices: RawFloats([]float64{2, 3})}},
	}
}

func TestNewNamesEachDefect(t *testing.T) {
	if _, err := New(sound()); err != nil {
		t.Fatal(err)
	}
	names := func(list ...string) *Texts {
		t := new(Texts)
		for _, s := range list {
			t.Append(s)
		}
		return t
	}
	actions := Actions{}
	actions.Append(actions.Intern("go"))
	for _, tt := range []struct {
		want   string
		defect func(p *Parts)
	}{
		{"the model is empty", func(p *Parts) { *p = Parts{ChoiceStart: []uint32{0}} }},
		{"the model is empty", func(p *Parts) { *p = Parts{} }},
		{"first state start at 1", func(p *Parts) { p.ChoiceStart[0] = 1 }},
		{"state #1: choices start at 3 and end at 2", func(p *Parts) { p.ChoiceStart[1] = 3 }},
		{"branch starts: 4 entries", func(p *Parts) { p.BranchStart = append(p.BranchStart, 4) }},
		{"branch starts run from 0 to 3, want 0 to 4", func(p *Parts) { p.BranchStart[2] = 3 }},
		{"state #0, choice 0: branches end at 9", func(p *Parts) { p.BranchStart[1] = 9 }},
		{"state #0, choice 0 has no branches", func(p *Parts) { p.BranchStart[1] = 0 }},
		{"2 choices of one branch each, but 4 branches", func(p *Parts) { p.BranchStart = nil }},
		{"3 probabilities for 4 branches", func(p *Parts) { p.Probability = RawFloats([]float64{1, 1, 1}) }},
		{"state #1, choice 0: probabilities sum to 0.95, want 1 within 1e-09", func(p *Parts) { p.Probability = RawFloats([]float64{0.5, 0.5, 0.2, 0.75}) }},
		{"probability 0 is not in (0,1]", func(p *Parts) { p.Probability = RawFloats([]float64{1, 0, 0.5, 0.5}) }},
		{"probability -0.5 is not in (0,1]", func(p *Parts) { p.Probability = RawFloats([]float64{1, -0.5, 0.5, 0.5}) }},
		{"probability 1.5 is not in (0,1]", func(p *Parts) { p.Probability = RawFloats([]float64{1.5, -0.5, 0.5, 0.5}) }},
		{"probability NaN is not in (0,1]", func(p *Parts) { p.Probability = RawFloats([]float64{math.NaN(), 0.5, 0.5, 0.5}) }},
		{"target 2 is out of range, the model has 2 states", func(p *Parts) { p.Target[3] = 2 }},
		{`label "goal" stands twice`, func(p *Parts) { p.Labels = append(p.Labels, p.Labels[0]) }},
		{`label "goal" holds a state beyond the last, #1`, func(p *Parts) { p.Labels[0].States = Bitset{4} }},
		{`label "goal": 2 words, want 1`, func(p *Parts) { p.Labels[0].States = Bitset{0, 0} }},
		{`reward "r" stands twice`, func(p *Parts) { p.Rewards = append(p.Rewards, p.Rewards[0]) }},
		{`reward "r": 3 values for 2 states`, func(p *Parts) { p.Rewards[0].States = RawFloats([]float64{0, 0, 0}) }},
		{`reward "r" of state #1, choice 0 is +Inf`, func(p *Parts) { p.Rewards[0].Choices = RawFloats([]float64{0, math.Inf(1)}) }},
		{"1 action names for 2 choices", func(p *Parts) { p.Actions = actions }},
		{"state #1 has action 9, but 1 actions are named", func(p *Parts) {
			p.Actions.Append(p.Actions.Intern("go"))
			p.Actions.Append(9)
		}},
		{"1 state names for 2 states", func(p *Parts) { p.Names = names("a") }},
		{`state name "a" stands twice: states #0 and #1`, func(p *Parts) { p.Names = names("a", "a") }},
	} {
		p := sound()
		tt.defect(&p)
		if _, err := New(p); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("error %v, want %q", err, tt.want)
		}
	}
}

func TestBuilderTakesStatesInAnyOrder(t *testing.T) {
	b := NewBuilder(3)
	late := b.AddChoice(2, "c", Branch{0, 0.5}, Branch{1, 0.5})
	b.AddChoice(0, "a", Branch{1, 1})
	early := b.AddChoice(2, "d", Branch{2, 1})
	b.AddChoice(0, "b", Branch{2, 1})
	b.ChoiceReward("r", late, 7)
	b.ChoiceReward("r", early, 8)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for c, want := range []struct {
		state  uint32
		action string
		reward float64
		target uint32
	}{{0, "a", 0, 1}, {0, "b", 0, 2}, {2, "c", 7, 0}, {2, "d", 8, 2}} {
		c := uint32(c)
		if s := m.ChoiceState(c); s != want.state || m.ActionName(c) != want.action || m.Reward("r").Choices.At(c) != want.reward || m.Targets(c)[0] != want.target {
			t.Errorf("choice %d: state %d, action %s, reward %v, targets %v", c, s, m.ActionName(c), m.Reward("r").Choices.At(c), m.Targets(c))
		}
	}
	if !m.Terminal(1) || m.NumTerminal() != 1 {
		t.Error("state 1 is not terminal")
	}
}

// Every representation of a column gives back what was put in.
func TestFloats(t *testing.T) {
	for _, distinct := range []int{1, 2, 255, 256, 257, 1000} {
		var b FloatsBuilder
		values := make([]float64, 3000)
		for i := range values {
			values[i] = float64(i%distinct) / 3
			b.Append(values[i])
		}
		appended, compressed := b.Column(), CompressFloats(values)
		for _, f := range []*Floats{&appended, &compressed} {
			if (f.Distinct() == nil) != (distinct > 256) {
				t.Errorf("%d distinct values: stored as %d", distinct, len(f.Distinct()))
			}
			dense := f.Dense(4000)
			for i, v := range values {
				if f.At(uint32(i)) != v || dense[i] != v {
					t.Fatalf("%d distinct values: entry %d is %v, want %v", distinct, i, f.At(uint32(i)), v)
				}
			}
		}
	}
}
