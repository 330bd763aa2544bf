package interior

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
)

// factor is the Cholesky factor L of normal equations N = AᵀWA + D, whose columns are in the order of
// elimination. Columns with the same structure make a supernode; its part of L is a dense block of
// k columns and, below the diagonal, one row for each of rows. The method is multifrontal (Duff and Reid
// 1983): each supernode adds up its rows of N and what its children in the elimination tree leave
// to it, eliminates its columns, and leaves the rest to its parent.
//
// Subtrees are independent, and are shared out among the workers; what is above them is eliminated by
// all workers together. Sums are made in the same order whatever the number of workers.
type factor struct {
	rows    *matrix  // A, its columns in the order of elimination
	columns *pattern // of its transpose

	first  []uint32   // the first column of each supernode, and the number of columns
	below  [][]uint32 // rows below the diagonal block of each, increasing
	parent []int32    // -1: none
	child  [][]int32  // increasing
	block  [][]float64
	size   int // entries of all blocks

	above    []bool      // supernodes that are too much work for one worker
	subtrees []subtree   // of the others, in decreasing order of work
	top      []int32     // the supernodes above them, increasing
	pending  [][]float64 // what subtrees leave to top supernodes; nil for others
	fronts   []*front    // one for each worker
	workers  int

	ctx      context.Context // of the elimination at hand
	weight   []float64       // W
	diagonal []float64       // D
}

// subtree is a range of supernodes, the last of which is its root.
type subtree struct {
	lo, hi int32
	work   float64
}

const (
	// pivotTolerance is the least share of a diagonal entry of N that elimination is believed to leave of
	// it; less is rounding error.
	pivotTolerance = 1e-14
	// panel is the number of columns that are eliminated together.
	panel = 48
	// parallelWork is the least number of multiplications that are worth sharing out.
	parallelWork = 1 << 20
	// mostFactor is the greatest size of the factor: 4 GB.
	mostFactor = 1 << 29
	// subtreeShare is the share of all work, one in so many, that makes a subtree too large to be one task.
	subtreeShare = 12
	// muchMemory is a number of entries that is worth a garbage collection.
	muchMemory = 1 << 22
	// checkEvery is the number of columns after which to see whether the context has ended.
	checkEvery = 1 << 10
)

// newFactor finds the structure of the factor, which then has to be allocated. The columns of A must be in
// the order of elimination. It fails when the factor is too large, or the context ends.
func newFactor(ctx context.Context, rows *matrix, columns *pattern, workers int) (*factor, error) {
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	f := &factor{rows: rows, columns: columns, workers: workers}
	if err := f.structure(ctx); err != nil {
		return nil, err
	}
	f.plan()
	return f, nil
}

// eliminationTree returns the parent of each column of AᵀA, -1 for roots (Liu 1986), when columns are
// eliminated in an order, in terms of which the parents are; nil: as they are.
func eliminationTree(rows int, columns *pattern, order []uint32) []int32 {
	n := columns.rows()
	parent, ancestor := make([]int32, n), make([]int32, n)
	last := make([]int32, rows) // the last column of each row so far, -1 for none
	for i := range last {
		last[i] = -1
	}
	for j := range int32(n) {
		parent[j], ancestor[j] = -1, -1
		column := int(j)
		if order != nil {
			column = int(order[j])
		}
		for _, i := range columns.in(column) {
			for k := last[i]; k != -1 && k < j; {
				next := ancestor[k]
				ancestor[k] = j
				if next == -1 {
					parent[k] = j
				}
				k = next
			}
			last[i] = j
		}
	}
	return parent
}

