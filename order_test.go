package offswitch_test

import (
	"encoding/json"
	"math/rand/v2"
	"testing"

	"offswitch"
	"offswitch/sparse"
)

// Whatever the order of the states, an analysis finds the same and tells it by the same names and
// numbers. (Witnesses may be others: any will do.)
func TestAnalysisDoesNotDependOnTheOrder(t *testing.T) {
	for _, path := range []string{"testdata/worked.drn", "testdata/coinrun.umb"} {
		m := load(t, path)
		report := func(m *sparse.MDP) string {
			r := analyze(t, offswitch.Question{Model: m, Discount: 0.7, Shutdown: offswitch.DefaultShutdown}).Report(0)
			for i := range r.Assumptions {
				r.Assumptions[i].Witness = ""
			}
			text, err := json.Marshal(r)
			if err != nil {
				t.Fatal(err)
			}
			return string(text)
		}
		want := report(m)
		for i := range uint64(5) {
			rng := rand.New(rand.NewPCG(*seed, i))
			order := make([]uint32, m.NumStates())
			for i, s := range rng.Perm(len(order)) {
				order[i] = uint32(s)
			}
			if got := report(m.Relabel(order)); got != want {
				t.Errorf("seed %d, %s in order %d:\n%s\nwant\n%s", *seed, path, i, got, want)
			}
		}
	}
}
