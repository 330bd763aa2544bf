package main

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"offswitch"
)

type analyzeOptions struct {
	situation
	fresh string
}

func newAnalyze(s *session) *cobra.Command {
	var o analyzeOptions
	c := &cobra.Command{
		Use:   "analyze MODEL",
		Short: "For what share of goals would the trained agent avoid the off switch?",
		Long: `Finds the states that training visits, the states reachable from the new situation, and those among
them that make avoiding shutdown pay; checks every assumption of Theorem 2; and says for what share
of the goals that training allows the agent avoids the off switch. Exit code 0: the theorem applies.`,
		Example: "  go run ./cmd/offswitch analyze testdata/coinrun.umb",
		Args:    cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			q, terminals, err := s.question(c.Context(), args[0], o.situation)
			if err != nil {
				return err
			}
			q.New = o.fresh
			if err := s.needs("the analysis", offswitch.Memory(q.Model)); err != nil {
				return err
			}
			report := func(a *offswitch.Analysis) *offswitch.Report { return a.Report(time.Since(s.begun)) }
			keep := func(a *offswitch.Analysis) {
				s.keep(func(w io.Writer) {
					if o.json {
						writeJSON(w, report(a))
					} else {
						a.WriteText(w, terminals)
					}
				}, exitUndecided)
			}
			unknown, err := offswitch.Unknown(q)
			if err != nil {
				return err
			}
			keep(unknown)
			training, err := offswitch.Train(c.Context(), q)
			if err != nil {
				return err
			}
			setting, err := offswitch.NewSetting(q, training)
			if err != nil {
				return err
			}
			keep(setting.Unknown())
			a, err := setting.Analyze(c.Context())
			if err != nil {
				return err
			}
			s.code = exitCode(a.Applies)
			if a.Partial {
				s.code = exitUndecided
			}
			return s.answer(o.json, report(a), func(w io.Writer) error { return a.WriteText(w, terminals) })
		},
	}
	o.situation.register(c)
	c.Flags().StringVar(&o.fresh, "new", "", "`LABEL` or state of the new situation (default: the label new)")
	return c
}

func exitCode(v offswitch.Verdict) int {
	switch v {
	case offswitch.Yes:
		return exitYes
	case offswitch.No:
		return exitNo
	}
	return exitUndecided
}
