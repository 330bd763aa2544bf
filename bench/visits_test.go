package bench

import (
	"context"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strings"
	"testing"
	"time"

	"offswitch/recurrence"
)

// counting counts visits where every move is certain, which is exact; structure and search are there.
func counting(x *instance, discount float64) func() {
	if !x.Deterministic() {
		return nil
	}
	structure, reach := recurrence.NewStructure(x.MDP, 0), new(recurrence.Search).Forward(x.MDP, x.start)
	return func() {
		visits := recurrence.NewVisits(structure, x.start, reach)
		if _, err := visits.Count(context.Background(), recurrence.CountOptions{Discount: discount}); err != nil {
			panic(err)
		}
	}
}

// preparing is finding what counting asks of the structure.
func preparing(x *instance) func() {
	return structural(x, func(r *recurrence.Structure) {
		r.Predecessors()
		r.EndComponents()
	})
}

// countTable measures exact counts where every move is certain.
func countTable(t *testing.T) string {
	discounts := []float64{0.9, 0.99, 0.999, 0.9999, 0.99999, 0.999999}
	var b strings.Builder
	b.WriteString("| family | states | edge sweep, ms | search | structure |")
	for _, discount := range discounts {
		fmt.Fprintf(&b, " γ = %v |", discount)
	}
	fmt.Fprintf(&b, " bytes/state |\n|---|%s\n", strings.Repeat("--:|", 5+len(discounts)))
	for _, family := range []string{"grid", "field", "ring", "chain", "coinrun"} {
		x := instanceOf(t, subjectOf(t, family), *largest, local)
		unit := fastest(edgeSweep(x)).Seconds()
		fmt.Fprintf(&b, "| %s | %d | %.1f |", family, x.NumStates(), unit*1e3)
		for _, of := range []operation{forwardSearch, preparing} {
			fmt.Fprintf(&b, " %.1f |", fastest(of(x)).Seconds()/unit)
		}
		most := 0.0
		for _, discount := range discounts {
			run := counting(x, discount)
			run() // the structure is found now
			fmt.Fprintf(&b, " %.1f |", fastest(run).Seconds()/unit)
			most = max(most, highest(run))
		}
		fmt.Fprintf(&b, " %.0f |\n", most/float64(x.NumStates()))
	}
	return b.String()
}

// certifiedTime is how long a certified count may take.
const certifiedTime = 3 * time.Minute

// certifiedRow is what certified counts are measured on: a family at up to so many states.
type certifiedRow struct {
	family   string
	states   int
	discount float64
}

var certifiedRows = []certifiedRow{
	{"slipgrid", 1_000_000, 0.99}, {"slipgrid", 1_000_000, 0.999},
	{"slipcoinrun", 1_000_000, 0.99}, {"slipcoinrun", 1_000_000, 0.999},
	{"components", 800_000, 0.99}, // 10^5 end components in the new situation
}

func (r *certifiedRow) instance(tb testing.TB) *instance {
	return instanceOf(tb, subjectOf(tb, r.family), min(*largest, r.states), local)
}

// certify counts with everything that it takes, until the time is over.
func (r *certifiedRow) certify(x *instance) *recurrence.Counts {
	ctx, cancel := context.WithTimeout(context.Background(), certifiedTime)
	defer cancel()
	reach := new(recurrence.Search).Forward(x.MDP, x.start)
	visits := recurrence.NewVisits(recurrence.NewStructure(x.MDP, 0), x.start, reach)
	counts, err := visits.Count(ctx, recurrence.CountOptions{Discount: r.discount, Width: 0.01})
	if err != nil {
		panic(err)
	}
	return counts
}

// certifiedTable measures certified counts where moves are a matter of chance.
func certifiedTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| family | states | γ | time | n (paper) | width | n (extended) | width | memory |\n")
	b.WriteString("|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, row := range certifiedRows {
		x := row.instance(t)
		var counts *recurrence.Counts
		var took time.Duration
		memory := highest(func() {
			start := time.Now()
			counts = row.certify(x)
			took = time.Since(start)
		})
		fmt.Fprintf(&b, "| %s | %d | %v | %.1f s |", row.family, x.NumStates(), row.discount, took.Seconds())
		for _, verdicts := range [][]recurrence.Verdict{counts.Paper, counts.Extended} {
			lower, upper := recurrence.Interval(verdicts)
			fmt.Fprintf(&b, " %d to %d | %.2g%% |", lower, upper, 100*relativeWidth(lower, upper))
		}
		fmt.Fprintf(&b, " %.0f MB |\n", memory/1e6)
	}
	return b.String()
}

// relativeWidth returns how far apart the bounds of a count are, relative to the upper one.
func relativeWidth(lower, upper int) float64 { return float64(upper-lower) / float64(max(upper, 1)) }

// BenchmarkCertified counts on the models of the table, at most as large as the other benchmarks' models.
func BenchmarkCertified(b *testing.B) {
	for _, row := range certifiedRows {
		b.Run(fmt.Sprintf("%s/%v", row.family, row.discount), func(b *testing.B) {
			x := row.instance(b)
			var counts *recurrence.Counts
			for b.Loop() {
				counts = row.certify(x)
			}
			lower, upper := recurrence.Interval(counts.Extended)
			b.ReportMetric(float64(x.NumStates())*float64(b.N)/b.Elapsed().Seconds(), "states/s")
			b.ReportMetric(float64(lower), "lower")
			b.ReportMetric(100*relativeWidth(lower, upper), "width-%")
		})
	}
}

// highest returns how many bytes there are on the heap while run goes on, at most, beyond those before,
// what is no longer used but not yet collected included.
func highest(run func()) float64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	read := func() float64 {
		metrics.Read(sample)
		return float64(sample[0].Value.Uint64())
	}
	runtime.GC()
	before := read()
	done, most := make(chan struct{}), make(chan float64)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		high := before
		for {
			select {
			case <-tick.C:
				high = max(high, read())
			case <-done:
				most <- max(high, read())
				return
			}
		}
	}()
	run()
	close(done)
	return <-most - before
}
