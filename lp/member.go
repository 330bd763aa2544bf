package lp

import (
	"context"
	"fmt"
	"math"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Member decides whether a reward belongs to a goal set: θ(s) = theta[s], len NumStates. The values
// of the optimal policy come from dynamic programming, sparse.Solve, over the relevant states only,
// so that this works for millions of states, and whether or not S_train is closed. An untaken choice
// passes when its gap exceeds the margin by more than the error bound; when the margin is 0 also
// when its distribution is that of the taken choice, or when it is proved to be an exact tie (see
// package check). Yes and No are proved; near ties that stay open make the answer Undecided.
//
// The error is that of a goal set that is not well-formed, a reward that is not finite, or the end of
// the context. It takes about 30 bytes a state, and the time of one or two solves and a check.
func Member(ctx context.Context, g GoalSet, theta []float64) (Answer, error) {
	if err := g.validate(); err != nil {
		return Answer{}, err
	}
	if len(theta) != g.Model.NumStates() {
		panic("lp: Member with a reward of the wrong length")
	}
	j := newJudge(g, check.MemberYes)
	for _, s := range j.states {
		if !finite(theta[s]) {
			return Answer{}, fmt.Errorf("the reward of state %s is %v, want a finite number", g.Model.StateName(s), theta[s])
		}
	}
	return j.judge(ctx, &reward{values: theta})
}

// judge decides about rewards of one goal set.
type judge struct {
	g        GoalSet
	yes      check.Kind // kind of certificate for a yes
	relevant sparse.Bitset
	states   []uint32 // those that matter
	answer   Answer   // what all answers have in common
	model    *sparse.MDP
	rows     rowKeys
}

func newJudge(g GoalSet, yes check.Kind) *judge {
	j := &judge{g: g, yes: yes, relevant: g.Relevant()}
	j.states = g.matter(j.relevant)
	j.answer = Answer{LeastGap: math.NaN(), Margin: math.NaN(), RelativeMargin: math.NaN()}
	j.answer.Closed, j.answer.Frontier = g.Closed()
	return j
}

// restricted returns the model in which irrelevant states are terminal, so that nothing is spent
// on them. Choices are numbered differently in it.
func (j *judge) restricted() *sparse.MDP {
	if j.model == nil {
		j.model = j.g.Model
		if n := j.g.Model.NumStates(); j.relevant.Count() < n {
			j.model = j.g.Model.WithoutChoices(j.relevant.Complement(n))
		}
	}
	return j.model
}

func (j *judge) judge(ctx context.Context, r *reward) (Answer, error) {
	theta := make([]float64, len(r.values))
	for _, s := range j.states {
		theta[s] = r.values[s]
	}
	r = &reward{values: theta, exact: r.exact}
	a := j.answer
	a.Theta = theta
	if why := r.breaks(&j.g, j.states); why != "" {
		a.Why = why
		j.prove(&a, No, j.certificate(check.MemberNo, r))
		return a, nil
	}
	// What the default tolerance leaves open may be settled by all the precision there is; ties also
	// by values that are exact, as those of short binary numbers are once rounding errors are cut off.
	for _, x := range []struct {
		tolerance float64
		cut       bool
	}{{0, false}, {math.SmallestNonzeroFloat64, false}, {math.SmallestNonzeroFloat64, true}} {
		v, err := j.solve(ctx, sparse.Problem{Discount: j.g.Discount, States: theta, Tolerance: x.tolerance})
		if err != nil {
			return a, err
		}
		if ctx.Err() != nil {
			return a, context.Cause(ctx)
		}
		if x.cut {
			cut(v)
		}
		if j.decide(&a, r, v) {
			break
		}
	}
	return a, nil
}

// cut rounds values to 40 bits, counted from the greatest.
func cut(v *sparse.Solution) {
	greatest := 0.0
	for _, x := range v.Values {
		greatest = max(greatest, math.Abs(x))
	}
	_, exponent := math.Frexp(greatest)
	for s, x := range v.Values {
		v.Values[s] = math.Ldexp(math.Round(math.Ldexp(x, 40-exponent)), exponent-40)
	}
	v.Error += math.Ldexp(1, exponent-40)
}

// solve solves for the values, and stops with what there is when rounds go on without end: each
// round contracts by about γ¹³, so that far fewer than these do.
func (j *judge) solve(ctx context.Context, p sparse.Problem) (*sparse.Solution, error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	limit := int(100 + 10/(1-j.g.bound()))
	p.Progress = func(sparse.Progress) {
		if limit--; limit < 0 {
			stop()
		}
	}
	return j.restricted().Solve(ctx, p)
}

// decide judges by values and their error, and reports whether that came to a verdict.
func (j *judge) decide(a *Answer, r *reward, v *sparse.Solution) bool {
	worst, same := j.gaps(a, v)
	c := j.certificate(check.MemberNo, r)
	c.Values = j.pick(v.Values)
	switch {
	case same.Taken != same.Untaken && j.g.margin(same.Untaken) > 0:
		worst = same
	case worst.Taken != worst.Untaken && worst.Value+worst.Error < j.g.margin(worst.Untaken):
	default:
		return j.accept(a, r, v, c)
	}
	a.Violated = &worst
	a.Why = fmt.Sprintf("in state %s, choice %s is worth %.6g less than it must be against %s",
		j.g.Model.StateName(worst.State), j.g.Model.ActionName(worst.Taken), j.g.margin(worst.Untaken)-worst.Value, j.g.Model.ActionName(worst.Untaken))
	c.Pair = &check.Pair{State: worst.State, Taken: worst.Taken, Untaken: worst.Untaken}
	if !j.prove(a, No, c) {
		a.Violated = nil
	}
	return a.Verdict == No
}

// accept tries to prove a yes.
func (j *judge) accept(a *Answer, r *reward, v *sparse.Solution, c *Certificate) bool {
	a.Why = fmt.Sprintf("every untaken choice of S_train is worse by at least %.6g, or the same", a.LeastGap)
	if math.IsInf(a.LeastGap, 1) {
		a.Why = "no choice of S_train differs from the taken one"
	}
	c.Kind = j.yes
	if a.NumTies > 0 {
		a.Why = fmt.Sprintf("%d untaken choices of S_train come within %.3g of the margin", a.NumTies, a.Ties[0].Error)
		if j.exactTies() {
			a.Why = fmt.Sprintf("%d untaken choices of S_train tie with the taken one within %.3g", a.NumTies, a.Ties[0].Error)
			j.addClasses(c, r, v)
		}
	}
	if !j.prove(a, Yes, c) {
		return false
	}
	if a.NumTies > 0 {
		if j.exactTies() {
			a.Why += ", and are proved to be no better"
		} else {
			a.Why += ", and are proved to keep it"
		}
	}
	return true
}

// exactTies reports whether choices that tie exactly may belong to a yes.
func (j *judge) exactTies() bool { return j.g.Margin == 0 || j.g.Weak != nil }

// gaps compares every untaken choice of S_train with the taken one. It returns the gap between
// different distributions that is smallest against its margin, and one pair of equal distributions,
// if possible one that needs a margin; a Gap whose choices are equal stands for none. It sets the ties and the least gap of the answer.
func (j *judge) gaps(a *Answer, v *sparse.Solution) (worst, same Gap) {
	g := &j.g
	worst.Value = math.Inf(1)
	a.LeastGap = math.Inf(1)
	least := math.Inf(1) // of what a gap exceeds its margin by
	a.Ties, a.NumTies = nil, 0
	scale := 0.0
	for _, s := range j.states {
		scale = max(scale, math.Abs(v.Values[s]))
	}
	slack := 2*g.bound()*v.Error + float64(g.Model.MaxBranches()+4)*0x1p-51*scale
	for s := range g.Train.All() {
		lo, hi := g.Model.Choices(s)
		if hi-lo < 2 {
			continue
		}
		taken := g.Policy[s]
		q := g.Model.Expectation(taken, v.Values)
		for c := lo; c < hi; c++ {
			if c == taken {
				continue
			}
			gap := Gap{s, taken, c, g.Discount * (q - g.Model.Expectation(c, v.Values)), slack}
			margin := g.margin(c)
			near := math.Abs(gap.Value-margin) <= slack
			if (near || margin > 0) && j.rows.sameDistribution(g.Model, taken, c) {
				gap.Value, gap.Error = 0, 0
				if margin > 0 || same.Taken == same.Untaken {
					same = gap
				}
				continue
			}
			a.LeastGap = min(a.LeastGap, gap.Value)
			if gap.Value-margin < least {
				worst, least = gap, gap.Value-margin
			}
			if near {
				a.NumTies++
				if len(a.Ties) < MaxTies {
					a.Ties = append(a.Ties, gap)
				}
			}
		}
	}
	return worst, same
}

// addClasses gives a certificate the policy and the classes that may prove exact ties: outside
// S_train the policy is a best one by the values found.
func (j *judge) addClasses(c *Certificate, r *reward, v *sparse.Solution) {
	m := j.g.Model
	sigma := make([]uint32, m.NumStates())
	var relevant []uint32
	for s := range j.relevant.All() {
		relevant = append(relevant, s)
		lo, hi := m.Choices(s)
		rlo, _ := j.model.Choices(s)
		switch {
		case lo == hi:
		case j.g.Train.Has(s):
			sigma[s] = j.g.Policy[s]
		default:
			sigma[s] = lo + v.Policy[s] - rlo
		}
	}
	of := valueClasses(m, relevant, sigma, r.keys())
	c.Sigma = make([]int64, len(j.states))
	c.Classes = make([]uint32, len(j.states))
	for i, s := range j.states {
		c.Sigma[i] = -1
		if j.relevant.Has(s) {
			c.Classes[i] = of[s]
			if !m.Terminal(s) {
				c.Sigma[i] = int64(sigma[s])
			}
		}
	}
}

// certificate returns a certificate about a reward, still without values.
func (j *judge) certificate(kind check.Kind, r *reward) *Certificate {
	c := check.New(j.g.Model, kind, j.g.question())
	c.States, c.Theta, c.Exact = j.states, j.pick(r.values), r.fractions()
	return c
}

// pick returns the entries of the states that matter.
func (j *judge) pick(x []float64) []float64 {
	out := make([]float64, len(j.states))
	for i, s := range j.states {
		out[i] = x[s]
	}
	return out
}

// prove has a certificate checked, and gives the verdict if it is accepted.
func (j *judge) prove(a *Answer, verdict Verdict, c *Certificate) bool {
	if a.Unproved = check.Check(j.g.Model, c); len(a.Unproved) > 0 {
		a.Verdict, a.Certificate = Undecided, nil
		a.Why += "; not proved: " + a.Unproved[0].String()
		return false
	}
	a.Verdict, a.Certificate = verdict, c
	return true
}
