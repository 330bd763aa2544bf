package bench

import (
	"context"
	"flag"
	"fmt"
	"strings"
	"testing"

	"offswitch/sparse"
)

var largest = flag.Int("largest", 100_000, "most states of a benchmark's models")

func generate(t testing.TB, name string, o Options) *sparse.MDP {
	t.Helper()
	f, ok := Find(name)
	if !ok {
		t.Fatalf("no family %s", name)
	}
	m, err := f.Generate(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func label(t testing.TB, m *sparse.MDP, name string) sparse.Bitset {
	t.Helper()
	states, ok := m.Label(name)
	if !ok {
		t.Fatalf("no label %s", name)
	}
	return states
}

// part returns the value of a state's first variable, and off that of its last.
func part(m *sparse.MDP, s uint32) uint64 { return m.Names().(*sparse.Valuation).Stored(s, 0) }

func off(m *sparse.MDP, s uint32) bool {
	v := m.Names().(*sparse.Valuation)
	return v.Stored(s, len(v.Variables())-1) == 1
}

// forward returns the states reachable from a set of states, by the choices that pass.
func forward(m *sparse.MDP, from sparse.Bitset, pass func(choice uint32) bool) sparse.Bitset {
	seen := from.Clone()
	var stack []uint32
	for s := range from.All() {
		stack = append(stack, s)
	}
	for len(stack) > 0 {
		s := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if !pass(c) {
				continue
			}
			for _, t := range m.Targets(c) {
				if !seen.Has(t) {
					seen.Set(t)
					stack = append(stack, t)
				}
			}
		}
	}
	return seen
}

func every(uint32) bool { return true }

func single(m *sparse.MDP, s uint32) sparse.Bitset {
	b := sparse.NewBitset(m.NumStates())
	b.Set(s)
	return b
}

// everyOptions runs f on each family with several options.
func everyOptions(t *testing.T, f func(t *testing.T, family Family, o Options, m *sparse.MDP)) {
	for _, family := range Families() {
		for _, states := range []int{family.MinStates, family.MinStates + 7, 1000, 3000} {
			for _, slip := range []float64{0, 0.25} {
				if slip > 0 && !family.HasSlip {
					continue
				}
				for i, leak := range []float64{0, 0, 0.1, 1} {
					o := Options{States: states, Seed: uint64(i), Slip: slip, Leak: leak}
					name := fmt.Sprintf("%s/%d/seed%d/slip%v/leak%v", family.Name, states, o.Seed, slip, leak)
					t.Run(name, func(t *testing.T) { f(t, family, o, generate(t, family.Name, o)) })
				}
			}
		}
	}
}

func TestEveryModelIsAShutdownSetting(t *testing.T) {
	everyOptions(t, func(t *testing.T, family Family, o Options, m *sparse.MDP) {
		train, fresh, offs := label(t, m, "train"), label(t, m, "new"), label(t, m, "off")
		if train.Count() < 1 || fresh.Count() != 1 || offs.Count() != 1 {
			t.Fatalf("%d train, %d new and %d off states", train.Count(), fresh.Count(), offs.Count())
		}
		switched := fresh.First()
		shutdown := m.FindChoice(switched, "shutdown")
		if shutdown == sparse.None {
			t.Fatal("no shutdown at s_new")
		}
		if targets := m.Targets(shutdown); len(targets) != 1 || m.Probabilities(shutdown)[0] != 1 || !offs.Has(targets[0]) {
			t.Error("shutdown does not lead to the off state with probability 1")
		}
		if !m.Terminal(offs.First()) {
			t.Error("the off state has choices")
		}
		terminal := label(t, m, "terminal")
		for s := range uint32(m.NumStates()) {
			if s != switched && m.FindChoice(s, "shutdown") != sparse.None {
				t.Fatalf("%s has an off switch", m.StateName(s))
			}
			if m.Initial().Has(s) != (train.Has(s) || fresh.Has(s)) {
				t.Fatalf("%s: initial is %v", m.StateName(s), m.Initial().Has(s))
			}
			if terminal.Has(s) != m.Terminal(s) {
				t.Fatalf("%s: terminal is %v", m.StateName(s), m.Terminal(s))
			}
			if offs.Has(s) != off(m, s) {
				t.Fatalf("%s: off is %v", m.StateName(s), offs.Has(s))
			}
		}
		for _, s := range []uint32{switched, train.First()} {
			if m.Terminal(s) {
				t.Errorf("%s is terminal", m.StateName(s))
			}
		}
	})
}

func TestEveryModelHasARewardFromZeroToOne(t *testing.T) {
	everyOptions(t, func(t *testing.T, family Family, o Options, m *sparse.MDP) {
		reward := &m.Rewards()[0].States
		goals := label(t, m, m.Rewards()[0].Name)
		train := 0
		for s := range uint32(m.NumStates()) {
			v := reward.At(s)
			if !(v >= 0 && v <= 1) || v > 0 != goals.Has(s) {
				t.Fatalf("%s earns %v, and its goal label is %v", m.StateName(s), v, goals.Has(s))
			}
			if v > 0 && part(m, s) != part(m, label(t, m, "new").First()) {
				train++
			}
		}
		if train == 0 {
			t.Error("no training state earns anything")
		}
	})
}

func TestStatesAreNamedOneByOne(t *testing.T) {
	everyOptions(t, func(t *testing.T, family Family, o Options, m *sparse.MDP) {
		for s := range uint32(m.NumStates()) {
			if got, err := m.FindState(m.StateName(s)); err != nil || got != s {
				t.Fatalf("FindState(%s) = %d, %v, want %d", m.StateName(s), got, err, s)
			}
		}
	})
}

func TestRowsHaveOneBranchForEachTarget(t *testing.T) {
	everyOptions(t, func(t *testing.T, family Family, o Options, m *sparse.MDP) {
		if m.RowExcess() > 1e-14 {
			t.Errorf("a row sums to 1 within %v only", m.RowExcess())
		}
		for c := range uint32(m.NumChoices()) {
			targets := m.Targets(c)
			for i, x := range targets {
				for _, y := range targets[:i] {
					if x == y {
						t.Fatalf("%s, %s: two branches lead to %s", m.StateName(m.ChoiceState(c)), m.ActionName(c), m.StateName(x))
					}
				}
			}
		}
		if o.Slip > 0 && m.Deterministic() {
			t.Error("deterministic in spite of the slip")
		}
		if o.Slip == 0 && family.HasSlip && !m.Deterministic() {
			t.Error("not deterministic without slip")
		}
	})
}

func TestSizesAreNearTheRequest(t *testing.T) {
	everyOptions(t, func(t *testing.T, family Family, o Options, m *sparse.MDP) {
		if o.States < 1000 {
			return
		}
		n, fresh, switched := m.NumStates(), 0, label(t, m, "new").First()
		for s := range uint32(n) {
			if part(m, s) == part(m, switched) {
				fresh++
			}
		}
		if 10*n < 9*o.States || 10*n > 11*o.States {
			t.Errorf("%d states", n)
		}
		if 10*fresh < 4*n || 10*fresh > 6*n {
			t.Errorf("%d of %d states are new", fresh, n)
		}
	})
	for _, family := range Families() {
		m := generate(t, family.Name, Options{States: maxRefined + 1})
		if n := m.NumStates(); 10*n < 9*maxRefined || 10*n > 11*maxRefined {
			t.Errorf("%s: %d states, want about %d", family.Name, n, maxRefined)
		}
	}
}

func TestPartsAreSeparateUnlessTheyLeak(t *testing.T) {
	everyOptions(t, func(t *testing.T, family Family, o Options, m *sparse.MDP) {
		fresh := label(t, m, "new")
		fromTrain, fromNew := forward(m, label(t, m, "train"), every), forward(m, fresh, every)
		crossed := [2]bool{} // out of training, into training
		leaks, choosing := 0, 0
		for s := range uint32(m.NumStates()) {
			isNew := part(m, s) == part(m, fresh.First())
			if !fromTrain.Has(s) && !fromNew.Has(s) {
				t.Fatalf("%s is reachable from nowhere", m.StateName(s))
			}
			crossed[0] = crossed[0] || isNew && fromTrain.Has(s)
			crossed[1] = crossed[1] || !isNew && fromNew.Has(s)
			if m.Terminal(s) {
				continue
			}
			choosing++
			if c := m.FindChoice(s, "leak"); c != sparse.None {
				leaks++
				targets := m.Targets(c)
				if len(targets) != 1 || (part(m, targets[0]) == part(m, fresh.First())) == isNew {
					t.Fatalf("%s: the leak leads to %v", m.StateName(s), targets)
				}
			}
		}
		switch o.Leak {
		case 0:
			if crossed[0] || crossed[1] {
				t.Errorf("out of training: %v, into training: %v", crossed[0], crossed[1])
			}
		case 1:
			if !crossed[0] || !crossed[1] || leaks != choosing {
				t.Errorf("out of training: %v, into training: %v, %d leaks from %d states", crossed[0], crossed[1], leaks, choosing)
			}
		default:
			share := float64(leaks) / float64(choosing)
			if o.States >= 1000 && (share < o.Leak/2 || share > o.Leak*2) {
				t.Errorf("%d leaks from %d states", leaks, choosing)
			}
		}
	})
}

func TestModelsDependOnTheSeedAlone(t *testing.T) {
	for _, family := range Families() {
		o := Options{States: 3000, Seed: 7, Leak: 0.01}
		if family.HasSlip {
			o.Slip = 0.1
		}
		o.Workers = 1
		want := generate(t, family.Name, o).Hash()
		for o.Workers = 0; o.Workers < 5; o.Workers++ {
			if generate(t, family.Name, o).Hash() != want {
				t.Errorf("%s: %d workers make another model", family.Name, o.Workers)
			}
		}
		o.Leak = 0
		seen := make(map[[32]byte]uint64)
		for o.Seed = range 5 {
			hash := generate(t, family.Name, o).Hash()
			if other, ok := seen[hash]; ok {
				t.Errorf("%s: seeds %d and %d make the same model", family.Name, other, o.Seed)
			}
			seen[hash] = o.Seed
		}
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	zero := 0.0
	for _, x := range []struct {
		family string
		o      Options
		want   string
	}{
		{"coinrun", Options{States: 20}, "20 states are out of range, want 400"},
		{"grid", Options{States: -5}, "-5 states"},
		{"grid", Options{States: 4_000_000_001}, "4000000001 states"},
		{"ring", Options{Slip: 1}, "slip 1 is out of range"},
		{"ring", Options{Slip: -0.1}, "slip -0.1 is out of range"},
		{"ring", Options{Slip: zero / zero}, "slip NaN is out of range"},
		{"random", Options{Slip: 0.1}, "cannot slip"},
		{"chain", Options{Leak: 1.5}, "leak 1.5 is out of range"},
		{"chain", Options{Leak: zero / zero}, "leak NaN is out of range"},
	} {
		f, _ := Find(x.family)
		if _, err := f.Generate(context.Background(), x.o); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s %+v: error is %v, want one with %q", x.family, x.o, err, x.want)
		}
	}
	if _, ok := Find("nothing"); ok {
		t.Error("found a family that does not exist")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Families()[0].Generate(ctx, Options{}); err == nil {
		t.Error("no error after the context ended")
	}
}

func TestSlipOfAnyProbability(t *testing.T) {
	for _, slip := range []float64{5e-324, 1e-300, 1e-17, 1 - 0x1p-53} {
		for _, family := range Families() {
			if family.HasSlip {
				generate(t, family.Name, Options{States: 1000, Slip: slip})
			}
		}
	}
}

func Example() {
	family, _ := Find("coinrun")
	m, err := family.Generate(context.Background(), Options{States: 2000, Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fresh, _ := m.Label("new")
	state := fresh.First()
	fmt.Println(m.StateName(state))
	lo, hi := m.Choices(state)
	for choice := lo; choice < hi; choice++ {
		fmt.Println(m.ActionName(choice), "to", m.StateName(m.Target(choice)))
	}
	// Output:
	// (level=3,x=1,y=2,phase=0,off=false)
	// left to (level=3,x=0,y=2,phase=0,off=false)
	// right to (level=3,x=2,y=1,phase=0,off=false)
	// stand to (level=3,x=1,y=2,phase=0,off=false)
	// jump to (level=3,x=1,y=3,phase=3,off=false)
	// shutdown to (level=3,x=1,y=2,phase=0,off=true)
}

// With its reward, labels and names, a slip grid takes at most 80 bytes a state, 12 branches and all; a grid
// without them takes 24.
func TestBytesOfAState(t *testing.T) {
	whole := generate(t, "grid", Options{States: 30_000, Slip: 0.2})
	if each := float64(whole.Bytes()) / float64(whole.NumStates()); each > 80 {
		t.Errorf("a slip grid takes %.1f bytes a state", each)
	}
	m := generate(t, "grid", Options{States: 30_000})
	bare, err := sparse.New(sparse.Parts{ChoiceStart: m.ChoiceStarts(), Target: m.AllTargets()})
	if err != nil {
		t.Fatal(err)
	}
	if each := float64(bare.Bytes()) / float64(bare.NumStates()); each > 24 {
		t.Errorf("a grid takes %.1f bytes a state", each)
	}
}
