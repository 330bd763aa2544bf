package check_test

import (
	"fmt"
	"math/big"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// Fractions with different huge denominators would make a sum of them take for ever; the checker
// refuses them before it adds.
func TestHugeFractionsAreRefused(t *testing.T) {
	const n = 300
	m, err := sparse.NewBuilder(n).Build()
	if err != nil {
		t.Fatal(err)
	}
	q := check.Question{Discount: 0.5, Upper: 1, Constraints: []string{"0"}}
	c := check.New(m, check.MemberYes, q)
	base := new(big.Int).Exp(big.NewInt(10), big.NewInt(2000), nil)
	for s := range uint32(n) {
		q := new(big.Int).Add(base, big.NewInt(int64(2*s+1)))
		p := new(big.Int).Div(q, big.NewInt(4))
		c.Question.Train, c.Question.Policy = append(c.Question.Train, s), append(c.Question.Policy, -1)
		c.States, c.Theta, c.Values = append(c.States, s), append(c.Theta, 0.25), append(c.Values, 0.25)
		c.Exact = append(c.Exact, check.ExactTheta{State: s, Value: fmt.Sprintf("%v/%v", p, q)})
		c.Question.Constraints[0] += fmt.Sprintf(" + r[#%d]", s)
	}
	c.Question.Constraints[0] += " >= 0.1"
	if v := check.Check(m, c); len(v) != 1 || !strings.Contains(v[0].Text, "take more than") {
		t.Errorf("%d violations, the first %.200v", len(v), v)
	}
}

// What is found does not depend on how many cores look for it.
func TestAnyNumberOfWorkers(t *testing.T) {
	const n = 60_000
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		b.AddChoice(s, "on", sparse.Branch{Target: (s + 1) % n, Probability: 1})
		b.AddChoice(s, "back", sparse.Branch{Target: (s + n - 1) % n, Probability: 0.9}, sparse.Branch{Target: s, Probability: 0.1})
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(4, 0))
	c := check.New(m, check.MemberYes, check.Question{Discount: 0.9, Upper: 1})
	for s := range uint32(n) {
		c.Question.Train, c.Question.Policy = append(c.Question.Train, s), append(c.Question.Policy, int64(2*s))
		c.States, c.Theta, c.Values = append(c.States, s), append(c.Theta, 0.5), append(c.Values, 5+1e-9*rng.Float64())
		c.Sigma, c.Classes = append(c.Sigma, int64(2*s)), append(c.Classes, 1)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	var first []check.Violation
	for _, workers := range []int{1, 2, 7} {
		runtime.GOMAXPROCS(workers)
		switch v := check.Check(m, c); {
		case first == nil:
			first = v
		case !slices.Equal(first, v):
			t.Errorf("%d workers find %d violations, from %v to %v; one finds %d, from %v to %v", workers, len(v), v[0], v[len(v)-1], len(first), first[0], first[len(first)-1])
		}
	}
	if len(first) != check.MaxViolations+1 {
		t.Errorf("%d violations: %v", len(first), first)
	}
}
