package check

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zip"

	"offswitch/sparse"
)

// The members of a certificate's file: the object, and what the names of the vectors end in.
const (
	objectMember = "certificate.json"
	vectorSuffix = ".npy"
)

// objectLimit bounds the object in bytes. Constraints are most of it.
const objectLimit = 1 << 26

// vector is a member of the file: numbers of which there are many.
type vector struct {
	name string
	data any // *[]uint32, *[]int64 or *[]float64
	most int // as many as a model allows
}

// vectors returns the vectors of a certificate about a model of so many states and choices.
func (c *Certificate) vectors(states, choices int) []vector {
	q := &c.Question
	return []vector{
		{"train", &q.Train, states}, {"policy", &q.Policy, states}, {"weak", &q.Weak, choices},
		{"states", &c.States, states}, {"theta", &c.Theta, states}, {"values", &c.Values, states},
		{"sigma", &c.Sigma, states}, {"classes", &c.Classes, states},
		{"choices", &c.Choices, choices}, {"choice_y", &c.ChoiceY, choices},
		{"terminals", &c.Terminals, states}, {"terminal_y", &c.TerminalY, states},
		{"constraint_y", &c.ConstraintY, len(q.Constraints)},
	}
}

// Write writes the certificate's file: a zip archive of certificate.json, the object of the fields
// with a name in JSON, and of a NumPy vector NAME.npy for each of the others that is not empty:
//
//	train, policy, weak             Question.Train, Question.Policy and Question.Weak
//	states, theta, values           States, Theta, Values
//	sigma, classes                  Sigma, Classes
//	choices, choice_y               Choices, ChoiceY
//	terminals, terminal_y           Terminals, TerminalY
//	constraint_y                    ConstraintY
//
// A vector of reals is of type <f8. One of integers is of type <u4 and holds, modulo 2³², by how much
// each exceeds the one before (the first: 0), which compresses well; 2³²-1 stands for -1. So NumPy
// reads the file as it is:
//
//	import json, numpy
//	f = numpy.load("yes.npz")
//	question = json.loads(f["certificate.json"])["question"]
//	states = numpy.cumsum(f["states"], dtype="u4")
//	theta = f["theta"]
//
// and so does plain Python, with zipfile and array, past the first 128 bytes of a vector. The same
// certificate gives the same bytes. Write fails when a number of the object is not finite or a choice
// is none. It compresses some hundred MB a second.
func (c *Certificate) Write(w io.Writer) error {
	object, err := json.Marshal(c)
	if err == nil && len(object) > objectLimit {
		err = fmt.Errorf("%s of %d bytes, want at most %d", objectMember, len(object), objectLimit)
	}
	if err != nil {
		return fmt.Errorf("certificate: %w", err)
	}
	z := zip.NewWriter(w)
	compressor, err := flate.NewWriter(nil, flate.BestSpeed)
	if err != nil {
		return err
	}
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		compressor.Reset(w) // members come one after another
		return compressor, nil
	})
	member, err := z.Create(objectMember)
	if err != nil {
		return err
	}
	if _, err := member.Write(append(object, '\n')); err != nil {
		return err
	}
	for _, v := range c.vectors(0, 0) {
		if err := v.write(z); err != nil {
			return err
		}
	}
	return z.Close()
}

// A vector's file begins with this, padded to headerLength; see numpy.lib.format.
const (
	headerMagic  = "\x93NUMPY\x01\x00\x76\x00"
	headerLength = 128
	headerText   = "{'descr': '%s', 'fortran_order': False, 'shape': (%d,), }"
)

var headerPattern = regexp.MustCompile(`^\{'descr': '(<[a-z][0-9])', 'fortran_order': False, 'shape': \(([0-9]{1,10}),\), \} *\n$`)

// pieceLength is how many numbers are encoded or decoded at once.
const pieceLength = 1 << 13

func (v *vector) write(z *zip.Writer) error {
	switch data := v.data.(type) {
	case *[]float64:
		return writeVector(z, v.name, "<f8", *data, func(dst []byte, x float64) error {
			binary.LittleEndian.PutUint64(dst, math.Float64bits(x))
			return nil
		})
	case *[]uint32:
		return writeVector(z, v.name, "<u4", *data, differences())
	case *[]int64:
		difference := differences()
		return writeVector(z, v.name, "<u4", *data, func(dst []byte, x int64) error {
			if x < -1 || x >= sparse.None {
				return fmt.Errorf("certificate: %s: %d is not a choice", v.name, x)
			}
			return difference(dst, uint32(x))
		})
	}
	panic("check: vector of an unknown type")
}

// differences returns a function that encodes by how much a number exceeds that of the call before.
func differences() func(dst []byte, x uint32) error {
	previous := uint32(0)
	return func(dst []byte, x uint32) error {
		binary.LittleEndian.PutUint32(dst, x-previous)
		previous = x
		return nil
	}
}

