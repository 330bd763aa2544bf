package lp_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
	"offswitch/sparse"
)

// goals returns a goal set on a model whose S_train is what π visits from state 0.
func goals(m *sparse.MDP, gamma float64, policy []uint32) lp.GoalSet {
	g := lp.GoalSet{Model: m, Discount: gamma, Policy: policy, Train: sparse.NewBitset(m.NumStates())}
	for stack := []uint32{0}; len(stack) > 0; {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if g.Train.Has(s) {
			continue
		}
		g.Train.Set(s)
		if !m.Terminal(s) {
			stack = append(stack, m.Targets(policy[s])...)
		}
	}
	return g
}

func build(t *testing.T, b *sparse.Builder) *sparse.MDP {
	t.Helper()
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// constrain adds constraints to a goal set.
func constrain(t *testing.T, g *lp.GoalSet, texts ...string) {
	t.Helper()
	for _, text := range texts {
		c, err := lp.ParseConstraint(g.Model, text)
		if err != nil {
			t.Fatal(err)
		}
		g.Constraints = append(slices.Clip(g.Constraints), c)
	}
}

func member(t *testing.T, g lp.GoalSet, theta []float64, want lp.Verdict) lp.Answer {
	t.Helper()
	a, err := lp.Member(context.Background(), g, theta)
	if err != nil {
		t.Fatal(err)
	}
	if a.Verdict != want {
		t.Fatalf("%v (%s, unproved %v), want %v", a.Verdict, a.Why, a.Unproved, want)
	}
	if want != lp.Undecided {
		accepted(t, g.Model, a.Certificate)
	}
	return a
}

func TestMemberAgainstLinearProgram(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 5))
	compared := 0
	for i := range 300 {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		theta := lptest.Reward(rng, g.Model, lower, upper)
		a, err := lp.Member(context.Background(), g, theta)
		if err != nil {
			t.Fatal(err)
		}
		e, err := lp.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		e.Fix(theta)
		r, err := interior.Solver{}.Solve(context.Background(), e.Problem)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(a.LeastGap-g.Margin) < 1e-6 || math.Abs(a.LeastGap) < 1e-6 || a.Verdict == lp.Undecided || r.Status == lp.Unknown {
			continue
		}
		compared++
		switch {
		case a.Verdict == lp.Yes && r.Status != lp.Optimal:
			t.Errorf("goal set %d: a member, but the linear program is %v", i, r.Status)
		case a.Verdict == lp.No && a.Closed && r.Status != lp.Infeasible:
			t.Errorf("goal set %d: not a member (%s), but the linear program is %v", i, a.Why, r.Status)
		}
	}
	if compared < 150 {
		t.Errorf("only %d of 300 compared", compared)
	}
}

// TestOuterRelaxation: s0 takes b to s1 outside S_train, and has a as well, to s2. The system alone
// would let v(s1) be anything large, so that b looks best whatever the rewards.
func TestOuterRelaxation(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "a", sparse.Branch{Target: 2, Probability: 1})
	b.AddChoice(0, "b", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(1, "stay", sparse.Branch{Target: 1, Probability: 1})
	m := build(t, b)
	g := lp.GoalSet{Model: m, Discount: 0.5, Train: sparse.NewBitset(3), Policy: []uint32{1, 2, sparse.None}}
	g.Train.Set(0)
	constrain(t, &g, "r[#1] = 0", "r[#2] >= 0.5")
	a, err := lp.Feasible(context.Background(), g, interior.Solver{})
	if err != nil || a.Verdict != lp.Undecided || a.Closed || len(a.Frontier) != 1 || a.Frontier[0] != 1 || !strings.Contains(a.Why, "outer relaxation") {
		t.Errorf("%+v, %v", a, err)
	}
	g.Train.Set(1)
	if a, err = lp.Feasible(context.Background(), g, interior.Solver{}); err != nil || a.Verdict != lp.No || !a.Closed {
		t.Errorf("closed: %+v, %v", a, err)
	}
	accepted(t, m, a.Certificate)
}

