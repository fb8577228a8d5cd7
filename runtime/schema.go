package lockstep

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Schema is what a program expects of its database. It is generated: the variable
// Schema of a migrations package.
type Schema struct {
	Expected    Version
	Files       fs.FS       // holds the migrations
	Migrations  []Migration // oldest first
	Digest      string      // identifies all migrations, by number and checksum
	SQL         string      // the schema at Expected, in SQLite's own wording
	Fingerprint string      // of SQL

	later []Migration // that Files has after Expected: see At
}

// A Migration is one numbered file. It takes a database from the version before it to its
// own.
type Migration struct {
	Version  Version
	File     string   // "0011-one-more-thing.sql"
	Checksum string   // of the file's substance: "t1:…"
	Program  Program  // what runs if the file is not SQL, else nil
	Accepted []string // checksums of earlier contents that databases have been through
}

// At returns what the program expected when v was its newest migration: s without the
// later ones. [Migrate] stops there, which is for tests and tools. v is 0 or the number of
// a migration.
//
// The schema at an earlier version is not recorded, so the result has no SQL and no
// Fingerprint: [Migrate] and [Check] do not compare the tables of a database with it, and
// [State.Extra] has all of them.
func (s *Schema) At(v Version) (*Schema, error) {
	if v == s.Expected {
		return s, nil
	}
	if s.migration(v) == nil && v != 0 {
		return nil, fmt.Errorf("no migration %v; the last is %v", v, s.Expected)
	}
	return &Schema{Expected: v, Files: s.Files, Migrations: slices.Clip(s.upTo(v)), Digest: s.digestAt(v),
		later: slices.Concat(s.after(v), s.later)}, nil
}

// Stale returns an [ErrStale] if the names or the contents of the embedded migrations are
// not those that the generated code knows, and nil if they are. [Migrate] also compares
// all names, but contents only of the migrations that it is about to run.
func (s *Schema) Stale() error {
	if err := s.stale(); err != nil {
		return err
	}
	if _, err := s.prepare(0); err != nil {
		return err
	}
	var last Version
	if n := len(s.Migrations); n > 0 {
		last = s.Migrations[n-1].Version
	}
	if s.Expected != last || s.Digest != s.digestAt(last) {
		return stale("lockstep_gen.go", "ExpectedVersion or Digest does not match its migrations; generate before building")
	}
	objects, err := sqltext.ParseSchema(s.SQL)
	if err != nil {
		return stale("lockstep_gen.go", "SchemaSQL: "+err.Error())
	}
	if s.Fingerprint != sqltext.Fingerprint(objects) {
		return stale("lockstep_gen.go", "Fingerprint does not match SchemaSQL; generate before building")
	}
	return nil
}

// stale compares the names of the embedded migrations with those that the generated code
// knows. Contents are compared when they are about to run.
func (s *Schema) stale() error {
	known := append(slices.Clip(s.Migrations), s.later...)
	more, missing, err := diskfile.Compare(s.Files, len(known), func(i int) string { return known[i].File })
	if err != nil {
		return stale("embedded migrations", err.Error())
	}
	for _, name := range more {
		if likeMigration(name) {
			return stale(name, "embedded, but not in lockstep_gen.go; generate before building")
		}
	}
	if missing != "" {
		return stale(missing, "in lockstep_gen.go, but not embedded; generate before building")
	}
	return nil
}

// likeMigration reports whether a file has, or almost has, the name of a migration.
func likeMigration(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".sql", ".go", ".py", ".sh":
		return '0' <= name[0] && name[0] <= '9'
	}
	return false
}

// pending is a migration that is about to run: its contents are what was generated.
type pending struct {
	Migration
	text          []byte
	statements    []sqltext.Statement // none if it is a program
	noTransaction bool
}

// prepare reads the migrations after version v, compares them with what was generated, and
// cuts them into statements.
func (s *Schema) prepare(v Version) (migrations []*pending, err error) {
	const edited = "changed since lockstep_gen.go was generated; generate before building"
	for _, m := range s.after(v) {
		p := &pending{Migration: m}
		if p.text, err = fs.ReadFile(s.Files, m.File); err != nil {
			return nil, stale(m.File, err.Error())
		}
		if m.Program != nil {
			if m.Program.Checksum(p.text) != m.Checksum {
				return nil, stale(m.File, edited)
			}
		} else {
			parsed := sqltext.Parse(sqltext.Normalize(p.text))
			if parsed.Checksum() != m.Checksum {
				return nil, stale(m.File, edited)
			}
			p.noTransaction = parsed.NoTransaction()
			p.statements = parsed.Cut()
		}
		migrations = append(migrations, p)
	}
	return migrations, nil
}

// migration returns the migration of that version, or nil.
func (s *Schema) migration(v Version) *Migration {
	if m := s.upTo(v); len(m) > 0 && m[len(m)-1].Version == v {
		return &m[len(m)-1]
	}
	return nil
}

// after returns the migrations that a database at version v has not been through, and
// upTo the others.
func (s *Schema) after(v Version) []Migration { return s.Migrations[len(s.upTo(v)):] }

func (s *Schema) upTo(v Version) []Migration {
	return s.Migrations[:sort.Search(len(s.Migrations), func(i int) bool { return s.Migrations[i].Version > v })]
}

// digestAt returns the digest of the migrations up to v.
func (s *Schema) digestAt(v Version) string {
	var d sqltext.Digest
	for _, m := range s.upTo(v) {
		d.Add(int(m.Version), m.Checksum)
	}
	return d.String()
}

// diff compares objects with the schema at the expected version.
func (s *Schema) diff(objects []sqltext.Object) (changed []sqltext.Difference, extra []sqltext.Object, err *Error) {
	if sqltext.Spells(s.SQL, objects) {
		return nil, nil, nil
	}
	want, unparsable := sqltext.ParseSchema(s.SQL)
	if unparsable != nil {
		return nil, nil, stale("lockstep_gen.go", "SchemaSQL: "+unparsable.Error())
	}
	changed, extra = sqltext.Diff(want, objects)
	return changed, extra, nil
}

//go:noinline
func stale(file, detail string) *Error {
	return &Error{Kind: ErrStale, Detail: file + ": " + detail}
}
