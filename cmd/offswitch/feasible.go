package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"offswitch/lp"
	"offswitch/sparse/file"
)

type feasibleOptions struct {
	goalOptions
	extremes extremeOptions
	where    []string
	mps      string
}

func newFeasible(s *session) *cobra.Command {
	var o feasibleOptions
	c := &cobra.Command{
		Use:   "feasible MODEL",
		Short: "Is there a reward in the training-compatible set, under these conditions?",
		Long: `Decides whether some reward with values in [0,1] makes the training policy optimal in every state
seen in training, by the margin and under the conditions given. r[NAME] is the reward of the state
of that name, or the common reward of the states that carry that label; r[state:NAME] and
r[label:NAME] tell them apart. Conditions are linear: 'r[coin] - 2*r[end] >= 0.1'.

With --features rewards depend on these labels and states alone: states that have the same ones have
the same reward, and states that have none get 0. This goes for millions of states and about a hundred
features. --margin max finds by how much training can be better at most, --range the least and the
greatest reward of a state, or of a label's states together; each is proved from both sides.

Exit code 0: there is one. 1: there is none. 3: undecided.`,
		Example: "  go run ./cmd/offswitch feasible testdata/worked.drn --where 'r[finish] - r[home] >= 0.1'",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			r := &goalSetReport{Schema: "offswitch.feasible/1", Where: o.where}
			return s.askGoalSet(c.Context(), args[0], o.goalOptions, r, []string{o.mps}, func(g lp.GoalSet) (lp.Answer, error) {
				return o.ask(c.Context(), g, r)
			})
		},
	}
	o.goalOptions.register(c)
	o.extremes.register(c, &o.margin)
	c.Flags().StringArrayVar(&o.where, "where", nil, "`CONDITION` on rewards, may be repeated")
	c.Flags().StringVar(&o.mps, "mps", "", "write the linear program to `FILE` for other solvers")
	return c
}

func (o *feasibleOptions) ask(ctx context.Context, g lp.GoalSet, r *goalSetReport) (lp.Answer, error) {
	if err := o.extremes.depend(&g); err != nil {
		return lp.Answer{}, err
	}
	for _, text := range o.where {
		x, err := lp.ParseConstraint(g.Model, text)
		if err != nil {
			return lp.Answer{}, fmt.Errorf("--where: %w", err)
		}
		g.Constraints = append(g.Constraints, x)
	}
	if o.mps != "" {
		e, err := lp.Encode(g)
		if err != nil {
			return lp.Answer{}, err
		}
		if err := file.Replace(ctx, o.mps, func(w io.Writer) error { return lp.WriteMPS(w, e.Problem) }); err != nil {
			return lp.Answer{}, err
		}
	}
	return o.extremes.ask(ctx, g, solver, r)
}
