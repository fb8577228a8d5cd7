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

type plural string

func (p plural) String() string { return string(p) + "s" }

type state int

func (s state) String() string { return "'a'" }

func methods(db *sql.DB) {
	const note, open = plural("note"), state(1)
	db.Query(fmt.Sprintf("SELECT id FROM %s", note))
	db.Query(fmt.Sprintf("SELECT id FROM %v WHERE titel = %v", note, open))
	db.Query(fmt.Sprint(plural("SELECT id FROM note")))
	db.Query(fmt.Sprintf("SELECT titel FROM notes LIMIT %d", open)) // want "at version 0007: no such column: titel"
}

func parts(db *sql.DB, cond, list string, n int) {
	db.Query("SELECT titel FROM notes WHERE " + cond)                                                                        // want "at version 0007: no such column: titel"
	db.Query("SELECT id FROM nota WHERE id = " + cond + " LIMIT " + cond)                                                    // want "at version 0007: no such table: nota"
	db.Query(fmt.Sprintf("SELECT id FROM notes WHERE titel IN (%s)", list))                                                  // want "at version 0007: no such column: titel"
	db.Query("SELECT id FROM notes WHERE " + cond + " ORDER BY titel")                                                       // want "at version 0007: no such column: titel"
	db.Exec(fmt.Sprintf("UPDATE notes SET %s WHERE idd = ?", list))                                                          // want "at version 0007: no such column: idd"
	db.Query("SELECT titel FROM notes WHERE id > 1" + cond + " ORDER BY " + list + " LIMIT " + list)                         // want "at version 0007: no such column: titel"
	db.Exec("UPDATE notes SET " + list + " WHERE id IN (SELECT titel FROM notes WHERE " + cond + ") RETURNING title" + list) // want "at version 0007: no such column: titel"

	db.Query("SELECT title FROM notes WHERE " + cond)
	db.Query(fmt.Sprintf("SELECT title FROM notes WHERE id IN (%s) AND title = ? ORDER BY %s LIMIT %d", list, cond, n))
	db.Query("SELECT titel FROM notes " + cond)
	db.Query("SELECT titel FROM " + cond + " WHERE id = 1")
	db.Query("SELECT " + list + " FROM notes WHERE titel = 1")
	db.Query("SELECT id FROM notes WHERE titel" + cond)
	db.Query("SELECT id FROM notes WHERE name = " + cond)
	db.Exec("INSERT INTO notes (title) VALUES " + list)
	db.Exec(fmt.Sprintf("UPDATE notes SET %s WHERE id = ?", list))
}
