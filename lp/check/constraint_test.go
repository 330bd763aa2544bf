package check_test

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"offswitch/lp/check"
	"offswitch/sparse"
)

// named has states a, b, coin, (x=0,y=3), a label coin on #0 and #1, a label goal on #1, #2 and #3, and
// an empty label.
func named() *sparse.MDP {
	b := sparse.NewBuilder(4)
	for s, name := range []string{"a", "b", "coin", "(x=0,y=3)"} {
		b.Name(uint32(s), name)
	}
	b.Label("coin", 0, 1)
	b.Label("goal", 1, 2, 3)
	b.Label("empty")
	m, err := b.Build()
	if err != nil {
		panic(err)
	}
	return m
}

func TestParseConstraint(t *testing.T) {
	m := named()
	for _, x := range []struct {
		text  string
		sense check.Sense
		value float64 // terms plus constants where the reward of state s is 10^s
	}{
		{"r[a] >= 0.5", check.AtLeast, 0.5},
		{"r[a]-r[b]>=0.25", check.AtLeast, -9.25},
		{" 2*r[a] + 0.5 r[#1]  <=\t1e2 ", check.AtMost, -93},
		{"-r[(x=0,y=3)] = 1", check.Equal, -1001},
		{"1 + r[ a ] + 2 == 3 - r[b] + -4r[a]", check.Equal, 1 + 1 + 2 - 3 + 10 + 4},
		{"r[state:coin] >= r[label:coin]", check.AtLeast, 99},
		{"r[goal] <= 0", check.AtMost, 10},
		{"0 <= + r[a]", check.AtMost, -1},
		{".5*r[a] >= 1.", check.AtLeast, -0.5},
		{"r[a] - r[a] >= 0", check.AtLeast, 0},
	} {
		c, err := check.ParseConstraint(m, x.text)
		if err != nil {
			t.Error(err)
			continue
		}
		value := c.Value(func(s uint32) *big.Rat {
			return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(s)), nil))
		})
		if got, _ := value.Float64(); got != x.value || c.Sense != x.sense || c.Text != x.text {
			t.Errorf("%s: %v with value %v, want %v with %v", x.text, c.Sense, got, x.sense, x.value)
		}
	}
}

func TestParseConstraintErrors(t *testing.T) {
	m := named()
	for _, x := range []struct{ text, want string }{
		{"", "column 1: expected a number or r[NAME], found the end"},
		{"r[a]", "column 5: expected +, - or one of <=, >=, ==, found the end"},
		{"r[a] > 1", "column 6: expected <=, >= or ==; strict"},
		{"r[a] >= ", "column 9: expected a number or r[NAME], found the end"},
		{"r[a] >= 1 <= 2", "column 11: expected +, - or the end, found '<'"},
		{"1 >= 2", "column 1: expected at least one reward"},
		{"r[a >= 1", "column 9: expected ] to end the name that starts at column 3"},
		{"r[c] >= 1", `column 3: expected a state or a label: no state is called "c", and no label is (labels: coin, goal, empty)`},
		{"r[a] + r[coin] >= 1", `column 10: "coin" is both a state and a label: write r[state:coin] or r[label:coin]`},
		{"r[empty] >= 1", "column 3: expected a label with states"},
		{"r[label:a] >= 1", `column 3: expected a label: no label is called "a" (labels: coin`},
		{"r[state:goal] >= 1", `column 3: expected a state: no state is called "goal"`},
		{"r[#4] >= 1", "column 3: expected a state or a label: state #4 is out of range"},
		{"2 * 3 >= r[a]", "column 5: expected r[NAME] after *, found '3'"},
		{"1e999 r[a] >= 1", `column 1: expected a number, found "1e999"`},
		{"1.2.3 r[a] >= 1", `column 1: expected a number, found "1.2.3"`},
		{"r[a] * 2 >= 1", "column 6: expected +, - or one of"},
		{"räa >= 1", "column 1: expected a number or r[NAME], found 'r'"},
		{"r[a] + ä >= 1", "column 8: expected a number or r[NAME], found 'ä'"},
		{"r[ä] >= 1 ö", "column 3: expected a state"},
		{"--r[a] >= 1", "column 2: expected a number or r[NAME], found '-'"},
	} {
		if _, err := check.ParseConstraint(m, x.text); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%q: error %v, want %s", x.text, err, x.want)
		}
	}
}