// TestExactTies: goals at the same distance by different ways, absorbing and terminal ones, and
// circles without reward are all exact ties.
func TestExactTies(t *testing.T) {
	const width = 9
	at := func(x, y int) uint32 { return uint32(y*width + x) }
	b := sparse.NewBuilder(width * width)
	for y := range width {
		for x := range width {
			if s := at(x, y); x == width-1 && y == width-1 {
				b.AddChoice(s, "stay", sparse.Branch{Target: s, Probability: 1})
				continue
			}
			slip := func(to, from uint32) []sparse.Branch {
				return []sparse.Branch{{Target: to, Probability: 0.9}, {Target: from, Probability: 0.1}}
			}
			s := at(x, y)
			b.AddChoice(s, "east", slip(at(min(x+1, width-1), y), s)...)
			b.AddChoice(s, "north", slip(at(x, min(y+1, width-1)), s)...)
			b.AddChoice(s, "west", slip(at(max(x-1, 0), y), s)...)
			b.AddChoice(s, "south", slip(at(x, max(y-1, 0)), s)...)
		}
	}
	m := build(t, b)
	theta := make([]float64, width*width)
	theta[at(width-1, width-1)] = 0.7
	solution, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.9, States: theta})
	if err != nil {
		t.Fatal(err)
	}
	g := goals(m, 0.9, solution.Policy)
	a := member(t, g, theta, lp.Yes)
	if a.NumTies == 0 || len(a.Certificate.Classes) == 0 || !strings.Contains(a.Why, "proved to be no better") {
		t.Errorf("%s; %d ties", a.Why, a.NumTies)
	}
	theta[at(1, 1)] = 1e-3
	member(t, goals(m, 0.9, solution.Policy), theta, lp.No)
	// Nothing anywhere: all policies tie; a positive margin is out of reach.
	theta = make([]float64, width*width)
	member(t, g, theta, lp.Yes)
	g.Margin = 1e-300
	member(t, g, theta, lp.No)
}

// TestLongChain: recursion would overflow, and refinement alone would not end, on 50,001 states. Two
// ways lead from each state to the next, so every choice of the chain is an exact tie.
func TestLongChain(t *testing.T) {
	t.Parallel()
	const n = 50001
	b := sparse.NewBuilder(2 * n)
	for s := range uint32(n - 1) {
		for _, from := range []uint32{s, n + s} {
			b.AddChoice(from, "here", sparse.Branch{Target: s + 1, Probability: 1})
			b.AddChoice(from, "there", sparse.Branch{Target: n + s + 1, Probability: 1})
		}
	}
	for _, s := range []uint32{n - 1, 2*n - 1} {
		b.AddChoice(s, "stay", sparse.Branch{Target: s, Probability: 1})
	}
	m := build(t, b)
	policy := make([]uint32, 2*n)
	for s := range policy {
		policy[s], _ = m.Choices(uint32(s))
	}
	theta := make([]float64, 2*n)
	for s := range n {
		theta[s] = float64(s%7) / 8
		theta[n+s] = theta[s]
	}
	g := goals(m, 0.5, policy)
	a := member(t, g, theta, lp.Yes)
	if a.NumTies != n-1 || len(a.Ties) != lp.MaxTies {
		t.Errorf("%d ties, %d listed", a.NumTies, len(a.Ties))
	}
	theta[2*n-1] += 0.1
	a = member(t, g, theta, lp.No)
	if v := a.Violated; v.State < n-10 || v.State >= n || v.Value > -0.05 {
		t.Errorf("violated %+v", v)
	}
}

// TestNegativeRewards: a model checker that silently takes them for 0 sees only ties.
func TestNegativeRewards(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "left", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "right", sparse.Branch{Target: 2, Probability: 1})
	b.AddChoice(1, "stay", sparse.Branch{Target: 1, Probability: 1})
	m := build(t, b)
	g := goals(m, 0.5, []uint32{0, 2, sparse.None})
	g.Lower, g.Upper = -1, 1
	member(t, g, []float64{0, -0.5, -0.5}, lp.No)   // -1 for staying, against -0.5 for ending
	member(t, g, []float64{0, -0.25, -0.5}, lp.Yes) // an exact tie, by values that are exact
	member(t, g, []float64{0, -0.125, -0.5}, lp.Yes)
	member(t, g, []float64{0, 0.25, 0.5}, lp.Yes)
	a := member(t, g, []float64{0, -0.5, -2}, lp.No)
	if a.Violated != nil || !strings.Contains(a.Why, "not in [-1,1]") {
		t.Errorf("%s, %v", a.Why, a.Violated)
	}
}

