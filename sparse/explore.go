package sparse

import (
	"context"
	"fmt"
	"hash/maphash"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"unsafe"

	"offswitch/sparse/csr"
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

// Annotations says what else to note of each explored state. The functions are called from several
// goroutines at once.
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
	Expect    int            // how many states there will be, more or less; saves growing; 0: not known
	Workers   int            // goroutines; default GOMAXPROCS
	Progress  func(Progress) // told now and then; nil: nobody is told
}

// Progress is what long work reports on its way.
type Progress struct {
	Stage string  // what is being done
	Done  int     // how much of it is done: states, sweeps, targets
	Total int     // how much there is to do; 0: not known
	Error float64 // for numerical work: the current error bound
	Known string  // what is known by now, in words; may be empty
}

const (
	exploreBatch       = 1 << 15 // frontier states expanded between two rounds of numbering
	exploreParallelMin = 1 << 10 // less work than that is done by one goroutine
	exploreReport      = 1 << 16 // states between two reports of progress
	exploreProbes      = 64      // states looked up at once
	recentSlots        = 1 << 12 // targets remembered while a part is expanded
	exploreMaxStates   = 1<<32 - 1<<26
)

// Explore makes an MDP of all states that the environment can reach from its start states.
// States are numbered breadth first in the order of choices and outcomes, whatever the number of
// workers. It takes O(states + branches) time and, while it runs, about
// sizeof(S) + 16 to 32 bytes a state beside the model. It fails when the context ends, when there are
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
	e.expected = max(0, min(o.Expect, e.limit))
	e.states = make([]S, 0, e.expected+e.expected/64)
	e.parts = make([]explorePart[S], workers)
	for i := range e.parts {
		e.parts[i].wanted = make([][]occurrence, workers)
		slots := 2 * exploreProbes
		for slots < 2*e.expected/workers {
			slots *= 2
		}
		e.parts[i].slots = make([]exploreSlot, slots)
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

// exploreSlot is one slot of a hash table over states: the state's index plus one, and the lower
// half of its hash, which also serves to rehash without touching the state. While a batch is
// numbered, index-1 at or beyond the number of states stands for a position in the batch.
type exploreSlot struct{ index, hash uint32 }

// slotStep is how far a probe goes from one slot to the next: into the next cache line, because
// integers that differ in the last three bits share one, see hashInteger, and should not get into
// each other's way. It is odd, so that a probe gets everywhere.
const slotStep = 9

// explorePart is what one worker owns: a share of the frontier while expanding, and the states
// whose hash falls to it while numbering.
type explorePart[S comparable] struct {
	// expanding
	choices  []int
	outcomes []Outcome[S]
	counts   []uint32 // choices of each state
	actions  []uint32
	ends     []uint32 // branches of each choice
	several  bool     // some choice has other than one branch
	states   []S      // target of each branch
	weights  []float64
	hashes   []uint64
	same     []uint32            // an earlier branch of the part with the same target, or the branch itself
	recent   [recentSlots]uint32 // by hash: some branch with that target, of this batch or of an earlier one
	wanted   [][]occurrence      // for each worker, the targets that it is to look up
	base     int                 // position of the first branch in the batch
	failed   any

	// numbering
	slots []exploreSlot
	used  int
	fresh []occurrence
	near  [exploreProbes]S
}

// occurrence is a branch whose target is to be looked up, or was found to be new.
type occurrence struct {
	slot uint32
	hash uint32
	at   uint32 // position in the part while looked up, in the batch when new
}

type explorer[S comparable] struct {
	env             Environment[S]
	seed            maphash.Seed
	limit, expected int
	parts           []explorePart[S]

	states      []S
	starts      int
	choices     uint32 // so far
	branches    uint32
	several     bool            // some choice has other than one branch
	choiceStart growing[uint32] // of states 1, 2, …
	branchStart growing[uint32] // of choices 1, 2, …; empty while no choice has several branches
	target      growing[uint32]
	probability FloatsBuilder
	actions     Actions

	resolved []uint32 // of the batch: target indices, provisional until numbered
	first    []bool   // of the batch: first occurrence of a new state
}

// hash appends the hashes of states to dst.
func (e *explorer[S]) hash(states []S, dst []uint64) []uint64 {
	if len(states) == 0 {
		return dst
	}
	switch first := unsafe.Pointer(&states[0]); reflect.TypeFor[S]().Kind() {
	case reflect.Uint64, reflect.Int64:
		for _, x := range unsafe.Slice((*uint64)(first), len(states)) {
			dst = append(dst, hashInteger(x))
		}
	case reflect.Uint32, reflect.Int32:
		for _, x := range unsafe.Slice((*uint32)(first), len(states)) {
			dst = append(dst, hashInteger(uint64(x)))
		}
	default:
		for _, s := range states {
			dst = append(dst, maphash.Comparable(e.seed, s))
		}
	}
	return dst
}

// hashInteger is a hash of integers. Numbers that differ in the last three bits only have hashes that
// do so too: near states are often near numbers, and so are found in the same cache line.
func hashInteger(x uint64) uint64 {
	h := x >> 3 * 0x9e3779b97f4a7c15
	h = (h ^ h>>32) * 0xd6e8feb86659fd93
	return h ^ h>>32 ^ x&7
}

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
	p.states = append(p.states, e.env.Start()...)
	e.sift(p)
	if len(p.states) == 0 {
		return fmt.Errorf("the environment has no start states")
	}
	err := e.number()
	e.starts = len(e.states)
	return err
}

