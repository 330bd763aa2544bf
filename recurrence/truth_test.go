package recurrence_test

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"

	"offswitch/bench"
	"offswitch/bench/models"
	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

var truths = flag.Int("truths", 0, "compare counts with the truth on so many models of each kind, of up to 2,000 states; 0: on few and small ones")

// truth finds visit counts the slow way: every backup of a solve goes over all states from which
// the target can be reached.
type truth struct {
	m      *sparse.MDP
	start  uint32
	before [][]uint32 // choices that can lead to each state
	inside []bool
	behind []bool
	order  []uint32 // the states behind the target, nearest first
	choice []uint32 // what they can choose, up to end each
	end    []int
	value  []float64
}

func newTruth(m *sparse.MDP, start uint32) *truth {
	n := m.NumStates()
	t := &truth{m: m, start: start, before: make([][]uint32, n), inside: make([]bool, n), behind: make([]bool, n), value: make([]float64, n)}
	for c := range uint32(m.NumChoices()) {
		for _, to := range m.Targets(c) {
			t.before[to] = append(t.before[to], c)
		}
	}
	return t
}

// visits returns W_x, about as exactly as float64 allows, or, unless it has to be precise, as soon as
// it is on one side of 1, a number on that side.
func (t *truth) visits(x uint32, gamma float64, sense recurrence.Sense, precise bool) float64 {
	if t.m.Terminal(x) {
		return 0 // not asked about
	}
	for s := range t.inside {
		t.inside[s] = true
	}
	t.search(x)
	if sense == recurrence.Paper {
		// The greatest set from all of which x can be reached, and reached again, without a choice that
		// could leave the set: there, and only there, some policy does so with probability 1.
		for !slices.Equal(t.inside, t.behind) {
			copy(t.inside, t.behind)
			if !t.inside[x] || !t.inside[t.start] {
				return 0
			}
			t.search(x)
		}
	}
	return t.solve(x, gamma, precise)
}

// search finds the states that can reach x in one step or more.
func (t *truth) search(x uint32) {
	clear(t.behind)
	t.order = t.order[:0]
	for i := -1; i < len(t.order); i++ {
		to := x
		if i >= 0 {
			to = t.order[i]
		}
		for _, c := range t.before[to] {
			if s := t.m.ChoiceState(c); t.inside[s] && !t.behind[s] && t.allowed(c) {
				t.behind[s] = true
				t.order = append(t.order, s)
			}
		}
	}
}

func (t *truth) allowed(choice uint32) bool {
	for _, to := range t.m.Targets(choice) {
		if !t.inside[to] {
			return false
		}
	}
	return true
}

// solve iterates from 0 until the values are within 1e-12 of h_x, or do not change any more, and returns
// W_x. Values come from below, so that W is never less than what they give; and what they can still
// gain is in proportion to their last change.
func (t *truth) solve(x uint32, gamma float64, precise bool) float64 {
	clear(t.value)
	t.choices()
	count := func(off float64) float64 {
		if t.value[x]+off >= 1 {
			return math.Inf(1)
		}
		return (t.value[t.start] + off) / gamma / (1 - t.value[x] - off)
	}
	for {
		change := 0.0
		from := 0
		for i, s := range t.order {
			best := 0.0
			for _, c := range t.choice[from:t.end[i]] {
				best = max(best, t.expected(c, x))
			}
			from = t.end[i]
			best *= gamma
			change = max(change, best-t.value[s])
			t.value[s] = best
		}
		if least := count(0); change <= 1e-13*(1-gamma) || !precise && least > 1+2*truthTolerance {
			return least
		}
		if most := count(change / (1 - gamma)); !precise && most < 1-2*truthTolerance {
			return most
		}
	}
}

// choices lists the allowed choices of the states in order.
func (t *truth) choices() {
	t.choice, t.end = t.choice[:0], t.end[:0]
	for _, s := range t.order {
		lo, hi := t.m.Choices(s)
		for c := lo; c < hi; c++ {
			if t.allowed(c) {
				t.choice = append(t.choice, c)
			}
		}
		t.end = append(t.end, len(t.choice))
	}
}

func (t *truth) expected(choice, x uint32) float64 {
	sum := 0.0
	for i, target := range t.m.Targets(choice) {
		if p := t.m.Probabilities(choice)[i]; target == x {
			sum += p
		} else {
			sum += p * t.value[target]
		}
	}
	return sum
}

// A kind of random models, from 1 to about most states.
type kind struct {
	name   string
	random func(rng *rand.Rand, most int) *sparse.MDP
}

