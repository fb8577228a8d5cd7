package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"slices"

	"github.com/lockstep-db/lockstep/gen/trial"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

func tryCommand(fs *flag.FlagSet) action {
	u := upgradeFlags(fs)
	var keep pathFlag
	fs.Var(&keep, "keep", "`FILE`: where to leave the upgraded copy")
	verbose := fs.Bool("v", false, "list the rows of all tables, and what is in those for which a migration fails")
	return func(ctx context.Context, s *streams, _ []string) (result, error) {
		ctx = interpreter.Private(ctx)
		schema, err := u.load(ctx, s)
		if err != nil {
			return nil, err
		}
		p := startProgress(s.stderr)
		report, err := trial.Run(ctx, trial.Request{
			Path: u.db.value, Keep: keep.value, Schema: schema, Timeout: *u.timeout, Options: u.runtimeOptions(s), Content: *verbose,
			Begin:  func() { s.migrating.Store(true) },
			Report: p.show, Progress: p.report,
		})
		p.stop()
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

func (r *tryResult) print(w io.Writer) {
	if len(r.Migrations) == 0 {
		fmt.Fprintf(w, "%s: at version %v, nothing to do\n", r.DB, r.To)
		return
	}
	fmt.Fprintf(w, "%s: from version %v to %v, on a copy\n", r.DB, r.From, r.To)
	var times [][]string
	for _, m := range r.Migrations {
		if len(m.Statements) == 0 {
			times = append(times, []string{m.File, m.Took.String()})
		}
		for _, stmt := range m.Statements {
			times = append(times, []string{fmt.Sprintf("%s:%d", m.File, stmt.Line), stmt.Took.String()})
		}
	}
	printList(w, "statements", append(times, []string{"total", r.Took.String()}))
	if len(r.Schema) > 0 {
		fmt.Fprintln(w, "schema")
	}
	for _, o := range r.Schema {
		what := "changed"
		if o.Before == "" {
			what = "new"
		} else if o.After == "" {
			what = "gone"
		}
		fmt.Fprintf(w, "%s %s: %s\n%s%s", o.Type, wording.Printable(o.Name), what, marked("-", o.Before), marked("+", o.After))
	}
	var rows [][]string
	for _, t := range r.Rows {
		switch {
		case t.Before == nil:
			rows = append(rows, []string{t.Table, fmt.Sprintf("new, %d", *t.After)})
		case t.After == nil:
			rows = append(rows, []string{t.Table, fmt.Sprintf("gone, %d before", *t.Before)})
		case *t.Before != *t.After:
			rows = append(rows, []string{t.Table, fmt.Sprintf("before %d, after %d", *t.Before, *t.After)})
		case r.verbose:
			rows = append(rows, []string{t.Table, fmt.Sprint(*t.After)})
		}
	}
	printList(w, "rows", rows)
	printBreaks(w, r.Breaks)
	if r.Kept != "" {
		fmt.Fprintf(w, "%s: written\n", r.Kept)
	}
}
