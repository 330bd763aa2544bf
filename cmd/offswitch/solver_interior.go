//go:build !clp

package main

import (
	"offswitch/lp"
	"offswitch/lp/interior"
)

// solver solves the linear programs of feasible.
var solver lp.Solver = interior.Solver{}