func (p *explorePart[S]) reset() {
	p.counts, p.actions, p.ends, p.several = p.counts[:0], p.actions[:0], p.ends[:0], false
	p.states, p.weights = p.states[:0], p.weights[:0]
}

// sift tells the targets of a part that stand there shortly before, as most do where branches lead
// to neighbours, from those to be looked up, and shares these out to the workers by hash.
func (e *explorer[S]) sift(p *explorePart[S]) {
	p.hashes = e.hash(p.states, p.hashes[:0])
	p.same = slices.Grow(p.same[:0], len(p.states))[:len(p.states)]
	for w := range p.wanted {
		p.wanted[w] = p.wanted[w][:0]
	}
	workers := uint64(len(p.wanted))
	for j, h := range p.hashes {
		recent := &p.recent[h%recentSlots]
		if at := *recent; int(at) < j && p.states[at] == p.states[j] {
			p.same[j] = at
			continue
		}
		*recent, p.same[j] = uint32(j), uint32(j)
		list := &p.wanted[h>>32*workers>>32]
		*list = append(*list, occurrence{hash: uint32(h), at: uint32(j)})
	}
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
				p.several = p.several || len(p.outcomes) != 1
				for i := range p.outcomes {
					p.states = append(p.states, p.outcomes[i].State)
					p.weights = append(p.weights, p.outcomes[i].Probability)
				}
			}
		}
		e.sift(p)
	})
	if err := e.number(); err != nil {
		return err
	}
	if from == 0 {
		e.reserve(to)
	}
	var wait sync.WaitGroup
	weights := func() {
		for i := range e.parts {
			for _, w := range e.parts[i].weights {
				e.probability.Append(w)
			}
		}
	}
	if len(e.parts) == 1 || len(e.resolved) < exploreParallelMin {
		weights()
	} else {
		wait.Go(weights)
	}
	defer wait.Wait()
	for i := range e.parts {
		if err := e.take(&e.parts[i]); err != nil {
			return err
		}
	}
	return nil
}

// reserve makes room for the expected number of states, from what the first ones are like. What is
// never touched takes no memory, and New gives it back.
func (e *explorer[S]) reserve(first int) {
	choices, branches := 0, 0
	for i := range e.parts {
		choices, branches = choices+len(e.parts[i].ends), branches+len(e.parts[i].states)
	}
	times := float64(e.expected) / float64(first) * 1.02
	e.actions.Grow(int(min(float64(choices)*times, None)))
	e.probability.Expect(int(min(float64(branches)*times, None)))
}

