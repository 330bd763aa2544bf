package bench

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
)

// conflictOf finds a conflict in an empty goal set, and says how long that took.
func conflictOf(tb testing.TB, g lp.GoalSet) (c lp.Conflict, took time.Duration) {
	tb.Helper()
	a, err := lp.Feasible(context.Background(), g, nil)
	if err != nil || a.Verdict != lp.No {
		tb.Fatalf("%v (%s), %v", a.Verdict, a.Why, err)
	}
	start := time.Now()
	c = lp.WhyNot(context.Background(), g, a.Certificate, interior.Solver{}, false)
	return c, time.Since(start)
}

// Conflicts are a handful of conditions, or two dozen. Their proof is about these alone, and without any of them the
// rows of the whole model have a solution, not only those near.
func TestConflicts(t *testing.T) {
	for _, kind := range emptyKinds() {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			g := goalSet(t, kind, 1000)
			c, _ := conflictOf(t, g)
			size := len(c.Pairs) + len(c.Constraints)
			if c.Proof == nil || c.Proof.Kind != check.Infeasible || size == 0 || size > 24 || c.Open > 0 {
				t.Fatalf("%d conditions, %d of them open, proof %v", size, c.Open, c.Proof)
			}
			if bad := check.Check(g.Model, c.Proof); len(bad) > 0 {
				t.Fatal(bad)
			}
			if len(c.Proof.Question.Train) != len(c.Pairs) || len(c.Proof.Question.Constraints) != len(c.Constraints) {
				t.Errorf("the proof is about %d pairs and %d constraints", len(c.Proof.Question.Train), len(c.Proof.Question.Constraints))
			}
			for out := range size {
				if r := withoutCondition(t, g, c, out); r.Status != lp.Optimal {
					t.Errorf("without condition %d of %d: %v", out, size, r.Status)
				}
			}
		})
	}
}

// withoutCondition solves the whole system of all conditions but one.
func withoutCondition(tb testing.TB, g lp.GoalSet, c lp.Conflict, out int) lp.Result {
	tb.Helper()
	e, err := lp.Encode(lptest.Without(g, c, out))
	if err != nil {
		tb.Fatal(err)
	}
	r, err := interior.Solver{}.Solve(context.Background(), e.Problem)
	if err != nil {
		tb.Fatal(err)
	}
	return r
}

// emptyKinds are the kinds of goal sets that are empty.
func emptyKinds() []string {
	return slices.DeleteFunc(GoalSetKinds(), func(kind string) bool { return kind == "feasible" })
}

// What it takes to name a conflict, after the goal set is known to be empty.
func BenchmarkConflict(b *testing.B) {
	for _, kind := range emptyKinds() {
		for states := 1000; states <= *largest; states *= 10 {
			b.Run(fmt.Sprintf("%s/%d", kind, states), func(b *testing.B) {
				g := goalSet(b, kind, states)
				var c lp.Conflict
				var took time.Duration
				for b.Loop() {
					var once time.Duration
					c, once = conflictOf(b, g)
					took += once
				}
				b.ReportMetric(took.Seconds()/float64(b.N), "conflict-s")
				b.ReportMetric(float64(len(c.Pairs)+len(c.Constraints)), "conditions")
				b.ReportMetric(float64(c.Open), "open")
			})
		}
	}
}

// conflictTable measures conflicts, at up to a million states.
func conflictTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| goal set | states | conditions | conflict: pairs | constraints | of these not known to be needed | time |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|--:|--:|--:|")
	for _, kind := range emptyKinds() {
		for states := 1000; states <= min(*largest, 1_000_000); states *= 10 {
			g := goalSet(t, kind, states)
			c, took := conflictOf(t, g)
			fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d | %.1f s |\n", kind, g.Model.NumStates(), g.Train.Count()+len(g.Constraints), len(c.Pairs), len(c.Constraints), c.Open, took.Seconds())
		}
	}
	return b.String()
}
