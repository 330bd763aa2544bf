package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/ulikunitz/xz"

	"offswitch/sparse"
	"offswitch/sparse/drn"
	"offswitch/sparse/gym"
	"offswitch/sparse/prism"
	"offswitch/sparse/umb"
)

// stdinName is what errors call standard input, whose path is "-".
const stdinName = "standard input"

// Read reads a model and says in which format it was. The path - stands for standard input. For a
// model in PRISM's files the path is any one of them, or what their names share; the others (X.lab,
// X.sta, X.srew and X.trew or X1.srew, X1.trew, X2.srew, …, also with .gz or .xz) are taken where
// they exist.
//
// The error begins with the name of the file. When ctx ends, reading stops and the error is its
// cause. Compressed files are read to their end, and their checksums are verified.
func Read(ctx context.Context, path string) (*sparse.MDP, Format, error) {
	path = prismPath(path)
	in, err := open(ctx, path)
	if err != nil {
		return nil, Unknown, named(err, display(path))
	}
	defer in.close()
	return read(ctx, in, path)
}

// read reads a model from an open file; PRISM's other files are looked for beside path.
func read(ctx context.Context, in *input, path string) (*sparse.MDP, Format, error) {
	head, err := in.Peek(peekSize)
	if err != nil && err != io.EOF {
		return nil, Unknown, named(stopped(ctx, err), in.name)
	}
	format := detect(head)
	stem, extension, _ := split(path)
	if slices.Contains(siblingSuffixes, extension) && (format == PRISM || format == Unknown) {
		return nil, PRISM, named(fmt.Errorf("%s, with which it makes a model, is missing", stem+transitionSuffix), in.name)
	}
	var m *sparse.MDP
	switch format {
	case UMB:
		m, err = umb.Read(in)
	case DRN:
		m, err = drn.Read(in)
	case Gymnasium:
		m, err = gym.Read(in)
	case PRISM:
		m, err = readPRISM(ctx, in, path)
	default:
		err = fmt.Errorf("the format is not known: %s", understood)
		if len(head) == 0 {
			err = errors.New("the file is empty")
		}
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	if err != nil {
		return nil, format, named(stopped(ctx, err), in.name)
	}
	return m, format, nil
}

// stopped returns why the context ended if it did, and the error otherwise.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func display(path string) string {
	if path == "-" {
		return stdinName
	}
	return path
}

// input is an open file, decompressed.
type input struct {
	*bufio.Reader
	name  string
	close func()
}

// open opens a file and undoes its compression.
func open(ctx context.Context, path string) (*input, error) {
	f, in := os.Stdin, &input{name: display(path), close: func() {}}
	if path != "-" {
		var err error
		if f, err = os.Open(path); err != nil {
			return nil, err
		}
		in.close = func() { f.Close() }
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		in.close()
		return nil, err
	case info.IsDir():
		in.close()
		return nil, errors.New("is a directory")
	}
	var r io.Reader = &checked{ctx, f}
	if !info.Mode().IsRegular() {
		r = pump(ctx, f, in)
	}
	if in.Reader, err = decompress(r); err != nil {
		in.close()
		return nil, stopped(ctx, err)
	}
	return in, nil
}

// checked is a reader that fails once its context has ended.
type checked struct {
	ctx context.Context
	r   io.Reader
}

func (c *checked) Read(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.r.Read(p)
}

// pump reads from what can keep a reader waiting, such as a terminal, in a goroutine of its own, so
// that the end of the context is noticed meanwhile. The goroutine ends with the next bytes that
// come.
func pump(ctx context.Context, f *os.File, in *input) io.Reader {
	out, into := io.Pipe()
	stop := context.AfterFunc(ctx, func() { into.CloseWithError(context.Cause(ctx)) })
	go func() {
		_, err := io.CopyBuffer(struct{ io.Writer }{into}, struct{ io.Reader }{f}, make([]byte, peekSize))
		into.CloseWithError(err)
	}()
	closeFile := in.close
	in.close = func() {
		stop()
		out.Close()
		closeFile()
	}
	return out
}

