package lp_test

import (
	"context"
	"fmt"

	"offswitch/lp"
	"offswitch/lp/check"
	"offswitch/lp/interior"
	"offswitch/sparse"
)

// crossing has a start from which one goes to a coin or to the end of the level; both end the game.
func crossing() lp.GoalSet {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "coin", sparse.Branch{Target: 1, Probability: 0.9}, sparse.Branch{Target: 2, Probability: 0.1})
	b.AddChoice(0, "end", sparse.Branch{Target: 2, Probability: 1})
	for s, name := range []string{"start", "coin", "end"} {
		b.Name(uint32(s), name)
	}
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	g := lp.GoalSet{Model: m, Discount: 0.9, Train: sparse.NewBitset(3), Policy: []uint32{0, sparse.None, sparse.None}}
	for s := range uint32(3) {
		g.Train.Set(s)
	}
	return g
}

func ExampleMember() {
	g := crossing()
	for _, theta := range [][]float64{{0, 1, 0.5}, {0, 0.5, 1}} {
		answer, err := lp.Member(context.Background(), g, theta)
		if err != nil {
			panic(err)
		}
		fmt.Println(answer.Verdict, "-", answer.Why)
		fmt.Println(len(check.Check(g.Model, answer.Certificate)), "violations")
	}
	// Output:
	// yes - every untaken choice of S_train is worse by at least 0.405, or the same
	// 0 violations
	// no - in state start, choice coin is worth 0.405 less than it must be against end
	// 0 violations
}

func ExampleFeasible() {
	g := crossing()
	for _, text := range []string{"r[end] >= 0.2", "r[end] >= r[coin] + 0.1"} {
		c, err := lp.ParseConstraint(g.Model, text)
		if err != nil {
			panic(err)
		}
		g.Constraints = append(g.Constraints, c)
		answer, err := lp.Feasible(context.Background(), g, interior.Solver{})
		if err != nil {
			panic(err)
		}
		fmt.Println(answer.Verdict, "-", answer.Why)
	}
	// Output:
	// yes - every untaken choice of S_train is worse by at least 0.2835, or the same
	// no - no reward meets the linear system: its rows contradict one another
}