// take adds what a part generated to the model, but for the probabilities.
func (e *explorer[S]) take(p *explorePart[S]) error {
	if int(e.branches)+len(p.states) >= None || int(e.choices)+len(p.ends) >= None {
		return fmt.Errorf("the environment has more than the limit of %d branches", uint32(None-1))
	}
	if p.several && !e.several {
		e.several = true
		for c := range e.choices {
			e.branchStart.add([]uint32{c + 1})
		}
	}
	e.choices = accumulate(p.counts, e.choices)
	e.choiceStart.add(p.counts)
	for _, id := range p.actions {
		if int(id) >= len(e.actions.names) {
			return fmt.Errorf("the environment uses action %d, but names only %d", id, len(e.actions.names))
		}
		e.actions.Append(id)
	}
	if e.several {
		accumulate(p.ends, e.branches)
		e.branchStart.add(p.ends)
	}
	e.target.add(e.resolved[p.base : p.base+len(p.states)])
	e.branches += uint32(len(p.states))
	return nil
}

// accumulate makes counts the sums of sum and the counts so far, and returns the last.
func accumulate(counts []uint32, sum uint32) uint32 {
	for i, n := range counts {
		sum += n
		counts[i] = sum
	}
	return sum
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
	fresh := 0
	for i := range e.parts {
		fresh += len(e.parts[i].fresh)
	}
	if known+fresh > e.limit {
		return fmt.Errorf("the environment has more than %d states", e.limit)
	}
	if cap(e.states) < known+fresh {
		e.states = append(make([]S, 0, max(2*known, known+fresh)), e.states...)
	}
	for i := range e.parts {
		p := &e.parts[i]
		for j, first := range e.first[p.base : p.base+len(p.states)] {
			if first {
				e.resolved[p.base+j] = uint32(len(e.states))
				e.states = append(e.states, p.states[j])
			}
		}
	}
	e.each(total, func(w int, p *explorePart[S]) {
		for _, f := range p.fresh {
			p.slots[f.slot].index = e.resolved[f.at] + 1
		}
		resolved, first := e.resolved[p.base:], e.first[p.base:]
		for j, same := range p.same {
			if int(same) < j {
				resolved[j] = resolved[same]
			} else if r := resolved[j]; !first[j] && int(r) >= known {
				resolved[j] = e.resolved[int(r)-known]
			}
		}
	})
	return nil
}

// lookup resolves the occurrences that fall to worker w, and marks the first one of each new state.
func (e *explorer[S]) lookup(w int, p *explorePart[S], known int) {
	p.fresh = p.fresh[:0]
	for i := range e.parts {
		q := &e.parts[i]
		for wanted := q.wanted[w]; len(wanted) > 0; {
			n := min(len(wanted), exploreProbes)
			e.probe(p, q, wanted[:n], known)
			wanted = wanted[n:]
		}
	}
}

