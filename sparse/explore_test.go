package sparse

import (
	"context"
	"testing"
)

// torus is a two-dimensional walk with wrap-around and a terminal state in a corner.
type torus struct{ width, height uint32 }

func (t torus) Start() []uint32   { return []uint32{5, 5, 7} }
func (t torus) Actions() []string { return []string{"east", "north"} }
func (t torus) Choices(s uint32, dst []int) []int {
	if s == 0 {
		return dst
	}
	return append(dst, 0, 1)
}
func (t torus) Distribution(s uint32, i int, dst []Outcome[uint32]) []Outcome[uint32] {
	x, y := s%t.width, s/t.width
	east, north := (x+1)%t.width+y*t.width, x+(y+1)%t.height*t.width
	if i == 1 {
		east, north = north, east
	}
	return append(dst, Outcome[uint32]{east, 0.75}, Outcome[uint32]{north, 0.25})
}

func TestExploreIsTheSameForAnyNumberOfWorkers(t *testing.T) {
	env := torus{width: 301, height: 211}
	notes := Annotations[uint32]{
		Variables: []Variable{IntRange("x", 0, 300), IntRange("y", 0, 210)},
		Values:    func(s uint32, dst []uint64) { dst[0], dst[1] = uint64(s%301), uint64(s/301) },
		Labels:    []string{"even"}, Holds: func(s uint32, _ int) bool { return s%2 == 0 },
	}
	var hashes [][32]byte
	for workers := 1; workers <= 3; workers++ {
		m, err := Explore(context.Background(), env, notes, ExploreOptions{Workers: workers})
		if err != nil {
			t.Fatal(err)
		}
		if m.NumStates() != 301*211 || m.NumTerminal() != 1 || m.Initial().Count() != 2 {
			t.Fatalf("%d workers: %d states, %d terminal, %d initial", workers, m.NumStates(), m.NumTerminal(), m.Initial().Count())
		}
		if name := m.StateName(0); name != "(x=5,y=0)" {
			t.Errorf("first state is %s", name)
		}
		for s := range uint32(m.NumStates()) {
			if got, err := m.FindState(m.StateName(s)); err != nil || got != s {
				t.Fatalf("FindState(%s) = %d, %v, want %d", m.StateName(s), got, err, s)
			}
		}
		hashes = append(hashes, m.Hash())
	}
	if hashes[0] != hashes[1] || hashes[0] != hashes[2] {
		t.Error("the model depends on the number of workers")
	}
	if _, err := Explore(context.Background(), env, notes, ExploreOptions{MaxStates: 1000}); err == nil {
		t.Error("no error beyond MaxStates")
	}
}
