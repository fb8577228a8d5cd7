// Package history has migrations of other tools, and of the program itself.
package history

import (
	"context"
	"database/sql"

	_ "migrations"
)

type migration struct {
	version int
	up      string
}

var migrations = []string{
	"UPDATE notes SET heading = title",
	"DELETE FROM notes WHERE heading = ''",
}

var steps = []migration{
	{1, "UPDATE notes SET heading = title"},
}

var options = struct{ Migrations, Queries []string }{
	Migrations: []string{"UPDATE notes SET heading = title"},
	Queries:    []string{"UPDATE notes SET heading = title"}, // want "no such column: heading"
}

func migrateTags(ctx context.Context, tx *sql.Tx) {
	tx.ExecContext(ctx, "INSERT INTO tags (note, tag) SELECT id, tag FROM notes_old")
	tx.Exec("DELETE FROM notes_old") //lockstep:ignore it was there
}

func Up00003(tx *sql.Tx) {
	tx.Exec("DELETE FROM notes_old")
	func() { tx.Exec("DELETE FROM notes_old") }()
}

func upgradeToV4(tx *sql.Tx) {
	tx.Exec("DELETE FROM notes_old")
}

func UpdateV2(tx *sql.Tx) {
	tx.Exec("DELETE FROM notes_old") // want "no such table: notes_old"
}

const (
	migrate1To2SelectOld = "SELECT heading FROM notes_old"
	migrate1To2Rename    = "UPDATE notes SET heading = title"
	selectNew            = "SELECT heading FROM notes" // want "no such column: heading"
)

func setup(tx *sql.Tx) {
	tx.Query(migrate1To2SelectOld)
	tx.Query(selectNew)
}

func rest(tx *sql.Tx) {
	migrations := []string{"UPDATE notes SET heading = title"}
	migrated := tx.QueryRow("SELECT heading FROM notes") // want "no such column: heading"
	_, _ = migrations, migrated
}