// postorder returns the vertices of a forest such that subtrees are consecutive and end in their roots,
// children in increasing order.
func postorder(parent []int32) []uint32 {
	n := len(parent)
	head, next := make([]int32, n+1), make([]int32, n) // children of n are the roots
	for i := range head {
		head[i] = -1
	}
	for v := n - 1; v >= 0; v-- {
		p := parent[v]
		if p < 0 {
			p = int32(n)
		}
		next[v], head[p] = head[p], int32(v)
	}
	order := make([]uint32, 0, n)
	var stack []int32
	for root := head[n]; root >= 0; root = next[root] {
		stack = append(stack, root)
		for len(stack) > 0 {
			v := stack[len(stack)-1]
			if c := head[v]; c >= 0 {
				head[v] = next[c]
				stack = append(stack, c)
				continue
			}
			stack = stack[:len(stack)-1]
			order = append(order, uint32(v))
		}
	}
	return order
}

// structure finds the supernodes. The columns are in postorder.
func (f *factor) structure(ctx context.Context) error {
	n := f.columns.rows()
	parent := eliminationTree(f.rows.rows(), f.columns, nil)
	kept := make([][]uint32, n) // rows below each column, kept for the last columns of supernodes
	var list []uint32           // those of the column at hand
	count := make([]int, n)
	entries := 0
	mark := make([]int32, n)
	child, sibling := make([]int32, n), make([]int32, n) // the last child, and the one before
	for j := range n {
		child[j], sibling[j] = -1, -1
	}
	for j, p := range parent {
		if p >= 0 {
			sibling[j], child[p] = child[p], int32(j)
		}
	}
	starts := make([]bool, n+1) // columns that begin a supernode
	starts[n] = true
	for j := range n {
		mark[j] = int32(j) + 1
		list = list[:0]
		add := func(others []uint32) {
			for _, u := range others {
				if u > uint32(j) && mark[u] != int32(j)+1 {
					mark[u] = int32(j) + 1
					list = append(list, u)
				}
			}
		}
		for _, i := range f.columns.in(j) {
			if others := f.rows.in(int(i)); others[0] == uint32(j) {
				add(others)
			}
		}
		for c := child[j]; c >= 0; c = sibling[c] {
			add(kept[c])
		}
		if entries += len(list) + 1; entries > mostFactor {
			return fmt.Errorf("interior point: the Cholesky factor of %d columns would take more than %d GB of memory", n, mostFactor>>27)
		}
		if j%checkEvery == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		count[j] = len(list)
		starts[j] = true
		if c := child[j]; c >= 0 && sibling[c] < 0 && int(c) == j-1 && count[c] == len(list)+1 {
			starts[j] = false
			kept[j], kept[c] = append(kept[c][:0], list...), nil
		} else {
			kept[j] = slices.Clone(list)
		}
	}
	f.amalgamate(starts, parent, count)
	supernode := make([]int32, n)
	for j := range n {
		if starts[j] {
			f.first = append(f.first, uint32(j))
		}
		supernode[j] = int32(len(f.first) - 1)
	}
	f.first = append(f.first, uint32(n))
	total := len(f.first) - 1
	f.below, f.parent, f.child = make([][]uint32, total), make([]int32, total), make([][]int32, total)
	for s := range total {
		end := f.first[s+1] - 1
		f.below[s] = kept[end]
		slices.Sort(f.below[s])
		f.parent[s] = -1
		if p := parent[end]; p >= 0 {
			f.parent[s] = supernode[p]
			f.child[supernode[p]] = append(f.child[supernode[p]], int32(s))
		}
	}
	return nil
}

