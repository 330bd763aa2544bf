package bench

// dice is a source of chance without state: a pure function of what is rolled for, so that
// environments do not depend on the order in which their states are made.
type dice uint64

// newDice returns the dice for one purpose; different purposes roll independently.
func newDice(seed uint64, purpose string) dice {
	h := mix(seed)
	for _, c := range []byte(purpose) {
		h = mix(h ^ uint64(c))
	}
	return dice(h)
}

// roll returns 64 random bits for x.
func (d dice) roll(x uint64) uint64 { return mix(uint64(d) ^ mix(x)) }

// mix is the step of splitmix64 (Steele, Lea & Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// fraction turns random bits into a number in [0,1).
func fraction(roll uint64) float64 { return float64(roll>>11) * 0x1p-53 }

// worth turns random bits into one of 1/256, 2/256, …, 1: values that a sparse.Floats keeps in one
// byte each.
func worth(roll uint64) float64 { return float64(1+roll%256) / 256 }
