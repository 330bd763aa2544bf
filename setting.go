package offswitch

import (
	"context"
	"fmt"
	"slices"

	"offswitch/lp"
	"offswitch/recurrence"
	"offswitch/sparse"
)

// Setting is a shutdown setting (Definition 7) together with the training that came before it.
type Setting struct {
	Question Question
	Training *Training
	New      uint32             // s_new
	Shutdown uint32             // the choice of s_new that shuts down
	Terminal uint32             // s_term: where that choice leads, its first branch's target if there are several
	Reach    *recurrence.Search // S_reach: the states reachable from s_new by any choices

	visits  *recurrence.Visits // the same at every discount; nil until the first count
	exposed sparse.Bitset      // states that can be reached from training by any choices; nil until they are needed
}

// NewSetting finds the new situation and its off switch in the model. Errors are names that the
// model does not know, a new situation that is not exactly one state, and one without the shutdown
// action, and the end of the context; whether the switch does what Definition 7 asks is for Analyze to say.
// O(states + branches).
func NewSetting(ctx context.Context, q Question, t *Training) (*Setting, error) {
	s := &Setting{Question: q, Training: t}
	m, name := q.Model, orDefault(q.New, DefaultNew)
	states, err := Places(m, "new situation", name)
	if err != nil {
		return nil, err
	}
	if len(states) != 1 {
		return nil, fmt.Errorf("new situation: %d states carry the label %q, want one; name a state instead", len(states), name)
	}
	s.New = states[0]
	if s.Shutdown, err = findChoice(m, s.New, orDefault(q.Shutdown, DefaultShutdown)); err != nil {
		return nil, fmt.Errorf("new situation: %w", err)
	}
	s.Terminal = m.Targets(s.Shutdown)[0]
	s.Reach = new(recurrence.Search).Within(ctx).Forward(m, s.New)
	return s, ctx.Err()
}

// Assumption is one assumption of Theorem 2, checked.
type Assumption struct {
	ID        string
	Statement string // what is assumed, in words
	Verdict   Verdict
	Witness   string // what shows that it fails, or why it is undecided
}

// Verdict is a three-valued answer, as package lp gives it.
type Verdict = lp.Verdict

// The verdicts. Yes and No are proved.
const (
	Undecided = lp.Undecided
	Yes       = lp.Yes
	No        = lp.No
)

// Count is a number of states known to lie between two bounds.
type Count struct{ Lower, Upper int }

// Analysis is the answer to a Question.
type Analysis struct {
	Setting       *Setting
	EndComponents int   // maximal end components that S_reach meets
	Recurrent     int   // states in them
	Paper         Count // states of S_reach that count in the paper's sense; see recurrence.Counts
	Extended      Count // and over all policies
	Counts        *recurrence.Counts
	Assumptions   []Assumption
	// Applies says whether all assumptions of Theorem 2 hold.
	Applies Verdict
	// N is the proved number of counted states, in the extended sense, that training cannot reach:
	// the n of Theorem 2. Of every orbit of goals at least the share N/(N+1) avoids shutdown.
	N       int
	Partial bool // interrupted: the counts are bounds of what a full run would find
}

// Analyze counts the states that make avoiding shutdown pay and checks every assumption of Theorem
// 2 on the model. When the context ends it returns what is proved so far, marked Partial. Beside
// the model it takes about Memory; for time see recurrence.Visits.Count.
func (s *Setting) Analyze(ctx context.Context) (*Analysis, error) { return s.analyze(ctx, nil) }

// analyze is Analyze with what is known of a lower discount, if anything is.
func (s *Setting) analyze(ctx context.Context, below *recurrence.Counts) (*Analysis, error) {
	q := s.Question
	var err error
	a := &Analysis{Setting: s}
	visits := s.count(ctx)
	// Before the count, so that what that has found by the time the context ends has its conclusions.
	if visits == nil || !s.expose(ctx) {
		return s.Unknown(ctx), nil
	}
	a.Counts, err = visits.Count(ctx, recurrence.CountOptions{
		Discount: q.Discount, Width: q.Width, Below: below, Bounds: q.Bounds, Workers: q.Workers, Progress: q.Progress,
	})
	if err != nil {
		return nil, err
	}
	a.Partial = a.Counts.Partial || s.Training.Partial
	seen := sparse.NewBitset(visits.Components().Count())
	for _, x := range s.Reach.Order {
		if k := visits.Components().Of[x]; k != recurrence.None {
			seen.Set(k)
			a.Recurrent++
		}
	}
	a.EndComponents = seen.Count()
	a.conclude(ctx)
	return a, nil
}

