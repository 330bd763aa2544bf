package check_test

import (
	"fmt"
	"math/big"
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
