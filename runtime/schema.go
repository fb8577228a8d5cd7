package lockstep

import (
	"fmt"
	"io/fs"
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// At returns what a program expected that was released when v was the newest
// migration: s without the later ones. [Migrate] stops there, which is for tests and
// tools. v is 0 or the number of a migration.
//
// The schema at an earlier version is not recorded, so it has no SQL and no
// Fingerprint: [Migrate] and [Check] do not compare the tables of a database with it,
// and everything in [State.Extra] is extra.
func (s *Schema) At(v Version) (*Schema, error) {
	if v == s.Expected {
		return s, nil
	}
	if _, ok := s.migration(v); !ok && v != 0 {
		return nil, fmt.Errorf("no migration %v; the last is %v", v, s.Expected)
	}
	later := s.after(v)
	at := &Schema{Expected: v, Migrations: slices.Clip(s.Migrations[:len(s.Migrations)-len(later)])}
	at.Digest = digest(at.Migrations)
	if s.Files != nil {
		at.Files = without{s.Files, later}
	}
	return at, nil
}

// Stale returns an [ErrStale] if the names or the texts of the embedded migrations are
// not those that the generated code knows, and nil if they are. [Migrate] compares all
// names, too, but only the texts that it is about to run.
func (s *Schema) Stale() error {
	if err := s.stale(); err != nil {
		return err
	}
	u := &upgrade{gate: &gate{schema: s}}
	for _, m := range s.Migrations {
		if _, err := u.prepare(m); err != nil {
			return err
		}
	}
	var last Version
	if n := len(s.Migrations); n > 0 {
		last = s.Migrations[n-1].Version
	}
	if s.Expected != last || s.Digest != digest(s.Migrations) {
		return stale("lockstep_gen.go", "ExpectedVersion or Digest is not that of its migrations; generate before building")
	}
	objects, err := sqltext.ParseSchema(s.SQL)
	if err != nil {
		return stale("lockstep_gen.go", "SchemaSQL: "+err.Error())
	}
	if s.Fingerprint != sqltext.Fingerprint(objects) {
		return stale("lockstep_gen.go", "Fingerprint is not that of SchemaSQL; generate before building")
	}
	return nil
}

// without is files without those of some migrations.
type without struct {
	fs.FS
	migrations []Migration
}

func (w without) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(w.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		return slices.ContainsFunc(w.migrations, func(m Migration) bool { return m.File == e.Name() })
	}), err
}
