package bench

import (
	"bytes"
	"flag"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var (
	highs = flag.String("highs", "highs", "the program `HIGHS` that the table others measures")
	limit = flag.Duration("limit", time.Minute, "how long it may take for each goal set")
)

// othersTable measures what HiGHS does about the same linear programs, one core for each.
func othersTable(t *testing.T) string {
	program, err := exec.LookPath(*highs)
	if err != nil {
		t.Fatal(err)
	}
	methods := []string{"simplex", "ipm", "pdlp"}
	var b strings.Builder
	fmt.Fprintf(&b, "| goal set | states | %s |\n|---|--:|%s\n", strings.Join(methods, " | "), strings.Repeat("---|", len(methods)))
	for _, kind := range GoalSetKinds() {
		const states = 10000
		path := filepath.Join(t.TempDir(), "goalset.mps")
		writeGoalSet(t, path, kind, states)
		fmt.Fprintf(&b, "| %s | %d |", kind, states)
		for _, method := range methods {
			c := exec.Command(program, "--model_file", path, "--solver", method, "--time_limit", fmt.Sprint(limit.Seconds()), "--parallel", "off")
			out, err := c.CombinedOutput()
			_, status, ok := bytes.Cut(out, []byte("Model status        : "))
			status, _, _ = bytes.Cut(status, []byte("\n"))
			if !ok {
				t.Fatalf("%s: %v, no status in %s", program, err, out)
			}
			used := c.ProcessState.UserTime() + c.ProcessState.SystemTime()
			fmt.Fprintf(&b, " %.1f s, %s |", used.Seconds(), strings.ToLower(string(status)))
		}
		fmt.Fprintln(&b)
	}
	return b.String()
}
