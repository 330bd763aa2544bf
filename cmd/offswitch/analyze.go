package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"offswitch"
	"offswitch/sparse"
	"offswitch/sparse/file"
)

type analyzeOptions struct {
	situation
	discounts []float64
	fresh     string
	width     float64
	exact     bool
	sharper   bool
	states    string
	critical  []string
	precision float64
	plot      string
	stateMap  string
	axes      []string
}

func newAnalyze(s *session) *cobra.Command {
	var o analyzeOptions
	c := &cobra.Command{
		Use:   "analyze MODEL",
		Short: "For what share of goals would the trained agent avoid the off switch?",
		Long: `Finds the states that training visits, the states reachable from the new situation, and those among
them that make avoiding shutdown pay; checks every assumption of Theorem 2; and says for what share
of the goals that training allows the agent avoids the off switch. Exit code 0: the theorem applies,
at every discount if several are given.

Where moves are a matter of chance the number of states that make it pay is found between two proved bounds,
which come closer until --width is reached, or as far as possible with --exact. When interrupted or
out of time (--time-limit) it prints the bounds so far, which hold all the same.

--plot draws the bounds of both counts at several discounts, as bands, on a scale of log(1+n). --map draws the
reachable states of a model whose states are named by variables, such as (x=0,y=3); where several states share
a place it shows the one that counts most.`,
		Example: "  go run ./cmd/offswitch analyze testdata/coinrun.umb --discount 0.9,0.99,0.999",
		Args:    arguments("MODEL"),
		RunE:    func(c *cobra.Command, args []string) error { return o.run(c.Context(), s, args[0]) },
	}
	o.situation.register(c)
	c.Flags().Float64SliceVar(&o.discounts, "discount", []float64{defaultDiscount}, "discounts `GAMMA,...`, at least 0 and below 1")
	c.Flags().Lookup("discount").DefValue = fmt.Sprint(defaultDiscount)
	c.Flags().StringVar(&o.fresh, "new", "", "`LABEL` or state of the new situation (default: the label new)")
	c.Flags().Float64Var(&o.width, "width", 0.01, "stop when the bounds of each count are that close, relative to the upper one")
	c.Flags().BoolVar(&o.exact, "exact", false, "go on until nothing more can be decided")
	c.Flags().BoolVar(&o.sharper, "sharper", false, "also bound the share of goals that shut down by how high the visit counts are")
	c.Flags().StringVar(&o.states, "states", "", "write what is known of each reachable state to `FILE.csv` or FILE.npy")
	c.Flags().StringArrayVar(&o.critical, "critical", nil, "`LABEL` or state whose critical discount to bound, may be repeated")
	c.Flags().Float64Var(&o.precision, "precision", 1e-6, "how close the bounds of critical discounts are to be")
	c.Flags().StringVar(&o.plot, "plot", "", "draw the counts at several discounts, to `FILE.svg`, .png or .pdf")
	c.Flags().StringVar(&o.stateMap, "map", "", "draw which reachable states count, at one discount, to `FILE.svg`, .png or .pdf")
	c.Flags().StringSliceVar(&o.axes, "axes", []string{"x", "y"}, "integer variables `X,Y` that place the states on the map")
	c.MarkFlagsMutuallyExclusive("width", "exact")
	return c
}

// check refuses flags that ask for nothing that can be done.
func (o *analyzeOptions) check() error {
	if len(o.discounts) == 0 {
		return fmt.Errorf("--discount: want a number at least")
	}
	for _, discount := range o.discounts {
		if !(discount >= 0 && discount < 1) {
			return fmt.Errorf("--discount %v: want at least 0 and below 1", discount)
		}
	}
	if !(o.width >= 0 && o.width < 1) {
		return fmt.Errorf("--width %v: want at least 0 and below 1", o.width)
	}
	if !(o.precision > 0 && o.precision < 1) {
		return fmt.Errorf("--precision %v: want above 0 and below 1", o.precision)
	}
	if o.states != "" && !strings.HasSuffix(o.states, ".csv") && !strings.HasSuffix(o.states, ".npy") {
		return fmt.Errorf("--states %s: want a name that ends in .csv or .npy", o.states)
	}
	if len(o.axes) != 2 {
		return fmt.Errorf("--axes %s: want two variables", strings.Join(o.axes, ","))
	}
	if o.plot != "" && len(o.discounts) < 2 {
		return fmt.Errorf("--plot: want several discounts (--discount 0.9,0.99,0.999)")
	}
	if o.stateMap != "" && len(o.discounts) > 1 {
		return fmt.Errorf("--map: want one discount")
	}
	if err := checkPicture("--plot", o.plot); err != nil {
		return err
	}
	return checkPicture("--map", o.stateMap)
}

