// Package trial is not for programs and promises nothing: it may change or go in any
// release. It finds out for "lockstep try" what migrations do to a database, on a copy
// that can be thrown away.
package trial

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Request is which database to try which migrations on.
type Request struct {
	Path    string // of the database
	Keep    string // where to leave the upgraded copy, or ""
	Schema  *lockstep.Schema
	Timeout time.Duration // of the wait for locks
	Options []lockstep.Option
	Content bool // of the rows for which a migration fails: in the error

	Begin    func()             // called when there is a copy, before the upgrade
	Report   func(doing string) // of the copy
	Progress func(lockstep.Progress)
}

// A Report is what the migrations did to the copy.
type Report struct {
	From       lockstep.Version `json:"from"`
	To         lockstep.Version `json:"to"`
	Took       Milliseconds     `json:"ms"`
	Migrations []Migration      `json:"migrations"`
	Schema     []Object         `json:"schema"` // what changed in it
	Rows       []Table          `json:"rows"`   // of all tables
	Kept       string           `json:"kept"`   // where the copy is, or ""
}

// A Migration is how long a migration took.
type Migration struct {
	Version    lockstep.Version `json:"version"`
	File       string           `json:"file"`
	Took       Milliseconds     `json:"ms"`
	Statements []Statement      `json:"statements,omitempty"`
}

// A Statement is how long the statement at a line took.
type Statement struct {
	Line int          `json:"line"`
	Took Milliseconds `json:"ms"`
}

// Milliseconds is a duration that JSON has as a number of milliseconds.
type Milliseconds time.Duration

// An Object has the SQL of an object of the schema, "" where it does not exist.
type Object struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Before string `json:"before"`
	After  string `json:"after"`
}

// A Table has the number of rows of a table, nil where it does not exist.
type Table struct {
	Table  string `json:"table"`
	Before *int64 `json:"before"`
	After  *int64 `json:"after"`
}

// Changed reports whether the table is new or gone, or has another number of rows.
func (t Table) Changed() bool { return t.Before == nil || t.After == nil || *t.Before != *t.After }

// Run copies a database, upgrades the copy and reports what changed. The database itself
// is only read. A full disk under the copy is an error that is not about the migrations.
func Run(ctx context.Context, r Request) (*Report, error) {
	live, err := database.OpenUnchanged(r.Path)
	if err != nil {
		return nil, err
	}
	defer live.Close()
	live.Report = r.Report
	// What a program would refuse is not worth a copy.
	state, err := live.Inspect(ctx, r.Schema, r.Options...)
	if err == nil && !errors.Is(state.Refusal, lockstep.ErrBehind) {
		err = state.Refusal
	}
	if err != nil {
		return nil, err
	}
	report := &Report{From: state.Version, To: state.Version, Migrations: []Migration{}, Schema: []Object{}, Rows: []Table{}}
	if len(state.Pending) == 0 {
		return report, nil
	}
	if _, err := os.Lstat(r.Keep); r.Keep != "" && err == nil {
		return nil, gen.Refuse("exists", "%s: exists; nothing was tried", r.Keep)
	}

	file, remove, err := diskfile.MakePart(filepath.Join(os.TempDir(), "lockstep-try"))
	if err != nil {
		return nil, gen.FileError(os.TempDir(), err)
	}
	defer remove()
	if err := live.CopyTo(ctx, file, r.Timeout); err != nil {
		return nil, copyError(ctx, live, err)
	}
	copied, err := database.Connect(file, "rw", database.Prepare)
	if err != nil {
		return nil, err
	}
	defer copied.Close()
	if err := report.upgrade(ctx, copied.DB, r); err != nil {
		named := copyError(ctx, live, err)
		if m := (*lockstep.MigrationError)(nil); r.Content && errors.As(named, &m) && !m.Culprits.Made {
			if rows, _ := sqlite.Content(ctx, copied.DB, m.Culprits); len(rows) > 0 {
				return nil, withContent{named, rows}
			}
		}
		return nil, named
	}
	if r.Keep == "" {
		return report, nil
	}
	switch err := copied.CopyTo(ctx, r.Keep, r.Timeout); {
	case errors.Is(err, fs.ErrExist):
		return nil, gen.Refuse("exists", "%s: exists; nothing was kept", r.Keep)
	case err != nil:
		return nil, gen.FileError(r.Keep, err)
	}
	report.Kept = r.Keep
	return report, nil
}

// withContent is an error and the content of the rows that it is about.
type withContent struct {
	error
	rows []string
}

func (e withContent) Unwrap() error { return e.error }
func (e withContent) Error() string {
	return strings.Join(append([]string{e.error.Error()}, e.rows...), "\n\t")
}

