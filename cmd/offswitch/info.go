package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"offswitch"
	"offswitch/sparse"
	"offswitch/sparse/file"
)

type infoReport struct {
	Schema        string             `json:"schema"`
	Format        string             `json:"format"`
	States        int                `json:"states"`
	Choices       int                `json:"choices"`
	Branches      int                `json:"branches"`
	Initial       int                `json:"initial"`
	Terminal      int                `json:"terminal"`
	Deterministic bool               `json:"deterministic"`
	Actions       []string           `json:"actions"`
	Labels        []labelInfo        `json:"labels"`
	Rewards       []rewardInfo       `json:"rewards"`
	FirstState    offswitch.StateRef `json:"firstState"`
	Bytes         int                `json:"bytes"`
}

type labelInfo struct {
	Name   string `json:"name"`
	States int    `json:"states"`
}

type rewardInfo struct {
	Name    string      `json:"name"`
	States  *[2]float64 `json:"states,omitempty"`  // least and greatest
	Choices *[2]float64 `json:"choices,omitempty"` // least and greatest
}

func newInfo(s *session) *cobra.Command {
	var o source
	c := &cobra.Command{
		Use:     "info MODEL",
		Short:   "What is in a model",
		Example: "  go run ./cmd/offswitch info testdata/coinrun.umb",
		Args:    arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			m, format, err := file.Read(c.Context(), args[0])
			if err != nil {
				return err
			}
			_, terminals := offswitch.TakeTerminals(m, o.shutdown)
			r := infoReport{
				Schema: "offswitch.info/1", Format: format.String(),
				States: m.NumStates(), Choices: m.NumChoices(), Branches: m.NumBranches(), Initial: m.Initial().Count(),
				Terminal: terminals.Count(), Deterministic: m.Deterministic(), FirstState: offswitch.Ref(m, 0), Bytes: m.Bytes(),
				Actions: []string{}, Labels: []labelInfo{}, Rewards: []rewardInfo{},
			}
			for _, name := range m.Actions().Names() {
				if name != "" {
					r.Actions = append(r.Actions, name)
				}
			}
			for _, l := range m.Labels() {
				r.Labels = append(r.Labels, labelInfo{l.Name, l.States.Count()})
			}
			for _, x := range m.Rewards() {
				r.Rewards = append(r.Rewards, rewardInfo{x.Name, span(&x.States), span(&x.Choices)})
			}
			return s.answer(o.json, r, r.write)
		},
	}
	o.register(c)
	return c
}

// span returns the least and greatest entry of a column, nil for an empty one.
func span(f *sparse.Floats) *[2]float64 {
	if f.Len() == 0 {
		return nil
	}
	least, greatest := f.Extremes()
	return &[2]float64{least, greatest}
}

func (r infoReport) write(w io.Writer) error {
	group := offswitch.Group
	fmt.Fprintf(w, "format    %s\nstates    %s (%s initial, %s terminal), the first is %s\n", r.Format, group(r.States), group(r.Initial), group(r.Terminal), r.FirstState.State)
	fmt.Fprintf(w, "choices   %s\nbranches  %s", group(r.Choices), group(r.Branches))
	if r.Deterministic {
		fmt.Fprintf(w, " (deterministic)")
	}
	fmt.Fprintf(w, "\nmemory    %.3g MB\n", float64(r.Bytes)/1e6)
	if len(r.Actions) > 0 {
		fmt.Fprintf(w, "actions   %s\n", strings.Join(r.Actions, " "))
	}
	for _, l := range r.Labels {
		fmt.Fprintf(w, "label     %s (%s)\n", l.Name, group(l.States))
	}
	for _, x := range r.Rewards {
		fmt.Fprintf(w, "reward    %s", x.Name)
		if x.States != nil {
			fmt.Fprintf(w, ", states %v to %v", x.States[0], x.States[1])
		}
		if x.Choices != nil {
			fmt.Fprintf(w, ", choices %v to %v", x.Choices[0], x.Choices[1])
		}
		fmt.Fprintf(w, "\n")
	}
	return nil
}