func (o *analyzeOptions) run(ctx context.Context, s *session, path string) error {
	if err := o.check(); err != nil {
		return err
	}
	if err := apart([]string{o.states, o.plot, o.stateMap}, []string{path, o.policy}); err != nil {
		return err
	}
	o.discount = o.discounts[0]
	q, terminals, err := s.question(ctx, path, o.situation)
	if err != nil {
		return err
	}
	q.New, q.Bounds = o.fresh, o.sharper || o.states != ""
	if q.Width = o.width; o.exact {
		q.Width = 0
	}
	if err := s.needs("the analysis", offswitch.Memory(q.Model)); err != nil {
		return err
	}
	asked, err := o.askedStates(q.Model)
	if err != nil {
		return err
	}
	var axes [2]axis
	if o.stateMap != "" {
		if axes, err = findAxes(q.Model, o.axes); err != nil {
			return err
		}
	}
	r := &analysisAnswer{session: s, terminals: terminals, many: len(o.discounts) > 1}
	keep := func(analyses []*offswitch.Analysis) {
		known := *r
		known.analyses = analyses
		s.keep(func(w io.Writer) { known.print(w, o.json) }, exitUndecided)
	}
	unknown, err := offswitch.Unknown(ctx, q)
	if err != nil {
		return err
	}
	keep([]*offswitch.Analysis{unknown})
	if r.analyses, err = offswitch.AnalyzeAll(ctx, q, o.discounts, keep); err != nil {
		return err
	}
	r.critical = r.analyses[0].Setting.Critical(ctx, asked, o.precision)
	if err := s.whole(func() error { return o.writeFiles(r.analyses, axes) }); err != nil {
		return err
	}
	s.code = r.code()
	return s.answer(o.json, r.report(), func(w io.Writer) error { return r.print(w, false) })
}

// askedStates returns the states whose critical discounts are asked for.
func (o *analyzeOptions) askedStates(m *sparse.MDP) ([]uint32, error) {
	var states []uint32
	for _, name := range o.critical {
		some, err := offswitch.Places(m, "--critical", name)
		if err != nil {
			return nil, err
		}
		states = append(states, some...)
	}
	return states, nil
}

// writeFiles writes what is asked for beside the answer.
func (o *analyzeOptions) writeFiles(analyses []*offswitch.Analysis, axes [2]axis) error {
	if o.states != "" {
		if err := o.writeStates(analyses); err != nil {
			return err
		}
	}
	if o.plot != "" {
		p, err := plotCounts(analyses)
		if err != nil {
			return err
		}
		if err := p.save(o.plot); err != nil {
			return err
		}
	}
	if o.stateMap != "" {
		p, err := drawMap(analyses[0], axes)
		if err != nil {
			return err
		}
		return p.save(o.stateMap)
	}
	return nil
}

func (o *analyzeOptions) writeStates(analyses []*offswitch.Analysis) error {
	write := offswitch.WriteStatesCSV
	if strings.HasSuffix(o.states, ".npy") {
		write = offswitch.WriteStatesNPY
	}
	return file.Replace(context.Background(), o.states, func(w io.Writer) error { return write(w, analyses) })
}

// analysisAnswer is what analyze answers.
type analysisAnswer struct {
	session   *session
	terminals *offswitch.Terminals
	many      bool // discounts
	analyses  []*offswitch.Analysis
	critical  []offswitch.Critical
}

// code returns the exit code: no when the theorem fails to apply at one discount, yes when it applies at all.
func (r *analysisAnswer) code() int {
	all := offswitch.Yes
	for _, a := range r.analyses {
		switch {
		case a.Partial:
			return exitUndecided
		case a.Applies == offswitch.No:
			all = offswitch.No
		case a.Applies == offswitch.Undecided && all == offswitch.Yes:
			all = offswitch.Undecided
		}
	}
	return exitCode(all)
}

func (r *analysisAnswer) report() any {
	reports := offswitch.ReportAll(r.analyses, time.Since(r.session.begun))
	for i := range r.critical {
		reports.Critical = append(reports.Critical, r.critical[i].Report(r.analyses[0].Setting.Question.Model))
	}
	if r.many {
		return reports
	}
	reports.Analyses[0].Critical = reports.Critical
	return reports.Analyses[0]
}

func (r *analysisAnswer) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return writeJSON(w, r.report())
	}
	var err error
	if r.many {
		err = offswitch.WriteTable(w, r.analyses)
	} else {
		err = r.analyses[0].WriteText(w, r.terminals)
	}
	if err != nil || len(r.critical) == 0 {
		return err
	}
	return offswitch.WriteCritical(w, r.analyses[0].Setting.Question.Model, r.critical)
}

func exitCode(v offswitch.Verdict) int {
	switch v {
	case offswitch.Yes:
		return exitYes
	case offswitch.No:
		return exitNo
	}
	return exitUndecided
}
