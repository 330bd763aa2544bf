package exec_test

import (
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"offswitch/lp"
	"offswitch/lp/exec"
	"offswitch/lp/lptest"
)

var seed = flag.Uint64("seed", 1, "seed of the random programs")

func TestInstalledSolvers(t *testing.T) {
	const programs = 100
	for _, name := range []string{"clp", "highs", "glpsol"} {
		t.Run(name, func(t *testing.T) {
			s, err := exec.New(name)
			if err != nil {
				t.Skip(err)
			}
			t.Parallel()
			if n := lptest.TestSolver(t, s, *seed, programs); n > programs/20 {
				t.Errorf("%d of %d programs left unknown", n, programs)
			}
			lptest.TestDegenerate(t, s)
		})
	}
}

// script makes a program of a name that runs a shell script.
func script(t *testing.T, name, text string) *exec.Solver {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := exec.New(path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// program is to minimise x + 2y where x + y is from 4 to 6, for x and y from 0 to 9.
func program() *lp.Problem {
	return &lp.Problem{Start: []int{0, 1, 2}, Row: []uint32{0, 0}, Value: []float64{1, 1}, Lower: []float64{0, 0}, Upper: []float64{9, 9},
		Cost: []float64{1, 2}, RowLower: []float64{4}, RowUpper: []float64{6}}
}

const (
	highsOptimal = `Model status
Optimal

# Primal solution values
Feasible
Objective 4
# Columns 2
C0:#0 4
C1:#1 0
# Rows 1
R0:#0 4

# Dual solution values
Feasible
# Columns 2
C0:#0 0
C1:#1 1
# Rows 1
R0:#0 1

# Basis
HiGHS v1
Valid
`
	// highsElastic answers the elastic form of a program whose row lacks 2.
	highsElastic = `Model status
Optimal

# Primal solution values
Feasible
Objective 2
# Columns 4
C0:#0 9
C1:#1 9
C2:#2 2
C3:#3 0
# Rows 1
R0:#0 20

# Dual solution values
Feasible
# Rows 1
R0:#0 1
`
	glpkOptimal = `c Problem:    offswitch
c Status:     OPTIMAL
c
s bas 1 2 f f 4
i 1 l 4 1
j 1 b 4 0
j 2 l 0 1
e o f
`
)

// leave returns a shell command that leaves a solution.
func leave(text string) string { return "cat > solution.txt <<'END'\n" + text + "END\n" }

func TestSolutionFiles(t *testing.T) {
	for name, text := range map[string]string{"highs": highsOptimal, "glpsol-5.0": glpkOptimal} {
		s := script(t, name, "test -s model.mps || exit 1\n"+leave(text))
		r, err := s.Solve(context.Background(), program())
		if err != nil || r.Status != lp.Optimal || !slices.Equal(r.X, []float64{4, 0}) || !slices.Equal(r.Y, []float64{1}) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	s := script(t, "highs", "if grep -q C3: model.mps; then "+leave(highsElastic)+"else "+leave("Model status\nInfeasible\n")+"fi\n")
	p := program()
	p.RowLower[0], p.RowUpper[0] = 20, 30
	if r, err := s.Solve(context.Background(), p); err != nil || r.Status != lp.Infeasible || !(lptest.FarkasGap(p, r.Y) > 0) {
		t.Errorf("%+v, %v", r, err)
	}
	s = script(t, "highs", leave("Model status\nTime limit reached\n"))
	if r, err := s.Solve(context.Background(), p); err != nil || r.Status != lp.Unknown || !strings.Contains(r.Detail, "Time limit") {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestSenselessAnswers(t *testing.T) {
	for _, x := range []struct{ name, text, want string }{
		{"highs", leave("Model status\n"), "unexpected EOF"},
		{"highs", "exit 3", "exit status 3"},
		{"highs", "echo out of memory >&2; exit 1", "out of memory"},
		{"glpsol", "echo no such option", "it left no solution: no such option"},
		{"clp", "", "it left no solution"},
		{"clp", leave("Optimal - objective value 4\n"), "it left no solution"},
		{"clp", leave("Optimal - objective value 4\n") + "echo short > solution.bin", "want 7 numbers for 1 rows and 2 columns"},
		{"highs", leave("Model status\nOptimal\n"), "numbers are missing"},
		{"highs", leave("Model status\nOptimal\n# Primal\n# Columns 2\nC0 1\nC9 1\n"), `solution.txt, line 6: "9" is not a number from 0 to 1`},
		{"highs", leave("Model status\nOptimal\n# Primal\n# Columns 2\nC0 x\n"), `line 5: strconv.ParseFloat`},
		{"glpsol", leave("s bas 1 2 f f 4\nj 0 b 1 1\n"), `line 2: "0" is not a number from 1 to 2`},
		{"glpsol", leave("s bas 1 2 f f 4\nj 1 b 1 1\n"), "unexpected EOF"},
		{"glpsol", leave("s bas 1 2 f f 4\nwhat\n"), `line 2: unexpected "what"`},
		{"glpsol", leave("s bas 1 2 f f 4\ne o f\n"), "numbers are missing"},
	} {
		s := script(t, x.name, x.text)
		if r, err := s.Solve(context.Background(), program()); err == nil || !strings.HasPrefix(err.Error(), s.Name()) || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s, %s: %+v, error %v, want %q", x.name, x.text, r, err, x.want)
		}
	}
	for _, name := range []string{"sh", "no-such-program", "/etc/passwd"} {
		if _, err := exec.New(name); err == nil {
			t.Errorf("%s is taken for a solver", name)
		}
	}
	p := program()
	p.Value[0] = math.NaN()
	if _, err := script(t, "clp", "exit 1").Solve(context.Background(), p); err == nil || !strings.Contains(err.Error(), "entry NaN") {
		t.Errorf("error %v", err)
	}
}

// The end of the context ends the program, and its directory is gone.
func TestContext(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	begun := time.Now()
	_, err := script(t, "glpsol", "exec sleep 60").Solve(ctx, program())
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) > 30*time.Second {
		t.Errorf("error %v after %v", err, time.Since(begun))
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("%v left behind, %v", left, err)
	}
}
