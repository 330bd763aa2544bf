package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"offswitch/sparse"
	"offswitch/sparse/file"
)

// Orders of states that convert knows.
const (
	breadthFirst = "bfs"
	cuthillMcKee = "rcm"
)

func newConvert(s *session) *cobra.Command {
	var order string
	c := &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Write a model in another format",
		Long: `Reads a model and writes it in the format that the ending of OUT names:
.umb, .umb.gz, .umb.xz, .drn, .drn.gz, .tra (with .lab, .sta, .srew and .trew) or .json (Gymnasium,
which has no rewards of states: a model with some is refused).

With --order the states of OUT are numbered anew, so that states near each other in the environment
are near each other in memory: whatever goes over a large model whose states come in no particular
order gets several times faster. bfs is the breadth-first order from the initial states, rcm the
reverse Cuthill-McKee order. States keep their names; where IN has none, OUT names each state # and
its number in IN. A certificate belongs to the numbering of the model that it was made for.`,
		Example: "  go run ./cmd/offswitch convert testdata/coinrun.umb /tmp/coinrun.drn",
		Args:    arguments("IN", "OUT"),
		RunE: func(c *cobra.Command, args []string) error {
			if order != "" && order != breadthFirst && order != cuthillMcKee {
				return fmt.Errorf("--order %s: want %s or %s", order, breadthFirst, cuthillMcKee)
			}
			m, _, err := file.Read(c.Context(), args[0])
			if err != nil {
				return err
			}
			switch order {
			case breadthFirst:
				m = m.Relabel(sparse.BreadthFirst(m))
			case cuthillMcKee:
				m = m.Relabel(sparse.CuthillMcKee(m))
			}
			return file.Write(c.Context(), args[1], m)
		},
	}
	c.Flags().StringVar(&order, "order", "", "number the states in this `ORDER`: bfs or rcm")
	return c
}
