//go:build !clp

package main

import (
	"offswitch/lp"
	"offswitch/lp/simplex"
)

// solver solves the linear programs of feasible.
var solver lp.Solver = simplex.Solver{}
