package main

import (
	"slices"
	"testing"

	"github.com/lockstep-db/lockstep/examples/notes/migrations"
	"github.com/lockstep-db/lockstep/runtime/migratetest"
)

// TestMigrations upgrades a notebook of every version. It opens them as the program does,
// because search needs a module that the driver does not register by itself.
func TestMigrations(t *testing.T) {
	migratetest.Run(t, migrations.Schema, migratetest.Open(open))
}

// TestTagsSurvive checks that notes of version 2 keep their tags when these move to a
// table of their own, and that no note is lost when their table is rebuilt.
func TestTagsSurvive(t *testing.T) {
	db := migratetest.At(t, migrations.Schema, 2, migratetest.Open(open))
	db.Exec(`INSERT INTO notes (id, title, created_at, tags) VALUES
		(1, 'Bread', '2023-01-02 03:04:05', 'Kitchen, weekend'),
		(2, '', '1969-12-31 23:59:59', ''),
		(7, 'Crème brûlée', 'yesterday', 'kitchen,, kitchen ,')`)
	compare := func(query string, want ...string) {
		t.Helper()
		if got := db.Rows(query); !slices.Equal(got, want) {
			t.Errorf("%s\ngot  %q\nwant %q", query, got, want)
		}
	}

	db.To(3)
	compare(`SELECT note_id, tag FROM note_tags ORDER BY note_id, tag`, "1|Kitchen", "1|weekend", "7|kitchen")

	db.To(migrations.ExpectedVersion)
	compare(`SELECT note_id, tag FROM note_tags ORDER BY note_id, tag`, "1|Kitchen", "1|weekend", "7|kitchen")
	compare(`SELECT id, title, created_at, updated_at = created_at FROM notes WHERE id < 7`, "1|Bread|1672628645|1", "2|Untitled|-1|1")
	compare(`SELECT title, created_at > 1700000000 FROM notes WHERE id = 7`, "Crème brûlée|1") // now, if it was not a time
	compare(`SELECT rowid FROM notes_search('brulee')`, "7")
}
