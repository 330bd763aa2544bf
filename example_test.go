package offswitch_test

import (
	"context"
	"fmt"
	"log"

	"offswitch"
	"offswitch/sparse/file"
)

// How the command offswitch analyze asks its question.
func Example() {
	ctx := context.Background()
	m, _, err := file.Read(ctx, "testdata/worked.drn")
	if err != nil {
		log.Fatal(err)
	}
	m, _ = offswitch.TakeTerminals(m, offswitch.DefaultShutdown)
	question := offswitch.Question{Model: m, Discount: 0.6}
	training, err := offswitch.Train(ctx, question)
	if err != nil {
		log.Fatal(err)
	}
	setting, err := offswitch.NewSetting(context.Background(), question, training)
	if err != nil {
		log.Fatal(err)
	}
	a, err := setting.Analyze(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("the theorem applies: %v, n = %d\n", a.Applies, a.N)
	for s, verdict := range a.Counts.Extended {
		if setting.Reach.Reached.Has(uint32(s)) {
			fmt.Printf("%s is %v\n", m.StateName(uint32(s)), verdict)
		}
	}
	// Output:
	// the theorem applies: yes, n = 3
	// door is not counted
	// off is not counted
	// a is counted
	// b is counted
	// c is not counted
	// d is counted
	// pit is not counted
}
