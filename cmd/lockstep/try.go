package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func tryCommand() command {
	return command{
		name:  "try",
		args:  "[--db FILE] [--migrations DIR] [--to N] [--keep FILE] [flags]",
		short: "run the pending migrations on a copy of a database, and say what they do",
		long: `
Runs the pending migrations of a directory on a copy of a database, by the same code
as "lockstep migrate", and says what has become of the copy: what has changed in the
schema, which tables have another number of rows than before, and how long each
statement took. The exit code is 0 if the upgrade would succeed, and 1 if it would
not: a statement fails on the data of this database, or rows would be left without
parent, and the error says which.

The database itself is only read, and others may go on using it: the copy is of one
moment. It is made in a private folder below the one for temporary files (TMPDIR says
which), which needs room for the database and for what the migrations write, and is
removed at the end. With --keep FILE the upgraded copy stays as FILE, to be looked at
with SQLite's shell or to start a program on; a file that exists is not overwritten.

In the schema, "-" begins what was before and "+" what is afterwards. A table that is
renamed is one that is gone and one that is new. Under "rows" stand the tables whose
number of rows is another one; with -v, all.

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
objects that have changed, "" where there is none), rows (table, before, after: of all
tables, null where there is none) and kept ("" without --keep).`,
		flags: func(fs *flag.FlagSet) action {
			t := &trial{}
			db, migrations := dbFlag(fs), migrationsFlag(fs)
			var to versionFlag
			fs.Var(&to, "to", "`N`: stop at version N")
			fs.Var((*fileFlag)(&t.keep), "keep", "`FILE`: where to leave the upgraded copy")
			verbose := fs.Bool("v", false, "list the rows of all tables")
			gaps, timeout, allow := gapsFlag(fs), timeoutFlag(fs), allowFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				res, err := load(ctx, s, migrations.value, gen.Options{Gaps: *gaps, To: lockstep.Version(to)})
				if err != nil {
					return nil, err
				}
				t.path, t.schema, t.newest, t.timeout = db.value, res.Schema, to == 0, *timeout
				t.opts = []lockstep.Option{lockstep.WithTimeout(*timeout), lockstep.WithAllowed(*allow), script.WithConn(prepare)}
				out, err := t.try(ctx, s)
				if out == nil {
					return nil, err
				}
				out.verbose = *verbose
				return out, err
			}
		},
	}
}

// A trial is one run of the command.
type trial struct {
	path    string // of the database
	keep    string
	schema  *lockstep.Schema
	newest  bool // no earlier version was asked for
	timeout time.Duration
	opts    []lockstep.Option
}

