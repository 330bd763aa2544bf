// Package file reads a model from a file of any format that offswitch understands, and writes one
// in the format that the file's name asks for.
//
// Read goes by content: it undoes gzip and xz, and tells UMB, DRN, Gymnasium tables and PRISM's
// explicit files by how they begin. Only PRISM spreads one model over several files; they are
// found next to the one that is named. Write replaces files whole or not at all.
package file

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"strings"
)

// Format is the format of a file, whether compressed or not.
type Format uint8

// The formats; the zero value is none of them.
const (
	Unknown   Format = iota
	UMB              // unified Markov binary, package umb
	DRN              // the text format of Storm, package drn
	PRISM            // PRISM's explicit files, package prism
	Gymnasium        // a table P as JSON, package gym
)

var formatNames = [...]string{"unknown", "UMB", "DRN", "PRISM explicit files", "Gymnasium table"}

// String returns the format's name.
func (f Format) String() string {
	if int(f) < len(formatNames) {
		return formatNames[f]
	}
	return formatNames[Unknown]
}

// understood is what Read takes, for the error about anything else.
const understood = "want a UMB archive (tar), a DRN file (@type: MDP …), PRISM's transitions (states, choices and transitions in numbers), " +
	"or a Gymnasium table (JSON), plain or compressed with gzip or xz"

// peekSize is how much of a file is looked at to tell its format; comments before its first
// meaningful line may take that much.
const peekSize = 64 << 10

// detect tells a format by the beginning of an uncompressed file.
func detect(head []byte) Format {
	if len(head) >= 262 && string(head[257:262]) == "ustar" {
		return UMB
	}
	head = bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))
	commentOf := Unknown
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		head = rest
		line = bytes.TrimSpace(line)
		switch {
		case len(line) == 0:
		case bytes.HasPrefix(line, []byte("//")) && commentOf != PRISM:
			commentOf = DRN
		case line[0] == '#' && commentOf != DRN:
			commentOf = PRISM
		case line[0] == '@' && commentOf != PRISM:
			return DRN
		case line[0] == '{' && commentOf == Unknown:
			return Gymnasium
		case isSizes(line) && commentOf != DRN:
			return PRISM
		default:
			return Unknown
		}
	}
	return Unknown
}

// isSizes reports whether a line is the header of PRISM's transitions: two numbers for a chain,
// three for an MDP, four for a model with observations, of which its reader has more to say.
func isSizes(line []byte) bool {
	fields := bytes.Fields(line)
	for _, f := range fields {
		if len(bytes.Trim(f, "0123456789")) > 0 {
			return false
		}
	}
	return len(fields) >= 2 && len(fields) <= 4
}

// PRISM's siblings, by what follows the name that they share.
const (
	transitionSuffix       = ".tra"
	labelSuffix            = ".lab"
	stateSuffix            = ".sta"
	stateRewardSuffix      = ".srew"
	transitionRewardSuffix = ".trew"
)

var siblingSuffixes = []string{labelSuffix, stateSuffix, stateRewardSuffix, transitionRewardSuffix}

var compressedSuffixes = []string{".gz", ".xz"}

// split cuts the suffix of a compression off a path, and the extension before it.
func split(path string) (stem, extension, compression string) {
	for _, c := range compressedSuffixes {
		if cut, ok := cutSuffixFold(path, c); ok {
			path, compression = cut, c
			break
		}
	}
	dot := strings.LastIndexByte(path, '.')
	if dot <= strings.LastIndexAny(path, "/"+string(os.PathSeparator))+1 {
		return path, "", compression
	}
	return path[:dot], strings.ToLower(path[dot:]), compression
}

func cutSuffixFold(s, suffix string) (string, bool) {
	if n := len(s) - len(suffix); n >= 0 && strings.EqualFold(s[n:], suffix) {
		return s[:n], true
	}
	return s, false
}

// namedError is an error that begins with a file's name, which err may do by itself.
type namedError struct {
	name string
	err  error
}

func (e *namedError) Error() string {
	if text := e.err.Error(); strings.HasPrefix(text, e.name+":") {
		return text
	}
	return e.name + ": " + e.err.Error()
}

func (e *namedError) Unwrap() error { return e.err }

// named puts a file's name before an error, and takes out what the operating system's errors say
// of it themselves. An error that begins with the name, or one of others, stays as it is.
func named(err error, name string, others ...string) error {
	var already *namedError
	if err == nil || errors.As(err, &already) {
		return err
	}
	var ofPath *fs.PathError
	var ofLink *os.LinkError
	switch {
	case errors.As(err, &ofPath):
		err = ofPath.Err
	case errors.As(err, &ofLink):
		err = ofLink.Err
	}
	for _, other := range others {
		if strings.HasPrefix(err.Error(), other+":") {
			name = other
		}
	}
	return &namedError{name, err}
}
