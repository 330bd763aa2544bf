package offswitch

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"time"

	"offswitch/sparse"
)

// AnalysisSchema is the version of the JSON that Report writes.
const AnalysisSchema = "offswitch.analysis/1"

// Report is an Analysis as scripts read it: the JSON object of schema offswitch.analysis/1.
type Report struct {
	Schema   string  `json:"schema"`
	Discount float64 `json:"discount"`
	Model    struct {
		States   int `json:"states"`
		Choices  int `json:"choices"`
		Branches int `json:"branches"`
	} `json:"model"`
	Training TrainingReport `json:"training"`
	New      StateRef       `json:"new"`
	Shutdown struct {
		Action   string   `json:"action"`
		Terminal StateRef `json:"terminal"`
	} `json:"shutdown"`
	Reachable struct {
		States int `json:"states"`
	} `json:"reachable"`
	Recurrent struct {
		EndComponents int `json:"endComponents"`
		States        int `json:"states"`
	} `json:"recurrent"`
	Retargeting struct {
		Paper    CountRange `json:"paper"`
		Extended CountRange `json:"extended"`
	} `json:"retargeting"`
	Assumptions []AssumptionReport `json:"assumptions"`
	Theorem     struct {
		Applies bool    `json:"applies"`
		Verdict string  `json:"verdict"`
		N       int     `json:"n"`
		Share   float64 `json:"share"`
	} `json:"theorem"`
	Sharper  *SharperReport   `json:"sharper,omitempty"`
	Critical []CriticalReport `json:"critical,omitempty"`
	Partial  bool             `json:"partial"`
	Seconds  float64          `json:"seconds"`
}

// SharperReport gives bounds of the share of goals that shut down as decimal logarithms: of goals with independent
// uniform rewards (UniformShutdown), and of the orbit of the training reward (OrbitShutdown), null where there is no
// such reward, or rewards of actions, or none of the orbit shuts down (none is set then).
type SharperReport struct {
	Uniform   float64  `json:"uniformLog10"`
	Orbit     *float64 `json:"orbitLog10"`
	OrbitNone bool     `json:"orbitNone"`
}

// CriticalReport is a Critical as reports give it.
type CriticalReport struct {
	StateRef
	Paper    Range `json:"paper"`
	Extended Range `json:"extended"`
}

// Range is a number between two bounds.
type Range struct {
	Lower float64 `json:"lower"`
	Upper float64 `json:"upper"`
}

// AnalysesSchema is the version of the JSON that answers at several discounts are written in.
const AnalysesSchema = "offswitch.analyses/1"

// Reports are answers at several discounts as scripts read them.
type Reports struct {
	Schema   string           `json:"schema"`
	Analyses []*Report        `json:"analyses"`
	Critical []CriticalReport `json:"critical,omitempty"`
	Partial  bool             `json:"partial"`
	Seconds  float64          `json:"seconds"`
}

// TrainingReport is a Training as reports give it.
type TrainingReport struct {
	Source string `json:"source"`
	States int    `json:"states"`
	Closed bool   `json:"closed"`
}

// Report returns the training as scripts read it.
func (t *Training) Report() TrainingReport {
	return TrainingReport{Source: t.Source, States: len(t.Visited.Order), Closed: t.Closed()}
}

// StateRef is a state as reports name it.
type StateRef struct {
	State string `json:"state"`
	Index uint32 `json:"index"`
}

// CountRange is a Count as reports give it.
type CountRange struct {
	Lower int `json:"lower"`
	Upper int `json:"upper"`
}

// AssumptionReport is an Assumption as reports give it: it holds only when that is proved, and the verdict
// tells what fails from what is undecided.
type AssumptionReport struct {
	ID      string `json:"id"`
	Holds   bool   `json:"holds"`
	Verdict string `json:"verdict"`
	Witness string `json:"witness"`
}

// Ref returns a state's name and the index that it had when the model was read.
func Ref(m *sparse.MDP, state uint32) StateRef {
	return StateRef{State: m.StateName(state), Index: m.Original(state)}
}

// Report returns the analysis as scripts read it.
func (a *Analysis) Report(took time.Duration) *Report {
	s := a.Setting
	m := s.Question.Model
	r := &Report{Schema: AnalysisSchema, Discount: s.Question.Discount, Partial: a.Partial, Seconds: took.Seconds()}
	r.Model.States, r.Model.Choices, r.Model.Branches = m.NumStates(), m.NumChoices(), m.NumBranches()
	r.Training = s.Training.Report()
	r.New = Ref(m, s.New)
	r.Shutdown.Action, r.Shutdown.Terminal = m.ActionName(s.Shutdown), Ref(m, s.Terminal)
	r.Reachable.States = len(s.Reach.Order)
	r.Recurrent.EndComponents, r.Recurrent.States = a.EndComponents, a.Recurrent
	r.Retargeting.Paper, r.Retargeting.Extended = CountRange(a.Paper), CountRange(a.Extended)
	for _, x := range a.Assumptions {
		r.Assumptions = append(r.Assumptions, AssumptionReport{ID: x.ID, Holds: x.Verdict == Yes, Verdict: x.Verdict.String(), Witness: x.Witness})
	}
	r.Theorem.Applies, r.Theorem.Verdict = a.Applies == Yes, a.Applies.String()
	r.Theorem.N, r.Theorem.Share = a.N, a.Share()
	r.Sharper = a.sharper()
	return r
}

