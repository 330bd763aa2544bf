package main

import (
	"bytes"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"offswitch/lp/check"
	"offswitch/sparse"
)

type verifyReport struct {
	Schema     string   `json:"schema"`
	Kind       string   `json:"kind"`
	Proved     bool     `json:"proved"`
	Violations []string `json:"violations"` // the first check.MaxViolations, and how many more
	Total      int      `json:"total"`      // of all of them
}

func newVerify(s *session) *cobra.Command {
	var o source
	c := &cobra.Command{
		Use:   "verify MODEL CERTIFICATE",
		Short: "Check a certificate against its model",
		Long: fmt.Sprintf(`Checks what member or feasible wrote with --certificate, by code that shares nothing with the
solvers, with rounding accounted for. Exit code 0: the answer is proved. 1: it is not; the first %d
reasons are listed, and the others counted. go doc ./lp/check says what a certificate contains, and why
that is a proof.`, check.MaxViolations),
		Example: "  go run ./cmd/offswitch member testdata/worked.drn --goal coin --certificate /tmp/coin.npz && go run ./cmd/offswitch verify testdata/worked.drn /tmp/coin.npz",
		Args:    arguments("MODEL", "CERTIFICATE"),
		RunE: func(c *cobra.Command, args []string) error {
			m, _, err := s.model(c.Context(), args[0], o)
			if err != nil {
				return err
			}
			certificate, err := readCertificate(args[1], m)
			if err != nil {
				return err
			}
			r := verifyReport{Schema: "offswitch.verify/1", Kind: string(certificate.Kind), Violations: []string{}}
			for _, v := range check.Check(m, certificate) {
				r.Violations = append(r.Violations, v.String())
				r.Total += v.Count
			}
			if r.Proved = r.Total == 0; !r.Proved {
				s.code = exitNo
			}
			return s.answer(o.json, r, r.write)
		},
	}
	o.register(c)
	return c
}

// readCertificate reads a certificate about a model from a file, or from what can only be read once.
func readCertificate(path string, m *sparse.MDP) (*check.Certificate, error) {
	f, err := open(path, "a certificate")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	var at io.ReaderAt = f
	size := info.Size()
	if !info.Mode().IsRegular() {
		data, err := io.ReadAll(f)
		if err != nil {
			return nil, err
		}
		at, size = bytes.NewReader(data), int64(len(data))
	}
	c, err := check.ReadCertificate(at, size, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
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
