package recurrence

import "math"

const (
	// ballRadius and ballStates bound a ball: it stops growing at that distance, or once it has that many states.
	ballRadius = 8
	ballStates = 300
	// gateRadius bounds how far back from a state its gate is looked for.
	gateRadius = 64
	// ballSweeps is the most sweeps that a ball gets: fewer give weaker bounds, not wrong ones.
	ballSweeps = 60
	// ballPrecision is the change, in units of 1-γ, below which sweeping a ball ends.
	ballPrecision = 1e-3
)

// ball bounds h(s), the greatest E[γ^T] with T ≥ 0 the first time in x, for the states around one x
// after another. From below values rise from 0, and from above they fall from γ^distance; all the
// time they are bounds, up to the area's drift, as long as those outside the ball are.
type ball struct {
	*area
	local []uint32 // by position, index in states; None elsewhere

	// Positions, nearest to x first: x itself, then the rest of the ball, then what branches lead to beyond it.
	states []uint32
	size   int   // of the ball
	inner  int   // those before have all that leads to them in the ball
	level  []int // by distance to x, the first that far; one more at the end
	gate   int   // index of the state that all from outside pass, -1 without one
	closed bool  // nothing comes from outside, but through the gate

	own   rows      // of the ball, by index
	value []float64 // by index; 1 at x
	again float64   // at x, with T ≥ 1
	far   int       // index of what is too far, -1 where that is not in the ball, or counts as well
}

func newBall(a *area) *ball {
	b := &ball{area: a, local: make([]uint32, a.size()+1)}
	for at := range b.local {
		b.local[at] = None
	}
	return b
}

// around makes it the ball around x.
func (b *ball) around(x uint32) {
	b.gather(x, None, ballRadius)
	b.write()
}

// behind makes it all that leads to x from a gate, which dominates x, and reports whether that is little.
func (b *ball) behind(x, gate uint32) bool {
	if gate == None || !b.gather(x, gate, gateRadius) {
		return false
	}
	b.write()
	return true
}

// gather collects the states from which x is at most radius branches away, and not those before
// the gate. It reports whether that is all that can reach x from behind the gate.
func (b *ball) gather(x, gate uint32, radius int) bool {
	for _, at := range b.states {
		b.local[at] = None
	}
	b.states, b.level, b.gate, b.inner = append(b.states[:0], x), append(b.level[:0], 0, 1), -1, 0
	b.local[x] = 0
	for len(b.level) <= radius+1 && b.inner < len(b.states) && len(b.states) < ballStates {
		end := len(b.states)
		for i := b.inner; i < end; i++ {
			if b.states[i] == gate {
				b.gate = i
				continue
			}
			for _, s := range b.before.Of(b.states[i]) {
				if b.local[s] == None {
					b.local[s] = uint32(len(b.states))
					b.states = append(b.states, s)
				}
			}
		}
		b.inner = end
		if end < len(b.states) {
			b.level = append(b.level, len(b.states))
		}
	}
	b.size = len(b.states)
	b.closed = b.inner == b.size
	return b.closed
}

// write writes out the choices of the ball by index.
func (b *ball) write() {
	own, all := &b.own, &b.area.rows
	own.choiceStart, own.branchStart = append(own.choiceStart[:0], 0), append(own.branchStart[:0], 0)
	own.target, own.probability = own.target[:0], own.probability[:0]
	for _, at := range b.states[:b.size] {
		for c := all.choiceStart[at]; c < all.choiceStart[at+1]; c++ {
			for e := all.branchStart[c]; e < all.branchStart[c+1]; e++ {
				t := all.target[e]
				if b.local[t] == None {
					b.local[t] = uint32(len(b.states))
					b.states = append(b.states, t)
				}
				own.target, own.probability = append(own.target, b.local[t]), append(own.probability, all.probability[e])
			}
			own.branchStart = append(own.branchStart, uint32(len(own.target)))
		}
		own.choiceStart = append(own.choiceStart, uint32(len(own.branchStart)-1))
	}
	b.value = grow(b.value, len(b.states))
}

// outside sets the values of what is beyond the ball.
func (b *ball) outside(f func(position uint32) float64) {
	for i := b.size; i < len(b.states); i++ {
		b.value[i] = f(b.states[i])
	}
}

// fromBelow sets all values to 0.
func (b *ball) fromBelow() {
	clear(b.value)
	b.value[0], b.again = 1, 0
	b.far = -1
	if i := b.local[b.area.size()]; i != None && int(i) < b.size {
		b.far = int(i)
	}
}

// fromAbove sets the values to γ^distance. Beyond a ball without a gate x is one branch further than
// the ball reaches; through a gate, from beyond it or from within the ball, one further than that. It
// returns the value beyond the ball.
func (b *ball) fromAbove() (beyond float64) {
	b.far = -1
	v, least := 1.0, 0.0
	for k := range len(b.level) - 1 {
		for i := b.level[k]; i < b.level[k+1]; i++ {
			b.value[i] = max(v, least)
			if i == b.gate {
				least = b.less(v)
			}
		}
		v = b.less(v)
	}
	b.again = b.less(1)
	switch {
	case b.gate >= 0:
		v = least
	case b.closed:
		v = 0
	}
	b.outside(func(uint32) float64 { return v })
	return v
}

// less returns an upper bound of what the given one is a step earlier.
func (b *ball) less(upper float64) float64 { return upper * b.modulus * (1 + 0x1p-50) }

