package bench

import (
	"flag"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"offswitch/sparse"
)

var write = flag.String("write", "", "measure the tables of README.md with names that match `REGEXP` anew, at sizes up to -largest, and write them there")

const readme = "README.md"

// TestTable fills in the tables of README.md.
func TestTable(t *testing.T) {
	if *write == "" {
		t.Skip("only with -write")
	}
	wanted, err := regexp.Compile(*write)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	out := string(text)
	for _, table := range []struct {
		name string
		rows func(t *testing.T) string
	}{
		{"families", familyTable},
		{"public", publicTable},
		{"growth", growthTable},
		{"order", orderTable},
		{"solve", solveTable},
		{"counts", countTable},
		{"certified", certifiedTable},
		{"files", filesTable},
		{"goals", goalSetTable},
		{"others", othersTable},
		{"conflicts", conflictTable},
		{"member", memberTable},
		{"extremes", extremesTable},
		{"features", featuresTable},
	} {
		if !wanted.MatchString(table.name) {
			continue
		}
		start, end := fmt.Sprintf("<!-- %s -->\n", table.name), fmt.Sprintf("<!-- end of %s -->\n", table.name)
		before, rest, ok := strings.Cut(out, start)
		_, after, closed := strings.Cut(rest, end)
		if !ok || !closed {
			t.Fatalf("%s has no lines %q and %q", readme, start, end)
		}
		out = before + start + table.rows(t) + end + after
	}
	if err := os.WriteFile(readme, []byte(out), 0o666); err != nil {
		t.Fatal(err)
	}
}

// familyTable measures the families of this package at the largest size, and some of them scattered.
func familyTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| family | states | order | bytes/state | sweep, ns/state | edge sweep, ns/state | predecessors | plain Tarjan | SCC | MEC | almost sure | SCC, states/s | MEC, states/s | explore, states/s | SCC, MEC bytes/state |")
	fmt.Fprintln(&b, "|---|--:|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
	for _, row := range []struct{ family, order string }{
		{"grid", local}, {"grid", scattered}, {"slipgrid", local}, {"slipgrid", scattered},
		{"random", local}, {"random", scattered}, {"ring", local}, {"chain", local}, {"coinrun", local}, {"components", local},
	} {
		x := instanceOf(t, subjectOf(t, row.family), *largest, row.order)
		n := float64(x.NumStates())
		seconds := func(of operation) float64 { return fastest(of(x)).Seconds() }
		edges := seconds(edgeSweep)
		fmt.Fprintf(&b, "| %s | %.0f | %s | %.0f |", row.family, n, row.order, float64(x.Bytes())/n)
		fmt.Fprintf(&b, " %.1f | %.1f |", seconds(sweep)/n*1e9, edges/n*1e9)
		scc, mec := seconds(stronglyConnected), seconds(endComponents)
		for _, took := range []float64{seconds(predecessors), seconds(plain), scc, mec, seconds(almostSure)} {
			fmt.Fprintf(&b, " %.1f |", took/edges)
		}
		fmt.Fprintf(&b, " %.1f M | %.1f M |", n/scc/1e6, n/mec/1e6)
		if row.order == local {
			fmt.Fprintf(&b, " %.1f M |", n/seconds(explore)/1e6)
		} else {
			fmt.Fprint(&b, " |")
		}
		fmt.Fprintf(&b, " %.0f, %.0f |\n", allocated(stronglyConnected(x))/n, allocated(endComponents(x))/n)
	}
	return b.String()
}

// orderTable measures sweeps of scattered grids, and what it takes to bring those into order.
func orderTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| family | states | sweep scattered, ns/state | breadth first | reverse Cuthill-McKee | finding these orders, in scattered sweeps | relabelling |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|--:|--:|--:|")
	for _, family := range []string{"grid", "slipgrid"} {
		x := instanceOf(t, subjectOf(t, family), *largest, local)
		m := x.MDP.Relabel(atRandom(x.MDP))
		n := float64(m.NumStates())
		ordered := func(order []uint32) float64 { return fastest(sweep(newInstance(m.Relabel(order)))).Seconds() / n * 1e9 }
		var near, narrow []uint32
		scatter := fastest(sweep(newInstance(m))).Seconds()
		breadth := fastest(func() { near = sparse.BreadthFirst(m) }).Seconds()
		mckee := fastest(func() { narrow = sparse.CuthillMcKee(m) }).Seconds()
		relabel := fastest(func() { m.Relabel(near) }).Seconds()
		fmt.Fprintf(&b, "| %s | %.0f | %.1f | %.1f | %.1f | %.1f, %.1f | %.1f |\n", family, n, scatter/n*1e9, ordered(near), ordered(narrow), breadth/scatter, mckee/scatter, relabel/scatter)
	}
	return b.String()
}

