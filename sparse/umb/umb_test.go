package umb

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"offswitch/sparse"
)

var seed = flag.Uint64("seed", 0, "seed of the random tests; 0 takes a new one")

func random(t testing.TB) *rand.Rand {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed=%d", s)
	return rand.New(rand.NewPCG(s, 1))
}

func write(t testing.TB, m *sparse.MDP) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWhatIsWrittenIsReadBackEqual(t *testing.T) {
	rng := random(t)
	for i := range 200 {
		m := randomModel(rng, 1+i%250)
		data := write(t, m)
		var r io.Reader = bytes.NewReader(data)
		if i%3 == 0 {
			r = iotest.HalfReader(r)
		}
		back, err := Read(r)
		if err != nil {
			t.Fatalf("model %d: %v", i, err)
		}
		if d := difference(m, back); d != "" {
			t.Fatalf("model %d: %s", i, d)
		}
		if again := write(t, back); m.Names() == nil && !bytes.Equal(data, again) && !mixedZero(m) {
			t.Fatalf("model %d: written again, the archive differs", i)
		}
	}
}

// mixedZero reports whether a reward column is all zero, or absent beside another: those come back absent.
func mixedZero(m *sparse.MDP) bool {
	for i := range m.Rewards() {
		r := &m.Rewards()[i]
		for _, c := range []*sparse.Floats{&r.States, &r.Choices} {
			if v, ok := c.Constant(); ok && v == 0 {
				return true
			}
		}
	}
	return false
}

// TestBigArrays takes several pieces, 300 distinct probabilities, and more than 256 actions.
func TestBigArrays(t *testing.T) {
	const n = 70_000
	b := sparse.NewBuilder(n)
	for s := range uint32(n) {
		p := float64(s%300+1) / 1000
		b.AddChoice(s, fmt.Sprintf("a%d", s%1000), sparse.Branch{Target: (s + 1) % n, Probability: p}, sparse.Branch{Target: s, Probability: 1 - p})
		b.Name(s, strings.Repeat("long name ", int(s%7))+fmt.Sprint(s))
	}
	b.Name(5, strings.Repeat("x", 2*pieceSize))
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	back, err := Read(bytes.NewReader(write(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	if d := difference(m, back); d != "" {
		t.Fatal(d)
	}
	if back.Bytes() > m.Bytes()*11/10 {
		t.Errorf("read, the model takes %d bytes, built %d", back.Bytes(), m.Bytes())
	}
}

// Pieces of any size give the same model, or the same error, as arrays in one piece.
func TestPieces(t *testing.T) {
	defer func(size int) { pieceSize = size }(pieceSize)
	rng := random(t)
	for i := range 300 {
		pieceSize = 1 << 20
		data := write(t, randomModel(rng, 1+i%100))
		if i%3 > 0 {
			entries := unpack(t, data)
			e := entries[1+rng.IntN(len(entries)-1)].data
			for range min(len(e), 1+rng.IntN(2)) {
				e[rng.IntN(len(e))] = byte(rng.IntN(256))
			}
			data = pack(entries)
		}
		want, wantErr := Read(bytes.NewReader(data))
		var whole []byte
		if wantErr == nil {
			whole = write(t, want)
		}
		for _, size := range []int{8, 16, 8 * (1 + rng.IntN(20))} {
			pieceSize = size
			got, err := Read(bytes.NewReader(data))
			if fmt.Sprint(err) != fmt.Sprint(wantErr) {
				t.Fatalf("model %d, pieces of %d bytes: error %v, want %v", i, size, err, wantErr)
			}
			if err != nil {
				continue
			}
			if !bytes.Equal(write(t, want), whole) {
				t.Fatalf("model %d: written in pieces of %d bytes, the file differs", i, size)
			}
			if d := difference(want, got); d != "" {
				t.Fatalf("model %d, pieces of %d bytes: %s", i, size, d)
			}
		}
	}
}

type entry struct {
	name string
	data []byte
}

func unpack(t testing.TB, data []byte) (entries []entry) {
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{h.Name, data})
	}
}

func pack(entries []entry) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.data)), Mode: 0o644}
		if strings.HasSuffix(e.name, "/") {
			h.Typeflag = tar.TypeDir
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		w.Write(e.data)
	}
	w.Close()
	return b.Bytes()
}

