package bench

import (
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"offswitch/bench/models"
	"offswitch/recurrence"
	"offswitch/sparse"
	"offswitch/sparse/umb"
)

var huge = flag.Int("huge", 0, "states of BenchmarkHuge; 100000000 take minutes and 5 GB of disk in $TMPDIR")

// Loading and decomposing a deterministic model from a UMB file. 10^8 states have to fit a machine
// with 24 GiB; the metric GiB is all memory that the process ever had.
func BenchmarkHuge(b *testing.B) {
	if *huge == 0 {
		b.Skip("only with -huge")
	}
	name := filepath.Join(b.TempDir(), "field.umb")
	save(b, name, models.Field(*huge, false))
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
		structure := recurrence.NewStructure(m, 0)
		stage("SCC", func() { structure.StronglyConnected() })
		stage("MEC", func() { structure.EndComponents() })
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
