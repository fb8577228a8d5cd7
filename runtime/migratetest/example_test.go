package migratetest_test

import (
	"database/sql"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/regexp"

	"github.com/lockstep-db/lockstep/runtime/internal/example/migrations"
	"github.com/lockstep-db/lockstep/runtime/migratetest"
)

// A note that the release with version 1 wrote survives the upgrade.
func ExampleAt() {
	var t *testing.T // of the test that this is in

	db := migratetest.At(t, migrations.Schema, 1)
	db.Exec(`INSERT INTO notes (id, title) VALUES (?, ?)`, 7, "Bread")
	db.To(migrations.ExpectedVersion)

	got := db.Rows(`SELECT id, title, tag FROM notes LEFT JOIN tags ON note = id`)
	if want := []string{"7|Bread|"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A new migration deletes notes without a title, and the test says so: otherwise To
// would report that the table lost rows.
func ExampleDatabase_Loses() {
	var t *testing.T // of the test that this is in

	db := migratetest.At(t, migrations.Schema, 1)
	db.Exec(`INSERT INTO notes (title) VALUES (''), ('Bread')`)
	db.Loses("notes").To(2)

	got := db.Rows(`SELECT title FROM notes`)
	if want := []string{"Bread"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A program that registers functions on its connections opens the databases of its
// tests the same way.
func ExampleOpen() {
	var t *testing.T // of func TestMigrations(t *testing.T)

	open := func(path string) (*sql.DB, error) {
		return driver.Open("file:"+filepath.ToSlash(path), regexp.Register)
	}
	migratetest.Run(t, migrations.Schema, migratetest.Open(open))
}

// This is the whole test of a program's migrations, except for the rows of its users.
func ExampleRun() {
	var t *testing.T // of func TestMigrations(t *testing.T)

	migratetest.Run(t, migrations.Schema)
}
