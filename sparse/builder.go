package sparse

import (
	"fmt"
)

// Branch is one possible outcome of a choice.
type Branch struct {
	Target      uint32
	Probability float64
}

// Builder makes an MDP from states given in any order. The number of states is known from the
// start; the choices of a state come in the order in which they are added. Errors surface in
// Build. The zero value is not usable; see NewBuilder.
type Builder struct {
	states      int
	owner       []uint32 // state of each choice as added; nil while they come in order of state
	last        uint32   // state of the last choice
	choiceStart []uint32 // while in order: choices of the states up to last; else counts
	count       int      // choices added
	several     bool     // some choice has other than one branch
	branchEnd   []uint32 // then: end of each finished choice's branches
	target      []uint32
	probability FloatsBuilder
	actions     Actions
	initial     Bitset
	labels      []Label
	rewards     []Reward
	dense       []denseReward
	names       Names
	texts       []string
	err         error
}

type denseReward struct{ states, choices []float64 }

// NewBuilder returns a builder for a model of that many states, all of them terminal so far.
func NewBuilder(states int) *Builder {
	b := &Builder{states: states}
	switch {
	case states < 1:
		b.err = fmt.Errorf("the model is empty: it has no states")
	case uint64(states) >= None:
		b.err = fmt.Errorf("the model has %d states, more than the limit of %d", states, uint32(None-1))
	default:
		b.choiceStart = make([]uint32, states+1)
		b.initial = NewBitset(states)
	}
	return b
}

// Expect announces how many choices and branches will come, to save growing.
func (b *Builder) Expect(choices, branches int) {
	if b.err != nil || choices < 0 || branches < choices || uint64(branches) >= None {
		return
	}
	b.target = append(make([]uint32, 0, branches), b.target...)
	b.probability.Expect(branches)
	if branches > choices {
		b.branchEnd = append(make([]uint32, 0, choices), b.branchEnd...)
	}
	b.actions.Grow(choices)
}

// inside records an error unless the state exists.
func (b *Builder) inside(what string, state uint32) bool {
	if b.err == nil && uint64(state) >= uint64(b.states) {
		b.err = fmt.Errorf("%s: state #%d is out of range, the model has %d states", what, state, b.states)
	}
	return b.err == nil
}

// AddChoice adds a choice to a state and returns its number, counted from 0 over all choices as
// added. The action name may be empty. Probabilities are checked by Build.
func (b *Builder) AddChoice(state uint32, action string, branches ...Branch) int {
	b.StartChoice(state, action)
	for _, x := range branches {
		b.AddBranch(x.Target, x.Probability)
	}
	return b.count - 1
}

// StartChoice adds a choice without branches, for AddBranch to fill, and returns its number.
func (b *Builder) StartChoice(state uint32, action string) int {
	if !b.inside("choice", state) {
		return 0
	}
	if b.count+1 >= None {
		b.err = fmt.Errorf("the model has more than the limit of %d choices", uint32(None-1))
		return 0
	}
	b.endChoice()
	if b.owner == nil && state < b.last {
		b.disorder()
	}
	if b.owner != nil {
		b.owner = append(b.owner, state)
	}
	b.last = state
	b.choiceStart[state+1]++
	if action != "" && b.actions.Len() == 0 {
		unnamed := b.actions.Intern("")
		for range b.count {
			b.actions.Append(unnamed)
		}
	}
	if action != "" || b.actions.Len() > 0 {
		b.actions.Append(b.actions.Intern(action))
	}
	b.count++
	return b.count - 1
}

// endChoice closes the choice added last. Ends are kept from the first choice on that has other
// than one branch.
func (b *Builder) endChoice() {
	if b.count == 0 {
		return
	}
	if !b.several {
		if len(b.target) == b.count {
			return
		}
		b.several = true
		for i := range b.count - 1 {
			b.branchEnd = append(b.branchEnd, uint32(i+1))
		}
	}
	b.branchEnd = append(b.branchEnd, uint32(len(b.target)))
}

// disorder starts to keep the state of each choice, so that Build can sort them.
func (b *Builder) disorder() {
	b.owner = make([]uint32, 0, max(2*b.count, 16))
	for s := range b.states {
		for range b.choiceStart[s+1] {
			b.owner = append(b.owner, uint32(s))
		}
	}
}

// AddBranch adds a branch to the choice added last.
func (b *Builder) AddBranch(target uint32, probability float64) {
	if b.err != nil {
		return
	}
	if b.count == 0 {
		panic("sparse: Builder.AddBranch before any choice")
	}
	if len(b.target)+1 >= None {
		b.err = fmt.Errorf("the model has more than the limit of %d branches", uint32(None-1))
		return
	}
	b.target = append(b.target, target)
	b.probability.Append(probability)
}

// SetInitial marks a state as initial.
func (b *Builder) SetInitial(state uint32) {
	if b.inside("initial states", state) {
		b.initial.Set(state)
	}
}

