package main

import (
	"github.com/spf13/cobra"

	"offswitch/lp"
)

type memberOptions struct {
	goalOptions
	goal string
}

func newMember(s *session) *cobra.Command {
	var o memberOptions
	c := &cobra.Command{
		Use:   "member MODEL --goal NAME|FILE.csv|FILE.npy",
		Short: "Is this reward in the training-compatible set?",
		Long: `Decides whether the training policy is optimal for a reward in every state seen in training
(Definition 6), and whether the reward has values in [0,1] there and wherever they lead. Exit code 0:
it is. 1: it is not, and the answer names the violated pair of choices, or the value that is out of
range. 3: a tie; no other choice is better by more than the tolerance stated, if at all.`,
		Example: "  go run ./cmd/offswitch member testdata/coinrun.umb --goal coin",
		Args:    arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			r := &goalSetReport{Schema: "offswitch.member/1", Goal: o.goal}
			return s.askGoalSet(c.Context(), args[0], o.goalOptions, r, goalQuestion{
				inputs: []string{o.goal},
				ask: func(g *lp.GoalSet) (lp.Answer, error) {
					theta, err := readGoal(g.Model, o.goal)
					if err != nil {
						return lp.Answer{}, err
					}
					return lp.Member(c.Context(), *g, theta)
				},
			})
		},
	}
	o.goalOptions.register(c)
	c.Flags().StringVar(&o.goal, "goal", "", "`REWARD` of the model, or a file of (state, value) lines (.csv) or of one number a state (.npy)")
	c.MarkFlagRequired("goal")
	return c
}
