package bench

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

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

// memberFamilies are the families that member is measured on.
var memberFamilies = []string{"coinrun", "slipcoinrun", "grid", "slipgrid", "random", "ring"}

// BenchmarkMember asks whether the training reward is in the goal set: what lp.Member takes, with its
// certificate made and checked. The metric solves is that as a multiple of one discounted solve of the
// same model, and region-solves as one of the states alone that training reaches by any choices, which is
// all that Member looks at.
func BenchmarkMember(b *testing.B) {
	const discount = 0.99
	for _, name := range memberFamilies {
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

// memberTable measures member for the training reward, at up to a million states.
func memberTable(t *testing.T) string {
	const discount = 0.99
	var b strings.Builder
	fmt.Fprintln(&b, "| family | states | member | in solves of the model | of the states reached | answer | pairs that tie |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|--:|---|--:|")
	for _, name := range memberFamilies {
		x := instanceOf(t, subjectOf(t, name), min(*largest, 1_000_000), local)
		g := training(t, x, discount)
		whole, region := solving(x, discount), solving(&instance{MDP: reached(g), reward: x.reward}, discount)
		var a lp.Answer
		took := [3]float64{math.Inf(1), math.Inf(1), math.Inf(1)}
		for begun := time.Now(); time.Since(begun) < 10*time.Second; { // in turns, as all of them depend on what else runs
			for i, run := range []func(){func() { a = member(t, g, x.reward) }, whole, region} {
				start := time.Now()
				run()
				took[i] = min(took[i], time.Since(start).Seconds())
			}
		}
		fmt.Fprintf(&b, "| %s | %d | %.2f s | %.2f | %.2f | %v | %d |\n", name, x.NumStates(), took[0], took[0]/took[1], took[0]/took[2], a.Verdict, a.NumTies)
	}
	return b.String()
}
