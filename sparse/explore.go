package sparse

import (
	"context"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync"
)

// Outcome is one possible outcome of a choice in an environment.
type Outcome[S comparable] struct {
	State       S
	Probability float64
}

// Environment generates a model state by state. S identifies a state; small fixed-size types
// (an integer, a struct of integers) are fastest. The methods are called from several goroutines
// at once, and must give the same answer each time.
type Environment[S comparable] interface {
	// Start returns the states that exploration starts from: the model's initial states.
	Start() []S
	// Actions returns the names of all actions.
	Actions() []string
	// Choices appends the actions available in a state, as positions in Actions, to dst. A state
	// for which it appends nothing is terminal.
	Choices(state S, dst []int) []int
	// Distribution appends the outcomes of a state's i-th choice to dst.
	Distribution(state S, i int, dst []Outcome[S]) []Outcome[S]
}

// Annotations says what else to note of each explored state.
type Annotations[S comparable] struct {
	Variables []Variable                        // names states by these variables; nil: states are unnamed
	Values    func(state S, dst []uint64)       // sets dst, len(Variables), to the stored form of the values
	Labels    []string                          // label names
	Holds     func(state S, label int) bool     // whether a state carries Labels[label]
	Rewards   []string                          // reward names
	Earns     func(state S, reward int) float64 // the state reward Rewards[reward]
}

// ExploreOptions are the limits of an exploration.
type ExploreOptions struct {
	MaxStates int            // fail beyond that many states; default and greatest: 2^32-2^26
	Workers   int            // goroutines; default GOMAXPROCS
	Progress  func(Progress) // told now and then; nil: nobody is told
}

// Progress is what long work reports on its way.
type Progress struct {
	Stage string  // what is being done
	Done  int     // how much of it is done: states, sweeps, targets
	Total int     // how much there is to do; 0: not known
	Error float64 // for numerical work: the current error bound
}

const (
	exploreBatch       = 1 << 15 // frontier states expanded between two rounds of numbering
	exploreParallelMin = 1 << 10 // less work than that is done by one goroutine
	exploreReport      = 1 << 16 // states between two reports of progress
	exploreMaxStates   = 1<<32 - 1<<26
)

// Explore makes an MDP of all states that the environment can reach from its start states.
// States are numbered breadth first in the order of choices and outcomes, whatever the number of
// workers. It takes O(states + branches) time and, while it runs, about
// sizeof(S) + 12 bytes a state beside the model. It fails when the context ends, when there are
// more than MaxStates states, and when New refuses the model.
func Explore[S comparable](ctx context.Context, env Environment[S], notes Annotations[S], o ExploreOptions) (*MDP, error) {
	e := &explorer[S]{env: env, seed: maphash.MakeSeed(), limit: o.MaxStates}
	if e.limit <= 0 || e.limit > exploreMaxStates {
		e.limit = exploreMaxStates
	}
	workers := o.Workers
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	e.parts = make([]explorePart[S], workers)
	for i := range e.parts {
		e.parts[i].slots = make([]exploreSlot, 1024)
	}
	for _, name := range env.Actions() {
		e.actions.Intern(name)
	}
	if e.actions.names == nil {
		return nil, fmt.Errorf("the environment has no actions")
	}
	if err := e.start(); err != nil {
		return nil, err
	}
	e.choiceStart = append(e.choiceStart, 0)
	e.branchStart = append(e.branchStart, 0)
	for from, reported := 0, 0; from < len(e.states); {
		if err := ctx.Err(); err != nil {
			return nil, context.Cause(ctx)
		}
		to := min(from+exploreBatch, len(e.states))
		if err := e.expand(from, to); err != nil {
			return nil, err
		}
		from = to
		if o.Progress != nil && len(e.states)-reported >= exploreReport {
			reported = len(e.states)
			o.Progress(Progress{Stage: "exploring", Done: len(e.states)})
		}
	}
	return e.finish(notes)
}

// exploreSlot is one slot of a hash table over states: the state's index plus one, and the upper
// half of its hash, which also serves to rehash without touching the state. While a batch is
// numbered, index-1 at or beyond the number of states stands for a position in the batch.
type exploreSlot struct{ index, hash uint32 }

// explorePart is what one worker owns: a share of the frontier while expanding, and the states
// whose hash falls to it while numbering.
type explorePart[S comparable] struct {
	// expanding
	choices  []int
	outcomes []Outcome[S]
	counts   []uint32 // choices of each state
	actions  []uint32
	ends     []uint32 // branches of each choice
	states   []S      // target of each branch
	weights  []float64
	hashes   []uint64
	base     int // position of the first branch in the batch
	failed   any

	// numbering
	slots []exploreSlot
	used  int
	fresh []freshState
}

