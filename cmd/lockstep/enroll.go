package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func enrollCommand() command {
	return command{
		name:  "enroll",
		args:  "[--db FILE] [--migrations DIR] [--at N] [--from TOOL] [flags]",
		short: "give a version to a database that existed before lockstep",
		long: `
Marks a database as being at version N (the newest, without --at): the migrations
up to N count as applied, those after it as pending. It does so only if the tables
of the database are those that the migrations produce at version N, and otherwise
prints the difference, as "lockstep schema" does, and writes nothing. Without --at
it then also looks for the version at which there is none. What it writes are the
tables of the version and the history.

Tables and indexes that no migration makes are no obstacle; those that a migration
after N makes are, because it would fail on them.

Where there are no migrations yet, it makes the first of the schema: it writes
DIR/0001-initialize.sql, in SQLite's own wording, and marks the database as being
at version 1. Before that it makes another database with the file and compares the
two. Rows are not part of a schema, so a new database has none; it lists the tables
that have few, for you to look at. What Litestream, goose, golang-migrate and dbmate
keep in a database is left out.

With --from it reads from the database which version another tool recorded there:

	goose           the table goose_db_version
	golang-migrate  schema_migrations; refused while it is dirty
	dbmate          schema_migrations
	user_version    PRAGMA user_version

If the tool's numbers are those of the migrations in DIR, N is the tool's version.
If they are others, such as times, N is the number of the migration that has as many
before it in DIR as the tool has applied before its last. If both are possible, and
the tables are those of both, --at has to decide; and also where golang-migrate or
user_version say a number that DIR does not have, because they do not record how
many came before. In any case the tables have to be those of version N. The tool's
own table is left alone, and the statement that a later migration can drop it with
is printed.

Example:

	$ lockstep enroll --db data.db --at 3
	data.db: enrolled at version 0003
	$ lockstep enroll --db data.db --from goose
	data.db: enrolled at version 0005 (goose: 5 applied, the last 20240131094500)

With --json, "result" has db, version, enrolled, and changed (type, name, want,
found, detail), which is empty when the database was enrolled. It also has file
("" unless 0001 was written), rows (table, rows), settings (pragma, value: what a
new database will not have), leftAlone (table, tool), and from (tool, last,
migrations: 0 if the tool does not say), which is null without --from.`,
		flags: func(fs *flag.FlagSet) action {
			db, migrations := dbFlag(fs), migrationsFlag(fs)
			var at versionFlag
			fs.Var(&at, "at", "`N`: the version that the database is at (default the newest)")
			var from toolFlag
			fs.Var(&from, "from", "`TOOL`: take the version that goose, golang-migrate, dbmate or user_version recorded")
			gaps, timeout := gapsFlag(fs), timeoutFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				e := &enrollment{path: db.value, dir: migrations.value, gaps: *gaps, timeout: *timeout, from: from.tool}
				none, err := hasNone(e.dir)
				if err != nil {
					return nil, err
				}
				if !none {
					newest, err := load(ctx, s, e.dir, gen.Options{Gaps: *gaps})
					if err != nil {
						return nil, err
					}
					e.newest = newest.Schema
				}
				db, err := openDatabase(e.path)
				if err != nil {
					return nil, err
				}
				defer db.Close()
				if none {
					return e.initialize(ctx, s, db, lockstep.Version(at))
				}
				return e.enroll(ctx, db, lockstep.Version(at))
			}
		},
	}
}

// An enrollment is one run of the command.
type enrollment struct {
	path, dir string
	gaps      bool
	timeout   time.Duration
	newest    *lockstep.Schema // nil if there are no migrations
	from      *tool            // or nil
	record    *record          // of from
}

