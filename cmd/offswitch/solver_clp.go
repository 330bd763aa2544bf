//go:build clp

package main

import (
	"offswitch/lp"
	"offswitch/lp/clp"
)

// solver solves the linear programs of feasible.
var solver lp.Solver = clp.Solver{}
