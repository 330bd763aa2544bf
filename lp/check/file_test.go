package check_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/zip"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// loops returns a model of states that only loop, with choices in pairs.
func loops(t testing.TB, n int) *sparse.MDP {
	t.Helper()
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		b.AddChoice(s, "a", sparse.Branch{Target: s, Probability: 1})
		b.AddChoice(s, "b", sparse.Branch{Target: s, Probability: 1})
	}
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// wild returns a certificate that fills every field with anything that the file holds.
func wild(rng *rand.Rand, m *sparse.MDP) *check.Certificate {
	n := m.NumStates()
	numbers := func(most int) []float64 {
		var x []float64
		for range rng.IntN(most + 1) {
			x = append(x, []float64{0, math.Copysign(0, -1), 1, 0.1, -1e300, 5e-324, math.Inf(1), rng.Float64()}[rng.IntN(8)])
		}
		return x
	}
	indices := func(most int) []uint32 {
		var x []uint32
		for range rng.IntN(most + 1) {
			x = append(x, []uint32{0, 1, math.MaxUint32, rng.Uint32()}[rng.IntN(4)])
		}
		return x
	}
	choices := func() []int64 {
		var x []int64
		for range rng.IntN(n + 1) {
			x = append(x, []int64{0, -1, math.MaxUint32 - 1, int64(rng.Uint32() / 2)}[rng.IntN(4)])
		}
		return x
	}
	q := check.Question{Discount: rng.Float64(), Train: indices(n), Policy: choices(), Margin: 5e-324, Lower: -0.1, Upper: 1e300,
		Constraints: []string{"r[<&>] >= 1", "", "\u2028 ö"}[:rng.IntN(4)]}
	if len(q.Constraints) == 0 {
		q.Constraints = nil
	}
	if rng.IntN(2) == 0 {
		q.Weak, q.Features = indices(m.NumChoices()), []string{"<f>", "#1"}
	}
	c := check.New(m, check.Kind([]string{"feasible", "", "x"}[rng.IntN(3)]), q)
	c.Tolerance = rng.Float64()
	c.States, c.Theta, c.Values = indices(n), numbers(n), numbers(n)
	c.Sigma, c.Classes = choices(), indices(n)
	c.Choices, c.ChoiceY = indices(m.NumChoices()), numbers(m.NumChoices())
	c.Terminals, c.TerminalY, c.ConstraintY = indices(n), numbers(n), numbers(len(q.Constraints))
	if rng.IntN(2) == 0 {
		c.Pair = &check.Pair{State: 1, Taken: 2, Untaken: 3}
		c.Exact = []check.ExactTheta{{State: 7, Value: "1/3"}}
		c.Cases = []check.Case{{Best: []uint32{1, math.MaxUint32}}, {Best: []uint32{}, Multipliers: check.Multipliers{Choices: []uint32{3}, ChoiceY: []float64{-5e-324}, ConstraintY: []float64{1e300}}}}
	}
	return c
}

func write(t testing.TB, c *check.Certificate) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := c.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(data []byte, m *sparse.MDP) (*check.Certificate, error) {
	return check.ReadCertificate(bytes.NewReader(data), int64(len(data)), m)
}

func TestCertificatesAreReadBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 0))
	for i := range 200 {
		n := 1 + i
		if i == 0 {
			n = 30_000 // several pieces
		}
		m := loops(t, n)
		c := wild(rng, m)
		data := write(t, c)
		if !bytes.Equal(data, write(t, c)) {
			t.Fatal("the same certificate gives different bytes")
		}
		d, err := read(data, m)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c, d) {
			t.Fatalf("%+v was written, %+v read", c, d)
		}
	}
}

