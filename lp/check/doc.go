// Package check proves answers about training-compatible goal sets (Krakovna & Kramar, Definition
// 6) from their certificates. It is the part of offswitch that has to be believed: it reads the
// model through the accessors of package sparse and shares nothing with the solvers, with the
// encoding as a linear program, or with sparse.Solve. It also holds what a certificate is made
// of: the file format, and the language of the constraints.
//
// # The question
//
// S_train is a set of states, maybe empty, π their taken choices, γ the discount, ε ≥ 0 a margin, [l,u] a box,
// plus linear constraints on θ. A reward θ belongs to the goal set G when it lies in the box,
// meets the constraints, and for every state s of S_train and every untaken choice a
//
//	Q*(s,π(s)) − Q*(s,a) ≥ ε,   Q*(s,a) = θ(s) + γ Σ P(s,a,t) V*(t).
//
// Where a question lists a as weak, 0 takes the place of ε, here and in everything below. A question may name
// features, labels or states. Then rewards depend on these alone: states that have the same features
// have the same reward, and states that have none have reward 0. That goes also for states whose reward a
// constraint's label ties to one of these, and it goes whatever the box.
//
// With ε = 0 this says that π(s) is optimal at every s in S_train. Probabilities, γ, ε, the box and
// the numbers of the constraints are the real numbers that their float64 denote; a row need not
// sum to 1. R is the set of states reachable from S_train by any choices; it is closed under all
// choices. θ is judged on R and on the states that constraints mention, and ignored elsewhere. β is
// an upper bound of γ·ΣP over the choices in R; everything below needs β < 1.
//
// # Proof of "yes" (kinds member-yes and feasible), and of a tie (member-tie)
//
// Given v on R, let ρ be the greatest |v(s) − max_a (θ(s) + γ Σ P(s,a,t) v(t))| over R, with θ(s)
// alone where s is terminal. The Bellman operator contracts by β, so |V* − v| ≤ E = ρ/(1−β) on R.
// For two choices a, b of one state, with g = γ Σ (P(s,a,t) − P(s,b,t)) v(t),
//
//	|Q*(s,a) − Q*(s,b) − g| ≤ γ Σ (P(s,a,t) + P(s,b,t)) E ≤ 2βE.                           (1)
//
// An untaken choice is proved when g(π(s),a) ≥ ε + 2βE, or, with ε ≤ 0, when P(s,a,·) and
// P(s,π(s),·) are the same distribution. A tie within a tolerance τ is proved in the same way, with
// ε − τ in place of ε. Nothing here needs S_train to be closed under π, which is why a "yes" is
// proved from V*, and never from a solution of the linear program.
//
// Exact ties that are left (ε ≤ 0) are proved with a policy σ on R, σ = π on S_train, and a
// partition of R into classes. Class 0 holds states of θ = 0 all of whose branches under σ lead to
// class 0. The states of any other class have the same θ, are all terminal or all not, and
// lead under σ with the same total probability to each class other than 0. Then V^σ is constant on
// each class, and 0 on class 0: the values of the quotient, lifted to R, solve the equations of
// V^σ, which have one solution because β < 1. A choice a of s is *tied* when it leads with the
// same total probability as σ(s) to each class other than 0; then Q^σ(s,a) = V^σ(s). If at every
// s of R every choice a ≠ σ(s) is tied or has g(σ(s),a) ≥ 2βE, then σ is optimal: let
// Δ = V*(s) − V^σ(s) be greatest at s and suppose Δ > 0, and let a be optimal at s. Unless a is
// tied, (1) makes σ(s) optimal as well, so a may be taken to be σ(s). Either way
// V*(s) = θ(s) + γ Σ P(s,a,t) V*(t) and V^σ(s) = θ(s) + γ Σ P(s,a,t) V^σ(t), and the difference
// gives Δ ≤ βΔ < Δ. So Δ = 0, and each tied choice of S_train has exactly the value of π(s).
//
// # Proof of "no" for one reward (kind member-no)
//
// θ breaks the box or a constraint; or one untaken choice a of a state of S_train has
// g(π(s),a) + 2βE < ε; or ε > 0 and it has the same distribution as π(s).
//
// # Proof of "no" for every reward (kind infeasible)
//
// If θ is in G, then (θ, V*) solves the system
//
//	v(s) − θ(s) − γ Σ P(s,π(s),t) v(t) = 0      s in S_train
//	v(s) − θ(s) − γ Σ P(s,a,t) v(t)    ≥ ε      s in S_train, a untaken
//	v(s) − θ(s) − γ Σ P(s,a,t) v(t)    ≥ 0      s in R outside S_train, every a; = 0 where it is the only one
//	v(s) − θ(s) = 0                             s terminal
//	l ≤ θ ≤ u, the constraints, equal θ where a label or features tie states, 0 without features
//	min(l, l/(1−β)) ≤ v(s) ≤ max(u, u/(1−β))
//
// whether S_train is closed or not; with features, l and u of the last line include 0. (That line holds
// for V*: it is a discounted sum whose first term is θ(s), whose terms lie in [l,u] times weights that
// sum to at most 1/(1−β).) Given
// multipliers y of the rows, of the sign of the row and free on equalities, every solution has
// yᵀb ≤ (yᵀA)x; so when the greatest (yᵀA)x over the bounds of the columns is less than yᵀb, there
// is no solution, and G is empty. The bounds of v make this robust: a rounding error in y costs
// as much as it is large, and no more.
//
// # Cases
//
// V* solves Bellman's equation, so that in a state s outside S_train that has choices one of them is best:
// v(s) − θ(s) − γ Σ P(s,b,t) v(t) is at least 0 for every choice, and exactly 0 for some b. The system has only
// the first half of that. A proof by cases also uses the second: for each b of one state there is a proof
// in which this row is an equation, so that its multiplier is free, and that proof may again take cases, by
// another state. Whatever θ is in G, (θ, V*) solves the system of one of the cases: where none has a solution, G
// is empty. The checker wants the cases of each state to be those of all its choices.
//
// # Arithmetic
//
// Sums are float64 with a bound of their error, which is 0 where they are exact (see interval.go).
// Where they leave an inequality open and the region has at most ExactBranches branches, it is decided
// with math/big. Constraints and equal distributions are always decided exactly.
package check
