package main

import (
	"fmt"
	"image"
	"image/color"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"offswitch"
	"offswitch/recurrence"
	"offswitch/sparse"
)

// mapClasses are what a map tells states apart by. Where several states share a place it shows the last of
// these that one of them is in.
var mapClasses = []struct {
	name  string
	color color.Color
}{
	{"not reachable", color.White},
	{"reachable, not counted", color.Gray{0xd0}},
	{"undecided", color.RGBA{0xb0, 0x60, 0xb0, 0xff}},
	{"counts over all policies", extendedColor},
	{"counts surely, as in the paper", paperColor},
	{"new situation", color.RGBA{0xd0, 0x20, 0x20, 0xff}},
}

// mapClass returns the class of a reachable state.
func mapClass(a *offswitch.Analysis, s uint32) uint8 {
	paper, extended := a.Counts.Paper[s], a.Counts.Extended[s]
	switch {
	case s == a.Setting.New:
		return 5
	case paper == recurrence.Counted:
		return 4
	case extended == recurrence.Counted:
		return 3
	case extended == recurrence.Undecided || paper == recurrence.Undecided:
		return 2
	}
	return 1
}

const (
	// mapPixels is how many pixels the longer side of a map has at least, so that places stay sharp.
	mapPixels = 1600
	// mostPlaces is how many places a map may have.
	mostPlaces = 1 << 26
)

// axis is a variable of the names of states as a coordinate.
type axis struct {
	values   *sparse.Valuation
	variable int
	low      int64
	size     int // values from low on
}

// findAxes finds two variables.
func findAxes(m *sparse.MDP, names []string) (axes [2]axis, err error) {
	v, ok := m.Names().(*sparse.Valuation)
	if !ok {
		return axes, fmt.Errorf("--map: want a model whose states are named by variables")
	}
	var integers []string
	for _, x := range v.Variables() {
		if x.Type == sparse.IntVariable {
			integers = append(integers, x.Name)
		}
	}
	for i, name := range names {
		variable := slices.IndexFunc(v.Variables(), func(x sparse.Variable) bool { return x.Name == name && x.Type == sparse.IntVariable })
		if variable < 0 {
			return axes, fmt.Errorf("--axes: no integer variable is called %q (integer variables: %s)", name, strings.Join(integers, ", "))
		}
		axes[i] = axis{values: v, variable: variable, size: 1}
	}
	return axes, nil
}

// cover makes room for some states.
func (a *axis) cover(states []uint32) error {
	low, high := a.at(states[0]), a.at(states[0])
	for _, s := range states {
		low, high = min(low, a.at(s)), max(high, a.at(s))
	}
	if uint64(high-low) >= mostPlaces {
		return fmt.Errorf("--map: %s goes from %d to %d, want at most %d places", a.name(), low, high, mostPlaces)
	}
	a.low, a.size = low, int(high-low)+1
	return nil
}

// name returns the name of the variable.
func (a *axis) name() string { return a.values.Variables()[a.variable].Name }

// at returns the coordinate of a state.
func (a *axis) at(s uint32) int64 {
	return a.values.Variables()[a.variable].Lower + int64(a.values.Stored(s, a.variable))
}

// drawMap draws which reachable states count, in the places that two of their variables give them.
func drawMap(a *offswitch.Analysis, axes [2]axis) (*picture, error) {
	states := a.Setting.Reach.Order
	x, y := axes[0], axes[1]
	for _, axis := range []*axis{&x, &y} {
		if err := axis.cover(states); err != nil {
			return nil, err
		}
	}
	if x.size*y.size > mostPlaces {
		return nil, fmt.Errorf("--map: %d times %d places, want at most %d", x.size, y.size, mostPlaces)
	}
	classes := placeClasses(a, x, y)
	p, legend := plot.New(), plot.NewLegend()
	p.Title.Text = fmt.Sprintf("States that make avoiding shutdown pay at discount %v", a.Setting.Question.Discount)
	p.X.Label.Text, p.Y.Label.Text = x.name(), y.name()
	left, bottom := float64(x.low)-0.5, float64(y.low)-0.5
	p.Add(plotter.NewImage(places(classes, x.size, y.size), left, bottom, left+float64(x.size), bottom+float64(y.size)))
	for _, c := range mapClasses[1:] {
		legend.Add(c.name, swatch{c.color})
	}
	height := innerWidth * vg.Length(y.size) / vg.Length(x.size)
	return &picture{p, legend, min(max(height, innerWidth/6), 3*innerWidth)}, nil
}

// placeClasses returns the class of each place, the least y first.
func placeClasses(a *offswitch.Analysis, x, y axis) []uint8 {
	classes := make([]uint8, x.size*y.size)
	for _, s := range a.Setting.Reach.Order {
		place := &classes[int(y.at(s)-y.low)*x.size+int(x.at(s)-x.low)]
		*place = max(*place, mapClass(a, s))
	}
	return classes
}

// places draws classes, the least y at the bottom, each a square of whole pixels.
func places(classes []uint8, width, height int) *image.Paletted {
	scale := (mapPixels + max(width, height) - 1) / max(width, height)
	palette := make(color.Palette, len(mapClasses))
	for i, c := range mapClasses {
		palette[i] = c.color
	}
	img := image.NewPaletted(image.Rect(0, 0, width*scale, height*scale), palette)
	for py := range height * scale {
		row := classes[(height-1-py/scale)*width:][:width]
		for px := range width * scale {
			img.Pix[py*img.Stride+px] = row[px/scale]
		}
	}
	return img
}

// swatch is the sign of a colour in a legend.
type swatch struct{ color color.Color }

// Thumbnail is that of plot.Thumbnailer.
func (s swatch) Thumbnail(c *draw.Canvas) {
	c.FillPolygon(s.color, []vg.Point{c.Min, {X: c.Min.X, Y: c.Max.Y}, c.Max, {X: c.Max.X, Y: c.Min.Y}})
}