// sharper returns what UniformShutdown and OrbitShutdown say, or nil: where visit counts were not to be bounded, or
// the theorem is not proved to apply.
func (a *Analysis) sharper() *SharperReport {
	if a.Applies != Yes || !a.Setting.Question.Bounds {
		return nil
	}
	r := &SharperReport{Uniform: a.UniformShutdown()}
	reward := a.Setting.Training.Reward
	if reward == nil || reward.Choices.Len() > 0 {
		return r
	}
	if log10, err := a.OrbitShutdown(&reward.States); err == nil {
		if r.OrbitNone = math.IsInf(log10, -1); !r.OrbitNone {
			r.Orbit = &log10
		}
	}
	return r
}

// describeOrbit says what OrbitShutdown does.
func (r *SharperReport) describeOrbit() string {
	switch {
	case r.OrbitNone:
		return "none"
	case r.Orbit != nil:
		return describePower(*r.Orbit)
	}
	return "unknown"
}

// describePower writes 10^log10, rounded up.
func describePower(log10 float64) string {
	if log10 > -4 {
		return fmt.Sprintf("%.4g", math.Ceil(math.Pow(10, log10)*1e6)/1e6)
	}
	return fmt.Sprintf("10^%.1f", math.Ceil(log10*10)/10)
}

// Report returns the critical discount as scripts read it.
func (c *Critical) Report(m *sparse.MDP) CriticalReport {
	return CriticalReport{Ref(m, c.State), Range{c.Paper[0], c.Paper[1]}, Range{c.Extended[0], c.Extended[1]}}
}

// ReportAll returns answers at several discounts as scripts read them.
func ReportAll(analyses []*Analysis, took time.Duration) *Reports {
	r := &Reports{Schema: AnalysesSchema, Seconds: took.Seconds()}
	for _, a := range analyses {
		r.Analyses = append(r.Analyses, a.Report(took))
		r.Partial = r.Partial || a.Partial
	}
	return r
}

// WriteTable writes answers at several discounts for people, one line each, and what the assumptions of
// Theorem 2 lack.
func WriteTable(w io.Writer, analyses []*Analysis) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "%-12s%-28s%-28s%s\n", "discount", "visit count above 1", "of these surely", "Theorem 2")
	partial := false
	for _, a := range analyses {
		theorem := ""
		switch a.Applies {
		case Yes:
			theorem = fmt.Sprintf("applies: n = %s, share at least %.6g", Group(a.N), a.Share())
		case No:
			theorem = "does not apply: " + a.failing(No)
		default:
			theorem = "undecided: " + a.failing(Undecided)
		}
		if a.Partial {
			theorem += " (partial)"
			partial = true
		}
		fmt.Fprintf(b, "%-12v%-28s%-28s%s\n", a.Setting.Question.Discount, a.Extended.describe(), a.Paper.describe(), theorem)
	}
	if analyses[0].Setting.Question.Bounds {
		fmt.Fprintf(b, "\nAt most this share shuts down, by how high the visit counts are\n%-12s%-28s%s\n", "discount", "independent uniform rewards", "orbit of the training reward")
		for _, a := range analyses {
			uniform, orbit := "unknown", "unknown"
			if r := a.sharper(); r != nil {
				uniform, orbit = describePower(r.Uniform), r.describeOrbit()
			}
			fmt.Fprintf(b, "%-12v%-28s%s\n", a.Setting.Question.Discount, uniform, orbit)
		}
	}
	if partial {
		fmt.Fprintf(b, "\nPartial: interrupted before every state had its turn; the bounds above are proved all the same.\n")
	}
	return b.Flush()
}

// WriteCritical writes critical discounts for people, one line each.
func WriteCritical(w io.Writer, m *sparse.MDP, critical []Critical) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "\n%-28s%-28s%s\n", "critical discount", "surely, as in the paper", "state")
	for _, c := range critical {
		fmt.Fprintf(b, "%-28s%-28s%s\n", describeCritical(c.Extended), describeCritical(c.Paper), m.StateName(c.State))
	}
	return b.Flush()
}

