package main

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"offswitch/bench"
	"offswitch/sparse/file"
)

// bytesPerGeneratedState is what exploring takes a state, model included, in the largest family.
const bytesPerGeneratedState = 250

// mostStates is the greatest bench.Options.States.
const mostStates = 4_000_000_000

// stateCount is the value of a flag: a whole number, which may be written as 1e6.
type stateCount int64

func (n *stateCount) String() string { return strconv.FormatInt(int64(*n), 10) }

func (n *stateCount) Type() string { return "number" }

func (n *stateCount) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return errors.New("want a whole number, such as 100000 or 1e5")
	}
	*n = stateCount(x)
	return nil
}

func newGen(s *session) *cobra.Command {
	var o bench.Options
	states := stateCount(10_000)
	var out string
	var names, summaries []string
	for _, f := range bench.Families() {
		names = append(names, f.Name)
		summaries = append(summaries, fmt.Sprintf("  %-12s%s", f.Name, f.Summary))
	}
	c := &cobra.Command{
		Use:     "gen FAMILY -o OUT",
		Short:   "Generate an environment",
		Long:    "Writes a generated environment with training levels and a new situation that has an off switch.\nThe same options give the same environment. Families:\n\n" + strings.Join(summaries, "\n"),
		Example: "  go run ./cmd/offswitch gen coinrun --states 100000 --seed 7 -o /tmp/coinrun.umb",
		Args:    arguments("FAMILY"),
		RunE: func(c *cobra.Command, args []string) error {
			family, ok := bench.Find(args[0])
			if !ok {
				return fmt.Errorf("no family is called %q, want one of: %s", args[0], strings.Join(names, ", "))
			}
			o.States = int(states)
			if o.States < family.MinStates || states > mostStates {
				return fmt.Errorf("--states %d: %s, want %d to %d", states, family.Name, family.MinStates, mostStates)
			}
			if err := s.needs(fmt.Sprintf("%s of %d states", family.Name, o.States), o.States*bytesPerGeneratedState); err != nil {
				return err
			}
			o.Progress = s.progress()
			m, err := family.Generate(c.Context(), o)
			if err != nil {
				return err
			}
			return file.Write(c.Context(), out, m)
		},
	}
	c.Flags().StringVarP(&out, "out", "o", "", "`FILE` to write, its ending names the format")
	c.MarkFlagRequired("out")
	c.Flags().Var(&states, "states", "about so many states, such as 100000 or 1e5")
	c.Flags().Uint64Var(&o.Seed, "seed", 1, "which environment of the family")
	c.Flags().Float64Var(&o.Slip, "slip", 0, "probability that a move goes wrong, where the family has chance moves")
	c.Flags().Float64Var(&o.Leak, "leak", 0, "share of states with a way between training and the new situation")
	return c
}
