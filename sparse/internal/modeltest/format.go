package modeltest

import (
	"bytes"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"offswitch/sparse"
)

// Format is the reader and the writer of a format that is one file, for the tests that such formats
// share.
type Format struct {
	Read  func(io.Reader) (*sparse.MDP, error)
	Write func(io.Writer, *sparse.MDP) error
}

// Fuzz checks that whatever can be read is the same after it is written and read again.
func (x Format) Fuzz(f *testing.F) {
	f.Fuzz(func(t *testing.T, file []byte) {
		m, err := x.Read(bytes.NewReader(file))
		if err != nil {
			return
		}
		var again bytes.Buffer
		if err := x.Write(&again, m); err != nil {
			t.Fatal(err)
		}
		got, err := x.Read(bytes.NewReader(again.Bytes()))
		if err != nil {
			t.Fatalf("%v\n%s", err, again.Bytes())
		}
		if d := Diff(m, got); d != "" {
			t.Fatalf("%s\n%s", d, again.Bytes())
		}
	})
}

// WriteErrors checks that each model of so many states, made by what builds it, is refused with an
// error that holds the text.
func (x Format) WriteErrors(t *testing.T, states int, models map[string]func(*sparse.Builder)) {
	t.Helper()
	for what, build := range models {
		b := sparse.NewBuilder(states)
		build(b)
		m, err := b.Build()
		if err != nil {
			t.Fatal(err)
		}
		if err := x.Write(io.Discard, m); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// Mutate returns a text with a few changes of the kind that make it wrong: lines left out, doubled
// or swapped, words replaced, characters inserted.
func Mutate(rng *rand.Rand, text []byte) []byte {
	lines := bytes.SplitAfter(bytes.Clone(text), []byte("\n"))
	for range 1 + rng.IntN(3) {
		i := rng.IntN(len(lines))
		switch rng.IntN(6) {
		case 0:
			lines = slices.Delete(lines, i, i+1)
		case 1:
			lines = slices.Insert(lines, i, lines[rng.IntN(len(lines))])
		case 2:
			j := rng.IntN(len(lines))
			lines[i], lines[j] = lines[j], lines[i]
		case 3:
			words := bytes.Fields(lines[i])
			if len(words) > 0 {
				words[rng.IntN(len(words))] = []byte([]string{"0", "1", "7", "0.5", "x", "-", "state", "99999999999", ""}[rng.IntN(9)])
			}
			lines[i] = append(bytes.Join(words, []byte(" ")), '\n')
		case 4:
			lines = slices.Insert(lines, i, []byte([]string{"\n", "# comment\n", "// comment\n", " \t\r\n", "state\n", "//[x]\n"}[rng.IntN(6)]))
		case 5:
			at := rng.IntN(len(lines[i]) + 1)
			lines[i] = slices.Insert(lines[i], at, " \t[]:\"0a\n"[rng.IntN(9)])
		}
		if len(lines) == 0 {
			break
		}
	}
	return bytes.Join(lines, nil)
}
