// Package sparse holds Markov decision processes with millions of states in compressed rows, and
// the arithmetic over them: validation, Bellman backups, certified discounted solving.
//
// The words are those of the UMB format: a state has choices (its state-action pairs), a choice
// has branches (its transitions, each with a probability and a target state). A state without
// choices is terminal. The return of a state is that of Krakovna & Kramar (Notation):
// V(s) = θ(s) + γ·max over choices of Σ p·V(target), and V(s) = θ(s) where s is terminal. The
// discount γ is an argument of what uses it and never part of the model.
//
// Models come from New (finished arrays), a Builder (states in any order), Explore (a generated
// environment), or the readers in the packages below this one.
package sparse

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"strconv"
	"strings"
	"sync"
)

// None stands for "no state" and "no choice"; it is never the index of one.
const None = math.MaxUint32

// MDP is a Markov decision process in compressed rows, immutable once made. States, choices and
// branches are numbered from 0; the choices of a state and the branches of a choice are
// consecutive. An MDP is safe for concurrent use.
type MDP struct {
	choiceStart []uint32 // len states+1
	branchStart []uint32 // len choices+1; nil when every choice has exactly one branch, of probability 1
	target      []uint32 // len branches
	weights     weights

	initial Bitset
	labels  []Label
	rewards []Reward
	actions Actions
	names   Names

	original   []uint32 // what Original returns; nil when states were never relabelled
	places     []uint32 // the inverse of original, made when first needed
	placesOnce sync.Once

	maxBranches  int     // most branches of one choice
	rowExcess    float64 // at least |Σp - 1| for every choice, rounding included
	indexOnce    sync.Once
	index        *nameIndex
	choiceStates int // states with at least one choice
	hashOnce     sync.Once
	hash         [sha256.Size]byte
}

// Label is a named set of states.
type Label struct {
	Name   string
	States Bitset
}

// Reward is a named reward: one value for each state, and optionally one for each choice. An
// empty column is all zero.
type Reward struct {
	Name    string
	States  Floats
	Choices Floats
}

// Parts are the arrays of an MDP, for New. New takes them over; the caller must not touch them
// afterwards.
type Parts struct {
	ChoiceStart []uint32 // len states+1: choices of s are ChoiceStart[s]..ChoiceStart[s+1]-1
	BranchStart []uint32 // len choices+1, likewise; nil when every choice has exactly one branch
	Target      []uint32 // len branches
	Probability Floats   // len branches; empty: all 1. Stored once for all choices that share them, where that is smaller
	Initial     Bitset   // nil: none
	Labels      []Label
	Rewards     []Reward
	Actions     Actions // empty: unnamed
	Names       Names   // nil: states are called #0, #1, …
}

// New checks the parts and makes an MDP of them. The error names the first defect found: see
// RowTolerance for what a row may sum to. O(states + branches).
func New(p Parts) (*MDP, error) {
	m := &MDP{
		choiceStart: p.ChoiceStart, branchStart: p.BranchStart, target: p.Target,
		initial: p.Initial, labels: p.Labels, rewards: p.Rewards, actions: p.Actions, names: p.Names,
	}
	if p.Probability.Len() == 0 {
		p.Probability = ConstantFloats(len(m.target), 1)
	}
	if m.initial == nil && len(p.ChoiceStart) > 0 {
		m.initial = NewBitset(len(p.ChoiceStart) - 1)
	}
	if err := m.validate(&p.Probability); err != nil {
		return nil, err
	}
	m.choiceStart, m.branchStart, m.target = trim(m.choiceStart), trim(m.branchStart), trim(m.target)
	m.actions.seal()
	return m, nil
}

// NumStates returns the number of states.
func (m *MDP) NumStates() int { return len(m.choiceStart) - 1 }

// NumChoices returns the number of choices of all states together.
func (m *MDP) NumChoices() int { return int(m.choiceStart[len(m.choiceStart)-1]) }

// NumBranches returns the number of branches of all choices together.
func (m *MDP) NumBranches() int { return len(m.target) }

