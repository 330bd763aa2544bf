package sparse

import (
	"cmp"
	"context"
	"math/bits"
	"runtime"
	"slices"
	"strconv"
	"sync"

	"offswitch/sparse/csr"
)

// What a sweep or a search costs depends on how near in memory the states are that it visits one
// after the other. BreadthFirst and CuthillMcKee propose orders of the states that bring neighbours
// together, and Relabel puts a model in such an order.

// BreadthFirst returns the states in the order of a breadth-first search along all branches, from
// the initial states and then, as long as states are left, from the first of those. A model made by
// Explore is in that order already. O(states + branches), on one core; it takes 4 bytes a state for
// the order and an eighth of a byte beside it.
func BreadthFirst(m *MDP) []uint32 {
	n := m.NumStates()
	q := visitQueue{order: make([]uint32, 0, n), seen: NewBitset(n)}
	for s := range m.initial.All() {
		q.visit([]uint32{s})
	}
	var rows csr.Batch
	left := 0 // no word of seen before this one lacks a state
	for head := 0; head < n; {
		if head == len(q.order) {
			for q.seen[left] == ^uint64(0) {
				left++
			}
			q.visit([]uint32{uint32(left*64 + bits.TrailingZeros64(^q.seen[left]))})
		}
		n := csr.Fetch(&rows, m.BranchesOf, m.target, q.order[head:])
		head += n
		for i := range n {
			q.visit(m.target[rows.From[i]:rows.To[i]])
		}
	}
	return q.order
}

// visitQueue is the states that a search has visited, in order and as a set.
type visitQueue struct {
	order []uint32
	seen  Bitset
}

// visit puts those states at the end of the queue that were never in it.
func (q *visitQueue) visit(states []uint32) {
	order, seen := q.order, q.seen
	for _, s := range states {
		if !seen.Has(s) {
			seen.Set(s)
			order = append(order, s)
		}
	}
	q.order = order
}

// CuthillMcKee returns the states in reverse Cuthill-McKee order (Cuthill & McKee 1969, George
// 1971), which keeps the two ends of every branch near each other: a breadth-first search along
// branches in either direction, each component from a state with the smallest degree, neighbours of
// small degree first; and all of that backwards. The degree counts the branches of a state, and the other
// states with a branch to it. O(states + branches·log(greatest degree)), on one core but for finding
// the states before each; beside the order it takes 12 bytes a state and 4 for each of these.
func CuthillMcKee(m *MDP) []uint32 {
	n := m.NumStates()
	start, before := m.predecessors(context.Background())
	degree := make([]uint32, n)
	for s := range degree {
		lo, hi := m.BranchesOf(uint32(s))
		degree[s] = hi - lo + start[s+1] - start[s]
	}
	row := func(s uint32) (from, to uint32) { return start[s], start[s+1] }
	q := visitQueue{order: make([]uint32, 0, n), seen: NewBitset(n)}
	var rows, back csr.Batch
	head := 0
	for _, s := range byDegree(degree) {
		if q.seen.Has(s) {
			continue
		}
		q.visit([]uint32{s})
		for head < len(q.order) {
			n := csr.Fetch(&rows, m.BranchesOf, m.target, q.order[head:])
			csr.Fetch(&back, row, before, q.order[head:])
			head += n
			for i := range n {
				end := len(q.order)
				q.visit(m.target[rows.From[i]:rows.To[i]])
				q.visit(before[back.From[i]:back.To[i]])
				sortByDegree(q.order[end:], degree)
			}
		}
	}
	slices.Reverse(q.order)
	return q.order
}

// sortByDegree sorts states by degree and leaves those of equal degree as they are.
func sortByDegree(states, degree []uint32) {
	if len(states) > 16 {
		slices.SortStableFunc(states, func(x, y uint32) int { return cmp.Compare(degree[x], degree[y]) })
		return
	}
	for i := 1; i < len(states); i++ {
		s := states[i]
		d, j := degree[s], i
		for ; j > 0 && degree[states[j-1]] > d; j-- {
			states[j] = states[j-1]
		}
		states[j] = s
	}
}

// byDegree returns the states, those with the smallest degree first; degrees beyond a thousand pass
// for equal.
func byDegree(degree []uint32) []uint32 {
	var next [1 << 10]uint32
	bucket := func(d uint32) uint32 { return min(d, uint32(len(next)-1)) }
	for _, d := range degree {
		next[bucket(d)]++
	}
	at := uint32(0)
	for i, count := range next {
		next[i] = at
		at += count
	}
	states := make([]uint32, len(degree))
	for s, d := range degree {
		i := bucket(d)
		states[next[i]] = uint32(s)
		next[i]++
	}
	return states
}