func (t *trial) try(ctx context.Context, s *streams) (*tryResult, error) {
	live, err := openUnchanged(t.path)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	// What a program would refuse is not worth a copy.
	state, err := t.inspect(ctx, live)
	if err != nil {
		return nil, err
	}
	if len(state.Pending) == 0 {
		return &tryResult{DB: t.path, From: state.Version, To: state.Version, Migrations: []triedMigration{}, Schema: []triedObject{}, Rows: []triedTable{}}, nil
	}
	if _, err := os.Lstat(t.keep); t.keep != "" && err == nil {
		return nil, refuse("exists", "%s: exists; nothing was tried", t.keep)
	}

	dir, err := os.MkdirTemp("", "lockstep-try-")
	if err != nil {
		return nil, fileError(os.TempDir(), err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "copy.db")
	if err := live.copyTo(ctx, file, t.timeout); err != nil {
		return nil, t.undecided(ctx, err)
	}
	copied, err := connect(file, "rw", prepare)
	if err != nil {
		return nil, err
	}
	defer copied.Close()
	copied.path = t.path // in errors
	return t.upgrade(ctx, s, copied)
}

// inspect refuses what migrate refuses.
func (t *trial) inspect(ctx context.Context, db *database) (*lockstep.State, error) {
	state, err := db.inspect(ctx, t.schema, t.opts...)
	switch {
	case err != nil:
		return nil, err
	case state.Version > t.schema.Expected && !t.newest:
		return nil, refuse("backward", "%s: at version %v, past %v; there is no way back but a backup", t.path, state.Version, t.schema.Expected)
	case state.Refusal != nil && !errors.Is(state.Refusal, lockstep.ErrBehind):
		return nil, state.Refusal
	}
	return state, nil
}

// upgrade upgrades the copy.
func (t *trial) upgrade(ctx context.Context, s *streams, copied *database) (*tryResult, error) {
	before, err := t.inspect(ctx, copied)
	if err != nil {
		return nil, err
	}
	rowsBefore, err := copied.countRows(ctx, before.Objects)
	if err != nil {
		return nil, t.undecided(ctx, err)
	}
	out := &tryResult{DB: t.path, From: before.Version, To: t.schema.Expected}
	lines, err := statementLines(t.schema, before.Pending)
	if err != nil {
		return nil, err
	}
	s.migrating.Store(true)
	progress := startProgress(s.stderr)
	begun := time.Now()
	err = lockstep.Migrate(ctx, copied.DB, t.schema, append(t.opts, warningsOf(t.path, s), lockstep.WithProgress(func(p lockstep.Progress) {
		progress.report(p)
		out.note(p, lines[p.Version])
	}))...)
	out.took = time.Since(begun)
	out.Ms = milliseconds(out.took)
	progress.stop()
	if err != nil {
		return nil, t.undecided(ctx, err)
	}

	after, err := copied.inspect(ctx, t.schema, t.opts...)
	if err != nil {
		return nil, err
	}
	rowsAfter, err := copied.countRows(ctx, after.Objects)
	if err != nil {
		return nil, t.undecided(ctx, err)
	}
	out.Schema = changes(before.Objects, after.Objects)
	out.Rows = compareRows(rowsBefore, rowsAfter)
	if t.keep != "" {
		err := copied.copyTo(ctx, t.keep, t.timeout)
		if errors.Is(err, fs.ErrExist) {
			return nil, refuse("exists", "%s: exists; nothing was kept", t.keep)
		}
		if err != nil {
			return nil, fileError(t.keep, err)
		}
		out.Kept = t.keep
	}
	return out, nil
}

// undecided makes "could not tell" of an error that is not about the migrations and the
// data: there is no room for the copy, or somebody has interrupted.
func (t *trial) undecided(ctx context.Context, err error) error {
	named := (&database{path: t.path}).named(err)
	if ctx.Err() != nil {
		return errors.New(named.Error())
	}
	fact := ""
	if code, ok := machineCode(err); ok {
		fact = strings.TrimPrefix(code.Error(), "sqlite3: ")
	}
	if e := (*fs.PathError)(nil); errors.As(err, &e) { // its path is gone when somebody reads it
		fact = strings.TrimPrefix(fact+": "+e.Err.Error(), ": ")
	}
	if fact == "" {
		return named
	}
	if m := (*lockstep.MigrationError)(nil); errors.As(err, &m) && m.File != "" {
		place := m.File
		if m.Line > 0 {
			place += fmt.Sprintf(":%d", m.Line)
		}
		fact = place + ": " + fact
	}
	return fmt.Errorf("copy of %s in %s: %s", t.path, os.TempDir(), fact)
}

// openUnchanged opens a database of which no page is to be written. SQLite copies the
// write-ahead log into the file when the last connection is closed; a log that is there
// already has to stay.
//
// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfignockptonclose
func openUnchanged(path string) (*database, error) {
	file, err := filepath.EvalSymlinks(path)
	if err == nil {
		_, err = os.Lstat(file + "-wal")
	}
	if err != nil {
		return openDatabase(path)
	}
	return openPrepared(path, func(c *sqlite3.Conn) error {
		if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
			return err
		}
		return prepare(c)
	})
}

// copyTo copies the database to a new file that its owner may write to.
func (db *database) copyTo(ctx context.Context, path string, timeout time.Duration) error {
	err := db.raw(ctx, func(conn *sqlite3.Conn) error { return copyToNew(ctx, conn, path, timeout) })
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return os.Chmod(path, info.Mode().Perm()|0o600)
}

// statementLines returns the lines on which the statements of migrations begin.
func statementLines(schema *lockstep.Schema, migrations []lockstep.Migration) (map[lockstep.Version][]int, error) {
	lines := make(map[lockstep.Version][]int)
	for _, m := range migrations {
		if m.Program != nil {
			continue
		}
		text, err := fs.ReadFile(schema.Files, m.File)
		if err != nil {
			return nil, fileError(m.File, err)
		}
		stmts, err := sqltext.Parse(sqltext.Normalize(text)).Statements(m.Ends)
		if err != nil {
			return nil, fileError(m.File, err)
		}
		for _, stmt := range stmts {
			lines[m.Version] = append(lines[m.Version], stmt.Line)
		}
	}
	return lines, nil
}

// note notes how long what has just ended took.
func (r *tryResult) note(p lockstep.Progress, lines []int) {
	last := len(r.Migrations) - 1
	switch {
	case p.Statement == 0 && !p.Done:
		// An upgrade that has to count orphans first starts over.
		r.Migrations = slices.DeleteFunc(r.Migrations, func(m triedMigration) bool { return m.Version >= p.Version })
		r.Migrations = append(r.Migrations, triedMigration{Version: p.Version, File: p.File})
	case last < 0 || !p.Done:
	case p.Statement == 0:
		r.Migrations[last].took, r.Migrations[last].Ms = p.Took, milliseconds(p.Took)
	case p.Statement <= len(lines):
		r.Migrations[last].Statements = append(r.Migrations[last].Statements, triedStatement{lines[p.Statement-1], milliseconds(p.Took), p.Took})
	}
}

