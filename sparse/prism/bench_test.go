package prism

import (
	"io"
	"testing"

	"offswitch/sparse/internal/modeltest"
)

func (f files) size() (n int64) {
	for _, text := range f {
		n += int64(text.Len())
	}
	return n
}

func BenchmarkRead(b *testing.B) {
	f := write(b, modeltest.Grid(400, true))
	b.SetBytes(f.size())
	for b.Loop() {
		if _, err := Read(f.input()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	m := modeltest.Grid(400, true)
	b.SetBytes(write(b, m).size())
	for b.Loop() {
		if err := Write(func(string) (io.Writer, error) { return io.Discard, nil }, m); err != nil {
			b.Fatal(err)
		}
	}
}
