package bench

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/umb"
)

var huge = flag.Int("huge", 0, "states of BenchmarkHuge; 100000000 take minutes and 5 GB of disk in $TMPDIR")

// maze returns a square of width² cells with four moves that are certain. One cell in eight, picked
// at random, is a wall: no move leads into it or out of it, they all stay. So there are many
// strongly connected components, one of them with nearly all cells.
func maze(tb testing.TB, width uint32) *sparse.MDP {
	n := int(width) * int(width)
	walls := sparse.NewBitset(n)
	dice := newDice(1, "maze")
	for s := range uint32(n) {
		if dice.roll(uint64(s))%8 == 0 {
			walls.Set(s)
		}
	}
	p := sparse.Parts{ChoiceStart: make([]uint32, n+1), Target: make([]uint32, 4*n)}
	for s := range uint32(n) {
		p.ChoiceStart[s+1] = 4 * (s + 1)
		moves := p.Target[4*s : 4*s+4]
		for i := range moves {
			moves[i] = s
		}
		if walls.Has(s) {
			continue
		}
		move := func(i int, free bool, to uint32) {
			if free && !walls.Has(to) {
				moves[i] = to
			}
		}
		move(0, s%width < width-1, s+1)
		move(1, s/width < width-1, s+width)
		move(2, s%width > 0, s-1)
		move(3, s/width > 0, s-width)
	}
	m, err := sparse.New(p)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// Loading and decomposing a deterministic model from a UMB file. 10^8 states have to fit a machine
// with 24 GiB; the metric GiB is all memory that the process ever had.
func BenchmarkHuge(b *testing.B) {
	if *huge == 0 {
		b.Skip("only with -huge")
	}
	name := filepath.Join(b.TempDir(), "maze.umb")
	save(b, name, maze(b, uint32(math.Sqrt(float64(*huge)))))
	runtime.GC()
	for b.Loop() {
		var m *sparse.MDP
		stage := func(what string, do func()) {
			start := time.Now()
			bytes := allocated(do)
			n := float64(m.NumStates())
			b.ReportMetric(n/time.Since(start).Seconds(), what+"-states/s")
			b.ReportMetric(bytes/n, what+"-bytes/state")
		}
		stage("load", func() { m = load(b, name) })
		stage("SCC", func() { recurrence.StronglyConnected(m) })
		stage("MEC", func() { recurrence.EndComponents(m) })
		b.ReportMetric(float64(m.Bytes())/float64(m.NumStates()), "bytes/state")
	}
	b.ReportMetric(float64(memory().Sys)/(1<<30), "GiB")
}

func save(tb testing.TB, name string, m *sparse.MDP) {
	f, err := os.Create(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	if err := umb.Write(f, m); err != nil {
		tb.Fatal(err)
	}
}

func load(tb testing.TB, name string) *sparse.MDP {
	f, err := os.Open(name)
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	m, err := umb.Read(f)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}