func u64(x ...uint64) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, v)
	}
	return b
}

func f64(x ...float64) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

func u32(x ...uint32) (b []byte) {
	for _, v := range x {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// prismIndex is what PRISM 4.10 writes for the example of the format's authors, with the members
// in PRISM's order.
const prismIndex = `{
  "format-version": 1, "format-revision": 0, "model-data": {},
  "file-data": { "tool": "PRISM", "tool-version": "4.10", "creation-date": 1769360247 },
  "transition-system": {
    "time": "discrete", "#players": 1, "#states": 4, "#initial-states": 1, "#choices": 5, "#choice-actions": 2,
    "#branches": 8, "#branch-actions": 0, "#observations": 0,
    "branch-probability-type": { "type": "double", "size": 64 }
  },
  "annotations": {
    "aps":     { "g": { "alias": "g", "applies-to": ["states"],  "type": { "type": "bool",   "size": 1 } } },
    "rewards": { "r": { "alias": "r", "applies-to": ["choices"], "type": { "type": "double", "size": 64 } } }
  },
  "valuations": {
    "states": { "unique": true, "classes": [ { "variables": [
        { "name": "x", "type": { "type": "uint", "size": 2 } },
        { "name": "b", "type": { "type": "bool", "size": 1 } },
        { "padding": 5 } ] } ] }
  }
}`

func prismEntries() []entry {
	return []entry{
		{"index.json", []byte(prismIndex)},
		{"state-to-choices.bin", u64(0, 2, 3, 4, 5)},
		{"choice-to-branches.bin", u64(0, 2, 4, 6, 7, 8)},
		{"branch-to-probability.bin", f64(0.5, 0.5, 0.2, 0.8, 0.9, 0.1, 1, 1)},
		{"branch-to-target.bin", u64(1, 2, 2, 3, 0, 1, 2, 3)},
		{"state-is-initial.bin", u64(1)},
		{"actions/choices/string-mapping.bin", u64(0, 1, 2)},
		{"actions/choices/strings.bin", []byte("ab")},
		{"actions/choices/values.bin", u32(0, 1, 0, 0, 0)},
		{"annotations/aps/g/states/values.bin", u64(8)},
		{"annotations/rewards/r/choices/values.bin", f64(0, 1, 0, 0, 0)},
		{"valuations/states/valuations.bin", []byte{0, 1, 2, 6}},
	}
}

// change returns the example with parts of the index replaced, and members replaced, added, or
// (where data is nil) left out.
func change(index []string, members ...entry) []byte {
	entries := prismEntries()
	entries[0].data = []byte(strings.NewReplacer(index...).Replace(prismIndex))
	for _, m := range members {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.name == m.name })
		switch {
		case i < 0:
			entries = append(entries, m)
		case m.data == nil:
			entries = slices.Delete(entries, i, i+1)
		default:
			entries[i] = m
		}
	}
	return pack(entries)
}

