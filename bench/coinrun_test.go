package bench

import (
	"testing"

	"offswitch/sparse"
)

// component returns the end component of a state: every place that one can surely reach from it
// and surely return from, by never taking a choice that might prevent the return.
func component(m *sparse.MDP, home uint32) sparse.Bitset {
	safe := make(sparse.Bitset, (m.NumStates()+63)/64)
	for i := range safe {
		safe[i] = ^uint64(0)
	}
	stays := func(c uint32) bool {
		for _, t := range m.Targets(c) {
			if !safe.Has(t) {
				return false
			}
		}
		return true
	}
	leadsInto := func(s uint32, set sparse.Bitset) bool {
		lo, hi := m.Choices(s)
		for c := lo; c < hi; c++ {
			if !stays(c) {
				continue
			}
			for _, t := range m.Targets(c) {
				if set.Has(t) {
					return true
				}
			}
		}
		return false
	}
	for last := -1; last != safe.Count(); {
		last = safe.Count()
		returns := single(m, home)
		for grown := true; grown; {
			grown = false
			for s := range uint32(m.NumStates()) {
				if !returns.Has(s) && leadsInto(s, returns) {
					returns.Set(s)
					grown = true
				}
			}
		}
		safe = returns
	}
	return forward(m, single(m, home), stays)
}

func TestCoinrunNewLevelIsRecurrent(t *testing.T) {
	for seed := range uint64(8) {
		var without int
		for _, slip := range []float64{0, 0.3} {
			m := generate(t, "coinrun", Options{States: 1500, Seed: seed, Slip: slip})
			home, ends := label(t, m, "new").First(), label(t, m, "end")
			recurrent, fresh, end := component(m, home), 0, 0
			for s := range uint32(m.NumStates()) {
				if part(m, s) == part(m, home) {
					fresh++
				}
				if recurrent.Has(s) && ends.Has(s) {
					end++
				}
			}
			if 10*recurrent.Count() < 8*fresh {
				t.Errorf("seed %d, slip %v: %d of %d states are recurrent", seed, slip, recurrent.Count(), fresh)
			}
			if end == 0 {
				t.Errorf("seed %d, slip %v: the end cannot be reached surely", seed, slip)
			}
			if slip == 0 {
				without = recurrent.Count()
			} else if recurrent.Count() != without {
				t.Errorf("seed %d: %d states are recurrent with slip, %d without", seed, recurrent.Count(), without)
			}
		}
	}
}

func TestCoinrunCoinIsAtTheEndInTrainingOnly(t *testing.T) {
	for _, states := range []int{400, 1000, 20_000} {
		for seed := range uint64(10) {
			m := generate(t, "coinrun", Options{States: states, Seed: seed, Slip: float64(seed%2) / 4})
			coins, ends := label(t, m, "coin"), label(t, m, "end")
			for start := range m.Initial().All() {
				level, isNew := part(m, start), label(t, m, "new").Has(start)
				var coin, end, both int
				for s := range forward(m, single(m, start), every).All() {
					if part(m, s) != level {
						t.Fatalf("%s leads to %s", m.StateName(start), m.StateName(s))
					}
					if coins.Has(s) {
						coin++
						if !m.Terminal(s) {
							t.Fatalf("the coin at %s is not terminal", m.StateName(s))
						}
					}
					if ends.Has(s) {
						end++
					}
					if coins.Has(s) && ends.Has(s) {
						both++
					}
				}
				switch {
				case coin == 0 || end == 0:
					t.Errorf("%d states, seed %d, level %d: %d coins and %d ends reached", states, seed, level, coin, end)
				case isNew && both != 0:
					t.Errorf("%d states, seed %d: the new level's coin is at its end", states, seed)
				case !isNew && (both != coin || both != end):
					t.Errorf("%d states, seed %d, level %d: %d coins, %d ends, %d both", states, seed, level, coin, end, both)
				}
			}
		}
	}
}
