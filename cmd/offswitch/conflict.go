package main

import (
	"fmt"
	"io"
	"strings"

	"offswitch"
	"offswitch/lp"
)

// conflictListed is how many members of a conflict are listed, and conflictShown how many of them in text.
const (
	conflictListed = 1000
	conflictShown  = 20
)

// conflictReport says which conditions clash: pairs seen in training, and conditions given.
type conflictReport struct {
	Pairs       []clashingPair      `json:"pairs"`       // the first conflictListed
	Where       []clashingCondition `json:"where"`       // as well
	Size        int                 `json:"size"`        // of all of them
	Proved      bool                `json:"proved"`      // that these alone have no reward
	Irreducible bool                `json:"irreducible"` // proved: without any one of them there is a reward
	Open        int                 `json:"open"`        // of how many that is not known
}

// clashingPair is a state and the action taken there, and the actions that it is set against.
type clashingPair struct {
	offswitch.StateRef
	Taken   string   `json:"taken"`
	Against []string `json:"against"`
}

// clashingCondition is a condition, and where it stands.
type clashingCondition struct {
	Text string `json:"text"`
	From string `json:"from"`
}

func newConflictReport(g lp.GoalSet, c lp.Conflict, conditions []condition) *conflictReport {
	r := &conflictReport{
		Pairs: []clashingPair{}, Where: []clashingCondition{}, Size: len(c.Pairs) + len(c.Constraints),
		Proved: c.Proof != nil, Irreducible: c.Proof != nil && c.Open == 0, Open: c.Open,
	}
	for _, p := range c.Pairs[:min(len(c.Pairs), conflictListed)] {
		pair := clashingPair{StateRef: offswitch.Ref(g.Model, p.State), Taken: g.Model.ActionName(p.Taken), Against: []string{}}
		for _, a := range p.Against {
			pair.Against = append(pair.Against, g.Model.ActionName(a))
		}
		r.Pairs = append(r.Pairs, pair)
	}
	for _, i := range c.Constraints[:min(len(c.Constraints), conflictListed)] {
		r.Where = append(r.Where, clashingCondition{conditions[i].text, conditions[i].from})
	}
	return r
}

func (r *conflictReport) write(w io.Writer) {
	these := "these"
	if r.Size > conflictShown {
		these = "these " + offswitch.Group(r.Size)
	}
	switch {
	case r.Irreducible:
		fmt.Fprintf(w, "conflict   there is no reward for %s, but one as soon as any of them is left out (proved)\n", these)
	case r.Proved:
		fmt.Fprintf(w, "conflict   there is no reward for %s (proved); all but %s of them are proved to be needed (--thorough looks longer)\n", these, offswitch.Group(r.Open))
	default:
		fmt.Fprintf(w, "conflict   the proof rests on %s; fewer may do (--thorough takes the time to find out)\n", these)
	}
	shown := 0
	show := func(format string, args ...any) {
		if shown++; shown <= conflictShown {
			fmt.Fprintf(w, "           "+format+"\n", args...)
		}
	}
	for _, c := range r.Where {
		show("%s (%s)", c.Text, c.From)
	}
	for _, p := range r.Pairs {
		against := ""
		if len(p.Against) > 0 {
			against = " (against " + strings.Join(p.Against, ", ") + ")"
		}
		show("in %s, training takes %s%s", p.State, p.Taken, against)
	}
	if r.Size > conflictShown {
		fmt.Fprintf(w, "           and %s more (--json lists them)\n", offswitch.Group(r.Size-conflictShown))
	}
}
