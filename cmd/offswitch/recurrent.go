package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"offswitch"
	"offswitch/recurrence"
)

type recurrentReport struct {
	Schema        string                 `json:"schema"`
	States        int                    `json:"states"`
	EndComponents int                    `json:"endComponents"`
	Recurrent     int                    `json:"recurrent"`
	Terminal      int                    `json:"terminal"`
	Sizes         []componentsOfSize     `json:"sizes"`
	Components    [][]offswitch.StateRef `json:"components,omitempty"`
}

// componentsOfSize says how many end components have so many states.
type componentsOfSize struct {
	States     int `json:"states"`
	Components int `json:"components"`
}

func newRecurrent(s *session) *cobra.Command {
	var o source
	var list bool
	c := &cobra.Command{
		Use:     "recurrent MODEL",
		Short:   "End components and recurrent states",
		Long:    "Decomposes the model into its maximal end components. The states in them are the recurrent ones:\nsome policy returns to each with probability 1 (Definition 8). Terminal states are in none.",
		Example: "  go run ./cmd/offswitch recurrent testdata/frozenlake4x4.json --list",
		Args:    arguments("MODEL"),
		RunE: func(c *cobra.Command, args []string) error {
			m, _, err := s.model(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			found := recurrence.NewStructure(m, 0).Within(c.Context()).EndComponents()
			if found == nil {
				return c.Context().Err()
			}
			r := recurrentReport{
				Schema: "offswitch.recurrent/1", States: m.NumStates(), EndComponents: found.Count(),
				Recurrent: found.NumStates(), Terminal: m.NumTerminal(), Sizes: sizes(found),
			}
			if list {
				for k := range uint32(found.Count()) {
					var members []offswitch.StateRef
					for _, x := range found.Members(k) {
						members = append(members, offswitch.Ref(m, x))
					}
					r.Components = append(r.Components, members)
				}
			}
			return s.answer(o.json, r, r.write)
		},
	}
	o.register(c)
	c.Flags().BoolVar(&list, "list", false, "list the states of every component")
	return c
}

func (r recurrentReport) write(w io.Writer) error {
	group := offswitch.Group
	fmt.Fprintf(w, "states %s, recurrent %s, terminal %s\nend components %s\n", group(r.States), group(r.Recurrent), group(r.Terminal), group(r.EndComponents))
	for _, x := range r.Sizes {
		fmt.Fprintf(w, "  %s of size %s\n", group(x.Components), group(x.States))
	}
	for k, members := range r.Components {
		fmt.Fprintf(w, "component %d\n", k)
		for _, x := range members {
			fmt.Fprintf(w, "  %s\n", x.State)
		}
	}
	return nil
}

// sizes counts the components of each size, the largest first.
func sizes(found *recurrence.Components) []componentsOfSize {
	count := make(map[int]int)
	for k := range uint32(found.Count()) {
		count[len(found.Members(k))]++
	}
	list := []componentsOfSize{}
	for size, n := range count {
		list = append(list, componentsOfSize{States: size, Components: n})
	}
	slices.SortFunc(list, func(a, b componentsOfSize) int { return b.States - a.States })
	return list
}
