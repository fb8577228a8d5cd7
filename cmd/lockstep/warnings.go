package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
)

// warningsOf has the warnings that the runtime logs about the database at path printed
// with those of the migrations, and what scripts print on standard error.
func warningsOf(path string, s *streams) lockstep.Option {
	return lockstep.WithLogger(&warnings{path, s})
}

type warnings struct {
	path string
	s    *streams
}

func (w *warnings) Warn(fact string, args ...any) {
	database := ""
	for attr := range slices.Chunk(args, 2) {
		if text := fmt.Sprint(attr[1]); attr[0] == "database" { // the user has a different name for it
			database = text
		} else {
			fact += ": " + strings.TrimPrefix(text, database+": ")
		}
	}
	// An upgrade judges the database each time it takes the lock.
	if p := (gen.Problem{File: w.path, Fact: fact}); !slices.Contains(w.s.warnings, p) {
		w.s.warnings = append(w.s.warnings, p)
	}
}

// Info prints what a script printed. If it failed, that is in the error.
func (w *warnings) Info(fact string, args ...any) {
	if fact != "script ended" {
		return
	}
	output := ""
	for attr := range slices.Chunk(args, 2) {
		switch attr[0] {
		case "stdout", "stderr":
			output += fmt.Sprint(attr[1])
		case "error":
			if attr[1] != nil {
				return
			}
		}
	}
	io.WriteString(w.s.stderr, output)
}