func kinds() []kind {
	all := []kind{
		{"deterministic", func(rng *rand.Rand, most int) *sparse.MDP { return sparsetest.Random(rng, most, true) }},
		{"stochastic", func(rng *rand.Rand, most int) *sparse.MDP { return sparsetest.Random(rng, most, false) }},
	}
	for _, family := range bench.Families() {
		for _, slip := range []bool{false, true} {
			if slip && !family.HasSlip {
				continue
			}
			all = append(all, kind{fmt.Sprintf("%s/slip=%v", family.Name, slip), func(rng *rand.Rand, most int) *sparse.MDP {
				o := bench.Options{States: family.MinStates + rng.IntN(max(1, most-family.MinStates)), Seed: rng.Uint64(), Workers: 1}
				if slip {
					o.Slip = []float64{0.2, 0.5, 1e-6, rng.Float64()}[rng.IntN(4)]
				}
				if rng.IntN(3) == 0 {
					o.Leak = 0.05
				}
				m, err := family.Generate(context.Background(), o)
				if err != nil {
					panic(err)
				}
				return scattered(rng, m)
			}})
		}
	}
	for _, family := range models.Families() {
		switch family.Name {
		case "coin", "philosophers", "rooms": // of few sizes
			continue
		}
		all = append(all, kind{family.Name, func(rng *rand.Rand, most int) *sparse.MDP {
			return scattered(rng, family.Make(100+rng.IntN(max(1, most-100))))
		}})
	}
	return all
}

// scattered puts the states of every other model in random order.
func scattered(rng *rand.Rand, m *sparse.MDP) *sparse.MDP {
	if rng.IntN(2) == 0 {
		return m
	}
	order := make([]uint32, m.NumStates())
	for i, s := range rng.Perm(len(order)) {
		order[i] = uint32(s)
	}
	return m.Relabel(order)
}

// truthTolerance is how close to 1 a visit count has to be for the truth not to say on which side it is.
const truthTolerance = 1e-9

// comparison is a model, its counts at one discount, and how they compare with the truth.
type comparison struct {
	name    string // of the model, with the seed that makes it again
	m       *sparse.MDP
	start   uint32
	gamma   float64
	count   []float64 // W of each state, or a number on the same side of 1
	reached sparse.Bitset
	sense   recurrence.Sense
}

func (c *comparison) fill(truth *truth) {
	for s := range c.count {
		c.count[s] = 0
		if c.reached.Has(uint32(s)) {
			c.count[s] = truth.visits(uint32(s), c.gamma, c.sense, false)
		}
	}
}

// check compares every verdict, and the interval, and returns how many states were decided to count.
func (c *comparison) check(t *testing.T, counts *recurrence.Counts) (counted int) {
	t.Helper()
	verdicts := counts.Extended
	if c.sense == recurrence.Paper {
		verdicts = counts.Paper
	}
	least, most := 0, 0
	for s, w := range c.count {
		if w > 1+truthTolerance {
			least++
		}
		if w > 1-truthTolerance {
			most++
		}
		switch v := verdicts[s]; {
		case v == recurrence.Counted && w < 1-truthTolerance, v == recurrence.NotCounted && w > 1+truthTolerance:
			t.Fatalf("%s: state %d of %d: %v, but W = %v", c, s, len(c.count), v, w)
		case v == recurrence.Undecided && !counts.Partial && math.Abs(w-1) > 1e-6:
			t.Fatalf("%s: state %d of %d is undecided, but W = %v", c, s, len(c.count), w)
		case v == recurrence.Counted:
			counted++
		}
	}
	if lower, upper := recurrence.Interval(verdicts); lower > most || upper < least {
		t.Fatalf("%s: %d to %d states count, the truth is %d to %d", c, lower, upper, least, most)
	}
	return counted
}

func (c *comparison) String() string {
	return fmt.Sprintf("%s, start %d, γ %v, sense %d", c.name, c.start, c.gamma, c.sense)
}