// Relabel returns the model with its states in another order: state i of the result is state
// order[i] of m. Everything moves along: choices and branches, in the order in which each state has
// them, labels, rewards, actions, initial states and names. A model without names goes on calling
// its states by the indices that they had at first, #17, and FindState takes those; see Original.
// Numbers elsewhere, in the arguments and results of functions and in Hash, are the new ones.
// Relabel panics unless order has each of the states once. O(states + branches), on all cores;
// the result is another model as large as m, with 4 bytes a state more.
func (m *MDP) Relabel(order []uint32) *MDP {
	n := m.NumStates()
	r := relabelling{from: m, order: order, position: inverse(n, order)}
	r.to = &MDP{
		choiceStart: make([]uint32, n+1), target: make([]uint32, len(m.target)),
		actions:   m.actions.room(),
		rowExcess: m.rowExcess, maxBranches: m.maxBranches, choiceStates: m.choiceStates,
	}
	r.to.choiceStart[n] = uint32(m.NumChoices())
	if m.branchStart != nil {
		r.to.branchStart = make([]uint32, len(m.branchStart))
		r.to.branchStart[len(m.branchStart)-1] = uint32(len(m.target))
		r.to.weights = m.weights.room(m.NumChoices(), len(m.target))
	}
	for _, x := range m.rewards {
		r.to.rewards = append(r.to.rewards, Reward{Name: x.Name, States: x.States.room(x.States.Len()), Choices: x.Choices.room(x.Choices.Len())})
	}
	r.to.initial = NewBitset(n)
	for _, l := range m.labels {
		r.to.labels = append(r.to.labels, Label{Name: l.Name, States: NewBitset(n)})
	}
	r.run()
	r.to.actions.seal()
	r.names()
	return r.to
}

// inverse returns the place of each state in an order.
func inverse(n int, order []uint32) []uint32 {
	if len(order) != n {
		panic("sparse: Relabel with an order of the wrong length")
	}
	position := make([]uint32, n)
	// Each goroutine writes its own stretch of position, which is faster than all writing everywhere.
	csr.Share(runtime.GOMAXPROCS(0), n, func(lo, hi int) {
		for i, s := range order {
			if int(s) >= lo && int(s) < hi {
				position[s] = uint32(i)
			}
		}
	})
	for i, s := range order {
		if int(s) >= n || position[s] != uint32(i) {
			panic("sparse: Relabel with an order that is not a permutation of the states")
		}
	}
	return position
}

// relabelling is the work of Relabel.
type relabelling struct {
	from, to        *MDP
	order, position []uint32
}

// run fills everything but the names.
func (r *relabelling) run() {
	type share struct{ lo, hi, choice, branch uint32 } // states of to, and their first choice and branch
	var shares []share
	var mutex sync.Mutex
	csr.Share(runtime.GOMAXPROCS(0), len(r.order), func(lo, hi int) {
		x := share{lo: uint32(lo), hi: uint32(hi)}
		for _, s := range r.order[lo:hi] {
			from, to := r.from.Choices(s)
			x.choice += to - from
			from, to = r.from.BranchesOf(s)
			x.branch += to - from
		}
		mutex.Lock()
		defer mutex.Unlock()
		shares = append(shares, x)
	})
	slices.SortFunc(shares, func(x, y share) int { return cmp.Compare(x.lo, y.lo) })
	choice, branch := uint32(0), uint32(0)
	var wait sync.WaitGroup
	for _, x := range shares {
		choices, branches := x.choice, x.branch
		x.choice, x.branch = choice, branch
		wait.Go(func() {
			r.rows(x.lo, x.hi, x.choice, x.branch)
			r.notes(x.lo, x.hi)
		})
		choice, branch = choice+choices, branch+branches
	}
	wait.Wait()
}