func read(t testing.TB, data []byte) *sparse.MDP {
	t.Helper()
	m, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPrismExample(t *testing.T) {
	m := read(t, change(nil))
	if m.NumStates() != 4 || m.NumChoices() != 5 || m.NumBranches() != 8 || m.Initial().First() != 0 {
		t.Errorf("wrong sizes: %d %d %d", m.NumStates(), m.NumChoices(), m.NumBranches())
	}
	var names []string
	for s := range uint32(4) {
		names = append(names, m.StateName(s))
	}
	if want := []string{"(x=0,b=false)", "(x=1,b=false)", "(x=2,b=false)", "(x=2,b=true)"}; !slices.Equal(names, want) {
		t.Errorf("names %v, want %v", names, want)
	}
	if g, ok := m.Label("g"); !ok || g[0] != 8 {
		t.Errorf("label g is %v", g)
	}
	if r := m.Reward("r"); r == nil || r.States.Len() != 0 || r.Choices.At(1) != 1 || r.Choices.At(0) != 0 {
		t.Errorf("reward r is %+v", r)
	}
	if m.ActionName(1) != "b" || m.ActionName(4) != "a" {
		t.Errorf("actions %q", m.Actions().Names())
	}
}

func TestAnyOrderOfMembersIsTheSameModel(t *testing.T) {
	rng := random(t)
	for range 200 {
		m := randomModel(rng, 40)
		entries := unpack(t, write(t, m))
		entries = append(entries, entry{"annotations/", nil}, entry{"unknown.bin", u64(1)}, entry{"annotations/zoo/x/states/values.bin", u64(1)})
		rng.Shuffle(len(entries), func(i, j int) { entries[i], entries[j] = entries[j], entries[i] })
		for i := range entries {
			if rng.IntN(4) == 0 && !strings.HasSuffix(entries[i].name, "/") {
				entries[i].name = "./" + entries[i].name
			}
		}
		if d := difference(m, read(t, pack(entries))); d != "" {
			t.Fatal(d)
		}
	}
}

func TestDefaultsOfMissingMembers(t *testing.T) {
	m := read(t, change([]string{`"#choice-actions": 2`, `"#choice-actions": 1`},
		entry{"actions/choices/values.bin", nil}, entry{"actions/choices/string-mapping.bin", u64(0, 2)},
		entry{"annotations/aps/g/states/values.bin", nil}, entry{"annotations/rewards/r/choices/values.bin", nil}))
	if m.ActionName(3) != "ab" {
		t.Errorf("action %q, want ab", m.ActionName(3))
	}
	if g, ok := m.Label("g"); !ok || g.Count() != 0 {
		t.Errorf("label g is %v, %v, want empty", g, ok)
	}
	if r := m.Reward("r"); r == nil || r.Choices.Len() != 0 {
		t.Errorf("reward r is %+v, want zero", r)
	}

	m = read(t, change(nil, entry{"actions/choices/string-mapping.bin", nil}, entry{"actions/choices/strings.bin", nil}))
	if m.ActionName(1) != "_2" {
		t.Errorf("action %q, want _2", m.ActionName(1))
	}

	m = read(t, change(nil, entry{"actions/choices/strings.bin", []byte("aa")}))
	if !slices.Equal(m.Actions().Names(), []string{"a"}) {
		t.Errorf("actions %q, want one", m.Actions().Names())
	}

	chain := []string{`"#players": 1`, `"#players": 0`, `"#choices": 5`, `"#choices": 4`, `"#branches": 8`, `"#branches": 4`, `"#choice-actions": 2`, `"#choice-actions": 0`}
	m = read(t, change(chain, entry{"state-to-choices.bin", nil}, entry{"choice-to-branches.bin", nil}, entry{"branch-to-probability.bin", nil},
		entry{"branch-to-target.bin", u64(1, 2, 3, 3)}, entry{"annotations/rewards/r/choices/values.bin", f64(0, 1, 0, 0)}))
	if !m.Deterministic() || m.NumChoices() != 4 || m.NumTerminal() != 0 || m.Target(3) != 3 {
		t.Error("wrong Markov chain")
	}
}

func TestRewardsOfBranchesAreExpected(t *testing.T) {
	m := read(t, change([]string{`"applies-to": ["choices"]`, `"applies-to": ["choices","branches","states"]`},
		entry{"annotations/rewards/r/branches/values.bin", f64(1, 3, 10, 0, 0, 0, 7, 0)},
		entry{"annotations/rewards/r/states/values.bin", f64(0, 0, 0, 4)}))
	r := m.Reward("r")
	if got, want := r.Choices.Dense(0), []float64{2, 3, 0, 7, 0}; !slices.Equal(got, want) {
		t.Errorf("choice rewards %v, want %v", got, want)
	}
	if r.States.At(3) != 4 {
		t.Errorf("state reward %v, want 4", r.States.At(3))
	}
	whole := change([]string{`"applies-to": ["choices"], "type": { "type": "double"`, `"applies-to": ["choices"], "type": { "type": "int"`},
		entry{"annotations/rewards/r/choices/values.bin", u64(0, math.MaxUint64, 0, 0, 0)})
	if x := read(t, whole).Reward("r").Choices.At(1); x != -1 {
		t.Errorf("integer reward %v, want -1", x)
	}
}

func TestValuationTypes(t *testing.T) {
	layout := func(variables, count string) []string {
		return []string{prismIndex[strings.Index(prismIndex, `"states": { "unique"`):], `"states": { "unique": true, ` + count + ` "classes": [ { "variables": [` + variables + `] } ] } } }`}
	}
	// The first two are the format's own example, the third is an integer of two's complement.
	m := read(t, change(layout(`{"name":"u","type":{"type":"uint","size":8},"offset":-128},{"name":"i","type":{"type":"int","size":16}}`, ""),
		entry{"valuations/states/valuations.bin", bytes.Repeat([]byte{0xB8, 0xFF, 0xBD}, 4)}))
	if name := m.StateName(2); name != "(u=56,i=-16897)" {
		t.Errorf("state is %s", name)
	}
	m = read(t, change(layout(`{"name":"o","type":{"type":"uint","size":0},"offset":7},{"name":"z","type":{"type":"int"}},{"name":"s","type":{"type":"string","size":2}},{"padding":1},{"name":"b","type":{"type":"bool","size":2}},{"padding":3}`, `"#strings": 2,`),
		entry{"valuations/states/valuations.bin", bytes.Repeat([]byte{0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0b10001}, 4)},
		entry{"valuations/states/string-mapping.bin", u64(0, 3, 5)}, entry{"valuations/states/strings.bin", []byte("xyzab")}))
	if name := m.StateName(3); name != "(o=7,z=-2,s=ab,b=true)" {
		t.Errorf("state is %s", name)
	}
	m = read(t, change(layout(`{"name":"name","type":{"type":"string"}}`, `"#strings": 4,`),
		entry{"valuations/states/valuations.bin", u64(0, 1, 2, 3)},
		entry{"valuations/states/string-mapping.bin", u64(0, 1, 2, 3, 3)}, entry{"valuations/states/strings.bin", []byte("abc")}))
	if _, ok := m.Names().(*sparse.Texts); !ok || m.StateName(2) != "c" {
		t.Errorf("names are %T, state 2 is %s", m.Names(), m.StateName(2))
	}
	m = read(t, change(layout(`{"name":"name","type":{"type":"string"}}`, `"#strings": 4,`),
		entry{"valuations/states/valuations.bin", u64(0, 1, 3, 3)},
		entry{"valuations/states/string-mapping.bin", u64(0, 1, 2, 3, 3)}, entry{"valuations/states/strings.bin", []byte("abc")}))
	if _, ok := m.Names().(*sparse.Valuation); !ok || m.StateName(1) != "(name=b)" || m.StateName(2) != "(name=)" {
		t.Errorf("names are %T, state 1 is %s", m.Names(), m.StateName(1))
	}
}

func TestErrors(t *testing.T) {
	with := func(index ...string) []byte { return change(index) }
	variable := func(v string) []byte {
		return with(`{ "name": "x", "type": { "type": "uint", "size": 2 } }`, v)
	}
	for _, x := range []struct {
		data []byte
		want string
	}{
		{nil, "index.json is missing"},
		{[]byte("something else that is no tar archive"), "cut short"},
		{bytes.Repeat([]byte("something else"), 100), "not a tar archive"},
		{change(nil, entry{"index.json", nil}), "index.json is missing"},
		{with(`"format-version": 1`, `"format-version": 2`), "index.json: format-version is 2, want 1"},
		{with(`"format-version": 1,`, ``), "index.json: format-version is missing"},
		{with(`transition-system`, `x`), "transition-system is missing"},
		{with(`"#states": 4`, `"#states": -4`), "index.json: json:"},
		{with(`"#states": 4,`, ``), "index.json: #states is missing"},
		{with(`"#states": 4,`, `"#states": 4294967295,`), "more than the limit of 4294967294"},
		{with(`"#states": 4,`, `"#states": 0,`), "#states is 0, want at least 1"},
		{with(`"#initial-states": 1`, `"#initial-states": 5`), "#initial-states is 5, but #states is 4"},
		{with(`"#branches": 8`, `"#branches": 4`), "#branches is 4, want at least one for each of the 5 choices"},
		{with(`"discrete"`, `"stochastic"`), "CTMC"},
		{with(`"discrete"`, `"urgent-stochastic"`), "Markov automaton"},
		{with(`"discrete"`, `"dense"`), `time is "dense"`},
		{with(`"#players": 1`, `"#players": 2`), "a game"},
		{with(`"#players": 1`, `"#players": 0`), "Markov chain"},
		{with(`"#observations": 0`, `"#observations": 3`), "partially observable"},
		{with(`"branch-probability-type": { "type": "double"`, `"branch-probability-type": { "type": "double-interval"`), "interval probabilities"},
		{with(`"branch-probability-type": { "type": "double"`, `"branch-probability-type": { "type": "rational"`), "exact probabilities"},
		{with(`"branch-probability-type": { "type": "double", "size": 64`, `"branch-probability-type": { "type": "double", "size": 32`), "double of 32 bits, want"},
		{with(`"branch-probability-type": { "type": "double", "size": 64 }`, `"branch-probability-type": "double"`), "before UMB 1.0"},
		{with(`branch-probability-type`, `x`), "LTS"},
		{with(`"type": "bool",   "size": 1`, `"type": "int"`), `annotation "g" of group aps is int`},
		{with(`"choices"], "type": { "type": "double", "size": 64`, `"choices"], "type": { "type": "rational", "size": 128`), `annotation "r" of group rewards is rational of 128 bits`},
		{with(`["choices"]`, `["players"]`), `applies to "players"`},
		{with(`"rewards": {`, `"rewards": { "r": {},`), `annotation "r" stands twice`},
		{change(nil, entry{"state-to-choices.bin", nil}), "state-to-choices.bin is missing: there are 5 choices for 4 states"},
		{change(nil, entry{"choice-to-branches.bin", nil}), "choice-to-branches.bin is missing"},
		{change(nil, entry{"branch-to-target.bin", nil}), "branch-to-target.bin is missing"},
		{change(nil, entry{"state-is-initial.bin", nil}), "state-is-initial.bin is missing"},
		{change(nil, entry{"valuations/states/valuations.bin", nil}), "valuations/states/valuations.bin is missing"},
		{change(nil, entry{"actions/choices/string-mapping.bin", nil}), "actions/choices/string-mapping.bin is missing"},
		{change(nil, entry{"actions/choices/strings.bin", []byte("abc")}), "actions/choices/strings.bin: 3 bytes, want 2"},
		{change(nil, entry{"actions/choices/strings.bin", []byte("a\xff")}), "not UTF-8"},
		{change(nil, entry{"actions/choices/values.bin", u32(0, 1, 2, 0, 0)}), "actions/choices/values.bin: entry 2 is 2, want less than #choice-actions, 2"},
		{change(nil, entry{"state-to-choices.bin", u64(0, 2, 3, 4)}), "state-to-choices.bin: 32 bytes, want 40"},
		{change(nil, entry{"state-to-choices.bin", u64(1, 2, 3, 4, 5)}), "state-to-choices.bin: entry 0 is 1, want 0"},
		{change(nil, entry{"state-to-choices.bin", u64(0, 2, 1, 4, 5)}), "state-to-choices.bin: entry 2 is 1, want 2 to 5"},
		{change(nil, entry{"state-to-choices.bin", u64(0, 2, 3, 4, 4)}), "state-to-choices.bin: the last entry is 4, want #choices, 5"},
		{change(nil, entry{"branch-to-target.bin", u64(1, 2, 2, 4, 0, 1, 2, 3)}), "branch-to-target.bin: entry 3 is 4, want less than #states, 4"},
		{change(nil, entry{"branch-to-probability.bin", f64(0.5, 0.4, 0.2, 0.8, 0.9, 0.1, 1, 1)}), "state (x=0,b=false) (#0), choice 0 (a): probabilities sum to 0.9"},
		{change(nil, entry{"state-is-initial.bin", u64(3)}), "state-is-initial.bin: 2 states are initial, want #initial-states, 1"},
		{change(nil, entry{"state-is-initial.bin", u64(16)}), "state-is-initial.bin: a bit beyond state #3"},
		{change(nil, entry{"valuations/states/valuations.bin", []byte{1}}), "valuations/states/valuations.bin: 1 bytes, want 4"},
		{with(`"classes": [`, `"classes": [ {"variables": []},`), "valuations of states: 2 classes, want one"},
		{with(`"padding": 5`, `"padding": 6`), "a state takes 9 bits, want a multiple of 8"},
		{with(`"name": "b"`, `"name": "x"`), `variable "x" stands twice`},
		{variable(`{"name": "x"}`), `variable "x" has no type`},
		{variable(`{"name": "x", "is-optional": true, "type": {"type": "uint", "size": 1}}`), `variable "x" is optional`},
		{variable(`{"name": "x", "type": {"type": "rational", "size": 128}}`), `variable "x" is rational of 128 bits`},
		{variable(`{"name": "x", "type": {"type": "double", "size": 2}}`), `variable "x" is double of 2 bits`},
		{variable(`{"name": "x", "type": {"type": "string", "size": 2}}`), `variable "x" is a string, want #strings`},
		{variable(`{"name": "x", "type": {"type": "int", "size": 2}, "offset": -9223372036854775808}`), `leaves the range of int64`},
		{variable(`{"name": "x", "type": {"type": "uint", "size": 2}, "offset": 9223372036854775807}`), `state #1: variable "x" is 9223372036854775807 + 1`},
		{pack(append(prismEntries(), entry{"branch-to-target.bin", u64(1)})), "branch-to-target.bin: stands twice"},
		{pack(append(prismEntries(), prismEntries()[0])), "index.json: stands twice"},
	} {
		_, err := Read(bytes.NewReader(x.data))
		if err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
}

func TestMembersThatAreNoPlainFiles(t *testing.T) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	w.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: "index.json", Linkname: "/etc/passwd"})
	w.Close()
	if _, err := Read(&b); err == nil || !strings.Contains(err.Error(), "index.json is not a plain file") {
		t.Errorf("error %v", err)
	}
}