// Every verdict is right, on every kind of model, at any discount, also when the count was interrupted.
func TestCountsAgainstTheTruth(t *testing.T) {
	ctx := context.Background()
	discounts := []float64{0.5, 0.5, 0.3, 0.7, 0.9, 0.95, 0.99, 0.995}
	for k, kind := range kinds() {
		t.Run(kind.name, func(t *testing.T) {
			many, most := *truths, 2000
			if many == 0 {
				many, most = 4, 120
				if k < 2 {
					many = 120 // the ugly ones are quick, and differ most
				}
			}
			counted, of := 0, 0
			for i := range many {
				rng := rand.New(rand.NewPCG(*seed, uint64(k)<<32|uint64(i)))
				// Small models are quick, and as ugly as large ones.
				size := int(math.Exp(rng.Float64() * math.Log(float64(most))))
				m := kind.random(rng, size)
				c := &comparison{
					name: fmt.Sprintf("seed %d, model %d", *seed, i), m: m, start: rng.Uint32N(uint32(m.NumStates())),
					gamma: discounts[rng.IntN(len(discounts))], count: make([]float64, m.NumStates()),
				}
				if fresh, ok := m.Label("new"); ok && rng.IntN(4) > 0 {
					c.start = fresh.First()
				}
				reach := new(recurrence.Search).Forward(m, c.start)
				c.reached = reach.Reached
				visits := recurrence.NewVisits(recurrence.NewStructure(m, 0), c.start, reach)
				restore := func() {}
				if rng.IntN(3) > 0 {
					restore = recurrence.BoundMuch()
				}
				full := count(t, ctx, visits, recurrence.CountOptions{Discount: c.gamma, Bounds: true, Workers: 1 + i%2})
				if full.Partial {
					t.Fatalf("%s: partial without a reason", c)
				}
				partial := countSome(t, visits, recurrence.CountOptions{Discount: c.gamma, Workers: 1 + i%2}, rng.Int64N(30))
				width := []float64{0.01, 0.1, 0.5}[rng.IntN(3)]
				rough := count(t, ctx, visits, recurrence.CountOptions{Discount: c.gamma, Width: width, Workers: 1 + i%2})
				for sense, verdicts := range [][]recurrence.Verdict{rough.Paper, rough.Extended} {
					if lower, upper := recurrence.Interval(verdicts); float64(upper-lower) > width*float64(upper) && undecided(rough) > undecided(full) {
						t.Fatalf("%s: sense %d: %d to %d states count, which is wider than %v", c, sense, lower, upper, width)
					}
				}
				rough.Partial = true // it may stop when it knows enough
				restore()
				truth := newTruth(m, c.start)
				for _, c.sense = range []recurrence.Sense{recurrence.Paper, recurrence.Extended} {
					c.fill(truth)
					counted += c.check(t, full)
					c.check(t, partial)
					c.check(t, rough)
					of += len(c.count)
				}
				x := rng.Uint32N(uint32(m.NumStates()))
				for _, c.sense = range []recurrence.Sense{recurrence.Paper, recurrence.Extended} {
					c.checkBounds(t, visits, truth, full, x)
					c.checkCritical(t, visits, truth, x)
				}
			}
			t.Logf("seed %d: %d models, %d of %d verdicts are that states count", *seed, many, counted, of)
		})
	}
}

func count(t *testing.T, ctx context.Context, v *recurrence.Visits, o recurrence.CountOptions) *recurrence.Counts {
	t.Helper()
	counts, err := v.Count(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// countSome counts until there have been so many reports of progress.
func countSome(t *testing.T, v *recurrence.Visits, o recurrence.CountOptions, reports int64) *recurrence.Counts {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seen atomic.Int64
	o.Progress = func(sparse.Progress) {
		if seen.Add(1) > reports {
			cancel()
		}
	}
	return count(t, ctx, v, o)
}

func (c *comparison) checkBounds(t *testing.T, visits *recurrence.Visits, truth *truth, full *recurrence.Counts, x uint32) {
	t.Helper()
	w := 0.0
	if c.reached.Has(x) {
		w = truth.visits(x, c.gamma, c.sense, true)
	}
	lower, upper, err := visits.Bounds(context.Background(), x, c.gamma, 1e-4, c.sense)
	if err != nil {
		t.Fatal(err)
	}
	slack := truthTolerance * (1 + w)
	if w < lower-slack || w > upper+slack {
		t.Fatalf("%s: state %d: W in [%v, %v], but it is %v", c, x, lower, upper, w)
	}
	if c.sense == recurrence.Extended && (w < full.Lower[x]-slack || w > full.Upper[x]+slack) {
		t.Fatalf("%s: state %d: counting says W in [%v, %v], but it is %v", c, x, full.Lower[x], full.Upper[x], w)
	}
}

func (c *comparison) checkCritical(t *testing.T, visits *recurrence.Visits, truth *truth, x uint32) {
	t.Helper()
	const precision = 1.0 / 64
	lower, upper := visits.Critical(context.Background(), x, precision, c.sense)
	switch {
	case lower > upper || lower < 0 || upper > 1:
		t.Fatalf("%s: state %d: critical discount in [%v, %v]", c, x, lower, upper)
	case !c.reached.Has(x):
		if lower < 1 {
			t.Fatalf("%s: state %d is not reached, but critical discount in [%v, %v]", c, x, lower, upper)
		}
		return
	}
	if lower > 0 && lower < 1 {
		if w := truth.visits(x, lower, c.sense, false); w > 1+truthTolerance {
			t.Fatalf("%s: state %d: critical discount in [%v, %v], but W = %v at the lower end", c, x, lower, upper, w)
		}
	}
	if upper < 1 {
		if w := truth.visits(x, upper, c.sense, false); w < 1-truthTolerance {
			t.Fatalf("%s: state %d: critical discount in [%v, %v], but W = %v at the upper end", c, x, lower, upper, w)
		}
	}
}

func undecided(c *recurrence.Counts) int {
	n := 0
	for _, verdicts := range [][]recurrence.Verdict{c.Paper, c.Extended} {
		lower, upper := recurrence.Interval(verdicts)
		n += upper - lower
	}
	return n
}