type freshState struct {
	slot uint32
	at   uint32 // position in the batch of its first occurrence
}

type explorer[S comparable] struct {
	env   Environment[S]
	seed  maphash.Seed
	limit int
	parts []explorePart[S]

	states      []S
	starts      int
	choiceStart []uint32
	branchStart []uint32
	target      []uint32
	probability FloatsBuilder
	actions     Actions

	resolved []uint32 // of the batch: target indices, provisional until numbered
	first    []bool   // of the batch: first occurrence of a new state
}

func (e *explorer[S]) hash(s S) uint64 { return maphash.Comparable(e.seed, s) }

// each runs f for every part, in parallel when there is enough work, in states or branches, to pay
// for it. A panic in f, which runs the environment's code, becomes a panic here.
func (e *explorer[S]) each(work int, f func(w int, p *explorePart[S])) {
	if len(e.parts) == 1 || work < exploreParallelMin {
		for w := range e.parts {
			f(w, &e.parts[w])
		}
		return
	}
	var wait sync.WaitGroup
	for w := range e.parts {
		wait.Go(func() {
			defer func() { e.parts[w].failed = recover() }()
			f(w, &e.parts[w])
		})
	}
	wait.Wait()
	for w := range e.parts {
		if e.parts[w].failed != nil {
			panic(e.parts[w].failed)
		}
	}
}

func (e *explorer[S]) start() error {
	p := &e.parts[0]
	p.reset()
	for _, s := range e.env.Start() {
		p.states = append(p.states, s)
		p.hashes = append(p.hashes, e.hash(s))
	}
	if len(p.states) == 0 {
		return fmt.Errorf("the environment has no start states")
	}
	err := e.number()
	e.starts = len(e.states)
	return err
}

func (p *explorePart[S]) reset() {
	p.counts, p.actions, p.ends = p.counts[:0], p.actions[:0], p.ends[:0]
	p.states, p.weights, p.hashes = p.states[:0], p.weights[:0], p.hashes[:0]
}

// expand generates the choices of states from..to-1 and numbers the states they lead to.
func (e *explorer[S]) expand(from, to int) error {
	workers := len(e.parts)
	e.each(to-from, func(w int, p *explorePart[S]) {
		p.reset()
		lo, hi := from+(to-from)*w/workers, from+(to-from)*(w+1)/workers
		for _, s := range e.states[lo:hi] {
			p.choices = e.env.Choices(s, p.choices[:0])
			p.counts = append(p.counts, uint32(len(p.choices)))
			for i, action := range p.choices {
				p.outcomes = e.env.Distribution(s, i, p.outcomes[:0])
				p.actions = append(p.actions, uint32(action))
				p.ends = append(p.ends, uint32(len(p.outcomes)))
				for _, o := range p.outcomes {
					p.states = append(p.states, o.State)
					p.weights = append(p.weights, o.Probability)
					p.hashes = append(p.hashes, e.hash(o.State))
				}
			}
		}
	})
	if err := e.number(); err != nil {
		return err
	}
	for i := range e.parts {
		p := &e.parts[i]
		if len(e.target)+len(p.states) >= None || len(e.branchStart)+len(p.ends) >= None {
			return fmt.Errorf("the environment has more than the limit of %d branches", uint32(None-1))
		}
		for _, n := range p.counts {
			e.choiceStart = append(e.choiceStart, e.choiceStart[len(e.choiceStart)-1]+n)
		}
		for _, id := range p.actions {
			if int(id) >= len(e.actions.names) {
				return fmt.Errorf("the environment uses action %d, but names only %d", id, len(e.actions.names))
			}
			e.actions.Append(id)
		}
		for _, n := range p.ends {
			e.branchStart = append(e.branchStart, e.branchStart[len(e.branchStart)-1]+n)
		}
		for _, w := range p.weights {
			e.probability.Append(w)
		}
		e.target = append(e.target, e.resolved[p.base:p.base+len(p.states)]...)
	}
	return nil
}

