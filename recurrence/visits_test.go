package recurrence_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/sparsetest"
)

// visitCounts returns the best visit count of every state from start over all deterministic
// policies, and over those that reach the state and return to it with probability 1.
func visitCounts(m *sparse.MDP, start int, gamma float64) (all, sure []float64) {
	n := m.NumStates()
	all, sure = make([]float64, n), make([]float64, n)
	reward := make([]float64, n)
	sparsetest.Policies(m, func(policy []uint32) {
		reach := chainReach(m, policy, nil)
		for x := range n {
			clear(reward)
			reward[x] = 1
			v := sparsetest.Evaluate(m, policy, gamma, reward, nil)[start]
			if x == start {
				v--
			}
			v /= gamma
			all[x] = max(all[x], v)
			always := reach[start][x]
			for u := range n {
				always = always && (!reach[start][u] || reach[u][x])
			}
			if always {
				sure[x] = max(sure[x], v)
			}
		}
	})
	for x := range n {
		if m.Terminal(uint32(x)) {
			all[x] = 0 // terminal states are not asked about
		}
	}
	return all, sure
}

func newVisits(m *sparse.MDP, start uint32) *recurrence.Visits {
	return recurrence.NewVisits(recurrence.NewStructure(m, 0), start, new(recurrence.Search).Forward(m, start))
}

func TestCountsAgainstAllPolicies(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 3))
	ctx := context.Background()
	decided, undecided := 0, 0
	for i := range 800 {
		m := sparsetest.RandomFew(rng, 8, i%3 == 0)
		gamma := []float64{0.5, 0.7, 0.9, 0.99}[rng.IntN(4)]
		all, sure := visitCounts(m, 0, gamma)
		v := newVisits(m, 0)
		counts, err := v.Count(ctx, recurrence.CountOptions{Discount: gamma, Workers: 1 + i%2})
		if err != nil {
			t.Fatal(err)
		}
		if counts.Partial {
			t.Fatal("partial without a reason")
		}
		for x := range uint32(m.NumStates()) {
			for sense, verdict := range []recurrence.Verdict{counts.Paper[x], counts.Extended[x]} {
				want := [][]float64{sure, all}[sense][x]
				const dense = 1e-9 // what the dense solve may be off
				decided++
				switch {
				case verdict == recurrence.Counted && want < 1-dense, verdict == recurrence.NotCounted && want > 1+dense:
					t.Fatalf("seed %d, model %d, γ %v, state %d, sense %d: %v, but W = %v", *seed, i, gamma, x, sense, verdict, want)
				case verdict == recurrence.Undecided:
					undecided++
					if math.Abs(want-1) > dense {
						t.Fatalf("seed %d, model %d, γ %v, state %d, sense %d: undecided, but W = %v", *seed, i, gamma, x, sense, want)
					}
				}
				lower, upper, err := v.Bounds(ctx, x, gamma, 1e-9, recurrence.Sense(sense))
				if err != nil {
					t.Fatal(err)
				}
				if want < lower-dense*(1+want) || want > upper+dense*(1+want) || upper-lower > 1e-8*(1+upper) {
					t.Fatalf("seed %d, model %d, γ %v, state %d, sense %d: W in [%v, %v], want %v", *seed, i, gamma, x, sense, lower, upper, want)
				}
				if counts.Paper[x] == recurrence.Counted && counts.Extended[x] != recurrence.Counted {
					t.Fatalf("seed %d, model %d, state %d: counted in the paper's sense only", *seed, i, x)
				}
			}
		}
	}
	if undecided*100 > decided {
		t.Errorf("%d of %d verdicts undecided", undecided, decided)
	}
}