// sweep backs up every state of the ball once, x first, and returns the greatest change.
func (b *ball) sweep() float64 {
	next := b.backup(0)
	change := math.Abs(next - b.again)
	b.again = next
	for at := 1; at < b.size; at++ {
		if at == b.far {
			continue
		}
		next := b.backup(at)
		if d := next - b.value[at]; d > change || -d > change {
			change = math.Abs(d)
		}
		b.value[at] = next
	}
	return change
}

// backup returns γ·max over choices of Σ p·value.
func (b *ball) backup(at int) float64 { return b.gamma * b.own.best(b.value, uint32(at)) }

// settle sweeps until hardly anything changes, with step after each sweep.
func (b *ball) settle(step func()) {
	enough := ballPrecision * (1 - b.modulus)
	for range ballSweeps {
		change := b.sweep()
		step()
		if change <= enough {
			break
		}
	}
}

// lower and upper return what a value that is a bound in the ball proves.
func (b *ball) lower(value float64) float64 { return max(value-b.drift(), 0) * (1 - 0x1p-50) }
func (b *ball) upper(value float64) float64 { return min((value+b.drift())*(1+0x1p-50), 1) }

// stepUp bounds the way from the start to x from below, by what is known of nearer states in the
// ball: h_x(start) ≥ h_y(start)·h_x(y), because going to y first and then to x is one way to x. Who is
// outside may start anew: home bounds the way there. It returns that bound and one of h_x(x).
func (b *ball) stepUp(distance []uint32, known []interval, home *hitting) (atStart, atX float64) {
	x := b.states[0]
	anew := known[x].lower
	restart := func() { b.outside(func(at uint32) float64 { return anew * home.lower(at) * (1 - 0x1p-50) }) }
	b.fromBelow()
	restart()
	b.settle(func() {
		if b.gate >= 0 {
			anew = max(anew, known[b.states[b.gate]].lower*b.lower(b.value[b.gate]))
			restart()
		}
	})
	atX = b.lower(b.again)
	if x == 0 {
		return atX, atX
	}
	for i, y := range b.states[1:b.size] {
		if distance[y] < distance[x] {
			atStart = max(atStart, b.lower(b.value[i+1])*known[y].lower)
		}
	}
	return atStart * (1 - 0x1p-50), atX
}

// stepDown bounds the way from the start to x from above where it must pass a gate:
// h_x(start) = h_gate(start)·h_x(gate). It returns that bound, 1 where there is no gate, and one of
// h_x(x). Who is outside, and in a strongly connected component without the start that is not the gate's,
// comes back through the start only: home bounds the way there.
func (b *ball) stepDown(known []interval, cycles []uint32, home *hitting) (atStart, atX float64) {
	b.fromAbove()
	b.settle(func() {
		if b.gate < 0 {
			return
		}
		gate := b.states[b.gate]
		atGate := b.upper(b.value[b.gate])
		far := atGate * known[gate].upper * (1 + 0x1p-50)
		b.outside(func(at uint32) float64 {
			if cycles[at] == cycles[gate] {
				return b.less(atGate)
			}
			return far * home.upper(at) * (1 + 0x1p-50)
		})
	})
	atX = b.upper(b.again)
	switch x := b.states[0]; {
	case x == 0:
		return atX, atX
	case b.gate >= 0:
		return known[b.states[b.gate]].upper * b.upper(b.value[b.gate]) * (1 + 0x1p-50), atX
	}
	return 1, atX
}

// compareUp bounds the way from the start to x from below by that to a landmark p in the ball.
// Outside the ball h_x ≥ c·h_p, if it is at the states where one comes in: who goes to p comes in
// at one of them, and may from there go to x instead. It returns the bounds of h_x(start) and h_x(x).
func (b *ball) compareUp(p *hitting) (atStart, atX float64) {
	to := b.local[p.goal.first]
	if to == None || int(to) >= b.size || b.closed {
		return 0, 0
	}
	c := 0.0
	b.fromBelow()
	b.settle(func() {
		least := math.Inf(1)
		for i := b.inner; i < b.size; i++ {
			if i != b.far {
				least = min(least, b.lower(b.value[i])/p.upper(b.states[i]))
			}
		}
		c = max(c, least*(1-0x1p-50))
		b.outside(func(at uint32) float64 { return c * p.lower(at) })
	})
	if value, ok := b.start(); ok {
		return b.lower(value), b.lower(b.again)
	}
	return c * p.lower(0) * (1 - 0x1p-50), b.lower(b.again)
}

// compareDown is compareUp for upper bounds: outside the ball h_x ≤ c·h_p, if it is where one comes
// in. p may be anywhere.
func (b *ball) compareDown(p *hitting) (atStart, atX float64) {
	limit := b.fromAbove()
	c := 1 / p.lowerAbove(b.states[0])
	bound := func() { b.outside(func(at uint32) float64 { return min(limit, c*p.upper(at)*(1+0x1p-50)) }) }
	bound()
	b.settle(func() {
		most := 0.0
		for i := b.inner; i < b.size; i++ {
			most = max(most, b.upper(b.value[i])/p.lowerAbove(b.states[i]))
		}
		c = min(c, most*(1+0x1p-50))
		bound()
	})
	if value, ok := b.start(); ok {
		return b.upper(value), b.upper(b.again)
	}
	return c * p.upper(0) * (1 + 0x1p-50), b.upper(b.again)
}

// start returns the value at the start, E[γ^T] with T ≥ 1, if that is in the ball.
func (b *ball) start() (value float64, ok bool) {
	switch i := b.local[0]; {
	case i == None || int(i) >= b.size:
		return 0, false
	case i == 0:
		return b.again, true
	default:
		return b.value[i], true
	}
}
