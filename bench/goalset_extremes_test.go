package bench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"offswitch/lp"
	"offswitch/lp/interior"
)

// freeSets are goal sets in which every reward is free: the feasible one of GoalSet, and that of training in
// slipcoinrun, half of whose states training cannot reach.
var freeSets = []string{"feasible", "slipcoinrun"}

func freeSet(tb testing.TB, name string, states int) lp.GoalSet {
	if name == "feasible" {
		return goalSet(tb, name, states)
	}
	return training(tb, instanceOf(tb, subjectOf(tb, name), states, local), goalSetDiscount)
}

// trained returns the feature of the first state of S_train.
func trained(tb testing.TB, g lp.GoalSet) lp.Feature {
	return feature(tb, g.Model, fmt.Sprintf("#%d", g.Train.First()))
}

// BenchmarkExtremes finds the largest margin, and the range of the reward of one state, where every reward
// is free. The metrics ending in gap are what is not proved of them.
func BenchmarkExtremes(b *testing.B) {
	ctx := context.Background()
	for states := 1000; states <= min(*largest, 100_000); states *= 10 {
		for _, name := range freeSets {
			g := freeSet(b, name, states)
			b.Run(fmt.Sprintf("%s/margin/%d", name, states), func(b *testing.B) {
				var e lp.Extreme
				for b.Loop() {
					var err error
					var a lp.Answer
					if a, e, err = lp.LargestMargin(ctx, g, interior.Solver{}); err != nil || a.Verdict != lp.Yes {
						b.Fatal(a.Verdict, a.Why, err)
					}
				}
				b.ReportMetric(e.Value, "margin")
				b.ReportMetric(e.Limit-e.Value, "margin-gap")
			})
			b.Run(fmt.Sprintf("%s/range/%d", name, states), func(b *testing.B) {
				var least, greatest lp.Extreme
				for b.Loop() {
					var err error
					var a lp.Answer
					if a, least, greatest, err = lp.Range(ctx, g, trained(b, g), interior.Solver{}); err != nil || a.Verdict != lp.Yes {
						b.Fatal(a.Verdict, a.Why, err)
					}
				}
				b.ReportMetric(greatest.Value-least.Value, "width")
				b.ReportMetric(greatest.Limit-greatest.Value+least.Value-least.Limit, "width-gap")
			})
		}
	}
}

// extremesTable measures what BenchmarkExtremes does.
func extremesTable(t *testing.T) string {
	ctx := context.Background()
	var b strings.Builder
	fmt.Fprintln(&b, "| goal set | states | that matter | largest margin | not proved of it | time | range | not proved of it | time |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|--:|--:|---|--:|--:|")
	for states := 1000; states <= min(*largest, 100_000); states *= 10 {
		for _, name := range freeSets {
			g := freeSet(t, name, states)
			start := time.Now()
			a, e, err := lp.LargestMargin(ctx, g, interior.Solver{})
			if err != nil || a.Verdict != lp.Yes {
				t.Fatal(a.Verdict, a.Why, err)
			}
			fmt.Fprintf(&b, "| %s | %d | %d | %.5f | %.0e | %.1f s |", name, g.Model.NumStates(), g.Relevant().Count(), e.Value, e.Limit-e.Value, time.Since(start).Seconds())
			start = time.Now()
			a, least, greatest, err := lp.Range(ctx, g, trained(t, g), interior.Solver{})
			if err != nil || a.Verdict != lp.Yes {
				t.Fatal(a.Verdict, a.Why, err)
			}
			open := greatest.Limit - greatest.Value + least.Value - least.Limit
			fmt.Fprintf(&b, " %.5f to %.5f | %.0e | %.1f s |\n", least.Value, greatest.Value, open, time.Since(start).Seconds())
		}
	}
	return b.String()
}
