package prism

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"offswitch/sparse"
	"offswitch/sparse/internal/modeltest"
	"offswitch/sparse/internal/text"
)

// files are the contents of the files of one model by suffix.
type files map[string]*bytes.Buffer

func write(t testing.TB, m *sparse.MDP) files {
	t.Helper()
	out := make(files)
	err := Write(func(suffix string) (io.Writer, error) {
		out[suffix] = new(bytes.Buffer)
		return out[suffix], nil
	}, m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// input names the files m.tra and so on.
func (f files) input() Input {
	source := func(suffix string) Source { return Source{"m" + suffix, bytes.NewReader(f[suffix].Bytes())} }
	optional := func(suffix string) *Source {
		if f[suffix] == nil {
			return nil
		}
		s := source(suffix)
		return &s
	}
	in := Input{Transitions: source(".tra"), Labels: optional(".lab"), States: optional(".sta")}
	for _, number := range []string{"", "1", "2", "3"} {
		if f[number+".srew"] != nil {
			in.StateRewards = append(in.StateRewards, source(number+".srew"))
		}
		if f[number+".trew"] != nil {
			in.TransitionRewards = append(in.TransitionRewards, source(number+".trew"))
		}
	}
	return in
}

func (f files) String() string {
	var b strings.Builder
	for _, suffix := range slices.Sorted(maps.Keys(f)) {
		b.WriteString("--- " + suffix + "\n" + f[suffix].String())
	}
	return b.String()
}

// asWritten returns the model with what PRISM's files cannot tell made the same: branches merged
// and in order, self-loops for terminal states, and those under the label terminal.
func asWritten(t testing.TB, m *sparse.MDP) *sparse.MDP {
	t.Helper()
	b := sparse.NewBuilder(m.NumStates())
	for s := range uint32(m.NumStates()) {
		if m.Initial().Has(s) {
			b.SetInitial(s)
		}
		lo, hi := m.Choices(s)
		if lo == hi {
			b.AddChoice(s, "", sparse.Branch{Target: s, Probability: 1})
			b.Label("terminal", s)
		}
		for c := lo; c < hi; c++ {
			action := m.ActionName(c)
			if strings.HasPrefix(action, "#") && action != "#1" || m.Actions().Len() == 0 {
				action = ""
			} else if m.Actions().Names()[m.Actions().ID(c)] == "" {
				action = ""
			}
			merged := make(map[uint32]float64)
			var targets []uint32
			for i, t := range m.Targets(c) {
				if _, ok := merged[t]; !ok {
					targets = append(targets, t)
				}
				merged[t] += m.Probabilities(c)[i]
			}
			slices.Sort(targets)
			n := b.StartChoice(s, action)
			for _, target := range targets {
				b.AddBranch(target, math.Min(merged[target], 1))
			}
			for _, r := range m.Rewards() {
				if r.Choices.Len() > 0 {
					b.ChoiceReward(r.Name, n, r.Choices.At(c))
				}
			}
		}
		for _, r := range m.Rewards() {
			b.DeclareReward(r.Name)
			if r.States.Len() > 0 {
				b.StateReward(r.Name, s, r.States.At(s))
			}
		}
	}
	for _, l := range m.Labels() {
		b.Label(l.Name, slices.Collect(l.States.All())...)
	}
	b.SetNames(m.Names())
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(400) {
		m := modeltest.Random(rand.New(rand.NewPCG(seed, 1)), modeltest.Wild())
		f := write(t, m)
		got, err := Read(f.input())
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, f)
		}
		if d := modeltest.Diff(asWritten(t, m), got); d != "" {
			t.Fatalf("seed %d: %s\n%s", seed, d, f)
		}
		for _, text := range f {
			carriage := strings.ReplaceAll(text.String(), "\n", "\r\n")
			text.Reset()
			text.WriteString(carriage)
		}
		again, err := Read(f.input())
		if err != nil || modeltest.Diff(got, again) != "" {
			t.Fatalf("seed %d with carriage returns: %v", seed, err)
		}
	}
}

