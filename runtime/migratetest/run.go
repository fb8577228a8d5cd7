package migratetest

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// reach is how many versions a database is upgraded at once. If there are more to go, it
// has to be what the database that was upgraded version by version is by then, which goes
// on from there. Otherwise a thousand migrations would run half a million times.
const reach = 64

// Run tests the migrations of a program: that the generated code is that of the files, and
// that a new database and, in a subtest each, a database of every earlier version upgrade
// to exactly the schema that was generated, with no row without parent and a clean
// integrity_check: with the rows that migrations insert alone, and with those of [Fill].
// With these it skips what fails in earlier migrations, which are history, or where the
// author says "-- lockstep: assumes". What becomes of rows is for tests with [At].
func Run(t *testing.T, s *lockstep.Schema, opts ...Option) {
	t.Helper()
	open, err := newOpener(opts)
	if err != nil {
		t.Fatal(err)
	}
	want, err := sqltext.ParseSchema(s.SQL)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name+".db") }
	// If one of these two fails, all others would.
	ok := t.Run("GeneratedCodeIsCurrent", func(t *testing.T) {
		if err := s.Stale(); err != nil {
			if _, e := os.Stat("lockstep_gen.go"); e == nil { // the test is in the package
				err = fmt.Errorf("%w\n\t%s", err, wording.Generate("."))
			}
			t.Fatal(err)
		}
	}) && t.Run("NewDatabase", func(t *testing.T) { reaches(t, open, file("new"), false, s, want) })
	if !ok {
		return
	}

	versions := []lockstep.Version{0}
	for _, m := range s.Migrations {
		versions = append(versions, m.Version)
	}
	versions = versions[:len(versions)-1]
	from := func(v lockstep.Version, before, target *lockstep.Schema, want []sqltext.Object) {
		t.Helper()
		path, filled := file("from-"+v.String()), file("filled-"+v.String())
		if err := copyFile(path, filled); err != nil {
			t.Fatal(err)
		}
		ok := t.Run("From"+v.String(), func(t *testing.T) { reaches(t, open, path, false, target, want) })
		if ok && v > 0 {
			t.Run("From"+v.String()+"WithRows", func(t *testing.T) {
				fill(t, open, filled, before)
				reaches(t, open, filled, true, target, want)
			})
		}
		os.Remove(path)
		os.Remove(filled)
	}
	var last *lockstep.Schema // before the newest migration
	for i, v := range versions {
		// This is what the program expected that was released with v.
		target, err := s.At(v)
		var objects []sqltext.Object
		if err == nil {
			objects, err = upgradeFile(t.Context(), open, file("data"), target)
		}
		if err == nil {
			err = copyFile(file("data"), file("from-"+v.String()))
		}
		if err != nil {
			t.Fatal(err)
		}
		last = target
		if i >= reach {
			from(versions[i-reach], target, target, objects)
		}
	}
	for _, v := range versions[max(0, len(versions)-reach):] {
		from(v, last, s, want)
	}
}

// fill fills the database at path, and upgrades it by the migrations that are not on trial.
func fill(t *testing.T, open opener, path string, before *lockstep.Schema) {
	t.Helper()
	db, err := open(path)
	if err == nil {
		err = cmp.Or(Fill(db), db.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := upgradeFile(t.Context(), open, path, before); err != nil {
		t.Skip(err)
	}
}

// reaches upgrades the database at path, which then has to have exactly the objects that
// are wanted.
func reaches(t *testing.T, open opener, path string, filled bool, target *lockstep.Schema, want []sqltext.Object) {
	t.Helper()
	found, err := upgradeFile(t.Context(), open, path, target)
	if err != nil && filled && assumed(target, err) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
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
		t.Errorf("%s: at version %v, but its tables differ: %s", filepath.Base(path), target.Expected, strings.Join(details, "; "))
	}
}

// assumed reports whether the author of the statement that failed takes for granted that it
// does not.
func assumed(s *lockstep.Schema, err error) bool {
	if e := (*lockstep.Error)(nil); errors.As(err, &e) {
		return e.Kind == lockstep.ErrForeignKey && e.Detail != ""
	}
	e := (*lockstep.MigrationError)(nil)
	if !errors.As(err, &e) || e.File == "" {
		return false
	}
	text, err := fs.ReadFile(s.Files, e.File)
	if err != nil || e.Line == 0 { // in a program
		return strings.Contains(string(text), "lockstep: assumes ")
	}
	return slices.ContainsFunc(sqltext.Parse(sqltext.Normalize(text)).Cut(), func(stmt sqltext.Statement) bool {
		return stmt.Line == e.Line && stmt.Assumes() != ""
	})
}

// upgradeFile upgrades the database at path, and returns its objects.
func upgradeFile(ctx context.Context, open opener, path string, target *lockstep.Schema) ([]sqltext.Object, error) {
	db, err := open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	objects, err := upgrade(ctx, db, target)
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

// upgrade does what the program does when it starts, which leaves no row without parent,
// and returns the objects of the schema. It returns an error if a program would then not
// start on the database, or if the file is damaged or has rows that break a NOT NULL or
// CHECK of their table.
func upgrade(ctx context.Context, db *sql.DB, target *lockstep.Schema) ([]sqltext.Object, error) {
	if err := lockstep.Migrate(ctx, db, target); err != nil {
		return nil, explain(err)
	}
	state, err := lockstep.Inspect(ctx, db, target)
	if err == nil {
		err = state.Refusal
	}
	if err != nil {
		return nil, explain(err)
	}
	faults, err := sqlite.Full.List(ctx, db)
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%s: at version %v: integrity_check: %s", filepath.Base(state.DB), target.Expected, strings.Join(faults, "; "))
	}
	return state.Objects, err
}

// explain rewords an error for the author of the migrations. It leaves out the folder of
// the database, which is a different one in each run, and the way to start anyway.
func explain(err error) error {
	if e := (*lockstep.Error)(nil); errors.As(err, &e) {
		e.Digest = ""
		if e.DB != "" {
			e.DB = filepath.Base(e.DB)
		}
	}
	if e := (*lockstep.MigrationError)(nil); errors.As(err, &e) {
		e.DB = filepath.Base(e.DB)
	}
	for _, missing := range []string{"no such module: ", "no such function: ", "no such collation sequence: "} {
		if strings.Contains(err.Error(), missing) {
			return fmt.Errorf("%w\n\tif the program adds it to SQLite, have the test do so: migratetest.Open", err)
		}
	}
	return err
}
