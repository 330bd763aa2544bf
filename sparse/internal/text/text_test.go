package text

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"offswitch/sparse"
)

// Float agrees with strconv to the bit, on every notation that it takes.
func TestFloat(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		v := math.Float64frombits(rng.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		format, digits := "fge"[rng.IntN(3)], rng.IntN(20)-1
		if rng.IntN(2) == 0 {
			v = math.Round(rng.NormFloat64()*1e6) / 1e3
		}
		s := strconv.FormatFloat(v, format, digits, 64)
		want, err := strconv.ParseFloat(s, 64)
		got, ok := Float([]byte(s))
		if ok != (err == nil) || ok && math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("Float(%s) = %v, %v, want %v, %v", s, got, ok, want, err)
		}
	}
	for s, want := range map[string]float64{"1/3": 1.0 / 3, "-1/4": -0.25, ".5": 0.5, "5.": 5, "+2": 2, "9007199254740993": 9007199254740992} {
		if got, ok := Float([]byte(s)); !ok || got != want {
			t.Errorf("Float(%s) = %v, %v, want %v", s, got, ok, want)
		}
	}
	for _, s := range []string{"", ".", "-", "1/0", "1/", "/2", "1/2/3", "inf", "nan", "0x1p3", "1_0", "1e999", "1 2", "1.2.3", "--1"} {
		if got, ok := Float([]byte(s)); ok {
			t.Errorf("Float(%s) = %v, want none", s, got)
		}
	}
}

// Uint agrees with strconv whatever stands around the digits.
func TestUint(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 100000 {
		digits := make([]byte, 1+rng.IntN(12))
		for i := range digits {
			digits[i] = '0' + byte(rng.IntN(10))
		}
		after := make([]byte, rng.IntN(12))
		for i := range after {
			after[i] = byte(rng.IntN(256))
		}
		if len(after) > 0 && after[0]-'0' <= 9 {
			after[0] = ' '
		}
		b := []byte("\t " + string(digits) + string(after))
		want, err := strconv.ParseUint(string(digits), 10, 32)
		v, rest, ok := Uint(b)
		if ok != (err == nil) || ok && (uint64(v) != want || string(rest) != string(after)) {
			t.Fatalf("Uint(%q) = %d, %q, %v, want %d, %q, %v", b, v, rest, ok, want, after, err == nil)
		}
	}
	for s, want := range map[string]bool{strings.Repeat("0", 40) + "7 ": true, "18446744073709551617": false, "99999999999999999999999": false, "": false, " x 12345678": false} {
		if v, _, ok := Uint([]byte(s)); ok != want || ok && v != 7 {
			t.Errorf("Uint(%s) = %d, %v", s, v, ok)
		}
	}
}

func TestReaderLines(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	text := "a\r\n\n" + long + "\nlast"
	for _, r := range []io.Reader{strings.NewReader(text), iotest.HalfReader(strings.NewReader(text)), iotest.DataErrReader(strings.NewReader(text))} {
		in := NewReader("f", r)
		var got []string
		for in.Next() {
			got = append(got, string(in.Text()))
		}
		if len(got) != 4 || got[0] != "a" || got[1] != "" || got[2] != long || got[3] != "last" || in.Err() != nil {
			t.Errorf("%d lines, %v", len(got), in.Err())
		}
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestReaderEnds(t *testing.T) {
	in := NewReader("f", zeros{})
	if in.Next() || in.Err() == nil || !strings.Contains(in.Err().Error(), "f: line 1: the line is longer than the limit") {
		t.Errorf("endless line: %v", in.Err())
	}
	in = NewReader("f", nothing{})
	if in.Next() || in.Err() == nil || !strings.Contains(in.Err().Error(), io.ErrNoProgress.Error()) {
		t.Errorf("no progress: %v", in.Err())
	}
}

func TestValuesFindTypes(t *testing.T) {
	columns := [][]string{{"0", "-7", "123456789012"}, {"true", "false", "true"}, {"1", "true", "x"}, {"007", "7", "-0"}}
	v := NewValues([]string{"a", "b", "c", "d"})
	for s := range 3 {
		for i := range columns {
			v.Add(i, []byte(columns[i][s]))
		}
	}
	names, err := v.Pack()
	if err != nil {
		t.Fatal(err)
	}
	types := []sparse.VariableType{sparse.IntVariable, sparse.BoolVariable, sparse.StringVariable, sparse.StringVariable}
	for i, x := range names.(*sparse.Valuation).Variables() {
		if x.Type != types[i] {
			t.Errorf("variable %s has type %d, want %d", x.Name, x.Type, types[i])
		}
	}
	for s := range uint32(3) {
		want := fmt.Sprintf("(a=%s,b=%s,c=%s,d=%s)", columns[0][s], columns[1][s], columns[2][s], columns[3][s])
		if got := string(names.AppendName(nil, s)); got != want {
			t.Errorf("state %d is %s, want %s", s, got, want)
		}
	}
}

// Label sets cost a bit a state, so many labels of many states are refused before they take memory.
func TestLabelsAreBounded(t *testing.T) {
	var labels Labels
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var err error
	for i := 0; i < 60000 && err == nil; i++ {
		id, _ := labels.Declare(strconv.Itoa(i))
		err = labels.add(id, 300_000)
	}
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 200<<20 {
		t.Errorf("error %v after %d MiB", err, (after.TotalAlloc-before.TotalAlloc)>>20)
	}
}
