package offswitch

import (
	"bufio"
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"strconv"

	"offswitch/recurrence"
)

// WriteStatesCSV writes what is known of every state of S_reach, nearest to s_new first, at each
// discount, one line each under the heads
//
//	discount, state, index, component, distance, lower, upper, paper, extended
//
// component is the number of the end component and empty outside of them; lower and upper are bounds of the
// visit count over all policies, which the Question must have asked for; the rest are the verdicts in both
// senses (recurrence.Counts): counted, not counted or undecided.
func WriteStatesCSV(w io.Writer, analyses []*Analysis) error {
	out := csv.NewWriter(w)
	out.Write([]string{"discount", "state", "index", "component", "distance", "lower", "upper", "paper", "extended"})
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for _, a := range analyses {
		m, counts := a.Setting.Question.Model, a.Counts
		for _, s := range a.Setting.Reach.Order {
			component := ""
			if k := a.component(s); k != recurrence.None {
				component = fmt.Sprint(k)
			}
			ref, bounds := Ref(m, s), a.bounds(s)
			if err := out.Write([]string{
				number(a.Setting.Question.Discount), ref.State, fmt.Sprint(ref.Index), component, fmt.Sprint(a.Setting.Reach.Distance[s]),
				number(bounds[0]), number(bounds[1]), counts.Paper[s].String(), counts.Extended[s].String(),
			}); err != nil {
				return err
			}
		}
	}
	out.Flush()
	return out.Error()
}

// npyHeader is that of a NumPy file, version 1.0: with the blanks after the dictionary, 128 bytes, because
// the data has to start at a multiple of 64 (NEP 1, numpy.lib.format). npyio does not see to that.
const npyHeader = "\x93NUMPY\x01\x00\x76\x00%-117s\n"

// WriteStatesNPY writes the same as a NumPy array of float64 with a row for each line and the
// columns discount, index, component (-1 outside), distance, lower, upper, paper, extended; a verdict is 1 for
// counted, 0 for not counted and -1 for undecided.
func WriteStatesNPY(w io.Writer, analyses []*Analysis) error {
	const columns = 8
	verdict := [...]float64{recurrence.Undecided: -1, recurrence.NotCounted: 0, recurrence.Counted: 1}
	rows := 0
	for _, a := range analyses {
		rows += len(a.Setting.Reach.Order)
	}
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, npyHeader, fmt.Sprintf("{'descr': '<f8', 'fortran_order': False, 'shape': (%d, %d), }", rows, columns))
	for _, a := range analyses {
		for _, s := range a.Setting.Reach.Order {
			component := -1.0
			if k := a.component(s); k != recurrence.None {
				component = float64(k)
			}
			bounds := a.bounds(s)
			row := [columns]float64{a.Setting.Question.Discount, float64(a.Setting.Question.Model.Original(s)), component, float64(a.Setting.Reach.Distance[s]),
				bounds[0], bounds[1], verdict[a.Counts.Paper[s]], verdict[a.Counts.Extended[s]]}
			for _, x := range row {
				out.Write(binary.LittleEndian.AppendUint64(out.AvailableBuffer(), math.Float64bits(x)))
			}
		}
	}
	return out.Flush()
}

// component returns the end component of a state, None outside of them or where that is not known.
func (a *Analysis) component(s uint32) uint32 {
	if a.Setting.visits == nil {
		return recurrence.None
	}
	return a.Setting.visits.Components().Of[s]
}

// bounds returns the bounds of a state's visit count over all policies.
func (a *Analysis) bounds(s uint32) [2]float64 {
	if a.Counts.Lower == nil {
		return [2]float64{0, math.Inf(1)}
	}
	return [2]float64{a.Counts.Lower[s], a.Counts.Upper[s]}
}