// In a deterministic environment W_x = γ^(d-1)/(1-γ^c), and γ*_x is where that is 1.
func TestDeterministicClosedForm(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 4))
	ctx := context.Background()
	bounded, tight := 0, 0
	for i := range 300 {
		m := sparsetest.Random(rng, 40, true)
		v := newVisits(m, 0)
		if !v.Deterministic() {
			t.Fatal("not seen to be deterministic")
		}
		gamma := 0.5 + rng.Float64()/2.1
		counts, err := v.Count(ctx, recurrence.CountOptions{Discount: gamma, Bounds: true})
		if err != nil {
			t.Fatal(err)
		}
		reach := new(recurrence.Search).Forward(m, 0)
		for _, x := range reach.Order {
			d, c := v.DistanceAndCycle(x)
			if d != recurrence.None && !m.Terminal(x) {
				bound := math.Pow(gamma, float64(d)-1)
				if c != recurrence.None {
					bound /= 1 - math.Pow(gamma, float64(c))
				}
				lower, upper := counts.Lower[x], counts.Upper[x]
				if bound < lower*(1-1e-12) || bound > upper*(1+1e-12) {
					t.Fatalf("seed %d, model %d, state %d, γ %v: W in [%v, %v], but it is %v (d %d, c %d)", *seed, i, x, gamma, lower, upper, bound, d, c)
				}
				bounded++
				if upper-lower <= 1e-9*upper {
					tight++
				}
			}
			w := 0.0
			if c != recurrence.None {
				w = math.Pow(gamma, float64(d)-1) / (1 - math.Pow(gamma, float64(c)))
			}
			if want := w > 1; math.Abs(w-1) > 1e-12 && (counts.Extended[x] == recurrence.Counted) != want {
				t.Fatalf("seed %d, model %d, state %d, γ %v: %v, but W = %v (d %d, c %d)", *seed, i, x, gamma, counts.Extended[x], w, d, c)
			}
			if counts.Paper[x] != counts.Extended[x] {
				t.Fatalf("seed %d, model %d, state %d: the senses differ", *seed, i, x)
			}
			lower, upper := v.Critical(ctx, x, 1e-9, recurrence.Extended)
			if c == recurrence.None {
				if upper != 1 {
					t.Fatalf("state %d never counts, but critical discount in [%v, %v]", x, lower, upper)
				}
				continue
			}
			root := func(g float64) float64 { return math.Pow(g, float64(d)-1) + math.Pow(g, float64(c)) - 1 }
			if upper-lower > 1e-9 || root(lower) > 1e-7 || root(upper) < -1e-7 {
				t.Fatalf("d %d, c %d: critical discount in [%v, %v]", d, c, lower, upper)
			}
		}
	}
	if 10*tight < 9*bounded {
		t.Errorf("bounds of visit counts are tight for %d of %d states", tight, bounded)
	}
}

// A discount of exactly ½ at distance 2 with a self-loop makes W exactly 1, which does not count.
func TestExactTieDoesNotCount(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(1, "", sparse.Branch{Target: 2, Probability: 1})
	b.AddChoice(2, "", sparse.Branch{Target: 2, Probability: 1})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		gamma float64
		want  recurrence.Verdict
	}{{0.5, recurrence.NotCounted}, {math.Nextafter(0.5, 1), recurrence.Counted}, {0, recurrence.NotCounted}} {
		counts, err := newVisits(m, 0).Count(context.Background(), recurrence.CountOptions{Discount: tt.gamma})
		if err != nil {
			t.Fatal(err)
		}
		if counts.Paper[2] != tt.want || counts.Extended[2] != tt.want {
			t.Errorf("γ %v: %v and %v, want %v", tt.gamma, counts.Paper[2], counts.Extended[2], tt.want)
		}
	}
}

// A tie under chance, W = ½/(1-γ) with γ = ½, cannot be decided by bounds, and must not be guessed.
func TestTieUnderChanceIsUndecided(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "", sparse.Branch{Target: 1, Probability: 0.5}, sparse.Branch{Target: 2, Probability: 0.5})
	b.AddChoice(2, "", sparse.Branch{Target: 2, Probability: 1})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	for gamma, want := range map[float64]recurrence.Verdict{0.5: recurrence.Undecided, 0.5 + 1e-9: recurrence.Counted, 0.5 - 1e-9: recurrence.NotCounted} {
		counts, err := newVisits(m, 0).Count(context.Background(), recurrence.CountOptions{Discount: gamma})
		if err != nil {
			t.Fatal(err)
		}
		if counts.Extended[2] != want {
			t.Errorf("γ %v: %v, want %v", gamma, counts.Extended[2], want)
		}
		// It is reached with probability ½ only.
		if counts.Paper[2] != recurrence.NotCounted {
			t.Errorf("γ %v: %v in the paper's sense", gamma, counts.Paper[2])
		}
	}
}

