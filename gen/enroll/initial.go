package enroll

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/othertool"
	"github.com/lockstep-db/lockstep/gen/scaffold"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// initialFile is the migration that an existing schema becomes.
const initialFile = "0001-initialize.sql"

// initialize writes the first migration from the schema of the database, makes another
// database with it and compares the two, and marks the database as being at version 1.
func (e *enrollment) initialize(ctx context.Context, objects []sqltext.Object) (_ *Result, err error) {
	if e.At > 1 {
		return nil, gen.Refuse("missing", "%s: no migrations; without any, %s becomes version 0001", e.Dir, e.Path)
	}
	e.out.Version = 1
	objects = slices.DeleteFunc(sqlite.Made(objects), func(o sqltext.Object) bool {
		return sqlite.IsLitestream(o.Table) || slices.ContainsFunc(e.tools, func(t *othertool.Tool) bool { return sqltext.Equal(t.Table, o.Table) })
	})
	if len(objects) == 0 {
		return nil, gen.Refuse("missing", "%s: no tables; a new database need not be enrolled", e.Path)
	}
	e.out.Objects = readingOrder(objects)
	text, lines := write(e.out.Objects)
	if err := e.readSettings(ctx); err != nil {
		return nil, e.db.Named(err)
	}
	e.out.File = filepath.Join(e.Dir, initialFile)
	remove, err := scaffold.WriteNew(scaffold.File{Path: e.out.File, Text: text})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			remove()
		}
	}()
	schema, err := e.prove(ctx, lines)
	if err != nil {
		return nil, err
	}
	return e.mark(ctx, schema)
}

// readingOrder returns tables, each after those that it references and with its indexes,
// then virtual tables, then views, each after those that it selects from, then triggers.
// SQLite would take most of them in any order; a reader would not.
func readingOrder(objects []sqltext.Object) (ordered []sqltext.Object) {
	kind := func(is func(o sqltext.Object) bool) (of []sqltext.Object) {
		for _, o := range objects {
			if is(o) {
				of = append(of, o)
			}
		}
		return of
	}
	for _, table := range afterNamed(kind(func(o sqltext.Object) bool { return o.Type == "table" && !sqlite.IsVirtual(o) }), "references") {
		ordered = append(ordered, table)
		ordered = append(ordered, kind(func(o sqltext.Object) bool { return o.Type == "index" && sqltext.Equal(o.Table, table.Name) })...)
	}
	ordered = append(ordered, kind(sqlite.IsVirtual)...)
	ordered = append(ordered, afterNamed(kind(func(o sqltext.Object) bool { return o.Type == "view" }), "")...)
	return append(ordered, kind(func(o sqltext.Object) bool { return o.Type == "trigger" })...)
}

// afterNamed returns the objects in their order, but each after those that its SQL names:
// after the keyword, or anywhere if that is "". Where they name each other in a circle,
// the order stays.
func afterNamed(objects []sqltext.Object, keyword string) (sorted []sqltext.Object) {
	seen := make([]bool, len(objects))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		named := map[string]bool{}
		script := sqltext.Parse(objects[i].SQL)
		for t := 1; t < len(script.Tokens); t++ {
			if keyword == "" || sqltext.Equal(script.Token(t-1), keyword) {
				named[sqltext.Name(script.Token(t))] = true
			}
		}
		for j, o := range objects {
			if named[sqltext.Fold(o.Name)] {
				visit(j)
			}
		}
		sorted = append(sorted, objects[i])
	}
	for i := range objects {
		visit(i)
	}
	return sorted
}

// write returns the text of the migration that makes the objects, and the line at which
// each begins.
func write(objects []sqltext.Object) (text string, lines []int) {
	text = "-- The schema that the database had when it was enrolled.\n"
	for _, o := range objects {
		if o.Type != "index" {
			text += "\n"
		}
		lines = append(lines, 1+strings.Count(text, "\n"))
		text += sqltext.FormatSchema([]sqltext.Object{o})
	}
	return text, lines
}

// prove replays the migration and returns its schema, if that is the database's.
func (e *enrollment) prove(ctx context.Context, lines []int) (*lockstep.Schema, error) {
	res, err := gen.Load(ctx, e.Dir, gen.Options{DQS: true})
	if problems := (gen.Problems)(nil); errors.As(err, &problems) {
		// They name lines of a file that will be gone.
		for i, p := range problems {
			if n, _ := slices.BinarySearch(lines, p.Line+1); n > 0 {
				o := e.out.Objects[n-1]
				p.Fact = fmt.Sprintf("%s %s: %s", o.Type, wording.Printable(o.Name), p.Fact)
			}
			fact, _, _ := strings.Cut(p.Fact, "; if the program")
			problems[i] = gen.Problem{File: e.Path, Fact: fact + "; not enrolled"}
		}
		return nil, problems
	}
	if err != nil {
		return nil, err
	}
	made, err := sqltext.ParseSchema(res.Schema.SQL)
	if err != nil {
		return nil, err
	}
	changed, extra := sqltext.Diff(e.out.Objects, made)
	if len(changed)+len(extra) > 0 {
		detail := ""
		for _, d := range changed {
			detail += "; " + wording.Printable(d.Detail)
		}
		for _, o := range extra {
			detail += fmt.Sprintf("; %s %s: not in the database", o.Type, wording.Printable(o.Name))
		}
		return nil, gen.Refuse("differs", "%s: running its schema on a new database gives a different one%s; not enrolled", e.Path, detail)
	}
	for _, w := range res.Warnings {
		w.File = filepath.Join(e.Dir, w.File)
		e.out.Warnings = append(e.out.Warnings, w)
	}
	if len(res.Warnings) > 0 {
		_, err := gen.Load(ctx, e.Dir, gen.Options{})
		e.out.Quotes = err != nil
	}
	return res.Schema, nil
}

// A Setting is what the file of a database says beside its schema.
type Setting struct {
	Pragma string `json:"pragma"`
	Value  string `json:"value"`
}

// readSettings reads what is no part of the schema: settings that differ from those of a
// new database, and tables with few rows, such as a list of countries.
func (e *enrollment) readSettings(ctx context.Context) error {
	const few = 1000
	counts, err := sqlite.Rows(ctx, e.db, slices.DeleteFunc(slices.Clone(e.out.Objects), sqlite.IsVirtual), few+1)
	if err != nil {
		return err
	}
	for _, c := range counts {
		if 0 < c.Rows && c.Rows <= few {
			e.out.Rows = append(e.out.Rows, c)
		}
	}
	for _, usual := range []Setting{
		{"user_version", "0"}, {"application_id", "0"}, {"page_size", "4096"}, {"auto_vacuum", "0"}, {"encoding", "UTF-8"}, {"journal_mode", "delete"},
	} {
		found := usual
		if err := sqlite.Read(ctx, e.db, "PRAGMA "+usual.Pragma, &found.Value); err != nil {
			return err
		}
		if found != usual {
			e.out.Settings = append(e.out.Settings, found)
		}
	}
	return nil
}
