package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// condition is the text of a condition on rewards, and where it stands.
type condition struct {
	text string
	from string // for errors: the flag, or a file and a line
}

// conditionLimit bounds the length of a line in a file of conditions.
const conditionLimit = 1 << 24

// readConditions returns the conditions that the values of --where stand for, in their order: each a
// condition, or @ and the name of a file of them (@-: standard input, unless the model takes that), and the
// names of those files.
func (s *session) readConditions(values []string, stdinTaken bool) (conditions []condition, files []string, err error) {
	for _, value := range values {
		name, isFile := strings.CutPrefix(value, "@")
		if !isFile {
			conditions = append(conditions, condition{value, "--where"})
			continue
		}
		in, shown := s.stdin, "standard input"
		if name == "-" {
			if stdinTaken {
				return nil, nil, errors.New("--where @-: standard input is the model or conditions already")
			}
			stdinTaken = true
		} else {
			f, err := open(name, "a file of conditions")
			if err != nil {
				return nil, nil, fmt.Errorf("--where: %w", err)
			}
			defer f.Close()
			in, shown = f, name
			files = append(files, name)
		}
		found, err := scanConditions(in, shown)
		if err != nil {
			return nil, nil, err
		}
		conditions = append(conditions, found...)
	}
	return conditions, files, nil
}

// scanConditions reads a file of conditions.
func scanConditions(r io.Reader, name string) ([]condition, error) {
	var conditions []condition
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, conditionLimit)
	number := 1
	for ; lines.Scan(); number++ {
		text := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if text != "" && text[0] != '#' {
			conditions = append(conditions, condition{text, fmt.Sprintf("%s: line %d", name, number)})
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("%s: line %d: %w", name, number, err)
	}
	return conditions, nil
}