// Choices returns the range lo..hi-1 of the choices of a state; it is empty where the state is
// terminal.
func (m *MDP) Choices(state uint32) (lo, hi uint32) {
	return m.choiceStart[state], m.choiceStart[state+1]
}

// Branches returns the range lo..hi-1 of the branches of a choice; it is never empty.
func (m *MDP) Branches(choice uint32) (lo, hi uint32) {
	if m.branchStart == nil {
		return choice, choice + 1
	}
	return m.branchStart[choice], m.branchStart[choice+1]
}

// BranchesOf returns the range lo..hi-1 of the branches of all choices of a state.
func (m *MDP) BranchesOf(state uint32) (lo, hi uint32) {
	lo, hi = m.Choices(state)
	if m.branchStart == nil {
		return lo, hi
	}
	return m.branchStart[lo], m.branchStart[hi]
}

// Targets returns the targets of the branches of a choice. Callers must not modify them.
func (m *MDP) Targets(choice uint32) []uint32 {
	lo, hi := m.Branches(choice)
	return m.target[lo:hi]
}

// Successors returns the targets of all branches of all choices of a state, repetitions
// included. Callers must not modify them.
func (m *MDP) Successors(state uint32) []uint32 {
	lo, hi := m.BranchesOf(state)
	return m.target[lo:hi]
}

// Target returns the target of a branch.
func (m *MDP) Target(branch uint32) uint32 { return m.target[branch] }

// ChoiceStarts returns the array behind Choices, states+1 long. Callers must not modify it.
func (m *MDP) ChoiceStarts() []uint32 { return m.choiceStart }

// BranchStarts returns the array behind Branches, choices+1 long, or nil when every choice has
// exactly one branch, of probability 1. Callers must not modify it.
func (m *MDP) BranchStarts() []uint32 { return m.branchStart }

// AllTargets returns the targets of all branches. Callers must not modify them.
func (m *MDP) AllTargets() []uint32 { return m.target }

// Certain reports whether all branches of a choice lead to the same state.
func (m *MDP) Certain(choice uint32) bool {
	targets := m.Targets(choice)
	for _, t := range targets[1:] {
		if t != targets[0] {
			return false
		}
	}
	return true
}

// Terminal reports whether a state has no choices.
func (m *MDP) Terminal(state uint32) bool {
	return m.choiceStart[state] == m.choiceStart[state+1]
}

// NumTerminal returns the number of terminal states.
func (m *MDP) NumTerminal() int { return m.NumStates() - m.choiceStates }

// Deterministic reports whether every choice has exactly one branch, of probability 1.
func (m *MDP) Deterministic() bool { return m.branchStart == nil }

// ChoiceState returns the state that a choice belongs to. O(log states).
func (m *MDP) ChoiceState(choice uint32) uint32 { return owner(m.choiceStart, choice) }

// owner returns the last row that starts at or before an entry.
func owner(start []uint32, entry uint32) uint32 {
	lo, hi := 0, len(start)-2
	for lo < hi {
		mid := int(uint(lo+hi+1) >> 1)
		if start[mid] <= entry {
			lo = mid
		} else {
			hi = mid - 1
		}
	}
	return uint32(lo)
}

// Initial returns the initial states. Callers must not modify the set.
func (m *MDP) Initial() Bitset { return m.initial }

// Labels returns the labels in the model's order. Callers must not modify them.
func (m *MDP) Labels() []Label { return m.labels }

// Label returns the states that carry a label; ok is false when the model has no such label.
func (m *MDP) Label(name string) (states Bitset, ok bool) {
	for i := range m.labels {
		if m.labels[i].Name == name {
			return m.labels[i].States, true
		}
	}
	return nil, false
}

// Rewards returns the rewards in the model's order. Callers must not modify them.
func (m *MDP) Rewards() []Reward { return m.rewards }

// Reward returns the reward of that name, or nil.
func (m *MDP) Reward(name string) *Reward {
	for i := range m.rewards {
		if m.rewards[i].Name == name {
			return &m.rewards[i]
		}
	}
	return nil
}

// Actions returns the action names of the choices; its Len is 0 when choices are unnamed.
func (m *MDP) Actions() *Actions { return &m.actions }

