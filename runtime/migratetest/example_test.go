package migratetest_test

import (
	"slices"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/internal/example/migrations"
	"github.com/lockstep-db/lockstep/runtime/migratetest"
)

// A note with its tags, as the release with version 1 has left it, gets through the
// upgrade.
func ExampleAt() {
	var t *testing.T // of the test in which this stands

	db := migratetest.At(t, migrations.Schema, 1)
	db.Exec(`INSERT INTO notes (id, title) VALUES (?, ?)`, 7, "Bread")
	db.To(migrations.ExpectedVersion)

	got := db.Rows(`SELECT id, title, tag FROM notes LEFT JOIN tags ON note = id`)
	if want := []string{"7|Bread|"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// This is the whole test of a program's migrations, but for the rows.
func ExampleRun() {
	var t *testing.T // of func TestMigrations(t *testing.T)

	migratetest.Run(t, migrations.Schema)
}
