package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"offswitch/lp"
)

var mps = flag.String("mps", "", "write the goal sets of BenchmarkGoalSet as linear programs, in MPS, to `DIRECTORY`")

func goalSet(tb testing.TB, kind string, states int) lp.GoalSet {
	tb.Helper()
	g, err := GoalSet(context.Background(), kind, states, 1)
	if err != nil {
		tb.Fatal(err)
	}
	return g
}

func goalSetVerdict(kind string) lp.Verdict {
	if kind == "feasible" {
		return lp.Yes
	}
	return lp.No
}

func TestGoalSets(t *testing.T) {
	for _, kind := range GoalSetKinds() {
		for _, states := range []int{100, 1000, 5000} {
			g := goalSet(t, kind, states)
			n := g.Model.NumStates()
			if closed, frontier := g.Closed(); !closed {
				t.Errorf("%s/%d: S_train is not closed: %v", kind, states, frontier)
			}
			if train, all := g.Train.Count(), g.Relevant().Count(); 10*train < 3*n || 10*train > 6*n || all != n {
				t.Errorf("%s/%d: %d of %d states are of S_train, %d of them matter", kind, states, train, n, all)
			}
			a, err := lp.Feasible(context.Background(), g, nil)
			if err != nil || a.Verdict != goalSetVerdict(kind) {
				t.Errorf("%s/%d: %v (%s), %v", kind, states, a.Verdict, a.Why, err)
			}
		}
	}
	if _, err := GoalSet(context.Background(), "odd", 100, 1); err == nil {
		t.Error("no error for an unknown kind")
	}
}

// What goal sets cost to decide, the check of the certificate included.
func BenchmarkGoalSet(b *testing.B) {
	for _, kind := range GoalSetKinds() {
		for states := 1000; states <= *largest; states *= 10 {
			b.Run(fmt.Sprintf("%s/%d", kind, states), func(b *testing.B) {
				g := goalSet(b, kind, states)
				for b.Loop() {
					a, err := lp.Feasible(context.Background(), g, nil)
					if err != nil || a.Verdict != goalSetVerdict(kind) {
						b.Fatalf("%v (%s), %v", a.Verdict, a.Why, err)
					}
				}
			})
		}
	}
}

// TestWriteGoalSets writes what BenchmarkGoalSet solves, for other solvers.
func TestWriteGoalSets(t *testing.T) {
	if *mps == "" {
		t.Skip("only with -mps")
	}
	for _, kind := range GoalSetKinds() {
		for states := 1000; states <= *largest; states *= 10 {
			e, err := lp.Encode(goalSet(t, kind, states))
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.Create(filepath.Join(*mps, fmt.Sprintf("%s%d.mps", kind, states)))
			if err != nil {
				t.Fatal(err)
			}
			if err := lp.WriteMPS(f, e.Problem); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}
