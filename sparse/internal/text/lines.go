package text

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"offswitch/sparse"
)

// Lines reads the lines that follow the current one and say "state choice target probability action", or,
// without choices, leave the choice out. It stops before the first line that is wrong or looks different:
// what to do about that one is for the caller to know. The current line must belong to a choice that is
// open; first is the number of the first state. Lines returns the number of the line that begins the
// choice then open, 0 where that is still the same choice.
//
// Nearly all of a large file are such lines. Whether one begins a choice or a state nothing can predict, so
// it does not branch on that.
func (r *Rows) Lines(in *Reader, first uint32, choices bool) int {
	b := in.buf[in.start:in.end]
	if len(b) < window || b[0]-'0' > 9 {
		return 0
	}
	if r.endings == nil {
		r.endings = &endings{words: &r.names, unnamed: r.names.Find(nil)}
	}
	const shortest = len("0 0 1\n")
	most := len(b) / shortest
	s, c, n := len(r.choiceStart), len(r.branchStart), len(r.target)
	choiceStart, branchStart := stretch(r.choiceStart, s+most), stretch(r.branchStart, c+most)
	target, values, actions := stretch(r.target, n+most), stretch(r.values, n+most), stretch(r.actions, c+most)
	named, action, before := len(r.actions) > 0, r.endings.unnamed, c
	if named {
		action = r.actions[c-1]
	}
	last, position, sum := first+uint32(s)-1, uint32(c)-choiceStart[s-1]-1, r.sum

	// Lines mostly begin like the one before: then there is no need to wait for the length of its number.
	var known struct {
		state      uint32
		length     int
		text, mask uint64
	}
	known.text = 1
	at, count := 0, 0
	for ; at <= len(b)-window; count++ {
		line := (*[window]byte)(b[at:])
		state, i := known.state, known.length
		if w := load(line[:]); w&known.mask != known.text || line[i] != ' ' {
			if state, i = eightDigits(w); i == 0 || line[i] != ' ' || state >= r.states {
				break
			}
			known.state, known.length, known.mask = state, i, 1<<(8*i)-1
			known.text = w & known.mask
		}
		i++
		choice := uint32(0)
		if choices {
			k := 1
			if choice = uint32(line[i] - '0'); choice > 9 || line[i+1] != ' ' {
				choice, k = eightDigits(load(line[i:]))
			}
			if i += k; k == 0 || line[i] != ' ' {
				break
			}
			i++
		}
		to, k := eightDigits(load(line[i:]))
		if i += k; k == 0 || line[i] != ' ' || to >= r.states {
			break
		}
		i++

		var key [endingWords]uint64
		hash, length := uint64(0), 0
		for k := 0; k < 8*endingWords; k += 8 {
			w := load(line[i+k:])
			feed := firstZero(w ^ '\n'*eachByte)
			w &= feed ^ (feed - 1)
			key[k/8] = w
			hash = (bits.RotateLeft64(hash, 32) ^ w) * 0x9E3779B97F4A7C15
			if feed != 0 {
				length = k + bits.TrailingZeros64(feed)>>3 + 1
				break
			}
		}
		e := &r.endings.known[hash>>(64-endingBits)]
		if length == 0 || e.text != key {
			if e, length = r.endings.find(&key, hash, b[at+i:], length); e == nil {
				break
			}
		}
		i += length

		same := one(state == last) & one(choice == position)
		next := one(state == last) & one(choice == position+1)
		begins := one(state == last+1) & one(choice == 0)
		off := math.Abs(sum - 1)
		if same|next|begins == 0 || (1-same)&one(off > sparse.RowTolerance) != 0 {
			break
		}
		if e.word != action {
			if !named || choices && same > 0 {
				break
			}
			if same == 0 {
				action = e.word
			}
		}
		choiceStart[s] = uint32(c)
		s += begins
		branchStart[c] = uint32(n)
		c += 1 - same
		if named {
			actions[c-1] = action
		}
		target[n], values[n] = to, e.value
		n++
		sum = sum*unlessZero[same] + e.value
		last, position = state, choice
		at += i
	}
	r.choiceStart, r.branchStart, r.target, r.values, r.sum = choiceStart[:s], branchStart[:c], target[:n], values[:n], sum
	if r.actions = actions[:0]; named {
		r.actions = actions[:c]
	}
	in.start += at
	in.line += count
	if c == before {
		return 0
	}
	return in.line - (n - int(branchStart[c-1])) + 1
}

var unlessZero = [2]float64{0, 1}

func one(is bool) int {
	if is {
		return 1
	}
	return 0
}

// stretch returns x with n entries, those that are new whatever they are.
func stretch[T any](x []T, n int) []T {
	if cap(x) < n {
		x = append(make([]T, 0, n), x...)
	}
	return x[:n]
}

// endingWords is the most times eight bytes that an ending has to be known.
const endingWords = 4

// window is how many bytes of a line are looked at without a check whether there are so many: three numbers
// with a blank after each, and an ending.
const window = 3*9 + 8*endingWords + 8

// ending is what "probability action" at the end of a line says.
type ending struct {
	text  [endingWords]uint64 // the line feed included, then zeros; all zero: none
	value float64             // in (0,1]
	word  uint32
}

// endings knows the endings that came last by their text.
type endings struct {
	words   *Words
	unnamed uint32                  // the word of endings without one
	known   [1 << endingBits]ending // at the place that the first bits of a hash of the text say, or beside it
	long    ending                  // room for one that is too long to be known
}

const endingBits = 11

// find returns the ending at the start of a text and its length, nil where it is not right. It is for endings
// that are not at their place; a length of 0 says that the ending is too long to be known.
func (x *endings) find(key *[endingWords]uint64, hash uint64, text []byte, length int) (*ending, int) {
	e := &x.long
	if length > 0 {
		place := hash >> (64 - endingBits)
		if other := &x.known[place^1]; other.text == *key {
			return other, length
		}
		e = &x.known[place]
	} else if length = bytes.IndexByte(text, '\n') + 1; length == 0 {
		return nil, 0
	}
	value, rest, ok := FloatField(text[:length-1])
	word, rest := Field(rest)
	if !ok || !(value > 0 && value <= 1) || len(TrimLeft(rest)) > 0 {
		return nil, 0
	}
	if e != &x.long {
		x.known[hash>>(64-endingBits)^1] = *e
	}
	*e = ending{*key, value, x.words.Find(word)}
	return e, length
}

const eachByte = 0x0101010101010101

// firstZero returns the high bit of the first byte of x that is zero, and perhaps of later ones; 0 if none is.
func firstZero(x uint64) uint64 { return (x - eachByte) &^ x & (0x80 * eachByte) }

func load(b []byte) uint64 { return binary.LittleEndian.Uint64(b) }