// Pieces of any size give the same model, or the same error, as files in one piece.
func TestPieces(t *testing.T) {
	defer func(size int) { text.PieceSize = size }(text.PieceSize)
	read := func(f files, size int) (*sparse.MDP, string) {
		text.PieceSize = size
		m, err := Read(f.input())
		return m, fmt.Sprint(err)
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		f := write(t, modeltest.Random(rng, modeltest.Wild()))
		if suffixes := slices.Sorted(maps.Keys(f)); seed%4 > 0 {
			suffix := suffixes[rng.IntN(len(suffixes))]
			f[suffix] = bytes.NewBuffer(modeltest.Mutate(rng, f[suffix].Bytes()))
		}
		want, wantErr := read(f, 1<<20)
		whole := ""
		if want != nil {
			whole = write(t, want).String()
		}
		for _, size := range []int{1, 100, 1 + rng.IntN(3000)} {
			got, err := read(f, size)
			if want != nil && write(t, want).String() != whole {
				t.Fatalf("seed %d: written in pieces of %d bytes, the files differ", seed, size)
			}
			if err != wantErr {
				t.Fatalf("seed %d, pieces of %d bytes: error %s, want %s\n%s", seed, size, err, wantErr, f)
			}
			if want == nil {
				continue
			}
			if d := modeltest.Diff(want, got) + modeltest.DiffOrder(want, got); d != "" {
				t.Fatalf("seed %d, pieces of %d bytes: %s\n%s", seed, size, d, f)
			}
		}
	}
}

// slowly returns X.tra with a blank before each line, so that none looks as Lines expects.
func slowly(tra []byte) (out []byte) {
	for line := range bytes.Lines(tra) {
		out = append(append(out, ' '), line...)
	}
	return out
}

// differs compares a model read, or what is wrong with it, with that read from the same lines with a blank
// before each.
func differs(f files) string {
	want, wantErr := Read(f.input())
	f = maps.Clone(f)
	f[".tra"] = bytes.NewBuffer(slowly(f[".tra"].Bytes()))
	got, err := Read(f.input())
	if fmt.Sprint(err) != fmt.Sprint(wantErr) {
		return fmt.Sprintf("error %v, and %v with blanks", wantErr, err)
	}
	if err != nil {
		return ""
	}
	return modeltest.Diff(want, got) + modeltest.DiffOrder(want, got)
}

// The lines that are read at once say the same as one by one, and what is wrong is found in the same place.
func TestLinesOneByOne(t *testing.T) {
	shape := modeltest.Wild()
	shape.States = 60
	for seed := range uint64(400) {
		rng := rand.New(rand.NewPCG(seed, 4))
		f := write(t, modeltest.Random(rng, shape))
		tra := f[".tra"].Bytes()
		if seed%5 == 0 {
			header, lines, _ := bytes.Cut(tra, []byte("\n"))
			long := strings.Repeat("long", rng.IntN(20)) + "\n"
			tra = slices.Concat(header, []byte("\n"), bytes.ReplaceAll(lines, []byte("\n"), []byte(long)))
		}
		if seed%4 > 0 {
			tra = modeltest.Mutate(rng, tra)
		}
		f[".tra"] = bytes.NewBuffer(tra)
		if d := differs(f); d != "" {
			t.Fatalf("seed %d: %s\n%s", seed, d, f)
		}
	}
	// Numbers of eight digits and more, and of a chain.
	for _, tra := range []string{
		"20000000 3 4\n12345678 0 12345678 0.25\n12345678 0 12345679 0.75\n12345678 1 19999999 1\n123456789 0 1 1\n%s",
		"20000000 3\n- 1\n0 12345678 0.25 a\n0 12345679 0.75 b\n1 19999999 1 c\n%s",
		"2 2 2\n0 0 1 1\n000000001 0 00000001 1e0\n%s",
		"2 2 2\n0 00 1 1\r\n1 0 0 1.\r\n%s",
	} {
		f := files{".tra": bytes.NewBufferString(fmt.Sprintf(tra, strings.Repeat("# comment\n", 200)))}
		if d := differs(f); d != "" {
			t.Errorf("%s\n%s", d, tra)
		}
	}
}