func TestTruncationAnywhereIsAnError(t *testing.T) {
	data := write(t, randomModel(rand.New(rand.NewPCG(3, 3)), 300))
	end := len(data) - 1024 // the end marker
	for n := 1; n <= end; n += 37 {
		if n+37 > end {
			n = end
		}
		_, err := Read(bytes.NewReader(data[:n]))
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("of %d bytes the first %d: error %v", len(data), n, err)
		}
	}
	for n := 0; n <= end; n += 512 {
		if _, err := Read(bytes.NewReader(data[:n])); err == nil {
			t.Fatalf("of %d bytes the first %d: no error", len(data), n)
		}
	}
}

func TestErrorsOfTheReaderAreKept(t *testing.T) {
	data := write(t, randomModel(rand.New(rand.NewPCG(3, 3)), 300))
	broken := errors.New("broken")
	for n := range len(data) / 512 {
		r := io.MultiReader(bytes.NewReader(data[:512*n+100]), iotest.ErrReader(broken))
		if _, err := Read(r); !errors.Is(err, broken) {
			t.Fatalf("after %d blocks: %v", n, err)
		}
	}
}

// TestLyingCounts has an index, and headers of members, that announce the greatest model there
// can be, with next to nothing behind them.
func TestLyingCounts(t *testing.T) {
	const n = 1<<32 - 2
	huge := []string{`"#states": 4`, fmt.Sprintf(`"#states": %d`, uint64(n)), `"#choices": 5`, fmt.Sprintf(`"#choices": %d`, uint64(n)),
		`"#branches": 8`, fmt.Sprintf(`"#branches": %d`, uint64(n)), `"#choice-actions": 2`, fmt.Sprintf(`"#choice-actions": %d`, uint64(n)),
		`"unique"`, fmt.Sprintf(`"#strings": %d, "unique"`, uint64(n))}
	index := []byte(strings.NewReplacer(huge...).Replace(prismIndex))
	sizes := map[string]int64{"state-to-choices.bin": 8*n + 8, "choice-to-branches.bin": 8*n + 8, "branch-to-target.bin": 8 * n,
		"branch-to-probability.bin": 8 * n, "state-is-initial.bin": (n + 63) / 64 * 8, "actions/choices/values.bin": 4 * n,
		"actions/choices/string-mapping.bin": 8*n + 8, "actions/choices/strings.bin": n, "annotations/aps/g/states/values.bin": (n + 63) / 64 * 8,
		"annotations/rewards/r/choices/values.bin": 8 * n, "valuations/states/valuations.bin": n}
	for name, size := range sizes {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "index.json", Size: int64(len(index))})
		w.Write(index)
		w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size})
		w.Write(make([]byte, 1000))
		for _, data := range [][]byte{b.Bytes(), pack(prismEntries()[:1]), pack([]entry{{"index.json", index}})} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Read(bytes.NewReader(data))
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Errorf("%s: no error", name)
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
				t.Errorf("%s: %d bytes allocated", name, took)
			}
		}
	}
}

