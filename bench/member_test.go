package bench

import (
	"context"
	"fmt"
	"testing"

	"offswitch"
	"offswitch/lp"
	"offswitch/sparse"
)

// training returns the training-compatible goal set of a model of this package.
func training(tb testing.TB, x *instance, discount float64) lp.GoalSet {
	q := offswitch.Question{Model: x.MDP, Discount: discount, Reward: x.Rewards()[0].Name}
	t, err := offswitch.Train(context.Background(), q)
	if err != nil {
		tb.Fatal(err)
	}
	return t.GoalSet(q)
}

// BenchmarkMember asks whether the training reward is in the goal set: what lp.Member takes, with its
// certificate made and checked. The metric solves is that as a multiple of one discounted solve of the
// same model, and region-solves as one of the states alone that training reaches by any choices, which is
// all that Member looks at.
func BenchmarkMember(b *testing.B) {
	const discount = 0.99
	for _, name := range []string{"coinrun", "slipcoinrun", "grid", "slipgrid", "random", "ring"} {
		for states := 10_000; states <= *largest; states *= 10 {
			b.Run(fmt.Sprintf("%s/%d", name, states), func(b *testing.B) {
				x := instanceOf(b, subjectOf(b, name), states, local)
				g := training(b, x, discount)
				whole := fastest(solving(x, discount)).Seconds()
				region := fastest(solving(&instance{MDP: reached(g), reward: x.reward}, discount)).Seconds()
				var answer lp.Answer
				extra := allocated(func() { answer = member(b, g, x.reward) })
				for b.Loop() {
					member(b, g, x.reward)
				}
				each := b.Elapsed().Seconds() / float64(b.N)
				n := float64(x.NumStates())
				b.ReportMetric(n/each, "states/s")
				b.ReportMetric(each/whole, "solves")
				b.ReportMetric(each/region, "region-solves")
				b.ReportMetric(extra/n, "extra-bytes/state")
				b.ReportMetric(float64(answer.NumTies), "ties")
			})
		}
	}
}

func member(tb testing.TB, g lp.GoalSet, theta []float64) lp.Answer {
	a, err := lp.Member(context.Background(), g, theta)
	if err != nil || a.Verdict == lp.No || a.Verdict == lp.Undecided {
		tb.Fatal(a.Verdict, a.Why, err)
	}
	return a
}

// reached returns the model in which states that training does not reach are terminal.
func reached(g lp.GoalSet) *sparse.MDP {
	relevant, n := g.Relevant(), g.Model.NumStates()
	if relevant.Count() == n {
		return g.Model
	}
	return g.Model.WithoutChoices(relevant.Complement(n))
}
