package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/enroll"
	"github.com/lockstep-db/lockstep/runtime"
)

func enrollCommand() command {
	return command{
		name:  "enroll",
		args:  "[--db FILE] [--migrations DIR] [--at N] [--from TOOL] [flags]",
		short: "give a version to a database that existed before lockstep",
		long: `
Marks a database as being at version N, by default the newest: the migrations up to
N count as applied, those after it as pending. It does so only if the schema of the
database is what the migrations produce at version N. Otherwise it prints the
difference, as "lockstep schema" does, and writes nothing; without --at it then looks
for a version that fits. All it writes are the tables for version and history.

Tables and indexes that no migration makes do not matter. Those that a migration after
N makes do: it would fail on them.

Where there are no migrations yet, it makes the first from the schema: it writes
DIR/0001-initialize.sql, in SQLite's own wording, and marks the database as being at
version 1. Before that it makes another database with the file and compares the two.
Rows are not part of a schema, so a new database has none; the tables with few rows
are listed, for you to look at. The tables of Litestream, goose, golang-migrate and
dbmate are left out.

With --from it reads the version that another tool recorded in the database:

	goose           in the table goose_db_version
	golang-migrate  in schema_migrations; refused while it is dirty
	dbmate          in schema_migrations
	user_version    in PRAGMA user_version

If the tool's numbers are those of the migrations in DIR, N is the tool's version. If
they are not, such as timestamps, N is found by counting: where the tool applied five
migrations, N is the number of the fifth. If the two differ and the schema fits both,
--at has to decide. So it has where golang-migrate or user_version has a number that
is not in DIR: they do not record how many came before. The schema has to be that of
version N in any case. The tool's own table is left alone; enroll prints the statement
with which a later migration can drop it.

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
			return func(ctx context.Context, s *streams, _ []string) (result, error) {
				return runEnroll(ctx, s, *gaps, enroll.Request{
					Path: db.value, Dir: migrations.value, At: lockstep.Version(at), From: from.tool, Timeout: *timeout,
				})
			}
		},
	}
}

func runEnroll(ctx context.Context, s *streams, gaps bool, r enroll.Request) (result, error) {
	r.Load = func(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
		to := s
		if v != 0 { // the warnings are those of the newest
			to = &streams{stderr: io.Discard}
		}
		res, err := load(ctx, to, r.Dir, gen.Options{Gaps: gaps, To: v})
		if err != nil {
			return nil, err
		}
		return res.Schema, nil
	}
	out, err := enroll.Run(ctx, r)
	if out == nil {
		return nil, err
	}
	s.warnings = append(s.warnings, out.Warnings...)
	if err != nil && out.Fits > 0 {
		err = refuse("differs", "%v; its schema is that of version %v\n\tlockstep enroll --db %s --at %d", err, out.Fits, quoteArg(r.Path), out.Fits)
	}
	_, isPackage := directive(r.Dir)
	return &enrollResult{r.Path, out, isPackage}, err
}

// toolFlag is --from.
type toolFlag struct{ tool *enroll.Tool }

func (f *toolFlag) String() string { return "" }

func (f *toolFlag) Set(s string) error {
	var names []string
	for _, t := range enroll.Tools {
		if t.Name == s {
			f.tool = t
			return nil
		}
		names = append(names, t.Name)
	}
	return errors.New("want one of " + strings.Join(names, ", "))
}

type enrollResult struct {
	DB string `json:"db"`
	*enroll.Result

	isPackage bool // its directory has a go:generate line
}

func (r *enrollResult) print(w io.Writer) {
	printDifferences(w, r.Changed)
	if !r.Enrolled {
		return
	}
	if r.File != "" {
		counts := map[string]int{}
		for _, o := range r.Objects {
			counts[o.Type]++
		}
		var parts []string
		for _, kind := range []string{"table", "index", "view", "trigger"} {
			if n := counts[kind]; n > 0 {
				parts = append(parts, count(n, kind))
			}
		}
		fmt.Fprintf(w, "%s: written: %s\n", r.File, strings.Join(parts, ", "))
	}
	fmt.Fprintf(w, "%s: enrolled at version %v", r.DB, r.Version)
	if r.From != nil {
		fmt.Fprintf(w, " (%v)", r.From)
	}
	fmt.Fprintln(w)

	say := func(text string, lines ...string) {
		fmt.Fprintf(w, "\n%s\n\n%s\n", text, indent(strings.Join(lines, "\n")))
	}
	var lines []string
	for _, t := range r.Rows {
		lines = append(lines, t.Table+": "+count(int(t.Rows), "row"))
	}
	if len(lines) > 0 {
		say("A new database will have the tables and no rows. If the program needs rows from the\n"+
			"start, add INSERTs to the file. Tables with few rows:", lines...)
	}
	lines = nil
	for _, s := range r.Settings {
		lines = append(lines, "PRAGMA "+s.Pragma+" = "+s.Value)
	}
	if len(lines) > 0 {
		say("Settings of this database that are not part of its schema; a new one will not have them:", lines...)
	}
	for _, t := range r.LeftAlone {
		say(fmt.Sprintf("%s keeps its version in %s, which was left alone.\nOnce no program needs it, a migration can drop it:", t.Name, t.Table),
			"DROP TABLE IF EXISTS "+t.Table+";")
	}
	if r.File == "" {
		return
	}
	if r.Quotes {
		say("The file has strings in double quotes, which some builds of SQLite refuse. Put them in\n"+
			"single quotes, or add --dqs to the go:generate line:", "//"+"go:generate go tool lockstep generate --dqs")
	}
	if !r.isPackage {
		say("Make a Go package of the directory:", "lockstep init "+quoteArg(filepath.Dir(r.File)))
	}
	say("Read the file, generate, and commit both before any other database gets it:", "go generate ./...")
}

// count returns "1 row" or "2 rows".
func count(n int, noun string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(noun, "x"):
		noun += "es"
	default:
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}
