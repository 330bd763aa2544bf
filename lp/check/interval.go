package check

import (
	"fmt"
	"math"
)

// interval is the set of reals within e of x, and holds the true result of a computation. Go
// cannot change the rounding mode; instead each operation takes the nearest float64 and adds the size
// of its error, which a second operation finds exactly. What is exact has e = 0. After an overflow
// e is not a number, and no comparison with such an interval holds.
type interval struct{ x, e float64 }

func point(x float64) interval { return interval{x, 0} }

const (
	// tiny is a magnitude below which the error of a product is itself not exact, but less than
	// tinyError.
	tiny      = 0x1p-900
	tinyError = 0x1p-950
	// up makes up for the rounding of the few additions of errors before it.
	up = 1 + 0x1p-50
)

// add returns a + b. The error of a rounded sum is a float64 (Knuth's TwoSum).
func (a interval) add(b interval) interval {
	s := a.x + b.x
	t := s - a.x
	return interval{s, (a.e + b.e + math.Abs((a.x-(s-t))+(b.x-t))) * up}
}

func (a interval) sub(b interval) interval { return a.add(interval{-b.x, b.e}) }

// times returns a multiplied by the number k.
func (a interval) times(k float64) interval {
	p := a.x * k
	e := math.Abs(math.FMA(a.x, k, -p))
	if math.Abs(p) < tiny && a.x != 0 && k != 0 {
		e = tinyError
	}
	if a.e != 0 {
		e += a.e*math.Abs(k) + tinyError
	}
	return interval{p, e * up}
}

// lo and hi return the ends, rounded outwards.
func (a interval) lo() float64 {
	if a.e == 0 {
		return a.x
	}
	return below(a.x - a.e)
}

func (a interval) hi() float64 {
	if a.e == 0 {
		return a.x
	}
	return above(a.x + a.e)
}

// greater returns the greater of two numbers.
func (a interval) greater(b interval) interval {
	switch {
	case a.lo() >= b.hi():
		return a
	case b.lo() >= a.hi():
		return b
	}
	return interval{max(a.x, b.x), max(a.e, b.e)}
}

// size returns a bound of the absolute value.
func (a interval) size() float64 { return interval{math.Abs(a.x), a.e}.hi() }

func (a interval) String() string { return fmt.Sprintf("%.6g", a.x) }

func below(x float64) float64 { return math.Nextafter(x, math.Inf(-1)) }
func above(x float64) float64 { return math.Nextafter(x, math.Inf(1)) }