func die(t testing.TB) *sparse.MDP {
	t.Helper()
	f := make(files)
	for _, suffix := range []string{".tra", ".lab", ".sta", ".trew"} {
		text, err := os.ReadFile("../../testdata/die" + suffix)
		if err != nil {
			t.Fatal(err)
		}
		f[suffix] = bytes.NewBuffer(text)
	}
	m, err := Read(f.input())
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// In Knuth and Yao's die every face comes with probability 1/6, and a throw takes 11/3 coins.
func TestDie(t *testing.T) {
	m := die(t)
	six, _ := m.Label("six")
	reach, coins := make([]float64, 13), make([]float64, 13)
	reward := m.Reward("coin_flips")
	for range 200 {
		for s := range uint32(13) {
			lo, _ := m.Choices(s)
			reach[s], coins[s] = 0, reward.Choices.At(lo)
			for i, t := range m.Targets(lo) {
				p := m.Probabilities(lo)[i]
				reach[s] += p * reach[t]
				coins[s] += p * coins[t]
			}
			if six.Has(s) {
				reach[s] = 1
			}
		}
	}
	if math.Abs(reach[0]-1.0/6) > 1e-12 || math.Abs(coins[0]-11.0/3) > 1e-12 {
		t.Errorf("a six has probability %v, a throw takes %v coins", reach[0], coins[0])
	}
	if s, err := m.FindState("(7,6)"); err != nil || s != 12 || m.StateName(12) != "(s=7,d=6)" {
		t.Errorf("state (7,6): %d, %v", s, err)
	}
}

func TestTerminalStatesBecomeSelfLoops(t *testing.T) {
	b := sparse.NewBuilder(2)
	b.AddChoice(0, "go", sparse.Branch{Target: 1, Probability: 1})
	b.Label("terminal", 0)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	f := write(t, m)
	if got, want := f[".tra"].String(), "2 2 2\n0 0 1 1 go\n1 0 1 1\n"; got != want {
		t.Errorf(".tra is %q, want %q", got, want)
	}
	if got, want := f[".lab"].String(), "0=\"init\" 1=\"terminal\"\n0: 1\n1: 1\n"; got != want {
		t.Errorf(".lab is %q, want %q", got, want)
	}
}

func TestRewards(t *testing.T) {
	const tra = "# Transitions (MDP)\n2 2 4\n0 0 1 0.25 a\n0 0 0 0.75 a\n1 0 0 0.5\n1 0 1 0.5\n- - 1\n"
	f := files{
		".tra":   bytes.NewBufferString(tra),
		"1.srew": bytes.NewBufferString("2 1\n1 5\n"),
		"2.srew": bytes.NewBufferString("# Reward structure \"x y\"\n# State rewards\n2 0\n"),
		"1.trew": bytes.NewBufferString("2 2 3\n0 0 0 4\n0 0 1 8\n1 0 1 2\n"),
		"2.trew": bytes.NewBufferString("# Reward structure \"z\"\n\n2 2 2\n1 0 0 0.1\n1 0 1 0.1\n"),
	}
	m, err := Read(f.input())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		states  []float64
		choices []float64
	}{
		{"reward", []float64{0, 5}, []float64{5, 1}},
		{"x y", []float64{0, 0}, []float64{0, 0}},
		{"z", []float64{0, 0}, []float64{0, 0.1}},
	} {
		r := m.Reward(c.name)
		if r == nil {
			t.Errorf("no reward %s", c.name)
			continue
		}
		if got := r.States.Dense(2); !slices.Equal(got, c.states) {
			t.Errorf("%s: states %v, want %v", c.name, got, c.states)
		}
		if got := r.Choices.Dense(2); !slices.Equal(got, c.choices) {
			t.Errorf("%s: choices %v, want %v", c.name, got, c.choices)
		}
	}
	if len(m.Rewards()) != 3 || m.Initial().Has(0) || !m.Initial().Has(1) {
		t.Errorf("%d rewards, initial %v", len(m.Rewards()), m.Initial())
	}
}

