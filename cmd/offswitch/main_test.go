package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"offswitch": main})
}

func TestScripts(t *testing.T) {
	models, err := filepath.Abs("../../testdata")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("MODELS", models)
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "replace": replace},
	})
}

// exits runs a command and checks its exit code: exits CODE COMMAND ARG…
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if e, ok := err.(*exec.ExitError); ok {
		code = e.String()[len("exit status "):]
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if code != args[0] {
		ts.Fatalf("exit code %s, want %s", code, args[0])
	}
}

// replace copies a zip archive with the first OLD of each member become NEW: replace IN OUT OLD NEW
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: replace IN OUT OLD NEW")
	}
	in, err := zip.OpenReader(ts.MkAbs(args[0]))
	ts.Check(err)
	defer in.Close()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		text, err := fs.ReadFile(in, f.Name)
		ts.Check(err)
		w, err := z.Create(f.Name)
		ts.Check(err)
		_, err = w.Write(bytes.Replace(text, []byte(args[2]), []byte(args[3]), 1))
		ts.Check(err)
	}
	ts.Check(z.Close())
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), out.Bytes(), 0o600))
}

// Every subcommand's example works when it is pasted into a shell at the top of the repository.
func TestExamples(t *testing.T) {
	for _, c := range newRoot(&session{}).Commands() {
		t.Run(c.Name(), func(t *testing.T) {
			if c.Example == "" || c.Short == "" {
				t.Fatal("no example, or no description")
			}
			shell := exec.Command("sh", "-c", c.Example)
			shell.Dir = "../.."
			if out, err := shell.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", c.Example, err, out)
			}
		})
	}
}

func TestEveryFlagIsDescribed(t *testing.T) {
	for _, c := range newRoot(&session{}).Commands() {
		for line := range strings.Lines(c.Flags().FlagUsages()) {
			if len(strings.Fields(line)) < 3 {
				t.Errorf("%s: %q", c.Name(), line)
			}
		}
	}
}

// An interrupted analysis prints what is known, marked partial, and exits with 3.
func TestInterrupt(t *testing.T) {
	model := filepath.Join(t.TempDir(), "grid.umb")
	var out, errs bytes.Buffer
	s := &session{stdout: &out, stderr: &errs}
	if code := s.run(context.Background(), []string{"gen", "grid", "--states", "300000", "--slip", "0.2", "-o", model}); code != 0 {
		t.Fatal(errs.String())
	}
	// Interrupted while it still reads the model, it knows nothing: then it gets more time.
	for delay := time.Second; out.Len() == 0 && delay < time.Minute; delay *= 2 {
		c := exec.Command("offswitch", "analyze", "--json", model)
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay)
		c.Process.Signal(os.Interrupt)
		err := c.Wait()
		if code := c.ProcessState.ExitCode(); code != exitUndecided {
			t.Fatalf("exit code %d (%v), want %d: %s", code, err, exitUndecided, errs.String())
		}
	}
	var report struct {
		Schema  string
		Partial bool
		Model   struct{ States int }
	}
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v: %s", err, out.String())
	}
	if !report.Partial || report.Model.States < 250000 {
		t.Errorf("%s", out.String())
	}
}

// What README shows of commands is what they print.
func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		command string
		args    []string
		code    int
	}{
		{"analyze testdata/coinrun.umb", []string{"analyze", "../../testdata/coinrun.umb"}, exitYes},
		{"feasible testdata/worked.drn --where 'r[finish] <= 0.1' --where 'r[home] >= 0.5'",
			[]string{"feasible", "../../testdata/worked.drn", "--where", "r[finish] <= 0.1", "--where", "r[home] >= 0.5"}, exitNo},
		{"analyze testdata/worked.drn --discount 0.6,0.7,0.99 --critical a",
			[]string{"analyze", "../../testdata/worked.drn", "--discount", "0.6,0.7,0.99", "--critical", "a"}, exitYes},
	} {
		_, shown, ok := strings.Cut(string(readme), "    $ go run ./cmd/offswitch "+x.command+"\n")
		if !ok {
			t.Errorf("README does not show %s", x.command)
		}
		var out, errs bytes.Buffer
		s := &session{stdout: &out, stderr: &errs}
		if code := s.run(context.Background(), x.args); code != x.code {
			t.Fatalf("%s: exit code %d: %s", x.command, code, errs.String())
		}
		var want strings.Builder
		for line := range strings.Lines(out.String()) {
			if line != "\n" {
				line = "    " + line
			}
			want.WriteString(line)
		}
		if !strings.HasPrefix(shown, want.String()) {
			t.Errorf("README shows\n%s\nbut %s prints\n%s", shown[:min(len(shown), want.Len())], x.command, want.String())
		}
	}
}

// CLP is there when it is built in, and otherwise the error says how to get it.
func TestSolverCLP(t *testing.T) {
	s, err := new(session).findSolver("clp")
	if clpSolver == nil {
		if err == nil || !strings.Contains(err.Error(), "-tags clp") {
			t.Errorf("error %v", err)
		}
		return
	}
	if err != nil || s.Name() != "CLP" {
		t.Errorf("%v, %v", s, err)
	}
}