// probe looks up targets of part q. Before it does so one by one, it touches what it will need:
// loads that do not wait for each other overlap.
func (e *explorer[S]) probe(p, q *explorePart[S], wanted []occurrence, known int) {
	for 2*(p.used+len(wanted)) > len(p.slots) {
		p.grow(known)
	}
	slots, mask := p.slots, uint32(len(p.slots)-1)
	for i := range wanted {
		x := &wanted[i]
		x.slot = slots[x.hash&mask].index
	}
	for i := range wanted {
		if index := wanted[i].slot; index != 0 && int(index) <= known {
			p.near[i] = e.states[index-1]
		}
	}
	for _, x := range wanted {
		state, at := q.states[x.at], uint32(q.base)+x.at
		for slot := x.hash & mask; ; slot = (slot + slotStep) & mask {
			y := slots[slot]
			if y.index == 0 {
				slots[slot] = exploreSlot{index: uint32(known) + at + 1, hash: x.hash}
				p.used++
				p.fresh = append(p.fresh, occurrence{slot: slot, hash: x.hash, at: at})
				e.first[at] = true
				break
			}
			if y.hash == x.hash && e.stateAt(int(y.index-1), known) == state {
				e.resolved[at] = y.index - 1
				break
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
func (p *explorePart[S]) grow(known int) {
	old := p.slots
	p.slots = make([]exploreSlot, 2*len(old))
	mask := uint32(len(p.slots) - 1)
	for _, x := range old {
		if x.index == 0 {
			continue
		}
		slot := x.hash & mask
		for p.slots[slot].index != 0 {
			slot = (slot + slotStep) & mask
		}
		p.slots[slot] = x
	}
	for i := range p.fresh {
		f := &p.fresh[i]
		for f.slot = f.hash & mask; p.slots[f.slot].index != uint32(known)+f.at+1; {
			f.slot = (f.slot + slotStep) & mask
		}
	}
}

// finish joins the parts of the model and notes what there is to note.
func (e *explorer[S]) finish(notes Annotations[S]) (*MDP, error) {
	n, workers := len(e.states), len(e.parts)
	e.parts, e.resolved, e.first = nil, nil, nil
	p := Parts{Probability: e.probability.Column(), Initial: NewBitset(n), Actions: e.actions}
	p.Target = e.target.join(0)
	p.ChoiceStart = e.choiceStart.join(1)
	if e.several {
		p.BranchStart = e.branchStart.join(1)
	}
	for s := range uint32(e.starts) {
		p.Initial.Set(s)
	}
	for i, name := range notes.Labels {
		b := NewBitset(n)
		csr.Share(workers, n, func(lo, hi int) {
			for s := lo; s < hi; s++ {
				if notes.Holds(e.states[s], i) {
					b.Set(uint32(s))
				}
			}
		})
		p.Labels = append(p.Labels, Label{Name: name, States: b})
	}
	for i, name := range notes.Rewards {
		p.Rewards = append(p.Rewards, Reward{Name: name, States: e.rewards(workers, notes, i)})
	}
	if notes.Variables != nil {
		v, err := NewValuation(notes.Variables)
		if err != nil {
			return nil, err
		}
		v.fill(workers, n, func(s int, dst []uint64) { notes.Values(e.states[s], dst) })
		p.Names = v
	}
	e.states = nil
	return New(p)
}

// rewards returns the column of a reward.
func (e *explorer[S]) rewards(workers int, notes Annotations[S], reward int) Floats {
	var column FloatsBuilder
	column.Expect(len(e.states))
	values := make([]float64, min(len(e.states), exploreReport))
	for from := 0; from < len(e.states); from += len(values) {
		states := e.states[from:min(from+len(values), len(e.states))]
		csr.Share(workers, len(states), func(lo, hi int) {
			for i := lo; i < hi; i++ {
				values[i] = notes.Earns(states[i], reward)
			}
		})
		for _, v := range values[:len(states)] {
			column.Append(v)
		}
	}
	return column.Column()
}

// growing is a column that grows without moving much of what is in it.
type growing[T any] struct {
	full [][]T // each fullLength long
	last []T
}

const fullLength = 1 << 17

// add adds entries at the end.
func (g *growing[T]) add(x []T) {
	for len(g.last)+len(x) >= fullLength {
		n := fullLength - len(g.last)
		g.full = append(g.full, append(g.last, x[:n]...))
		g.last, x = make([]T, 0, fullLength), x[n:]
	}
	g.last = append(g.last, x...)
}

// join returns the column in one piece, behind that many zeros.
func (g *growing[T]) join(zeros int) []T {
	joined := make([]T, zeros+len(g.full)*fullLength+len(g.last))
	out := joined[zeros:]
	csr.Share(runtime.GOMAXPROCS(0), len(g.full)*fullLength, func(lo, hi int) {
		for lo < hi {
			lo += copy(out[lo:hi], g.full[lo/fullLength][lo%fullLength:])
		}
	})
	copy(out[len(g.full)*fullLength:], g.last)
	*g = growing[T]{}
	return joined
}
