package gym

import (
	"bytes"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"offswitch/sparse"
	"offswitch/sparse/internal/modeltest"
)

var format = modeltest.Format{Read: Read, Write: Write}

func write(t testing.TB, m *sparse.MDP) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t testing.TB, table string) *sparse.MDP {
	t.Helper()
	m, err := Read(strings.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func shape() modeltest.Shape {
	return modeltest.Shape{
		States: 40, Rewards: 1, Names: true, Duplicates: true, EveryAction: true,
		Actions: []string{"", "go", "far \"away\"", "north-east", "ü"},
	}
}

// asWritten returns the model with what a table cannot tell made the same: names for choices
// without, no initial states, a reward.
func asWritten(t testing.TB, m *sparse.MDP) *sparse.MDP {
	t.Helper()
	b := sparse.NewBuilder(m.NumStates())
	b.DeclareReward(rewardName)
	for s := range uint32(m.NumStates()) {
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			action := ""
			if m.Actions().Len() > 0 {
				action = m.Actions().Names()[m.Actions().ID(c)]
			}
			if action == "" {
				action = strconv.Itoa(int(c - lo))
			}
			n := b.StartChoice(s, action)
			for i, t := range m.Targets(c) {
				b.AddBranch(t, m.Probabilities(c)[i])
			}
			for _, r := range m.Rewards() {
				if r.Choices.Len() > 0 {
					b.ChoiceReward(rewardName, n, r.Choices.At(c))
				}
			}
		}
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
		m := modeltest.Random(rand.New(rand.NewPCG(seed, 1)), shape())
		file := write(t, m)
		got, err := Read(iotest.HalfReader(bytes.NewReader(file)))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, file)
		}
		if d := modeltest.Diff(asWritten(t, m), got); d != "" {
			t.Fatalf("seed %d: %s\n%s", seed, d, file)
		}
	}
}

func TestDone(t *testing.T) {
	for _, c := range []struct {
		what, table      string
		names            string
		terminal, states int
	}{
		{"only done outcomes lead to 1", `{"0": {"a": [[1, 1, 5, true]]}, "1": {"a": [[1, 0, 0, false]]}}`, "#0 #1", 1, 2},
		{"its self-loops do not count", `{"0": {"a": [[1, 1, 5, 1]]}, "1": {"a": [[1, 1, 0, 0]]}}`, "#0 #1", 1, 2},
		{"an unreachable end", `{"0": {"a": [[1.0, 0.0, 0, true]]}}`, "#0", 1, 1},
		{"an empty row", `{"0": {"a": [[1, "1", 0, 0]]}, "1": {}}`, "#0 #1", 1, 2},
		{"an empty row, done or not", `{"0": {"a": [[0.5, 1, 0, 0], [0.5, 1, 0, 1]]}, "1": {}}`, "#0 #1", 1, 2},
		{"a done outcome beside others", `{"x": {"a": [[0.5, "x", 0, true], [0.5, "y", 0, false]]}, "y": {"a": [[1, "x", 0, false]]}}`,
			"x y x done", 1, 3},
		{"the same, numbered", `{"1": {"a": [[1, 0, 0, true]], "b": [[1, 0, 0, false]]}, "0": {"a": [[1, 1, 0, false]]}}`,
			"0 1 0 done", 1, 3},
		{"a choice that ends in place", `{"0": {"a": [[1, 0, 0, true]], "b": [[1, 1, 0, true]]}, "1": {}}`, "0 1 0 done", 2, 3},
		{"probability 0", `{"0": {"a": [[0, 0, 0, true], [1, 0, 0, false]]}}`, "#0", 0, 1},
	} {
		m := read(t, c.table)
		var names []string
		for s := range uint32(m.NumStates()) {
			names = append(names, m.StateName(s))
		}
		if got := strings.Join(names, " "); got != c.names || m.NumTerminal() != c.terminal || m.NumStates() != c.states {
			t.Errorf("%s: states %s, %d terminal, want %s, %d", c.what, got, m.NumTerminal(), c.names, c.terminal)
		}
	}
}

func TestRewardsAreExpected(t *testing.T) {
	m := read(t, `{"0": {"a": [[0.25, 0, 8, 0], [0.75, 1, -4, 0]], "b": [[0.9, 0, 0.1, 0], [0.1, 1, 0.1, 0]]}, "1": {}}`)
	if r := m.Reward("reward").Choices; r.At(0) != -1 || r.At(1) != 0.1 {
		t.Errorf("rewards %v, %v, want -1, 0.1", r.At(0), r.At(1))
	}
}