func TestWriteErrors(t *testing.T) {
	model := func(f func(b *sparse.Builder)) *sparse.MDP {
		b := sparse.NewBuilder(1)
		f(b)
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	valued := func(x sparse.Variable, stored uint64) *sparse.MDP {
		v, err := sparse.NewValuation([]sparse.Variable{x})
		if err != nil {
			t.Fatal(err)
		}
		v.Append([]uint64{stored})
		return model(func(b *sparse.Builder) { b.SetNames(v) })
	}
	for _, x := range []struct {
		m    *sparse.MDP
		want string
	}{
		{model(func(b *sparse.Builder) { b.Label("\xff") }), `the name of label "\xff" is not UTF-8`},
		{model(func(b *sparse.Builder) { b.DeclareReward("\xff") }), `the name of reward "\xff" is not UTF-8`},
		{model(func(b *sparse.Builder) { b.Name(0, "\xff") }), `the name of state #0, "\xff", is not UTF-8`},
		{model(func(b *sparse.Builder) { b.AddChoice(0, "\xff", sparse.Branch{Target: 0, Probability: 1}) }), `action name "\xff" is not UTF-8`},
		{valued(sparse.Variable{Name: "\xff", Bits: 1}, 0), `the name of variable "\xff" is not UTF-8`},
		{valued(sparse.Variable{Name: "x", Bits: 8, Type: sparse.StringVariable, Strings: []string{"\xff"}}, 0), `"\xff", a value of the state variables, is not UTF-8`},
		{valued(sparse.Variable{Name: "x", Bits: 8, Type: sparse.StringVariable, Strings: []string{"a"}}, 1), `state #0: variable "x" is string 1, but has only 1`},
		{valued(sparse.Variable{Name: "x", Bits: 8, Type: sparse.IntVariable, Lower: math.MaxInt64}, 1), `more than an int64 holds`},
	} {
		if err := Write(io.Discard, x.m); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want %q", err, x.want)
		}
	}
	broken := errors.New("broken")
	m := randomModel(rand.New(rand.NewPCG(3, 3)), 300)
	size := len(write(t, m))
	for n := 0; n < size; n += 512 {
		if err := Write(&failing{left: n, err: broken}, m); !errors.Is(err, broken) {
			t.Fatalf("after %d of %d bytes: error %v", n, size, err)
		}
	}
}

