package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"offswitch/lp"
	"offswitch/lp/interior"
	"offswitch/lp/lptest"
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
		for _, states := range []int{100, 1000, 3000} {
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

// The interior-point method comes to the same answers without what Feasible tries first.
func TestGoalSetsByTheSolverAlone(t *testing.T) {
	for _, kind := range GoalSetKinds() {
		for _, states := range []int{100, 1000, 3000} {
			g := goalSet(t, kind, states)
			e, err := lp.Encode(g)
			if err != nil {
				t.Fatal(err)
			}
			r, err := interior.Solver{}.Solve(context.Background(), e.Problem)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case r.Status == lp.Infeasible && kind != "feasible":
				if gap := lptest.FarkasGap(e.Problem, r.Y); !(gap > 0) {
					t.Errorf("%s/%d: multipliers of Farkas gap %v", kind, states, gap)
				}
			case r.Status == lp.Optimal && kind == "feasible":
				if a, err := lp.Member(context.Background(), g, e.Theta(r.X)); err != nil || a.Verdict != lp.Yes {
					t.Errorf("%s/%d: a reward that is no proved member: %s, %v", kind, states, a.Why, err)
				}
			default:
				t.Errorf("%s/%d: %v (%s)", kind, states, r.Status, r.Detail)
			}
		}
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

// The same by the interior-point method alone.
func BenchmarkGoalSetSolver(b *testing.B) {
	for _, kind := range GoalSetKinds() {
		for states := 1000; states <= *largest; states *= 10 {
			b.Run(fmt.Sprintf("%s/%d", kind, states), func(b *testing.B) {
				e, err := lp.Encode(goalSet(b, kind, states))
				if err != nil {
					b.Fatal(err)
				}
				for b.Loop() {
					r, err := interior.Solver{}.Solve(context.Background(), e.Problem)
					if err != nil || (r.Status == lp.Optimal) != (kind == "feasible") || r.Status == lp.Unknown {
						b.Fatalf("%v (%s), %v", r.Status, r.Detail, err)
					}
				}
			})
		}
	}
}

// goalSetTable measures what goal sets cost, at up to a million states, and the interior-point method
// at up to a hundred thousand.
func goalSetTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| goal set | states | Feasible | rows of the contradiction | interior point alone | its steps |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|--:|---|")
	for _, kind := range GoalSetKinds() {
		for states := 1000; states <= min(*largest, 1_000_000); states *= 10 {
			g := goalSet(t, kind, states)
			var a lp.Answer
			took := fastest(func() {
				var err error
				if a, err = lp.Feasible(context.Background(), g, nil); err != nil || a.Verdict != goalSetVerdict(kind) {
					t.Fatalf("%s/%d: %v (%s), %v", kind, states, a.Verdict, a.Why, err)
				}
			})
			rows := ""
			if a.Verdict == lp.No {
				rows = fmt.Sprint(len(a.Certificate.Choices))
			}
			fmt.Fprintf(&b, "| %s | %d | %.2f s | %s |", kind, g.Model.NumStates(), took.Seconds(), rows)
			if states > 100_000 {
				fmt.Fprintln(&b, " | |")
				continue
			}
			e, err := lp.Encode(g)
			if err != nil {
				t.Fatal(err)
			}
			var r lp.Result
			took = fastest(func() {
				if r, err = (interior.Solver{}).Solve(context.Background(), e.Problem); err != nil {
					t.Fatal(err)
				}
			})
			steps, _, _ := strings.Cut(r.Detail, " ")
			fmt.Fprintf(&b, " %.2f s | %s |\n", took.Seconds(), steps)
		}
	}
	return b.String()
}

// TestWriteGoalSets writes what BenchmarkGoalSet solves, for other solvers.
func TestWriteGoalSets(t *testing.T) {
	if *mps == "" {
		t.Skip("only with -mps")
	}
	for _, kind := range GoalSetKinds() {
		for states := 1000; states <= *largest; states *= 10 {
			writeGoalSet(t, filepath.Join(*mps, fmt.Sprintf("%s%d.mps", kind, states)), kind, states)
		}
	}
}

// writeGoalSet writes a goal set as a linear program.
func writeGoalSet(t *testing.T, path string, kind string, states int) {
	e, err := lp.Encode(goalSet(t, kind, states))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
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