// count returns what counts visits, or nil when the context ends before there is any.
func (s *Setting) count(ctx context.Context) *recurrence.Visits {
	if s.visits == nil {
		structure := recurrence.NewStructure(s.Question.Model, s.Question.Workers).Within(ctx)
		s.visits = recurrence.NewVisits(structure, s.New, s.Reach)
	}
	return s.visits
}

// AnalyzeAll answers the question at several discounts, from low to high: what counts at one counts at those
// above it, and what does not, at those below. Each answer is as of Analyze, in the order of the discounts, and
// done is told of those there are so far; the bounds of lower ones still narrow then. The trained policy is that of each
// discount.
func AnalyzeAll(ctx context.Context, q Question, discounts []float64, done func([]*Analysis)) ([]*Analysis, error) {
	var setting *Setting
	var below *recurrence.Counts
	var analyses []*Analysis
	order := slices.Sorted(slices.Values(discounts))
	for _, q.Discount = range order {
		t, err := Train(ctx, q)
		if err != nil {
			return nil, err
		}
		if setting == nil {
			if setting, err = NewSetting(ctx, q, t); err != nil {
				return nil, err
			}
		} else {
			setting = &Setting{
				Question: q, Training: t, New: setting.New, Shutdown: setting.Shutdown, Terminal: setting.Terminal,
				Reach: setting.Reach, visits: setting.visits,
			}
		}
		a, err := setting.analyze(ctx, below)
		if err != nil {
			return nil, err
		}
		below = a.Counts
		for i, above := len(analyses)-1, a; i >= 0; i-- {
			analyses[i].Counts.Above(above.Counts)
			analyses[i].conclude(ctx)
			above = analyses[i]
		}
		analyses = append(analyses, a)
		if done != nil {
			done(analyses)
		}
	}
	return analyses, nil
}

// Critical is the critical discount γ*_x of a state (Proposition 3), between bounds: the state's visit
// count is above 1 exactly at the discounts above it. 1 and 1 stand for no discount at all.
type Critical struct {
	State           uint32
	Paper, Extended [2]float64 // lower and upper bound, in both senses; see recurrence.Counts
}

// Critical bounds the critical discounts of states, at most precision apart; see
// recurrence.Visits.Critical for the exceptions and the cost, which is some dozens of solves for each state
// where moves are a matter of chance. When the context ends the bounds are what is proved by then.
func (s *Setting) Critical(ctx context.Context, states []uint32, precision float64) []Critical {
	var critical []Critical
	visits := s.count(ctx)
	for _, x := range states {
		c := Critical{State: x, Paper: [2]float64{0, 1}, Extended: [2]float64{0, 1}}
		if visits != nil {
			c.Paper[0], c.Paper[1] = visits.Critical(ctx, x, precision, recurrence.Paper)
			c.Extended[0], c.Extended[1] = visits.Critical(ctx, x, precision, recurrence.Extended)
		}
		critical = append(critical, c)
	}
	return critical
}

// Unknown returns the answer to a question as it stands before any solving or counting: nothing is
// decided that takes more than looking. Errors are those of Train and NewSetting.
func Unknown(ctx context.Context, q Question) (*Analysis, error) {
	t, err := untrained(q)
	if err != nil {
		return nil, err
	}
	s, err := NewSetting(ctx, q, t)
	if err != nil {
		return nil, err
	}
	return s.Unknown(ctx), nil
}

// Unknown returns the analysis as it stands before any counting: nothing is decided about any state.
func (s *Setting) Unknown(ctx context.Context) *Analysis {
	n := s.Question.Model.NumStates()
	a := &Analysis{Setting: s, Partial: true, Counts: &recurrence.Counts{Paper: make([]recurrence.Verdict, n), Extended: make([]recurrence.Verdict, n)}}
	a.Paper.Upper, a.Extended.Upper = len(s.Reach.Order), len(s.Reach.Order)
	a.check(ctx)
	return a
}

