package lp_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io"
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
	if rng.IntN(8) == 0 {
		return provedByCases(t, rng)
	}
	for {
		g := lptest.GoalSet(rng, 6)
		lower, upper := lptest.Box(g)
		theta := lptest.Reward(rng, g.Model, lower, upper)
		if rng.IntN(2) == 0 {
			lptest.Constrain(rng, &g, theta)
		}
		if rng.IntN(4) == 0 {
			lptest.Feature(rng, &g)
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

// provedByCases returns random goal sets and proofs by cases that they are empty.
func provedByCases(t *testing.T, rng *rand.Rand) (lp.GoalSet, *lp.Certificate) {
	t.Helper()
	for {
		g := lptest.Contrary(rng)
		a, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			t.Fatal(err)
		}
		if a.Verdict != lp.No {
			continue
		}
		if c := lp.WhyNot(context.Background(), g, a.Certificate, interior.Solver{}, true); len(c.Proof.Cases) > 0 {
			return lptest.Without(g, c, -1), c.Proof
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
	constrain(t, &g, q.Constraints...)
	for _, name := range q.Features {
		f, err := lp.ParseFeature(m, name)
		if err != nil {
			t.Fatal(err)
		}
		g.Features = append(g.Features, f)
	}
	return g, q.Lower != 0 || q.Upper != 0
}

// holds reports whether what an accepted certificate claims is true, by exact arithmetic, and for
// an empty goal set by finding no proved member; by brute force where the proof takes cases, which Feasible does not.
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
		off := e.LeastExcess()
		return e.Allowed() && (off == nil || off.Cmp(new(big.Rat).SetFloat64(-c.Tolerance)) >= 0)
	}
	if len(c.Cases) > 0 {
		return lptest.Empty(g)
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
	if len(c.Cases) > 0 && rng.IntN(3) > 0 {
		mutateCases(rng, m, c, number, indices)
		return
	}
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
		switch rng.IntN(6) {
		case 0:
			c.Kind = []check.Kind{check.MemberYes, check.MemberNo, check.MemberTie, check.Feasible, check.Infeasible, "maybe"}[rng.IntN(6)]
		case 1:
			c.Exact = append(c.Exact, check.ExactTheta{State: rng.Uint32N(uint32(n + 1)), Value: []string{"1/3", "1/0", "x", "1e999999999", "0.5"}[rng.IntN(5)]})
		case 2:
			c.Model = strings.Repeat("0", 64)
		case 3:
			c.Schema = "offswitch.certificate/1"
		case 4:
			number(&c.Tolerance)
		case 5:
			if q.Features = append(q.Features, []string{"even", "label:both", "s0", "nobody", ""}[rng.IntN(5)]); rng.IntN(2) == 0 {
				q.Features = q.Features[1:]
			}
		}
	}
}

// mutateCases changes a proof by cases in one place, by functions that change a number and a list.
func mutateCases(rng *rand.Rand, m *sparse.MDP, c *lp.Certificate, number func(*float64), indices func(*[]uint32, int)) {
	i := rng.IntN(len(c.Cases))
	x := &c.Cases[i]
	switch rng.IntN(8) {
	case 0:
		c.Cases = slices.Delete(c.Cases, i, i+1)
	case 1:
		c.Cases = slices.Insert(c.Cases, i, *x)
	case 2:
		y := &c.Cases[rng.IntN(len(c.Cases))]
		x.Best, y.Best = y.Best, x.Best
	case 3:
		y := &c.Cases[rng.IntN(len(c.Cases))]
		x.Multipliers, y.Multipliers = y.Multipliers, x.Multipliers
	case 4:
		indices(&x.Best, m.NumChoices())
	case 5:
		indices(&x.Choices, m.NumChoices())
	case 6:
		c.Multipliers = x.Multipliers
		if rng.IntN(2) == 0 {
			c.Cases = nil
		}
	case 7:
		if len(x.ChoiceY) > 0 {
			number(&x.ChoiceY[rng.IntN(len(x.ChoiceY))])
		}
	}
}

// written returns the file of a certificate.
func written(t testing.TB, c *lp.Certificate) []byte {
	t.Helper()
	var file bytes.Buffer
	if err := c.Write(&file); err != nil {
		t.Fatal(err)
	}
	return file.Bytes()
}

func read(t *testing.T, m *sparse.MDP, file []byte) *lp.Certificate {
	t.Helper()
	c, err := check.ReadCertificate(bytes.NewReader(file), int64(len(file)), m)
	if err != nil {
		t.Fatal(err)
	}
	return c
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
		file := written(t, c)
		for range 40 {
			d := read(t, g.Model, file)
			for range 1 + rng.IntN(2) {
				mutate(rng, g.Model, d)
			}
			if len(check.Check(g.Model, d)) > 0 {
				rejected++
				continue
			}
			kept++
			if !holds(t, g.Model, d) {
				t.Fatalf("false certificate accepted:\n%+v\nmade from\n%+v", d, c)
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

// fuzzedVectors are the vectors of a certificate's file, with the type of their numbers.
var fuzzedVectors = []struct{ name, kind string }{
	{"train", "<u4"}, {"policy", "<u4"}, {"weak", "<u4"}, {"states", "<u4"}, {"theta", "<f8"}, {"values", "<f8"}, {"sigma", "<u4"}, {"classes", "<u4"},
	{"choices", "<u4"}, {"choice_y", "<f8"}, {"terminals", "<u4"}, {"terminal_y", "<f8"}, {"constraint_y", "<f8"},
}

// FuzzCertificate makes files of an object and of vectors, one byte for the length of each, about a
// model that a seed tells, and wants what is accepted to be true.
func FuzzCertificate(f *testing.F) {
	for seed := range uint64(20) {
		_, c := certified(new(testing.T), rand.New(rand.NewPCG(seed, 3)))
		data := written(f, c)
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			f.Fatal(err)
		}
		content := func(name string) []byte {
			file, err := z.Open(name)
			if err != nil {
				return nil
			}
			text, err := io.ReadAll(file)
			if err != nil {
				f.Fatal(err)
			}
			return text
		}
		var vectors []byte
		for _, v := range fuzzedVectors {
			x := content(v.name + ".npy")
			x = x[min(128, len(x)):]
			vectors = append(append(vectors, byte(len(x)/int(v.kind[2]-'0'))), x...)
		}
		f.Add(seed, content("certificate.json"), vectors)
	}
	f.Fuzz(func(t *testing.T, seed uint64, object, vectors []byte) {
		goals, _ := certified(t, rand.New(rand.NewPCG(seed, 3)))
		var file bytes.Buffer
		z := zip.NewWriter(&file)
		put := func(name string, content []byte) {
			if w, err := z.Create(name); err != nil {
				t.Fatal(err)
			} else if _, err := w.Write(content); err != nil {
				t.Fatal(err)
			}
		}
		put("certificate.json", object)
		for _, v := range fuzzedVectors {
			if len(vectors) == 0 {
				break
			}
			size := int(v.kind[2] - '0')
			n := min(int(vectors[0]), (len(vectors)-1)/size)
			content := vectors[1 : 1+n*size]
			vectors = vectors[1+n*size:]
			header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }", v.kind, n)
			put(v.name+".npy", append([]byte(fmt.Sprintf("\x93NUMPY\x01\x00\x76\x00%-117s\n", header)), content...))
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		certificate, err := check.ReadCertificate(bytes.NewReader(file.Bytes()), int64(file.Len()), goals.Model)
		if err != nil || len(check.Check(goals.Model, certificate)) > 0 {
			return
		}
		if !holds(t, goals.Model, certificate) {
			t.Errorf("false certificate accepted: %+v", certificate)
		}
	})
}