// writeVector writes a vector of a type whose name ends in its size, unless it is empty.
func writeVector[T any](z *zip.Writer, name, kind string, data []T, put func(dst []byte, x T) error) error {
	if len(data) == 0 {
		return nil
	}
	w, err := z.Create(name + vectorSuffix)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "%-*s\n", headerLength-1, headerMagic+fmt.Sprintf(headerText, kind, len(data))); err != nil {
		return err
	}
	size := int(kind[2] - '0')
	buffer := make([]byte, min(len(data), pieceLength)*size)
	for piece := range slices.Chunk(data, pieceLength) {
		for i, x := range piece {
			if err := put(buffer[i*size:], x); err != nil {
				return err
			}
		}
		if _, err := w.Write(buffer[:len(piece)*size]); err != nil {
			return err
		}
	}
	return nil
}

// ReadCertificate reads the file of a certificate about a model, as Write writes it, and nothing else.
// It refuses other versions, unknown fields and members, and vectors longer than the model allows;
// whether the content makes sense is for Check to say. Of a certificate about another model it reads
// only the object. What it takes is in proportion to the model and the file, whatever the file
// claims.
func ReadCertificate(r io.ReaderAt, size int64, m *sparse.MDP) (*Certificate, error) {
	c, err := readCertificate(r, size, m)
	if err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return c, nil
}

func readCertificate(r io.ReaderAt, size int64, m *sparse.MDP) (*Certificate, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, err
	}
	files := make(map[string]*zip.File)
	for _, f := range z.File {
		if files[f.Name] != nil {
			return nil, fmt.Errorf("%s is there twice", f.Name)
		}
		files[f.Name] = f
	}
	if files[objectMember] == nil {
		return nil, fmt.Errorf("there is no %s", objectMember)
	}
	c, err := readObject(files[objectMember])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", objectMember, err)
	}
	hash := m.Hash()
	if c.Model != hex.EncodeToString(hash[:]) {
		return c, nil
	}
	delete(files, objectMember)
	vectors := c.vectors(m.NumStates(), m.NumChoices())
	failed := make([]error, len(vectors))
	var wait sync.WaitGroup
	for i := range vectors {
		name := vectors[i].name + vectorSuffix
		if f := files[name]; f != nil {
			delete(files, name)
			wait.Go(func() { failed[i] = vectors[i].read(f) })
		}
	}
	wait.Wait()
	for i, err := range failed {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", vectors[i].name+vectorSuffix, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		return nil, fmt.Errorf("%s is not part of a certificate", name)
	}
	return c, nil
}

func readObject(f *zip.File) (*Certificate, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, objectLimit+1))
	switch {
	case err != nil:
		return nil, err
	case len(text) > objectLimit:
		return nil, fmt.Errorf("more than %d bytes", objectLimit)
	}
	// Other versions may have other fields, so the version comes first.
	var version struct{ Schema string }
	if err := json.Unmarshal(text, &version); err != nil {
		return nil, err
	}
	if version.Schema != Schema {
		return nil, fmt.Errorf("schema %q, want %q", version.Schema, Schema)
	}
	c := new(Certificate)
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	return c, d.Decode(c)
}

func (v *vector) read(f *zip.File) error {
	switch data := v.data.(type) {
	case *[]float64:
		return readVector(f, "<f8", v.most, data, func(src []byte) float64 {
			return math.Float64frombits(binary.LittleEndian.Uint64(src))
		})
	case *[]uint32:
		return readVector(f, "<u4", v.most, data, sums())
	case *[]int64:
		sum := sums()
		return readVector(f, "<u4", v.most, data, func(src []byte) int64 {
			if x := sum(src); x != sparse.None {
				return int64(x)
			}
			return -1
		})
	}
	panic("check: vector of an unknown type")
}

// sums returns a function that undoes differences.
func sums() func(src []byte) uint32 {
	sum := uint32(0)
	return func(src []byte) uint32 {
		sum += binary.LittleEndian.Uint32(src)
		return sum
	}
}

func readVector[T any](f *zip.File, kind string, most int, data *[]T, get func(src []byte) T) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	defer r.Close()
	header := make([]byte, headerLength)
	if _, err := io.ReadFull(r, header); err != nil {
		return cut(err)
	}
	text, ok := strings.CutPrefix(string(header), headerMagic)
	found := headerPattern.FindStringSubmatch(text)
	if !ok || found == nil {
		return errors.New("it does not begin as a NumPy vector (version 1, 128 bytes)")
	}
	n, err := strconv.Atoi(found[2])
	switch {
	case err != nil:
		return err
	case found[1] != kind:
		return fmt.Errorf("numbers of type %s, want %s", found[1], kind)
	case n > most:
		return fmt.Errorf("%d numbers, want at most %d", n, most)
	}
	*data = make([]T, n)
	size := int(kind[2] - '0')
	buffer := make([]byte, max(1, min(n, pieceLength))*size)
	for piece := range slices.Chunk(*data, pieceLength) {
		if _, err := io.ReadFull(r, buffer[:len(piece)*size]); err != nil {
			return cut(err)
		}
		for i := range piece {
			piece[i] = get(buffer[i*size:])
		}
	}
	switch _, err := io.ReadFull(r, buffer[:1]); err { // the end is also where the checksum is compared
	case nil:
		return fmt.Errorf("more than the %d numbers that it announces", n)
	case io.EOF:
		return nil
	default:
		return err
	}
}

// cut returns the error of a vector that ends too early.
func cut(err error) error {
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return errors.New("it is cut short")
	}
	return err
}