// amalgamate joins a supernode and its last child where few zeros are stored for that: small blocks
// cost more than a few zeros do. A supernode's structure is then that of its last column.
func (f *factor) amalgamate(starts []bool, parent []int32, count []int) {
	n := len(parent)
	begin := make([]int, 0, n) // of the supernodes so far
	zeros := make([]int, 0, n)
	for j := 0; j < n; {
		end := j + 1
		for !starts[end] {
			end++
		}
		begin, zeros = append(begin, j), append(zeros, 0)
		for len(begin) > 1 {
			k := len(begin) - 1
			at := begin[k]
			if int(parent[at-1]) < at || int(parent[at-1]) >= end {
				break
			}
			left, right := at-begin[k-1], end-at
			more := left * (right + count[end-1] - count[at-1])
			extra := zeros[k-1] + zeros[k] + more
			width := left + right
			stored := width*(width+1)/2 + width*count[end-1]
			share := float64(extra) / float64(stored)
			if !(width <= 4 || width <= 16 && share < 0.5 || width <= 48 && share < 0.1 || share < 0.03) {
				break
			}
			starts[at] = false
			begin, zeros = begin[:k], zeros[:k]
			zeros[k-1] = extra
		}
		j = end
	}
}

func (f *factor) width(s int32) int { return int(f.first[s+1] - f.first[s]) }

// plan shares the tree out, and finds what memory the workers need.
func (f *factor) plan() {
	total := len(f.below)
	work := make([]float64, total) // of the subtree
	lowest := make([]int32, total) // of the subtree
	all := 0.0
	widest := 0
	for s := range int32(total) {
		k, u := f.width(s), len(f.below[s])
		widest = max(widest, k)
		own := float64(k) * float64(k+u) * float64(k+u)
		all += own
		work[s] += own
		f.size += k * (k + u)
		if len(f.child[s]) == 0 {
			lowest[s] = s
		} else {
			lowest[s] = lowest[f.child[s][0]]
		}
		if p := f.parent[s]; p >= 0 {
			work[p] += work[s]
		}
	}
	f.above = make([]bool, total)
	for s := range int32(total) {
		f.above[s] = work[s] > all/subtreeShare
	}
	for s := range int32(total) {
		p := f.parent[s]
		if !f.above[s] && (p < 0 || f.above[p]) {
			f.subtrees = append(f.subtrees, subtree{lowest[s], s, work[s]})
		}
		if f.above[s] {
			f.top = append(f.top, s)
		}
	}
	slices.SortStableFunc(f.subtrees, func(a, b subtree) int { return cmp.Compare(b.work, a.work) })
	most, stack := 0, 0
	for _, t := range f.subtrees {
		stack = max(stack, f.stackSize(sequence(t.lo, t.hi)))
		for s := t.lo; s <= t.hi; s++ {
			most = max(most, len(f.below[s]))
		}
	}
	for w := range f.workers {
		if w == f.workers-1 { // which eliminates what is above the subtrees, too
			stack = max(stack, f.stackSize(slices.Values(f.top)))
			for _, s := range f.top {
				most = max(most, len(f.below[s]))
			}
		}
		f.fronts = append(f.fronts, &front{f: f, needs: frontSize{widest, most * most, stack}})
	}
}

// waits reports whether a supernode is the root of a subtree below top supernodes.
func (f *factor) waits(s int32) bool { return !f.above[s] && f.parent[s] >= 0 && f.above[f.parent[s]] }

// bytes returns what allocate takes.
func (f *factor) bytes() int {
	entries := f.size
	for s := range f.below {
		if f.waits(int32(s)) {
			entries += triangle(len(f.below[s]))
		}
	}
	bytes := 0
	for _, w := range f.fronts {
		entries += w.needs.whole + w.needs.rest + w.needs.stack
		bytes += 4 * f.columns.rows()
	}
	return bytes + 8*entries
}

// allocate makes room for the factor.
func (f *factor) allocate() {
	total := len(f.below)
	collect(f.size)
	values := make([]float64, f.size)
	f.block, f.pending = make([][]float64, total), make([][]float64, total)
	for s := range int32(total) {
		size := f.width(s) * (f.width(s) + len(f.below[s]))
		f.block[s], values = values[:size:size], values[size:]
		if f.waits(s) {
			f.pending[s] = make([]float64, triangle(len(f.below[s])))
		}
	}
	for _, w := range f.fronts {
		w.at = make([]int32, f.columns.rows())
		w.whole, w.rest, w.stack = make([]float64, w.needs.whole), make([]float64, w.needs.rest), make([]float64, w.needs.stack)
	}
}

