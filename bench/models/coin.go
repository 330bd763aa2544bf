package models

import (
	"fmt"

	"offswitch/sparse"
)

// coin is the shared coin of Aspnes & Herlihy's (1990) randomised consensus as PRISM's coinN.nm has
// it: n processes flip coins and move a common counter up or down, until each has seen it near an
// end, which decides the process's own coin. A state has three bits for each process, its coin and
// twice its program counter (0 flip, 1 write, 2 check, 3 finished), and the counter above them.
type coin struct {
	n       int
	counter int // lowest bit of the counter
	left    uint64
	right   uint64 // a process that sees the counter at left or right is done
}

// Coin returns the model for n processes, 1 to 16, and barriers k·n from the middle: 272 states for
// n = 2 and k = 2, 22,656 for n = 4 and k = 2, 1,258,240 for n = 6 and k = 2. Its goal states are
// those in which all have finished.
func Coin(n, k int) *sparse.MDP {
	c := &coin{n: n, counter: 3 * n, left: uint64(n), right: uint64((2*k + 1) * n)}
	return explore(c, c.finished)
}

func coinOf(states int) *sparse.MDP {
	ways := [][2]int{{2, 2}, {3, 2}, {4, 1}, {5, 1}, {6, 2}, {7, 2}}
	way := ways[nearest([]int{272, 2_720, 12_416, 95_616, 1_258_240, 8_948_576}, states)]
	return Coin(way[0], way[1])
}

func (c *coin) at(s uint64, i int) (coin, counter uint64) {
	return s >> (3 * i) & 1, s >> (3*i + 1) & 3
}

func (c *coin) finished(s uint64) bool {
	for i := range c.n {
		if _, at := c.at(s, i); at != 3 {
			return false
		}
	}
	return true
}

// Start implements sparse.Environment: the counter is in the middle.
func (c *coin) Start() []uint64 { return []uint64{(c.left + c.right) / 2 << c.counter} }

// Actions implements sparse.Environment: one for each process, and one that all do together at the end.
func (c *coin) Actions() []string {
	var names []string
	for i := range c.n {
		names = append(names, fmt.Sprintf("process%d", i+1))
	}
	return append(names, "done")
}

// Choices implements sparse.Environment.
func (c *coin) Choices(s uint64, dst []int) []int {
	before := len(dst)
	for i := range c.n {
		if _, at := c.at(s, i); at != 3 {
			dst = append(dst, i)
		}
	}
	if len(dst) == before {
		return append(dst, c.n)
	}
	return dst
}

// Distribution implements sparse.Environment.
func (c *coin) Distribution(s uint64, choice int, dst []sparse.Outcome[uint64]) []sparse.Outcome[uint64] {
	var room [16]int
	i := c.Choices(s, room[:0])[choice]
	if i == c.n {
		return append(dst, sparse.Outcome[uint64]{State: s, Probability: 1})
	}
	own, at := c.at(s, i)
	counter := s >> c.counter
	rest := s &^ (7 << (3 * i))
	become := func(at, own uint64) uint64 { return rest | (at<<1|own)<<(3*i) }
	switch {
	case at == 0:
		return append(dst, sparse.Outcome[uint64]{State: become(1, 0), Probability: 0.5},
			sparse.Outcome[uint64]{State: become(1, 1), Probability: 0.5})
	case at == 1 && own == 0:
		rest -= 1 << c.counter
		return append(dst, sparse.Outcome[uint64]{State: become(2, 0), Probability: 1})
	case at == 1:
		rest += 1 << c.counter
		return append(dst, sparse.Outcome[uint64]{State: become(2, 0), Probability: 1})
	case counter <= c.left:
		return append(dst, sparse.Outcome[uint64]{State: become(3, 0), Probability: 1})
	case counter >= c.right:
		return append(dst, sparse.Outcome[uint64]{State: become(3, 1), Probability: 1})
	}
	return append(dst, sparse.Outcome[uint64]{State: become(0, 0), Probability: 1})
}
