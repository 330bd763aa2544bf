package drn

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"offswitch/sparse"
	"offswitch/sparse/internal/modeltest"
	"offswitch/sparse/internal/text"
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

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(400) {
		m := modeltest.Random(rand.New(rand.NewPCG(seed, 1)), modeltest.Wild())
		file := write(t, m)
		got, err := Read(bytes.NewReader(file))
		if err != nil {
			t.Fatalf("seed %d: %v\n%s", seed, err, file)
		}
		if d := modeltest.Diff(m, got); d != "" {
			t.Fatalf("seed %d: %s\n%s", seed, d, file)
		}
		carriage := bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n"))
		got, err = Read(iotest.OneByteReader(bytes.NewReader(carriage)))
		if err != nil || modeltest.Diff(m, got) != "" {
			t.Fatalf("seed %d with carriage returns: %v", seed, err)
		}
	}
}

// Pieces of any size give the same model, or the same error, as the file in one piece.
func TestPieces(t *testing.T) {
	defer func(size int) { text.PieceSize = size }(text.PieceSize)
	read := func(file []byte, size int) (*sparse.MDP, string) {
		text.PieceSize = size
		m, err := Read(bytes.NewReader(file))
		return m, fmt.Sprint(err)
	}
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 3))
		file := write(t, modeltest.Random(rng, modeltest.Wild()))
		if seed%4 > 0 {
			file = modeltest.Mutate(rng, file)
		}
		want, wantErr := read(file, 1<<20)
		var whole []byte
		if want != nil {
			whole = write(t, want)
		}
		for _, size := range []int{1, 100, 1 + rng.IntN(3000)} {
			got, err := read(file, size)
			if want != nil && !bytes.Equal(write(t, want), whole) {
				t.Fatalf("seed %d: written in pieces of %d bytes, the file differs", seed, size)
			}
			if err != wantErr {
				t.Fatalf("seed %d, pieces of %d bytes: error %s, want %s\n%s", seed, size, err, wantErr, file)
			}
			if want == nil {
				continue
			}
			if d := modeltest.Diff(want, got) + modeltest.DiffOrder(want, got); d != "" {
				t.Fatalf("seed %d, pieces of %d bytes: %s\n%s", seed, size, d, file)
			}
		}
	}
}

func TestReadFile(t *testing.T) {
	f, err := os.Open("../../testdata/walk.drn")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	if m.NumStates() != 5 || m.NumChoices() != 5 || m.NumTerminal() != 2 || !m.Initial().Has(0) {
		t.Errorf("%d states, %d choices, %d terminal", m.NumStates(), m.NumChoices(), m.NumTerminal())
	}
	if s, err := m.FindState("(x=2)"); err != nil || s != 2 {
		t.Errorf("state (x=2) is %d, %v", s, err)
	}
	if states, _ := m.Label("safe zone"); states.Count() != 2 {
		t.Errorf("label: %v", states)
	}
	if r := m.Reward("time"); r == nil || r.Choices.At(0) != 1 || r.States.At(4) != 2.5 {
		t.Errorf("reward: %v", r)
	}
	c := m.FindChoice(1, "left")
	if c == sparse.None || m.Probabilities(c)[0] != 1.0/3 {
		t.Errorf("choice %d", c)
	}
}

func TestNamesAreLostWhenAmbiguous(t *testing.T) {
	const file = "@type: MDP\n@nr_states\n2\n@model\nstate 0\n//[a]\n\taction x\n\t\t1 : 1\nstate 1\n"
	for comment, named := range map[string]bool{"//[b]\n": true, "": false, "//[a]\n": false, "//[]\n": false, "// b\n": false, "\n//[b]\n": false} {
		m, err := Read(strings.NewReader(file + comment))
		if err != nil {
			t.Fatal(err)
		}
		if (m.Names() != nil) != named {
			t.Errorf("%q: names %v, want %v", comment, m.Names(), named)
		}
	}
}

func TestTwoNamesOfOneState(t *testing.T) {
	_, err := Read(strings.NewReader("@type: MDP\n@nr_states\n1\n@model\nstate 0\n//[a]\n//[b]\n"))
	if err == nil || !strings.Contains(err.Error(), "line 7") || !strings.Contains(err.Error(), "one name") {
		t.Errorf("error %v", err)
	}
}

func TestDeadlocksAndImplicitChoices(t *testing.T) {
	m, err := Read(strings.NewReader("\n@type: DTMC\n@parameters\n\n@reward_models\n\n@nr_states\n3\n@nr_choices\n3\n@model\nstate 0 []\n1 : 1/3\n2 : 2/3\nstate 1\n\taction 0 []\nstate 2 deadlock"))
	if err != nil {
		t.Fatal(err)
	}
	if m.NumChoices() != 1 || !m.Terminal(1) || !m.Terminal(2) || m.Actions().Len() > 0 {
		t.Errorf("%d choices", m.NumChoices())
	}
}

