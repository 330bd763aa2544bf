// Package lp answers questions about training-compatible goal sets (Krakovna & Kramar, Definition
// 6): is this reward in the set (Member), is there one at all under linear constraints (Feasible) and if
// not, which conditions clash (WhyNot), by which margin do the taken choices win at most (LargestMargin),
// and how far does the reward of a state go (Range). A yes, a no or a tie comes with a certificate that
// package lp/check has accepted; anything else is undecided, with what is numerically believed.
//
// Rewards θ and values v of the goal set solve the linear system
//
//	v(s) − θ(s) − γ Σ P(s,π(s),t) v(t) = 0      s in S_train
//	v(s) − θ(s) − γ Σ P(s,a,t) v(t)    ≥ ε      s in S_train, a untaken; 0 where a is weak
//	v(s) − θ(s) − γ Σ P(s,a,t) v(t)    ≥ 0      s outside S_train, every a
//	v(s) − θ(s) = 0                             s terminal
//	l ≤ θ ≤ u, and the linear constraints
//
// over the states that S_train reaches by any choices; the others drop out. If S_train is closed
// under π the system is exact: a superharmonic v dominates V*, the equalities make v = V^π ≤ V* on
// S_train, so v = V* there and π is optimal; conversely (θ, V*) solves it. If S_train is not closed,
// only the converse holds, and the system is an outer relaxation: an empty one still proves that
// the goal set is empty.
//
// Where rewards depend on features, labels and states, there are few unknowns, and discounted solves
// take the place of the linear program: see GoalSet.Features.
//
// Encode makes the system a sparse Problem, WriteMPS writes it for other programs, and a Solver
// solves it; packages lp/interior, lp/clp and lp/exec are solvers. Nothing that a solver says is believed.
package lp
