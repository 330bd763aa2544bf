package main

import (
	"errors"
	"fmt"
	"strings"

	"offswitch/lp"
	"offswitch/lp/exec"
	"offswitch/lp/interior"
)

// The values of --solver.
const (
	defaultSolver = "interior"
	solverNames   = "interior, clp (if built in), or exec:PATH of clp, highs or glpsol"
)

// findSolver returns the solver of a name.
func (s *session) findSolver(name string) (lp.Solver, error) {
	path, isProgram := strings.CutPrefix(name, "exec:")
	switch {
	case name == defaultSolver:
		return interior.Solver{Needs: func(bytes int) error { return s.needs("the linear program", bytes) }}, nil
	case name == "clp" && clpSolver != nil:
		return clpSolver, nil
	case name == "clp":
		return nil, errors.New("--solver clp: CLP is built in with -tags clp only; --solver exec:clp runs an installed one")
	case isProgram:
		program, err := exec.New(path)
		if err != nil {
			return nil, fmt.Errorf("--solver %s: %w", name, err)
		}
		return program, nil
	}
	return nil, fmt.Errorf("--solver %s: want %s", name, solverNames)
}
