package drn

import (
	"bytes"
	"io"
	"testing"

	"offswitch/sparse/internal/modeltest"
)

func BenchmarkRead(b *testing.B) {
	file := write(b, modeltest.Grid(400, true))
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := Read(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	m := modeltest.Grid(400, true)
	b.SetBytes(int64(len(write(b, m))))
	for b.Loop() {
		if err := Write(io.Discard, m); err != nil {
			b.Fatal(err)
		}
	}
}
