package interior

import (
	"math"
	"math/bits"
	"slices"
)

const (
	// leafSize is the size of a part that is ordered by minimum degree: one word has a bit for each
	// vertex.
	leafSize = 64
	// A vertex of more than denseDegree times √n neighbours, and at least denseLeast, is eliminated last.
	denseDegree = 10
	denseLeast  = 100
	// leastShare is the least share of a part that a separator may cut off.
	leastShare = 0.25
)

// graph is an undirected graph without loops: the neighbours of v are to[start[v]..start[v+1]-1].
type graph struct {
	start []int
	to    []uint32
}

func (g *graph) neighbours(v uint32) []uint32 { return g.to[g.start[v]:g.start[v+1]] }

// productGraph returns the graph of the nonzeros of AᵀA, given A by rows and by columns. Neighbours are
// counted first, because lists that grow leave twice their size behind.
func productGraph(rows, columns *pattern) graph {
	n := columns.rows()
	g := graph{start: make([]int, n+1)}
	mark := make([]uint32, n) // 1 + the last vertex that saw it
	for v := range n {
		g.start[v+1] = g.start[v]
		each(rows, columns, uint32(v), mark, func(uint32) { g.start[v+1]++ })
	}
	g.to = make([]uint32, 0, g.start[n])
	clear(mark)
	for v := range n {
		each(rows, columns, uint32(v), mark, func(u uint32) { g.to = append(g.to, u) })
	}
	return g
}

// each calls f with those whose rows v shares.
func each(rows, columns *pattern, v uint32, mark []uint32, f func(u uint32)) {
	mark[v] = v + 1
	for _, i := range columns.in(int(v)) {
		for _, u := range rows.in(int(i)) {
			if mark[u] != v+1 {
				mark[u] = v + 1
				f(u)
			}
		}
	}
}

// dissection orders a graph for elimination by nested dissection (George 1973): parts are cut by small
// separators, which come after what they separate. Separators come from level structures: the vertices that
// are as far from one end of a part as from the other, or nearly.
type dissection struct {
	g     graph
	order []uint32 // the result; parts of it are still to be ordered
	label []uint32 // the part that a vertex belongs to, 0 for what is done
	parts uint32   // labels given out
	stack []part

	near, far []uint32 // distances from both ends
	queue     []uint32
	count     []int32
}

// part is order[lo:hi], all of one label and connected.
type part struct {
	lo, hi int
	label  uint32
}

// nestedDissection returns the vertices in the order of elimination.
func nestedDissection(g graph) []uint32 {
	n := len(g.start) - 1
	d := &dissection{g: g, order: make([]uint32, n), label: make([]uint32, n), near: make([]uint32, n), far: make([]uint32, n)}
	limit := max(denseLeast, int(denseDegree*math.Sqrt(float64(n))))
	lo, hi := 0, n
	for v := n - 1; v >= 0; v-- {
		if g.start[v+1]-g.start[v] > limit {
			hi--
			d.order[hi] = uint32(v)
		}
	}
	d.parts = 1
	for v := range n {
		if g.start[v+1]-g.start[v] <= limit {
			d.order[lo], d.label[v] = uint32(v), 1
			lo++
		}
	}
	d.components(0, hi, 1)
	for len(d.stack) > 0 {
		p := d.stack[len(d.stack)-1]
		d.stack = d.stack[:len(d.stack)-1]
		if p.hi-p.lo <= leafSize || !d.bisect(p) {
			d.leaf(d.order[p.lo:p.hi])
		}
	}
	return d.order
}

// components splits order[lo:hi], of one label, into its components, which become parts.
func (d *dissection) components(lo, hi int, label uint32) {
	found := make([]uint32, 0, hi-lo)
	for _, v := range d.order[lo:hi] {
		if d.label[v] != label {
			continue
		}
		d.parts++
		begin := len(found)
		d.label[v] = d.parts
		found = append(found, v)
		for i := begin; i < len(found); i++ {
			for _, u := range d.g.neighbours(found[i]) {
				if d.label[u] == label {
					d.label[u] = d.parts
					found = append(found, u)
				}
			}
		}
		d.stack = append(d.stack, part{lo + begin, lo + len(found), d.parts})
	}
	copy(d.order[lo:hi], found)
}

// distances sets the distances within a part from a vertex, and returns a last one.
func (d *dissection) distances(from, label uint32, out []uint32) (last uint32) {
	const unseen = math.MaxUint32
	for _, v := range d.queue {
		out[v] = unseen
	}
	q := d.queue[:0] // the vertices of the part, which are rewritten in the order of visits
	q = append(q, from)
	out[from] = 0
	for i := 0; i < len(q); i++ {
		for _, u := range d.g.neighbours(q[i]) {
			if d.label[u] == label && out[u] == unseen {
				out[u] = out[q[i]] + 1
				q = append(q, u)
			}
		}
	}
	return q[len(q)-1]
}

