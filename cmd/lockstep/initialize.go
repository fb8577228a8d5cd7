package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// initialFile is the migration that an existing schema becomes.
const initialFile = "0001-initialize.sql"

// hasNone reports whether the directory is missing or has no file that is, or was
// meant to be, a migration.
func hasNone(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, fileError(dir, err)
	}
	for _, entry := range entries {
		if _, err := lockstep.ParseFileName(entry.Name()); !errors.Is(err, lockstep.ErrNotMigration) {
			return false, nil
		}
	}
	return true, nil
}

// initialize writes the first migration from the schema of the database, and marks
// the database as having been through it. Before that, SQLite makes another
// database with the migration, and the two schemas are compared.
func (e *enrollment) initialize(ctx context.Context, s *streams, db *database, at lockstep.Version) (result, error) {
	if at > 1 {
		return nil, refuse("missing", "%s: no migrations; without any, %s becomes version 0001", e.dir, e.path)
	}
	state, err := db.inspect(ctx, noMigrations(), lockstep.WithTimeout(e.timeout))
	if err != nil {
		return nil, err
	}
	if state.Managed {
		return nil, refuse("exists", "%s: at version %v already; nothing was written", e.path, state.Version)
	}
	out := &enrollResult{DB: e.path, Version: 1, Changed: []jsonDifference{}}
	if err := e.readRecord(ctx, db, out); err != nil {
		return nil, err
	}
	if out.LeftAlone, err = db.bookkeeping(ctx); err != nil {
		return nil, db.named(err)
	}
	objects := slices.DeleteFunc(sqlite.Made(state.Objects), func(o sqltext.Object) bool {
		return sqlite.IsLitestream(o.Table) || slices.ContainsFunc(out.LeftAlone, func(l leftAlone) bool { return sqltext.Equal(l.Table, o.Table) })
	})
	if len(objects) == 0 {
		return nil, refuse("missing", "%s: no tables; a new database needs no enrolling", e.path)
	}
	text, places := initialText(objects)
	schema, err := e.prove(ctx, s, out, objects, text, places)
	if err != nil {
		return nil, err
	}
	if out.Rows, err = db.fewRows(ctx, objects); err != nil {
		return nil, db.named(err)
	}
	if out.Settings, err = db.settings(ctx); err != nil {
		return nil, db.named(err)
	}

	out.File = filepath.Join(e.dir, initialFile)
	var made []string // folders, the innermost first
	for dir := e.dir; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		made = append(made, dir)
	}
	remove := func() {
		for _, path := range append([]string{out.File}, made...) {
			os.Remove(path)
		}
	}
	if err := os.MkdirAll(e.dir, 0o777); err != nil {
		remove()
		return nil, fileError(e.dir, err)
	}
	if err := writeNew(out.File, text); err != nil {
		if r := (*refusal)(nil); !errors.As(err, &r) { // the file is ours, and incomplete
			remove()
		}
		return nil, err
	}
	schema.Files = os.DirFS(e.dir)
	if err := lockstep.Enroll(ctx, db.DB, schema, lockstep.WithTimeout(e.timeout)); err != nil {
		remove()
		return nil, db.named(err)
	}
	out.Enrolled = true
	out.summary = summary(objects)
	_, out.isPackage = directive(e.dir)
	return out, nil
}

// A place is the line of the initial migration at which an object begins.
type place struct {
	line   int
	object sqltext.Object
}

// initialText returns the text of the migration that makes the objects: tables,
// each with its indexes and behind those that it references, then virtual tables,
// then views, each behind those that it selects from, then triggers. SQLite would
// take most of them in any order; a reader would not.
func initialText(objects []sqltext.Object) (text string, places []place) {
	kind := func(is func(o sqltext.Object) bool) (of []sqltext.Object) {
		for _, o := range objects {
			if is(o) {
				of = append(of, o)
			}
		}
		return of
	}
	tables := kind(func(o sqltext.Object) bool { return o.Type == "table" && !sqlite.IsVirtual(o) })
	virtual := kind(sqlite.IsVirtual)
	views := kind(func(o sqltext.Object) bool { return o.Type == "view" })
	triggers := kind(func(o sqltext.Object) bool { return o.Type == "trigger" })

	var b strings.Builder
	b.WriteString("-- The schema that the database had when it was enrolled.\n")
	write := func(o sqltext.Object) {
		places = append(places, place{1 + strings.Count(b.String(), "\n"), o})
		b.WriteString(sqltext.FormatSchema([]sqltext.Object{o}))
	}
	for _, o := range afterNames(tables, referenced) {
		b.WriteByte('\n')
		write(o)
		for _, i := range kind(func(i sqltext.Object) bool { return i.Type == "index" && sqltext.Equal(i.Table, o.Name) }) {
			write(i)
		}
	}
	for _, o := range slices.Concat(virtual, afterNames(views, mentioned), triggers) {
		b.WriteByte('\n')
		write(o)
	}
	return b.String(), places
}