// V grows with the discount (Proposition 3), so a state that counts goes on counting.
func TestCountsGrowWithTheDiscount(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 5))
	for i := range 100 {
		m := sparsetest.Random(rng, 30, false)
		v := newVisits(m, 0)
		var before *recurrence.Counts
		for _, gamma := range []float64{0.3, 0.6, 0.8, 0.95, 0.999} {
			counts, err := v.Count(context.Background(), recurrence.CountOptions{Discount: gamma})
			if err != nil {
				t.Fatal(err)
			}
			for x := range counts.Paper {
				if before != nil && (before.Paper[x] == recurrence.Counted && counts.Paper[x] == recurrence.NotCounted ||
					before.Extended[x] == recurrence.Counted && counts.Extended[x] == recurrence.NotCounted) {
					t.Fatalf("seed %d, model %d, state %d stops counting at γ %v", *seed, i, x, gamma)
				}
			}
			before = counts
		}
	}
}

func TestInterruptedCountIsPartial(t *testing.T) {
	rng := rand.New(rand.NewPCG(*seed, 6))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := sparsetest.Random(rng, 200, false)
	counts, err := newVisits(m, 0).Count(ctx, recurrence.CountOptions{Discount: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	if !counts.Partial {
		t.Error("not marked partial")
	}
	full, err := newVisits(m, 0).Count(context.Background(), recurrence.CountOptions{Discount: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	lower, upper := recurrence.Interval(counts.Extended)
	if l, u := recurrence.Interval(full.Extended); lower > l || upper < u {
		t.Errorf("partial interval [%d, %d], full [%d, %d]", lower, upper, l, u)
	}
}

// A state that cannot be visited twice counts at no discount, however near to 1 its count is.
func TestCriticalDiscountWithoutCycle(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "", sparse.Branch{Target: 1, Probability: 0.5}, sparse.Branch{Target: 2, Probability: 0.5})
	b.AddChoice(1, "", sparse.Branch{Target: 2, Probability: 1})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	v := newVisits(m, 0)
	for x := range uint32(3) {
		for _, sense := range []recurrence.Sense{recurrence.Paper, recurrence.Extended} {
			if lower, upper := v.Critical(context.Background(), x, 1e-5, sense); lower != 1 || upper != 1 {
				t.Errorf("state %d, sense %d: critical discount in [%v, %v], want none", x, sense, lower, upper)
			}
		}
	}
}

// What an interrupted search for a critical discount returns is still proved.
func TestInterruptedCriticalDiscount(t *testing.T) {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "", sparse.Branch{Target: 0, Probability: 0.5}, sparse.Branch{Target: 1, Probability: 0.5})
	b.AddChoice(1, "", sparse.Branch{Target: 2, Probability: 1e-9}, sparse.Branch{Target: 1, Probability: 1 - 1e-9})
	b.AddChoice(2, "", sparse.Branch{Target: 2, Probability: 0.5}, sparse.Branch{Target: 1, Probability: 0.5})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	v := newVisits(m, 0)
	const want = 0.381966 // W = ½/(1-γ/2)/(1-γ), up to the 1e-9
	if lower, upper := v.Critical(context.Background(), 1, 1e-5, recurrence.Extended); lower > want+1e-6 || upper < want-1e-6 || upper-lower > 1e-5 {
		t.Errorf("critical discount in [%v, %v], want %v", lower, upper, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if lower, upper := v.Critical(ctx, 1, 1e-5, recurrence.Extended); lower != 0 || upper != 1 {
		t.Errorf("interrupted: critical discount in [%v, %v], want [0, 1]", lower, upper)
	}
}
