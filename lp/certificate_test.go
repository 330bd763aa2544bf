package lp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
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

// certified returns random goal sets and certificates about them, of every kind.
func certified(t *testing.T, rng *rand.Rand) (lp.GoalSet, *lp.Certificate) {
	t.Helper()
	for {
		g := lptest.GoalSet(rng, 6)
		lower, upper := lptest.Box(g)
		theta := lptest.Reward(rng, g.Model, lower, upper)
		if rng.IntN(2) == 0 {
			lptest.Constrain(rng, &g, theta)
		}
		var a lp.Answer
		var err error
		if rng.IntN(2) == 0 {
			a, err = lp.Member(context.Background(), g, theta)
		} else {
			a, err = lp.Feasible(context.Background(), g, interior.Solver{})
		}
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict != lp.Undecided {
			return g, a.Certificate
		}
	}
}

// goalSet returns the goal set that a certificate speaks of; false where GoalSet cannot express it.
func goalSet(t *testing.T, m *sparse.MDP, q check.Question) (lp.GoalSet, bool) {
	t.Helper()
	g := lp.GoalSet{Model: m, Discount: q.Discount, Margin: q.Margin, Lower: q.Lower, Upper: q.Upper,
		Train: sparse.NewBitset(m.NumStates()), Policy: make([]uint32, m.NumStates())}
	for i, s := range q.Train {
		g.Train.Set(s)
		g.Policy[s] = uint32(q.Policy[i])
	}
	g.Weak = sparse.NewBitset(m.NumChoices())
	for _, c := range q.Weak {
		g.Weak.Set(c)
	}
	for _, text := range q.Constraints {
		c, err := lp.ParseConstraint(m, text)
		if err != nil {
			t.Fatal(err)
		}
		g.Constraints = append(g.Constraints, c)
	}
	return g, q.Lower != 0 || q.Upper != 0
}

// holds reports whether what an accepted certificate claims is true, by exact arithmetic, and for
// an empty goal set by finding no proved member.
func holds(t *testing.T, m *sparse.MDP, c *lp.Certificate) bool {
	t.Helper()
	g, ok := goalSet(t, m, c.Question)
	if !ok {
		return true
	}
	switch c.Kind {
	case check.MemberYes, check.Feasible:
		return lptest.NewExact(g, exactTheta(t, m, c)).Member()
	case check.MemberNo:
		return !lptest.NewExact(g, exactTheta(t, m, c)).Member()
	case check.MemberTie:
		e := lptest.NewExact(g, exactTheta(t, m, c))
		least, gap := new(big.Rat).SetFloat64(g.Margin), e.LeastGap()
		least.Sub(least, new(big.Rat).SetFloat64(c.Tolerance))
		return e.Allowed() && (gap == nil || gap.Cmp(least) >= 0)
	}
	a, err := lp.Feasible(context.Background(), g, interior.Solver{})
	return err == nil && a.Verdict != lp.Yes
}

