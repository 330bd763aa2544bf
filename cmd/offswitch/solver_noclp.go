//go:build !clp

package main

import "offswitch/lp"

// clpSolver is CLP, nil where it is not built in.
var clpSolver lp.Solver
