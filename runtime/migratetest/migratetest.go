// Package migratetest tests migrations: that a database of every version
// upgrades to what the program expects, and that its rows survive.
//
// "lockstep init" writes the first test into the migrations package:
//
//	func TestMigrations(t *testing.T) { migratetest.Run(t, Schema) }
//
// The second takes rows, yours or those of [Fill], which "lockstep rows" prints. [At]
// makes a database as an earlier release left it:
//
//	func TestTagsSurvive(t *testing.T) {
//		db := migratetest.At(t, migrations.Schema, 7)
//		db.Exec(`INSERT INTO notes (title, tags) VALUES ('Bread', 'kitchen weekend')`)
//		db.To(8) // fails if a table loses rows
//		got := db.Rows(`SELECT title, tag FROM notes JOIN tags ON note = id ORDER BY tag`)
//		if want := []string{"Bread|kitchen", "Bread|weekend"}; !slices.Equal(got, want) {
//			t.Errorf("got %q, want %q", got, want)
//		}
//	}
//
// Databases are files in a temporary folder of the test, which imports the driver.
// If the program registers functions or modules of its own, see [Open].
package migratetest

import (
	"context"
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A Database is at a version of its program. If a method fails, the test ends.
type Database struct {
	DB *sql.DB // for what the methods do not do

	t       testing.TB
	schema  *lockstep.Schema
	version lockstep.Version
	loses   []string
}

// At returns a new database at version v, in a file that is removed at the end of the
// test. Version 0 is an empty database.
func At(t testing.TB, s *lockstep.Schema, v lockstep.Version, opts ...Option) *Database {
	t.Helper()
	open, err := newOpener(opts)
	if err != nil {
		t.Fatal(err)
	}
	db, err := open(filepath.Join(t.TempDir(), "data.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	d := &Database{DB: db, t: t, schema: s}
	d.upgrade(v)
	return d
}

// Fill puts rows into every table that a program could fill. Triggers do not fire.
func Fill(db *sql.DB) error {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = rows.Fill(ctx, conn, rows.Options{})
	return err
}

// Fill is [Fill] for the database.
func (d *Database) Fill() *Database {
	d.t.Helper()
	if err := Fill(d.DB); err != nil {
		d.t.Fatalf("at version %v: %v", d.version, err)
	}
	return d
}

// To upgrades the database to version v, by what the program does when it starts. The
// test fails if that is refused or damages the file, and if a table has fewer rows than
// before, unless [Database.Loses] says that it may.
func (d *Database) To(v lockstep.Version) *Database {
	d.t.Helper()
	if v < d.version {
		d.t.Fatalf("at version %v; there is no way down to %v", d.version, v)
	}
	from := d.version
	before := d.count()
	d.upgrade(v)
	after := map[string]int64{}
	for _, c := range d.count() {
		after[sqltext.Fold(c.Table)] = c.Rows
	}
	lost := false
	for _, b := range before {
		rows, ok := after[sqltext.Fold(b.Table)]
		may := slices.ContainsFunc(d.loses, func(table string) bool { return sqltext.Equal(table, b.Table) })
		if ok && rows < b.Rows && !may {
			d.t.Errorf("from version %v to %v: table %s: %d rows before, %d after; if intended, call Loses(%q) first", from, v, b.Table, b.Rows, rows, b.Table)
			lost = true
		}
	}
	if d.loses = nil; lost {
		d.t.FailNow()
	}
	return d
}

// Loses says that the next To may leave fewer rows in these tables. (Tables that are not
// there afterwards are not compared.)
func (d *Database) Loses(tables ...string) *Database {
	d.loses = append(d.loses, tables...)
	return d
}

// Exec runs SQL, such as the INSERT of a user's rows. The driver decides whether foreign
// keys are enforced.
func (d *Database) Exec(query string, args ...any) *Database {
	d.t.Helper()
	if _, err := d.DB.ExecContext(d.t.Context(), query, args...); err != nil {
		d.t.Fatalf("at version %v: %v: %s", d.version, err, query)
	}
	return d
}

// Rows returns the rows of a query, each as SQLite's shell prints it: the values
// separated by "|", and nothing for NULL.
func (d *Database) Rows(query string, args ...any) []string {
	d.t.Helper()
	lines, err := sqlite.Lines(d.DB.QueryContext(d.t.Context(), query, args...))
	if err != nil {
		d.t.Fatalf("at version %v: %v: %s", d.version, err, query)
	}
	return lines
}

// count counts the rows of all tables that people made.
func (d *Database) count() []sqlite.Count {
	d.t.Helper()
	var counts []sqlite.Count
	objects, err := sqlite.Objects(d.t.Context(), d.DB)
	if err == nil {
		counts, err = sqlite.Rows(d.t.Context(), d.DB, objects, 0)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return counts
}

// upgrade runs the migrations up to version v.
func (d *Database) upgrade(v lockstep.Version) {
	d.t.Helper()
	target, err := d.schema.At(v)
	if err == nil {
		_, err = upgrade(d.t.Context(), d.DB, target)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	d.version = v
}
