package sparse

import (
	"math"
	"testing"
)

// Whatever values variables have, a state is found by the name it is given, and by its values alone.
func TestStatesAreFoundByTheirNames(t *testing.T) {
	v, err := NewValuation([]Variable{
		IntRange("x", -3, 300),
		{Name: "open", Type: BoolVariable, Bits: 1},
		{Name: "who", Type: StringVariable, Bits: 3, Strings: []string{"a", "b,c", "x=1", "(", "d)e"}},
		{Name: "z", Type: DoubleVariable, Bits: 64},
	})
	if err != nil {
		t.Fatal(err)
	}
	var n uint32
	for x := range uint64(304) {
		for who := range uint64(5) {
			v.Append([]uint64{x, (x + who) % 2, who, math.Float64bits(float64(x) / 7)})
			n++
		}
	}
	b := NewBuilder(int(n))
	b.SetNames(v)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := m.StateName(8), "(x=-2,open=false,who=(,z=0.14285714285714285)"; got != want {
		t.Errorf("state 8 is called %s, want %s", got, want)
	}
	for s := range n {
		for _, name := range []string{m.StateName(s), string(v.appendShort(nil, s))} {
			if got, err := m.FindState(name); err != nil || got != s {
				t.Fatalf("FindState(%s) = %d, %v, want %d", name, got, err, s)
			}
		}
	}
	if _, err := m.FindState("(x=9999,open=true,who=a,z=0)"); err == nil {
		t.Error("found a state that is not there")
	}
}
