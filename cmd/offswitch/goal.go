package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"codeberg.org/sbinet/npyio"

	"offswitch"
	"offswitch/sparse"
)

// readGoal returns the reward of each state that a goal names: a reward of the model, or a file of
// (state, value) lines (.csv; states not named get 0) or of one number a state (.npy).
func readGoal(m *sparse.MDP, goal string) ([]float64, error) {
	var read func(io.Reader, *sparse.MDP) ([]float64, error)
	switch {
	case strings.HasSuffix(goal, ".csv"):
		read = readGoalCSV
	case strings.HasSuffix(goal, ".npy"):
		read = readGoalNPY
	default:
		return goalReward(m, goal)
	}
	f, err := open(goal, "a file of rewards")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	theta, err := read(f, m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", goal, err)
	}
	return theta, nil
}

func goalReward(m *sparse.MDP, name string) ([]float64, error) {
	r := m.Reward(name)
	if r == nil {
		var names []string
		for _, r := range m.Rewards() {
			names = append(names, r.Name)
		}
		return nil, fmt.Errorf("--goal: the model has no reward %q (rewards: %s); a file must end in .csv or .npy", name, strings.Join(names, ", "))
	}
	if r.Choices.Len() > 0 {
		return nil, fmt.Errorf("--goal: reward %q is on choices too, but goals are rewards of states", name)
	}
	return r.States.Dense(m.NumStates()), nil
}

func readGoalCSV(r io.Reader, m *sparse.MDP) ([]float64, error) {
	theta := make([]float64, m.NumStates())
	seen := sparse.NewBitset(m.NumStates())
	none := true
	err := offswitch.ReadStates(r, m, "a reward", func(state uint32, text string) error {
		if seen.Has(state) {
			return fmt.Errorf("state %s stands twice", m.StateName(state))
		}
		seen.Set(state)
		none = false
		var err error
		if theta[state], err = strconv.ParseFloat(text, 64); err != nil {
			return fmt.Errorf("reward %q is not a number", text)
		}
		return nil
	})
	if err == nil && none {
		err = errors.New("no rewards, want lines of a state and a reward")
	}
	return theta, err
}

func readGoalNPY(r io.Reader, m *sparse.MDP) ([]float64, error) {
	array, err := npyio.NewReader(r)
	if err != nil {
		return nil, err
	}
	h := array.Header.Descr
	if len(h.Shape) != 1 || h.Shape[0] != m.NumStates() {
		return nil, fmt.Errorf("shape %v, want (%d,): one number a state", h.Shape, m.NumStates())
	}
	// The library leaves the quotes of the header's Python on.
	if kind := strings.Trim(h.Type, "'\""); kind != "<f8" {
		return nil, fmt.Errorf("numbers of type %s, want <f8", kind)
	}
	var theta []float64
	if err := array.Read(&theta); err != nil {
		return nil, err
	}
	return theta, nil
}