func TestTies(t *testing.T) {
	m := named()
	parse := func(text string) check.Constraint {
		c, err := check.ParseConstraint(m, text)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	all := []uint32{0, 1, 2, 3}
	ties := func(states []uint32, features []string, texts ...string) (root []uint32, none uint32) {
		var fs []check.Feature
		for _, name := range features {
			f, err := check.ParseFeature(m, name)
			if err != nil {
				t.Fatal(err)
			}
			fs = append(fs, f)
		}
		var cs []check.Constraint
		for _, text := range texts {
			cs = append(cs, parse(text))
		}
		return check.Ties(m, cs, fs, states)
	}
	for _, x := range []struct {
		what        string
		states      []uint32
		features    []string
		constraints []string
		root        []uint32
		none        uint32
	}{
		{"no labels", all, nil, []string{"r[a] >= 0"}, nil, sparse.None},
		{"one label", all, nil, []string{"r[goal] >= 0"}, []uint32{0, 1, 1, 1}, sparse.None},
		{"overlapping labels", all, nil, []string{"r[goal] >= r[label:coin]"}, []uint32{0, 0, 0, 0}, sparse.None},
		{"overlapping features", all, []string{"label:coin", "goal"}, nil, []uint32{0, 1, 2, 2}, sparse.None},
		{"no features", all, []string{"state:#3"}, nil, []uint32{0, 0, 0, 3}, 0},
		{"features of other states", []uint32{2, 3}, []string{"a"}, nil, []uint32{0, 0, 2, 2}, 2},
		{"no state without features", []uint32{2, 3}, []string{"goal"}, nil, []uint32{0, 0, 2, 2}, sparse.None},
		{"a label that ties to no feature", all, []string{"a"}, []string{"r[label:coin] >= 0"}, []uint32{0, 0, 0, 0}, 0},
	} {
		root, none := ties(x.states, x.features, x.constraints...)
		for s := range root {
			if !slices.Contains(x.states, uint32(s)) {
				root[s] = 0
			}
		}
		if !slices.Equal(root, x.root) || none != x.none {
			t.Errorf("%s: %v, %d, want %v, %d", x.what, root, none, x.root, x.none)
		}
	}
}

func FuzzParseConstraint(f *testing.F) {
	m := named()
	for _, text := range []string{"r[a] - r[b] >= 0.1", "2*r[(x=0,y=3)] + .5r[#2] == -1e-3", "r[label:coin]<=r[state:coin]", "1 = r[", "é"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := check.ParseConstraint(m, text)
		if err != nil {
			return
		}
		// Written out term by term, it parses to the same.
		var again strings.Builder
		for i, x := range c.Terms {
			kind := "state"
			if x.Label != nil {
				kind = "label"
			}
			fmt.Fprintf(&again, "%s %v*r[%s:%s]", []string{"", "+"}[min(i, 1)], x.Coefficient, kind, x.Name)
		}
		for _, k := range c.Constants {
			fmt.Fprintf(&again, " + %v", k)
		}
		fmt.Fprintf(&again, " %v 0", c.Sense)
		d, err := check.ParseConstraint(m, again.String())
		if err != nil {
			t.Fatalf("%q became %q: %v", text, again.String(), err)
		}
		one := func(s uint32) *big.Rat { return big.NewRat(int64(s)+1, 1) }
		if c.Value(one).Cmp(d.Value(one)) != 0 || c.Sense != d.Sense {
			t.Fatalf("%q became %q", text, again.String())
		}
	})
}
