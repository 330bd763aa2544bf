package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"offswitch"
	"offswitch/lp"
	"offswitch/sparse"
	"offswitch/sparse/file"
)

// goalSetReport is what member and feasible answer.
type goalSetReport struct {
	Schema    string                   `json:"schema"`
	Discount  float64                  `json:"discount"`
	Training  offswitch.TrainingReport `json:"training"`
	Goal      string                   `json:"goal,omitempty"`
	Where     []string                 `json:"where,omitempty"`
	Features  []string                 `json:"features,omitempty"`
	Margin    float64                  `json:"margin"`
	Verdict   string                   `json:"verdict"`
	Why       string                   `json:"why"`
	Violated  *pairReport              `json:"violated,omitempty"`
	Conflict  *conflictReport          `json:"conflict,omitempty"`
	Ties      int                      `json:"ties"`
	Tied      []pairReport             `json:"tied,omitempty"`      // the first of them
	Tolerance float64                  `json:"tolerance,omitempty"` // of a tie, in units of return
	Extremes  []extremeReport          `json:"extremes,omitempty"`
	Unproved  []string                 `json:"unproved,omitempty"`
	Partial   bool                     `json:"partial"`
	Seconds   float64                  `json:"seconds"`
}

// pairReport is a taken and an untaken choice of a state: how much better the taken one is, and
// how far off that may be.
type pairReport struct {
	offswitch.StateRef
	Taken   string  `json:"taken"`
	Untaken string  `json:"untaken"`
	Gap     float64 `json:"gap"`
	Error   float64 `json:"error"`
}

func newPairReport(m *sparse.MDP, g lp.Gap) pairReport {
	return pairReport{offswitch.Ref(m, g.State), m.ActionName(g.Taken), m.ActionName(g.Untaken), g.Value, g.Error}
}

// goalOptions are the flags of member and feasible.
type goalOptions struct {
	situation
	margin      float64
	certificate string
}

func (o *goalOptions) register(c *cobra.Command) {
	o.situation.register(c)
	c.Flags().Float64Var(&o.discount, "discount", defaultDiscount, "discount `GAMMA`, at least 0 and below 1")
	c.Flags().Float64Var(&o.margin, "margin", 0, "by how much, in units of `RETURN`, the policy must be better than other choices")
	c.Flags().StringVar(&o.certificate, "certificate", "", "write what proves the answer to `FILE`")
}

// apart refuses outputs that would overwrite an input or one another.
func apart(outputs, inputs []string) error {
	var taken []os.FileInfo
	for i, name := range append(inputs, outputs...) {
		info, err := os.Stat(name)
		if err != nil {
			continue // an output that is not there yet, or an input that is no file
		}
		for _, other := range taken {
			if i >= len(inputs) && os.SameFile(info, other) {
				return fmt.Errorf("%s: the output would replace an input or another output", name)
			}
		}
		taken = append(taken, info)
	}
	for i, name := range outputs {
		if name != "" && slices.Contains(outputs[:i], name) {
			return fmt.Errorf("%s: two outputs to one file", name)
		}
	}
	return nil
}

// goalQuestion is what a command asks about a goal set.
type goalQuestion struct {
	inputs, outputs []string                               // files beside the model and the certificate
	ask             func(g *lp.GoalSet) (lp.Answer, error) // may restrict the goal set
	explain         func(g lp.GoalSet, a lp.Answer) error  // adds to the report of a proved answer; may be nil
}

// askGoalSet finds the training-compatible goal set, asks about it, and reports the answer. r holds
// what the report says of the question. When time is up, the answer is what is proved by then, or
// undecided.
func (s *session) askGoalSet(ctx context.Context, path string, o goalOptions, r *goalSetReport, q goalQuestion) error {
	if err := apart(append(q.outputs, o.certificate), append(q.inputs, path, o.policy)); err != nil {
		return err
	}
	r.Discount, r.Margin = o.discount, o.margin
	s.keepReport(o, *r, nil, s.unknown)
	g, a, err := s.answerAbout(ctx, path, o, r, q.ask)
	if err != nil && ctx.Err() == nil {
		return err
	}
	if ctx.Err() != nil && a.Verdict == lp.Undecided {
		a = s.unknown()
	}
	if a.Verdict != lp.Undecided {
		s.keepReport(o, *r, g.Model, func() lp.Answer { return a })
		if err := s.writeCertificate(ctx, o.certificate, a.Certificate); err != nil {
			return err
		}
		if q.explain != nil {
			if err := q.explain(g, a); err != nil {
				return err
			}
		}
	}
	r.fill(g.Model, a, s.begun)
	r.Partial = ctx.Err() != nil
	s.code = exitCode(a.Verdict)
	return s.answer(o.json, r, func(w io.Writer) error { return r.write(w, g.Model, a.Frontier) })
}