// TestFeasibleRepairsEquations: r = 0.3·r' + 0.1 has no solution in float64 near most r'.
func TestFeasibleRepairsEquations(t *testing.T) {
	b := sparse.NewBuilder(4)
	b.AddChoice(0, "left", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "right", sparse.Branch{Target: 2, Probability: 1})
	b.AddChoice(0, "on", sparse.Branch{Target: 3, Probability: 1})
	m := build(t, b)
	g := goals(m, 0.9, []uint32{0, sparse.None, sparse.None, sparse.None})
	constrain(t, &g, "r[#1] = 0.3 r[#2] + 0.1", "r[#2] >= 0.05", "r[#3] = 0.7 r[#2]")
	a, e, err := lp.LargestMargin(context.Background(), g, interior.Solver{})
	if err != nil || a.Verdict != lp.Yes {
		t.Fatalf("%v %s, %v", a.Verdict, a.Why, err)
	}
	accepted(t, m, a.Certificate)
	// r1 - r2 = 0.1 - 0.7·r2 is greatest at r2 = 0.05.
	if want := 0.9 * (0.1 - 0.7*0.05); math.Abs(e.Value-want) > 1e-6 || math.Abs(e.Limit-want) > 1e-6 || math.Abs(a.LeastGap-want) > 1e-6 {
		t.Errorf("margin %v, at most %v, gap %v, want %v", e.Value, e.Limit, a.LeastGap, want)
	}
}

// TestForcedTies: a label makes two ways equal, so that there is no margin, and a condition keeps the third
// way worse all the same.
func TestForcedTies(t *testing.T) {
	b := sparse.NewBuilder(4)
	for s := uint32(1); s < 4; s++ {
		b.AddChoice(0, "go", sparse.Branch{Target: s, Probability: 1})
	}
	b.Label("goal", 1, 2)
	m := build(t, b)
	g := goals(m, 0.9, []uint32{0, sparse.None, sparse.None, sparse.None})
	constrain(t, &g, "r[goal] >= 0.2", "r[#3] >= 0.1", "r[#3] <= r[goal] - 0.3")
	a, err := lp.Feasible(context.Background(), g, interior.Solver{})
	if err != nil || a.Verdict != lp.Yes {
		t.Fatalf("%v %s, %v", a.Verdict, a.Why, err)
	}
	accepted(t, m, a.Certificate)
	if a.Theta[1] != a.Theta[2] || a.Theta[3] >= a.Theta[1] {
		t.Errorf("reward %v", a.Theta)
	}
}

// TestWeakChoicesDoNotLimitTheMargin: a weak choice ties with the taken one, and the margin against the other
// is that of the whole box, whatever margin is asked for.
func TestWeakChoicesDoNotLimitTheMargin(t *testing.T) {
	b := sparse.NewBuilder(4)
	for s := uint32(1); s < 4; s++ {
		b.AddChoice(0, "go", sparse.Branch{Target: s, Probability: 1})
	}
	m := build(t, b)
	g := goals(m, 0.9, []uint32{0, sparse.None, sparse.None, sparse.None})
	g.Weak = sparse.NewBitset(m.NumChoices())
	g.Weak.Set(1)
	constrain(t, &g, "r[#1] = r[#2]")
	for _, margin := range []float64{0, 0.1} {
		g.Margin = margin
		a, e, err := lp.LargestMargin(context.Background(), g, interior.Solver{})
		if err != nil || a.Verdict != lp.Yes {
			t.Fatalf("%v %s, %v", a.Verdict, a.Why, err)
		}
		proved(t, g, e)
		if math.Abs(e.Value-0.9) > 1e-6 || math.Abs(e.Limit-0.9) > 1e-6 {
			t.Errorf("margin from %v to %v, want 0.9", e.Value, e.Limit)
		}
	}
}

// failing is a solver that says what it is told to.
type failing struct {
	result lp.Result
	err    error
}

func (failing) Name() string { return "liar" }

func (f failing) Solve(_ context.Context, p *lp.Problem) (lp.Result, error) {
	return f.result, f.err
}