// number resolves the batch's targets to indices, giving new states the next free ones in order
// of first occurrence. Each part looks up the states whose hash falls to it.
func (e *explorer[S]) number() error {
	total := 0
	for i := range e.parts {
		e.parts[i].base = total
		total += len(e.parts[i].states)
	}
	if cap(e.resolved) < total {
		e.resolved = make([]uint32, total, total+total/2)
		e.first = make([]bool, total, total+total/2)
	}
	e.resolved, e.first = e.resolved[:total], e.first[:total]
	clear(e.first)
	known := len(e.states)
	if known+total >= None {
		return fmt.Errorf("one batch of the exploration has %d branches, too many beside %d states", total, known)
	}
	e.each(total, func(w int, p *explorePart[S]) { e.lookup(w, p, known) })
	for i := range e.parts {
		p := &e.parts[i]
		for j, s := range p.states {
			if at := p.base + j; e.first[at] {
				e.resolved[at] = uint32(len(e.states))
				e.states = append(e.states, s)
			}
		}
	}
	if len(e.states) > e.limit {
		return fmt.Errorf("the environment has more than %d states", e.limit)
	}
	e.each(total, func(w int, p *explorePart[S]) {
		for _, f := range p.fresh {
			p.slots[f.slot].index = e.resolved[f.at] + 1
		}
		for at := p.base; at < p.base+len(p.states); at++ {
			if r := e.resolved[at]; !e.first[at] && int(r) >= known {
				e.resolved[at] = e.resolved[int(r)-known]
			}
		}
	})
	return nil
}

// lookup resolves the occurrences that fall to worker w, and marks the first one of each new state.
func (e *explorer[S]) lookup(w int, p *explorePart[S], known int) {
	workers := uint64(len(e.parts))
	p.fresh = p.fresh[:0]
	for i := range e.parts {
		q := &e.parts[i]
		for j, h := range q.hashes {
			if h%workers != uint64(w) {
				continue
			}
			if 2*p.used >= len(p.slots) {
				p.grow()
			}
			at := q.base + j
			mask := uint32(len(p.slots) - 1)
			top := uint32(h >> 32)
			slot := top & mask
			for ; ; slot = (slot + 1) & mask {
				x := p.slots[slot]
				if x.index == 0 {
					p.slots[slot] = exploreSlot{index: uint32(known+at) + 1, hash: top}
					p.used++
					p.fresh = append(p.fresh, freshState{slot: slot, at: uint32(at)})
					e.first[at] = true
					break
				}
				if x.hash == top && e.stateAt(int(x.index-1), known) == q.states[j] {
					e.resolved[at] = x.index - 1
					break
				}
			}
		}
	}
}

// stateAt returns the state of an index that may be provisional.
func (e *explorer[S]) stateAt(index, known int) S {
	if index < known {
		return e.states[index]
	}
	at := index - known
	for i := len(e.parts) - 1; ; i-- {
		if p := &e.parts[i]; at >= p.base {
			return p.states[at-p.base]
		}
	}
}

// grow doubles the table. Slots of fresh states move, so their places are noted again.
func (p *explorePart[S]) grow() {
	old := p.slots
	p.slots = make([]exploreSlot, 2*len(old))
	mask := uint32(len(p.slots) - 1)
	moved := make(map[uint32]uint32, len(p.fresh))
	for _, f := range p.fresh {
		moved[old[f.slot].index] = 0
	}
	for _, x := range old {
		if x.index == 0 {
			continue
		}
		slot := x.hash & mask
		for p.slots[slot].index != 0 {
			slot = (slot + 1) & mask
		}
		p.slots[slot] = x
		if _, ok := moved[x.index]; ok {
			moved[x.index] = slot
		}
	}
	for i := range p.fresh {
		p.fresh[i].slot = moved[old[p.fresh[i].slot].index]
	}
}

func (e *explorer[S]) finish(notes Annotations[S]) (*MDP, error) {
	n := len(e.states)
	p := Parts{ChoiceStart: e.choiceStart, BranchStart: e.branchStart, Target: e.target, Probability: e.probability.Column(), Initial: NewBitset(n), Actions: e.actions}
	for s := range uint32(e.starts) {
		p.Initial.Set(s)
	}
	for i, name := range notes.Labels {
		b := NewBitset(n)
		for s, state := range e.states {
			if notes.Holds(state, i) {
				b.Set(uint32(s))
			}
		}
		p.Labels = append(p.Labels, Label{Name: name, States: b})
	}
	for i, name := range notes.Rewards {
		var column FloatsBuilder
		column.Expect(n)
		for _, state := range e.states {
			column.Append(notes.Earns(state, i))
		}
		p.Rewards = append(p.Rewards, Reward{Name: name, States: column.Column()})
	}
	if notes.Variables != nil {
		v, err := NewValuation(notes.Variables)
		if err != nil {
			return nil, err
		}
		v.Grow(n)
		stored := make([]uint64, len(notes.Variables))
		for _, state := range e.states {
			notes.Values(state, stored)
			v.Append(stored)
		}
		p.Names = v
	}
	return New(p)
}
