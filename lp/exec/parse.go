package exec

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"offswitch/lp"
)

// status returns the status that words of a solution file stand for.
func status(words string) lp.Status {
	words = strings.ToLower(words)
	switch {
	case strings.HasPrefix(words, "optimal"):
		return lp.Optimal
	case strings.HasPrefix(words, "infeasible"), strings.HasPrefix(words, "primalinfeasible"):
		return lp.Infeasible
	case strings.HasPrefix(words, "unbounded"), strings.HasPrefix(words, "dualinfeasible"):
		return lp.Unbounded
	}
	return lp.Unknown
}

// parseCLP reads the status from the first line of the text, and X and Y from the binary file: the
// numbers of rows and columns as int32, the objective, the activities and duals of the rows, the values and
// reduced costs of the columns.
func parseCLP(dir string, rows, columns int) (lp.Result, error) {
	text, err := open(dir)
	if err != nil {
		return lp.Result{}, err
	}
	defer text.close()
	line, _ := text.line()
	words, _, _ := strings.Cut(line, " - ")
	r := lp.Result{Status: status(words), Detail: words}
	if r.Status != lp.Optimal {
		return r, nil
	}
	data, err := os.ReadFile(filepath.Join(dir, binaryFile))
	if err != nil {
		return lp.Result{}, err
	}
	var size [2]int32
	numbers := make([]float64, 1+2*rows+2*columns)
	in := bytes.NewReader(data)
	if binary.Read(in, binary.LittleEndian, &size) != nil || int(size[0]) != rows || int(size[1]) != columns ||
		binary.Read(in, binary.LittleEndian, numbers) != nil {
		return lp.Result{}, fmt.Errorf("%s: %d bytes, want %d numbers for %d rows and %d columns", binaryFile, len(data), len(numbers), rows, columns)
	}
	r.Y, r.X = numbers[1+rows:1+2*rows], numbers[1+2*rows:1+2*rows+columns]
	return r, nil
}

// parseGLPK reads the format of glp_write_sol: a line "s bas ROWS COLUMNS PRIMAL DUAL OBJECTIVE", where
// f stands for feasible, lines "i ROW STATUS VALUE DUAL" and "j COLUMN STATUS VALUE DUAL", and "e o f".
func parseGLPK(dir string, rows, columns int) (lp.Result, error) {
	in, err := open(dir)
	if err != nil {
		return lp.Result{}, err
	}
	defer in.close()
	r := lp.Result{X: nan(columns), Y: nan(rows)}
	for {
		line, err := in.line()
		if err != nil {
			return lp.Result{}, err
		}
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "c":
			if words, ok := strings.CutPrefix(line, "c Status:"); ok {
				r.Detail = strings.TrimSpace(words)
			}
		case f[0] == "s" && len(f) == 7:
			if f[4] != "f" || f[5] != "f" {
				return lp.Result{Status: status(r.Detail), Detail: r.Detail}, nil
			}
			r.Status = lp.Optimal
		case f[0] == "i" && len(f) == 5:
			err = set(r.Y, f[1], 1, f[4])
		case f[0] == "j" && len(f) == 5:
			err = set(r.X, f[1], 1, f[3])
		case f[0] == "e":
			return complete(r)
		default:
			err = fmt.Errorf("unexpected %q", line)
		}
		if err != nil {
			return lp.Result{}, in.at(err)
		}
	}
}

// parseHiGHS reads the format of Highs_writeSolution: the status after "Model status", and then parts,
// primal and dual, each with lines "NAME VALUE" after "# Columns N" and "# Rows N".
func parseHiGHS(dir string, rows, columns int) (lp.Result, error) {
	in, err := open(dir)
	if err != nil {
		return lp.Result{}, err
	}
	defer in.close()
	r := lp.Result{X: nan(columns), Y: nan(rows)}
	var into []float64 // where the lines that follow belong
	part := ""
	for {
		line, err := in.line()
		switch {
		case err == io.ErrUnexpectedEOF || strings.HasPrefix(line, "# Basis"):
			if r.Status != lp.Optimal {
				return lp.Result{Status: r.Status, Detail: r.Detail}, nil
			}
			return complete(r)
		case err != nil:
			return lp.Result{}, err
		case line == "Model status":
			if r.Detail, err = in.line(); err != nil {
				return lp.Result{}, err
			}
			r.Status = status(r.Detail)
		case strings.HasPrefix(line, "# Primal"), strings.HasPrefix(line, "# Dual"):
			part, into = line, nil
		case strings.HasPrefix(line, "# Columns") && strings.HasPrefix(part, "# Primal"):
			into = r.X
		case strings.HasPrefix(line, "# Rows") && strings.HasPrefix(part, "# Dual"):
			into = r.Y
		case strings.HasPrefix(line, "#"):
			into = nil
		case into != nil && line != "":
			name, value, _ := strings.Cut(line, " ")
			number, _, _ := strings.Cut(name, ":")
			if err := set(into, number[min(1, len(number)):], 0, value); err != nil {
				return lp.Result{}, in.at(err)
			}
		}
	}
}

// nan returns numbers that are not known yet.
func nan(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = math.NaN()
	}
	return x
}

// set stores the number that a text says, at a place that another one says, which counts from first.
func set(x []float64, place string, first int, number string) error {
	i, err := strconv.Atoi(place)
	if err != nil || i < first || i-first >= len(x) {
		return fmt.Errorf("%q is not a number from %d to %d", place, first, len(x)+first-1)
	}
	x[i-first], err = strconv.ParseFloat(number, 64)
	return err
}

// complete returns a result that has all its numbers.
func complete(r lp.Result) (lp.Result, error) {
	for _, x := range [][]float64{r.X, r.Y} {
		for i := range x {
			if math.IsNaN(x[i]) {
				return lp.Result{}, fmt.Errorf("%s: numbers are missing", solutionFile)
			}
		}
	}
	return r, nil
}

// solution is a solution file that is being read.
type solution struct {
	lines  *bufio.Scanner
	number int
	close  func() error
}

func open(dir string) (*solution, error) {
	f, err := os.Open(filepath.Join(dir, solutionFile))
	if err != nil {
		return nil, err
	}
	return &solution{lines: bufio.NewScanner(f), close: f.Close}, nil
}

// line returns the next line, and io.ErrUnexpectedEOF when there is none.
func (s *solution) line() (string, error) {
	if !s.lines.Scan() {
		if err := s.lines.Err(); err != nil {
			return "", s.at(err)
		}
		return "", io.ErrUnexpectedEOF
	}
	s.number++
	return s.lines.Text(), nil
}

// at returns an error that names the file and the line.
func (s *solution) at(err error) error {
	return fmt.Errorf("%s, line %d: %w", solutionFile, s.number, err)
}
