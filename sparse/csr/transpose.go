package csr

import "context"

// Rows is a graph over states: the edges of state s lead to Target[e] for e from
// ChoiceStart[s] to ChoiceStart[s+1]-1, or, unless BranchStart is nil, from BranchStart[ChoiceStart[s]] to
// BranchStart[ChoiceStart[s+1]]-1.
type Rows struct{ ChoiceStart, BranchStart, Target []uint32 }

// Transpose returns the other states with an edge to each state t: from[start[t]:start[t+1]], each
// once and in increasing order. take makes the two slices: of length states + 1, which is 4 bytes a
// state, and then of 4 bytes an entry; beside them it needs a bit a state. O(states + edges). When
// the context ends it returns nil.
//
// Each worker goes over all edges, but counts and writes only those into its stretch of targets, so
// the result does not depend on how many there are.
func Transpose(ctx context.Context, rows Rows, workers int, take func(n int) []uint32) (start, from []uint32) {
	n := len(rows.ChoiceStart) - 1
	// next[t] counts the sources of t, then it is where the next one goes, and in the end where those of t+1
	// begin.
	start = take(n + 1)
	start[0] = 0
	next := start[1:]
	clear(next)
	Share(workers, n, func(lo, hi uint32) { rows.sources(ctx, lo, hi, next, nil) })
	total := uint32(0)
	for t, count := range next {
		next[t], total = total, total+count
	}
	if ctx.Err() != nil {
		return nil, nil
	}
	from = take(int(total))
	Share(workers, n, func(lo, hi uint32) { rows.sources(ctx, lo, hi, next, from) })
	if ctx.Err() != nil {
		return nil, nil
	}
	return start, from
}

// checkEvery is how many states, or entries of one state, there are between looks at a context.
const checkEvery = 1 << 16

// fewEdges is the most edges of a state of which each is compared with those before it, which takes no
// memory. Tests make it small.
var fewEdges = 16

// sources goes over the edges into lo..hi-1 from other states, each pair of states once. It counts
// them in next, and unless from is nil writes the sources there, to where next says.
func (r *Rows) sources(ctx context.Context, lo, hi uint32, next, from []uint32) {
	var seen []uint64 // targets that the state at hand has led to, where it has many edges
	own := next[lo]   // when writing, what is written from there on is for these targets
	first := uint32(0)
	for s := range uint32(len(r.ChoiceStart) - 1) {
		if s%checkEvery == 0 && ctx.Err() != nil {
			return
		}
		end := r.ChoiceStart[s+1]
		if r.BranchStart != nil {
			end = r.BranchStart[end]
		}
		row := r.Target[first:end]
		first = end
		if len(row) > fewEdges {
			if seen == nil {
				seen = make([]uint64, (hi-lo+63)/64)
			}
			many(s, lo, hi, row, seen, next, from)
			continue
		}
		if from != nil {
			few(s, lo, hi, own, row, next, from)
			continue
		}
		met := uint64(0) // the last bits of the targets met
		for i, t := range row {
			if t-lo < hi-lo && t != s {
				if bit := uint64(1) << (t & 63); met&bit == 0 || !contains(row[:i], t) {
					met |= bit
					next[t]++
				}
			}
		}
	}
}

// few writes the sources of the targets of one state with few edges. Where the last source written is another
// one, the edge is the first from the state at hand to its target; otherwise that source may be of the
// target before, and the state's edges tell.
func few(s, lo, hi, own uint32, row, next, from []uint32) {
	for i, t := range row {
		if t-lo < hi-lo && t != s {
			if at := next[t]; at == own || from[at-1] != s || !contains(row[:i], t) {
				from[at] = s
				next[t]++
			}
		}
	}
}

func contains(row []uint32, t uint32) bool {
	for _, u := range row {
		if u == t {
			return true
		}
	}
	return false
}

// many does for one state with many edges what sources does. seen is empty before and after.
func many(s, lo, hi uint32, row []uint32, seen []uint64, next, from []uint32) {
	for _, t := range row {
		if at := t - lo; at < hi-lo && t != s && seen[at>>6]&(1<<(at&63)) == 0 {
			seen[at>>6] |= 1 << (at & 63)
			if from != nil {
				from[next[t]] = s
			}
			next[t]++
		}
	}
	for _, t := range row {
		if at := t - lo; at < hi-lo {
			seen[at>>6] = 0
		}
	}
}