// decompress undoes gzip and xz, told by their magic numbers.
func decompress(r io.Reader) (*bufio.Reader, error) {
	b := bufio.NewReaderSize(r, peekSize)
	magic, err := b.Peek(6)
	if err != nil && err != io.EOF {
		return nil, err
	}
	switch {
	case strings.HasPrefix(string(magic), "\x1f\x8b"):
		r, err = gzip.NewReader(b)
	case string(magic) == "\xfd7zXZ\x00":
		r, err = xz.NewReader(b)
	default:
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(r, peekSize), nil
}

// prismPath returns the path of the transitions when the path is that of one of PRISM's other
// files, or of none but the beginning of their names.
func prismPath(path string) string {
	stem, extension, _ := split(path)
	if !slices.Contains(siblingSuffixes, extension) {
		if path == "-" || exists(path) {
			return path
		}
		stem = path
	}
	for {
		if found := find(stem+transitionSuffix, exists); found != "" {
			return found
		}
		last := len(stem) - 1
		numbered := extension == stateRewardSuffix || extension == transitionRewardSuffix
		if !numbered || last < 0 || stem[last] < '0' || stem[last] > '9' {
			return path
		}
		stem = stem[:last]
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// find returns the path as it is or with the suffix of a compression, whichever is there.
func find(path string, there func(path string) bool) string {
	for _, c := range append([]string{""}, compressedSuffixes...) {
		if there(path + c) {
			return path + c
		}
	}
	return ""
}

// siblings are the paths of PRISM's files besides the transitions, "" for those that are not there.
type siblings struct {
	labels, states                  string
	stateRewards, transitionRewards []string
}

func (s *siblings) all() []string {
	return append(append([]string{s.labels, s.states}, s.stateRewards...), s.transitionRewards...)
}

// findSiblings finds the files that share a stem. Numbered rewards count only where there are none
// without a number. It fails when the numbers of one kind have a gap.
func findSiblings(stem string, there func(path string) bool) (s siblings, err error) {
	s.labels, s.states = find(stem+labelSuffix, there), find(stem+stateSuffix, there)
	add := func(number string) bool {
		a, b := find(stem+number+stateRewardSuffix, there), find(stem+number+transitionRewardSuffix, there)
		if a == "" && b == "" {
			return false
		}
		s.stateRewards, s.transitionRewards = append(s.stateRewards, a), append(s.transitionRewards, b)
		return true
	}
	if !add("") {
		for i := 1; add(strconv.Itoa(i)); i++ {
		}
	}
	if s.stateRewards, err = withoutEnd(s.stateRewards, stem, stateRewardSuffix); err == nil {
		s.transitionRewards, err = withoutEnd(s.transitionRewards, stem, transitionRewardSuffix)
	}
	return s, err
}

// withoutEnd cuts off the missing files at the end, and refuses any other missing one.
func withoutEnd(paths []string, stem, suffix string) ([]string, error) {
	for len(paths) > 0 && paths[len(paths)-1] == "" {
		paths = paths[:len(paths)-1]
	}
	for i, p := range paths {
		if p == "" {
			return nil, &namedError{stem + strconv.Itoa(i+1) + suffix, fmt.Errorf("the file is missing, but there is %s", paths[len(paths)-1])}
		}
	}
	return paths, nil
}

// readPRISM reads the model whose transitions are open, with its other files.
func readPRISM(ctx context.Context, transitions *input, path string) (*sparse.MDP, error) {
	in := prism.Input{Transitions: prism.Source{Name: transitions.name, Reader: transitions}}
	var found siblings
	if path != "-" {
		stem, _, _ := split(path)
		var err error
		if found, err = findSiblings(stem, exists); err != nil {
			return nil, err
		}
	}
	var names []string
	var opened []*input
	defer func() {
		for _, x := range opened {
			x.close()
		}
	}()
	sources := make(map[string]prism.Source)
	for _, p := range found.all() {
		if p == "" {
			continue
		}
		x, err := open(ctx, p)
		if err != nil {
			return nil, named(err, p)
		}
		opened, names = append(opened, x), append(names, p)
		sources[p] = prism.Source{Name: p, Reader: x}
	}
	if s, ok := sources[found.labels]; ok {
		in.Labels = &s
	}
	if s, ok := sources[found.states]; ok {
		in.States = &s
	}
	for _, p := range found.stateRewards {
		in.StateRewards = append(in.StateRewards, sources[p])
	}
	for _, p := range found.transitionRewards {
		in.TransitionRewards = append(in.TransitionRewards, sources[p])
	}
	m, err := prism.Read(in)
	if err != nil {
		return nil, named(stopped(ctx, err), transitions.name, names...)
	}
	for _, x := range opened {
		if _, err := io.Copy(io.Discard, x); err != nil {
			return nil, named(stopped(ctx, err), x.name)
		}
	}
	return m, nil
}
