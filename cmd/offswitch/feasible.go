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
	solver   string
	mps      string
	thorough bool
	conflict string
}

func newFeasible(s *session) *cobra.Command {
	var o feasibleOptions
	c := &cobra.Command{
		Use:   "feasible MODEL",
		Short: "Is there a reward in the training-compatible set, under these conditions?",
		Long: `Decides whether some reward with values in [0,1] makes the training policy optimal in every state
seen in training, by the margin and under the conditions given. r[NAME] is the reward of the state
of that name, or the common reward of the states that carry that label; r[state:NAME] and
r[label:NAME] tell them apart. Conditions are linear: 'r[coin] - 2*r[end] >= 0.1'. --where @FILE reads
them from a file, one a line (@-: from standard input); empty lines and those that begin with # do
not count.

With --features rewards depend on these labels and states alone: states that have the same ones have
the same reward, and states that have none get 0. This goes for millions of states and about a hundred
features. --margin max finds by how much training can be better at most than choices that lead
elsewhere, --range the least and the greatest reward of a state, or of a label's states together; each
is proved from both sides. Where no more than 2,000 states matter, the greatest margin comes with every yes,
which says little without it.

Exit code 0: there is one. 1: there is none, and the answer names conditions and states seen in
training that clash. 3: undecided.`,
		Example: "  go run ./cmd/offswitch feasible testdata/worked.drn --where 'r[finish] - r[home] >= 0.1'",
		Args:    arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			conditions, inputs, err := s.readConditions(o.where, args[0] == "-")
			if err != nil {
				return err
			}
			solver, err := s.findSolver(o.solver)
			if err != nil {
				return err
			}
			if err := o.extremes.prepare(); err != nil {
				return err
			}
			r := &goalSetReport{Schema: "offswitch.feasible/1", Features: o.extremes.features}
			for _, x := range conditions {
				r.Where = append(r.Where, x.text)
			}
			return s.askGoalSet(c.Context(), args[0], o.goalOptions, r, goalQuestion{
				inputs: inputs, outputs: []string{o.mps, o.conflict},
				ask: func(g *lp.GoalSet) (lp.Answer, error) {
					if err := o.extremes.depend(g); err != nil {
						return lp.Answer{}, err
					}
					if err := restrict(g, conditions); err != nil {
						return lp.Answer{}, err
					}
					if err := o.writeMPS(c.Context(), *g); err != nil {
						return lp.Answer{}, err
					}
					if !o.extremes.asked() {
						return lp.Feasible(c.Context(), *g, solver)
					}
					a, ties, err := s.askExtremes(c.Context(), o.extremes, *g, solver, r)
					if err != nil || ties == nil {
						return a, err
					}
					conditions = append(conditions, *ties)
					return a, restrict(g, conditions[len(conditions)-1:])
				},
				explain: func(g lp.GoalSet, a lp.Answer) error {
					if a.Verdict == lp.Yes && !o.extremes.asked() {
						return s.reportMargin(c.Context(), o.extremes.proofs, g, solver, r)
					}
					if a.Verdict != lp.No {
						return nil
					}
					found := lp.WhyNot(c.Context(), g, a.Certificate, solver, o.thorough)
					r.Conflict = newConflictReport(g, found, conditions)
					return s.writeCertificate(c.Context(), o.conflict, found.Proof)
				},
			})
		},
	}
	o.goalOptions.register(c)
	o.extremes.register(c, &o.margin)
	c.Flags().StringArrayVar(&o.where, "where", nil, "`CONDITION` on rewards, or @FILE of conditions; may be repeated")
	c.Flags().StringVar(&o.solver, "solver", defaultSolver, "`SOLVER` of linear programs: "+solverNames)
	c.Flags().BoolVar(&o.thorough, "thorough", false, "where there is none, take the time to leave out every condition that is not needed for that")
	c.Flags().StringVar(&o.conflict, "conflict", "", "write what proves that the conditions named have no reward to `FILE`")
	c.Flags().StringVar(&o.mps, "mps", "", "write the linear program to `FILE` for other solvers")
	return c
}

func (o *feasibleOptions) writeMPS(ctx context.Context, g lp.GoalSet) error {
	if o.mps == "" {
		return nil
	}
	e, err := lp.Encode(g)
	if err != nil {
		return err
	}
	return file.Replace(ctx, o.mps, func(w io.Writer) error { return lp.WriteMPS(w, e.Problem) })
}

// restrict adds conditions to a goal set.
func restrict(g *lp.GoalSet, conditions []condition) error {
	for _, x := range conditions {
		c, err := lp.ParseConstraint(g.Model, x.text)
		if err != nil {
			return fmt.Errorf("%s: %w", x.from, err)
		}
		g.Constraints = append(g.Constraints, c)
	}
	return nil
}