// mutate changes a certificate in one place.
func mutate(rng *rand.Rand, m *sparse.MDP, c *lp.Certificate) {
	number := func(x *float64) {
		switch rng.IntN(8) {
		case 0:
			*x = math.Nextafter(*x, math.Inf(1-2*rng.IntN(2)))
		case 1:
			*x += 1e-9 * (rng.Float64() - 0.5)
		case 2:
			*x += 0.2 * (rng.Float64() - 0.5)
		case 3:
			*x = -*x
		case 4:
			*x = []float64{0, 1, -1, 1e300, -1e300, math.NaN(), math.Inf(1)}[rng.IntN(7)]
		case 5:
			*x *= 1 + rng.Float64()
		case 6:
			*x /= 2
		case 7:
			*x = 0
		}
	}
	numbers := func(x *[]float64) {
		switch {
		case len(*x) == 0 || rng.IntN(12) == 0:
			*x = append(*x, rng.Float64())
		case rng.IntN(12) == 0:
			*x = (*x)[:len(*x)-1]
		case rng.IntN(8) == 0:
			for i := range *x {
				(*x)[i] += 1e-3
			}
		default:
			number(&(*x)[rng.IntN(len(*x))])
		}
	}
	indices := func(x *[]uint32, n int) {
		switch {
		case len(*x) == 0 || rng.IntN(6) == 0:
			*x = append(*x, rng.Uint32N(uint32(n+1)))
		case rng.IntN(6) == 0:
			i := rng.IntN(len(*x))
			*x = slices.Delete(*x, i, i+1)
		default:
			(*x)[rng.IntN(len(*x))] = []uint32{rng.Uint32N(uint32(n + 1)), 0, sparse.None}[rng.IntN(3)]
		}
	}
	choices := func(x *[]int64) {
		if len(*x) == 0 || rng.IntN(12) == 0 {
			*x = append(*x, -1)
			return
		}
		(*x)[rng.IntN(len(*x))] = []int64{rng.Int64N(int64(m.NumChoices() + 1)), -1, math.MaxInt64, math.MinInt64}[rng.IntN(4)]
	}
	q, n := &c.Question, m.NumStates()
	switch rng.IntN(20) {
	case 0, 1:
		numbers(&c.Theta)
	case 2, 3:
		numbers(&c.Values)
	case 4:
		numbers(&c.ChoiceY)
	case 5:
		numbers(&c.ConstraintY)
	case 6:
		numbers(&c.TerminalY)
	case 7:
		indices(&c.Choices, m.NumChoices())
	case 8:
		choices(&c.Sigma)
	case 9:
		indices(&c.Classes, n)
	case 10:
		indices(&c.States, n)
	case 11:
		indices(&q.Train, n)
		if rng.IntN(2) == 0 {
			q.Policy = q.Policy[:min(len(q.Train), len(q.Policy))]
		}
	case 12:
		choices(&q.Policy)
	case 13:
		if number(&q.Margin); rng.IntN(2) == 0 {
			indices(&q.Weak, m.NumChoices())
		}
	case 14:
		number(&q.Discount)
	case 15:
		number(&q.Lower)
	case 16:
		number(&q.Upper)
	case 17:
		q.Constraints = append(q.Constraints, []string{"r[s0] >= 0.5", "r[even] - r[s1] <= 0", "r[s0] = r[s1]", "r[", "r[nobody] >= 1", ""}[rng.IntN(6)])
		if rng.IntN(2) == 0 {
			q.Constraints = q.Constraints[1:]
		}
		if c.Kind == check.Infeasible && rng.IntN(2) == 0 {
			c.ConstraintY = append(c.ConstraintY, 0)
		}
	case 18:
		if c.Pair == nil {
			c.Pair = &check.Pair{}
		}
		c.Pair.State, c.Pair.Untaken = rng.Uint32N(uint32(n+1)), rng.Uint32N(uint32(m.NumChoices()+1))
		if rng.IntN(2) == 0 {
			c.Pair = nil
		}
	case 19:
		switch rng.IntN(4) {
		case 0:
			c.Kind = []check.Kind{check.MemberYes, check.MemberNo, check.Feasible, check.Infeasible, "maybe"}[rng.IntN(5)]
		case 1:
			c.Exact = append(c.Exact, check.ExactTheta{State: rng.Uint32N(uint32(n + 1)), Value: []string{"1/3", "1/0", "x", "1e999999999", "0.5"}[rng.IntN(5)]})
		case 2:
			c.Model = strings.Repeat("0", 64)
		case 3:
			c.Schema = "offswitch.certificate/2"
		}
	}
}

