package offswitch

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"

	"offswitch/lp"
	"offswitch/recurrence"
	"offswitch/sparse"
)

// Pair is a state and the choice that was taken there in training.
type Pair struct {
	State, Choice uint32
}

// ReadStates reads CSV of two fields a line, the first a state's name, and hands each line's state
// and second field on. A byte order mark and a first line that begins with the field "state" are
// skipped. The error names the line.
func ReadStates(r io.Reader, m *sparse.MDP, second string, each func(state uint32, text string) error) error {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(3); err == nil && string(mark) == "\ufeff" {
		buffered.Discard(3)
	}
	lines := csv.NewReader(buffered)
	lines.FieldsPerRecord = -1
	lines.TrimLeadingSpace = true
	lines.ReuseRecord = true
	for first := true; ; first = false {
		record, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err // names the line
		}
		line, _ := lines.FieldPos(0)
		if len(record) != 2 {
			return fmt.Errorf("line %d: %d fields, want a state and %s; names with commas must be quoted", line, len(record), second)
		}
		if first && record[0] == "state" {
			continue
		}
		state, err := m.FindState(strings.TrimSpace(record[0]))
		if err == nil {
			err = each(state, strings.TrimSpace(record[1]))
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", line, err)
		}
	}
}

// ReadPairs reads (state, action) pairs as ReadStates does: a state name and an action name a line.
func ReadPairs(r io.Reader, m *sparse.MDP) ([]Pair, error) {
	var pairs []Pair
	taken := make(map[uint32]uint32)
	err := ReadStates(r, m, "an action", func(state uint32, action string) error {
		choice, err := findChoice(m, state, action)
		if err != nil {
			return err
		}
		other, ok := taken[state]
		if ok && other != choice {
			return fmt.Errorf("state %s takes %q here, but %q before", m.StateName(state), action, m.ActionName(other))
		}
		if !ok {
			taken[state] = choice
			pairs = append(pairs, Pair{State: state, Choice: choice})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(pairs) == 0 {
		return nil, fmt.Errorf("no pairs, want lines of a state and an action")
	}
	return pairs, nil
}

// findChoice returns the choice of a state that has an action, which must be one.
func findChoice(m *sparse.MDP, state uint32, action string) (uint32, error) {
	choice := m.FindChoice(state, action)
	if choice == sparse.None {
		return choice, fmt.Errorf("state %s has no action %q (its actions: %s)", m.StateName(state), action, actionNames(m, state))
	}
	lo, hi := m.Choices(state)
	for c := choice + 1; c < hi; c++ {
		if m.ActionName(c) == action {
			return choice, fmt.Errorf("state %s has several choices with action %q, want the position of one, such as #%d or #%d", m.StateName(state), action, choice-lo, c-lo)
		}
	}
	return choice, nil
}

func actionNames(m *sparse.MDP, s uint32) string {
	var names []string
	lo, hi := m.Choices(s)
	for c := lo; c < hi; c++ {
		names = append(names, m.ActionName(c))
	}
	return listed(names)
}

// Training is what was seen in training: S_train and the policy there (Definitions 5 and 6).
type Training struct {
	Source  string             // where the policy comes from: "reward NAME" or the name of the pairs
	Reward  *sparse.Reward     // the training reward; nil when pairs were given
	Start   []uint32           // training start states
	Policy  []uint32           // the choice taken in each state of S_train, sparse.None elsewhere and where terminal
	Visited *recurrence.Search // S_train: what the policy visits from the start states, its frontier left out
	// Frontier are states that the policy leads to but says nothing about; S_train is closed when
	// there are none. Only then is the goal set exact (DESIGN, section 2).
	Frontier []uint32
	// Partial is set when the context ended before the policy was known; no state is visited then.
	Partial bool
}

// Closed reports whether the policy is known to stay in S_train.
func (t *Training) Closed() bool { return !t.Partial && len(t.Frontier) == 0 }

// Train finds the training states and the policy there: from the pairs given, or as an optimal
// policy for the training reward, ties resolved to the first optimal choice. Errors are names that
// the model does not know, a reward that is not told, a discount out of range, and a policy that says
// nothing about the start states. When the context ends
// first, the result is Partial. It costs one discounted solve unless pairs are given.
func Train(ctx context.Context, q Question) (*Training, error) {
	t, err := untrained(q)
	if err != nil {
		return nil, err
	}
	m := q.Model
	var policy []uint32
	if t.Reward == nil {
		policy = make([]uint32, m.NumStates())
		for s := range policy {
			policy[s] = sparse.None
		}
		for _, p := range q.Policy {
			policy[p.State] = p.Choice
		}
	} else {
		if policy, err = optimal(ctx, q, t); err != nil {
			return nil, err
		}
		if ctx.Err() != nil {
			return t, nil
		}
	}
	visited := new(recurrence.Search).Within(ctx).Visited(m, policy, t.Start...)
	if ctx.Err() != nil {
		return t, nil
	}
	t.Partial = false
	t.Visited.Distance = visited.Distance
	for _, s := range visited.Order {
		if policy[s] == sparse.None && !m.Terminal(s) {
			t.Frontier = append(t.Frontier, s)
			visited.Distance[s] = recurrence.None
			continue
		}
		t.Policy[s] = policy[s]
		t.Visited.Reached.Set(s)
		t.Visited.Order = append(t.Visited.Order, s)
	}
	if len(t.Visited.Order) == 0 {
		return nil, fmt.Errorf("the policy says nothing about any state that training starts from, such as %s", m.StateName(t.Start[0]))
	}
	return t, nil
}

// untrained finds what training starts from and where its policy is to come from. The result is
// Partial.
func untrained(q Question) (*Training, error) {
	n := q.Model.NumStates()
	t := &Training{Partial: true, Policy: make([]uint32, n), Visited: &recurrence.Search{Reached: sparse.NewBitset(n)}}
	for s := range t.Policy {
		t.Policy[s] = sparse.None
	}
	var err error
	if q.Policy != nil {
		t.Source = orDefault(q.Source, "policy")
		t.Start, err = pairStart(q)
		return t, err
	}
	if t.Start, err = Places(q.Model, "training start", orDefault(q.Train, DefaultTrain)); err != nil {
		return nil, err
	}
	if t.Reward, err = trainingReward(q.Model, q.Reward); err != nil {
		return nil, err
	}
	t.Source = "reward " + t.Reward.Name
	return t, nil
}

// pairStart returns the training start states when pairs are given: the label or state asked for,
// or the default label if the model has it, or else every state of a pair.
func pairStart(q Question) ([]uint32, error) {
	if _, ok := q.Model.Label(DefaultTrain); ok || q.Train != "" {
		return Places(q.Model, "training start", orDefault(q.Train, DefaultTrain))
	}
	var start []uint32
	for _, p := range q.Policy {
		start = append(start, p.State)
	}
	return start, nil
}

func trainingReward(m *sparse.MDP, name string) (*sparse.Reward, error) {
	var names []string
	for _, r := range m.Rewards() {
		names = append(names, r.Name)
	}
	switch {
	case name != "":
		if r := m.Reward(name); r != nil {
			return r, nil
		}
		return nil, fmt.Errorf("the model has no reward %q (rewards: %s)", name, listed(names))
	case len(names) == 1:
		return &m.Rewards()[0], nil
	case len(names) == 0:
		return nil, fmt.Errorf("the model has no rewards, so training needs a policy of (state, action) pairs")
	}
	return nil, fmt.Errorf("the model has several rewards, name one of: %s", strings.Join(names, ", "))
}

// optimal solves for the training reward on the states that training can reach by any choices; the
// others get no policy. It is worthless when the context ends.
func optimal(ctx context.Context, q Question, t *Training) ([]uint32, error) {
	n := q.Model.NumStates()
	reach := new(recurrence.Search).Within(ctx).Forward(q.Model, t.Start...)
	if ctx.Err() != nil {
		return nil, nil
	}
	m := q.Model
	if len(reach.Order) < n {
		m = m.WithoutChoices(reach.Reached.Complement(n))
	}
	p := sparse.Problem{Discount: q.Discount, States: t.Reward.States.Dense(n), Workers: q.Workers, Progress: q.Progress}
	if choices := &m.Reward(t.Reward.Name).Choices; choices.Len() > 0 {
		p.Choices = choices.Dense(0)
	}
	solution, err := m.Solve(ctx, p)
	if err != nil {
		return nil, err
	}
	policy := solution.Policy
	for s := range uint32(n) {
		if policy[s] != sparse.None {
			here, _ := m.Choices(s)
			there, _ := q.Model.Choices(s)
			policy[s] += there - here
		}
	}
	return policy, nil
}

// GoalSet returns the training-compatible goal set (Definition 6) for package lp, with rewards in
// [0,1] and no margin. The training reward, where it is one of states alone, is its likely member.
func (t *Training) GoalSet(q Question) lp.GoalSet {
	g := lp.GoalSet{Model: q.Model, Discount: q.Discount, Train: t.Visited.Reached, Policy: t.Policy, Lower: 0, Upper: 1}
	if t.Reward != nil && t.Reward.Choices.Len() == 0 {
		g.Likely = t.Reward.States.Dense(q.Model.NumStates())
	}
	return g
}