func TestErrors(t *testing.T) {
	base := func() map[string]string {
		return map[string]string{".tra": "2 3 4\n0 0 1 0.5 a\n0 0 0 0.5 a\n0 1 1 1\n1 0 1 1 b\n"}
	}
	for _, c := range []struct{ suffix, text, want string }{
		{".tra", "", "m.tra: line 1: the file has no header"},
		{".tra", "x\n", `m.tra: line 1: found header "x"`},
		{".tra", "2\n", `m.tra: line 1: found header "2", want 3`},
		{".tra", "2 2 2 2\n", "m.tra: line 1: found header \"2 2 2 2\" of a POMDP"},
		{".tra", "# Transitions (CTMC)\n2 2\n", `m.tra: line 1: model type "CTMC"`},
		{".tra", "0 0\n", "m.tra: line 1: number of states is 0"},
		{".tra", "5000000000 0\n", "m.tra: line 1: number of states is 5000000000"},
		{".tra", "4000000000 1\n0 0 1\n", "m.tra: line 2: the file reaches 4000000000 states in 2 lines"},
		{".tra", "4000000000 1\n3999999999 0 1\n", "m.tra: line 2: the file reaches 4000000000 states in 2 lines"},
		{".tra", "4000000000 1\n- 3999999999\n", "m.tra: line 2: the file reaches"},
		{".tra", "2 1\n- 2\n", "m.tra: line 2: found \"- 2\""},
		{".tra", "2 1 1\n0 1 1\n", `m.tra: line 2: found probability ""`},
		{".tra", "2 1 1\nx 0 1 1\n", `m.tra: line 2: found "x 0 1 1", want state, choice`},
		{".tra", "2 1\n0 x 1\n", `m.tra: line 2: found "0 x 1", want state, target`},
		{".tra", "2 1 1\n0 0 1 [0,1]\n", "m.tra: line 2: found probability"},
		{".tra", "2 1 1\n0 0 1 7.5\n", "m.tra: line 2: probability 7.5 is not in (0,1]"},
		{".tra", "2 1 1\n0 0 2 1\n", "m.tra: line 2: target state 2 is out of range"},
		{".tra", "2 1 1\n2 0 0 1\n", "m.tra: line 2: state 2 is out of range"},
		{".tra", "2 2 2\n1 0 0 1\n0 0 0 1\n", "m.tra: line 3: found state 0 after state 1"},
		{".tra", "2 2 2\n0 1 0 1\n", "m.tra: line 2: found choice 1 of state 0, want 0"},
		{".tra", "2 1 2\n0 0 0 0.5 a\n0 0 1 0.5 b\n", `m.tra: line 3: found action "b"`},
		{".tra", "2 1 1\n0 0 0 1 a b\n", `m.tra: line 2: found "b" after the action`},
		{".tra", "2 1 1\n0 0 0 0.5\n", "m.tra: line 2: the probabilities of the choice sum to 0.5"},
		{".tra", "2 1 3\n0 0 0 1\n", "m.tra: line 2: the file ends after 1 transitions"},
		{".tra", "2 3 1\n0 0 0 1\n", "m.tra: line 2: the file ends after 1 choices"},
		{".lab", "", "m.lab: line 1: the file has no header"},
		{".lab", "init\n", `m.lab: line 1: found "init"`},
		{".lab", "0=\"a\" 1=\"a\"\n", "m.lab: line 1: label 1=\"a\" stands twice"},
		{".lab", "0=\"a\" 0=\"b\"\n", "m.lab: line 1: label 0=\"b\" stands twice"},
		{".lab", "4000000000=\"a\"\n", "m.lab: line 1: found label 4000000000"},
		{".lab", "0=\"a\"\n0 0\n", `m.lab: line 2: found "0 0", want a state`},
		{".lab", "0=\"a\"\n2: 0\n", "m.lab: line 2: state 2 is out of range"},
		{".lab", "0=\"a\"\n1: 0 1\n", `m.lab: line 2: found label "1"`},
		{".sta", "", `m.sta: line 1: found ""`},
		{".sta", "(x,x)\n0:(0,0)\n1:(0,1)\n", `m.sta: variable "x" stands twice`},
		{".sta", "(x)\n0:0\n", `m.sta: line 2: found "0:0"`},
		{".sta", "(x)\n1:(0)\n", "m.sta: line 2: found state 1, want 0"},
		{".sta", "(x)\n0:(0,1)\n", "m.sta: line 2: found 2 values"},
		{".sta", "(x)\n0:(0)\n", "m.sta: line 2: the file ends after 1 states"},
		{".sta", "(x)\n0:(0)\n1:(0)\n2:(0)\n", "m.sta: line 4: found"},
		{".srew", "", `m.srew: line 1: found header ""`},
		{".srew", "3 0\n", "m.srew: line 1: found header \"3 0\", but the model has 2 states"},
		{".srew", "2 1\n2 1\n", `m.srew: line 2: found "2 1", want a state below 2`},
		{".srew", "2 1\n0 inf\n", `m.srew: line 2: found reward "inf"`},
		{".srew", "2 2\n0 1\n0 1\n", "m.srew: line 3: found state 0 after state 0"},
		{".srew", "2 2\n0 1\n", "m.srew: line 2: the file ends after 1 entries"},
		{".trew", "2 9 0\n", "m.trew: line 1: found header \"2 9 0\", but the model has 3 choices"},
		{".trew", "2 3 1\n2 0 0 1\n", `m.trew: line 2: found "2 0 0 1", want state`},
		{".trew", "2 3 1\n1 1 0 1\n", "m.trew: line 2: found choice 1 of state 1, which has 1"},
		{".trew", "2 3 1\n1 0 0 1\n", "m.trew: line 2: found a reward for state 1, choice 0, target 0, but"},
		{".trew", "2 3 2\n0 0 1 1\n0 0 1 1\n", "m.trew: line 3: the reward for state 0, choice 0, target 1 stands twice"},
		{".trew", "2 3 2\n1 0 1 1\n0 0 1 1\n", "m.trew: line 3: found choice 0 of state 0 after a later one"},
	} {
		f := make(files)
		texts := base()
		texts[c.suffix] = c.text
		for suffix, text := range texts {
			f[suffix] = bytes.NewBufferString(text)
		}
		_, err := Read(f.input())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s %q: error %v, want %s", c.suffix, c.text, err, c.want)
		}
	}
	f := files{".tra": bytes.NewBufferString("1 0\n"), "1.srew": bytes.NewBufferString("# Reward structure \"a\"\n1 0\n")}
	f["2.srew"] = f["1.srew"]
	if _, err := Read(f.input()); err == nil || !strings.Contains(err.Error(), `m2.srew: reward "a" stands in m1.srew already`) {
		t.Errorf("reward twice: %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	loop := sparse.Branch{Target: 0, Probability: 1}
	for what, make := range map[string]func(*sparse.Builder){
		"label \"a":      func(b *sparse.Builder) { b.Label(`a"b`, 0) },
		"label \"init\"": func(b *sparse.Builder) { b.Label("init", 0) },
		"action":         func(b *sparse.Builder) { b.AddChoice(0, "a b", loop) },
		"reward":         func(b *sparse.Builder) { b.DeclareReward("a\nb") },
		"name":           func(b *sparse.Builder) { b.Name(0, "a\nb") },
		"variable":       func(b *sparse.Builder) { b.SetNames(one(sparse.Variable{Name: "a,b", Bits: 1})) },
		"value": func(b *sparse.Builder) {
			b.SetNames(one(sparse.Variable{Name: "a", Bits: 1, Type: sparse.StringVariable, Strings: []string{","}}))
		},
	} {
		b := sparse.NewBuilder(1)
		make(b)
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		err = Write(func(string) (io.Writer, error) { return io.Discard, nil }, m)
		if err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: error %v", what, err)
		}
	}
	failure := errors.New("disk full")
	err := Write(func(suffix string) (io.Writer, error) {
		if suffix == ".lab" {
			return nil, failure
		}
		return io.Discard, nil
	}, die(t))
	if !errors.Is(err, failure) {
		t.Errorf("error of create: %v", err)
	}
}

