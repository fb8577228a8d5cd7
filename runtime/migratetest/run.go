package migratetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// reach is how many versions ahead a database is upgraded at once. Where there are more
// to go, the database that has been made version by version goes on from there, and
// has to be the same by then: or a thousand migrations would run half a million times.
const reach = 64

// Run tests the migrations of a program: that the generated code knows them, and that a
// new database and, in a subtest each, a database of every earlier version comes to
// exactly the schema that was generated, with no row that has lost its parent and a clean
// integrity_check.
//
// The databases have the rows that migrations insert, and no others. Whether a user's
// rows survive is for tests with [At].
func Run(t *testing.T, s *lockstep.Schema, opts ...Option) {
	t.Helper()
	open, err := opener(opts)
	if err != nil {
		t.Fatal(err)
	}
	r := &run{ctx: t.Context(), schema: s, open: open, dir: t.TempDir()}
	want, err := sqltext.ParseSchema(s.SQL)
	if err != nil {
		t.Fatal(err)
	}
	// What is wrong with these two is wrong with all that come after them.
	ok := t.Run("GeneratedCodeIsCurrent", func(t *testing.T) {
		if err := s.Stale(); err != nil {
			t.Fatal(err)
		}
	}) && t.Run("NewDatabase", func(t *testing.T) {
		if err := r.reaches(filepath.Join(r.dir, "new.db"), s, want); err != nil {
			t.Error(err)
		}
	})
	if !ok {
		return
	}

	versions := []lockstep.Version{0}
	for _, m := range s.Migrations {
		versions = append(versions, m.Version)
	}
	versions = versions[:len(versions)-1]
	from := func(v lockstep.Version, target *lockstep.Schema, want []sqltext.Object) {
		t.Helper()
		t.Run("From"+v.String(), func(t *testing.T) {
			if err := r.reaches(r.at(v), target, want); err != nil {
				t.Error(err)
			}
		})
		os.Remove(r.at(v))
	}
	for i, v := range versions {
		target, objects, err := r.step(v)
		if err != nil {
			t.Fatal(err)
		}
		if i >= reach {
			from(versions[i-reach], target, objects)
		}
	}
	for _, v := range versions[max(0, len(versions)-reach):] {
		from(v, s, want)
	}
}

// run is one call of Run.
type run struct {
	ctx    context.Context
	schema *lockstep.Schema
	open   func(path string) (*sql.DB, error)
	dir    string
}

// at returns the path of the database that is at version v.
func (r *run) at(v lockstep.Version) string { return filepath.Join(r.dir, "from-"+v.String()+".db") }

// step takes the database that grows version by version to version v, and leaves a copy
// of it. It returns the program that was released with v, and the objects of the schema.
func (r *run) step(v lockstep.Version) (*lockstep.Schema, []sqltext.Object, error) {
	target, err := r.schema.At(v)
	if err != nil {
		return nil, nil, err
	}
	path := filepath.Join(r.dir, "data.db")
	objects, err := r.upgrade(path, target)
	if err == nil {
		err = copyFile(path, r.at(v))
	}
	return target, objects, err
}

// reaches upgrades the database at path, and returns an error unless it then has exactly
// the objects that are wanted.
func (r *run) reaches(path string, target *lockstep.Schema, want []sqltext.Object) error {
	found, err := r.upgrade(path, target)
	if err != nil {
		return err
	}
	changed, extra := sqltext.Diff(want, found)
	var details []string
	for _, d := range changed {
		details = append(details, d.Detail)
	}
	for _, o := range extra {
		details = append(details, o.Type+" "+o.Name+": not expected")
	}
	if len(details) > 0 {
		return fmt.Errorf("%s: at version %v with other tables: %s", filepath.Base(path), target.Expected, strings.Join(details, "; "))
	}
	return nil
}

// upgrade upgrades the database at path, looks it over, and returns its objects.
func (r *run) upgrade(path string, target *lockstep.Schema) ([]sqltext.Object, error) {
	db, err := r.open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := migrate(r.ctx, db, target); err != nil {
		return nil, err
	}
	state, err := lockstep.Inspect(r.ctx, db, target)
	if err != nil {
		return nil, err
	}
	if state.Refusal != nil {
		return nil, named(state.Refusal)
	}
	err = intact(r.ctx, db)
	if err == nil {
		err = orphans(r.ctx, db, state.Objects)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: at version %v: %w", filepath.Base(path), target.Expected, err)
	}
	return state.Objects, db.Close()
}

// copyFile copies a database that nobody has open.
func copyFile(from, to string) error {
	// A write-ahead log stays if the driver was told so.
	for _, suffix := range []string{"", "-wal"} {
		in, err := os.Open(from + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err != nil {
			return err
		}
		defer in.Close()
		out, err := os.OpenFile(to+suffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, in)
		if err := errors.Join(err, out.Close()); err != nil {
			return err
		}
	}
	return nil
}