// triangle returns the number of entries of a lower triangle.
func triangle(rows int) int { return rows * (rows + 1) / 2 }

// sequence yields lo..hi.
func sequence(lo, hi int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for s := lo; s <= hi && yield(s); s++ {
		}
	}
}

// release lets go of the factor.
func (f *factor) release() {
	size := f.size
	*f = factor{}
	collect(size)
}

// collect makes room where arrays of so many entries come or have gone. Left to itself, the runtime would
// let twice as much memory pile up.
func collect(entries int) {
	if entries > muchMemory {
		debug.FreeOSMemory()
	}
}

// stackSize returns the most that supernodes, eliminated in this order, leave on the stack at one time.
func (f *factor) stackSize(supernodes iter.Seq[int32]) int {
	size, most := 0, 0
	for s := range supernodes {
		for _, c := range f.child[s] {
			if !f.waits(c) {
				size -= triangle(len(f.below[c]))
			}
		}
		if !f.waits(s) && f.parent[s] >= 0 {
			size += triangle(len(f.below[s]))
			most = max(most, size)
		}
	}
	return most
}

// compute factorises N for the weights W of the rows and the diagonal D. When the context ends, what it
// leaves is no factor.
func (f *factor) compute(ctx context.Context, weight, diagonal []float64) {
	f.ctx, f.weight, f.diagonal = ctx, weight, diagonal
	var next atomic.Int32
	var wait sync.WaitGroup
	run := func(w *front) {
		for i := next.Add(1) - 1; int(i) < len(f.subtrees); i = next.Add(1) - 1 {
			t := f.subtrees[i]
			w.used = 0
			for s := t.lo; s <= t.hi; s++ {
				w.eliminate(s, 1)
			}
		}
	}
	for _, w := range f.fronts {
		wait.Go(func() { run(w) })
	}
	wait.Wait()
	last := f.fronts[f.workers-1]
	last.used = 0
	for _, s := range f.top {
		last.eliminate(s, f.workers)
	}
}

// front is the workspace of a worker.
type front struct {
	f     *factor
	at    []int32   // the row in the front of a column of A
	whole []float64 // the diagonal entries of N of the columns of a supernode
	rest  []float64 // what the supernode leaves: u rows of u entries, of which the lower triangle counts
	stack []float64 // what children leave, lower triangles by rows
	used  int       // of the stack
	needs frontSize
}

// frontSize is how many entries the arrays of a front need.
type frontSize struct{ whole, rest, stack int }

// eliminate eliminates a supernode, whose children have been.
func (w *front) eliminate(s int32, workers int) {
	f := w.f
	k, below, block := f.width(s), f.below[s], f.block[s]
	u := len(below)
	rest := w.rest[:u*u]
	clear(block)
	clear(rest)
	first := f.first[s]
	for i := range k {
		w.at[first+uint32(i)] = int32(i)
	}
	for i, j := range below {
		w.at[j] = int32(k + i)
	}
	w.gather(first, k, block)
	for i := len(f.child[s]) - 1; i >= 0; i-- {
		c := f.child[s][i]
		left := f.pending[c]
		if left == nil {
			size := triangle(len(f.below[c]))
			w.used -= size
			left = w.stack[w.used : w.used+size]
		}
		w.extendAdd(f.below[c], left, k, u, block, rest)
	}
	w.partial(k, u, block, rest, workers)
	if f.parent[s] < 0 {
		return
	}
	out := f.pending[s]
	if out == nil {
		size := triangle(u)
		out = w.stack[w.used : w.used+size]
		w.used += size
	}
	for i := range u {
		copy(out[triangle(i):], rest[i*u:i*u+i+1])
	}
}