// changes compares the schema before and after an upgrade. SQLite's own objects,
// lockstep's, and those in which virtual tables keep their content are left out.
func changes(before, after []sqltext.Object) []triedObject {
	differ, added := sqltext.Diff(sqlite.Made(before), after)
	changed := []triedObject{}
	for _, d := range differ {
		changed = append(changed, triedObject{d.Type, d.Name, d.Want, d.Found})
	}
	for _, o := range added {
		changed = append(changed, triedObject{o.Type, o.Name, "", o.SQL})
	}
	order := []string{"table", "index", "trigger", "view"}
	slices.SortStableFunc(changed, func(a, b triedObject) int {
		return cmp.Or(slices.Index(order, a.Type)-slices.Index(order, b.Type), cmp.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name)))
	})
	return changed
}

// countRows returns how many rows each table has that somebody made.
func (db *database) countRows(ctx context.Context, objects []sqltext.Object) (map[string]int64, error) {
	counts := make(map[string]int64)
	rows, err := sqlite.Rows(ctx, sqlite.On(db), objects, 0)
	for _, r := range rows {
		counts[r.Table] = r.Rows
	}
	return counts, err
}

// compareRows returns the tables by name.
func compareRows(before, after map[string]int64) []triedTable {
	tables := []triedTable{}
	number := func(n int64) *int64 { return &n }
	for table, n := range before {
		t := triedTable{Table: table, Before: number(n)}
		for name, n := range after {
			if sqltext.Equal(name, table) {
				t.After = number(n)
			}
		}
		tables = append(tables, t)
	}
	for table, n := range after {
		if !slices.ContainsFunc(tables, func(t triedTable) bool { return sqltext.Equal(t.Table, table) }) {
			tables = append(tables, triedTable{Table: table, After: number(n)})
		}
	}
	slices.SortFunc(tables, func(a, b triedTable) int { return cmp.Compare(strings.ToLower(a.Table), strings.ToLower(b.Table)) })
	return tables
}

type tryResult struct {
	DB         string           `json:"db"`
	From       lockstep.Version `json:"from"`
	To         lockstep.Version `json:"to"`
	Ms         float64          `json:"ms"`
	Migrations []triedMigration `json:"migrations"`
	Schema     []triedObject    `json:"schema"`
	Rows       []triedTable     `json:"rows"`
	Kept       string           `json:"kept"`

	took    time.Duration
	verbose bool
}

type triedMigration struct {
	Version    lockstep.Version `json:"version"`
	File       string           `json:"file"`
	Ms         float64          `json:"ms"`
	Statements []triedStatement `json:"statements,omitempty"`

	took time.Duration
}

type triedStatement struct {
	Line int     `json:"line"`
	Ms   float64 `json:"ms"`

	took time.Duration
}

// triedObject has the SQL of an object, or "" where there is none.
type triedObject struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// triedTable has the number of rows of a table, or nil where there is none.
type triedTable struct {
	Table  string `json:"table"`
	Before *int64 `json:"before"`
	After  *int64 `json:"after"`
}

func (r *tryResult) print(w io.Writer) {
	if len(r.Migrations) == 0 {
		fmt.Fprintf(w, "%s: at version %v, nothing to do\n", r.DB, r.To)
		return
	}
	fmt.Fprintf(w, "%s: from version %v to %v, on a copy\n", r.DB, r.From, r.To)
	r.printTimes(w)
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
	r.printRows(w)
	if r.Kept != "" {
		fmt.Fprintf(w, "%s: written\n", r.Kept)
	}
}

func (r *tryResult) printTimes(w io.Writer) {
	fmt.Fprintln(w, "statements")
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	for _, m := range r.Migrations {
		if len(m.Statements) == 0 {
			fmt.Fprintf(table, "  %s\t%v\n", m.File, rounded(m.took))
		}
		for _, stmt := range m.Statements {
			fmt.Fprintf(table, "  %s:%d\t%v\n", m.File, stmt.Line, rounded(stmt.took))
		}
	}
	fmt.Fprintf(table, "  total\t%v\n", rounded(r.took))
}

func (r *tryResult) printRows(w io.Writer) {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	defer table.Flush()
	title := "rows\n"
	for _, t := range r.Rows {
		text := ""
		switch {
		case t.Before == nil:
			text = fmt.Sprintf("new, %d", *t.After)
		case t.After == nil:
			text = fmt.Sprintf("gone, %d before", *t.Before)
		case *t.Before != *t.After:
			text = fmt.Sprintf("before %d, after %d", *t.Before, *t.After)
		case r.verbose:
			text = fmt.Sprintf("%d", *t.After)
		default:
			continue
		}
		fmt.Fprintf(table, "%s  %s\t%s\n", title, t.Table, text)
		title = ""
	}
}

// rounded leaves of a duration what is worth reading.
func rounded(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}

func milliseconds(d time.Duration) float64 {
	return math.Round(d.Seconds()*1e6) / 1e3
}
