//go:build clp

package main

import (
	"offswitch/lp"
	"offswitch/lp/clp"
)

// clpSolver is CLP, nil where it is not built in.
var clpSolver lp.Solver = clp.Solver{}