// ActionName returns the name of a choice's action: its own, or # and its position among the
// choices of its state when it has none.
func (m *MDP) ActionName(choice uint32) string {
	if m.actions.Len() > 0 {
		if name := m.actions.names[m.actions.ID(choice)]; name != "" {
			return name
		}
	}
	return "#" + strconv.Itoa(int(choice-m.choiceStart[m.ChoiceState(choice)]))
}

// FindChoice returns the choice of a state whose action has that name, # and a position
// included; the first when several have it, None when none has.
func (m *MDP) FindChoice(state uint32, action string) uint32 {
	lo, hi := m.Choices(state)
	for c := lo; c < hi; c++ {
		if m.ActionName(c) == action {
			return c
		}
	}
	if digits, ok := strings.CutPrefix(action, "#"); ok {
		if i, err := strconv.ParseUint(digits, 10, 32); err == nil && i < uint64(hi-lo) {
			return lo + uint32(i)
		}
	}
	return None
}

// Names returns the state names, nil when the model has none and was not relabelled.
func (m *MDP) Names() Names { return m.names }

// Original returns the index that a state had before the model was first relabelled; that is its
// index where it never was.
func (m *MDP) Original(state uint32) uint32 {
	if m.original == nil {
		return state
	}
	return m.original[state]
}

// place returns the state whose Original is index.
func (m *MDP) place(index uint32) uint32 {
	if m.original == nil {
		return index
	}
	m.placesOnce.Do(func() { m.places = inverse(m.NumStates(), m.original) })
	return m.places[index]
}

// StateName returns the name of a state: its own, or # and its Original index when the model has none.
func (m *MDP) StateName(state uint32) string {
	if m.names == nil {
		return "#" + strconv.Itoa(int(state))
	}
	return string(m.names.AppendName(nil, state))
}

// FindState returns the state of that name. Without an exact match it takes # and an Original
// index, in a model without names also a bare index, and for variables their values alone, (0,3).
// The error says that there is none, or that there are several. The first call indexes the names,
// O(states).
func (m *MDP) FindState(name string) (uint32, error) {
	_, unnamed := m.names.(numbers)
	unnamed = unnamed || m.names == nil
	if !unnamed {
		text, wanted := m.names.AppendName, name
		if v, ok := m.names.(*Valuation); ok {
			text, wanted = v.appendShort, v.canonical(name)
		}
		m.indexOnce.Do(func() {
			if m.index == nil {
				m.index, _, _ = newNameIndex(m.NumStates(), text)
			}
		})
		first, second := m.index.find(wanted)
		if second != None {
			return None, fmt.Errorf("state name %q is not unique: states #%d and #%d have it", name, m.Original(first), m.Original(second))
		}
		if first != None {
			return first, nil
		}
	}
	digits, marked := strings.CutPrefix(name, "#")
	if marked || unnamed {
		if i, err := strconv.ParseUint(digits, 10, 32); err == nil {
			if i >= uint64(m.NumStates()) {
				return None, fmt.Errorf("state #%d is out of range: the model has %d states", i, m.NumStates())
			}
			return m.place(uint32(i)), nil
		}
	}
	return None, fmt.Errorf("no state is called %q", name)
}

// MaxBranches returns the most branches that any one choice has.
func (m *MDP) MaxBranches() int { return m.maxBranches }

// RowExcess returns an upper bound of |Σp - 1| over the branches of every choice, the
// probabilities taken as the real numbers that their float64 denote.
func (m *MDP) RowExcess() float64 { return m.rowExcess }

// Bytes returns the memory that the model's arrays take.
func (m *MDP) Bytes() int {
	n := 4*(cap(m.choiceStart)+cap(m.branchStart)+cap(m.target)+cap(m.original)) + m.weights.bytes() + 8*cap(m.initial) + m.actions.Bytes()
	for _, l := range m.labels {
		n += 8 * cap(l.States)
	}
	for _, r := range m.rewards {
		n += r.States.Bytes() + r.Choices.Bytes()
	}
	switch names := m.names.(type) {
	case *Texts:
		n += cap(names.text) + 4*cap(names.end)
	case *Valuation:
		n += cap(names.data)
	case *reordered:
		n += 4 * cap(names.order)
	}
	return n
}