// rewrite returns the file with members replaced by text, or removed where that is empty, and the
// others kept.
func rewrite(t testing.TB, data []byte, members ...string) []byte {
	t.Helper()
	old, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	put := func(name, text string) {
		if w, err := z.Create(name); err != nil {
			t.Fatal(err)
		} else if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range old.File {
		kept := true
		for i := 0; i < len(members); i += 2 {
			kept = kept && members[i] != f.Name
		}
		if kept {
			if err := z.Copy(f); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := 0; i < len(members); i += 2 {
		if members[i+1] != "" {
			put(members[i], members[i+1])
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestReadCertificateErrors(t *testing.T) {
	m := loops(t, 3)
	c := check.New(m, check.MemberYes, check.Question{Train: []uint32{0, 2}, Policy: []int64{0, 4}})
	c.Theta = []float64{1, 2, 3}
	data := write(t, c)
	object, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	header := func(text string) string { return fmt.Sprintf("\x93NUMPY\x01\x00\x76\x00%-117s\n", text) }
	vector := func(kind, shape string) string {
		return header("{'descr': '" + kind + "', 'fortran_order': False, 'shape': (" + shape + "), }")
	}
	number := strings.Repeat("\x00", 8)
	damaged := bytes.Clone(data)
	damaged[len(object)/2] ^= 1
	for _, x := range []struct {
		name string
		data []byte
		want string
	}{
		{"empty", nil, "not a valid zip"},
		{"text", []byte("{}"), "not a valid zip"},
		{"cut", data[:len(data)-30], "zip"},
		{"damaged", damaged, "certificate.json: "},
		{"no object", rewrite(t, data, "certificate.json", ""), "there is no certificate.json"},
		{"twice", rewrite(t, data, "x", "1", "x", "2"), "x is there twice"},
		{"another member", rewrite(t, data, "y.npy", "1", "x.npy", "2"), "x.npy is not part"},
		{"no JSON", rewrite(t, data, "certificate.json", "{"), "unexpected end"},
		{"two objects", rewrite(t, data, "certificate.json", string(object)+"{}"), "after top-level value"},
		{"version", rewrite(t, data, "certificate.json", `{"schema":"offswitch.certificate/4","new":1}`), `schema "offswitch.certificate/4", want "offswitch.certificate/3"`},
		{"unknown field", rewrite(t, data, "certificate.json", strings.Replace(string(object), "{", `{"thetta":1,`, 1)), `unknown field "thetta"`},
		{"number", rewrite(t, data, "certificate.json", strings.Replace(string(object), `"discount":0`, `"discount":1e999`, 1)), "1e999"},
		{"no vector", rewrite(t, data, "theta.npy", "x"), "theta.npy: it is cut short"},
		{"short", rewrite(t, data, "theta.npy", vector("<f8", "3,")+number), "theta.npy: it is cut short"},
		{"long", rewrite(t, data, "theta.npy", vector("<f8", "1,")+number+"x"), "more than the 1 numbers"},
		{"too many", rewrite(t, data, "theta.npy", vector("<f8", "4,")+number+number+number+number), "4 numbers, want at most 3"},
		{"far too many", rewrite(t, data, "theta.npy", vector("<f8", "9999999999,")), "9999999999 numbers"},
		{"more digits", rewrite(t, data, "theta.npy", vector("<f8", "99999999999999999999,")), "does not begin as"},
		{"matrix", rewrite(t, data, "theta.npy", vector("<f8", "2,2")), "does not begin as"},
		{"type", rewrite(t, data, "theta.npy", vector("<u4", "1,")+number[:4]), "numbers of type <u4, want <f8"},
		{"type of integers", rewrite(t, data, "train.npy", vector("<f8", "1,")+number), "numbers of type <f8, want <u4"},
		{"version of NumPy", rewrite(t, data, "theta.npy", "\x93NUMPY\x02"+vector("<f8", "1,")[7:]+number), "does not begin as"},
		{"huge object", rewrite(t, data, "certificate.json", strings.Repeat(" ", 1<<26+1)), "more than 67108864 bytes"},
		{"multipliers without constraints", rewrite(t, data, "constraint_y.npy", vector("<f8", "1,")+number), "1 numbers, want at most 0"},
	} {
		if _, err := read(x.data, m); err == nil || !strings.HasPrefix(err.Error(), "certificate: ") || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want %q", x.name, err, x.want)
		}
	}
	for i := range data {
		damaged := bytes.Clone(data)
		damaged[i] ^= 0x10
		if d, err := read(damaged, m); err == nil && !reflect.DeepEqual(c, d) {
			t.Errorf("byte %d changed unnoticed", i)
		}
	}
	c.Question.Margin = math.NaN()
	if err := c.Write(new(bytes.Buffer)); err == nil {
		t.Error("a margin that is not a number was written")
	}
	c.Question.Margin, c.Question.Policy = 0, []int64{-2}
	if err := c.Write(new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "policy: -2 is not a choice") {
		t.Errorf("error %v", err)
	}
}

// A certificate about another model is told apart before anything long is read.
func TestCertificateOfAnotherModel(t *testing.T) {
	large, small := loops(t, 100), loops(t, 2)
	c := wild(rand.New(rand.NewPCG(2, 0)), large)
	d, err := read(write(t, c), small)
	if err != nil {
		t.Fatal(err)
	}
	if d.Theta != nil || d.Question.Train != nil {
		t.Error("vectors were read")
	}
	if v := check.Check(small, d); len(v) != 1 || v[0].Rule != "model" {
		t.Errorf("violations %v", v)
	}
}

// A small file cannot take much memory.
func TestExpandingFilesTakeLittleMemory(t *testing.T) {
	m := loops(t, 10)
	c := check.New(m, check.MemberYes, check.Question{})
	zeros := strings.Repeat("\x00", 1<<24)
	data := rewrite(t, write(t, c), "theta.npy", "\x93NUMPY\x01\x00\x76\x00"+
		fmt.Sprintf("%-117s\n", "{'descr': '<f8', 'fortran_order': False, 'shape': (10,), }")+zeros, "values.npy", zeros)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, err := read(data, m); err == nil {
		t.Error("no error")
	}
	runtime.ReadMemStats(&after)
	if taken := after.TotalAlloc - before.TotalAlloc; taken > 1<<21 {
		t.Errorf("%d bytes taken for a file of %d", taken, len(data))
	}
}

// Python reads what is written, without anything installed.
func TestPythonReadsCertificates(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip(err)
	}
	m := loops(t, 50)
	c := check.New(m, check.MemberYes, check.Question{Discount: 0.1, Train: []uint32{3, 4, 40}, Policy: []int64{7, -1, 80}})
	c.Theta = []float64{0.1, -2}
	path := filepath.Join(t.TempDir(), "c.npz")
	if err := os.WriteFile(path, write(t, c), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", `
import array, itertools, json, sys, zipfile
f = zipfile.ZipFile(sys.argv[1])
print(json.loads(f.read("certificate.json"))["question"]["discount"])
def sums(name):
    return [x % 2**32 for x in itertools.accumulate(array.array("I", f.read(name)[128:]))]
print(sums("train.npy"), sums("policy.npy"), array.array("d", f.read("theta.npy")[128:]).tolist())
`, path).CombinedOutput()
	if want := "0.1\n[3, 4, 40] [7, 4294967295, 80] [0.1, -2.0]\n"; err != nil || string(out) != want {
		t.Errorf("%v, output %s, want %s", err, out, want)
	}
}

func FuzzReadCertificate(f *testing.F) {
	m := loops(f, 20)
	rng := rand.New(rand.NewPCG(3, 0))
	for range 10 {
		f.Add(write(f, wild(rng, m)))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := read(data, m)
		if err != nil {
			return
		}
		check.Check(m, c)
		d, err := read(write(t, c), m)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(write(t, c), write(t, d)) {
			t.Errorf("%+v was written, %+v read", c, d)
		}
	})
}
