package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"codeberg.org/sbinet/npyio"

	"offswitch/sparse/file"
)

func TestGoalsFromNumPy(t *testing.T) {
	m, _, err := file.Read(context.Background(), "../../testdata/worked.drn")
	if err != nil {
		t.Fatal(err)
	}
	write := func(x any) string {
		var b bytes.Buffer
		if err := npyio.Write(&b, x); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "goal.npy")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := []float64{0, 1, 0.5, 0, 0, 0, 0.25, 0, 1}
	if got, err := readGoal(m, write(want)); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for message, x := range map[string]any{
		"shape [3], want (9,)":          []float64{1, 2, 3},
		"numbers of type <i8, want <f8": make([]int64, 9),
	} {
		if _, err := readGoal(m, write(x)); err == nil || !strings.Contains(err.Error(), message) {
			t.Errorf("error %v, want %q", err, message)
		}
	}
	path := write(want)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)-3], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readGoal(m, path); err == nil {
		t.Error("a truncated file is read")
	}
}
