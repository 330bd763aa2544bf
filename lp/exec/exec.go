// Package exec has linear programs solved by a program that is installed: clp (COIN-OR), highs or
// glpsol (GLPK). It hands over the MPS file and reads back the solution file. What comes back is no
// more believed than what any lp.Solver says.
package exec

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"offswitch/lp"
)

// Solver is an lp.Solver. New makes one.
type Solver struct {
	path string
	tool *tool
}

// tool is a kind of program: how it is called, and how its answer is read.
type tool struct {
	name  string
	args  []string
	parse func(dir string, rows, columns int) (lp.Result, error)
}

// The files in the directory that a program is started in.
const (
	modelFile    = "model.mps"
	solutionFile = "solution.txt"
	binaryFile   = "solution.bin"
)

// CLP prints 8 digits, but saves all of them. Presolve and scaling leave wrong duals now and then.
var tools = []tool{
	{"clp", []string{modelFile, "presolve", "off", "scaling", "off", "primalSimplex", "solution", solutionFile, "saveSolution", binaryFile}, parseCLP},
	{"highs", []string{"--model_file", modelFile, "--solution_file", solutionFile}, parseHiGHS},
	{"glpsol", []string{"--freemps", modelFile, "--min", "--write", solutionFile}, parseGLPK},
}

// New returns a solver that runs the program at a path, or of a name that is looked up in PATH. The
// file's name says which program it is: it has to begin with clp, highs or glpsol.
func New(path string) (*Solver, error) {
	found, err := exec.LookPath(path)
	if err != nil {
		return nil, err
	}
	if found, err = filepath.Abs(found); err != nil {
		return nil, err
	}
	for i := range tools {
		if strings.HasPrefix(filepath.Base(found), tools[i].name) {
			return &Solver{found, &tools[i]}, nil
		}
	}
	return nil, fmt.Errorf("%s: the name has to begin with clp, highs or glpsol, which say how it is called", path)
}

// Name returns the path of the program.
func (s *Solver) Name() string { return s.path }

// outputKept is how much of the end of a program's output is kept for an error.
const outputKept = 2000

// tail keeps the end of what is written to it.
type tail struct{ text []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - 2*outputKept; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

// last returns the last lines, in one.
func (t *tail) last() string {
	lines := strings.Fields(string(t.text))
	text := strings.Join(lines, " ")
	return text[max(0, len(text)-outputKept/10):]
}

// Solve solves a program, in a directory of its own that is removed afterwards. Farkas multipliers come
// from lp.SolveElastic. The end of the context kills the program. The error is that of a program that
// cannot be run, fails, or leaves a solution file that makes no sense.
func (s *Solver) Solve(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	return lp.SolveElastic(p, func(p *lp.Problem) (lp.Result, error) {
		r, err := s.run(ctx, p)
		if ctx.Err() != nil {
			return lp.Result{}, context.Cause(ctx)
		}
		if err != nil {
			return lp.Result{}, fmt.Errorf("%s: %w", s.path, err)
		}
		return r, nil
	})
}

func (s *Solver) run(ctx context.Context, p *lp.Problem) (lp.Result, error) {
	dir, err := os.MkdirTemp("", "offswitch-")
	if err != nil {
		return lp.Result{}, err
	}
	defer os.RemoveAll(dir)
	if err := writeModel(filepath.Join(dir, modelFile), p); err != nil {
		return lp.Result{}, err
	}
	c := exec.CommandContext(ctx, s.path, s.tool.args...)
	output := new(tail)
	c.Dir, c.Stdout, c.Stderr, c.WaitDelay = dir, output, output, time.Second
	if err := c.Run(); err != nil {
		return lp.Result{}, fmt.Errorf("%w: %s", err, output.last())
	}
	r, err := s.tool.parse(dir, p.Rows(), p.Columns())
	if errors.Is(err, os.ErrNotExist) {
		err = fmt.Errorf("it left no solution: %s", output.last())
	}
	return r, err
}

// writeModel writes a program in which rows and columns have no names but numbers, which is less to
// write and to read.
func writeModel(path string, p *lp.Problem) error {
	q := *p
	q.RowName, q.ColumnName = nil, nil
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := lp.WriteMPS(f, &q); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
