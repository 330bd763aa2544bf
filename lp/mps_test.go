package lp_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"offswitch/lp"
	"offswitch/lp/lptest"
)

// readMPS reads free MPS, as much of it as WriteMPS writes, without any care.
func readMPS(t *testing.T, text string) *lp.Problem {
	t.Helper()
	p := &lp.Problem{}
	rows, columns := map[string]int{}, map[string]int{}
	var types []string
	number := func(s string) float64 {
		x, err := strconv.ParseFloat(s, 64)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	inf := math.Inf(1)
	section := ""
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if line[0] != ' ' {
			section = f[0]
			continue
		}
		switch section {
		case "ROWS":
			if f[1] == "cost" {
				continue
			}
			if _, ok := rows[f[1]]; ok {
				t.Fatalf("row %s stands twice", f[1])
			}
			rows[f[1]] = len(types)
			types = append(types, f[0])
			lower, upper := map[string]float64{"G": 0, "E": 0, "L": -inf, "N": -inf}[f[0]], map[string]float64{"G": inf, "E": 0, "L": 0, "N": inf}[f[0]]
			p.RowLower, p.RowUpper = append(p.RowLower, lower), append(p.RowUpper, upper)
		case "COLUMNS":
			if _, ok := columns[f[0]]; !ok {
				columns[f[0]] = len(columns)
				p.Start = append(p.Start, len(p.Row))
				p.Cost, p.Lower, p.Upper = append(p.Cost, 0), append(p.Lower, 0), append(p.Upper, inf)
			}
			if columns[f[0]] != len(columns)-1 {
				t.Fatalf("column %s comes in pieces", f[0])
			}
			if f[1] == "cost" {
				p.Cost[len(p.Cost)-1] = number(f[2])
				continue
			}
			p.Row, p.Value = append(p.Row, uint32(rows[f[1]])), append(p.Value, number(f[2]))
		case "RHS":
			i := rows[f[1]]
			if types[i] != "L" {
				p.RowLower[i] = number(f[2])
			}
			if types[i] != "G" {
				p.RowUpper[i] = number(f[2])
			}
		case "RANGES":
			p.RowUpper[rows[f[1]]] = p.RowLower[rows[f[1]]] + number(f[2])
		case "BOUNDS":
			j := columns[f[2]]
			switch f[0] {
			case "LO":
				p.Lower[j] = number(f[3])
			case "UP":
				p.Upper[j] = number(f[3])
			case "FX":
				p.Lower[j], p.Upper[j] = number(f[3]), number(f[3])
			case "FR":
				p.Lower[j], p.Upper[j] = -inf, inf
			case "MI":
				p.Lower[j] = -inf
			}
		}
	}
	p.Start = append(p.Start, len(p.Row))
	if section != "ENDATA" {
		t.Errorf("the last section is %s", section)
	}
	return p
}

func TestWriteMPSReadsBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 4))
	for range 100 {
		g := lptest.GoalSet(rng, 8)
		lower, upper := lptest.Box(g)
		lptest.Constrain(rng, &g, lptest.Reward(rng, g.Model, lower, upper))
		e, err := lp.Encode(g)
		if err != nil {
			t.Fatal(err)
		}
		p := e.Problem
		for j := range p.Cost {
			p.Cost[j] = rng.NormFloat64()
		}
		p.Upper[0] = math.Inf(1)
		p.Lower[1] = math.Inf(-1)
		if rng.IntN(2) == 0 {
			p.Lower[0], p.Lower[1] = math.Inf(-1), p.Upper[1]
		}
		p.RowLower[0], p.RowUpper[0] = 1, 3
		var text bytes.Buffer
		if err := lp.WriteMPS(&text, p); err != nil {
			t.Fatal(err)
		}
		q := readMPS(t, text.String())
		p.RowName, p.ColumnName = nil, nil
		if !reflect.DeepEqual(q, p) {
			t.Fatalf("%+v became %+v:\n%s", p, q, text.String())
		}
	}
}

func TestWriteMPSNames(t *testing.T) {
	p := &lp.Problem{Start: []int{0, 1, 1}, Row: []uint32{0}, Value: []float64{0.1}, RowLower: []float64{0.30000000000000004}, RowUpper: []float64{math.Inf(1)},
		Lower: []float64{-1, 0}, Upper: []float64{-0.5, 0}, Cost: []float64{0, 0},
		RowName: func(int) string { return "taken $ü x" }, ColumnName: func(int) string { return "r (x=0, y=3)" + strings.Repeat("x", 300) }}
	var text bytes.Buffer
	if err := lp.WriteMPS(&text, p); err != nil {
		t.Fatal(err)
	}
	long := "r_(x=0,_y=3)" + strings.Repeat("x", 85)
	want := strings.NewReplacer("@0", "C0:"+long, "@1", "C1:"+long).Replace(`NAME offswitch FREE
ROWS
 N cost
 G R0:taken____x
COLUMNS
 @0 R0:taken____x 0.1
 @1 cost 0
RHS
 rhs R0:taken____x 0.30000000000000004
RANGES
BOUNDS
 LO bound @0 -1
 UP bound @0 -0.5
 FX bound @1 0
ENDATA
`)
	if text.String() != want {
		t.Errorf("%s\nwant\n%s", text.String(), want)
	}
}
