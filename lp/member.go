package lp

import (
	"context"
	"fmt"
	"math"
	"slices"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Member decides whether a reward belongs to a goal set: θ(s) = theta[s], len NumStates. The values
// of the optimal policy come from dynamic programming, sparse.Solve, over the relevant states only,
// so that this works for millions of states, and whether or not S_train is closed. An untaken choice
// passes when its gap exceeds the margin by more than the error bound; when the margin is 0 also
// when its distribution is that of the taken choice, or when it is proved to be an exact tie (see
// package check). Pairs that stay open make the answer a Tie, which is proved as well: the margin is
// missed by Tolerance at most, some 1e-9 of the greatest value. Up to check.ExactBranches branches
// values are found as closely as float64 can hold them, which leaves little open but at discounts very near 1.
//
// The error is that of a goal set that is not well-formed, a reward that is not finite, or the end of
// the context. It takes about 60 bytes a state, and the time of one solve and two or three sweeps.
func Member(ctx context.Context, g GoalSet, theta []float64) (Answer, error) {
	if err := g.validate(); err != nil {
		return Answer{}, err
	}
	if len(theta) != g.Model.NumStates() {
		panic("lp: Member with a reward of the wrong length")
	}
	go g.Model.Hash() // for the certificate, while the other cores have less to do
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
	g         GoalSet
	yes       check.Kind // kind of certificate for a yes
	relevant  sparse.Bitset
	states    []uint32 // those that matter
	answer    Answer   // what all answers have in common
	model     *sparse.MDP
	rows      rowKeys
	exactTies bool // some tie that gaps found needs no margin, so that it may belong to a yes
}

func newJudge(g GoalSet, yes check.Kind) *judge {
	j := &judge{g: g, yes: yes, relevant: g.Relevant()}
	j.states = g.matter(j.relevant)
	j.answer = Answer{LeastGap: math.NaN()}
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
	// In small models, what the default tolerance leaves open may be settled by all the precision there
	// is; ties also by values that are exact, as those of short binary numbers are once rounding errors
	// are cut off.
	attempts := []struct {
		tolerance float64
		cut       bool
	}{{0, false}, {math.SmallestNonzeroFloat64, false}, {math.SmallestNonzeroFloat64, true}}
	switch {
	case j.restricted().NumBranches() <= check.ExactBranches:
	case j.yes == check.MemberYes:
		attempts = attempts[:1]
	default:
		attempts = attempts[:2] // a likely member is worth it
	}
	var closest *sparse.Solution
	var worst Gap
	for _, x := range attempts {
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
		gap, decided := j.decide(&a, r, v)
		if decided {
			return a, nil
		}
		if closest == nil || v.Error < closest.Error {
			closest, worst = v, gap
		}
	}
	if j.yes == check.MemberYes {
		if len(attempts) > 1 {
			j.gaps(&a, closest)
		}
		j.tie(&a, r, closest, worst)
	}
	return a, nil
}

// tie tries to prove that no pair misses its margin by much more than the worst one, after gaps.
func (j *judge) tie(a *Answer, r *reward, v *sparse.Solution, worst Gap) {
	c := j.certificate(check.MemberTie, r)
	c.Values = j.pick(v.Values)
	c.Tolerance = max(0, j.g.margin(worst.Untaken)-worst.Value) + 2*worst.Error
	a.Why = j.believed(a, c.Tolerance)
	if j.prove(a, Tie, c) {
		a.Tolerance = c.Tolerance
	}
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

// decide judges by values and their error. It returns the worst pair, and whether it came to a verdict.
func (j *judge) decide(a *Answer, r *reward, v *sparse.Solution) (worst Gap, decided bool) {
	worst, same := j.gaps(a, v)
	c := j.certificate(check.MemberNo, r)
	c.Values = j.pick(v.Values)
	switch {
	case same.Taken != same.Untaken && j.g.margin(same.Untaken) > 0:
		worst = same
	case worst.Taken != worst.Untaken && worst.Value+worst.Error < j.g.margin(worst.Untaken):
	default:
		return worst, j.accept(a, r, v, worst.Error, c)
	}
	a.Violated = &worst
	a.Why = fmt.Sprintf("in state %s, choice %s is worth %.6g less than it must be against %s",
		j.g.Model.StateName(worst.State), j.g.Model.ActionName(worst.Taken), j.g.margin(worst.Untaken)-worst.Value, j.g.Model.ActionName(worst.Untaken))
	c.Pair = &check.Pair{State: worst.State, Taken: worst.Taken, Untaken: worst.Untaken}
	if !j.prove(a, No, c) {
		a.Violated = nil
	}
	return worst, a.Verdict == No
}

// accept tries to prove a yes, by values whose gaps are exact within some bound.
func (j *judge) accept(a *Answer, r *reward, v *sparse.Solution, within float64, c *Certificate) bool {
	a.Why = j.believed(a, within)
	c.Kind = j.yes
	if a.NumTies == 0 || !j.exactTies {
		return j.prove(a, Yes, c) && j.tied(a, within)
	}
	sigma, keys := j.sigma(v), r.keys()
	of := clusters(j.g.Model, j.relevantStates(), v.Values, keys)
	likely := of != nil && j.plausible(a, v, sigma, of)
	if likely {
		if j.addClasses(c, sigma, of); j.prove(a, Yes, c) {
			return j.tied(a, within)
		}
	}
	if !likely && j.restricted().NumBranches() > check.ExactBranches {
		return false
	}
	j.addClasses(c, sigma, valueClasses(j.g.Model, j.relevantStates(), sigma, keys))
	return j.prove(a, Yes, c) && j.tied(a, within)
}

// believed says what values say that are exact within some bound.
func (j *judge) believed(a *Answer, within float64) string {
	switch {
	case a.NumTies == 0 && math.IsInf(a.LeastGap, 1):
		return "no choice of S_train differs from the taken one"
	case a.NumTies == 0:
		return fmt.Sprintf("every untaken choice of S_train is worse by at least %.6g, or the same", a.LeastGap)
	case j.exactTies:
		return fmt.Sprintf("%d untaken choices of S_train tie with the taken one within %.3g", a.NumTies, within)
	}
	return fmt.Sprintf("%d untaken choices of S_train come within %.3g of the margin", a.NumTies, within)
}

// tied says what the ties of a proved yes are.
func (j *judge) tied(a *Answer, within float64) bool {
	switch a.Why = j.believed(a, within); {
	case a.NumTies == 0:
	case j.exactTies:
		a.Why += ", and are proved to be no better"
	default:
		a.Why += ", and are proved to keep it"
	}
	return true
}

// gaps compares every untaken choice of S_train with the taken one. It returns the gap between
// different distributions that is smallest against its margin, and one pair of equal distributions,
// if possible one that needs a margin; a Gap whose choices are equal stands for none. It sets the ties
// and the least gap of the answer.
func (j *judge) gaps(a *Answer, v *sparse.Solution) (worst, same Gap) {
	g := &j.g
	worst.Value = math.Inf(1)
	a.LeastGap = math.Inf(1)
	least := math.Inf(1) // of what a gap exceeds its margin by
	a.Ties, a.NumTies, j.exactTies = nil, 0, false
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
				j.exactTies = j.exactTies || margin == 0
				if len(a.Ties) < MaxTies {
					a.Ties = append(a.Ties, gap)
				}
			}
		}
	}
	return worst, same
}

