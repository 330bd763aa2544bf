package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
)

// Needs of memory that are announced, to a person at a terminal and to a log.
const (
	memoryWorthSaying  = 1 << 27
	memoryWorthLogging = 1 << 30
)

// needs says how much memory a job takes before it starts, when that is much, and refuses the job when
// the machine has less to give.
func (s *session) needs(job string, bytes int) error {
	if free, ok := availableMemory(); ok && bytes > free {
		return fmt.Errorf("%s needs about %d MB of memory, and %d MB are free", job, bytes>>20, free>>20)
	}
	if bytes > memoryWorthLogging || bytes > memoryWorthSaying && s.progress() != nil {
		fmt.Fprintf(s.stderr, "offswitch: %s needs about %d MB of memory\n", job, bytes>>20)
	}
	return nil
}

// availableMemory returns how many bytes the machine can give without swapping, where the system
// says so.
func availableMemory() (free int, ok bool) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(text) {
		fields := bytes.Fields(line)
		if len(fields) >= 2 && string(fields[0]) == "MemAvailable:" {
			kilobytes, err := strconv.Atoi(string(fields[1]))
			return kilobytes << 10, err == nil
		}
	}
	return 0, false
}
