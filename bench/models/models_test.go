package models

import (
	"flag"
	"testing"

	"offswitch/recurrence"
	"offswitch/sparse"
)

var full = flag.Bool("full", false, "check the public models at their published sizes too, a million states each")

// counts are what is known of a model. Those that are 0 are not known.
type counts struct{ states, choices, branches, components, endComponents int }

func check(t *testing.T, name string, m *sparse.MDP, want counts) {
	t.Helper()
	structure := recurrence.NewStructure(m, 0)
	got := counts{
		m.NumStates(), m.NumChoices(), m.NumBranches(),
		structure.StronglyConnected().Count(), structure.EndComponents().Count(),
	}
	for _, x := range []struct {
		what      string
		got, want int
	}{
		{"states", got.states, want.states},
		{"choices", got.choices, want.choices},
		{"branches", got.branches, want.branches},
		{"strongly connected components", got.components, want.components},
		{"end components", got.endComponents, want.endComponents},
	} {
		if x.want != 0 && x.got != x.want {
			t.Errorf("%s: %d %s, want %d", name, x.got, x.what, x.want)
		}
	}
}

// The numbers of states are those on PRISM's pages.
func TestPublicModels(t *testing.T) {
	check(t, "philosophers 3", Philosophers(3), counts{states: 956, components: 1, endComponents: 1})
	check(t, "philosophers 4", Philosophers(4), counts{states: 9_440, components: 1, endComponents: 1})
	check(t, "coin 2, 2", Coin(2, 2), counts{states: 272})
	check(t, "coin 2, 16", Coin(2, 16), counts{states: 2_064})
	check(t, "coin 4, 2", Coin(4, 2), counts{states: 22_656})
	check(t, "coin 4, 4", Coin(4, 4), counts{states: 43_136})
	check(t, "rooms", Rooms(2), counts{states: 1 << 14, choices: 1 << 16, components: 64, endComponents: 4_033})
	if !*full {
		return
	}
	check(t, "philosophers 5", Philosophers(5), counts{states: 93_068, components: 1, endComponents: 1})
	check(t, "philosophers 6", Philosophers(6), counts{states: 917_424, components: 1, endComponents: 1})
	check(t, "coin 6, 2", Coin(6, 2), counts{states: 1_258_240, endComponents: 384})
	check(t, "rooms", Rooms(16), counts{states: 1 << 20, choices: 1 << 22, components: 64, endComponents: 4_033})
}

// How many there are of everything follows from how the models are made.
func TestModelsOfOurOwn(t *testing.T) {
	check(t, "field", Field(400, false), counts{400, 1600, 1600, 1, 1})
	check(t, "slipfield", Field(400, true), counts{400, 1600, 4800, 1, 1})
	for _, n := range []int{20, 100, 1001, 2000} {
		pieces := (n - 1) / 3
		check(t, "peel", Peel(n), counts{3*pieces + 1, 4 * pieces, 5 * pieces, 2, pieces})
	}
	for _, side := range []int{5, 10, 40} {
		// side² + 1 states: as many pieces as states in each, and half of them as teeth.
		teeth := side * (side - 1) / 2
		check(t, "comb", Comb(side*side+1), counts{side*side + 1, side*side + side + teeth, side*side + 2*side + 2*teeth, 2, side})
	}
	for _, n := range []int{20, 100, 1001, 2000} {
		pieces := (n - 2) / 3
		check(t, "hub", Hub(n), counts{3*pieces + 2, 5 * pieces, 6 * pieces, 2, pieces})
	}
	for _, rings := range []int{2, 30, 100} {
		check(t, "tiny", Tiny(10*rings), counts{10 * rings, 20*rings + rings - 1, 30*rings + 3*(rings-1), rings, rings})
	}
	for _, nodes := range []int{10, 31, 500} {
		check(t, "traps", Traps(2*nodes), counts{2 * nodes, 3 * nodes, 5*nodes - 1, nodes + 1, nodes})
	}
}

func TestEveryModelHasOneStartAndAGoal(t *testing.T) {
	for _, family := range Families() {
		m := family.Make(1000)
		n := m.NumStates()
		if reached := new(recurrence.Search).Forward(m, 0).Reached.Count(); reached != n || m.Initial().Count() != 1 || !m.Initial().Has(0) {
			t.Errorf("%s: %d of %d states can be reached from #0", family.Name, reached, n)
		}
		goal, _ := m.Label("goal")
		if goal.Count() == 0 {
			t.Errorf("%s has no goal", family.Name)
		}
		for s := range uint32(n) {
			if m.Reward("goal").States.At(s) != float64(either(goal.Has(s), 1, 0)) {
				t.Errorf("%s: state #%d has the wrong reward", family.Name, s)
			}
		}
	}
}

func TestSizesAreNearTheRequest(t *testing.T) {
	for _, family := range Families() {
		for _, states := range []int{100, 1000, 20_000} {
			n := family.Make(states).NumStates()
			if off := max(n, states) - min(n, states); !family.Explored && family.Name != "rooms" && 10*off > states {
				t.Errorf("%s: %d states, want about %d", family.Name, n, states)
			}
		}
	}
}
