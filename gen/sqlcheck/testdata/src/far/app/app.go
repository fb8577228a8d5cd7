// Package app does not import the migrations itself.
package app

import (
	"database/sql"

	"far/store"
)

const Version = store.Version

func app(db *sql.DB) {
	db.Query("SELECT titel FROM notes") // want "at version 0007: no such column: titel"
}