func clone(t *testing.T, c *lp.Certificate) *lp.Certificate {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	d := new(lp.Certificate)
	if err := json.Unmarshal(text, d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMutatedCertificatesAreRejectedOrTrue(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(*seed, 2))
	kinds := map[check.Kind]int{}
	rejected, kept := 0, 0
	for range 150 {
		g, c := certified(t, rng)
		kinds[c.Kind]++
		accepted(t, g.Model, c)
		for range 40 {
			d := clone(t, c)
			for range 1 + rng.IntN(2) {
				mutate(rng, g.Model, d)
			}
			if len(check.Check(g.Model, d)) > 0 {
				rejected++
				continue
			}
			kept++
			if !holds(t, g.Model, d) {
				before, _ := json.Marshal(c)
				after, _ := json.Marshal(d)
				t.Fatalf("false certificate accepted:\n%s\nmade from\n%s", after, before)
			}
		}
		other := lptest.Model(rng, 6)
		if v := check.Check(other, c); other.Hash() != g.Model.Hash() && (len(v) == 0 || v[0].Rule != "model") {
			t.Errorf("another model: %v", v)
		}
	}
	t.Logf("%v: %d rejected, %d accepted and true", kinds, rejected, kept)
	if len(kinds) < 4 || rejected < 1000 || kept < 1000 {
		t.Errorf("%v: %d rejected, %d accepted", kinds, rejected, kept)
	}
}

func TestCheckReportsEveryViolation(t *testing.T) {
	n := 300
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		b.AddChoice(s, "a", sparse.Branch{Target: s, Probability: 1})
		b.AddChoice(s, "b", sparse.Branch{Target: (s + 1) % uint32(n), Probability: 1})
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	g := lp.GoalSet{Model: m, Discount: 0.5, Train: sparse.NewBitset(n), Policy: make([]uint32, n)}
	for s := range uint32(n) {
		g.Train.Set(s)
		g.Policy[s] = 2 * s
	}
	a, err := lp.Member(context.Background(), g, make([]float64, n))
	if err != nil || a.Verdict != lp.Yes {
		t.Fatal(a.Verdict, err)
	}
	c := a.Certificate
	for i := range c.Theta {
		c.Theta[i] = 2
	}
	v := check.Check(m, c)
	if len(v) != check.MaxViolations+1 || v[0].Rule != "box" || v[len(v)-1].Rule != "more" {
		t.Fatalf("%d violations, from %v to %v", len(v), v[0], v[len(v)-1])
	}
	// 300 rewards out of the box, 300 states not worth 0, 300 choices not proved.
	if !strings.HasPrefix(v[len(v)-1].Text, "800 ") {
		t.Errorf("last violation %v", v[len(v)-1])
	}
}

func TestReadCertificateErrors(t *testing.T) {
	for _, x := range []struct{ text, want string }{
		{"", "EOF"},
		{"{", "unexpected EOF"},
		{`{"schema":"offswitch.certificate/2"}`, `schema "offswitch.certificate/2", want "offswitch.certificate/1"`},
		{`{"schema":"offswitch.certificate/1","thetta":[1]}`, "unknown field"},
		{`{"schema":"offswitch.certificate/1","theta":[1e999]}`, "1e999"},
		{`{"schema":"offswitch.certificate/1","states":[-1]}`, "-1"},
		{`{"schema":"offswitch.certificate/1"} {}`, "follows the end"},
	} {
		if _, err := check.ReadCertificate(strings.NewReader(x.text)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q", x.text, err, x.want)
		}
	}
	c := &lp.Certificate{Schema: check.Schema, Theta: []float64{math.NaN()}}
	if err := c.Write(new(bytes.Buffer)); err == nil {
		t.Error("not a number was written")
	}
}

func FuzzCertificate(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 3))
	m := lptest.Model(rng, 6)
	for range 20 {
		var text bytes.Buffer
		g, c := certified(new(testing.T), rng)
		m = g.Model
		if err := c.Write(&text); err != nil {
			f.Fatal(err)
		}
		f.Add(text.Bytes())
	}
	hash := m.Hash()
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := check.ReadCertificate(bytes.NewReader(text))
		if err != nil {
			return
		}
		c.Model = fmt.Sprintf("%x", hash)
		if len(c.Question.Train) > 10 || len(check.Check(m, c)) > 0 {
			return
		}
		if !holds(t, m, c) {
			t.Errorf("false certificate accepted: %s", text)
		}
	})
}
