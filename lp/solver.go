package lp

import "context"

// Status says how a solver ended. None of them is believed.
type Status uint8

// The statuses.
const (
	Unknown    Status = iota // gave up: limits, numerical trouble, an end of the context
	Optimal                  // X is optimal
	Infeasible               // no X meets the bounds
	Unbounded
)

func (s Status) String() string {
	return [...]string{"unknown", "optimal", "infeasible", "unbounded"}[s]
}

// Result is what a solver found.
type Result struct {
	Status Status
	X      []float64 // Optimal: one value for each column; Unknown: a point near the best ones, nil when there is none
	// Y are Farkas multipliers when Infeasible, one for each row: at least 0 on rows bounded below only, at
	// most 0 on rows bounded above only, up to rounding, such that yᵀb exceeds (yᵀA)x for every x within
	// the bounds of the columns. When Optimal, multipliers with the same signs that bound the cost from
	// below: yᵀb and the least (c - yᵀA)x within the bounds come to it, up to rounding. nil when the solver
	// has none; then nothing is proved.
	Y      []float64
	Detail string // the solver's own words on how it ended
}

// Solver solves linear programs. Implementations return an error when they cannot take the problem
// at all (too large) or the context has ended, and a Result otherwise; they never panic on a
// well-formed problem.
type Solver interface {
	Name() string
	Solve(ctx context.Context, p *Problem) (Result, error)
}