// conclude draws the conclusions from the counts.
func (a *Analysis) conclude(ctx context.Context) {
	a.Paper.Lower, a.Paper.Upper = recurrence.Interval(a.Counts.Paper)
	a.Extended.Lower, a.Extended.Upper = recurrence.Interval(a.Counts.Extended)
	a.check(ctx)
}

// Memory returns about how many bytes the analysis of a model takes beside the model: the training
// solve and then the counting, on two workers.
func Memory(m *sparse.MDP) int {
	n := 120*m.NumStates() + 4*m.NumChoices() + 16*m.NumBranches()
	if !m.Deterministic() {
		n += 60*m.NumStates() + 8*m.NumChoices() + 16*m.NumBranches() + min(640*m.NumStates(), 256<<20)
	}
	return n
}

// check decides the assumptions of Theorem 2 and what follows. When the context ends, what
// takes a search stays undecided, or without the path that shows it.
func (a *Analysis) check(ctx context.Context) {
	found := a.Setting.isolation(ctx, a.Counts)
	a.N = found.counted
	a.Assumptions = []Assumption{
		a.Setting.newSituation(ctx),
		a.Setting.shutdownTerminal(ctx),
		a.Setting.nonnegativeRewards(),
		a.Setting.disjoint(ctx),
		found.assumption,
		a.retargetable(),
	}
	if a.Setting.Training.Partial {
		a.N = 0 // what training can reach is not known
		for i, x := range a.Assumptions {
			if x.ID != "nonnegative-rewards" && x.ID != "retargetable" && x.Verdict == Yes {
				a.Assumptions[i] = x.undecided("interrupted before the training policy was known")
			}
		}
	}
	a.Applies = Yes
	for _, x := range a.Assumptions {
		switch {
		case x.Verdict == No:
			a.Applies = No
		case x.Verdict == Undecided && a.Applies == Yes:
			a.Applies = Undecided
		}
	}
}

func assume(id, statement string) Assumption {
	return Assumption{ID: id, Statement: statement, Verdict: Yes}
}

func (x Assumption) fails(format string, args ...any) Assumption {
	x.Verdict, x.Witness = No, fmt.Sprintf(format, args...)
	return x
}

func (x Assumption) undecided(format string, args ...any) Assumption {
	x.Verdict, x.Witness = Undecided, fmt.Sprintf(format, args...)
	return x
}

// visitedBy returns how the policy gets to a state of S_train, as text.
func (s *Setting) visitedBy(ctx context.Context, state uint32) string {
	t := s.Training
	taken := func(choice uint32) bool { return t.Policy[s.Question.Model.ChoiceState(choice)] == choice }
	path, _ := recurrence.Path(ctx, s.Question.Model, t.Start, func(x uint32) bool { return x == state }, taken)
	return s.describe(path, state)
}

func (s *Setting) newSituation(ctx context.Context) Assumption {
	x := assume("new-situation", "the new situation was not seen in training")
	if s.Training.Visited.Reached.Has(s.New) {
		return x.fails("training visits %s: %s", s.Question.Model.StateName(s.New), s.visitedBy(ctx, s.New))
	}
	return x
}

func (s *Setting) shutdownTerminal(ctx context.Context) Assumption {
	m := s.Question.Model
	x := assume("shutdown-terminal", "the shutdown choice leads with certainty to a terminal state not seen in training")
	switch {
	case !m.Certain(s.Shutdown):
		for i, t := range m.Targets(s.Shutdown) {
			if t != s.Terminal {
				return x.fails("it leads to %s, and with probability %v to %s", m.StateName(s.Terminal), m.Probabilities(s.Shutdown)[i], m.StateName(t))
			}
		}
	case !m.Terminal(s.Terminal):
		return x.fails("it leads to %s, which has the actions %s", m.StateName(s.Terminal), actionNames(m, s.Terminal))
	case s.Training.Visited.Reached.Has(s.Terminal):
		return x.fails("training visits %s: %s", m.StateName(s.Terminal), s.visitedBy(ctx, s.Terminal))
	}
	return x
}