// enroll marks the database as being at version at; if that is 0, at the one that
// another tool recorded, or at the newest.
func (e *enrollment) enroll(ctx context.Context, db *database, at lockstep.Version) (result, error) {
	schema, err := e.schema(ctx, cmp.Or(at, e.newest.Expected))
	if err != nil {
		return nil, err
	}
	state, err := db.inspect(ctx, schema, lockstep.WithTimeout(e.timeout))
	if err != nil {
		return nil, err
	}
	if state.Managed {
		return nil, refuse("exists", "%s: at version %v already; nothing was written", e.path, state.Version)
	}
	out := &enrollResult{DB: e.path, Changed: []jsonDifference{}, Rows: []rowCount{}, Settings: []setting{}, LeftAlone: []leftAlone{}}
	if err := e.readRecord(ctx, db, out); err != nil {
		return nil, err
	}
	if e.record != nil && at == 0 {
		if schema, err = e.choose(ctx, state); err != nil {
			return nil, err
		}
	}
	out.Version = schema.Expected
	changed, err := e.compare(schema, state.Objects)
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 && !slices.ContainsFunc(state.Objects, isMeta) {
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
	if out.LeftAlone, err = db.bookkeeping(ctx); err != nil {
		return nil, db.named(err)
	}
	if err := lockstep.Enroll(ctx, db.DB, schema, lockstep.WithTimeout(e.timeout)); err != nil {
		return nil, db.named(err)
	}
	out.Enrolled = true
	return out, nil
}

// isMeta reports whether the object has the name of the table in which the version
// stands, which is the first thing to be said about a database.
func isMeta(o sqltext.Object) bool { return sqltext.Equal(o.Name, "_meta") }

// schema returns the schema at a version.
func (e *enrollment) schema(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
	if v == e.newest.Expected {
		return e.newest, nil
	}
	s := &streams{stderr: io.Discard}
	defer s.close() // what is wanted of the schema is its SQL
	res, err := load(ctx, s, e.dir, gen.Options{Gaps: e.gaps, To: v})
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
		if slices.ContainsFunc(later, func(l sqltext.Object) bool { return sqltext.Equal(l.Name, o.Name) }) {
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
	DB        string           `json:"db"`
	Version   lockstep.Version `json:"version"`
	Enrolled  bool             `json:"enrolled"`
	Changed   []jsonDifference `json:"changed"`
	File      string           `json:"file"`
	Rows      []rowCount       `json:"rows"`
	Settings  []setting        `json:"settings"`
	LeftAlone []leftAlone      `json:"leftAlone"`
	From      *enrolledFrom    `json:"from"`

	summary   string // of what the file makes
	quotes    bool   // it has strings in double quotes
	isPackage bool   // its directory has a go:generate line
}

func (r *enrollResult) print(w io.Writer) {
	printDifferences(w, r.Changed)
	if !r.Enrolled {
		return
	}
	if r.File != "" {
		fmt.Fprintf(w, "%s: written: %s\n", r.File, r.summary)
	}
	fmt.Fprintf(w, "%s: enrolled at version %v", r.DB, r.Version)
	if r.From != nil {
		fmt.Fprintf(w, " (%v)", r.From)
	}
	fmt.Fprintln(w)

	say := func(text string, lines ...string) {
		fmt.Fprintf(w, "\n%s\n\n%s\n", text, indent(strings.Join(lines, "\n")))
	}
	if len(r.Rows) > 0 {
		var lines []string
		for _, t := range r.Rows {
			lines = append(lines, fmt.Sprintf("%s: %d %s", t.Table, t.Rows, plural(t.Rows, "row")))
		}
		say("A new database will have the tables and no rows. Where the program needs rows to be\n"+
			"there from the beginning, add INSERTs to the file. Tables with few rows:", lines...)
	}
	if len(r.Settings) > 0 {
		var lines []string
		for _, s := range r.Settings {
			lines = append(lines, "PRAGMA "+s.Pragma+" = "+s.Value)
		}
		say("Settings of this database that are not part of its schema; a new one will not have them:", lines...)
	}
	for _, t := range r.LeftAlone {
		say(fmt.Sprintf("%s keeps its version in %s, which was left alone.\nA migration can drop it when no program needs it any more:", t.Tool, t.Table),
			"DROP TABLE IF EXISTS "+t.Table+";")
	}
	if r.File == "" {
		return
	}
	if r.quotes {
		say("The file has strings in double quotes, which some builds of SQLite refuse. Put them in\n"+
			"single quotes, or add --dqs to the go:generate line:", "//"+"go:generate go tool lockstep generate --dqs")
	}
	if !r.isPackage {
		say("Make a Go package of the directory:", "lockstep init "+quoteArg(filepath.Dir(r.File)))
	}
	say("Read the file, generate, and commit both before any other database gets it:", "go generate ./...")
}

func plural(n int, noun string) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}
