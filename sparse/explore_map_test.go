package sparse_test

import (
	"context"
	"fmt"
	"strconv"
	"testing"

	"offswitch/sparse"
	"offswitch/sparse/internal/modeltest"
)

// tangle is an environment of states 0 to size-1, which S stands for in some way: with terminal
// states, choices of one branch and of several, targets near and far.
type tangle[S comparable] struct {
	size, seed uint64
	of         func(x uint64) S
	number     func(s S) uint64
	chain      bool // every state leads to the next only
}

func (e tangle[S]) dice(x uint64) uint64 {
	x = (x + e.seed + 1) * 0x9e3779b97f4a7c15
	x = (x ^ x>>29) * 0xbf58476d1ce4e5b9
	return x ^ x>>32
}

func (e tangle[S]) Start() []S        { return []S{e.of(3 % e.size), e.of(0), e.of(3 % e.size)} }
func (e tangle[S]) Actions() []string { return []string{"go", "", "jump", "stay"} }
func (e tangle[S]) Choices(s S, dst []int) []int {
	if e.chain {
		return append(dst, 0)
	}
	for i := range e.dice(e.number(s)) >> 8 % 5 {
		dst = append(dst, int(i%4))
	}
	return dst
}

func (e tangle[S]) Distribution(s S, i int, dst []sparse.Outcome[S]) []sparse.Outcome[S] {
	x := e.number(s)
	if e.chain {
		return append(dst, sparse.Outcome[S]{State: e.of((x + 1) % e.size), Probability: 1})
	}
	roll := e.dice(x*8 + uint64(i))
	probabilities := [][]float64{{1}, {0.5, 0.5}, {0.25, 0.5, 0.25}}[roll%3]
	for k, p := range probabilities {
		target := (x + uint64(k) + roll>>4%3) % e.size
		if roll>>8%4 == 0 {
			target = e.dice(roll+uint64(k)) % e.size
		}
		dst = append(dst, sparse.Outcome[S]{State: e.of(target), Probability: p})
	}
	return dst
}

func (e tangle[S]) notes() sparse.Annotations[S] {
	return sparse.Annotations[S]{
		Variables: []sparse.Variable{sparse.IntRange("x", 0, int64(e.size))},
		Values:    func(s S, dst []uint64) { dst[0] = e.number(s) },
		Labels:    []string{"odd", "all"},
		Holds:     func(s S, label int) bool { return label == 1 || e.number(s)%2 == 1 },
		Rewards:   []string{"r"},
		Earns:     func(s S, _ int) float64 { return float64(e.number(s) % 7) },
	}
}

// slowly explores with a map.
func (e tangle[S]) slowly(t *testing.T) *sparse.MDP {
	var order []S
	index := make(map[S]uint32)
	visit := func(s S) uint32 {
		if _, ok := index[s]; !ok {
			index[s] = uint32(len(order))
			order = append(order, s)
		}
		return index[s]
	}
	for _, s := range e.Start() {
		visit(s)
	}
	starts := len(order)
	for i := 0; i < len(order); i++ {
		for k := range e.Choices(order[i], nil) {
			for _, o := range e.Distribution(order[i], k, nil) {
				visit(o.State)
			}
		}
	}
	notes := e.notes()
	b := sparse.NewBuilder(len(order))
	v, err := sparse.NewValuation(notes.Variables)
	if err != nil {
		t.Fatal(err)
	}
	b.Label("odd")
	b.Label("all")
	for i, s := range order {
		i, x := uint32(i), e.number(s)
		for k, action := range e.Choices(s, nil) {
			b.StartChoice(i, e.Actions()[action])
			for _, o := range e.Distribution(s, k, nil) {
				b.AddBranch(index[o.State], o.Probability)
			}
		}
		if int(i) < starts {
			b.SetInitial(i)
		}
		if x%2 == 1 {
			b.Label("odd", i)
		}
		b.Label("all", i)
		b.StateReward("r", i, float64(x%7))
		v.Append([]uint64{x})
	}
	b.SetNames(v)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// explores checks that Explore makes the model that the map makes, whatever the number of workers
// and of states expected.
func explores[S comparable](t *testing.T, name string, e tangle[S]) {
	t.Run(fmt.Sprintf("%s/%d/%d", name, e.size, e.seed), func(t *testing.T) {
		want := e.slowly(t)
		n := want.NumStates()
		for i, s := range sparse.BreadthFirst(want) {
			if s != uint32(i) {
				t.Fatalf("state %d comes %dth in breadth-first order", s, i)
			}
		}
		for i, expect := range []int{0, 1, n, n / 2, 3 * n} {
			o := sparse.ExploreOptions{Workers: 1 + i%3, Expect: expect, MaxStates: n}
			got, err := sparse.Explore(context.Background(), e, e.notes(), o)
			if err != nil {
				t.Fatal(err)
			}
			if want.Hash() != got.Hash() {
				t.Fatalf("%+v: another model", o)
			}
			if e.size > 1000 {
				continue // a full comparison takes long
			}
			if d := modeltest.Diff(want, got); d != "" {
				t.Fatalf("%+v: %s", o, d)
			}
		}
		o := sparse.ExploreOptions{MaxStates: n - 1}
		if _, err := sparse.Explore(context.Background(), e, e.notes(), o); n > 1 && err == nil {
			t.Errorf("no error beyond %d states", n-1)
		}
	})
}

func TestExploreAgainstAMap(t *testing.T) {
	type pair struct {
		high int8
		low  uint16
	}
	for _, size := range []uint64{1, 2, 50, 1000} {
		for seed := range uint64(2) {
			explores(t, "uint64", tangle[uint64]{size, seed, func(x uint64) uint64 { return x }, func(s uint64) uint64 { return s }, false})
			explores(t, "multiples", tangle[int64]{size, seed, func(x uint64) int64 { return -int64(x << 20) }, func(s int64) uint64 { return uint64(-s) >> 20 }, false})
			explores(t, "uint32", tangle[uint32]{size, seed, func(x uint64) uint32 { return uint32(x) << 3 }, func(s uint32) uint64 { return uint64(s) >> 3 }, false})
		}
		explores(t, "uint16", tangle[uint16]{size, 0, func(x uint64) uint16 { return uint16(x) }, func(s uint16) uint64 { return uint64(s) }, false})
		explores(t, "struct", tangle[pair]{size, 0,
			func(x uint64) pair { return pair{int8(x >> 10), uint16(x & 1023)} },
			func(s pair) uint64 { return uint64(s.high)<<10 | uint64(s.low) }, false})
		explores(t, "string", tangle[string]{size, 0,
			func(x uint64) string { return strconv.FormatUint(x, 36) },
			func(s string) uint64 { x, _ := strconv.ParseUint(s, 36, 64); return x }, false})
	}
	explores(t, "chain", tangle[uint64]{3000, 0, func(x uint64) uint64 { return x }, func(s uint64) uint64 { return s }, true})
	explores(t, "many", tangle[uint64]{40_000, 0, func(x uint64) uint64 { return x }, func(s uint64) uint64 { return s }, false})
}