// Label puts a state under a label; without states it only declares the label.
func (b *Builder) Label(name string, states ...uint32) {
	i := 0
	for i < len(b.labels) && b.labels[i].Name != name {
		i++
	}
	if i == len(b.labels) {
		b.labels = append(b.labels, Label{Name: name, States: NewBitset(max(b.states, 0))})
	}
	for _, s := range states {
		if b.inside("label "+name, s) {
			b.labels[i].States.Set(s)
		}
	}
}

// reward returns the position of a reward, adding it when it is new.
func (b *Builder) reward(name string) int {
	for i := range b.rewards {
		if b.rewards[i].Name == name {
			return i
		}
	}
	b.rewards = append(b.rewards, Reward{Name: name})
	b.dense = append(b.dense, denseReward{})
	return len(b.rewards) - 1
}

// DeclareReward makes sure that a reward of that name exists, all zero if nothing else is said.
func (b *Builder) DeclareReward(name string) { b.reward(name) }

// StateReward sets the reward of a state.
func (b *Builder) StateReward(name string, state uint32, value float64) {
	if !b.inside("reward "+name, state) {
		return
	}
	d := &b.dense[b.reward(name)]
	if d.states == nil {
		d.states = make([]float64, b.states)
	}
	d.states[state] = value
}

// ChoiceReward sets the reward of a choice, by the number that AddChoice returned.
func (b *Builder) ChoiceReward(name string, choice int, value float64) {
	if b.err != nil {
		return
	}
	if choice < 0 || choice >= b.count {
		panic("sparse: Builder.ChoiceReward of a choice not added")
	}
	d := &b.dense[b.reward(name)]
	for len(d.choices) <= choice {
		d.choices = append(d.choices, 0)
	}
	d.choices[choice] = value
}

// SetNames names all states at once.
func (b *Builder) SetNames(names Names) { b.names = names }

// Name names one state. States left unnamed get # and their index.
func (b *Builder) Name(state uint32, name string) {
	if !b.inside("name "+name, state) {
		return
	}
	if b.texts == nil {
		b.texts = make([]string, b.states)
	}
	b.texts[state] = name
}

// NumChoices returns the number of choices added so far.
func (b *Builder) NumChoices() int { return b.count }

// Build checks everything and returns the model; the builder must not be used afterwards.
// O(states + branches).
func (b *Builder) Build() (*MDP, error) {
	if b.err != nil {
		return nil, b.err
	}
	b.endChoice()
	for s := range b.states {
		b.choiceStart[s+1] += b.choiceStart[s]
	}
	p := Parts{
		ChoiceStart: b.choiceStart, Target: b.target, Probability: b.probability.Column(),
		Initial: b.initial, Labels: b.labels, Actions: b.actions, Names: b.names,
	}
	if b.several {
		p.BranchStart = append(b.branchEnd, 0)
		copy(p.BranchStart[1:], p.BranchStart)
		p.BranchStart[0] = 0
	}
	var order []uint32 // choice as added, for each choice of the model
	if b.owner != nil {
		order = b.sort(&p)
	}
	for i := range b.rewards {
		d := &b.dense[i]
		if d.states != nil {
			b.rewards[i].States = CompressFloats(d.states)
		}
		if d.choices != nil {
			d.choices = append(d.choices, make([]float64, b.count-len(d.choices))...)
			if order != nil {
				sorted := make([]float64, b.count)
				for to, from := range order {
					sorted[to] = d.choices[from]
				}
				d.choices = sorted
			}
			b.rewards[i].Choices = CompressFloats(d.choices)
		}
	}
	p.Rewards = b.rewards
	if b.texts != nil {
		texts := new(Texts)
		for s, name := range b.texts {
			if name == "" {
				name = fmt.Sprintf("#%d", s)
			}
			if err := texts.Append(name); err != nil {
				return nil, err
			}
		}
		p.Names = texts
	}
	return New(p)
}

// sort brings the choices, their branches and their actions into the order of their states.
func (b *Builder) sort(p *Parts) []uint32 {
	order := make([]uint32, b.count)
	next := append([]uint32(nil), p.ChoiceStart...)
	for c, s := range b.owner {
		order[next[s]] = uint32(c)
		next[s]++
	}
	target := make([]uint32, 0, len(p.Target))
	var probability FloatsBuilder
	probability.Expect(len(p.Target))
	var starts []uint32
	if p.BranchStart != nil {
		starts = append(make([]uint32, 0, b.count+1), 0)
	}
	actions := Actions{names: b.actions.names}
	for _, from := range order {
		lo, hi := from, from+1
		if p.BranchStart != nil {
			lo, hi = p.BranchStart[from], p.BranchStart[from+1]
		}
		for i := lo; i < hi; i++ {
			target = append(target, p.Target[i])
			probability.Append(p.Probability.At(i))
		}
		if starts != nil {
			starts = append(starts, uint32(len(target)))
		}
		if b.actions.Len() > 0 {
			actions.Append(b.actions.ID(from))
		}
	}
	p.Target, p.Probability, p.BranchStart, p.Actions = target, probability.Column(), starts, actions
	return order
}