// writeCertificate writes a certificate, if there is one and it is wanted. It belongs to an answer that
// is given, even when time is up.
func (s *session) writeCertificate(ctx context.Context, path string, c *lp.Certificate) error {
	if path == "" || c == nil {
		return nil
	}
	return s.whole(func() error { return file.Replace(context.WithoutCancel(ctx), path, c.Write) })
}

// keepReport keeps a report of the answer that there is when time is up.
func (s *session) keepReport(o goalOptions, r goalSetReport, m *sparse.MDP, answer func() lp.Answer) {
	r.Partial = true
	s.keep(func(w io.Writer) {
		a := answer()
		r.fill(m, a, s.begun)
		if o.json {
			writeJSON(w, &r)
		} else {
			r.write(w, m, a.Frontier)
		}
	}, exitCode(answer().Verdict))
}

// answerAbout reads the model, trains, and asks.
func (s *session) answerAbout(ctx context.Context, path string, o goalOptions, r *goalSetReport, ask func(g *lp.GoalSet) (lp.Answer, error)) (g lp.GoalSet, a lp.Answer, err error) {
	q, _, err := s.question(ctx, path, o.situation)
	if err != nil {
		return g, a, err
	}
	training, err := offswitch.Train(ctx, q)
	if err != nil {
		return g, a, err
	}
	r.Training = training.Report()
	g = training.GoalSet(q)
	g.Margin = o.margin
	if !training.Partial {
		a, err = ask(&g)
	}
	return g, a, err
}

// unknown is the answer when time is up.
func (s *session) unknown() lp.Answer {
	return lp.Answer{Why: s.ended(), LeastGap: math.NaN()}
}

// fill takes over what an answer says of a model.
func (r *goalSetReport) fill(m *sparse.MDP, a lp.Answer, begun time.Time) {
	r.Seconds = time.Since(begun).Seconds()
	r.Verdict, r.Why, r.Ties, r.Tolerance = a.Verdict.String(), a.Why, a.NumTies, a.Tolerance
	if a.Violated != nil {
		pair := newPairReport(m, *a.Violated)
		r.Violated = &pair
	}
	for _, g := range a.Ties {
		r.Tied = append(r.Tied, newPairReport(m, g))
	}
	for _, v := range a.Unproved {
		r.Unproved = append(r.Unproved, v.String())
	}
}

func finiteOrNil(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func (r *goalSetReport) write(w io.Writer, m *sparse.MDP, frontier []uint32) error {
	fmt.Fprintf(w, "%s: %s\n", r.Verdict, r.Why)
	if r.Training.States > 0 {
		fmt.Fprintf(w, "training   %s, %s states, discount %v\n", r.Training.Source, offswitch.Group(r.Training.States), r.Discount)
	}
	if len(frontier) > 0 {
		fmt.Fprintf(w, "           not closed: the policy leads to %s, and to %s other states it says nothing about\n", m.StateName(frontier[0]), offswitch.Group(len(frontier)-1))
	}
	if r.Violated != nil {
		fmt.Fprintf(w, "violated   %s\n", r.Violated)
	}
	if r.Conflict != nil {
		r.Conflict.write(w)
	}
	for i := range r.Extremes {
		r.Extremes[i].write(w)
	}
	if r.Ties > 0 {
		fmt.Fprintf(w, "ties       %s, such as %s\n", offswitch.Group(r.Ties), &r.Tied[0])
	}
	for _, v := range r.Unproved {
		fmt.Fprintf(w, "unproved   %s\n", v)
	}
	if r.Partial && r.Verdict != lp.Undecided.String() {
		fmt.Fprintln(w, "partial    interrupted or out of time before the rest was found")
	}
	return nil
}

func (p *pairReport) String() string {
	return fmt.Sprintf("in %s, %s (taken) against %s: %.6g within %.2g", p.State, p.Taken, p.Untaken, p.Gap, p.Error)
}