func TestSolversAreNotBelieved(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "a", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "b", sparse.Branch{Target: 2, Probability: 1})
	m := build(t, b)
	g := goals(m, 0.5, []uint32{0, sparse.None, sparse.None})
	constrain(t, &g, "r[#1] + r[#2] = 1.3") // which nothing that is tried before a solver comes near to
	e, err := lp.Encode(g)
	if err != nil {
		t.Fatal(err)
	}
	refusal := errors.New("too large")
	for name, f := range map[string]failing{
		"infeasible":                {result: lp.Result{Status: lp.Infeasible}},
		"infeasible, zeros":         {result: lp.Result{Status: lp.Infeasible, Y: make([]float64, e.Rows())}},
		"infeasible, not a number":  {result: lp.Result{Status: lp.Infeasible, Y: []float64{math.NaN(), 1, 1, 1, 1}}},
		"optimal, wrong length":     {result: lp.Result{Status: lp.Optimal, X: []float64{1}}},
		"optimal, not a number":     {result: lp.Result{Status: lp.Optimal, X: []float64{0, math.NaN(), 1, 0, 0, 0, 0}}},
		"optimal, but not a member": {result: lp.Result{Status: lp.Optimal, X: []float64{1, 0, 0.5, 1, 1, 1, 0}}},
		"unbounded":                 {result: lp.Result{Status: lp.Unbounded}},
		"unknown":                   {},
	} {
		a, err := lp.Feasible(context.Background(), g, f)
		if err != nil || a.Verdict != lp.Undecided || a.Certificate != nil || a.Why == "" {
			t.Errorf("%s: %v %q, %v", name, a.Verdict, a.Why, err)
		}
	}
	if _, err := lp.Feasible(context.Background(), g, failing{err: refusal}); !errors.Is(err, refusal) {
		t.Errorf("refusal: %v", err)
	}
	g.Constraints = nil
	a, err := lp.Feasible(context.Background(), g, failing{err: refusal})
	if err != nil || a.Verdict != lp.Yes {
		t.Errorf("θ = 0 without a solver: %v %s, %v", a.Verdict, a.Why, err)
	}
}

func TestErrors(t *testing.T) {
	b := sparse.NewBuilder(2)
	b.AddChoice(0, "a", sparse.Branch{Target: 1, Probability: 1})
	m := build(t, b)
	good := goals(m, 0.9, []uint32{0, sparse.None})
	for _, x := range []struct {
		change func(*lp.GoalSet)
		want   string
	}{
		{func(g *lp.GoalSet) { g.Discount = 1 }, "discount 1"},
		{func(g *lp.GoalSet) { g.Discount = math.NaN() }, "discount NaN"},
		{func(g *lp.GoalSet) { g.Margin = -1 }, "margin -1"},
		{func(g *lp.GoalSet) { g.Lower, g.Upper = 1, 0 }, "[1,0]"},
		{func(g *lp.GoalSet) { g.Upper = math.Inf(1) }, "box"},
		{func(g *lp.GoalSet) { g.Policy = []uint32{1, 0} }, "choice 1 is not one of its choices 0..0"},
	} {
		g := good
		x.change(&g)
		_, err := lp.Member(context.Background(), g, make([]float64, 2))
		_, err2 := lp.Feasible(context.Background(), g, nil)
		if err == nil || err2 == nil || !strings.Contains(err.Error(), x.want) || err.Error() != err2.Error() {
			t.Errorf("errors %v and %v, want %s", err, err2, x.want)
		}
	}
	if _, err := lp.Member(context.Background(), good, []float64{0, math.NaN()}); err == nil {
		t.Error("no error for a reward that is not a number")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := lp.Member(ctx, good, make([]float64, 2)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestExactFallback: with γ = ½ and rewards that are short in binary, the values are exact, and so is
// a tie that no classes show.
func TestExactFallback(t *testing.T) {
	b := sparse.NewBuilder(4)
	b.AddChoice(0, "short", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "long", sparse.Branch{Target: 2, Probability: 1})
	b.AddChoice(2, "on", sparse.Branch{Target: 3, Probability: 1})
	m := build(t, b)
	g := goals(m, 0.5, []uint32{0, sparse.None, 2, sparse.None})
	a := member(t, g, []float64{0.25, 0.5, 0.25, 0.5}, lp.Yes)
	if a.NumTies != 1 || a.Certificate.Kind != check.MemberYes {
		t.Errorf("%+v", a)
	}
}
