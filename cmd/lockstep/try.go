package main

import (
	"context"
	"flag"
	"slices"

	"github.com/lockstep-db/lockstep/gen/trial"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
)

func tryCommand(fs *flag.FlagSet) action {
	u := upgradeFlags(fs)
	var keep pathFlag
	fs.Var(&keep, "keep", "`FILE`: where to leave the upgraded copy")
	verbose := fs.Bool("v", false, "count the rows of all tables, and show those for which a migration fails")
	return func(ctx context.Context, s *streams, _ []string) (any, error) {
		ctx = interpreter.Private(ctx)
		schema, err := u.load(ctx, s)
		if err != nil {
			return nil, err
		}
		s.progress.start(s.stderr)
		report, err := trial.Run(ctx, trial.Request{
			Path: u.db.value, Keep: keep.value, Schema: schema, Timeout: *u.timeout, Options: u.runtimeOptions(s), Content: *verbose,
			Begin:  func() { s.migrating.Store(true) },
			Report: s.progress.show, Progress: s.progress.report,
		})
		if err != nil {
			return nil, u.backward(err)
		}
		out := &tryResult{DB: u.db.value, Report: report, verbose: *verbose}
		if len(report.Migrations) > 0 {
			out.Breaks = slices.DeleteFunc(breaksOf(ctx, u.value, schema), func(b breaks) bool { return b.Version <= report.From })
		}
		return out, nil
	}
}

type tryResult struct {
	DB string `json:"db"`
	*trial.Report
	Breaks []breaks `json:"breaks,omitempty"`

	verbose bool
}

// Shown returns the tables that are worth a line.
func (r *tryResult) Shown() []trial.Table {
	return slices.DeleteFunc(slices.Clone(r.Rows), func(t trial.Table) bool { return !r.verbose && !t.Changed() })
}
