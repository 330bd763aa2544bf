package main

import (
	"math/rand/v2"
	"slices"
	"testing"

	"offswitch"
	"offswitch/recurrence"
	"offswitch/sparse"
)

// Every place of a map has the colour of the state there that counts most, with the least y at the bottom.
func TestMapShowsTheStateThatCountsMost(t *testing.T) {
	const width, height = 7, 5
	random := rand.New(rand.NewPCG(1, 2))
	values, err := sparse.NewValuation([]sparse.Variable{
		sparse.IntRange("y", -3, height-4), sparse.IntRange("x", 10, width+9), sparse.IntRange("z", 0, 3),
	})
	if err != nil {
		t.Fatal(err)
	}
	classes := make([]uint8, width*height)
	counts := new(recurrence.Counts)
	var states []uint32
	verdicts := []recurrence.Verdict{recurrence.Undecided, recurrence.Counted, recurrence.NotCounted}
	for s := range uint32(40) {
		x, y := random.IntN(width), random.IntN(height)
		switch s { // so that every row and column is there
		case 0:
			x, y = 0, 0
		case 1:
			x, y = width-1, height-1
		}
		values.Append([]uint64{uint64(y), uint64(x), uint64(s % 4)})
		paper, extended := verdicts[random.IntN(3)], verdicts[random.IntN(3)]
		counts.Paper, counts.Extended = append(counts.Paper, paper), append(counts.Extended, extended)
		if s%5 == 4 {
			continue // not reachable
		}
		states = append(states, s)
		class := uint8(1)
		if paper == recurrence.Undecided || extended == recurrence.Undecided {
			class = 2
		}
		if extended == recurrence.Counted {
			class = 3
		}
		if paper == recurrence.Counted {
			class = 4
		}
		if s == 3 {
			class = 5
		}
		place := (height-1-y)*width + x
		classes[place] = max(classes[place], class)
	}
	a := &offswitch.Analysis{Counts: counts, Setting: &offswitch.Setting{New: 3, Reach: &recurrence.Search{Order: states}}}
	axes := [2]axis{{values: values, variable: 1}, {values: values, variable: 0}}
	for i := range axes {
		if err := axes[i].cover(states); err != nil {
			t.Fatal(err)
		}
	}
	got := placeClasses(a, axes[0], axes[1])
	img := places(got, width, height)
	scale := img.Bounds().Dx() / width
	for py := range height * scale {
		for px := range width * scale {
			want := classes[py/scale*width+px/scale]
			if c := img.ColorIndexAt(px, py); c != want {
				t.Fatalf("pixel %d,%d is of class %d, want %d", px, py, c, want)
			}
		}
	}
}

// An axis of counts goes up with them, and has its ticks within.
func TestTicksAreInRange(t *testing.T) {
	for _, most := range []float64{1, 3, 475, 20161, 1e9} {
		last := -1.0
		for _, tick := range (countScale{}).Ticks(0, most) {
			if tick.Value <= last || tick.Value > most {
				t.Errorf("tick %v after %v, of at most %v", tick.Value, last, most)
			}
			last = tick.Value
		}
		if low, high := (countScale{}).Normalize(0, most, 0), (countScale{}).Normalize(0, most, most); low != 0 || high != 1 {
			t.Errorf("0 to %v lie at %v to %v, want 0 to 1", most, low, high)
		}
	}
	discounts := horizons{0, 0.5, 0.500001, 0.9}
	var labels []string
	for _, tick := range discounts.Ticks(1, 10) {
		labels = append(labels, tick.Label)
	}
	if want := []string{"0", "0.5", "", "0.9"}; !slices.Equal(labels, want) {
		t.Errorf("labels %q, want %q", labels, want)
	}
}
