package bench

import (
	"context"
	"flag"
	"fmt"
	"testing"
	"time"

	"offswitch/recurrence"
	"offswitch/sparse"
)

var zzFam = flag.String("zzfam", "grid", "")
var zzSlip = flag.Float64("zzslip", .2, "")
var zzGamma = flag.Float64("zzgamma", .99, "")
var zzN = flag.Int("zzn", 100000, "")
var zzWidth = flag.Float64("zzwidth", .01, "")
var zzLimit = flag.Duration("zzlimit", 3*time.Minute, "")

func TestZZ(t *testing.T) {
	f, _ := Find(*zzFam)
	m, err := f.Generate(context.Background(), Options{States: *zzN, Slip: *zzSlip, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	l, _ := m.Label("new")
	s := l.First()
	begin := time.Now()
	st := recurrence.NewStructure(m, 0)
	st.EndComponents()
	v := recurrence.NewVisits(st, s, new(recurrence.Search).Forward(m, s))
	fmt.Println("prepared", time.Since(begin))
	ctx, cancel := context.WithTimeout(context.Background(), *zzLimit)
	defer cancel()
	last := ""
	var lastAt time.Time
	c, err := v.Count(ctx, recurrence.CountOptions{Discount: *zzGamma, Width: *zzWidth, Progress: func(p sparse.Progress) {
		if p.Stage != last || time.Since(lastAt) > 5*time.Second {
			fmt.Printf("%8v %s %d/%d\n", time.Since(begin).Round(time.Millisecond), p.Stage, p.Done, p.Total)
			last, lastAt = p.Stage, time.Now()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	a, b := recurrence.Interval(c.Paper)
	fmt.Println("paper", a, b, float64(b-a)/float64(b))
	a, b = recurrence.Interval(c.Extended)
	fmt.Println("extended", a, b, float64(b-a)/float64(b), time.Since(begin), c.Partial)
}