// bisect cuts a part in two by a separator, which it leaves behind them. It reports whether it
// found one.
func (d *dissection) bisect(p part) bool {
	vertices := d.order[p.lo:p.hi]
	d.queue = append(d.queue[:0], vertices...)
	end := d.distances(vertices[0], p.label, d.near)
	other := d.distances(end, p.label, d.near)
	d.distances(other, p.label, d.far)
	diameter := d.near[other]
	if diameter < 3 {
		return false
	}
	d.count = append(d.count[:0], make([]int32, 2*diameter+3)...)
	for _, v := range vertices {
		d.count[d.near[v]+diameter-d.far[v]]++
	}
	cut := d.cut(len(vertices))
	// Neighbours differ by 2 at most, so that two levels separate.
	d.parts += 2
	low, high := d.parts-1, d.parts
	var separator []uint32
	for _, v := range vertices {
		switch level := int(d.near[v] + diameter - d.far[v]); {
		case level < cut:
			d.label[v] = low
		case level > cut+1:
			d.label[v] = high
		default:
			separator = append(separator, v)
			d.label[v] = 0
		}
	}
	if separator = d.thin(separator, low, high); len(separator) == 0 {
		return false
	}
	sides := [2]uint32{low, high}
	at := p.lo
	d.queue = append(d.queue[:0], vertices...)
	var ends [2]int
	for side, label := range sides {
		for _, v := range d.queue {
			if d.label[v] == label {
				d.order[at] = v
				at++
			}
		}
		ends[side] = at
	}
	copy(d.order[at:p.hi], separator)
	d.components(p.lo, ends[0], low)
	d.components(ends[0], ends[1], high)
	return true
}

// cut returns the level that, with the next, separates best: few vertices, and shares not too unequal.
func (d *dissection) cut(vertices int) int {
	best, least := len(d.count)/2-1, math.Inf(1)
	below := 0
	for level := 0; level+1 < len(d.count); level++ {
		size := int(d.count[level] + d.count[level+1])
		above := vertices - below - size
		smaller := float64(min(below, above)) / float64(vertices)
		if smaller > 0 && size > 0 {
			cost := float64(size) / min(smaller, leastShare)
			if smaller >= leastShare {
				cost = float64(size) / leastShare * (1 + (0.5 - smaller))
			}
			if cost < least {
				best, least = level, cost
			}
		}
		below += int(d.count[level])
	}
	return best
}

// thin moves vertices of the separator that do not touch one side to the other, and returns the rest.
func (d *dissection) thin(separator []uint32, low, high uint32) []uint32 {
	rest := separator[:0]
	for _, v := range separator {
		touchesLow, touchesHigh := false, false
		for _, u := range d.g.neighbours(v) {
			touchesLow = touchesLow || d.label[u] == low
			touchesHigh = touchesHigh || d.label[u] == high
		}
		switch {
		case touchesLow && touchesHigh:
			rest = append(rest, v)
		case touchesHigh:
			d.label[v] = high
		default:
			d.label[v] = low
		}
	}
	return rest
}

// leaf orders vertices by minimum degree, counting neighbours outside as well; more than leafSize by
// their degrees.
func (d *dissection) leaf(vertices []uint32) {
	if len(vertices) > leafSize {
		slices.SortStableFunc(vertices, func(a, b uint32) int { return len(d.g.neighbours(a)) - len(d.g.neighbours(b)) })
		return
	}
	var adjacent [leafSize]uint64
	var outside [leafSize]int
	for i, v := range vertices {
		d.near[v] = uint32(i)
	}
	for i, v := range vertices {
		for _, u := range d.g.neighbours(v) {
			if d.label[u] == d.label[v] {
				adjacent[i] |= 1 << d.near[u]
			} else {
				outside[i]++
			}
		}
	}
	var order [leafSize]uint32
	var done uint64
	for k := range vertices {
		best, least := -1, math.MaxInt
		for i := range vertices {
			if degree := bits.OnesCount64(adjacent[i]) + outside[i]; done>>i&1 == 0 && degree < least {
				best, least = i, degree
			}
		}
		order[k] = vertices[best]
		done |= 1 << best
		clique := adjacent[best] &^ done
		for rest := clique; rest != 0; rest &= rest - 1 {
			i := bits.TrailingZeros64(rest)
			adjacent[i] = (adjacent[i] | clique) &^ (done | 1<<i)
			outside[i] = max(outside[i], outside[best])
		}
	}
	copy(vertices, order[:len(vertices)])
}
