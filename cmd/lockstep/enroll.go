package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	lockstep "github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func enrollCommand() command {
	return command{
		name:  "enroll",
		args:  "[--db FILE] [--migrations DIR] [--at N] [flags]",
		short: "give a version to a database that existed before lockstep",
		long: `
Marks a database as being at version N (the newest, without --at): the migrations
up to N count as applied, those after it as pending. It does so only if the tables
of the database are those that the migrations produce at version N, and otherwise
prints the difference, as "lockstep schema" does, and writes nothing. Without --at
it then also looks for the version at which there is none. What it writes are the
tables of the version and the history.

A database that has no migrations yet: make a first migration of its schema, then
enroll it at version 1.

	lockstep schema --db data.db > migrations/0001-initialize.sql
	lockstep enroll --db data.db --at 1

Tables and indexes that no migration makes are no obstacle; those that a migration
after N makes are, because it would fail on them.

Example:

	$ lockstep enroll --db data.db --at 3
	data.db: enrolled at version 0003

With -json, "result" has db, version, enrolled, and changed (type, name, want,
found, detail), which is empty when the database was enrolled.`,
		flags: func(fs *flag.FlagSet) action {
			db, migrations := dbFlag(fs), migrationsFlag(fs)
			var at versionFlag
			fs.Var(&at, "at", "`N`: the version that the database is at (default the newest)")
			gaps, timeout := gapsFlag(fs), timeoutFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				if err := noArgs(args); err != nil {
					return nil, err
				}
				path, err := db.path()
				if err != nil {
					return nil, err
				}
				dir, err := migrations.path()
				if err != nil {
					return nil, err
				}
				e := &enrollment{path: path, dir: dir, gaps: *gaps, timeout: *timeout}
				newest, err := load(ctx, s, dir, gen.Options{Gaps: *gaps})
				if err != nil {
					return nil, err
				}
				e.newest = newest.Schema
				return e.enroll(ctx, lockstep.Version(at))
			}
		},
	}
}

// An enrollment is one run of the command.
type enrollment struct {
	path, dir string
	gaps      bool
	timeout   time.Duration
	newest    *lockstep.Schema
}

// enroll marks the database as being at version at, or at the newest if at is 0.
func (e *enrollment) enroll(ctx context.Context, at lockstep.Version) (result, error) {
	schema, err := e.schema(ctx, cmp.Or(at, e.newest.Expected))
	if err != nil {
		return nil, err
	}
	db, err := openDatabase(e.path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	state, err := db.inspect(ctx, schema, lockstep.WithTimeout(e.timeout))
	if err != nil {
		return nil, err
	}
	if state.Managed {
		return nil, refuse("exists", "%s: at version %v already; nothing was written", e.path, state.Version)
	}
	if slices.ContainsFunc(state.Objects, func(o sqltext.Object) bool { return strings.EqualFold(o.Name, "_meta") }) {
		return nil, refuse("exists", "%s: has a _meta that is not a version; rename it", e.path)
	}

	out := &enrollResult{DB: e.path, Version: schema.Expected, Changed: []jsonDifference{}}
	changed, err := e.compare(schema, state.Objects)
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 {
		for _, d := range changed {
			out.Changed = append(out.Changed, jsonDifference(d))
		}
		hint := ""
		if at == 0 {
			if hint, err = e.hint(ctx, state.Objects); err != nil {
				return nil, err
			}
		}
		return out, refuse("differs", "%s: %s from what the migrations produce at version %v; not enrolled%s",
			e.path, differ(len(changed)), schema.Expected, hint)
	}

	if err := lockstep.Enroll(ctx, db.DB, schema, lockstep.WithTimeout(e.timeout)); err != nil {
		return nil, db.named(err)
	}
	out.Enrolled = true
	return out, nil
}

// schema returns the schema at a version.
func (e *enrollment) schema(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
	if v == e.newest.Expected {
		return e.newest, nil
	}
	res, err := load(ctx, &streams{}, e.dir, gen.Options{Gaps: e.gaps, To: v})
	if err != nil {
		return nil, err
	}
	return res.Schema, nil
}

// compare returns what keeps a database with these objects from being at the
// version of schema: objects that are not what the migrations up to there
// produce, and objects that a later migration makes, and would fail to.
func (e *enrollment) compare(schema *lockstep.Schema, found []sqltext.Object) ([]sqltext.Difference, error) {
	want, err := sqltext.ParseSchema(schema.SQL)
	if err != nil {
		return nil, err
	}
	later, err := sqltext.ParseSchema(e.newest.SQL)
	if err != nil {
		return nil, err
	}
	changed, extra := sqltext.Diff(want, found)
	for _, o := range extra {
		if slices.ContainsFunc(later, func(l sqltext.Object) bool { return strings.EqualFold(l.Name, o.Name) }) {
			changed = append(changed, sqltext.Difference{Type: o.Type, Name: o.Name, Found: o.SQL,
				Detail: fmt.Sprintf("%s %s: a migration after %v makes it", o.Type, o.Name, schema.Expected)})
		}
	}
	return changed, nil
}

// hint looks for a version whose tables the database does have, from the newest
// down, and returns the command that enrolls it there, or "".
func (e *enrollment) hint(ctx context.Context, found []sqltext.Object) (string, error) {
	for _, m := range slices.Backward(e.newest.Migrations) {
		schema, err := e.schema(ctx, m.Version)
		if err != nil {
			return "", err
		}
		changed, err := e.compare(schema, found)
		if err != nil {
			return "", err
		}
		if len(changed) == 0 {
			return fmt.Sprintf("; its tables are those of version %v\n\tlockstep enroll --db %s --at %d", m.Version, quoteArg(e.path), m.Version), nil
		}
	}
	return "", nil
}

type enrollResult struct {
	DB       string           `json:"db"`
	Version  lockstep.Version `json:"version"`
	Enrolled bool             `json:"enrolled"`
	Changed  []jsonDifference `json:"changed"`
}

func (r *enrollResult) print(w io.Writer) {
	printDifferences(w, r.Changed)
	if r.Enrolled {
		fmt.Fprintf(w, "%s: enrolled at version %v\n", r.DB, r.Version)
	}
}
