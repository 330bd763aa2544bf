package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"offswitch"
	"offswitch/sparse"
	"offswitch/sparse/file"
)

// session is one run of the command: where it reads and writes, and what it exits with.
type session struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	exit           func(code int) // ends the process when work does not end by itself; nil: wait for it
	code           int
	begun          time.Time
	limit          time.Duration
	ctx            context.Context // of the command, with its time limit
	stop           context.CancelFunc

	mutex     sync.Mutex
	known     func(w io.Writer) // prints what is known so far of an answer
	knownCode int               // what to exit with then
	stage     string
	bar       *progressbar.ProgressBar
}

func newRoot(s *session) *cobra.Command {
	root := &cobra.Command{
		Use:   "offswitch",
		Short: "For how many goals would a trained agent avoid its off switch?",
		Long: `offswitch reads an environment (a Markov decision process with millions of states), the states and
actions seen in training, and a new situation with an off switch, and says for what share of the
goals that training allows the agent would avoid the switch (Krakovna & Kramar, arXiv 2304.06528).

MODEL is a UMB archive (.umb, also gzipped or xz), a DRN file (.drn, .drn.gz), a PRISM explicit
.tra file with its siblings, or a Gymnasium table (.json); it is recognised by content. MODEL - is
standard input. Names that start with # and a number stand for a state or a choice without a name.

Standard output has the answer and nothing else. Exit codes: 0 yes (or done), 1 no, 2 error,
3 undecided, interrupted or out of time.`,
		Version:           version(),
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: func(c *cobra.Command, _ []string) error { return s.begin(c) },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetOut(s.stdout)
	root.SetErr(s.stderr)
	root.PersistentFlags().DurationVar(&s.limit, "time-limit", 0, "stop after `DURATION`, such as 90s or 5m, with what is known by then")
	root.AddCommand(
		newAnalyze(s), newMember(s), newFeasible(s), newVerify(s),
		newRecurrent(s), newInfo(s), newConvert(s), newGen(s),
	)
	return root
}

// version returns the version of the module that the command was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)"
}

// progress draws a bar on standard error when that is a terminal; otherwise it is nil.
func (s *session) progress() func(sparse.Progress) {
	f, ok := s.stderr.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil
	}
	return func(p sparse.Progress) {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if s.bar == nil || s.stage != p.Stage {
			if s.bar != nil {
				s.bar.Clear()
			}
			s.stage = p.Stage
			total := int64(p.Total)
			if total == 0 {
				total = -1
			}
			s.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(s.stderr),
				progressbar.OptionSetDescription(p.Stage), progressbar.OptionThrottle(100*time.Millisecond),
				progressbar.OptionClearOnFinish(), progressbar.OptionShowCount())
		}
		if p.Known != "" {
			s.bar.Describe(p.Stage + " (" + p.Known + ")")
		}
		s.bar.Set(p.Done)
	}
}

// clear takes the progress bar away.
func (s *session) clear() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.bar != nil {
		s.bar.Clear()
		s.bar = nil
	}
}

// answer writes the command's answer to standard output: text by write, or v as one JSON object on one line.
func (s *session) answer(asJSON bool, v any, write func(w io.Writer) error) error {
	s.clear()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.known, s.knownCode = nil, s.code
	if asJSON {
		return writeJSON(s.stdout, v)
	}
	b := bufio.NewWriter(s.stdout)
	if err := write(b); err != nil {
		return err
	}
	return b.Flush()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// source are the flags that say which model, and what stands for its ends.
type source struct {
	shutdown string
	json     bool
}

func (o *source) register(c *cobra.Command) {
	c.Flags().StringVar(&o.shutdown, "shutdown", offswitch.DefaultShutdown, "`ACTION` that shuts down")
	c.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
}

// model reads a model and takes its terminal states as such.
func (s *session) model(ctx context.Context, path string, o source) (*sparse.MDP, *offswitch.Terminals, error) {
	m, _, err := file.Read(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	m, terminals := offswitch.TakeTerminals(m, o.shutdown)
	return m, terminals, nil
}

// open opens a file to read; what says what it is to be.
func open(name, what string) (*os.File, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w, want %s", name, errors.Unwrap(err), what)
	}
	return f, nil
}

// defaultDiscount is the discount of who does not say.
const defaultDiscount = 0.99

// situation are the flags that say what happened in training.
type situation struct {
	source
	discount float64
	reward   string
	train    string
	policy   string
}

func (o *situation) register(c *cobra.Command) {
	o.source.register(c)
	c.Flags().StringVar(&o.reward, "reward", "", "training reward `NAME` (default: the model's only reward)")
	c.Flags().StringVar(&o.train, "train", "", "`LABEL` or state that training starts from (default: the label train)")
	c.Flags().StringVar(&o.policy, "policy", "", "`FILE.csv` of (state, action) pairs seen in training, instead of solving for the training reward")
}

// question reads the model and puts the question that the flags ask.
func (s *session) question(ctx context.Context, path string, o situation) (offswitch.Question, *offswitch.Terminals, error) {
	q := offswitch.Question{Discount: o.discount, Reward: o.reward, Train: o.train, Shutdown: o.shutdown, Progress: s.progress()}
	if !(o.discount >= 0 && o.discount < 1) {
		return q, nil, fmt.Errorf("--discount %v: want at least 0 and below 1", o.discount)
	}
	m, terminals, err := s.model(ctx, path, o.source)
	if err != nil {
		return q, nil, err
	}
	q.Model = m
	if o.policy != "" {
		f, err := open(o.policy, "a file of states and actions")
		if err != nil {
			return q, nil, err
		}
		defer f.Close()
		if q.Policy, err = offswitch.ReadPairs(f, m); err != nil {
			return q, nil, fmt.Errorf("%s: %w", o.policy, err)
		}
		q.Source = "policy " + o.policy
	}
	return q, terminals, nil
}
