package main

import (
	"context"
	"flag"
	"fmt"
	"io"

	"github.com/lockstep-db/lockstep/gen/trial"
	"github.com/lockstep-db/lockstep/runtime"
)

func tryCommand() command {
	return command{
		name:  "try",
		args:  "[--db FILE] [--migrations DIR] [--to N] [--keep FILE] [flags]",
		short: "run the pending migrations on a copy of a database, and say what they do",
		long: `
Runs the pending migrations on a copy of a database, by the same code as "lockstep
migrate", and says what they did to the copy: what changed in the schema, which
tables have more or fewer rows than before, and how long each statement took. The
exit code is 0 if the upgrade would succeed, and 1 if it would not: a statement fails
on the data of this database, or rows would be left without parent. The error says
which.

The database itself is only read, and others may go on using it: the copy is of one
moment. It is made in a private folder for temporary files (TMPDIR says where), which
needs room for the database and for what the migrations write, and is removed at the
end. With --keep FILE the upgraded copy stays as FILE, to look at it with SQLite's
shell or to start a program on it; an existing file is not overwritten.

In the schema, "-" begins what was before and "+" what is after. A renamed table is
listed as one that is gone and one that is new. Under "rows" are the tables whose
number of rows changed; with -v, all.

Example:

	$ lockstep try --db data.db
	data.db: from version 0004 to 0005, on a copy
	statements
	  0005-merge-names.sql:1  210µs
	  0005-merge-names.sql:2  31.6ms
	  total                   35.1ms
	schema
	table people: changed
	-CREATE TABLE people (id INTEGER PRIMARY KEY, first, last);
	+CREATE TABLE people (id INTEGER PRIMARY KEY, first, last, name);
	rows
	  people  before 1200, after 1198

With --json, "result" has db, from, to, ms, migrations that ran (version, file, ms, and
for those in SQL statements: line, ms), schema (type, name, before, after: the SQL of
objects that changed, "" where there is none), rows (table, before, after: of all
tables, null where there is none) and kept ("" without --keep).`,
		flags: func(fs *flag.FlagSet) action {
			r := upgradeFlags(fs)
			var keep fileFlag
			fs.Var(&keep, "keep", "`FILE`: where to leave the upgraded copy")
			verbose := fs.Bool("v", false, "list the rows of all tables")
			return func(ctx context.Context, s *streams, _ []string) (result, error) {
				if err := r.load(ctx, s); err != nil {
					return nil, err
				}
				p := &progress{}
				report, err := trial.Run(ctx, trial.Request{
					Path: r.db.value, Keep: string(keep), Schema: r.schema, Timeout: *r.timeout, Options: r.opts,
					Begin: func() {
						s.migrating.Store(true)
						p = startProgress(s.stderr)
					},
					Progress: func(now lockstep.Progress) { p.report(now) },
				})
				p.stop()
				if err != nil {
					return nil, r.backward(err)
				}
				return &tryResult{r.db.value, report, *verbose}, nil
			}
		},
	}
}

type tryResult struct {
	DB string `json:"db"`
	*trial.Report

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
		fmt.Fprintf(w, "%s %s: %s\n%s%s", o.Type, o.Name, what, marked("-", o.Before), marked("+", o.After))
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
	if r.Kept != "" {
		fmt.Fprintf(w, "%s: written\n", r.Kept)
	}
}
