package file

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"offswitch/sparse"
	"offswitch/sparse/internal/modeltest"
	"offswitch/sparse/umb"
)

// ring is a model that every format can hold: no state is terminal.
func ring(t testing.TB, n uint32) *sparse.MDP {
	b := sparse.NewBuilder(int(n))
	for s := range n {
		next := (s + 1) % n
		b.AddChoice(s, "stay", sparse.Branch{Target: s, Probability: 1})
		c := b.AddChoice(s, "go", sparse.Branch{Target: min(s, next), Probability: 0.25}, sparse.Branch{Target: max(s, next), Probability: 0.75})
		b.ChoiceReward("r", c, float64(s))
	}
	b.SetInitial(0)
	b.Label("goal", n-1)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func mustWrite(t testing.TB, path string, m *sparse.MDP) {
	t.Helper()
	if err := Write(context.Background(), path, m); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t testing.TB, path string, want Format) *sparse.MDP {
	t.Helper()
	m, format, err := Read(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if format != want {
		t.Fatalf("%s: format %v, want %v", path, format, want)
	}
	return m
}

// readError reads what cannot be read, and checks that the error names the file once.
func readError(t testing.TB, path string) error {
	t.Helper()
	_, _, err := Read(context.Background(), path)
	if err == nil {
		t.Fatalf("%s: no error", path)
	}
	checkName(t, err, path)
	return err
}

func checkName(t testing.TB, err error, path string) {
	t.Helper()
	if !strings.HasPrefix(err.Error(), path+":") || strings.Count(err.Error(), path) != 1 || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("error %q, want the name %s at the beginning and only there", err, path)
	}
}

// names returns the names in a directory.
func names(t testing.TB, dir string) (out []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

var everyExtension = []struct {
	extension string
	format    Format
}{
	{".umb", UMB}, {".umb.gz", UMB}, {".umb.xz", UMB}, {".UMB.GZ", UMB}, {".drn", DRN}, {".drn.gz", DRN}, {".drn.xz", DRN},
	{".tra", PRISM}, {".json", Gymnasium}, {".json.gz", Gymnasium},
}

func TestEveryExtensionIsReadBack(t *testing.T) {
	m := ring(t, 50)
	for _, x := range everyExtension {
		t.Run(x.extension, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "model"+x.extension)
			mustWrite(t, path, m)
			if x.format != PRISM {
				if got := names(t, dir); len(got) != 1 {
					t.Errorf("files %v, want one", got)
				}
				renamed := filepath.Join(dir, "whatever")
				if err := os.Rename(path, renamed); err != nil {
					t.Fatal(err)
				}
				path = renamed
			}
			back := mustRead(t, path, x.format)
			if x.format == Gymnasium { // which numbers its actions and keeps its own sense of the rest
				if back.NumStates() < m.NumStates() {
					t.Errorf("%d states, want %d", back.NumStates(), m.NumStates())
				}
				return
			}
			if d := modeltest.Diff(m, back); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestWildModelsInUMB(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	for i := range 60 {
		m := modeltest.Random(rng, modeltest.Wild())
		path := filepath.Join(dir, "model.umb"+[]string{"", ".gz", ".xz"}[i%3])
		mustWrite(t, path, m)
		if d := modeltest.Diff(m, mustRead(t, path, UMB)); d != "" {
			t.Fatal(d)
		}
	}
}

func TestDetect(t *testing.T) {
	for _, x := range []struct {
		head string
		want Format
	}{
		{"", Unknown}, {"\n \n", Unknown}, {"hello", Unknown}, {"[1,2]", Unknown}, {"\x00\x01", Unknown}, {"12", Unknown}, {"1 2 3 4 5", Unknown}, {"1 -2", Unknown},
		{"mdp\n0 0 1 1", Unknown}, {"# comment\n@type: MDP", Unknown}, {"// comment\n2 3", Unknown}, {"# c\n{", Unknown},
		{"@type: MDP", DRN}, {"// Exported by storm\n\n//x\r\n@type: MDP\r\n", DRN}, {"\n@parameters\n", DRN},
		{"4 5 8\n0 0 1 0.5", PRISM}, {"# Transitions (MDP)\n4 5 8\n", PRISM}, {"3 4\r\n", PRISM}, {"2 3 4 5\n", PRISM},
		{" \n\t{\"0\": ", Gymnasium}, {"\xef\xbb\xbf{}", Gymnasium}, {strings.Repeat("x", 257) + "ustar", UMB}, {strings.Repeat("\n", 257) + "usta", Unknown},
	} {
		if got := detect([]byte(x.head)); got != x.want {
			t.Errorf("%q is %v, want %v", x.head, got, x.want)
		}
	}
}

func TestPRISMFilesAreFound(t *testing.T) {
	dir := t.TempDir()
	stem := filepath.Join(dir, "model.v1")
	b := sparse.NewBuilder(2)
	for s := range uint32(2) {
		b.StateReward("a", s, float64(s))
		c := b.AddChoice(s, "", sparse.Branch{Target: 1 - s, Probability: 1})
		b.ChoiceReward("b", c, 7)
	}
	b.SetInitial(1)
	b.Label("x", 1)
	v, err := sparse.NewValuation([]sparse.Variable{sparse.IntRange("x", 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	v.Append([]uint64{1})
	v.Append([]uint64{0})
	b.SetNames(v)
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	mustWrite(t, stem+".tra", m)
	written := names(t, dir)
	if len(written) != 7 {
		t.Fatalf("files %v, want seven", written)
	}
	for _, name := range append(written, "model.v1") {
		if d := modeltest.Diff(m, mustRead(t, filepath.Join(dir, name), PRISM)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}

	for _, name := range []string{"model.v1.tra", "model.v1.lab"} {
		compress(t, filepath.Join(dir, name))
	}
	if d := modeltest.Diff(m, mustRead(t, stem+".tra.gz", PRISM)); d != "" {
		t.Error(d)
	}
	if d := modeltest.Diff(m, mustRead(t, stem+".lab", PRISM)); d != "" {
		t.Error(d)
	}

	overwrite(t, stem+".sta", "nonsense")
	_, _, err = Read(context.Background(), stem+".srew")
	if err == nil || !strings.HasPrefix(err.Error(), stem+".sta:") {
		t.Errorf("error %v, want the name of the .sta", err)
	}
	os.Remove(stem + ".sta")
	os.Remove(stem + "1.srew")
	if err := readAny(stem); err == nil || !strings.HasPrefix(err.Error(), stem+"1.srew: the file is missing") {
		t.Errorf("error %v, want the missing file", err)
	}
	os.Remove(stem + ".tra.gz")
	if err := readAny(stem + ".lab.gz"); err == nil || !strings.Contains(err.Error(), "model.v1.tra, with which it makes a model, is missing") {
		t.Errorf("error %v", err)
	}
}

func readAny(path string) error {
	_, _, err := Read(context.Background(), path)
	return err
}

func overwrite(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func gzipped(data []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(data)
	w.Close()
	return b.Bytes()
}

// compress replaces a file by its compressed form.
func compress(t testing.TB, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	overwrite(t, path+".gz", string(gzipped(data)))
	os.Remove(path)
}

func TestReadErrors(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := readError(t, path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
	for text, want := range map[string]string{
		"": "the file is empty", "hello": understood, "{": "", "@type: MDP\n": "", "4 5 8\n": "", "\x1f\x8b": "", "\x1f\x8b\x08rest of it": "", "\xfd7zXZ\x00": "",
		"\xfd7zXZ\x00\x00\x04and so on": "", string(gzipped(nil)): "the file is empty", string(gzipped([]byte("hello"))): understood,
	} {
		overwrite(t, path, text)
		if err := readError(t, path); !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %q, want %q", text, err, want)
		}
	}
	os.Remove(path)
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := readError(t, path); !strings.Contains(err.Error(), "directory") {
		t.Errorf("error %v", err)
	}
}

// TestDamagedCompression cuts compressed files short, changes a byte, and adds to them.
func TestDamagedCompression(t *testing.T) {
	dir := t.TempDir()
	m := ring(t, 300)
	for _, extension := range []string{".umb.gz", ".umb.xz", ".drn.gz"} {
		path := filepath.Join(dir, "model"+extension)
		mustWrite(t, path, m)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(data); n += 1 + len(data)/60 {
			overwrite(t, path, string(data[:n]))
			readError(t, path)
			damaged := bytes.Clone(data)
			damaged[n] ^= 0x10
			overwrite(t, path, string(damaged))
			if back, _, err := Read(context.Background(), path); err == nil && modeltest.Diff(m, back) != "" {
				t.Fatalf("%s: byte %d changed unnoticed", path, n)
			}
		}
		overwrite(t, path, string(data)+"something after it")
		readError(t, path)
	}

	var plain bytes.Buffer
	if err := umb.Write(&plain, m); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "two")
	overwrite(t, path, string(gzipped(plain.Bytes()[:5000]))+string(gzipped(plain.Bytes()[5000:])))
	if d := modeltest.Diff(m, mustRead(t, path, UMB)); d != "" {
		t.Error(d)
	}
	overwrite(t, path, string(gzipped(gzipped(plain.Bytes()))))
	if err := readError(t, path); !strings.Contains(err.Error(), "not known") {
		t.Errorf("compressed twice: %v", err)
	}
}

func TestEndOfContextStopsReading(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.umb")
	mustWrite(t, path, ring(t, 100))
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(cause)
	if _, _, err := Read(ctx, path); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	} else {
		checkName(t, err, path)
	}

	for _, text := range []string{"", "@type: MDP\n", "4 5 8\n0 0 1 1\n", "{", "\x1f\x8b\x08"} {
		fifo := filepath.Join(dir, "fifo")
		if err := syscall.Mkfifo(fifo, 0o600); err != nil {
			t.Skip(err)
		}
		w, err := os.OpenFile(fifo, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
		ctx, cancel := context.WithCancelCause(context.Background())
		time.AfterFunc(20*time.Millisecond, func() { cancel(cause) })
		start := time.Now()
		if _, _, err := Read(ctx, fifo); !errors.Is(err, cause) || time.Since(start) > 2*time.Second {
			t.Errorf("%q: error %v after %v, want %v at once", text, err, time.Since(start), cause)
		} else {
			checkName(t, err, fifo)
		}
		w.Close()
		os.Remove(fifo)
	}
}

func TestStandardInput(t *testing.T) {
	m := ring(t, 5_000)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	saved := os.Stdin
	os.Stdin = r
	defer func() { os.Stdin = saved }()
	go func() {
		umb.Write(w, m)
		w.Close()
	}()
	if d := modeltest.Diff(m, mustRead(t, "-", UMB)); d != "" {
		t.Error(d)
	}
	_, _, err = Read(context.Background(), "-")
	if err == nil {
		t.Fatal("no error")
	}
	checkName(t, err, stdinName)
}

func TestWriteRefusesUnknownExtensions(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"model", "model.txt", "model.gz", "model.tra.gz", "model.umb.bz2", ".umb", "-"} {
		path := filepath.Join(dir, name)
		err := Write(context.Background(), path, ring(t, 3))
		if err == nil || !strings.Contains(err.Error(), ".umb, .umb.gz, .umb.xz, .drn") {
			t.Fatalf("%s: error %v", name, err)
		}
		checkName(t, err, path)
	}
	if got := names(t, dir); len(got) > 0 {
		t.Errorf("files %v, want none", got)
	}
}

// unwritable is a model whose writing fails, for UMB only in the last member.
func unwritable(t testing.TB) *sparse.MDP {
	b := sparse.NewBuilder(1000)
	v, err := sparse.NewValuation([]sparse.Variable{{Name: "x", Type: sparse.StringVariable, Bits: 8, Strings: []string{"a", "b,\n"}}})
	if err != nil {
		t.Fatal(err)
	}
	for s := range uint64(1000) {
		v.Append([]uint64{s / 999 * 7})
	}
	b.SetNames(v)
	b.AddChoice(0, "an action\nin two lines", sparse.Branch{Target: 0, Probability: 1})
	m, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFailureLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"model.umb", "model.umb.gz", "model.umb.xz", "model.tra"} {
		path := filepath.Join(dir, name)
		overwrite(t, path, "old")
		before := names(t, dir)
		err := Write(context.Background(), path, unwritable(t))
		if err == nil {
			t.Fatalf("%s: no error", name)
		}
		checkName(t, err, path)
		if data, err := os.ReadFile(path); string(data) != "old" {
			t.Errorf("%s is %q, %v", name, data, err)
		}
		if after := names(t, dir); !slices.Equal(before, after) {
			t.Errorf("%s: files %v, before %v", name, after, before)
		}
	}
	missing := filepath.Join(dir, "missing", "model.umb")
	if err := Write(context.Background(), missing, ring(t, 3)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	} else {
		checkName(t, err, missing)
	}
}

func TestWhatMayBeOverwritten(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.umb")
	created := filepath.Join(dir, "created")
	if f, err := os.Create(created); err != nil {
		t.Fatal(err)
	} else {
		f.Close()
	}
	mode := func(path string) os.FileMode {
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	mustWrite(t, path, ring(t, 3))
	if mode(path) != mode(created) {
		t.Errorf("mode %v, want %v", mode(path), mode(created))
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link.umb")
	if err := os.Symlink("model.umb", link); err != nil {
		t.Skip(err)
	}
	mustWrite(t, link, ring(t, 4))
	if mode(path) != 0o640 || mode(link)&os.ModeSymlink == 0 {
		t.Errorf("modes %v and %v", mode(path), mode(link))
	}
	if m := mustRead(t, path, UMB); m.NumStates() != 4 {
		t.Errorf("%d states, want 4", m.NumStates())
	}
	folder := filepath.Join(dir, "folder.umb")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), folder, ring(t, 3)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v", err)
	} else {
		checkName(t, err, folder)
	}
	if got := names(t, dir); len(got) != 4 {
		t.Errorf("files %v", got)
	}
}

func TestForeignSiblingsAreNotMixedIn(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "model.tra")
	stale := filepath.Join(dir, "model.sta")
	overwrite(t, stale, "(x)\n0:(1)\n")
	err := Write(context.Background(), path, ring(t, 3))
	if err == nil {
		t.Fatal("no error")
	}
	checkName(t, err, stale)
	if got := names(t, dir); len(got) != 1 {
		t.Errorf("files %v, want the old one", got)
	}
	os.Remove(stale)
	mustWrite(t, path, ring(t, 3))
	mustWrite(t, path, ring(t, 4))
	if m := mustRead(t, path, PRISM); m.NumStates() != 4 {
		t.Errorf("%d states, want 4", m.NumStates())
	}
}

func TestFormatNames(t *testing.T) {
	for f := Unknown; f <= Gymnasium+1; f++ {
		if f.String() == "" {
			t.Errorf("format %d has no name", f)
		}
	}
	if got := fmt.Sprint(UMB, DRN); got != "UMB DRN" {
		t.Error(got)
	}
}

func FuzzRead(f *testing.F) {
	dir := f.TempDir()
	m := ring(f, 3)
	for _, x := range everyExtension {
		path := filepath.Join(dir, "model"+x.extension)
		if err := Write(context.Background(), path, m); err != nil {
			f.Logf("%v", err)
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 32 && string(data[:6]) == "\xfd7zXZ\x00" {
			runtime.GC() // each may claim a dictionary of 4 GiB
		}
		r, err := decompress(bytes.NewReader(data))
		if err != nil {
			return
		}
		m, _, err := read(context.Background(), &input{Reader: r, name: "x"}, "-")
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := umb.Write(&b, m); err != nil {
			return // some format lets through what is not UTF-8
		}
		back, err := umb.Read(&b)
		if err != nil {
			t.Fatal(err)
		}
		if d := modeltest.Diff(m, back); d != "" {
			t.Fatal(d)
		}
	})
}

func TestInterruptedWriteLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	path := filepath.Join(dir, "model.drn")
	mustWrite(t, path, ring(t, 3))
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := Write(ctx, path, ring(t, 5000)); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	err = Replace(ctx, path, func(w io.Writer) error { _, err := io.WriteString(w, "gone"); return err })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || string(after) != string(before) {
		t.Errorf("the old file is gone: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("%v left behind: %v", entries, err)
	}
}
