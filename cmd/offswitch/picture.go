package main

import (
	"cmp"
	"context"
	"fmt"
	"image/color"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	_ "gonum.org/v1/plot/vg/vgimg"
	_ "gonum.org/v1/plot/vg/vgpdf"
	_ "gonum.org/v1/plot/vg/vgsvg"

	"offswitch"
	"offswitch/sparse/file"
)

// pictureTypes are the endings of files that pictures can be written to.
var pictureTypes = []string{".svg", ".png", ".pdf"}

// checkPicture refuses a file name that says of no known type of picture.
func checkPicture(flag, path string) error {
	if path != "" && !slices.Contains(pictureTypes, filepath.Ext(path)) {
		return fmt.Errorf("%s %s: want a name that ends in %s", flag, path, strings.Join(pictureTypes, ", "))
	}
	return nil
}

// picture is a plot with its legend below.
type picture struct {
	plot   *plot.Plot
	legend plot.Legend
	height vg.Length // of what the axes enclose, about
}

const (
	pictureWidth  = 18 * vg.Centimeter
	pictureMargin = vg.Centimeter / 2
	axisWidth     = 1.5 * vg.Centimeter // about, of an axis with its numbers and its name
	innerWidth    = pictureWidth - 2*pictureMargin - axisWidth
)

// save writes a picture in the type that the name of the file says.
func (p *picture) save(path string) error {
	p.legend.Left, p.legend.XOffs = true, axisWidth
	p.legend.Padding = vg.Points(2)
	size := p.legend.Rectangle(draw.Canvas{}).Size()
	below := size.Y + pictureMargin
	out, err := draw.NewFormattedCanvas(pictureWidth, p.height+axisWidth+below+2*pictureMargin, filepath.Ext(path)[1:])
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	canvas := draw.New(out)
	canvas.SetColor(color.White)
	canvas.Fill(canvas.Rectangle.Path())
	canvas = draw.Crop(canvas, pictureMargin, -pictureMargin, pictureMargin, -pictureMargin)
	p.plot.Draw(draw.Crop(canvas, 0, 0, below, 0))
	p.legend.Draw(canvas)
	return file.Replace(context.Background(), path, func(w io.Writer) error {
		_, err := out.WriteTo(w)
		return err
	})
}

// The colours of the two counts, which tell them apart in print and to the colour-blind, too.
var (
	extendedColor = color.RGBA{0xf0, 0xa0, 0x30, 0xff}
	paperColor    = color.RGBA{0x10, 0x40, 0x80, 0xff}
)

// plotCounts draws the bounds of both counts over the discounts, these by the horizon 1/(1-γ). What lies
// between the bounds is filled.
func plotCounts(analyses []*offswitch.Analysis) (*picture, error) {
	sorted := slices.SortedFunc(slices.Values(analyses), func(a, b *offswitch.Analysis) int {
		return cmp.Compare(a.Setting.Question.Discount, b.Setting.Question.Discount)
	})
	var discounts horizons
	for _, a := range sorted {
		discounts = append(discounts, a.Setting.Question.Discount)
	}
	p, legend := plot.New(), plot.NewLegend()
	p.Title.Text = "States with a visit count above 1, which make avoiding shutdown pay"
	p.X.Label.Text, p.X.Scale, p.X.Tick.Marker = "discount γ, by 1/(1 − γ)", plot.LogScale{}, discounts
	p.Y.Scale, p.Y.Tick.Marker = countScale{}, countScale{}
	p.Add(plotter.NewGrid())
	for _, x := range []struct {
		name   string
		color  color.RGBA
		dashes []vg.Length
		count  func(*offswitch.Analysis) offswitch.Count
	}{
		{"over all policies", extendedColor, nil, func(a *offswitch.Analysis) offswitch.Count { return a.Extended }},
		{"surely, as in the paper", paperColor, []vg.Length{vg.Points(4), vg.Points(2)}, func(a *offswitch.Analysis) offswitch.Count { return a.Paper }},
	} {
		lower, upper := make(plotter.XYs, len(sorted)), make(plotter.XYs, len(sorted))
		for i, a := range sorted {
			h := horizon(a.Setting.Question.Discount)
			lower[i] = plotter.XY{X: h, Y: float64(x.count(a).Lower)}
			upper[i] = plotter.XY{X: h, Y: float64(x.count(a).Upper)}
		}
		around := slices.Clone(upper)
		slices.Reverse(around)
		band, err := plotter.NewPolygon(append(slices.Clone(lower), around...))
		if err != nil {
			return nil, err
		}
		fill := x.color
		fill.A = 0x60
		band.Color, band.LineStyle.Width = color.NRGBA(fill), 0
		p.Add(band)
		for i, bound := range []plotter.XYs{lower, upper} {
			line, points, err := plotter.NewLinePoints(bound)
			if err != nil {
				return nil, err
			}
			line.Color, line.Dashes, line.Width = x.color, x.dashes, vg.Points(1.5)
			points.Color, points.Shape = x.color, draw.CircleGlyph{}
			p.Add(line, points)
			if i == 0 {
				legend.Add(x.name, line, points)
			}
		}
	}
	p.Y.Min, p.Y.Max = 0, max(1, p.Y.Max)
	return &picture{p, legend, innerWidth / 2}, nil
}

// horizon returns 1/(1-γ).
func horizon(discount float64) float64 { return 1 / (1 - discount) }

// horizons marks discounts, in increasing order, on an axis of 1/(1-γ).
type horizons []float64

// Ticks labels the discounts as far as there is room.
func (discounts horizons) Ticks(least, most float64) []plot.Tick {
	var ticks []plot.Tick
	room := math.Log(most/least) / 12
	last := math.Inf(-1)
	for _, discount := range discounts {
		x := horizon(discount)
		tick := plot.Tick{Value: x}
		if at := math.Log(x); at >= last+room {
			tick.Label, last = strconv.FormatFloat(discount, 'g', -1, 64), at
		}
		ticks = append(ticks, tick)
	}
	return ticks
}

// countScale is a scale of log(1+n): counts range over orders of magnitude, and may be 0.
type countScale struct{}

// Normalize is that of plot.Normalizer.
func (countScale) Normalize(least, most, x float64) float64 {
	return (math.Log1p(x) - math.Log1p(least)) / (math.Log1p(most) - math.Log1p(least))
}

// Ticks marks 0, powers of ten, and between them 2 and 5 times those where there are few.
func (countScale) Ticks(least, most float64) []plot.Tick {
	ticks := []plot.Tick{{Value: 0, Label: "0"}}
	for power := 1.0; power <= most; power *= 10 {
		for _, x := range []float64{power, 2 * power, 5 * power} {
			if x < least || x > most {
				continue
			}
			tick := plot.Tick{Value: x}
			if x == power || most < 1e3 {
				tick.Label = strconv.FormatFloat(x, 'f', -1, 64)
			}
			ticks = append(ticks, tick)
		}
	}
	return ticks
}