func TestErrors(t *testing.T) {
	const row = `{"0": {"a": [`
	for _, c := range []struct{ table, want string }{
		{"", "line 1: want { and the rows of the states: unexpected EOF"},
		{"[]", "line 1: found [, want { and the rows"},
		{"{}", "the table is empty"},
		{"\n{}\n{}", "line 3: found {, want the end of the file"},
		{"{\"0\": {},\n\n\"0\": {}}", `line 3: state "0": the state stands twice`},
		{`{"0": []}`, `line 1: state "0": found [, want {`},
		{`{"0": {"a": [[1,0,0,0]], "a": [[1,0,0,0]]}}`, `line 1: state "0": action "a": the action stands twice`},
		{`{"0": {"": []}}`, `state "0": action "": the key of the action is empty`},
		{`{"0": {"a": {}}}`, `state "0": action "a": found {, want [`},
		{`{"0": {"a": []}}`, `state "0": action "a": the probabilities of the outcomes sum to 0`},
		{row + "[0.5,0,0,0]]}}", "the probabilities of the outcomes sum to 0.5"},
		{row + "[1.5,0,0,0]]}}", "probability 1.5 is not in [0,1]"},
		{row + `["1",0,0,0]]}}`, `found "1", want a probability`},
		{row + "[1e999,0,0,0]]}}", "found 1e999, want a probability that is a finite number"},
		{row + "[1,null,0,0]]}}", "found <nil>, want the next state"},
		{row + "[1,0,[[[0,0]]]]}}", "found [, want a reward"},
		{row + "[1,0,0,2]]}}", "found 2, want true, false, 0 or 1"},
		{row + "[1,0,0,null]]}}", "found <nil>, want true, false, 0 or 1"},
		{row + "[1,0,0]]}}", "found ], want true"},
		{row + "[1,0,0,0,0]]}}", "found 0, want ] after the four parts"},
		{row + "[1,0,0,\n0", "line 2: state \"0\": action \"a\": want ] after the outcome: unexpected EOF"},
		{row + "[1,\n3,0,0]]}}", `line 2: next state "3" has no row`},
		{row + "[1,0,0 0]]}}", "invalid character"},
		{`{"0": {"a": [[1,"0 done",0,0]], "b": [[1,0,0,1]]}, "0 done": {"a": [[1,0,0,0]]}}`, `state "0" needs an extra state "0 done"`},
	} {
		_, err := Read(strings.NewReader(c.table))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.table, err, c.want)
		}
	}
	deep := strings.Repeat(`{"0":`, 1<<16)
	if _, err := Read(strings.NewReader(deep)); err == nil {
		t.Error("no error of deep nesting")
	}
	many := new(strings.Builder)
	many.WriteString(`{"0": {`)
	for i := range 40 {
		many.WriteString(`"` + strconv.Itoa(i%39) + `": [[1,0,0,0]],`)
	}
	if _, err := Read(strings.NewReader(many.String())); err == nil || !strings.Contains(err.Error(), "stands twice") {
		t.Errorf("an action twice among many: %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	loop := sparse.Branch{Target: 0, Probability: 1}
	format.WriteErrors(t, 2, map[string]func(*sparse.Builder){
		"two choices":      func(b *sparse.Builder) { b.AddChoice(0, "a", loop); b.AddChoice(0, "a", loop) },
		"called \"1\"":     func(b *sparse.Builder) { b.AddChoice(0, "1", loop); b.AddChoice(0, "", loop) },
		"of state #0":      func(b *sparse.Builder) { b.StateReward("r", 0, 1) },
		"rewards":          func(b *sparse.Builder) { b.DeclareReward("r"); b.DeclareReward("q") },
		"want UTF-8":       func(b *sparse.Builder) { b.Name(0, "\xff") },
		"action \"\\xff\"": func(b *sparse.Builder) { b.AddChoice(0, "\xff", loop) },
		"not in order":     func(b *sparse.Builder) { b.Name(0, "1"); b.Name(1, "0") },
		"not unique": func(b *sparse.Builder) {
			v, err := sparse.NewValuation([]sparse.Variable{sparse.IntRange("x", 0, 1)})
			if err != nil {
				panic(err)
			}
			v.Append([]uint64{1})
			v.Append([]uint64{1})
			b.SetNames(v)
		},
	})
}

func FuzzRead(f *testing.F) {
	file, err := os.ReadFile("../../testdata/frozenlake4x4.json")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	for seed := range uint64(6) {
		s := shape()
		s.States = 5
		f.Add(write(f, modeltest.Random(rand.New(rand.NewPCG(seed, 2)), s)))
	}
	f.Add([]byte(`{"x": {"a": [[0.5, "x", 0, true], [0.5, "y", 0, false]]}, "y": {"a": [[1, "x", 0, false]]}}`))
	f.Add([]byte(`{"1": {"a": [[1, 0, 0, 1]], "b": [[1, 0.0, 2, 0]]}, "0": {}}`))
	format.Fuzz(f)
}
