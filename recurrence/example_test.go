package recurrence_test

import (
	"context"
	"fmt"
	"log"

	"offswitch/recurrence"
	"offswitch/sparse"
)

// A corridor of three rooms; one can wait in the last.
func ExampleVisits_Count() {
	b := sparse.NewBuilder(3)
	for s := range uint32(2) {
		b.AddChoice(s, "on", sparse.Branch{Target: s + 1, Probability: 1})
	}
	b.AddChoice(2, "wait", sparse.Branch{Target: 2, Probability: 1})
	m, err := b.Build()
	if err != nil {
		log.Fatal(err)
	}
	visits := recurrence.NewVisits(recurrence.NewStructure(m, 0), 0, new(recurrence.Search).Forward(m, 0))
	counts, err := visits.Count(context.Background(), recurrence.CountOptions{Discount: 0.9})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("the last room is", counts.Extended[2])
	_, critical := visits.Critical(context.Background(), 2, 1e-6, recurrence.Extended)
	fmt.Printf("above a discount of %.4f\n", critical)
	// Output:
	// the last room is counted
	// above a discount of 0.5000
}

func ExampleStructure_EndComponents() {
	b := sparse.NewBuilder(3)
	b.AddChoice(0, "swap", sparse.Branch{Target: 1, Probability: 1})
	b.AddChoice(1, "swap", sparse.Branch{Target: 0, Probability: 1})
	b.AddChoice(1, "risk", sparse.Branch{Target: 0, Probability: 0.5}, sparse.Branch{Target: 2, Probability: 0.5})
	m, err := b.Build()
	if err != nil {
		log.Fatal(err)
	}
	c := recurrence.NewStructure(m, 0).EndComponents()
	fmt.Println(c.Count(), "end component:", c.Members(0))
	// Output: 1 end component: [0 1]
}