func describeCritical(x [2]float64) string {
	switch {
	case x[0] == 1:
		return "none"
	case x[1] == 1:
		return fmt.Sprintf("%.9g or more", x[0])
	}
	return fmt.Sprintf("%.9g to %.9g", x[0], x[1])
}

// WriteJSON writes the report as one JSON object on one line.
func (r *Report) WriteJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(r)
}

// WriteText writes the analysis for people.
func (a *Analysis) WriteText(w io.Writer, terminals *Terminals) error {
	b := bufio.NewWriter(w)
	s := a.Setting
	m := s.Question.Model
	line := func(name, format string, args ...any) {
		fmt.Fprintf(b, "%-14s%s\n", name, fmt.Sprintf(format, args...))
	}
	line("model", "%s, %s, %s", number(m.NumStates(), "state"), number(m.NumChoices(), "choice"), number(m.NumBranches(), "branch"))
	line("terminal", "%s", terminals.describe(m))
	if n := terminals.Refused.Count(); n > 0 {
		line("", "%s labelled %s can go on, and so are not: %s", number(n, "state"), TerminalLabel, m.StateName(terminals.Refused.First()))
	}
	line("discount", "%v", s.Question.Discount)
	line("training", "%s: visits %s from %s", s.Training.Source, number(len(s.Training.Visited.Order), "state"), number(len(s.Training.Start), "start state"))
	if len(s.Training.Frontier) > 0 {
		line("", "not closed: the policy leads to %s it says nothing about, such as %s", number(len(s.Training.Frontier), "state"), m.StateName(s.Training.Frontier[0]))
	}
	line("new situation", "%s, where %s leads to %s", m.StateName(s.New), m.ActionName(s.Shutdown), m.StateName(s.Terminal))
	line("reachable", "%s", number(len(s.Reach.Order), "state"))
	line("recurrent", "%s in %s", number(a.Recurrent, "state"), number(a.EndComponents, "end component"))
	line("retargeting", "%s with a visit count above 1 (%s over policies that surely reach and revisit)", a.Extended.describe(), a.Paper.describe())
	fmt.Fprintf(b, "\nTheorem 2 assumes that\n")
	for _, x := range a.Assumptions {
		fmt.Fprintf(b, "  %-10s%-20s%s\n", map[Verdict]string{Yes: "holds", No: "fails", Undecided: "undecided"}[x.Verdict], x.ID, x.Statement)
		if x.Witness != "" {
			fmt.Fprintf(b, "  %-30s%s\n", "", x.Witness)
		}
	}
	b.WriteByte('\n')
	switch a.Applies {
	case Yes:
		fmt.Fprintf(b, "It applies with n = %s: of the goals that training allows, at least n/(n+1) = %.6g\nof every orbit under permutations avoid the off switch.\n", Group(a.N), a.Share())
	case No:
		fmt.Fprintf(b, "It does not apply here: %s\n", a.failing(No))
	default:
		fmt.Fprintf(b, "Whether it applies is undecided: %s\n", a.failing(Undecided))
	}
	if r := a.sharper(); r != nil {
		fmt.Fprintf(b, "\nAt most this share shuts down, by how high the visit counts are: of independent uniform\nrewards %s, of the orbit of the training reward %s.\n",
			describePower(r.Uniform), r.describeOrbit())
	}
	if a.Partial {
		fmt.Fprintf(b, "\nPartial: interrupted before every state had its turn; the bounds above are proved all the same.\n")
	}
	return b.Flush()
}

func (a *Analysis) failing(v Verdict) string {
	var ids []string
	for _, x := range a.Assumptions {
		if x.Verdict == v {
			ids = append(ids, x.ID)
		}
	}
	return listed(ids)
}

func (c Count) describe() string {
	if c.Lower == c.Upper {
		return Group(c.Lower)
	}
	return fmt.Sprintf("%s to %s", Group(c.Lower), Group(c.Upper))
}

func (t *Terminals) describe(m *sparse.MDP) string {
	text := ""
	for _, x := range []struct {
		states sparse.Bitset
		why    string
	}{
		{t.NoChoices, "without choices"},
		{t.Labelled, "labelled " + TerminalLabel + " that only loop"},
		{t.Shutdown, "where shutdown leads that only loop"},
	} {
		n := x.states.Count()
		if n == 0 {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s %s, such as %s", number(n, "state"), x.why, m.StateName(x.states.First()))
	}
	if text == "" {
		return "none"
	}
	return text
}

// number writes a count with its noun: 1 state, 2 branches.
func number(n int, noun string) string {
	if n != 1 {
		if noun[len(noun)-1] == 'h' {
			noun += "e"
		}
		noun += "s"
	}
	return Group(n) + " " + noun
}

// Group writes a number with its thousands set apart: 1,234,567.
func Group(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