func one(x sparse.Variable) *sparse.Valuation {
	v, err := sparse.NewValuation([]sparse.Variable{x})
	if err != nil {
		panic(err)
	}
	v.Append([]uint64{0})
	return v
}

func FuzzRead(f *testing.F) {
	shape := modeltest.Wild()
	shape.States = 6
	models := []*sparse.MDP{die(f)}
	for seed := range uint64(6) {
		models = append(models, modeltest.Random(rand.New(rand.NewPCG(seed, 2)), shape))
	}
	suffixes := []string{".tra", ".lab", ".sta", "1.srew", "1.trew"}
	for _, m := range models {
		text := write(f, m)
		content := func(suffix string) []byte {
			if text[suffix] == nil {
				return nil
			}
			return text[suffix].Bytes()
		}
		f.Add(content(".tra"), content(".lab"), content(".sta"), content("1.srew"), content("1.trew"))
	}
	f.Add([]byte("2 2\n0 1 1 a\n1 1 1/1\n"), []byte("0=\"init\""), []byte("# Names\n(x)\n0:(a)\n1:(b)"), []byte("2 1\n1 3"), []byte("2 1\n1 1 3"))
	f.Fuzz(func(t *testing.T, tra, lab, sta, srew, trew []byte) {
		text := files{".tra": bytes.NewBuffer(tra)}
		for i, b := range [][]byte{lab, sta, srew, trew} {
			if len(b) > 0 {
				text[suffixes[i+1]] = bytes.NewBuffer(b)
			}
		}
		if d := differs(text); d != "" {
			t.Fatal(d)
		}
		m, err := Read(text.input())
		if err != nil {
			return
		}
		again := write(t, m)
		got, err := Read(again.input())
		if err != nil {
			t.Fatalf("%v\n%s", err, again)
		}
		if d := modeltest.Diff(asWritten(t, m), got); d != "" {
			t.Fatalf("%s\n%s", d, again)
		}
	})
}
