package models

import (
	"fmt"

	"offswitch/sparse"
)

// philosophers are Lehmann & Rabin's (1981) randomised dining philosophers as PRISM's
// phil-nofairN.nm has them: no choice stays in its state, and who finds his first fork taken cannot
// move. A state has four bits for each philosopher, who is
//
//	0     thinking
//	1     about to draw which fork to take first
//	2, 3  waiting for the left or right fork
//	4, 5  holding it and about to try the other one
//	6, 7  about to put it down again
//	8, 9  holding both, 9 after eating
//	10    holding the right fork, 11 the left one, about to put it down
//
// Each choice is a move of one philosopher.
type philosophers struct{ n int }

// Philosophers returns the model for n at the table, 2 to 16: 956 states for 3, 9,440 for 4,
// 93,068 for 5, 917,424 for 6, 9,043,420 for 7. Its goal states are those in which some philosopher eats.
func Philosophers(n int) *sparse.MDP {
	p := &philosophers{n: n}
	return explore(p, func(s uint64) bool {
		for i := range n {
			if at := p.at(s, i); at == 8 || at == 9 {
				return true
			}
		}
		return false
	})
}

func philosophersOf(states int) *sparse.MDP {
	return Philosophers(3 + nearest([]int{956, 9_440, 93_068, 917_424, 9_043_420}, states))
}

// at returns where a philosopher is; i may be one beyond either end of the table.
func (p *philosophers) at(s uint64, i int) uint64 { return s >> (4 * ((i + p.n) % p.n)) & 15 }

// Start implements sparse.Environment: everyone is thinking.
func (p *philosophers) Start() []uint64 { return []uint64{0} }

// Actions implements sparse.Environment. Each philosopher has two, as he can put down either fork
// first.
func (p *philosophers) Actions() []string {
	var names []string
	for i := range p.n {
		names = append(names, fmt.Sprintf("phil%d", i+1), fmt.Sprintf("phil%d right first", i+1))
	}
	return names
}

// Choices implements sparse.Environment.
func (p *philosophers) Choices(s uint64, dst []int) []int {
	for i := range p.n {
		switch at := p.at(s, i); {
		case at == 2 && !p.leftFree(s, i), at == 3 && !p.rightFree(s, i):
		case at == 9:
			dst = append(dst, 2*i, 2*i+1)
		default:
			dst = append(dst, 2*i)
		}
	}
	return dst
}

// leftFree reports whether the fork to the left of a philosopher lies on the table.
func (p *philosophers) leftFree(s uint64, i int) bool {
	return 1<<p.at(s, i+1)&(1<<0|1<<1|1<<2|1<<3|1<<4|1<<6|1<<10) != 0
}

func (p *philosophers) rightFree(s uint64, i int) bool {
	return 1<<p.at(s, i-1)&(1<<0|1<<1|1<<2|1<<3|1<<5|1<<7|1<<11) != 0
}

// Distribution implements sparse.Environment.
func (p *philosophers) Distribution(s uint64, choice int, dst []sparse.Outcome[uint64]) []sparse.Outcome[uint64] {
	var room [32]int
	action := p.Choices(s, room[:0])[choice]
	i := action / 2
	become := func(to uint64, probability float64) {
		dst = append(dst, sparse.Outcome[uint64]{State: s&^(15<<(4*i)) | to<<(4*i), Probability: probability})
	}
	switch at := p.at(s, i); at {
	case 1:
		become(2, 0.5)
		become(3, 0.5)
	case 4:
		become(either(p.rightFree(s, i), 8, 6), 1)
	case 5:
		become(either(p.leftFree(s, i), 8, 7), 1)
	case 6, 7:
		become(1, 1)
	case 9:
		become(10+uint64(action%2), 1)
	default:
		become([...]uint64{0: 1, 2: 4, 3: 5, 8: 9, 10: 0, 11: 0}[at], 1)
	}
	return dst
}

func either(condition bool, yes, no uint64) uint64 {
	if condition {
		return yes
	}
	return no
}