// relevantStates returns the relevant states in increasing order.
func (j *judge) relevantStates() []uint32 {
	if len(j.states) == j.relevant.Count() {
		return j.states
	}
	return slices.AppendSeq([]uint32(nil), j.relevant.All())
}

// sigma returns the policy of the proof of ties: that of training, and outside S_train a best one by
// the values found.
func (j *judge) sigma(v *sparse.Solution) []uint32 {
	m := j.g.Model
	sigma := make([]uint32, m.NumStates())
	for _, s := range j.relevantStates() {
		if lo, hi := m.Choices(s); lo < hi {
			here, _ := j.model.Choices(s)
			sigma[s] = lo + v.Policy[s] - here
			if j.g.Train.Has(s) {
				sigma[s] = j.g.Policy[s]
			}
		}
	}
	return sigma
}

// plausible reports whether every choice of a relevant state that is not worse than the policy's by more than
// the error leads alike, as far as groups of states tell; else they prove nothing.
func (j *judge) plausible(a *Answer, v *sparse.Solution, sigma, of []uint32) bool {
	m, slack := j.g.Model, a.Ties[0].Error
	group := func(t uint32) uint32 {
		if of[t] == 0 {
			return sparse.None
		}
		return of[t]
	}
	for _, s := range j.relevantStates() {
		lo, hi := m.Choices(s)
		if hi-lo < 2 {
			continue
		}
		q := m.Expectation(sigma[s], v.Values)
		for c := lo; c < hi; c++ {
			if c != sigma[s] && j.g.Discount*(q-m.Expectation(c, v.Values)) <= slack && !j.rows.same(m, c, sigma[s], group) {
				return false
			}
		}
	}
	return true
}

// addClasses gives a certificate the policy and the classes that may prove exact ties.
func (j *judge) addClasses(c *Certificate, sigma, of []uint32) {
	c.Sigma = make([]int64, len(j.states))
	c.Classes = make([]uint32, len(j.states))
	for i, s := range j.states {
		c.Sigma[i] = -1
		if j.relevant.Has(s) {
			c.Classes[i] = of[s]
			if !j.g.Model.Terminal(s) {
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
