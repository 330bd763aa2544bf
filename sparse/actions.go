package sparse

import "slices"

// Actions holds the action names of choices: each distinct name once, and for each choice which
// one it is. That takes one byte a choice while there are at most 256 names, four bytes otherwise.
// In a finished model whose states mostly have the same actions in the same order it takes a
// fraction of a byte. The zero value names nothing.
type Actions struct {
	names  []string
	narrow []uint8 // of each choice; when block is set, of each choice of each distinct block
	wide   []uint32
	block  []uint32          // for each actionBlock choices, which distinct block of narrow is theirs
	length int               // of the choices, when block is set
	index  map[string]uint32 // while building
}

// actionBlock is how many choices share an entry of Actions.block.
const actionBlock = 64

// Len returns the number of choices named so far.
func (a *Actions) Len() int {
	switch {
	case a.block != nil:
		return a.length
	case a.wide != nil:
		return len(a.wide)
	}
	return len(a.narrow)
}

// Names returns the distinct action names; the empty string stands for "no name". Callers must
// not modify the slice.
func (a *Actions) Names() []string { return a.names }

// ID returns the position in Names of the action of a choice.
func (a *Actions) ID(choice uint32) uint32 {
	switch {
	case a.block != nil:
		return uint32(a.narrow[a.block[choice/actionBlock]*actionBlock+choice%actionBlock])
	case a.wide != nil:
		return a.wide[choice]
	}
	return uint32(a.narrow[choice])
}

// Intern returns the position in Names of a name, adding it when it is new.
func (a *Actions) Intern(name string) uint32 {
	if id, ok := a.index[name]; ok {
		return id
	}
	if a.index == nil {
		a.index = make(map[string]uint32)
		for i, s := range a.names {
			a.index[s] = uint32(i)
		}
		if id, ok := a.index[name]; ok {
			return id
		}
	}
	id := uint32(len(a.names))
	a.names = append(a.names, name)
	a.index[name] = id
	return id
}

// Append names the next choice by a position in Names.
func (a *Actions) Append(id uint32) {
	if a.block != nil {
		a.flatten()
	}
	if a.wide == nil && id > 255 {
		a.widen()
	}
	if a.wide != nil {
		a.wide = append(a.wide, id)
		return
	}
	a.narrow = append(a.narrow, uint8(id))
}

// widen turns to four bytes a choice.
func (a *Actions) widen() {
	a.wide = make([]uint32, len(a.narrow), 2*len(a.narrow)+64)
	for i, c := range a.narrow {
		a.wide[i] = uint32(c)
	}
	a.narrow = nil
}

// Extend names the next choices by positions in Names.
func (a *Actions) Extend(ids []uint32) {
	if a.block != nil {
		a.flatten()
	}
	if a.wide == nil {
		n := len(a.narrow)
		a.narrow = slices.Grow(a.narrow, len(ids))[:n+len(ids)]
		greatest := uint32(0)
		for i, id := range ids {
			a.narrow[n+i] = uint8(id)
			greatest = max(greatest, id)
		}
		if greatest <= 255 {
			return
		}
		a.narrow = a.narrow[:n]
		a.widen()
	}
	a.wide = append(a.wide, ids...)
}

// Grow makes room for n more choices.
func (a *Actions) Grow(n int) {
	if a.block == nil && a.wide == nil && cap(a.narrow)-len(a.narrow) < n {
		a.narrow = append(make([]uint8, 0, len(a.narrow)+n), a.narrow...)
	}
}

// Bytes returns the memory that the per-choice entries take.
func (a *Actions) Bytes() int { return cap(a.narrow) + 4*cap(a.wide) + 4*cap(a.block) }

// room returns a column of as many choices, not set yet, for actions that a has.
func (a *Actions) room() Actions {
	to := Actions{names: a.names}
	if a.wide != nil {
		to.wide = make([]uint32, a.Len())
	} else {
		to.narrow = make([]uint8, a.Len())
	}
	return to
}

// set names a choice by a position in Names; the column is not sealed.
func (a *Actions) set(choice, id uint32) {
	if a.wide != nil {
		a.wide[choice] = id
	} else {
		a.narrow[choice] = uint8(id)
	}
}

// seal stores equal blocks once where that saves about half of the memory or more, and gives back
// memory that was reserved for more choices. O(choices).
func (a *Actions) seal() {
	a.index = nil
	if a.block != nil {
		return
	}
	a.wide = trim(a.wide)
	if a.wide != nil || len(a.narrow) < 2*actionBlock {
		a.narrow = trim(a.narrow)
		return
	}
	whole := len(a.narrow) / actionBlock
	block := make([]uint32, 0, whole+1)
	var distinct []uint8
	known := make(map[[actionBlock]uint8]uint32)
	for i := range whole {
		content := [actionBlock]uint8(a.narrow[i*actionBlock:])
		at, ok := known[content]
		if !ok {
			// Fewer than one in two may be new, but at the start.
			if at = uint32(len(known)); 2*int(at) > i+1024 || 2*int(at) > whole {
				a.narrow = trim(a.narrow)
				return
			}
			known[content] = at
			distinct = append(distinct, content[:]...)
		}
		block = append(block, at)
	}
	// The rest, less than a block, stands last, so that what is beyond it is out of range.
	block = append(block, uint32(len(known)))
	a.length = len(a.narrow)
	a.narrow = trim(append(distinct, a.narrow[whole*actionBlock:]...))
	a.block = block
}

// flatten undoes seal.
func (a *Actions) flatten() {
	flat := make([]uint8, a.length, a.length+a.length/4)
	for i := range flat {
		flat[i] = uint8(a.ID(uint32(i)))
	}
	a.narrow, a.block, a.length = flat, nil, 0
}

// trim returns the slice in no more memory than it needs, give or take two percent.
func trim[T any](x []T) []T {
	if cap(x)-len(x) <= cap(x)/64 {
		return x
	}
	return append(make([]T, 0, len(x)), x...)
}