func TestErrors(t *testing.T) {
	const head = "@type: MDP\n@nr_states\n2\n@model\n"
	for _, c := range []struct{ file, want string }{
		{"", "ends in its header"},
		{"@type: CTMC\n", `line 1: model type "CTMC"`},
		{"@type\n", "line 1: found @type, want"},
		{"@type: MDP\n@type: MDP\n", `line 2: "@type" stands twice`},
		{"@value_type: double-interval\n", "line 1: value type"},
		{"@parameters\np q\n", `line 2: parameters "p q"`},
		{"@placeholders\n", "line 1: @placeholders"},
		{"@reward_models\na b a\n", `line 2: reward model "a" stands twice`},
		{"@reward_models\n", "want the line that belongs to @reward_models"},
		{"@nr_states\n-1\n", `line 2: number of states is "-1"`},
		{"@nr_states\n0\n", "line 2: number of states"},
		{"@nr_states\n99999999999999999999\n", "line 2: number of states"},
		{"@nr_choices\nx\n", "line 2: number of choices"},
		{"@nr_players\n", `line 1: found "@nr_players"`},
		{"@model\n", "line 1: @model comes before @type"},
		{"@type: MDP\n@model\n", "line 2: @model comes before @nr_states"},
		{head + "state 1\n", `line 5: found state "1", want 0`},
		{head + "state x\n", `line 5: found state "x", want 0`},
		{head + "state 0\nstate 1\nstate 2\n", "line 7: found state 2, but @nr_states is 2"},
		{head + "state 0\n", "line 5: the file ends after 1 states"},
		{head + "state 0 [1\n", "line 5: found"},
		{head + "state 0 [x]\n", `line 5: found reward "x"`},
		{head + "state 0 a [1]\n", `line 5: found "[1]", want a label`},
		{head + "state 0 !3\n", `line 5: found "!3"`},
		{head + "state 0 \"a\n", "line 5: found label"},
		{head + "state 0 // no\n", "line 5: found \"//\""},
		{head + "action a\n", "line 5: found an action, want a state first"},
		{head + "0 : 1\n", "line 5: found a transition, want a state first"},
		{head + "state 0\n\taction\n", "line 6: found an action without a name"},
		{head + "state 0\n\taction [1]\n", "line 6: found an action without a name"},
		{head + "state 0\n\taction a [1] b\n", `line 6: found "b" after the action`},
		{head + "state 0\n\taction a\n\taction b\n", "line 6: the action has no transitions"},
		{head + "state 0\n\taction a\n0 : 1\n\taction b\nstate 1\n", "line 8: the action has no transitions"},
		{head + "state 0\n\taction a\n0 1\n", `line 7: found "0 1", want a transition`},
		{head + "state 0\n\taction a\n0 : [0.1, 0.2]\n", "line 7: found probability"},
		{head + "state 0\n\taction a\n0 : 1.5\n", "line 7: probability 1.5 is not in (0,1]"},
		{head + "state 0\n\taction a\n0 : 0\n", "line 7: probability 0 is not in (0,1]"},
		{head + "state 0\n\taction a\n0 : nan\n", "line 7: found probability"},
		{head + "state 0\n\taction a\n2 : 1\n", "line 7: target state 2 is out of range"},
		{head + "state 0\n\taction a\n0 : 0.5\nstate 1\n", "line 6: the probabilities of the choice sum to 0.5"},
		{head + "nonsense\n", `line 5: found "nonsense"`},
		{"@type: DTMC\n@nr_states\n1\n@model\nstate 0\n\taction a\n0 : 1\n\taction b\n0 : 1\n", "line 8: found a second action"},
		{"@type: MDP\n@nr_states\n1\n@nr_choices\n5\n@model\nstate 0\n", "@nr_choices is 5"},
		{"@type: MDP\n@nr_states\n4000000000\n@model\nstate 0 label\n", "ends after 1 states"},
	} {
		_, err := Read(strings.NewReader(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: error %v, want %s", c.file, err, c.want)
		}
	}
	if _, err := Read(iotest.ErrReader(os.ErrClosed)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("error of the file: %v", err)
	}
}

func TestWriteErrors(t *testing.T) {
	format.WriteErrors(t, 1, map[string]func(*sparse.Builder){
		"label":           func(b *sparse.Builder) { b.Label(`a"b`, 0) },
		"label \"init\"":  func(b *sparse.Builder) { b.Label("init", 0) },
		"action":          func(b *sparse.Builder) { b.AddChoice(0, "a b", sparse.Branch{Target: 0, Probability: 1}) },
		"action \"__NOLA": func(b *sparse.Builder) { b.AddChoice(0, "__NOLABEL__", sparse.Branch{Target: 0, Probability: 1}) },
		"reward":          func(b *sparse.Builder) { b.DeclareReward("") },
		"name":            func(b *sparse.Builder) { b.Name(0, "a\nb") },
	})
}

func FuzzRead(f *testing.F) {
	file, err := os.ReadFile("../../testdata/walk.drn")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	for seed := range uint64(6) {
		shape := modeltest.Wild()
		shape.States = 6
		f.Add(write(f, modeltest.Random(rand.New(rand.NewPCG(seed, 2)), shape)))
	}
	format.Fuzz(f)
}
