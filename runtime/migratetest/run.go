package migratetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// reach is how many versions a database is upgraded at once. If there are more to go, it
// has to be what the database that was upgraded version by version is by then, which goes
// on from there. Otherwise a thousand migrations would run half a million times.
const reach = 64

// Run tests the migrations of a program: that the generated code is that of the files,
// and that a new database and, in a subtest each, a database of every earlier version
// upgrade to exactly the schema that was generated, with no row without parent and a
// clean integrity_check.
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
	// If one of these two fails, all others would.
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

// step upgrades the database that goes version by version to version v, and copies it. It
// returns what the program expected that was released with v, and the objects.
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
		return fmt.Errorf("%s: at version %v, but its tables differ: %s", filepath.Base(path), target.Expected, strings.Join(details, "; "))
	}
	return nil
}

// upgrade upgrades the database at path, and returns its objects.
func (r *run) upgrade(path string, target *lockstep.Schema) ([]sqltext.Object, error) {
	db, err := r.open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	objects, err := upgrade(r.ctx, db, target)
	if err != nil {
		return nil, err
	}
	return objects, db.Close()
}

// copyFile copies a database that nobody has open. The write-ahead log is still there if
// the driver was told to keep it.
func copyFile(from, to string) error {
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(from + suffix)
		if errors.Is(err, fs.ErrNotExist) && suffix != "" {
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, data, 0o600)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
