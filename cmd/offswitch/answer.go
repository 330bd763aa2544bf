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
	Schema         string                   `json:"schema"`
	Discount       float64                  `json:"discount"`
	Training       offswitch.TrainingReport `json:"training"`
	Goal           string                   `json:"goal,omitempty"`
	Where          []string                 `json:"where,omitempty"`
	Features       []string                 `json:"features,omitempty"`
	Margin         float64                  `json:"margin"`
	Verdict        string                   `json:"verdict"`
	Why            string                   `json:"why"`
	Violated       *pairReport              `json:"violated,omitempty"`
	Ties           int                      `json:"ties"`
	Tied           []pairReport             `json:"tied,omitempty"`           // the first of them
	Tolerance      float64                  `json:"tolerance,omitempty"`      // of a tie, in units of return
	LargestMargin  *float64                 `json:"largestMargin,omitempty"`  // numerical, in units of return
	RelativeMargin *float64                 `json:"relativeMargin,omitempty"` // the same in widths of the box
	Extremes       []extremeReport          `json:"extremes,omitempty"`
	Unproved       []string                 `json:"unproved,omitempty"`
	Partial        bool                     `json:"partial"`
	Seconds        float64                  `json:"seconds"`
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

// askGoalSet finds the training-compatible goal set, asks about it, and reports the answer. r holds
// what the report says of the question; outputs are files to be written beside the certificate.
func (s *session) askGoalSet(ctx context.Context, path string, o goalOptions, r *goalSetReport, outputs []string, ask func(g lp.GoalSet) (lp.Answer, error)) error {
	if err := apart(append(outputs, o.certificate), []string{path, o.policy, r.Goal}); err != nil {
		return err
	}
	q, _, err := s.question(ctx, path, o.situation)
	if err != nil {
		return err
	}
	training, err := offswitch.Train(ctx, q)
	if err != nil {
		return err
	}
	r.Discount, r.Margin, r.Verdict = q.Discount, o.margin, lp.Undecided.String()
	r.Training = training.Report()
	g := training.GoalSet(q)
	g.Margin = o.margin
	var a lp.Answer
	if !training.Partial {
		a, err = ask(g)
	}
	switch {
	case ctx.Err() != nil:
		a, r.Partial = lp.Answer{Why: "interrupted"}, true
	case err != nil:
		return err
	case o.certificate != "" && a.Certificate != nil:
		if err := file.Replace(ctx, o.certificate, a.Certificate.Write); err != nil {
			return err
		}
	}
	return s.report(g.Model, r, a, o.json)
}

// report reports an answer and sets the exit code.
func (s *session) report(m *sparse.MDP, r *goalSetReport, a lp.Answer, asJSON bool) error {
	r.Seconds = time.Since(s.begun).Seconds()
	r.Verdict, r.Why, r.Ties, r.Tolerance = a.Verdict.String(), a.Why, a.NumTies, a.Tolerance
	r.LargestMargin, r.RelativeMargin = finiteOrNil(a.Margin), finiteOrNil(a.RelativeMargin)
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
	s.code = exitCode(a.Verdict)
	return s.answer(asJSON, r, func(w io.Writer) error { return r.write(w, m, a.Frontier) })
}

func finiteOrNil(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

func (r *goalSetReport) write(w io.Writer, m *sparse.MDP, frontier []uint32) error {
	fmt.Fprintf(w, "%s: %s\n", r.Verdict, r.Why)
	fmt.Fprintf(w, "training   %s, %d states, discount %v\n", r.Training.Source, r.Training.States, r.Discount)
	if len(frontier) > 0 {
		fmt.Fprintf(w, "           not closed: the policy leads to %s, and to %d other states it says nothing about\n", m.StateName(frontier[0]), len(frontier)-1)
	}
	if r.Violated != nil {
		fmt.Fprintf(w, "violated   %s\n", r.Violated)
	}
	if r.LargestMargin != nil {
		fmt.Fprintf(w, "margin     %.6g at most, %.6g of the box (numerical)\n", *r.LargestMargin, *r.RelativeMargin)
	}
	for i := range r.Extremes {
		r.Extremes[i].write(w)
	}
	if r.Ties > 0 {
		fmt.Fprintf(w, "ties       %d, such as %s\n", r.Ties, &r.Tied[0])
	}
	for _, v := range r.Unproved {
		fmt.Fprintf(w, "unproved   %s\n", v)
	}
	return nil
}

func (p *pairReport) String() string {
	return fmt.Sprintf("in %s, %s (taken) against %s: %.6g within %.2g", p.State, p.Taken, p.Untaken, p.Gap, p.Error)
}
