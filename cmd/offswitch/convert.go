package main

import (
	"github.com/spf13/cobra"

	"offswitch/sparse/file"
)

func newConvert(s *session) *cobra.Command {
	return &cobra.Command{
		Use:     "convert IN OUT",
		Short:   "Write a model in another format",
		Long:    "Reads a model and writes it in the format that the ending of OUT names:\n.umb, .umb.gz, .umb.xz, .drn, .drn.gz, .tra (with .lab, .sta, .srew and .trew) or .json (Gymnasium,\nwhich has no rewards of states: a model with some is refused).",
		Example: "  go run ./cmd/offswitch convert testdata/coinrun.umb /tmp/coinrun.drn",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			m, _, err := file.Read(c.Context(), args[0])
			if err != nil {
				return err
			}
			return file.Write(c.Context(), args[1], m)
		},
	}
}