// upgrade upgrades the copy.
func (r *Report) upgrade(ctx context.Context, db *sql.DB, request Request) error {
	before, err := lockstep.Inspect(ctx, db, request.Schema, request.Options...)
	if err != nil {
		return err
	}
	r.From = before.Version // others may have upgraded the database until it was copied
	rowsBefore, err := sqlite.Rows(ctx, db, before.Objects, 0)
	if err != nil {
		return err
	}
	request.Begin()
	begun := time.Now()
	err = lockstep.Migrate(ctx, db, request.Schema, append(slices.Clip(request.Options), lockstep.WithProgress(func(p lockstep.Progress) {
		request.Progress(p)
		r.note(p)
	}))...)
	if err != nil {
		return err
	}
	r.Took, r.To = Milliseconds(time.Since(begun)), request.Schema.Expected
	after, err := sqlite.Objects(ctx, db)
	if err != nil {
		return err
	}
	rowsAfter, err := sqlite.Rows(ctx, db, after, 0)
	r.Schema = compareSchemas(before.Objects, after)
	r.Rows = compareRows(rowsBefore, rowsAfter)
	return err
}

// copyError gives an error with the copy the name of the database. An interrupt, or no
// room for the copy, says nothing of the migrations.
func copyError(ctx context.Context, db *database.DB, err error) error {
	named := db.Named(err)
	if ctx.Err() != nil {
		return errors.New(named.Error())
	}
	fact, _ := engine.MachineFault(err)
	if e := (*fs.PathError)(nil); errors.As(err, &e) { // its path is that of the copy
		fact = strings.TrimPrefix(fact+": "+e.Err.Error(), ": ")
	}
	if fact == "" {
		return named
	}
	if m := (*lockstep.MigrationError)(nil); errors.As(err, &m) && m.Line > 0 {
		fact = fmt.Sprintf("%s:%d: %s", m.File, m.Line, fact)
	}
	return fmt.Errorf("copy of %s in %s: %s", db.Path, os.TempDir(), fact)
}

// note notes how long what has just ended took.
func (r *Report) note(p lockstep.Progress) {
	last := len(r.Migrations) - 1
	switch {
	case p.Version == 0: // no migration's
	case p.Statement == 0 && !p.Done:
		// A script that was overtaken runs again.
		r.Migrations = slices.DeleteFunc(r.Migrations, func(m Migration) bool { return m.Version >= p.Version })
		r.Migrations = append(r.Migrations, Migration{Version: p.Version, File: p.File})
	case last < 0 || !p.Done:
	case p.Statement == 0:
		r.Migrations[last].Took = Milliseconds(p.Took)
	case p.Line > 0: // not within a migration in Go
		r.Migrations[last].Statements = append(r.Migrations[last].Statements, Statement{p.Line, Milliseconds(p.Took)})
	}
}

// MarshalJSON rounds to microseconds.
func (ms Milliseconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, math.Round(time.Duration(ms).Seconds()*1e6)/1e3, 'f', -1, 64), nil
}

// String leaves of a duration what is worth reading.
func (ms Milliseconds) String() string {
	if d := time.Duration(ms); d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond).String()
	}
	return time.Duration(ms).Round(time.Millisecond).String()
}

// compareSchemas returns what people made and the upgrade changed.
func compareSchemas(before, after []sqltext.Object) []Object {
	objects := []Object{}
	changed, added := sqltext.Diff(sqlite.Made(before), after)
	for _, d := range changed {
		objects = append(objects, Object{d.Type, d.Name, d.Want, d.Found})
	}
	for _, o := range added {
		objects = append(objects, Object{o.Type, o.Name, "", o.SQL})
	}
	order := []string{"table", "index", "trigger", "view"}
	slices.SortStableFunc(objects, func(a, b Object) int {
		return cmp.Or(slices.Index(order, a.Type)-slices.Index(order, b.Type), cmp.Compare(sqltext.Fold(a.Name), sqltext.Fold(b.Name)))
	})
	return objects
}

// compareRows returns all tables by name.
func compareRows(before, after []sqlite.Count) []Table {
	tables := []Table{}
	for _, c := range before {
		tables = append(tables, Table{c.Table, &c.Rows, nil})
	}
	for _, c := range after {
		if i := slices.IndexFunc(tables, func(t Table) bool { return sqltext.Equal(t.Table, c.Table) }); i >= 0 {
			tables[i].After = &c.Rows
		} else {
			tables = append(tables, Table{c.Table, nil, &c.Rows})
		}
	}
	slices.SortFunc(tables, func(a, b Table) int { return strings.Compare(sqltext.Fold(a.Table), sqltext.Fold(b.Table)) })
	return tables
}