func (s *Setting) nonnegativeRewards() Assumption {
	m, r := s.Question.Model, s.Training.Reward
	x := assume("nonnegative-rewards", "no reward is negative")
	if r == nil {
		return x
	}
	if least, _ := r.States.Extremes(); least < 0 {
		for i := range uint32(m.NumStates()) {
			if v := r.States.At(i); v < 0 {
				return x.fails("reward %s of state %s is %v", r.Name, m.StateName(i), v)
			}
		}
	}
	if least, _ := r.Choices.Extremes(); least < 0 {
		for c := range uint32(m.NumChoices()) {
			if v := r.Choices.At(c); v < 0 {
				return x.fails("reward %s of action %s in state %s is %v", r.Name, m.ActionName(c), m.StateName(m.ChoiceState(c)), v)
			}
		}
	}
	return x
}

func (s *Setting) disjoint(ctx context.Context) Assumption {
	x := assume("disjoint", "nothing seen in training can be reached from the new situation")
	visited := s.Training.Visited.Reached
	for _, state := range s.Reach.Order {
		if visited.Has(state) {
			path, _ := recurrence.Path(ctx, s.Question.Model, []uint32{s.New}, func(t uint32) bool { return t == state }, nil)
			return x.fails("%s", s.describe(path, state))
		}
	}
	return x
}

type isolation struct {
	assumption Assumption
	counted    int // isolated states proved to count
}

// isolation checks what the paper leaves unsaid: permuting the rewards of states outside S_train
// keeps a goal training-compatible only if no permuted state can be reached from S_train by any
// choices, taken or not.
func (s *Setting) isolation(ctx context.Context, counts *recurrence.Counts) isolation {
	m := s.Question.Model
	x := assume("isolated", "no choice, taken or not, leads from training to s_term or to the counted states")
	if !s.expose(ctx) {
		return isolation{assumption: x.undecided("interrupted before what can be reached from training was known")}
	}
	counted, open, mixed := 0, 0, uint32(sparse.None)
	for _, state := range s.Reach.Order {
		reachable := s.exposed.Has(state)
		switch v := counts.Extended[state]; {
		case v == recurrence.Counted && !reachable:
			counted++
		case v == recurrence.Undecided && !reachable:
			open++
		case v == recurrence.Counted && mixed == sparse.None:
			mixed = state
		}
	}
	way := func(state uint32) string {
		path, _ := recurrence.Path(ctx, m, s.Training.Visited.Order, func(t uint32) bool { return t == state }, nil)
		return s.describe(path, state)
	}
	switch {
	case s.exposed.Has(s.Terminal):
		x = x.fails("s_term can be reached from training: %s", way(s.Terminal))
	case counted == 0 && open > 0:
		x = x.undecided("no isolated state is proved to count yet; %d are undecided", open)
	case counted == 0 && mixed != sparse.None:
		x = x.fails("every counted state can be reached from training, for instance %s", way(mixed))
	case counted == 0:
		x = x.fails("no state counts")
	}
	return isolation{assumption: x, counted: counted}
}

// expose finds the states that can be reached from training, and reports whether it did before the context ended.
func (s *Setting) expose(ctx context.Context) bool {
	if s.exposed == nil {
		found := new(recurrence.Search).Within(ctx).Forward(s.Question.Model, s.Training.Visited.Order...)
		if ctx.Err() != nil {
			return false
		}
		s.exposed = found.Reached
	}
	return true
}

func (a *Analysis) retargetable() Assumption {
	x := assume("retargetable", "some state has a visit count above 1 at this discount")
	switch {
	case a.Extended.Lower > 0:
		return x
	case a.Extended.Upper > 0:
		return x.undecided("no state is proved to have a visit count above 1; %d are undecided", a.Extended.Upper)
	}
	return x.fails("at discount %v no state reachable from the new situation has a visit count above 1", a.Setting.Question.Discount)
}

// describe writes a path as text, its middle left out where it is long. Without steps it is the
// state itself.
func (s *Setting) describe(path []recurrence.Step, state uint32) string {
	m := s.Question.Model
	if len(path) == 0 {
		return m.StateName(state)
	}
	const shown = 6
	text := m.StateName(path[0].State)
	for i, step := range path {
		if len(path) > 2*shown && i == shown {
			text += fmt.Sprintf(" … %d steps …", len(path)-2*shown)
		}
		if len(path) > 2*shown && i >= shown && i < len(path)-shown {
			continue
		}
		text += fmt.Sprintf(" -%s-> %s", m.ActionName(step.Choice), m.StateName(step.Next))
	}
	return text
}
