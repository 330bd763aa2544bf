package file

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
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

// extensions are the extensions that Write knows, and the formats that they stand for.
var extensions = []struct {
	extension string
	format    Format
}{{".umb", UMB}, {".drn", DRN}, {".tra", PRISM}, {".json", Gymnasium}}

// Write writes a model in the format of the path's extension: .umb, .drn or .json, each also with
// .gz or .xz after it, or .tra with its siblings .lab, .sta, .srew and .trew. Files are written
// under other names in the same directory and renamed when all is well, .tra last; otherwise they
// are removed, and what was there before stays. Permissions are as with os.Create. It refuses to
// write a .tra beside a sibling that would be read with it but is not part of the model. The error
// begins with the name of a file. When ctx ends, writing stops, nothing is left behind, and the
// error is its cause.
func Write(ctx context.Context, path string, m *sparse.MDP) error {
	stem, extension, compression := split(path)
	format := Unknown
	for _, x := range extensions {
		if x.extension == extension {
			format = x.format
		}
	}
	if format == Unknown || format == PRISM && compression != "" {
		return named(unknownExtension(), path)
	}
	return together(ctx, path, func(out *output) error { return write(out, path, stem, format, compression, m) })
}

// Replace writes a file of any kind as Write does: whole or not at all.
func Replace(ctx context.Context, path string, write func(w io.Writer) error) error {
	return together(ctx, path, func(out *output) error {
		w, err := out.create(path, "")
		if err != nil {
			return err
		}
		return write(w)
	})
}

// together writes a set of files, and names them when all of them are complete.
func together(ctx context.Context, path string, write func(out *output) error) error {
	out := output{ctx: ctx}
	defer out.discard()
	if err := write(&out); err != nil {
		return named(stopped(ctx, err), path)
	}
	return out.commit()
}

func unknownExtension() error {
	var names []string
	for _, x := range extensions {
		if names = append(names, x.extension); x.format != PRISM {
			for _, c := range compressedSuffixes {
				names = append(names, x.extension+c)
			}
		}
	}
	return fmt.Errorf("the extension names no format that can be written, want one of %s", strings.Join(names, ", "))
}

func write(out *output, path, stem string, format Format, compression string, m *sparse.MDP) error {
	if format == PRISM {
		err := prism.Write(func(suffix string) (io.Writer, error) {
			name := stem + suffix
			if suffix == transitionSuffix {
				name = path // which may be in upper case
			}
			return out.create(name, "")
		}, m)
		if err != nil {
			return err
		}
		return out.checkSiblings(stem)
	}
	w, err := out.create(path, compression)
	if err != nil {
		return err
	}
	switch format {
	case UMB:
		return umb.Write(w, m)
	case DRN:
		return drn.Write(w, m)
	default:
		return gym.Write(w, m)
	}
}

// output is the set of files written together. Only the one created last is open.
type output struct {
	ctx   context.Context
	files []written
	open  []io.WriteCloser // of the last file, the outermost first
}

// written is a file under its temporary name.
type written struct {
	path      string // as the caller knows it
	target    string // the path with symbolic links followed
	temporary string // "" once renamed
}

// create begins a file, having finished the one before.
func (o *output) create(path, compression string) (io.Writer, error) {
	if err := o.finish(); err != nil {
		return nil, err
	}
	target, mode, err := overwritable(path)
	if err != nil {
		return nil, named(err, path)
	}
	f, err := createTemporary(target)
	if err != nil {
		return nil, named(err, path)
	}
	o.files = append(o.files, written{path, target, f.Name()})
	o.open = []io.WriteCloser{f}
	if mode != 0 {
		if err := f.Chmod(mode); err != nil {
			return nil, named(err, path)
		}
	}
	switch compression {
	case ".gz":
		o.open = append([]io.WriteCloser{gzip.NewWriter(f)}, o.open...)
	case ".xz":
		w, err := xz.NewWriter(f)
		if err != nil {
			return nil, named(err, path)
		}
		o.open = append([]io.WriteCloser{w}, o.open...)
	}
	w := bufio.NewWriterSize(o.open[0], peekSize)
	o.open = append([]io.WriteCloser{flusher{w}}, o.open...)
	return &checkedWriter{o.ctx, w}, nil
}

// checkedWriter is a writer that fails once its context has ended.
type checkedWriter struct {
	ctx context.Context
	w   io.Writer
}

func (c *checkedWriter) Write(p []byte) (int, error) {
	if c.ctx.Err() != nil {
		return 0, context.Cause(c.ctx)
	}
	return c.w.Write(p)
}

// overwritable returns the file that a path leads to and, if there is one already, its permissions.
// It fails where os.Create would, and on what is no regular file.
func overwritable(path string) (target string, mode os.FileMode, err error) {
	target, err = filepath.EvalSymlinks(path)
	if errors.Is(err, os.ErrNotExist) {
		return path, 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	info, err := os.Stat(target)
	if err != nil {
		return "", 0, err
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("is there already and not a regular file")
	}
	f, err := os.OpenFile(target, os.O_WRONLY, 0)
	if err != nil {
		return "", 0, err
	}
	return target, info.Mode().Perm(), f.Close()
}

// createTemporary creates a file beside another one, with the permissions of os.Create.
func createTemporary(target string) (*os.File, error) {
	for try := 0; ; try++ {
		name := filepath.Join(filepath.Dir(target), "."+filepath.Base(target)+"."+strconv.FormatUint(rand.Uint64(), 36)+".tmp")
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, os.ErrExist) || try == 100 {
			return f, err
		}
	}
}

// flusher makes the flush of a buffer a Close.
type flusher struct{ *bufio.Writer }

func (f flusher) Close() error { return f.Flush() }

// finish closes the file created last, all layers of it.
func (o *output) finish() error {
	var first error
	for _, c := range o.open {
		if err := c.Close(); err != nil && first == nil {
			first = err
		}
	}
	o.open = nil
	if first != nil {
		return named(first, o.files[len(o.files)-1].path)
	}
	return nil
}

// checkSiblings refuses to leave PRISM files of another model where they would be read with this
// one.
func (o *output) checkSiblings(stem string) error {
	own := make(map[string]bool)
	for _, f := range o.files {
		own[f.path] = true
	}
	found, err := findSiblings(stem, func(path string) bool { return own[path] || exists(path) })
	if err != nil {
		return err
	}
	for _, p := range found.all() {
		if p != "" && !own[p] {
			return &namedError{p, errors.New("is there already and not part of the model to be written, whose files it would be read with")}
		}
	}
	return nil
}

// commit gives all files their names. The first file is what makes a model of the rest, and is
// named last.
func (o *output) commit() error {
	if err := o.finish(); err != nil {
		return err
	}
	for i := len(o.files) - 1; i >= 0; i-- {
		f := &o.files[i]
		if err := os.Rename(f.temporary, f.target); err != nil {
			return named(err, f.path)
		}
		f.temporary = ""
	}
	return nil
}

// discard removes what was not named.
func (o *output) discard() {
	if len(o.open) > 0 {
		o.open[len(o.open)-1].Close()
	}
	for _, f := range o.files {
		if f.temporary != "" {
			os.Remove(f.temporary)
		}
	}
}
