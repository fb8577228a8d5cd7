// Package written has strings that are made in many ways.
package written

import (
	"database/sql"
	_ "embed"
	"fmt"

	_ "migrations"
)

const columns = "id, titel" // want "at version 0007: no such column: titel"

const (
	table = "note"
	all   = "SELECT * FROM " + table
)

var unexported = "SELECT id FROM note" // want "at version 0007: no such table: note"

// Exported may be set by another package.
var Exported = "SELECT id FROM note"

//go:embed report.sql
var report string

type name string

func made(db *sql.DB, cond bool, run string) {
	db.Query("SELECT " + columns + " FROM notes")
	db.Query("SELECT id FROM " +
		"note") // want "at version 0007: no such table: note"
	db.Query(unexported)
	db.Query(Exported)

	once := "SELECT id FROM note" // want "at version 0007: no such table: note"
	db.Query(once)

	twice := "SELECT id FROM note"
	if cond {
		twice = "SELECT id FROM notes"
	}
	db.Query(twice)

	added := "SELECT id FROM note"
	added += "s"
	db.Query(added)

	db.Query(fmt.Sprintf("SELECT id FROM %s LIMIT %d", "note", 5))       // want "at version 0007: no such table: note"
	db.Query(fmt.Sprintf("SELECT titel FROM %s WHERE id %% 2", "notes")) // want "at version 0007: no such column: titel"
	db.Query(string(name("SELECT id FROM note")))                        // want "at version 0007: no such table: note"
	db.Query(run[1:])
	db.Query(report)
}
