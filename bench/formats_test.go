package bench

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"

	"offswitch/sparse"
	"offswitch/sparse/drn"
	"offswitch/sparse/prism"
	"offswitch/sparse/umb"
)

// encoded is a model as the files of a format, by suffix; there is one file but in PRISM.
type encoded map[string][]byte

// format reads and writes such files.
type format struct {
	name  string
	read  func(files encoded) (*sparse.MDP, error)
	write func(create func(suffix string) (io.Writer, error), m *sparse.MDP) error
}

var formats = []format{
	oneFile("umb", umb.Read, umb.Write),
	oneFile("drn", drn.Read, drn.Write),
	{"prism", readPRISM, prism.Write},
}

func oneFile(name string, read func(io.Reader) (*sparse.MDP, error), write func(io.Writer, *sparse.MDP) error) format {
	return format{
		name: name,
		read: func(files encoded) (*sparse.MDP, error) { return read(bytes.NewReader(files[""])) },
		write: func(create func(string) (io.Writer, error), m *sparse.MDP) error {
			w, err := create("")
			if err != nil {
				return err
			}
			return write(w, m)
		},
	}
}

func readPRISM(files encoded) (*sparse.MDP, error) {
	source := func(suffix string) prism.Source {
		return prism.Source{Name: "m" + suffix, Reader: bytes.NewReader(files[suffix])}
	}
	labels, states := source(".lab"), source(".sta")
	return prism.Read(prism.Input{
		Transitions: source(".tra"), Labels: &labels, States: &states,
		StateRewards: []prism.Source{source(".srew")}, TransitionRewards: []prism.Source{source(".trew")},
	})
}

// encode returns a model as files, and their size in bytes.
func encode(tb testing.TB, f format, m *sparse.MDP) (files encoded, size int) {
	buffers := make(map[string]*bytes.Buffer)
	err := f.write(func(suffix string) (io.Writer, error) {
		buffers[suffix] = new(bytes.Buffer)
		return buffers[suffix], nil
	}, m)
	if err != nil {
		tb.Fatal(err)
	}
	files = make(encoded)
	for suffix, x := range buffers {
		files[suffix] = x.Bytes()
		size += x.Len()
	}
	return files, size
}

func discard(string) (io.Writer, error) { return io.Discard, nil }

// everyFormat runs a benchmark on slippery grids and random environments, whose probabilities are
// few and many, as files of each format. run does the work once.
func everyFormat(b *testing.B, run func(b *testing.B, f format, files encoded, m *sparse.MDP)) {
	for _, f := range formats {
		for _, family := range []string{"grid", "random"} {
			o := Options{States: *largest, Seed: 1}
			if family == "grid" {
				o.Slip = 0.2
			}
			b.Run(fmt.Sprintf("%s/%s/%d", f.name, family, o.States), func(b *testing.B) {
				m := generate(b, family, o)
				files, size := encode(b, f, m)
				b.SetBytes(int64(size))
				b.ResetTimer()
				run(b, f, files, m)
				b.ReportMetric(float64(b.N)*float64(m.NumStates())/b.Elapsed().Seconds(), "states/s")
			})
		}
	}
}

// Reading; allocated/model is what reading allocates, for each byte of the model's arrays.
func BenchmarkRead(b *testing.B) {
	everyFormat(b, func(b *testing.B, f format, files encoded, _ *sparse.MDP) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		size := 0
		for b.Loop() {
			m, err := f.read(files)
			if err != nil {
				b.Fatal(err)
			}
			size = m.Bytes()
		}
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/float64(b.N)/float64(size), "allocated/model")
	})
}

func BenchmarkWrite(b *testing.B) {
	everyFormat(b, func(b *testing.B, f format, _ encoded, m *sparse.MDP) {
		for b.Loop() {
			if err := f.write(discard, m); err != nil {
				b.Fatal(err)
			}
		}
	})
}
