package recurrence

// dominators returns for each position its immediate dominator: the last state before it that every
// way from position 0 passes. It is None for position 0 and where no way leads. Lengauer & Tarjan's
// simple algorithm, O(edges · log states); 24 bytes a position.
func dominators(next, before *graph) []uint32 {
	n := next.states()
	vertex, parent, number := depthFirst(next)
	semi := make([]uint32, n) // numbers in the order of the search
	label, ancestor := make([]uint32, n), make([]uint32, n)
	idom := make([]uint32, n)
	for at := range uint32(n) {
		semi[at], label[at], ancestor[at], idom[at] = number[at], at, None, None
	}
	// The states whose semidominator is the one of a number, as lists.
	first, rest := make([]uint32, n), make([]uint32, n)
	for i := range first {
		first[i] = None
	}
	var path []uint32
	// lowest returns the state with the least semidominator on the way up from at to below its tree's root.
	lowest := func(at uint32) uint32 {
		if ancestor[at] == None {
			return at
		}
		path = path[:0]
		for v := at; ancestor[ancestor[v]] != None; v = ancestor[v] {
			path = append(path, v)
		}
		for i := len(path) - 1; i >= 0; i-- {
			v := path[i]
			if up := ancestor[v]; semi[label[up]] < semi[label[v]] {
				label[v] = label[up]
			}
			ancestor[v] = ancestor[ancestor[v]]
		}
		return label[at]
	}
	for i := len(vertex) - 1; i > 0; i-- {
		w := vertex[i]
		for _, v := range before.next(w) {
			if number[v] != None {
				semi[w] = min(semi[w], semi[lowest(v)])
			}
		}
		at := vertex[semi[w]]
		rest[w], first[at] = first[at], w
		up := parent[w]
		ancestor[w] = up
		for v := first[up]; v != None; v = rest[v] {
			if u := lowest(v); semi[u] < semi[v] {
				idom[v] = u
			} else {
				idom[v] = up
			}
		}
		first[up] = None
	}
	for _, w := range vertex[1:] {
		if idom[w] != vertex[semi[w]] {
			idom[w] = idom[idom[w]]
		}
	}
	return idom
}

// depthFirst searches from position 0 and returns the states in the order in which they are met, the
// one from which each was met, and its number in that order; None where none is.
func depthFirst(g *graph) (order, parent, number []uint32) {
	n := g.states()
	parent, number = make([]uint32, n), make([]uint32, n)
	edge := make([]uint32, n) // next one to follow
	for at := range n {
		parent[at], number[at], edge[at] = None, None, g.bound(uint32(at))
	}
	number[0] = 0
	order = append(order, 0)
	for at := uint32(0); at != None; {
		if edge[at] == g.bound(at+1) {
			at = parent[at]
			continue
		}
		t := g.target[edge[at]]
		edge[at]++
		if number[t] == None {
			number[t], parent[t] = uint32(len(order)), at
			order = append(order, t)
			at = t
		}
	}
	return order, parent, number
}
