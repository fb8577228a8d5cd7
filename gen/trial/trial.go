// Package trial is not for programs and promises nothing: it may change or go in any
// release. It finds out for "lockstep try" what migrations do to a database, on a copy
// that can be thrown away.
package trial

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Report is what an upgrade did to a database.
type Report struct {
	From       lockstep.Version `json:"from"`
	To         lockstep.Version `json:"to"`
	Took       Milliseconds     `json:"ms"`
	Migrations []Migration      `json:"migrations"`
	Schema     []Object         `json:"schema"` // what changed in it
	Rows       []Table          `json:"rows"`   // of all tables
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

// Run upgrades the database and reports what changed. It calls progress as
// [lockstep.WithProgress] does. The error is that of [lockstep.Migrate], or of Check if
// that is not [lockstep.ErrBehind].
func Run(ctx context.Context, db *sql.DB, s *lockstep.Schema, progress func(lockstep.Progress), opts ...lockstep.Option) (*Report, error) {
	query := sqlite.On(db)
	before, err := lockstep.Inspect(ctx, db, s, opts...)
	if err == nil && !errors.Is(before.Refusal, lockstep.ErrBehind) {
		err = before.Refusal
	}
	if err != nil {
		return nil, err
	}
	rowsBefore, err := sqlite.Rows(ctx, query, before.Objects, 0)
	if err != nil {
		return nil, err
	}
	r := &Report{From: before.Version, To: s.Expected, Migrations: []Migration{}}
	begun := time.Now()
	err = lockstep.Migrate(ctx, db, s, append(slices.Clip(opts), lockstep.WithProgress(func(p lockstep.Progress) {
		progress(p)
		r.note(p)
	}))...)
	r.Took = Milliseconds(time.Since(begun))
	if err != nil {
		return nil, err
	}
	objects, err := sqlite.Objects(ctx, query)
	if err != nil {
		return nil, err
	}
	rowsAfter, err := sqlite.Rows(ctx, query, objects, 0)
	r.Schema = compareSchemas(before.Objects, objects)
	r.Rows = compareRows(rowsBefore, rowsAfter)
	return r, err
}

// note notes how long what has just ended took.
func (r *Report) note(p lockstep.Progress) {
	last := len(r.Migrations) - 1
	switch {
	case p.Statement == 0 && !p.Done:
		// An upgrade that has to count orphans first starts over.
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
	tables := map[string]Table{}
	for _, c := range before {
		tables[sqltext.Fold(c.Table)] = Table{c.Table, &c.Rows, nil}
	}
	for _, c := range after {
		t := tables[sqltext.Fold(c.Table)]
		tables[sqltext.Fold(c.Table)] = Table{cmp.Or(t.Table, c.Table), t.Before, &c.Rows}
	}
	sorted := []Table{}
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		sorted = append(sorted, tables[name])
	}
	return sorted
}
