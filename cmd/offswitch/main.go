// Command offswitch says for how many goals a trained agent would avoid its off switch. See the
// package offswitch for what it computes, and offswitch help for how to ask.
//
// # JSON
//
// With --json a command prints exactly one object on one line, and nothing when it fails (exit code 2).
// Its field schema names its shape; fields may be added to a shape, but not change their meaning. A state
// is given by name and index.
//
// analyze prints offswitch.analysis/1:
//
//	discount      the discount γ
//	model         states, choices, branches: how many; choices of terminal states do not count
//	training      source: "reward NAME" or "policy FILE"; states: those that training visits;
//	              closed: whether the policy says what to do in all of them
//	new           state, index: the new situation s_new
//	shutdown      action; terminal: state, index of s_term
//	reachable     states: those reachable from s_new
//	recurrent     endComponents, states: those of them that are recurrent
//	retargeting   paper, extended: lower and upper bounds of the number of reachable states with a
//	              visit count above 1, over policies that surely reach and revisit, and over all
//	assumptions   id, holds (proved), verdict (yes, no, undecided), witness, of new-situation,
//	              shutdown-terminal, nonnegative-rewards, disjoint, isolated, retargetable
//	theorem       applies, verdict: whether all of them hold; n: proved number of counted states (extended)
//	              that training cannot reach; share: n/(n+1) where the theorem applies, else 0
//	sharper       where visit counts were bounded (--sharper, --states) and the theorem applies: decimal
//	              logarithms of bounds of the share that shuts down, of independent uniform rewards
//	              (uniformLog10) and of the orbit of the training reward (orbitLog10; null where
//	              orbitNone says that none does, or where rewards are not those of states alone)
//	partial       whether the analysis was interrupted; its bounds are proved all the same
//	critical      with --critical, each: state, index, and paper and extended: lower and upper bound of its
//	              critical discount, 1 and 1 where there is none
//	seconds       wall time
//
// and at several discounts offswitch.analyses/1: analyses, by discount; critical, partial, seconds.
//
// member and feasible print offswitch.member/1 and offswitch.feasible/1:
//
//	discount, training, partial, seconds   as above
//	goal, where, features                  what was asked
//	margin                                 by how much the policy had to be better, in units of return
//	verdict                                "yes", "no", "tie" (of member) or "undecided"; why: in a sentence
//	violated                               state, index, taken, untaken, gap, error: the pair that proves a no
//	conflict                               of feasible, when the verdict is "no": pairs (state, index, taken, against) and
//	                                       where (text, from) that clash, at most 1,000 of each; size: how many in all;
//	                                       proved: that they clash; irreducible: that none can be left out; open: of
//	                                       how many that is not known
//	ties, tied                             how many pairs tie within rounding, and the first of them
//	tolerance                              of a tie: no pair misses the margin by more, proved; in units of return
//	extremes                               of --margin max and --range, each: of: "margin" (against choices that lead
//	                                       elsewhere), or the state or label; least and greatest: attained by a
//	                                       member, and limit of all, both proved, or null. A yes about up to
//	                                       2,000 states that matter has the margin unasked
//	unproved                               what the checker missed, when undecided
//
// When interrupted or out of time, analyze, member and feasible print what is known by then; analyze
// prints nothing before it has read the model, and other commands print nothing at all. What member and
// feasible have proved by then stays a yes or a no.
//
// verify prints offswitch.verify/1: kind, proved, violations (the first 100, the last then says how many
// more), total (of all violations). recurrent prints offswitch.recurrent/1:
// states, endComponents, recurrent, terminal, sizes (states, components), and with --list components.
// info prints offswitch.info/1: format, states, choices, branches, initial, terminal, deterministic,
// actions, labels (name, states), rewards (name; states and choices: least and greatest), firstState,
// bytes (memory of the model).
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s := &session{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, exit: os.Exit}
	os.Exit(s.run(ctx, os.Args[1:]))
}

// grace is how long a command may take to report by itself when it is interrupted or its time is up.
const grace = 900 * time.Millisecond

// Exit codes, as those of grep.
const (
	exitYes       = 0 // also: done, where nothing was asked
	exitNo        = 1
	exitError     = 2
	exitUndecided = 3 // also: interrupted, or out of time
)

// errTimeLimit is the cause of the end of a context whose time is up.
var errTimeLimit = errors.New("the time limit is reached")

// run runs the command and returns its exit code.
func (s *session) run(ctx context.Context, args []string) int {
	s.ctx, s.stop = ctx, func() {}
	defer func() { s.stop() }()
	root := newRoot(s)
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	s.clear()
	switch {
	case err == nil:
		return s.code
	case s.ctx.Err() != nil:
		s.mutex.Lock()
		defer s.mutex.Unlock()
		if s.known != nil {
			s.known(s.stdout)
		}
		fmt.Fprintf(s.stderr, "offswitch: %s\n", s.ended())
		return s.knownCode
	}
	fmt.Fprintf(s.stderr, "offswitch: %v\n", err)
	return exitError
}

// arguments wants one argument for each name.
func arguments(names ...string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != len(names) {
			return fmt.Errorf("%s: %d arguments, want %s; offswitch help %[1]s says more", c.Name(), len(args), strings.Join(names, " "))
		}
		return nil
	}
}

// begin starts the clock of a command, which may have a limit.
func (s *session) begin(c *cobra.Command) error {
	s.begun, s.knownCode = time.Now(), exitUndecided
	if s.limit < 0 || s.limit == 0 && c.Flags().Changed("time-limit") {
		return fmt.Errorf("--time-limit %v: want a duration above 0", s.limit)
	}
	// An empty value, such as that of a variable of a script that is not set, would ask another question.
	empty := ""
	c.Flags().Visit(func(f *pflag.Flag) {
		if v := f.Value.String(); v == "" || v == "[]" {
			empty = f.Name
		}
	})
	if empty != "" {
		return fmt.Errorf("--%s: the value is empty", empty)
	}
	if s.limit > 0 {
		s.ctx, s.stop = context.WithTimeoutCause(s.ctx, s.limit, errTimeLimit)
		c.SetContext(s.ctx)
	}
	context.AfterFunc(s.ctx, s.abandon)
	return nil
}

// ended says why the context has ended.
func (s *session) ended() string {
	if errors.Is(context.Cause(s.ctx), errTimeLimit) {
		return fmt.Sprintf("%v (%v)", errTimeLimit, s.limit)
	}
	return "interrupted"
}

// abandon ends the process after a while, with what is known of the answer. Most work watches the
// context. What does not, single passes over a huge model, is left behind.
func (s *session) abandon() {
	if s.exit == nil {
		return
	}
	time.Sleep(grace)
	s.clear()
	s.mutex.Lock() // held for good: nothing else is printed
	if s.known != nil {
		s.known(s.stdout)
	}
	fmt.Fprintf(s.stderr, "offswitch: %s\n", s.ended())
	s.exit(s.knownCode)
}

// keep says how to print what is known so far, should the command be interrupted, and the exit code
// that goes with it.
func (s *session) keep(known func(w io.Writer), code int) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.known, s.knownCode = known, code
}

// whole lets nothing interrupt f.
func (s *session) whole(f func() error) error {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return f()
}