// gather adds up the columns of N of a supernode.
func (w *front) gather(first uint32, k int, block []float64) {
	f := w.f
	for c := range k {
		j := first + uint32(c)
		block[c*k+c] += f.diagonal[j]
		for _, i := range f.columns.in(int(j)) {
			index, value := f.rows.row(int(i))
			l := len(index) - 1
			for index[l] > j {
				l--
			}
			x := value[l] * f.weight[i]
			for ; l < len(index); l++ {
				block[int(w.at[index[l]])*k+c] += x * value[l]
			}
		}
		w.whole[c] = block[c*k+c]
	}
}

// extendAdd adds what a child leaves.
func (w *front) extendAdd(below []uint32, left []float64, k, u int, block, rest []float64) {
	for i, row := range below {
		r := int(w.at[row])
		values := left[triangle(i):triangle(i+1)]
		if r < k {
			out := block[r*k : r*k+k]
			for j, x := range values {
				out[w.at[below[j]]] += x
			}
			continue
		}
		inside, outside := block[r*k:r*k+k], rest[(r-k)*u:(r-k)*u+u]
		for j, x := range values {
			if c := int(w.at[below[j]]); c < k {
				inside[c] += x
			} else {
				outside[c-k] += x
			}
		}
	}
}

// partial eliminates the k columns of a front, by panels, and subtracts what that makes of the rest. Most
// fronts are for one worker, and small: they go without the closures that share takes.
func (w *front) partial(k, u int, block, rest []float64, workers int) {
	rows := k + u
	if float64(k)*float64(rows)*float64(rows) < parallelWork {
		workers = 1
	}
	for lo := 0; lo < k && w.f.ctx.Err() == nil; lo += panel {
		hi := min(lo+panel, k)
		if workers == 1 {
			updatePanel(block, k, lo, hi, lo, rows)
			w.diagonalBlock(block, k, lo, hi)
			solvePanel(block, k, lo, hi, hi, rows)
			continue
		}
		share(workers, lo, rows, func(from, to int) { updatePanel(block, k, lo, hi, from, to) })
		w.diagonalBlock(block, k, lo, hi)
		share(workers, hi, rows, func(from, to int) { solvePanel(block, k, lo, hi, from, to) })
	}
	if workers == 1 {
		updateRest(block, rest, k, u, 0, u)
		return
	}
	share(workers, 0, u, func(from, to int) { updateRest(block, rest, k, u, from, to) })
}

// updatePanel subtracts what the columns before lo make of columns lo..hi-1 of rows from..to-1.
func updatePanel(block []float64, k, lo, hi, from, to int) {
	multiply(block[from*k:], to-from, k, block[lo*k:], hi-lo, k, lo, block[from*k+lo:], k, lo-from)
}

// updateRest subtracts what all columns make of rows from..to-1 of the rest.
func updateRest(block, rest []float64, k, u, from, to int) {
	if from < to {
		multiply(block[(k+from)*k:], to-from, k, block[k*k:], to, k, k, rest[from*u:], u, -from)
	}
}

// diagonalBlock factorises the columns lo..hi-1 of their own rows, from which those before have been
// eliminated.
func (w *front) diagonalBlock(block []float64, k, lo, hi int) {
	for i := lo; i < hi; i++ {
		row := block[i*k : i*k+i+1]
		for j := lo; j < i; j++ {
			other := block[j*k : j*k+j+1]
			row[j] = (row[j] - dot(row[lo:j], other[lo:j])) * other[j] // the diagonal holds inverses
		}
		row[i] = pivot(row[i]-dot(row[lo:i], row[lo:i]), w.whole[i])
	}
}

// solvePanel finds the columns lo..hi-1 of rows from..to-1.
func solvePanel(block []float64, k, lo, hi, from, to int) {
	for i := from; i < to; i++ {
		row := block[i*k+lo : i*k+hi]
		for j := range row {
			other := block[(lo+j)*k+lo : (lo+j)*k+hi]
			row[j] = (row[j] - dot(row[:j], other[:j])) * other[j]
		}
	}
}
