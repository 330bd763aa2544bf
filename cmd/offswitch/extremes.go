package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"offswitch/lp"
)

// extremeOptions are the flags of feasible about features, and about how far goal sets go.
type extremeOptions struct {
	features  []string
	maxMargin bool
	ranges    []string
	proofs    string
}

// register adds the flags; those of goal sets are there already.
func (o *extremeOptions) register(c *cobra.Command, margin *float64) {
	c.Flags().StringSliceVar(&o.features, "features", nil, "`NAMES` of labels and states that rewards depend on alone, with commas between, quoted where they have any; states that have none of them get 0")
	c.Flags().StringArrayVar(&o.ranges, "range", nil, "find the least and the greatest reward of `STATE|LABEL`, may be repeated")
	c.Flags().StringVar(&o.proofs, "proofs", "", "write what proves margins and ranges to files in `DIR`, which is made where it is missing")
	f := c.Flags().Lookup("margin")
	f.Value = marginValue{margin, &o.maxMargin}
	f.Usage += ", or max to find the greatest margin there is"
}

// marginValue is a number or max.
type marginValue struct {
	number *float64
	max    *bool
}

func (v marginValue) String() string {
	if v.max != nil && *v.max {
		return "max"
	}
	if v.number == nil {
		return "0"
	}
	return strconv.FormatFloat(*v.number, 'g', -1, 64)
}

func (v marginValue) Set(text string) (err error) {
	if *v.max = text == "max"; *v.max {
		*v.number = 0
		return nil
	}
	if *v.number, err = strconv.ParseFloat(text, 64); err != nil {
		return errors.New("want a number or max")
	}
	return nil
}

func (marginValue) Type() string { return "float" }

// extremeReport says how far the margin or a reward goes over the goal set.
type extremeReport struct {
	Of       string       `json:"of"` // "margin", or the state or label
	Least    *boundReport `json:"least,omitempty"`
	Greatest boundReport  `json:"greatest"`
}

// boundReport is one end: what a member attains, and what none goes beyond, both proved; null where not.
type boundReport struct {
	Attained *float64 `json:"attained"`
	Limit    *float64 `json:"limit"`
}

// depend lets rewards depend on the features alone.
func (o *extremeOptions) depend(g *lp.GoalSet) error {
	for _, name := range o.features {
		f, err := lp.ParseFeature(g.Model, name)
		if err != nil {
			return fmt.Errorf("--features: %w", err)
		}
		g.Features = append(g.Features, f)
	}
	return nil
}

// prepare makes the directory of the proofs, before anything long.
func (o *extremeOptions) prepare() error {
	if o.proofs == "" {
		return nil
	}
	return os.MkdirAll(o.proofs, 0o777)
}

// asked reports whether the flags ask for any extreme.
func (o *extremeOptions) asked() bool { return o.maxMargin || len(o.ranges) > 0 }

// askExtremes reports how far the goal set goes. The answer is the first that is proved. Where the ties of
// a range's label leave no reward, it returns the condition that makes them.
func (s *session) askExtremes(ctx context.Context, o extremeOptions, g lp.GoalSet, solver lp.Solver, r *goalSetReport) (a lp.Answer, ties *condition, err error) {
	var of []lp.Feature
	for _, name := range o.ranges {
		f, err := lp.ParseFeature(g.Model, name)
		if err != nil {
			return a, nil, fmt.Errorf("--range: %w", err)
		}
		of = append(of, f)
	}
	if o.maxMargin {
		var e lp.Extreme
		if a, e, err = lp.LargestMargin(ctx, g, solver); err != nil || a.Verdict == lp.No {
			return a, nil, err
		}
		r.Extremes = append(r.Extremes, extremeReport{Of: "margin", Greatest: newBoundReport(e)})
		if err := s.writeProofs(ctx, o.proofs, "margin", e); err != nil {
			return a, nil, err
		}
	}
	for i, f := range of {
		b, least, greatest, err := lp.Range(ctx, g, f, solver)
		if err != nil {
			return a, nil, err
		}
		if b.Verdict == lp.No {
			return b, &condition{b.Certificate.Question.Constraints[len(g.Constraints)], "--range"}, nil
		}
		if a.Verdict == lp.Undecided {
			a = b
		}
		low := newBoundReport(least)
		r.Extremes = append(r.Extremes, extremeReport{Of: f.Name, Least: &low, Greatest: newBoundReport(greatest)})
		name := fmt.Sprintf("range%d-", i+1)
		if err := s.writeProofs(ctx, o.proofs, name+"least", least); err != nil {
			return a, nil, err
		}
		if err := s.writeProofs(ctx, o.proofs, name+"greatest", greatest); err != nil {
			return a, nil, err
		}
	}
	return a, nil, nil
}

// marginStates is the number of states that matter up to which a yes comes with the greatest margin.
const marginStates = 2000

// reportMargin adds the greatest margin to the report of a yes where that is cheap, and there is one.
func (s *session) reportMargin(ctx context.Context, directory string, g lp.GoalSet, solver lp.Solver, r *goalSetReport) error {
	if g.Relevant().Count() > marginStates {
		return nil
	}
	a, e, err := lp.LargestMargin(ctx, g, solver)
	greatest := newBoundReport(e)
	if err != nil || a.Verdict != lp.Yes || greatest.Limit == nil {
		return nil // the yes stands
	}
	r.Extremes = append(r.Extremes, extremeReport{Of: "margin", Greatest: greatest})
	return s.writeProofs(ctx, directory, "margin", e)
}

// writeProofs writes the proofs of an extreme to a directory, if there is one.
func (s *session) writeProofs(ctx context.Context, directory, name string, e lp.Extreme) error {
	if directory == "" {
		return nil
	}
	if err := s.writeCertificate(ctx, filepath.Join(directory, name+"-attained.npz"), e.Member); err != nil {
		return err
	}
	return s.writeCertificate(ctx, filepath.Join(directory, name+"-limit.npz"), e.Beyond)
}

func newBoundReport(e lp.Extreme) boundReport {
	return boundReport{finiteOrNil(e.Value), finiteOrNil(e.Limit)}
}

func (x *extremeReport) write(w io.Writer) {
	if x.Least == nil {
		fmt.Fprintf(w, "margin     greatest %s\n", &x.Greatest)
		return
	}
	fmt.Fprintf(w, "range      r[%s] least %s\n", x.Of, x.Least)
	fmt.Fprintf(w, "           r[%s] greatest %s\n", x.Of, &x.Greatest)
}

func (b *boundReport) String() string {
	number := func(x *float64) string {
		if x == nil {
			return "not known"
		}
		return strconv.FormatFloat(*x, 'g', 9, 64)
	}
	return fmt.Sprintf("%s (attained; limit %s)", number(b.Attained), number(b.Limit))
}