// afterNames returns the objects in their order, but each behind those that names
// finds in its SQL. Where they name each other in a circle, the order stays.
func afterNames(objects []sqltext.Object, names func(sql string) map[string]bool) (sorted []sqltext.Object) {
	seen := make([]bool, len(objects))
	var visit func(i int)
	visit = func(i int) {
		if seen[i] {
			return
		}
		seen[i] = true
		named := names(objects[i].SQL)
		for j, o := range objects {
			if named[strings.ToLower(o.Name)] {
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

// referenced returns the names, in lower case, that stand behind REFERENCES.
func referenced(sql string) map[string]bool {
	names, before := map[string]bool{}, ""
	for _, word := range wordsOf(sql) {
		if sqltext.Equal(before, "references") {
			names[sqltext.Name(word)] = true
		}
		before = word
	}
	return names
}

// mentioned returns all words of the SQL that can be names, in lower case.
func mentioned(sql string) map[string]bool {
	names := map[string]bool{}
	for _, word := range wordsOf(sql) {
		names[sqltext.Name(word)] = true
	}
	return names
}

// wordsOf returns the words and the quoted names of SQL.
func wordsOf(sql string) (words []string) {
	for pos := 0; pos < len(sql); {
		t := sqltext.Next(sql, pos)
		switch pos = t.End; t.Kind {
		case sqltext.Word, sqltext.Quoted, sqltext.String: // SQLite takes a string where only a name can stand
			words = append(words, sql[t.Pos:t.End])
		}
	}
	return words
}

// prove replays the migration and returns its schema, if that is the database's.
func (e *enrollment) prove(ctx context.Context, s *streams, out *enrollResult, objects []sqltext.Object, text string, places []place) (*lockstep.Schema, error) {
	dir, err := os.MkdirTemp("", "lockstep-enroll-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, initialFile), []byte(text), 0o600); err != nil {
		return nil, err
	}
	res, err := gen.Load(ctx, dir, gen.Options{DQS: true})
	if problems := (gen.Problems)(nil); errors.As(err, &problems) {
		return nil, e.blame(problems, places)
	}
	if err != nil {
		return nil, err
	}
	made, err := sqltext.ParseSchema(res.Schema.SQL)
	if err != nil {
		return nil, err
	}
	changed, extra := sqltext.Diff(objects, made)
	if n := len(changed) + len(extra); n > 0 {
		detail := ""
		for _, d := range changed {
			detail += "; " + d.Detail
		}
		for _, o := range extra {
			detail += fmt.Sprintf("; %s %s: not in the database", o.Type, o.Name)
		}
		return nil, refuse("differs", "%s: its schema, executed on a new database, gives another%s; not enrolled", e.path, detail)
	}
	s.warnings = append(s.warnings, problemsIn(e.dir, res.Warnings)...)
	if len(res.Warnings) > 0 {
		_, err := gen.Load(ctx, dir, gen.Options{})
		out.quotes = err != nil
	}
	return res.Schema, nil
}

// blame names the objects of the database where problems name lines of a file that
// is not written.
func (e *enrollment) blame(problems gen.Problems, places []place) gen.Problems {
	blamed := make(gen.Problems, len(problems))
	for i, p := range problems {
		fact := p.Fact
		for _, place := range slices.Backward(places) {
			if p.Line >= place.line {
				fact = fmt.Sprintf("%s %s: %s", place.object.Type, place.object.Name, fact)
				break
			}
		}
		blamed[i] = gen.Problem{File: e.path, Fact: fact + "; not enrolled"}
	}
	return blamed
}

// A rowCount is a table that may have rows which a new database should have, too.
type rowCount struct {
	Table string `json:"table"`
	Rows  int    `json:"rows"`
}

// fewRows returns the tables that have rows, but not many: lists of countries,
// settings, a first user.
func (db *database) fewRows(ctx context.Context, objects []sqltext.Object) ([]rowCount, error) {
	const few = 1000
	counts, err := sqlite.Rows(ctx, sqlite.On(db), slices.DeleteFunc(slices.Clone(objects), sqlite.IsVirtual), few+1)
	if err != nil {
		return nil, err
	}
	tables := []rowCount{}
	for _, c := range counts {
		if 0 < c.Rows && c.Rows <= few {
			tables = append(tables, rowCount{c.Table, int(c.Rows)})
		}
	}
	return tables, nil
}

// A setting is what the file of a database says beside its schema.
type setting struct {
	Pragma string `json:"pragma"`
	Value  string `json:"value"`
}

// settings returns those that a new database would have otherwise.
func (db *database) settings(ctx context.Context) ([]setting, error) {
	settings := []setting{}
	for _, usual := range []setting{
		{"user_version", "0"}, {"application_id", "0"}, {"page_size", "4096"}, {"auto_vacuum", "0"}, {"encoding", "UTF-8"},
		{"journal_mode", "delete"},
	} {
		found := usual
		if err := db.QueryRowContext(ctx, "PRAGMA "+usual.Pragma).Scan(&found.Value); err != nil {
			return nil, err
		}
		if found != usual {
			settings = append(settings, found)
		}
	}
	return settings, nil
}

// summary counts the objects by type.
func summary(objects []sqltext.Object) string {
	var parts []string
	for _, typ := range []struct{ one, many string }{{"table", "tables"}, {"index", "indexes"}, {"view", "views"}, {"trigger", "triggers"}} {
		n := 0
		for _, o := range objects {
			if o.Type == typ.one {
				n++
			}
		}
		switch n {
		case 0:
		case 1:
			parts = append(parts, "1 "+typ.one)
		default:
			parts = append(parts, fmt.Sprintf("%d %s", n, typ.many))
		}
	}
	return strings.Join(parts, ", ")
}
