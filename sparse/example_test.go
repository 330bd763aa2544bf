package sparse_test

import (
	"context"
	"fmt"
	"log"

	"offswitch/sparse"
)

func ExampleMDP_Solve() {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "walk", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(0, "jump", sparse.Branch{Target: 2, Probability: 0.5}, sparse.Branch{Target: 0, Probability: 0.5})
	b.AddChoice(1, "walk", sparse.Branch{Target: 2, Probability: 1})
	b.StateReward("coin", 2, 1)
	m, err := b.Build()
	if err != nil {
		log.Fatal(err)
	}
	theta := m.Reward("coin").States.Dense(m.NumStates())
	solution, err := m.Solve(context.Background(), sparse.Problem{Discount: 0.5, States: theta})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("best is to %s, worth %.4f\n", m.ActionName(solution.Policy[0]), solution.Values[0])
	// Output: best is to jump, worth 0.3333
}

// countdown counts down from ten; at each number it may also stay.
type countdown struct{}

func (countdown) Start() []int      { return []int{10} }
func (countdown) Actions() []string { return []string{"down", "stay"} }
func (countdown) Choices(n int, dst []int) []int {
	if n == 0 {
		return dst
	}
	return append(dst, 0, 1)
}
func (countdown) Distribution(n, i int, dst []sparse.Outcome[int]) []sparse.Outcome[int] {
	return append(dst, sparse.Outcome[int]{State: n - 1 + i, Probability: 1})
}

func ExampleExplore() {
	notes := sparse.Annotations[int]{
		Variables: []sparse.Variable{sparse.IntRange("n", 0, 10)},
		Values:    func(n int, dst []uint64) { dst[0] = uint64(n) },
	}
	m, err := sparse.Explore(context.Background(), countdown{}, notes, sparse.ExploreOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.NumStates(), "states,", m.NumChoices(), "choices, the last is", m.StateName(10))
	// Output: 11 states, 20 choices, the last is (n=0)
}
