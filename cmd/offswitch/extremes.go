package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"offswitch/lp"
	"offswitch/sparse/file"
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
	c.Flags().StringVar(&o.proofs, "proofs", "", "write what proves margins and ranges to files in `DIR`")
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

// ask asks what the flags say and reports how far the goal set goes.
func (o *extremeOptions) ask(ctx context.Context, g lp.GoalSet, solver lp.Solver, r *goalSetReport) (lp.Answer, error) {
	var of []lp.Feature
	for _, name := range o.ranges {
		f, err := lp.ParseFeature(g.Model, name)
		if err != nil {
			return lp.Answer{}, fmt.Errorf("--range: %w", err)
		}
		of = append(of, f)
	}
	r.Features = o.features
	var a lp.Answer
	var err error
	switch {
	case o.maxMargin:
		var e lp.Extreme
		if a, e, err = lp.LargestMargin(ctx, g, solver); err == nil && a.Verdict != lp.No {
			r.Extremes = append(r.Extremes, extremeReport{Of: "margin", Greatest: boundReport{finiteOrNil(e.Value), finiteOrNil(e.Limit)}})
			err = o.write(ctx, "margin", e)
		}
	case len(of) == 0:
		return lp.Feasible(ctx, g, solver)
	}
	for i, f := range of {
		if err != nil || a.Verdict == lp.No {
			break
		}
		var least, greatest lp.Extreme
		if a, least, greatest, err = lp.Range(ctx, g, f, solver); err != nil || a.Verdict == lp.No {
			break
		}
		r.Extremes = append(r.Extremes, extremeReport{
			Of: f.Name, Least: &boundReport{finiteOrNil(least.Value), finiteOrNil(least.Limit)},
			Greatest: boundReport{finiteOrNil(greatest.Value), finiteOrNil(greatest.Limit)},
		})
		if err = o.write(ctx, fmt.Sprintf("range%d-least", i+1), least); err == nil {
			err = o.write(ctx, fmt.Sprintf("range%d-greatest", i+1), greatest)
		}
	}
	return a, err
}

// write writes the proofs of an extreme.
func (o *extremeOptions) write(ctx context.Context, name string, e lp.Extreme) error {
	if o.proofs == "" {
		return nil
	}
	for _, x := range []struct {
		what  string
		proof *lp.Certificate
	}{{"attained", e.Member}, {"limit", e.Beyond}} {
		if x.proof == nil {
			continue
		}
		if err := file.Replace(ctx, filepath.Join(o.proofs, name+"-"+x.what), x.proof.Write); err != nil {
			return err
		}
	}
	return nil
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
