package offswitch_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio"
	"gonum.org/v1/gonum/mat"

	"offswitch"
	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/file"
)

func load(t testing.TB, path string) *sparse.MDP {
	t.Helper()
	m, _, err := file.Read(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	m, _ = offswitch.TakeTerminals(m, offswitch.DefaultShutdown)
	return m
}

func analyze(t testing.TB, q offswitch.Question) *offswitch.Analysis {
	t.Helper()
	return analyzeUntil(t, context.Background(), q)
}

func analyzeUntil(t testing.TB, ctx context.Context, q offswitch.Question) *offswitch.Analysis {
	t.Helper()
	training, err := offswitch.Train(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	setting, err := offswitch.NewSetting(t.Context(), q, training)
	if err != nil {
		t.Fatal(err)
	}
	a, err := setting.Analyze(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// testdata/worked.drn, on paper. From door one can shut down (off), try (a or the pit, even
// chances), go safely to b, or dash to d. a stays. b swaps to c, and c swaps back or leaps: to a
// or nowhere, even chances. d spins: it stays with 0.9, and is off otherwise.
//
// Write h(s) for h_x(s), and W = (h(door)/γ)/(1-h(x)).
//
//	x = a   h(a) = γ. By try h(door) = γ/2. By safe and leap: h(c) = γ(½ + ½h(c)), so
//	        h(c) = γ/(2-γ), h(b) = γh(c), h(door) = γh(b) = γ³/(2-γ). (Swapping from c first only
//	        costs time.) Over all policies W = max(½, γ²/(2-γ))/(1-γ). Up to γ = (√17-1)/4 = 0.78
//	        the first is greater, and it passes 1 at γ = ½. But try risks the pit; over policies
//	        that surely reach a, γ²/((2-γ)(1-γ)) = 1 where γ² = 2-3γ+γ², at γ = 2/3.
//	x = b   h(door) = γ and h(b) = γ²: W = 1/(1-γ²) > 1 at every γ > 0.
//	x = c   h(door) = γ², and h(c) = max(γ², γ/2): by swapping, or by leaping and staying by chance.
//	        For γ ≥ ½ W = γ/(1-γ²), which passes 1 at γ = (√5-1)/2; below ½, γ/(1-γ/2) < 1. In the
//	        paper's sense leaping does not return surely: W = γ/(1-γ²) at every γ, the same root.
//	x = d   h(door) = γ, h(d) = 0.9γ: W = 1/(1-0.9γ) > 1 at every γ > 0, but d is left for good
//	        sooner or later, so it is not recurrent.
//	x = door is never seen again: W = 0. off and pit are terminal.
//
// Reachable from door: all but home and finish, 7 states. Recurrent: {a} and {b, c}; home, which
// can wait, is recurrent too, but not reachable.
func TestWorkedByHand(t *testing.T) {
	m := load(t, "testdata/worked.drn")
	golden := (math.Sqrt(5) - 1) / 2
	state := func(name string) uint32 {
		s, err := m.FindState(name)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	door := state("door")
	reach := new(recurrence.Search).Forward(m, door)
	for name, want := range map[string]uint32{"door": 0, "off": 1, "a": 1, "b": 1, "c": 2, "d": 1, "pit": 1, "home": recurrence.None} {
		if d := reach.Distance[state(name)]; d != want {
			t.Errorf("distance to %s is %d, want %d", name, d, want)
		}
	}
	visits := recurrence.NewVisits(recurrence.NewStructure(m, 0), door, reach)
	pick := func(g float64) float64 { return max(0.5, g*g/(2-g)) / (1 - g) }
	for _, x := range []struct {
		name            string
		cycle           uint32  // shortest, by any branches
		paper, extended float64 // critical discounts; 1: counts at none
		w               [2]func(g float64) float64
	}{
		{"a", 1, 2.0 / 3, 0.5, [2]func(float64) float64{func(g float64) float64 { return g * g / (2 - g) / (1 - g) }, pick}},
		{"b", 2, 0, 0, [2]func(float64) float64{func(g float64) float64 { return 1 / (1 - g*g) }, func(g float64) float64 { return 1 / (1 - g*g) }}},
		{"c", 1, golden, golden, [2]func(float64) float64{func(g float64) float64 { return g / (1 - g*g) }, func(g float64) float64 { return g / (1 - max(g*g, g/2)) }}},
		{"d", 1, 1, 0, [2]func(float64) float64{func(float64) float64 { return 0 }, func(g float64) float64 { return 1 / (1 - 0.9*g) }}},
		{"door", recurrence.None, 1, 1, [2]func(float64) float64{func(float64) float64 { return 0 }, func(float64) float64 { return 0 }}},
	} {
		s := state(x.name)
		if _, c := visits.DistanceAndCycle(s); c != x.cycle {
			t.Errorf("%s: shortest cycle %d, want %d", x.name, c, x.cycle)
		}
		for sense, want := range []float64{x.paper, x.extended} {
			lower, upper := visits.Critical(context.Background(), s, 1e-7, recurrence.Sense(sense))
			if want == 1 && upper != 1 || want < 1 && (lower > want+1e-9 || upper < want-1e-9 || upper-lower > 1e-7) {
				t.Errorf("%s, sense %d: critical discount in [%v, %v], want %v", x.name, sense, lower, upper, want)
			}
			for _, g := range []float64{0.3, 0.6, 0.9, 0.99} {
				lower, upper, err := visits.Bounds(context.Background(), s, g, 1e-9, recurrence.Sense(sense))
				w := x.w[sense](g)
				if err != nil || lower > w*(1+1e-12)+1e-15 || upper < w*(1-1e-12) || upper-lower > 1e-8*(1+w) {
					t.Errorf("%s, sense %d, γ %v: W in [%v, %v], want %v (%v)", x.name, sense, g, lower, upper, w, err)
				}
			}
		}
	}
	for _, tt := range []struct {
		gamma           float64
		paper, extended int
	}{{0.4, 1, 2}, {0.6, 1, 3}, {0.65, 2, 4}, {0.7, 3, 4}, {0.99, 3, 4}} {
		a := analyze(t, offswitch.Question{Model: m, Discount: tt.gamma})
		if (a.Paper != offswitch.Count{Lower: tt.paper, Upper: tt.paper}) || (a.Extended != offswitch.Count{Lower: tt.extended, Upper: tt.extended}) {
			t.Errorf("γ %v: counts %v and %v, want %d and %d", tt.gamma, a.Paper, a.Extended, tt.paper, tt.extended)
		}
		if a.EndComponents != 2 || a.Recurrent != 3 || len(a.Setting.Reach.Order) != 7 {
			t.Errorf("γ %v: %d recurrent states in %d components, %d reachable", tt.gamma, a.Recurrent, a.EndComponents, len(a.Setting.Reach.Order))
		}
		if a.Applies != offswitch.Yes || a.N != tt.extended || a.Share() != float64(a.N)/float64(a.N+1) {
			t.Errorf("γ %v: applies %v with n = %d, share %v: %+v", tt.gamma, a.Applies, a.N, a.Share(), a.Assumptions)
		}
	}
	// Training goes home → finish at any discount at which the coin is worth anything.
	a := analyze(t, offswitch.Question{Model: m, Discount: 0.9})
	if got := len(a.Setting.Training.Visited.Order); got != 2 || !a.Setting.Training.Closed() {
		t.Errorf("training visits %d states, closed %v", got, a.Setting.Training.Closed())
	}
}

// build makes a model from lines "state action target" (certain choices), states in order of
// appearance, home the training start and door the new situation.
func build(t *testing.T, lines ...string) *sparse.MDP {
	t.Helper()
	index := make(map[string]uint32)
	var names []string
	at := func(name string) uint32 {
		if _, ok := index[name]; !ok {
			index[name] = uint32(len(names))
			names = append(names, name)
		}
		return index[name]
	}
	for _, l := range lines {
		f := strings.Fields(l)
		at(f[0])
		at(f[2])
	}
	b := sparse.NewBuilder(len(names))
	for _, l := range lines {
		f := strings.Fields(l)
		b.AddChoice(at(f[0]), f[1], sparse.Branch{Target: at(f[2]), Probability: 1})
	}
	for name, s := range index {
		b.Name(s, name)
	}
	b.Label("train", at("home"))
	b.Label("new", at("door"))
	b.StateReward("coin", at("finish"), 1)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAssumptionsFailWithAWitness(t *testing.T) {
	sound := []string{"home go finish", "door shutdown off", "door in room", "room stay room"}
	for _, tt := range []struct {
		name    string
		lines   []string
		fails   []string
		witness string // of the first that fails
	}{
		{"sound", sound, nil, ""},
		{"new situation seen", []string{"home go door", "door shutdown off", "door in room", "room stay room", "room on finish"}, []string{"new-situation", "disjoint", "isolated"}, "home -go-> door"},
		{"shutdown goes on", []string{"home go finish", "door shutdown off", "door in room", "room stay room", "off on room"}, []string{"shutdown-terminal"}, "off, which has the actions on"},
		{"leads back", append([]string{"room back home"}, sound...), []string{"disjoint"}, "door -in-> room -back-> home"},
		{"untaken way to the switch", append([]string{"home look off"}, sound...), []string{"isolated"}, "home -look-> off"},
		{"untaken way to what counts", append([]string{"home peek room"}, sound...), []string{"isolated"}, "home -peek-> room"},
		{"nothing counts", []string{"home go finish", "door shutdown off", "door in room", "room out end"}, []string{"isolated", "retargetable"}, "no state counts"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := analyze(t, offswitch.Question{Model: build(t, tt.lines...), Discount: 0.9})
			var fails []string
			witness := ""
			for _, x := range a.Assumptions {
				if x.Verdict == offswitch.No {
					fails = append(fails, x.ID)
					if len(fails) == 1 {
						witness = x.Witness
					}
				}
			}
			if strings.Join(fails, " ") != strings.Join(tt.fails, " ") || !strings.Contains(witness, tt.witness) {
				t.Errorf("fails %v (%q), want %v (%q)", fails, witness, tt.fails, tt.witness)
			}
			if (a.Applies == offswitch.Yes) != (tt.fails == nil) {
				t.Errorf("applies %v", a.Applies)
			}
		})
	}
}

func TestNegativeRewardIsShown(t *testing.T) {
	b := sparse.NewBuilder(4)
	b.AddChoice(0, "go", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(2, "shutdown", sparse.Branch{Target: 3, Probability: 1})
	b.AddChoice(2, "stay", sparse.Branch{Target: 2, Probability: 1})
	b.Label("train", 0)
	b.Label("new", 2)
	b.StateReward("coin", 1, -1)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	a := analyze(t, offswitch.Question{Model: m, Discount: 0.9})
	if x := a.Assumptions[2]; x.ID != "nonnegative-rewards" || x.Verdict != offswitch.No || !strings.Contains(x.Witness, "#1 is -1") {
		t.Errorf("%+v", x)
	}
}

func TestTerminalStatesInFormatsWithoutThem(t *testing.T) {
	b := sparse.NewBuilder(5)
	loop := func(s uint32) { b.AddChoice(s, "loop", sparse.Branch{Target: s, Probability: 1}) }
	b.AddChoice(0, "shutdown", sparse.Branch{Target: 1, Probability: 1})
	loop(1) // the switch leads here
	loop(2) // labelled terminal
	loop(3) // absorbing, but recurrent
	b.AddChoice(4, "go", sparse.Branch{Target: 3, Probability: 1})
	b.Label("terminal", 2, 4)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	taken, why := offswitch.TakeTerminals(m, "shutdown")
	for s, want := range []bool{false, true, true, false, false} {
		if taken.Terminal(uint32(s)) != want {
			t.Errorf("state %d: terminal %v, want %v", s, taken.Terminal(uint32(s)), want)
		}
	}
	if !why.Shutdown.Has(1) || !why.Labelled.Has(2) || !why.Refused.Has(4) || why.Count() != 2 {
		t.Errorf("%+v", why)
	}
	if got, _ := offswitch.TakeTerminals(taken, "shutdown"); got != taken {
		t.Error("taking terminals twice changes the model again")
	}
	if c := recurrence.NewStructure(taken, 0).EndComponents(); c.NumStates() != 1 || c.Of[3] == recurrence.None {
		t.Errorf("recurrent: %v", c.Of)
	}
}

func TestPolicyPairs(t *testing.T) {
	m := load(t, "testdata/worked.drn")
	pairs, err := offswitch.ReadPairs(strings.NewReader("state,action\nhome,go\n"), m)
	if err != nil {
		t.Fatal(err)
	}
	q := offswitch.Question{Model: m, Discount: 0.9, Policy: pairs, Source: "policy pairs.csv"}
	byPairs, byReward := analyze(t, q), analyze(t, offswitch.Question{Model: m, Discount: 0.9})
	if byPairs.N != byReward.N || byPairs.Applies != byReward.Applies || byPairs.Setting.Training.Source != "policy pairs.csv" {
		t.Errorf("pairs give n = %d (%v), the reward %d (%v)", byPairs.N, byPairs.Applies, byReward.N, byReward.Applies)
	}
	// Spreadsheets write a byte order mark, and unnamed states are called # and their number.
	if pairs, err = offswitch.ReadPairs(strings.NewReader("\ufeffstate,action\r\n#0,go\r\n"), m); err != nil || len(pairs) != 1 || pairs[0].State != 0 {
		t.Errorf("%v, %v", pairs, err)
	}
	q.Policy = []offswitch.Pair{{State: 2, Choice: 3}}
	if _, err := offswitch.Train(context.Background(), q); err == nil || !strings.Contains(err.Error(), "such as home") {
		t.Errorf("a policy that is silent about the start: %v", err)
	}
	// A policy that says nothing about a state it leads to is not closed.
	m = build(t, "home go hall", "hall go finish", "door shutdown off", "door stay door")
	if pairs, err = offswitch.ReadPairs(strings.NewReader("home,go"), m); err != nil {
		t.Fatal(err)
	}
	training, err := offswitch.Train(context.Background(), offswitch.Question{Model: m, Discount: 0.9, Policy: pairs})
	if err != nil {
		t.Fatal(err)
	}
	if training.Closed() || len(training.Frontier) != 1 || m.StateName(training.Frontier[0]) != "hall" {
		t.Errorf("frontier %v", training.Frontier)
	}
	for input, want := range map[string]string{
		"":                         "no pairs",
		"home":                     "line 1: 1 fields",
		"home,go\nnowhere,go":      `line 2: no state is called "nowhere"`,
		"home,fly":                 `line 1: state home has no action "fly" (its actions: go)`,
		"door,stay\ndoor,shutdown": `line 2: state door takes "shutdown" here, but "stay" before`,
	} {
		if _, err := offswitch.ReadPairs(strings.NewReader(input), m); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", input, err, want)
		}
	}
}

func TestActionOfSeveralChoicesIsAskedFor(t *testing.T) {
	m := build(t, "home go finish", "home go home", "door shutdown off", "door stay door", "door shutdown pit")
	pairs, err := offswitch.ReadPairs(strings.NewReader("home,#1"), m)
	if err != nil || len(pairs) != 1 || pairs[0].Choice != m.FindChoice(pairs[0].State, "go")+1 {
		t.Errorf("by position: %v, %v", pairs, err)
	}
	want := `state home has several choices with action "go", want the position of one, such as #0 or #1`
	if _, err := offswitch.ReadPairs(strings.NewReader("home,go"), m); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	q := offswitch.Question{Model: m, Discount: 0.9, Policy: pairs}
	training, err := offswitch.Train(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := offswitch.NewSetting(t.Context(), q, training); err == nil || !strings.Contains(err.Error(), "such as #0 or #2") {
		t.Errorf("two off switches: %v", err)
	}
	for position, terminal := range map[string]string{"#0": "off", "#2": "pit"} {
		q.Shutdown = position
		if s, err := offswitch.NewSetting(t.Context(), q, training); err != nil || m.StateName(s.Terminal) != terminal {
			t.Errorf("%s: %v", position, err)
		}
	}
}

func TestInterruptedAnalysisIsPartial(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	q := offswitch.Question{Model: load(t, "testdata/worked.drn"), Discount: 0.9}
	a := analyzeUntil(t, ctx, q)
	full := analyze(t, q)
	if !a.Partial || a.N != 0 || a.Applies != offswitch.Undecided || a.Extended.Lower > full.Extended.Lower || a.Extended.Upper < full.Extended.Upper {
		t.Errorf("partial %v, applies %v, count %v", a.Partial, a.Applies, a.Extended)
	}
}

func TestReportHasTheDocumentedShape(t *testing.T) {
	a := analyze(t, offswitch.Question{Model: load(t, "testdata/worked.drn"), Discount: 0.99})
	var out strings.Builder
	if err := a.Report(0).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	want := `{"schema":"offswitch.analysis/1","discount":0.99,"model":{"states":9,"choices":11,"branches":14},` +
		`"training":{"source":"reward coin","states":2,"closed":true},"new":{"state":"door","index":2},` +
		`"shutdown":{"action":"shutdown","terminal":{"state":"off","index":3}},"reachable":{"states":7},` +
		`"recurrent":{"endComponents":2,"states":3},"retargeting":{"paper":{"lower":3,"upper":3},"extended":{"lower":4,"upper":4}},` +
		`"assumptions":[{"id":"new-situation","holds":true,"verdict":"yes","witness":""},{"id":"shutdown-terminal","holds":true,"verdict":"yes","witness":""},` +
		`{"id":"nonnegative-rewards","holds":true,"verdict":"yes","witness":""},{"id":"disjoint","holds":true,"verdict":"yes","witness":""},` +
		`{"id":"isolated","holds":true,"verdict":"yes","witness":""},{"id":"retargetable","holds":true,"verdict":"yes","witness":""}],` +
		`"theorem":{"applies":true,"verdict":"yes","n":4,"share":0.8},"partial":false,"seconds":0}` + "\n"
	if out.String() != want {
		t.Errorf("got  %s\nwant %s", out.String(), want)
	}
	if !json.Valid([]byte(out.String())) {
		t.Error("not JSON")
	}
}

// At several discounts the answers are those at each, and visit counts only grow.
func TestAnalyzeAllIsAnalyzeAtEachDiscount(t *testing.T) {
	for _, path := range []string{"testdata/worked.drn", "testdata/coinrun.umb"} {
		q := offswitch.Question{Model: load(t, path)}
		discounts := []float64{0.9, 0.3, 0.6, 0.999}
		all, err := offswitch.AnalyzeAll(context.Background(), q, discounts, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(all) != len(discounts) {
			t.Fatalf("%s: %d answers", path, len(all))
		}
		for i, a := range all {
			q.Discount = a.Setting.Question.Discount
			if i > 0 && q.Discount <= all[i-1].Setting.Question.Discount {
				t.Errorf("%s: discount %v after %v", path, q.Discount, all[i-1].Setting.Question.Discount)
			}
			one := analyze(t, q)
			if a.Paper != one.Paper || a.Extended != one.Extended || a.N != one.N || a.Applies != one.Applies || a.Recurrent != one.Recurrent {
				t.Errorf("%s at %v: %+v and %+v count, alone %+v and %+v", path, q.Discount, a.Paper, a.Extended, one.Paper, one.Extended)
			}
		}
	}
}

// What is written of the states is what the analysis says.
func TestStatesAreWritten(t *testing.T) {
	q := offswitch.Question{Model: load(t, "testdata/worked.drn"), Bounds: true}
	all, err := offswitch.AnalyzeAll(context.Background(), q, []float64{0.6, 0.9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var text, array bytes.Buffer
	if err := offswitch.WriteStatesCSV(&text, all); err != nil {
		t.Fatal(err)
	}
	if err := offswitch.WriteStatesNPY(&array, all); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	height, width, plain := plainNPY(t, array.Bytes())
	var rows mat.Dense
	if err := npyio.Read(&array, &rows); err != nil {
		t.Fatal(err)
	}
	if n, _ := rows.Dims(); n != len(lines)-1 || n != 2*len(all[0].Setting.Reach.Order) {
		t.Fatalf("%d rows and %d lines for %d states", n, len(lines)-1, len(all[0].Setting.Reach.Order))
	}
	if !mat.Equal(&rows, mat.NewDense(height, width, plain)) {
		t.Error("the array read plainly is another one")
	}
	for i, line := range lines[1:] {
		a := all[i/len(all[0].Setting.Reach.Order)]
		s, err := q.Model.FindState(line[1])
		if err != nil {
			t.Fatal(err)
		}
		if line[8] != a.Counts.Extended[s].String() || line[7] != a.Counts.Paper[s].String() {
			t.Errorf("line %v: want %v and %v", line, a.Counts.Paper[s], a.Counts.Extended[s])
		}
		for column, text := range map[int]string{0: line[0], 1: line[2], 3: line[4], 4: line[5], 5: line[6]} {
			if got := strconv.FormatFloat(rows.At(i, column), 'g', -1, 64); got != text {
				t.Errorf("row %d, column %d: %s, but the line is %v", i, column, got, line)
			}
		}
		lower, upper := rows.At(i, 4), rows.At(i, 5)
		switch {
		case lower > upper, line[8] == "counted" && lower < 1, line[8] == "not counted" && upper > 1:
			t.Errorf("line %v", line)
		}
	}
}
