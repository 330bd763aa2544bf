package text

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// blank reports whether c separates words. A carriage return does, wherever it stands, so that no
// word ever holds one.
func blank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' }

// TrimLeft returns b without blanks at its start.
func TrimLeft(b []byte) []byte {
	for len(b) > 0 && blank(b[0]) {
		b = b[1:]
	}
	return b
}

// Trim returns b without blanks at either end.
func Trim(b []byte) []byte {
	b = TrimLeft(b)
	for len(b) > 0 && blank(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

// Field returns the first word of b and what follows it; the word is empty when there is none.
func Field(b []byte) (word, rest []byte) {
	b = TrimLeft(b)
	n := 0
	for n < len(b) && !blank(b[n]) {
		n++
	}
	return b[:n], b[n:]
}

// Uint reads a number of decimal digits at the start of b, after blanks, and returns what follows.
// It is not ok without a digit and beyond 2^32-1.
func Uint(b []byte) (v uint32, rest []byte, ok bool) {
	i := 0
	for i < len(b) && blank(b[i]) {
		i++
	}
	if len(b)-i > 8 {
		if x, n := eightDigits(binary.LittleEndian.Uint64(b[i:])); n < 8 {
			return x, b[i+n:], n > 0
		}
	}
	first, x := i, uint64(0)
	for ; i < len(b); i++ {
		c := b[i] - '0'
		if c > 9 {
			break
		}
		x = 10*x + uint64(c)
	}
	if i-first > 19 { // x may have overflowed
		v, err := strconv.ParseUint(unsafe.String(&b[first], i-first), 10, 32)
		return uint32(v), b[i:], err == nil
	}
	return uint32(x), b[i:], i > first && x <= math.MaxUint32
}

// eightDigits returns the number that begins with the first of eight bytes, the lowest, and how many
// of them are its digits. It takes all of them in hand at once.
func eightDigits(b uint64) (v uint32, n int) {
	digits := b ^ '0'*eachByte
	others := (digits + 0x76*eachByte | digits) & (0x80 * eachByte)
	n = bits.TrailingZeros64(others) >> 3
	x := digits << (64 - 8*n)
	x = x*10 + x>>8
	x = (x&0x000000FF000000FF*0x000F424000000064 + x>>16&0x000000FF000000FF*0x0000271000000001) >> 32
	return uint32(x), n
}

// UintField reads a number as Uint does, which must be a word of its own.
func UintField(b []byte) (v uint32, rest []byte, ok bool) {
	v, rest, ok = Uint(b)
	return v, rest, ok && (len(rest) == 0 || blank(rest[0]))
}

// Count reads a number that takes up all of b but blanks, beyond 32 bits also.
func Count(b []byte) (uint64, bool) {
	b = Trim(b)
	if len(b) == 0 || b[0] == '+' {
		return 0, false
	}
	v, err := strconv.ParseUint(unsafe.String(&b[0], len(b)), 10, 64)
	return v, err == nil
}

// exactPowers are the powers of ten that are float64 exactly.
var exactPowers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// Float reads a decimal number, or a quotient of two such as 1/3, that takes up all of b, and
// returns the float64 nearest to it (for a quotient: the quotient of the nearest float64). It is
// not ok where the result is not finite.
func Float(b []byte) (v float64, ok bool) {
	if v, n := simpleFloat(b); n == len(b) && n > 0 {
		return v, true
	}
	return slowFloat(b)
}

// FloatField reads a number as Float does, which is the first word of b, and returns what follows.
func FloatField(b []byte) (v float64, rest []byte, ok bool) {
	b = TrimLeft(b)
	if v, n := simpleFloat(b); n > 0 && (n == len(b) || blank(b[n])) {
		return v, b[n:], true
	}
	word, rest := Field(b)
	v, ok = slowFloat(word)
	return v, rest, ok
}

// simpleFloat reads digits with perhaps a sign and a point among them at the start of b. It returns
// how many bytes it has read, 0 when the number is not as simple as that.
func simpleFloat(b []byte) (v float64, n int) {
	i := 0
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		i = 1
	}
	mantissa, digits, point := uint64(0), 0, -1
	for ; i < len(b); i++ {
		if c := b[i] - '0'; c <= 9 {
			mantissa = 10*mantissa + uint64(c)
			digits++
		} else if b[i] == '.' && point < 0 {
			point = digits
		} else {
			break
		}
	}
	// Both operands are exact float64, so that the one rounding of the quotient is the right one
	// (Clinger's fast path).
	if digits == 0 || digits > 19 || mantissa > 1<<53 {
		return 0, 0
	}
	v = float64(mantissa)
	if point >= 0 {
		v /= exactPowers[digits-point]
	}
	if b[0] == '-' {
		v = -v
	}
	return v, i
}

func slowFloat(b []byte) (float64, bool) {
	if i := bytes.IndexByte(b, '/'); i >= 0 {
		over, ok := Float(b[:i])
		under, ok2 := decimal(b[i+1:])
		v := over / under
		return v, ok && ok2 && under != 0 && !math.IsInf(v, 0)
	}
	return decimal(b)
}

// decimal refuses what strconv reads beyond decimals: hexadecimals, infinities, underscores.
func decimal(b []byte) (float64, bool) {
	for _, c := range b {
		if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return 0, false
		}
	}
	if len(b) == 0 {
		return 0, false
	}
	v, err := strconv.ParseFloat(unsafe.String(&b[0], len(b)), 64)
	return v, err == nil
}

// IsWord reports whether a name is one word to Field.
func IsWord(name string) bool {
	for i := range len(name) {
		if blank(name[i]) || name[i] == '\n' {
			return false
		}
	}
	return name != ""
}
