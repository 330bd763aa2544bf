package recurrence

import (
	"context"
	"slices"
	"testing"
	"time"

	"offswitch/bench"
	"offswitch/sparse"
)

// endsAfter is a context that ends when it has been looked at so many times.
type endsAfter struct {
	context.Context
	left *int
}

func (c endsAfter) Err() error {
	if *c.left--; *c.left < 0 {
		return context.Canceled
	}
	return nil
}

// Whenever the context ends, a question has no answer or the right one, and the next one has the right
// one.
func TestStructureGivesUpAndBeginsAnew(t *testing.T) {
	for _, family := range bench.Families() {
		o := bench.Options{States: max(family.MinStates, 3000), Seed: *pathSeed}
		if family.HasSlip {
			o.Slip = 0.2
		}
		m, err := family.Generate(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		target := sparse.NewBitset(m.NumStates())
		target.Set(uint32(m.NumStates() / 2))
		fresh := NewStructure(m, 1)
		before, classes, components, sure := fresh.Predecessors(), fresh.StronglyConnected(), fresh.EndComponents(), fresh.AlmostSure(target)
		answers := func(r *Structure, name string) (given int) {
			if got := r.Predecessors(); got != nil {
				given++
				if !slices.Equal(got.choiceStart, before.choiceStart) || !slices.Equal(got.target, before.target) {
					t.Fatalf("%s: other predecessors", name)
				}
			}
			if got := r.StronglyConnected(); got != nil {
				given++
				if !slices.Equal(got.Of, classes.Of) {
					t.Fatalf("%s: other strongly connected components", name)
				}
			}
			if got := r.EndComponents(); got != nil {
				given++
				if !slices.Equal(got.Of, components.Of) {
					t.Fatalf("%s: other end components", name)
				}
			}
			if got := r.AlmostSure(target); got != nil {
				given++
				if !slices.Equal(got, sure) {
					t.Fatalf("%s: another set from which the target is reached almost surely", name)
				}
			}
			return given
		}
		r := NewStructure(m, 1)
		for looks, all := 0, false; !all; looks++ {
			r.Reset(m)
			left := looks
			given := answers(r.Within(endsAfter{t.Context(), &left}), family.Name)
			all = given == 4
			if looks == 0 && given > 0 {
				t.Fatalf("%s: %d answers though the context had ended", family.Name, given)
			}
			if answers(r.Within(t.Context()), family.Name) < 4 {
				t.Fatalf("%s: no answer after %d looks at an earlier context", family.Name, looks)
			}
		}
	}
}

// Without the structure there are no visits.
func TestVisitsOfAStructureThatGaveUp(t *testing.T) {
	m, err := bench.Families()[0].Generate(t.Context(), bench.Options{States: 3000, Seed: *pathSeed})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	if NewVisits(NewStructure(m, 1).Within(ctx), 0, new(Search).Forward(m, 0)) != nil {
		t.Error("visits of a structure whose context had ended")
	}
}

// Whenever the context ends, the verdicts that there are hold.
func TestCountHoldsWheneverTheContextEnds(t *testing.T) {
	defer BoundMuch()()
	for _, name := range []string{"grid", "coinrun", "components"} {
		family, _ := bench.Find(name)
		o := bench.Options{States: max(family.MinStates, 400), Seed: *pathSeed}
		if family.HasSlip {
			o.Slip = 0.2
		}
		m, err := family.Generate(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		start := m.Initial().First()
		visits := NewVisits(NewStructure(m, 1), start, new(Search).Forward(m, start))
		ask := CountOptions{Discount: 0.9, Bounds: true, Workers: 1}
		whole, err := visits.Count(t.Context(), ask)
		if err != nil {
			t.Fatal(err)
		}
		for looks, partial := 0, true; partial; looks += 1 + looks/4 {
			left := looks
			got, err := visits.Count(endsAfter{t.Context(), &left}, ask)
			if err != nil {
				t.Fatal(err)
			}
			partial = got.Partial
			for s := range got.Paper {
				for _, v := range [][2]Verdict{{got.Paper[s], whole.Paper[s]}, {got.Extended[s], whole.Extended[s]}} {
					if v[0] != Undecided && v[1] != Undecided && v[0] != v[1] {
						t.Fatalf("%s, seed %d, state %d after %d looks: %v, want %v", name, *pathSeed, s, looks, v[0], v[1])
					}
				}
				if got.Lower[s] > whole.Upper[s] || got.Upper[s] < whole.Lower[s] {
					t.Fatalf("%s, seed %d, state %d after %d looks: visits %v to %v, want %v to %v", name, *pathSeed, s, looks, got.Lower[s], got.Upper[s], whole.Lower[s], whole.Upper[s])
				}
			}
		}
	}
}
