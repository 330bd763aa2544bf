package gym

import (
	"bytes"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/frozenlake*.json anew")

var lakes = map[string]string{
	"4x4": "SFFF FHFH FFFH HFFG",
	"8x8": "SFFFFFFF FFFFFFFF FFFHFFFF FFFFFHFF FFFHFFFF FHHFFFHF FHFFHFHF FFFHFFFG",
}

// frozenLake returns the table P of Gymnasium's FrozenLake-v1 (gymnasium/envs/toy_text/frozen_lake.py)
// on a map, slippery: an action goes each of its own way and the two ways beside it with
// probability 1/3. The text is that of Python's json.dumps, but with one state a line.
func frozenLake(lake []string) []byte {
	rows, columns := len(lake), len(lake[0])
	ends := func(s int) bool { return strings.IndexByte("GH", lake[s/columns][s%columns]) >= 0 }
	step := func(s, direction int) int {
		r, c := s/columns, s%columns
		switch direction {
		case 0:
			c = max(c-1, 0)
		case 1:
			r = min(r+1, rows-1)
		case 2:
			c = min(c+1, columns-1)
		case 3:
			r = max(r-1, 0)
		}
		return r*columns + c
	}
	var out bytes.Buffer
	for s := range rows * columns {
		before := ",\n "
		if s == 0 {
			before = "{"
		}
		fmt.Fprintf(&out, "%s\"%d\": {", before, s)
		for action := range 4 {
			var outcomes []string
			for _, direction := range []int{(action + 3) % 4, action, (action + 1) % 4} {
				next := step(s, direction)
				reward := "0.0"
				if lake[next/columns][next%columns] == 'G' {
					reward = "1.0"
				}
				outcomes = append(outcomes, fmt.Sprintf("[%v, %d, %s, %v]", 1.0/3.0, next, reward, ends(next)))
			}
			if ends(s) {
				outcomes = []string{fmt.Sprintf("[1.0, %d, 0, true]", s)}
			}
			comma := ", "
			if action == 3 {
				comma = "}"
			}
			fmt.Fprintf(&out, "\"%d\": [%s]%s", action, strings.Join(outcomes, ", "), comma)
		}
	}
	out.WriteString("}\n")
	return out.Bytes()
}

// The files are Gymnasium's tables, and with them the values known for these environments come out.
func TestFrozenLake(t *testing.T) {
	for name, c := range map[string]struct {
		outcomes, terminal int
		reach, value       float64 // best probability of the goal; best return from the start at 0.99
	}{
		"4x4": {152, 5, 14.0 / 17, 0.542025932},
		"8x8": {680, 11, 1, 0.414640362},
	} {
		path := "../../testdata/frozenlake" + name + ".json"
		want := frozenLake(strings.Fields(lakes[name]))
		if *update {
			if err := os.WriteFile(path, want, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(file, want) {
			t.Errorf("%s differs from the table that the algorithm makes; see -update", path)
		}
		// Each outcome has a bracket, and so have each state's four actions.
		states := len(strings.Join(strings.Fields(lakes[name]), ""))
		if n := bytes.Count(file, []byte("[")) - 4*states; n != c.outcomes {
			t.Errorf("%s: %d outcomes, want %d", name, n, c.outcomes)
		}
		m, err := Read(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if m.NumStates() != states || m.NumTerminal() != c.terminal || m.Names() != nil {
			t.Errorf("%s: %d states, %d terminal", name, m.NumStates(), m.NumTerminal())
		}
		values := func(gamma float64) float64 {
			v := make([]float64, states)
			for range 4000 {
				for s := range uint32(states) {
					lo, hi := m.Choices(s)
					for choice := lo; choice < hi; choice++ {
						sum := m.Reward("reward").Choices.At(choice)
						for i, t := range m.Targets(choice) {
							sum += gamma * m.Probabilities(choice)[i] * v[t]
						}
						v[s] = max(v[s], sum)
					}
				}
			}
			return v[0]
		}
		if got := values(1); math.Abs(got-c.reach) > 1e-6 {
			t.Errorf("%s: the goal is reached with probability %v, want %v", name, got, c.reach)
		}
		if got := values(0.99); math.Abs(got-c.value) > 1e-8 {
			t.Errorf("%s: value %v, want %v", name, got, c.value)
		}
	}
}