// Hash returns the SHA-256 of the transition structure: the little-endian counts, choice starts,
// branch starts, targets and probabilities. Names, labels and rewards are not part of it. The first
// call takes O(states + branches), later ones nothing.
func (m *MDP) Hash() [sha256.Size]byte {
	m.hashOnce.Do(func() { m.hash = m.computeHash() })
	return m.hash
}

func (m *MDP) computeHash() [sha256.Size]byte {
	h := sha256.New()
	buf := make([]byte, 0, 1<<16)
	flush := func() {
		h.Write(buf)
		buf = buf[:0]
	}
	put := func(x uint64) {
		if len(buf)+8 > cap(buf) {
			flush()
		}
		buf = binary.LittleEndian.AppendUint64(buf, x)
	}
	put(uint64(m.NumStates()))
	put(uint64(m.NumChoices()))
	put(uint64(m.NumBranches()))
	for _, x := range m.choiceStart {
		put(uint64(x))
	}
	for c := range uint32(m.NumChoices()) {
		_, hi := m.Branches(c)
		put(uint64(hi))
	}
	for _, x := range m.target {
		put(uint64(x))
	}
	for c := range uint32(m.NumChoices()) {
		for _, p := range m.Probabilities(c) {
			put(math.Float64bits(p))
		}
	}
	flush()
	return [sha256.Size]byte(h.Sum(nil))
}

// WithoutChoices returns the model in which the given states are terminal: their choices are
// left out, everything else is as it was, and choices are renumbered. It shares what it can with
// m. O(states + branches).
func (m *MDP) WithoutChoices(terminal Bitset) *MDP {
	out := &MDP{
		initial: m.initial, labels: m.labels, names: m.names, original: m.original,
		rowExcess: m.rowExcess, maxBranches: m.maxBranches,
	}
	n := m.NumStates()
	out.choiceStart = make([]uint32, n+1)
	choices, branches := uint32(0), uint32(0)
	for s := range uint32(n) {
		out.choiceStart[s] = choices
		if terminal.Has(s) || m.Terminal(s) {
			continue
		}
		lo, hi := m.Choices(s)
		choices += hi - lo
		lo, hi = m.BranchesOf(s)
		branches += hi - lo
		out.choiceStates++
	}
	out.choiceStart[n] = choices
	if m.branchStart != nil {
		out.branchStart = append(make([]uint32, 0, choices+1), 0)
	}
	out.target = make([]uint32, 0, branches)
	sure := true
	if m.branchStart != nil {
		out.weights = m.weights.room(int(choices), int(branches))
	}
	var actions Actions
	actions.names = m.actions.names
	named := m.actions.Len() > 0
	if named {
		actions.Grow(int(choices))
	}
	columns := make([]FloatsBuilder, len(m.rewards))
	for s := range uint32(n) {
		if terminal.Has(s) {
			continue
		}
		lo, hi := m.Choices(s)
		out.weights.take(m, lo, hi, out.choiceStart[s], uint32(len(out.target)))
		for c := lo; c < hi; c++ {
			from, to := m.Branches(c)
			sure = sure && sameBits(m.Probabilities(c), certain)
			out.target = append(out.target, m.target[from:to]...)
			if out.branchStart != nil {
				out.branchStart = append(out.branchStart, uint32(len(out.target)))
			}
			if named {
				actions.Append(m.actions.ID(c))
			}
			for i := range m.rewards {
				if m.rewards[i].Choices.Len() > 0 {
					columns[i].Append(m.rewards[i].Choices.At(c))
				}
			}
		}
	}
	if sure {
		out.branchStart, out.weights = nil, weights{}
	}
	out.actions = actions
	out.actions.seal()
	for i, r := range m.rewards {
		out.rewards = append(out.rewards, Reward{Name: r.Name, States: r.States, Choices: columns[i].Column()})
	}
	return out
}