// solveTable measures certified solving, at up to a million states.
func solveTable(t *testing.T) string {
	discounts := []float64{0.9, 0.99, 0.999}
	var b strings.Builder
	b.WriteString("| family | states |")
	for _, discount := range discounts {
		fmt.Fprintf(&b, " γ = %v | sweeps |", discount)
	}
	fmt.Fprintf(&b, "\n|---|--:|%s\n", strings.Repeat("--:|--:|", len(discounts)))
	for _, family := range []string{"coinrun", "slipcoinrun", "grid", "slipgrid", "random", "ring", "chain", "components"} {
		x := instanceOf(t, subjectOf(t, family), min(*largest, 1_000_000), local)
		fmt.Fprintf(&b, "| %s | %d |", family, x.NumStates())
		unit := fastest(sweep(x)).Seconds()
		for _, discount := range discounts {
			took := fastest(solving(x, discount)).Seconds()
			fmt.Fprintf(&b, " %.2f s | %.0f |", took, took/unit)
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// filesTable measures reading and writing a slip grid, at up to a million states.
func filesTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| format | size | read | write |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|")
	x := instanceOf(t, subjectOf(t, "slipgrid"), min(*largest, 1_000_000), local)
	for _, f := range formats {
		files, size := encode(t, f, x.MDP)
		rate := func(run func() error) float64 {
			return float64(size) / 1e6 / fastest(func() {
				if err := run(); err != nil {
					t.Fatal(err)
				}
			}).Seconds()
		}
		reading := rate(func() error {
			_, err := f.read(files)
			return err
		})
		writing := rate(func() error { return f.write(discard, x.MDP) })
		fmt.Fprintf(&b, "| %s | %d MB | %.0f MB/s | %.0f MB/s |\n", f.name, size/1_000_000, reading, writing)
	}
	return b.String()
}

// subjectOf returns the subject of that name.
func subjectOf(tb testing.TB, name string) subject {
	all := subjects()
	i := slices.IndexFunc(all, func(s subject) bool { return s.name == name })
	if i < 0 {
		tb.Fatalf("no subject is called %q", name)
	}
	return all[i]
}

// publicTable measures the models that Storm 1.14 was measured on.
func publicTable(t *testing.T) string {
	var b strings.Builder
	fmt.Fprintln(&b, "| public model | states / choices / branches | predecessors: Storm, here | SCC: Storm, here | MEC: Storm, here |")
	fmt.Fprintln(&b, "|---|--:|--:|--:|--:|")
	for _, public := range []struct {
		name                   string
		predecessors, scc, mec float64 // Storm's seconds
	}{
		{"philosophers", 0.17, 0.72, 0.78},
		{"coin", 0.14, 0.59, 1.24},
		{"rooms", 0.21, 0.34, 1.43},
	} {
		x := instanceOf(t, subjectOf(t, public.name), 1_000_000, local)
		fmt.Fprintf(&b, "| %s | %d / %d / %d |", public.name, x.NumStates(), x.NumChoices(), x.NumBranches())
		for _, storm := range []struct {
			seconds float64
			of      operation
		}{{public.predecessors, predecessors}, {public.scc, stronglyConnected}, {public.mec, endComponents}} {
			fmt.Fprintf(&b, " %.2f s, %.3f s |", storm.seconds, fastest(storm.of(x)).Seconds())
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}

// growths are what growth measures.
var growths = []struct {
	name string
	of   operation
}{
	{"edge sweep", edgeSweep},
	{"SCC", stronglyConnected},
	{"MEC", endComponents},
}

// growth returns the log-log slopes of time over states, for each of growths, from 100,000 states to
// the largest size: 1 is linear. Smaller models fit into caches and are used only when there are no
// two sizes else.
func growth(tb testing.TB, s subject) []float64 {
	var states []float64
	took := make([][]float64, len(growths))
	for size := min(100_000, s.limit()/10); size <= s.limit(); size *= 10 {
		x := instanceOf(tb, s, size, local)
		states = append(states, float64(x.NumStates()))
		for i, g := range growths {
			took[i] = append(took[i], fastest(g.of(x)).Seconds())
		}
	}
	slopes := make([]float64, len(growths))
	for i := range slopes {
		slopes[i] = slope(states, took[i])
	}
	return slopes
}

// slope returns the slope of the line that fits the logarithms of y over those of x best.
func slope(x, y []float64) float64 {
	var meanX, meanY, above, below float64
	n := float64(len(x))
	for i := range x {
		meanX += math.Log(x[i]) / n
		meanY += math.Log(y[i]) / n
	}
	for i := range x {
		dx := math.Log(x[i]) - meanX
		above += dx * (math.Log(y[i]) - meanY)
		below += dx * dx
	}
	return above / below
}

func BenchmarkGrowth(b *testing.B) {
	for _, s := range subjects() {
		b.Run(s.name, func(b *testing.B) {
			var slopes []float64
			for b.Loop() {
				slopes = growth(b, s)
			}
			for i, g := range growths {
				b.ReportMetric(slopes[i], strings.ReplaceAll(g.name, " ", "-")+"-slope")
			}
		})
	}
}

// growthTable measures growth, and gonum beside ours where it takes seconds.
func growthTable(t *testing.T) string {
	var b strings.Builder
	b.WriteString("| family |")
	for _, g := range growths {
		fmt.Fprintf(&b, " %s |", g.name)
	}
	fmt.Fprintf(&b, " gonum |\n|---|%s--:|\n", strings.Repeat("--:|", len(growths)))
	for _, s := range subjects() {
		fmt.Fprintf(&b, "| %s |", s.name)
		for _, slope := range growth(t, s) {
			fmt.Fprintf(&b, " %.2f |", slope)
		}
		x := instanceOf(t, s, 100_000, local)
		fmt.Fprintf(&b, " %.0f× |\n", fastest(gonumTarjan(x)).Seconds()/fastest(stronglyConnected(x)).Seconds())
	}
	return b.String()
}
