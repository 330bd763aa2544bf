package check

import "math"

// interval is a set of reals lo..hi that holds the true result of a computation. Go cannot change
// the rounding mode; instead each operation takes the nearest float64 and finds the sign of its
// error, exactly, from a second operation. What is exact stays a point.
type interval struct{ lo, hi float64 }

func point(x float64) interval { return interval{x, x} }

// tiny is a magnitude below which the error of a product is itself not exact.
const tiny = 0x1p-900

// sumBounds returns the floats around a+b. The error of a rounded sum is a float64 (Knuth's
// TwoSum), and NaN when the sum overflows.
func sumBounds(a, b float64) (lo, hi float64) {
	s := a + b
	t := s - a
	return around(s, (a-(s-t))+(b-t))
}

// productBounds returns the floats around a·b.
func productBounds(a, b float64) (lo, hi float64) {
	p := a * b
	if math.Abs(p) < tiny {
		if a == 0 || b == 0 {
			return p, p
		}
		return below(p), above(p)
	}
	return around(p, math.FMA(a, b, -p))
}

// around returns bounds of x + e, where |e| is at most the distance from x to its neighbours.
func around(x, e float64) (lo, hi float64) {
	switch {
	case e == 0:
		return x, x
	case e > 0:
		return x, above(x)
	case e < 0:
		return below(x), x
	}
	return below(x), above(x)
}

func below(x float64) float64 { return math.Nextafter(x, math.Inf(-1)) }
func above(x float64) float64 { return math.Nextafter(x, math.Inf(1)) }

func (a interval) add(b interval) interval {
	lo, _ := sumBounds(a.lo, b.lo)
	_, hi := sumBounds(a.hi, b.hi)
	return interval{lo, hi}
}

func (a interval) sub(b interval) interval { return a.add(interval{-b.hi, -b.lo}) }

// times returns a multiplied by the number k.
func (a interval) times(k float64) interval {
	if k < 0 {
		a.lo, a.hi = a.hi, a.lo
	}
	lo, _ := productBounds(a.lo, k)
	_, hi := productBounds(a.hi, k)
	return interval{lo, hi}
}

// size returns a bound of the absolute value; NaN when there is none.
func (a interval) size() float64 { return max(-a.lo, a.hi) }
