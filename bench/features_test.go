package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"offswitch/lp"
	"offswitch/sparse"
)

const featureDiscount = 0.95

// featured returns the goal set of training on a model in which every state has one of some features, at
// random, with a random reward each, and in which training starts from a tenth of the states that it can
// reach, too. What is asked for is a reward that tells two of the features apart.
func featured(tb testing.TB, x *instance, features int) lp.GoalSet {
	rng := rand.New(rand.NewPCG(1, uint64(features)))
	n := x.NumStates()
	worth, labels := make([]float64, features), make([]sparse.Label, features)
	for i := range labels {
		worth[i] = rng.Float64()
		labels[i] = sparse.Label{Name: fmt.Sprintf("f%d", i), States: sparse.NewBitset(n)}
	}
	theta := make([]float64, n)
	for s := range theta {
		i := rng.IntN(features)
		labels[i].States.Set(uint32(s))
		theta[s] = worth[i]
	}
	probability := make([]float64, x.NumBranches())
	x.CopyProbabilities(probability, 0)
	m, err := sparse.New(sparse.Parts{
		ChoiceStart: x.ChoiceStarts(), BranchStart: x.BranchStarts(), Target: x.AllTargets(), Probability: sparse.RawFloats(probability), Labels: labels,
	})
	if err != nil {
		tb.Fatal(err)
	}
	v, err := m.Solve(context.Background(), sparse.Problem{Discount: featureDiscount, States: theta})
	if err != nil {
		tb.Fatal(err)
	}
	g := lp.GoalSet{Model: m, Discount: featureDiscount, Train: sparse.NewBitset(n), Policy: v.Policy}
	start, _ := x.Label("train")
	g.Train = start.Clone()
	for s := range g.Relevant().All() {
		if rng.IntN(10) == 0 {
			g.Train.Set(s)
		}
	}
	for closed, more := g.Closed(); !closed; closed, more = g.Closed() {
		for _, s := range more {
			g.Train.Set(s)
		}
	}
	for _, l := range labels {
		g.Features = append(g.Features, feature(tb, m, l.Name))
	}
	best, worst := slices.Index(worth, slices.Max(worth)), slices.Index(worth, slices.Min(worth))
	c, err := lp.ParseConstraint(m, fmt.Sprintf("r[f%d] - r[f%d] >= 0.5", best, worst))
	if err != nil {
		tb.Fatal(err)
	}
	g.Constraints = []lp.Constraint{c}
	return g
}

func feature(tb testing.TB, m *sparse.MDP, name string) lp.Feature {
	f, err := lp.ParseFeature(m, name)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

// BenchmarkFeatures decides goal sets with 64 features: whether there is a reward, whether there is one when
// a trained action is flipped to another, the largest margin, and the range of one feature.
func BenchmarkFeatures(b *testing.B) {
	ctx := context.Background()
	must := func(b *testing.B, a lp.Answer, err error, want lp.Verdict) {
		if err != nil || a.Verdict != want {
			b.Fatal(a.Verdict, a.Why, err)
		}
	}
	for _, name := range []string{"slipgrid", "random"} {
		for states := 10_000; states <= *largest; states *= 10 {
			x := instanceOf(b, subjectOf(b, name), states, local)
			g := featured(b, x, 64)
			run := func(what string, f func(b *testing.B)) {
				b.Run(fmt.Sprintf("%s/%s/%d", name, what, states), func(b *testing.B) {
					for b.Loop() {
						f(b)
					}
					b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
				})
			}
			run("feasible", func(b *testing.B) {
				a, err := lp.Feasible(ctx, g, nil)
				must(b, a, err, lp.Yes)
			})
			flipped := g
			flipped.Policy = slices.Clone(g.Policy)
			flip(&flipped)
			run("flip", func(b *testing.B) {
				a, err := lp.Feasible(ctx, flipped, nil)
				must(b, a, err, lp.No)
			})
			run("margin", func(b *testing.B) {
				a, e, err := lp.LargestMargin(ctx, g, nil)
				must(b, a, err, lp.Yes)
				b.ReportMetric(e.Value, "margin")
				b.ReportMetric(e.Limit-e.Value, "margin-gap")
			})
			run("range", func(b *testing.B) {
				a, least, greatest, err := lp.Range(ctx, g, g.Features[2], nil)
				must(b, a, err, lp.Yes)
				b.ReportMetric(greatest.Value-least.Value, "width")
				b.ReportMetric(greatest.Limit-greatest.Value+least.Value-least.Limit, "width-gap")
			})
		}
	}
}

// featuresTable measures goal sets with 64 features, up to the largest size.
func featuresTable(t *testing.T) string {
	ctx := context.Background()
	var b strings.Builder
	fmt.Fprintln(&b, "| states | S_train | feasible | flip | range of a feature | its width, and what of it is not proved |")
	fmt.Fprintln(&b, "|--:|--:|--:|--:|--:|--:|")
	for states := 10_000; states <= *largest; states *= 10 {
		g := featured(t, instanceOf(t, subjectOf(t, "slipgrid"), states, local), 64)
		decide := func(g lp.GoalSet, want lp.Verdict) float64 {
			start := time.Now()
			if a, err := lp.Feasible(ctx, g, nil); err != nil || a.Verdict != want {
				t.Fatal(a.Verdict, a.Why, err)
			}
			return time.Since(start).Seconds()
		}
		flipped := g
		flipped.Policy = slices.Clone(g.Policy)
		flip(&flipped)
		fmt.Fprintf(&b, "| %d | %d | %.1f s | %.1f s |", g.Model.NumStates(), g.Train.Count(), decide(g, lp.Yes), decide(flipped, lp.No))
		start := time.Now()
		a, least, greatest, err := lp.Range(ctx, g, g.Features[2], nil)
		if err != nil || a.Verdict != lp.Yes {
			t.Fatal(a.Verdict, a.Why, err)
		}
		width, limit := greatest.Value-least.Value, greatest.Limit-least.Limit
		fmt.Fprintf(&b, " %.1f s | %.4f, %.1g |\n", time.Since(start).Seconds(), width, limit-width)
	}
	return b.String()
}
