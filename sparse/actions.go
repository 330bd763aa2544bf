package sparse

import "slices"

// Actions holds the action names of choices: each distinct name once, and one byte a choice while
// there are at most 256 of them, four bytes otherwise. The zero value names nothing.
type Actions struct {
	names  []string
	narrow []uint8
	wide   []uint32
	index  map[string]uint32 // while building
}

// Len returns the number of choices named so far.
func (a *Actions) Len() int {
	if a.wide != nil {
		return len(a.wide)
	}
	return len(a.narrow)
}

// Names returns the distinct action names; the empty string stands for "no name". Callers must
// not modify the slice.
func (a *Actions) Names() []string { return a.names }

// ID returns the position in Names of the action of a choice.
func (a *Actions) ID(choice uint32) uint32 {
	if a.wide != nil {
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
	if a.wide == nil && cap(a.narrow)-len(a.narrow) < n {
		a.narrow = append(make([]uint8, 0, len(a.narrow)+n), a.narrow...)
	}
}

// Bytes returns the memory that the per-choice entries take.
func (a *Actions) Bytes() int { return cap(a.narrow) + 4*cap(a.wide) }
