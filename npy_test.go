package offswitch_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"regexp"
	"strconv"
	"testing"
)

// plainNPY reads an array of two dimensions by the letter of NEP 1, the specification of NumPy's format: magic and
// version 1.0, the length of the header, the header, which is one line of a Python dictionary with blanks up
// to where data is aligned, and the data, row by row.
func plainNPY(t *testing.T, file []byte) (rows, columns int, data []float64) {
	t.Helper()
	if !bytes.HasPrefix(file, []byte("\x93NUMPY\x01\x00")) {
		t.Fatalf("the file starts with %q", file[:min(8, len(file))])
	}
	start := 10 + int(binary.LittleEndian.Uint16(file[8:10]))
	if start > len(file) || start%64 != 0 || file[start-1] != '\n' {
		t.Fatalf("data starts at %d of %d bytes, after %q", start, len(file), file[10:min(start, len(file))])
	}
	header := regexp.MustCompile(`^\{'descr': '<f8', 'fortran_order': False, 'shape': \((\d+), (\d+)\), \} *\n$`).FindSubmatch(file[10:start])
	if header == nil {
		t.Fatalf("the header is %q", file[10:start])
	}
	rows, _ = strconv.Atoi(string(header[1]))
	columns, _ = strconv.Atoi(string(header[2]))
	if len(file) != start+8*rows*columns {
		t.Fatalf("%d bytes of data for %d rows and %d columns", len(file)-start, rows, columns)
	}
	for at := start; at < len(file); at += 8 {
		data = append(data, math.Float64frombits(binary.LittleEndian.Uint64(file[at:])))
	}
	return rows, columns, data
}