// rows fills the choices and branches of states lo to hi-1, of which the first are given.
func (r *relabelling) rows(lo, hi, choice, branch uint32) {
	m, to := r.from, r.to
	named := m.actions.Len() > 0
	var rows, choices csr.Batch
	for i := lo; i < hi; i++ {
		at := (i - lo) % csr.AtOnce
		if at == 0 {
			n := csr.Fetch(&rows, m.BranchesOf, m.target, r.order[i:hi])
			if w := m.weights.narrow; w != nil {
				csr.Fetch(&choices, m.Choices, w, r.order[i:i+uint32(n)])
			}
		}
		c, end := m.Choices(r.order[i])
		first, last := rows.From[at], rows.To[at]
		to.choiceStart[i] = choice
		for k, t := range m.target[first:last] {
			to.target[branch+uint32(k)] = r.position[t]
		}
		to.weights.take(m, c, end, choice, branch)
		for j := range m.rewards {
			if f := &m.rewards[j].Choices; f.Len() > 0 {
				to.rewards[j].Choices.copyFrom(choice, f, c, end)
			}
		}
		for ; c < end; c++ {
			if m.branchStart != nil {
				to.branchStart[choice] = branch + m.branchStart[c] - first
			}
			if named {
				to.actions.set(choice, m.actions.ID(c))
			}
			choice++
		}
		branch += last - first
	}
}

// notes fills the initial states, labels and rewards of states lo to hi-1; lo is a multiple of 64.
func (r *relabelling) notes(lo, hi uint32) {
	set := func(to, from Bitset) {
		for i := lo; i < hi; i++ {
			if from.Has(r.order[i]) {
				to.Set(i)
			}
		}
	}
	set(r.to.initial, r.from.initial)
	for j := range r.from.labels {
		set(r.to.labels[j].States, r.from.labels[j].States)
	}
	for j := range r.from.rewards {
		if f := &r.from.rewards[j].States; f.Len() > 0 {
			for i := lo; i < hi; i++ {
				s := r.order[i]
				r.to.rewards[j].States.copyFrom(i, f, s, s+1)
			}
		}
	}
}

// room returns a column of n entries, not set yet, for values that f has.
func (f *Floats) room(n int) Floats {
	to := Floats{length: n, table: f.table}
	if f.code != nil {
		to.code = make([]uint8, n)
	}
	if f.raw != nil {
		to.raw = make([]float64, n)
	}
	return to
}

// copyFrom sets the entries from at on, of a column made by f.room, to entries lo to hi-1 of f.
func (to *Floats) copyFrom(at uint32, f *Floats, lo, hi uint32) {
	switch {
	case f.raw != nil:
		copy(to.raw[at:], f.raw[lo:hi])
	case f.code != nil:
		copy(to.code[at:], f.code[lo:hi])
	}
}

// names gives the states their names. When they are back in their first order, nothing is left to tell.
func (r *relabelling) names() {
	m, to := r.from, r.to
	to.original = make([]uint32, len(r.order))
	same := true
	for i, s := range r.order {
		to.original[i] = m.Original(s)
		same = same && to.original[i] == uint32(i)
	}
	if same {
		to.original = nil
	}
	switch names := m.names.(type) {
	case nil, numbers:
		if to.original != nil {
			to.names = numbers(to.original)
		}
	case *Valuation:
		to.names = names.relabel(r.order)
	case *Texts:
		texts := &Texts{text: make([]byte, 0, len(names.text)), end: make([]uint32, 0, len(names.end))}
		for _, s := range r.order {
			texts.text = append(texts.text, names.At(s)...)
			texts.end = append(texts.end, uint32(len(texts.text)))
		}
		to.names = texts
	case *reordered:
		order := make([]uint32, len(r.order))
		for i, s := range r.order {
			order[i] = names.order[s]
		}
		to.names = &reordered{Names: names.Names, order: order}
	default:
		to.names = &reordered{Names: names, order: slices.Clone(r.order)}
	}
}

func (v *Valuation) relabel(order []uint32) *Valuation {
	to := *v
	to.data = make([]byte, len(order)*v.stride)
	csr.Share(runtime.GOMAXPROCS(0), len(order), func(lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(to.data[i*v.stride:(i+1)*v.stride], v.data[int(order[i])*v.stride:])
		}
	})
	return &to
}

// numbers names states by number, #17: what the states of a model without names are called after
// Relabel.
type numbers []uint32

func (x numbers) Len() int { return len(x) }

func (x numbers) AppendName(dst []byte, state uint32) []byte {
	return strconv.AppendUint(append(dst, '#'), uint64(x[state]), 10)
}

// reordered is names of a foreign kind after Relabel.
type reordered struct {
	Names
	order []uint32
}

func (x *reordered) AppendName(dst []byte, state uint32) []byte {
	return x.Names.AppendName(dst, x.order[state])
}
