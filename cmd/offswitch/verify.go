package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"offswitch/lp/check"
)

type verifyReport struct {
	Schema     string   `json:"schema"`
	Kind       string   `json:"kind"`
	Proved     bool     `json:"proved"`
	Violations []string `json:"violations"`
}

func newVerify(s *session) *cobra.Command {
	var o source
	c := &cobra.Command{
		Use:   "verify MODEL CERTIFICATE",
		Short: "Check a certificate against its model",
		Long: `Checks what member or feasible wrote with --certificate, by code that shares nothing with the
solvers, with rounding accounted for. Exit code 0: the answer is proved. 1: it is not, and every
reason found is listed.`,
		Example: "  go run ./cmd/offswitch member testdata/worked.drn --goal coin --certificate /tmp/coin.json && go run ./cmd/offswitch verify testdata/worked.drn /tmp/coin.json",
		Args:    cobra.ExactArgs(2),
		RunE: func(c *cobra.Command, args []string) error {
			m, _, err := s.model(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			f, err := os.Open(args[1])
			if err != nil {
				return err
			}
			defer f.Close()
			certificate, err := check.ReadCertificate(f)
			if err != nil {
				return fmt.Errorf("%s: %w", args[1], err)
			}
			r := verifyReport{Schema: "offswitch.verify/1", Kind: string(certificate.Kind), Violations: []string{}}
			for _, v := range check.Check(m, certificate) {
				r.Violations = append(r.Violations, v.String())
			}
			if r.Proved = len(r.Violations) == 0; !r.Proved {
				s.code = exitNo
			}
			return s.answer(o.json, r, r.write)
		},
	}
	o.register(c)
	return c
}

func (r verifyReport) write(w io.Writer) error {
	if r.Proved {
		fmt.Fprintf(w, "proved: %s\n", r.Kind)
		return nil
	}
	fmt.Fprintf(w, "not proved: %s\n", r.Kind)
	for _, v := range r.Violations {
		fmt.Fprintf(w, "  %s\n", v)
	}
	return nil
}
