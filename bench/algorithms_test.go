package bench

import (
	"context"
	"math"
	"runtime"
	"testing"
	"time"

	"gonum.org/v1/gonum/graph/simple"
	"gonum.org/v1/gonum/graph/topo"

	"offswitch/recurrence"
	"offswitch/sparse"
)

// An operation prepares what is to be measured on a model, and returns what does it once; nil where
// it is not for that model.
type operation func(x *instance) (run func())

// sweep is one Bellman backup of every state on one core, the unit of numerical work.
func sweep(x *instance) func() {
	v, out := values(x), values(x)
	return func() { x.Backup(0, uint32(len(v)), 0.99, x.reward, nil, v, out) }
}

// edgeSweep is the same without probabilities, the unit of what looks at the branches alone.
func edgeSweep(x *instance) func() {
	v, out := values(x), values(x)
	if x.Deterministic() {
		return func() { greatest(x.ChoiceStarts(), x.AllTargets(), v, out) }
	}
	return func() { greatestSum(x.ChoiceStarts(), x.BranchStarts(), x.AllTargets(), v, out) }
}

// values returns a value for each state. They are written, because all pages of fresh memory are one
// and the same page of zeros until then, which is fast to read.
func values(x *instance) []float64 {
	v := make([]float64, x.NumStates())
	for s := range v {
		v[s] = 1
	}
	return v
}

func greatest(choiceStart, target []uint32, v, out []float64) {
	for s := range out {
		best := 0.0
		for _, t := range target[choiceStart[s]:choiceStart[s+1]] {
			if x := v[t]; x > best {
				best = x
			}
		}
		out[s] = best
	}
}

func greatestSum(choiceStart, branchStart, target []uint32, v, out []float64) {
	for s := range out {
		best := 0.0
		from := branchStart[choiceStart[s]]
		for c := choiceStart[s]; c < choiceStart[s+1]; c++ {
			to := branchStart[c+1]
			sum := 0.0
			for _, t := range target[from:to] {
				sum += v[t]
			}
			if sum > best {
				best = sum
			}
			from = to
		}
		out[s] = best
	}
}

// structural returns what answers a question about the model from the start, in the memory of the
// time before.
func structural(x *instance, answer func(r *recurrence.Structure)) func() {
	r := recurrence.NewStructure(x.MDP, 0)
	return func() {
		r.Reset(x.MDP)
		answer(r)
	}
}

func predecessors(x *instance) func() {
	return structural(x, func(r *recurrence.Structure) { r.Predecessors() })
}

func stronglyConnected(x *instance) func() {
	return structural(x, func(r *recurrence.Structure) { r.StronglyConnected() })
}

func endComponents(x *instance) func() {
	return structural(x, func(r *recurrence.Structure) { r.EndComponents() })
}

// almostSure is reaching one state, with everything that the answer needs.
func almostSure(x *instance) func() {
	target := single(x.MDP, x.target)
	return structural(x, func(r *recurrence.Structure) { r.AlmostSure(target) })
}

func forwardSearch(x *instance) func() {
	var search recurrence.Search
	return func() { search.Forward(x.MDP, x.start) }
}

func backwardSearch(x *instance) func() {
	before := recurrence.NewStructure(x.MDP, 0).Predecessors()
	var search recurrence.Search
	return func() { search.Backward(before, x.target) }
}

func solve(x *instance) func() { return solving(x, 0.99) }

func solving(x *instance, discount float64) func() {
	p := sparse.Problem{Discount: discount, States: x.reward}
	return func() {
		if _, err := x.Solve(context.Background(), p); err != nil {
			panic(err)
		}
	}
}

func count(x *instance) func() { return counting(x, 0.99) }

func explore(x *instance) func() { return x.again }

// gonumStates is the size of the largest models for gonum. Beyond, it takes minutes and gigabytes, and
// on a path of 10^7 states its recursion would need more stack than there is.
const gonumStates = 1_500_000

// gonumTarjan is gonum's decomposition of the same graph into strongly connected components, on maps
// and with recursion. The order of states is nothing to it.
func gonumTarjan(x *instance) func() {
	if x.order != local || x.NumStates() > gonumStates {
		return nil
	}
	g := simple.NewDirectedGraph()
	for s := range uint32(x.NumStates()) {
		for _, t := range x.Successors(s) {
			if s != t {
				g.SetEdge(g.NewEdge(simple.Node(s), simple.Node(t)))
			}
		}
	}
	return func() { topo.TarjanSCC(g) }
}

func plain(x *instance) func() {
	return func() { plainTarjan(x.MDP) }
}

func BenchmarkSweep(b *testing.B)             { measure(b, sweep, sweep) }
func BenchmarkEdgeSweep(b *testing.B)         { measure(b, edgeSweep, sweep) }
func BenchmarkPredecessors(b *testing.B)      { measure(b, predecessors, edgeSweep) }
func BenchmarkStronglyConnected(b *testing.B) { measure(b, stronglyConnected, edgeSweep) }
func BenchmarkEndComponents(b *testing.B)     { measure(b, endComponents, edgeSweep) }
func BenchmarkAlmostSure(b *testing.B)        { measure(b, almostSure, edgeSweep) }
func BenchmarkForward(b *testing.B)           { measure(b, forwardSearch, edgeSweep) }
func BenchmarkBackward(b *testing.B)          { measure(b, backwardSearch, edgeSweep) }
func BenchmarkSolve(b *testing.B)             { measure(b, solve, sweep) }
func BenchmarkCount(b *testing.B)             { measure(b, count, edgeSweep) }
func BenchmarkExplore(b *testing.B)           { measure(b, explore, edgeSweep) }
func BenchmarkPlainTarjan(b *testing.B)       { measure(b, plain, edgeSweep) }
func BenchmarkGonumTarjan(b *testing.B)       { measure(b, gonumTarjan, edgeSweep) }

// measure reports what an operation costs on every instance, also as a multiple of a unit timed on the
// same model right before.
func measure(b *testing.B, of, unit operation) {
	everyInstance(b, func(b *testing.B, x *instance) {
		run := of(x)
		if run == nil {
			b.SkipNow()
		}
		one := fastest(unit(x))
		extra := allocated(run)
		for b.Loop() {
			run()
		}
		each := b.Elapsed().Seconds() / float64(b.N)
		n := float64(x.NumStates())
		b.ReportMetric(n/each, "states/s")
		b.ReportMetric(float64(x.NumBranches())/each, "branches/s")
		b.ReportMetric(float64(x.Bytes())/n, "bytes/state")
		b.ReportMetric(extra/n, "extra-bytes/state")
		b.ReportMetric(each/one.Seconds(), "sweeps")
	})
}

// fastest returns the time of the fastest of several runs: three, fewer where they take seconds and
// more where they take less than milliseconds.
func fastest(run func()) time.Duration {
	least, spent := time.Duration(math.MaxInt64), time.Duration(0)
	for i := 0; i < 3 && spent < time.Second || i < 100 && spent < 10*time.Millisecond; i++ {
		start := time.Now()
		run()
		took := time.Since(start)
		least = min(least, took)
		spent += took
	}
	return least
}

// allocated returns how many bytes run allocates, freed ones included.
func allocated(run func()) float64 {
	before := memory().TotalAlloc
	run()
	return float64(memory().TotalAlloc - before)
}

func memory() *runtime.MemStats {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return &s
}
