package recurrence_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"offswitch/bench"
	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

// Where there are many states chains prove part of the verdicts. Bounds uses none, so each verdict must
// agree with it.
func TestCountsOfManyStatesAgainstBounds(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 7))
	ctx := context.Background()
	type model struct {
		m     *sparse.MDP
		start uint32
	}
	var models []model
	for _, name := range []string{"grid", "coinrun", "random", "components", "chain", "ring"} {
		family, _ := bench.Find(name)
		o := bench.Options{States: 600, Seed: *seed}
		if family.HasSlip {
			o.Slip = 0.3
		}
		m, err := family.Generate(ctx, o)
		if err != nil {
			t.Fatal(err)
		}
		fresh, _ := m.Label("new")
		models = append(models, model{m, fresh.First()})
	}
	for range 60 {
		models = append(models, model{sparsetest.Random(rng, 300, false), 0})
	}
	counted := 0
	for i, x := range models {
		gamma := []float64{0.6, 0.9, 0.98}[i%3]
		v := newVisits(x.m, x.start)
		counts, err := v.Count(ctx, recurrence.CountOptions{Discount: gamma, Workers: 1 + i%2})
		if err != nil {
			t.Fatal(err)
		}
		for s := range uint32(x.m.NumStates()) {
			if s%3 != 0 && i > 5 {
				continue // a sample keeps the test quick
			}
			for sense, verdict := range []recurrence.Verdict{counts.Paper[s], counts.Extended[s]} {
				if verdict == recurrence.Undecided {
					continue
				}
				lower, upper, err := v.Bounds(ctx, s, gamma, 1e-6, recurrence.Sense(sense))
				if err != nil {
					t.Fatal(err)
				}
				if verdict == recurrence.Counted && upper <= 1 || verdict == recurrence.NotCounted && lower > 1 {
					t.Fatalf("seed %d, model %d, γ %v, state %d, sense %d: %v, but W in [%v, %v]", *seed, i, gamma, s, sense, verdict, lower, upper)
				}
				if verdict == recurrence.Counted {
					counted++
				}
			}
		}
	}
	if counted < 500 {
		t.Errorf("only %d states counted: too weak a test", counted)
	}
}
