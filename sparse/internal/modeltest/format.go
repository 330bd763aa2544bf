package modeltest

import (
	"bytes"
	"io"
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
