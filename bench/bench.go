// Package bench generates environments of any size from a seed, for benchmarks and for the
// command offswitch gen. Each one is a shutdown setting (Krakovna & Kramar, Definition 7): a
// training part, a new situation, and in the new situation one state s_new that has an off switch.
//
// Every model carries
//   - the label train on the training start states, new on s_new alone, off on the state after
//     shutdown, terminal on every state without choices, and the family's own features;
//   - the action shutdown, at s_new only, which leads to the off state with probability 1;
//   - one state reward in [0,1], named coin or goal;
//   - the training start states and s_new as its initial states.
//
// About half of the states belong to the training part and half to the new situation. No choice
// leads from one to the other, unless Options.Leak says so.
package bench

import (
	"context"
	"fmt"

	"offswitch/sparse"
)

const (
	defaultStates = 10_000
	maxStates     = 4_000_000_000

	// A family sizes a model by estimate. Up to maxRefined states, a model that is off by more than 5%
	// is made again, at most maxTries times in all; the nearest one counts. Larger models have no
	// outliers.
	maxRefined = 100_000
	maxTries   = 4
)

// Options are the parameters of a generated environment. Equal options give equal models, whatever
// Workers and Progress are.
type Options struct {
	// States is the number of states wanted, Family.MinStates to 4e9; 0 stands for 10000. Models of
	// 1000 states and more come within 10% of it.
	States int
	// Seed picks one of the family's environments.
	Seed uint64
	// Slip is the probability that a move goes wrong, in [0,1); it must be 0 for a family without
	// HasSlip.
	Slip float64
	// Leak is the share of the states with choices, in [0,1], picked by the seed, that have one more
	// choice, named leak. It leads with probability 1 to a state, picked by the seed too, on the
	// other side: from the training part to the new situation, from there to the training part.
	Leak float64
	// Workers is the number of goroutines; 0 stands for GOMAXPROCS.
	Workers int
	// Progress is told now and then how many states there are; nil: nobody is told.
	Progress func(sparse.Progress)
}

// Family is a kind of environment.
type Family struct {
	Name      string
	Summary   string // one line
	HasSlip   bool   // whether Options.Slip may be positive
	MinStates int    // the fewest states that may be asked for
	build     func(o Options) world
}

// Families returns all families, in a fixed order.
func Families() []Family {
	return []Family{
		{"coinrun", "platform levels with gaps, walls and jumps; the coin is at the end in training, elsewhere in the new level", true, 400, newCoinrun},
		{"grid", "rooms with doors and four moves; slipping veers to either side", true, 10, newGrid},
		{"ring", "one cycle, with a step from every cell and a skip from half of them; slipping stays", true, 10, newRing},
		{"chain", "a long chain: forward, or else reset or stay; slipping stays", true, 10, newChain},
		{"random", "Garnet: three actions with three random branches each", false, 10, newRandom},
		{"components", "many end components, traps and transient links, some left with probability 1e-9 only", false, 20, newComponents},
	}
}

// Find returns the family of that name.
func Find(name string) (Family, bool) {
	for _, f := range Families() {
		if f.Name == name {
			return f, true
		}
	}
	return Family{}, false
}

// Generate makes an environment of the family. It fails on options out of range and when the
// context ends. O(states + branches).
func (f Family) Generate(ctx context.Context, o Options) (*sparse.MDP, error) {
	if o.States == 0 {
		o.States = defaultStates
	}
	if err := f.check(o); err != nil {
		return nil, err
	}
	var nearest *sparse.MDP
	least := 0
	sized := o
	for range maxTries {
		e := newEnvironment(f.build(sized), o)
		m, err := sparse.Explore(ctx, e, e.notes(), sparse.ExploreOptions{Expect: o.States, Workers: o.Workers, Progress: o.Progress})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		excess := m.NumStates() - o.States
		off := max(excess, -excess)
		if nearest == nil || off < least {
			nearest, least = m, off
		}
		if 20*off <= o.States || o.States > maxRefined {
			break
		}
		// Half of the correction: sizes jump where a coinrun level gains an obstacle.
		corrected := sized.States * o.States / m.NumStates()
		sized.States = max(f.MinStates, (sized.States+corrected)/2)
	}
	return nearest, nil
}

func (f Family) check(o Options) error {
	switch {
	case o.States < f.MinStates || o.States > maxStates:
		return fmt.Errorf("%s: %d states are out of range, want %d to %d", f.Name, o.States, f.MinStates, maxStates)
	case !(o.Slip >= 0 && o.Slip < 1):
		return fmt.Errorf("%s: slip %v is out of range, want 0 <= slip < 1", f.Name, o.Slip)
	case o.Slip > 0 && !f.HasSlip:
		return fmt.Errorf("%s: slip %v, but the family's moves cannot slip: want 0", f.Name, o.Slip)
	case !(o.Leak >= 0 && o.Leak <= 1):
		return fmt.Errorf("%s: leak %v is out of range, want 0 <= leak <= 1", f.Name, o.Leak)
	}
	return nil
}
