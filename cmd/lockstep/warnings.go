package main

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
)

// warningsOf has the warnings that the runtime logs about the database at path printed
// with those of the migrations, and what scripts print on standard error.
func warningsOf(path string, s *streams) lockstep.Option {
	return lockstep.WithLogger(slog.New(&warnings{path, s}))
}

type warnings struct {
	path string
	s    *streams
}

func (*warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

func (w *warnings) Handle(_ context.Context, r slog.Record) error {
	if r.Level < slog.LevelWarn {
		w.script(r)
		return nil
	}
	fact, database := r.Message, ""
	r.Attrs(func(a slog.Attr) bool {
		if a.Key == "database" { // the user has a different name for it
			database = a.Value.String()
		} else {
			fact += ": " + strings.TrimPrefix(a.Value.String(), database+": ")
		}
		return true
	})
	// An upgrade judges the database each time it takes the lock.
	if p := (gen.Problem{File: w.path, Fact: fact}); !slices.Contains(w.s.warnings, p) {
		w.s.warnings = append(w.s.warnings, p)
	}
	return nil
}

// script prints what a script printed. If it failed, that is in the error.
func (w *warnings) script(r slog.Record) {
	if r.Message != "script ended" {
		return
	}
	output, failed := "", false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "stdout", "stderr":
			output += a.Value.String()
		case "error":
			failed = a.Value.Any() != nil
		}
		return true
	})
	if !failed {
		io.WriteString(w.s.stderr, output)
	}
}

func (w *warnings) WithAttrs([]slog.Attr) slog.Handler { return w }
func (w *warnings) WithGroup(string) slog.Handler      { return w }
