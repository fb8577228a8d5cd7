// Package enroll is not for programs and promises nothing: it may change or go in any
// release. It does what "lockstep enroll" does: it finds the version of a database that
// existed before lockstep, writes the first migration where there are none, and marks the
// database as being at that version.
package enroll

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// A Request says which database to enroll, and at which version.
type Request struct {
	Path    string           // of the database
	Dir     string           // of the migrations
	At      lockstep.Version // or 0: the one that From recorded, or the newest
	From    *othertool.Tool  // whose record says the version, or nil
	Timeout time.Duration    // of the wait for locks

	// Load returns the schema at a version of the migrations in Dir, or at the newest
	// for 0. It is not called if there are none.
	Load func(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error)
}

// A Result is what became of a database, and of the first migration if that was written.
type Result struct {
	Version   lockstep.Version     `json:"version"`
	Enrolled  bool                 `json:"enrolled"`
	Changed   []sqltext.Difference `json:"changed"`   // why it was not
	File      string               `json:"file"`      // the first migration, or ""
	Rows      []sqlite.Count       `json:"rows"`      // of tables that have few
	Settings  []Setting            `json:"settings"`  // that a new database will not have
	LeftAlone []*othertool.Tool    `json:"leftAlone"` // whose tables are in the database
	From      *Record              `json:"from"`      // what Request.From recorded, or nil

	Objects  []sqltext.Object `json:"-"` // that the first migration makes
	Warnings gen.Problems     `json:"-"` // about it
	Quotes   bool             `json:"-"` // it has strings in double quotes
}

// Run enrolls a database. It also returns a result if the schema is not that of the
// version. With an error, nothing has been written.
func Run(ctx context.Context, r Request) (*Result, error) {
	e := &enrollment{Request: r, out: Result{
		Changed: []sqltext.Difference{}, Rows: []sqlite.Count{}, Settings: []Setting{}, LeftAlone: []*othertool.Tool{},
	}}
	db, err := database.Open(r.Path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	e.db = db
	none, err := e.noMigrations()
	if err == nil && !none {
		e.newest, err = r.Load(ctx, 0)
	}
	if err != nil {
		return nil, err
	}
	schema := &lockstep.Schema{}
	if e.newest != nil {
		if schema, err = e.schema(ctx, cmp.Or(r.At, e.newest.Expected)); err != nil {
			return nil, err
		}
	}
	state, err := db.Inspect(ctx, schema, lockstep.WithTimeout(r.Timeout))
	if err != nil {
		return nil, err
	}
	if state.Managed && r.From != nil && r.From.Table == "_meta" && (state.Refusal == nil || errors.Is(state.Refusal, lockstep.ErrBehind)) {
		e.out.Version, e.out.Enrolled = state.Version, true // the table is lockstep's, too
		return &e.out, nil
	}
	if state.Managed {
		return nil, gen.Refuse("exists", "%s: already at version %v; nothing was written", r.Path, state.Version)
	}
	if e.origins, err = scaffold.Origins(r.Dir); err != nil {
		return nil, err
	}
	if err := e.findTools(ctx); err != nil {
		return nil, err
	}
	if err := e.refuseToGuess(); err != nil {
		return nil, err
	}
	if err := e.readRecord(ctx); err != nil {
		return nil, err
	}
	if none {
		return e.initialize(ctx, state.Objects)
	}
	return e.enroll(ctx, schema, state.Objects)
}

// An enrollment is one call of Run.
type enrollment struct {
	Request
	db      *database.DB
	newest  *lockstep.Schema   // nil if there are no migrations
	origins []othertool.Origin // of the migrations, if they come from another tool
	tools   []*othertool.Tool  // whose tables are in the database
	out     Result
}

// noMigrations reports whether the directory is missing or has no file that is, or was
// meant to be, a migration.
func (e *enrollment) noMigrations() (bool, error) {
	entries, err := os.ReadDir(e.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, gen.FileError(e.Dir, err)
	}
	return !slices.ContainsFunc(entries, func(entry fs.DirEntry) bool {
		_, err := filename.Parse(entry.Name())
		return !errors.Is(err, filename.ErrNotMigration)
	}), nil
}

// enroll marks the database as being at the version of schema, or at the one that
// another tool recorded.
func (e *enrollment) enroll(ctx context.Context, schema *lockstep.Schema, objects []sqltext.Object) (_ *Result, err error) {
	if e.out.From != nil && e.At == 0 {
		if schema, err = e.choose(ctx, objects); err != nil {
			return nil, err
		}
	}
	e.out.Version = schema.Expected
	changed, err := e.compare(schema, objects)
	if err != nil {
		return nil, err
	}
	// Of a table that is named like lockstep's own, the runtime has more to say.
	ownName := func(o sqltext.Object) bool { return sqltext.Equal(o.Name, "_meta") }
	if len(changed) > 0 && !slices.ContainsFunc(objects, ownName) {
		e.out.Changed = changed
		text := fmt.Sprintf("%s: differs from what the migrations produce at version %v in %s; not enrolled",
			e.Path, schema.Expected, wording.Count(len(changed), "object"))
		var others []lockstep.Version
		for _, m := range slices.Backward(e.newest.Migrations) {
			if e.At == 0 {
				others = append(others, m.Version)
			}
		}
		fit, err := e.fitting(ctx, others, 1, objects)
		if err != nil {
			return nil, err
		}
		for _, s := range fit {
			text += fmt.Sprintf("; its schema is that of version %v\n\tlockstep enroll --db %s --at %d", s.Expected, wording.CommandLine(e.Path), s.Expected)
		}
		return &e.out, gen.Refuse("differs", "%s", text)
	}
	return e.mark(ctx, schema)
}

// mark has the runtime mark the database.
func (e *enrollment) mark(ctx context.Context, schema *lockstep.Schema) (*Result, error) {
	if err := lockstep.Enroll(ctx, e.db.DB, schema, lockstep.WithTimeout(e.Timeout)); err != nil {
		return nil, e.db.Named(err)
	}
	e.out.Enrolled, e.out.LeftAlone = true, e.tools
	return &e.out, nil
}

// schema returns the schema at a version.
func (e *enrollment) schema(ctx context.Context, v lockstep.Version) (*lockstep.Schema, error) {
	if v == e.newest.Expected {
		return e.newest, nil
	}
	return e.Load(ctx, v)
}

// compare returns what keeps a database with these objects from being at the version of
// schema: objects that are not what the migrations up to there produce, and objects that
// a later migration makes, and would fail to.
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

// fitting returns the schemas of the first n of the versions at which nothing differs.
func (e *enrollment) fitting(ctx context.Context, versions []lockstep.Version, n int, found []sqltext.Object) (fit []*lockstep.Schema, err error) {
	for _, v := range versions {
		schema, err := e.schema(ctx, v)
		if err != nil {
			return nil, err
		}
		changed, err := e.compare(schema, found)
		if err != nil {
			return nil, err
		}
		if len(changed) == 0 {
			fit = append(fit, schema)
		}
		if len(fit) == n {
			break
		}
	}
	return fit, nil
}