// failing takes some bytes and fails then.
type failing struct {
	left int
	err  error
}

func (f *failing) Write(p []byte) (int, error) {
	if f.left -= len(p); f.left < 0 {
		return 0, f.err
	}
	return len(p), nil
}

func FuzzRead(f *testing.F) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		f.Add(write(f, randomModel(rng, 5)))
	}
	f.Add(change(nil))
	f.Fuzz(readAgain)
}

// readAgain writes and reads again what can be read.
func readAgain(t *testing.T, data []byte) {
	m, err := Read(bytes.NewReader(data))
	if err != nil {
		return
	}
	back, err := Read(bytes.NewReader(write(t, m)))
	if err != nil {
		t.Fatal(err)
	}
	if d := difference(m, back); d != "" {
		t.Fatal(d)
	}
}

// FuzzMembers changes the index and one other member of a good archive, which fuzzing of the whole
// seldom manages for the checksums of tar.
func FuzzMembers(f *testing.F) {
	for i, e := range prismEntries() {
		f.Add([]byte(prismIndex), uint8(i), e.data)
	}
	texts := strings.Replace(prismIndex[:strings.Index(prismIndex, `"states": { "unique"`)]+
		`"states": { "unique": true, "#strings": 4, "classes": [ { "variables": [ {"name":"name","type":{"type":"string"}}, {"name":"i","type":{"type":"int"},"offset":1} ] } ] } } }`,
		`["choices"]`, `["branches","states"]`, 1)
	for i := range 16 {
		f.Add([]byte(texts), uint8(i), u64(0, 1, 2, 3, 3, 0, 1, 2))
	}
	f.Fuzz(func(t *testing.T, index []byte, at uint8, data []byte) {
		entries := append(prismEntries(), entry{"valuations/states/string-mapping.bin", u64(0, 1, 2, 3, 3)}, entry{"valuations/states/strings.bin", []byte("abc")},
			entry{"annotations/rewards/r/branches/values.bin", f64(1, 2, 3, 4, 5, 6, 7, 8)}, entry{"annotations/rewards/r/states/values.bin", f64(1, 2, 3, 4)})
		entries[int(at)%len(entries)].data = data
		entries[0].data = index
		readAgain(t, pack(entries))
	})
}
