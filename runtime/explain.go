package lockstep

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// explain adds to the error of a migration why it may have failed here and not in the
// generator: the tables that it found are not those that the migrations before it make, or
// this SQLite lacks something. n statements came before the one that failed; a program has
// none.
func (u *upgrade) explain(ctx context.Context, s *segment, m *pending, n int, e *MigrationError) {
	all, err := u.schema.prepare(0)
	if err != nil || ctx.Err() != nil || sqlite.IsBusy(e.Err) {
		return
	}
	sentence := sqlite.Sentence(e.Err)
	text := sentence + " " + e.Output
	if m.Program == nil {
		text += " " + m.statements[n].SQL
		e.Culprits = culprits(ctx, s, m, n, sentence)
	}
	var earlier []*pending
	if m.noTransaction { // an earlier start may have run these
		earlier = []*pending{{statements: m.statements[:n]}}
	}
	if want := u.replay(ctx, s, all); want != nil {
		changes := sqltext.Changes(want, s.had, text, func(name string) bool { return defined(name, earlier) })
		if len(changes) > 0 {
			e.reason = "tables were changed since " + s.from.version.String() + ": " + wording.List(len(changes), "; ", func(i int) string { return changes[i] })
			return
		}
	}
	lacks, code := sqlite.Lacks(sentence) || lacksTable(sentence, all), sqlite.Code(e.Err)&0xff
	statement := code == 1 || code == 19 || code == 20 || code == 0 && m.Program == nil // mattn does not tell them
	if lacks || statement {
		e.reason = sqlite.Versions(ctx, s.on.Conn, lacks)
	}
}

// culprits finds the rows for which statement n of a migration failed.
func culprits(ctx context.Context, s *segment, m *pending, n int, sentence string) sqlite.Culprits {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second) // the database is locked
	defer cancel()
	c := sqlite.FindCulprits(ctx, s.on.Conn, &m.statements[n], sentence)
	c.Made = c.Rows != nil && !m.noTransaction && (sqltext.Makes(m.statements[:n], c.Table) ||
		slices.ContainsFunc(s.migrations[:len(s.rows)], func(m *pending) bool { return m.Program != nil || sqltext.Makes(m.statements, c.Table) }) ||
		!slices.ContainsFunc(s.had, func(o sqltext.Object) bool { return o.Type == "table" && sqltext.Equal(o.Name, c.Table) }))
	return c
}

// lacksTable reports whether SQLite says in a sentence that it lacks a table that comes with
// it, and that no migration makes: a function that returns one, say.
func lacksTable(sentence string, all []*pending) bool {
	_, name, ok := strings.Cut(sentence, "no such table: ")
	return ok && !defined(strings.TrimPrefix(name, "main."), all)
}

// tryMade returns an error if SQLite lacks something for an object that the migrations have
// made: later, a statement of the program would fail.
func (u *upgrade) tryMade(ctx context.Context, s *segment, objects []sqltext.Object) error {
	for _, o := range objects {
		if slices.Contains(s.had, o) {
			continue
		}
		about, err := sqlite.Try(ctx, s.on.Conn, o)
		if err == nil {
			continue
		}
		sentence := sqlite.Sentence(err)
		all, _ := u.schema.prepare(0)
		stray := func(t sqltext.Object) bool { // which may have been broken before
			return t.Type == "trigger" && sqltext.Equal(t.Table, o.Table) && !defined(t.Name, all)
		}
		if !sqlite.Lacks(sentence) && !lacksTable(sentence, all) || slices.ContainsFunc(s.had, stray) {
			continue
		}
		e := u.failed(ctx, sqlite.About(about, err))
		for _, m := range s.migrations {
			for _, stmt := range m.statements {
				if stmt.Defines(o.Name) {
					e.File, e.Line = m.File, stmt.Line
				}
			}
		}
		e.reason = sqlite.Versions(ctx, s.on.Conn, true)
		return e
	}
	return nil
}

// replay returns the schema that the migrations before a segment make in an empty database, or
// nil if that is not known, or the database has just this one. The recorded fingerprint proves
// it. Where there is none, a program or what SQL does behind SQLite's back is not known.
func (u *upgrade) replay(ctx context.Context, s *segment, all []*pending) []sqltext.Object {
	newest := s.from.newest()
	if !sqlite.IsFile(u.conn.file) || s.overruled || newest.fingerprint == sqltext.Fingerprint(s.had) {
		return nil // not a file: a server's, perhaps, whose driver has no database in memory
	}
	var statements []sqltext.Statement
	known := true
	for _, m := range all {
		if m.Version <= s.from.version {
			statements = append(statements, m.statements...)
			known = known && m.Program == nil
		}
	}
	for _, stmt := range statements {
		known = known && stmt.Keyword() != "rollback" && stmt.Pragma() != "writable_schema"
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second) // the database is locked
	defer cancel()
	want, err := sqlite.Replay(ctx, u.db.Driver(), statements)
	if newest.fingerprint != "" {
		known = newest.fingerprint == sqltext.Fingerprint(want)
	}
	if err != nil || !known {
		return nil
	}
	return want
}
