// Package paths has strings that depend on the way that the program takes.
package paths

import (
	"database/sql"
	"fmt"
	"log"

	_ "migrations"
)

func branches(db *sql.DB, all bool, kind int, id any) {
	var where string
	if !all {
		where = " WHERE id > ?"
	}
	db.Query("SELECT title FROM notes" + where)
	db.Query("SELECT title FROM notes"+where, id)
	db.Query("SELECT titel FROM notes" + where)       // want "at version 0007: no such column: titel"
	db.Query("SELECT title FROM notes"+where, id, id) // want "call has 2 arguments for 0 parameters" "call has 2 arguments for 1 parameter"

	limit := ""
	switch kind {
	case 1:
		limit = " LIMIT ?"
	case 2:
		limit = " LIMIT ? OFFSET ?"
		fallthrough
	case 3:
		limit += ";"
	default:
		log.Fatal("no such kind")
	}
	db.Query("SELECT title FROM notes"+limit, id)
	db.Query("SELECT titel FROM notes" + limit)                  // want "at version 0007: no such column: titel"
	db.Query(fmt.Sprintf("SELECT titel FROM note%s", "s"+limit)) // want "at version 0007: no such column: titel"

	var query string
	switch kind {
	case 1:
		query = "SELECT titel FROM notes" // want "at version 0007: no such column: titel"
	case 2:
		query = "SELECT id, titel FROM notes" // want "at version 0007: no such column: titel"
	}
	db.Query(query)
	query = "SELECT title FROM notes"
	if kind == 3 {
		query = "SELECT titel FROM notes"
	}
	db.Query(query)
}

func argumentsOfAPath(db *sql.DB, all bool, id any) {
	query := "SELECT title FROM notes"
	if all {
		db.Query(query)
		db.Query(query, id) // want "call has 1 argument for 0 parameters"
	} else {
		query += " WHERE id = ?"
		db.Query(query, id)
		db.Query(query) // want "call has 0 arguments for 1 parameter"
	}
	db.Query(query)
	db.Query(query, id)
	query = "SELECT id FROM users"
	db.QueryRow(query).Scan(&id, &id) // want "Scan has 2 destinations for 1 column"
	query = "DELETE FROM users"
	db.QueryRow(query).Scan(&id) // want "Scan has 1 destination, but the statement returns no rows"
}

func parameter(db *sql.DB, where string, rows *sql.Rows) {
	if where == "" {
		where = " WHERE id > ?"
	}
	db.Query("SELECT title FROM notes" + where)
	if rows == nil {
		rows, _ = db.Query("SELECT id FROM notes")
	}
	rows.Scan(nil, nil)
}

func results(db *sql.DB, all bool) (where string, rows *sql.Rows) {
	defer func() { db.Query("SELECT title FROM notes"+where, 1) }()
	if !all {
		where = " WHERE id > ?"
	}
	db.Query("SELECT title FROM notes" + where)
	rows, _ = db.Query("SELECT titel FROM notes" + where) // want "at version 0007: no such column: titel"
	return " WHERE title = ? AND id = ?", rows
}

func result(db *sql.DB) (where string) {
	db.Query("SELECT title FROM notes"+where, 1) // want "call has 1 argument for 0 parameters"
	defer func() { db.Query("SELECT title FROM notes"+where, 1) }()
	return " WHERE id = ?"
}

func loops(db *sql.DB, ids []any, tables []string) {
	query := "SELECT titel FROM notes WHERE id IN (?" // want "at version 0007: no such column: titel"
	for range ids[1:] {
		query += ", ?"
	}
	db.Query(query+")", ids[0])

	query = "SELECT title FROM notes WHERE id IN ("
	for i := range ids {
		if i > 0 {
			query += ", "
		}
		query += "?"
	}
	db.Query(query+")", ids[0])

	where := ""
	for _, id := range ids {
		db.Query("SELECT title FROM notes"+where, id)
		where = " WHERE id = ?"
	}
	for _, where := range tables {
		db.Query("SELECT title FROM notes" + where)
	}
	for i := 0; i < 2; i++ {
		title := "title"
		if i == 1 {
			title = "titel"
			continue
		}
		db.Query("SELECT " + title + " FROM notes")
		db.Query("SELECT " + title + " FROM note") // want "at version 0007: no such table: note"
	}

	nested := "SELECT title FROM notes"
	for range ids {
		nested = "SELECT title FROM (" + nested + ")"
	}
	db.Query(nested, 1)
}

func jumps(db *sql.DB, again bool) {
	where := ""
retry:
	db.Query("SELECT title FROM notes"+where, 1)
	db.Query("SELECT titel FROM notes" + where) // want "at version 0007: no such column: titel"
	if again {
		where = " WHERE id = ?"
		goto retry
	}
}

func closures(db *sql.DB, run func(func())) {
	where := ""
	run(func() { where = " WHERE id = ?" })
	db.Query("SELECT title FROM notes"+where, 1)
	db.Query("SELECT titel FROM notes" + where) // want "at version 0007: no such column: titel"

	var later string
	run(func() { db.Query("SELECT title FROM notes"+later, 1) })
	defer func() { db.Query("SELECT titel FROM notes" + later) }() // want "at version 0007: no such column: titel"
	later = " WHERE id = ?"

	grows := ""
	run(func() { grows += " WHERE id = ?" })
	db.Query("SELECT title FROM notes"+grows, 1)

	row := db.QueryRow("SELECT id FROM notes")
	run(func() { row = db.QueryRow("SELECT id, title FROM notes") })
	row.Scan(nil, nil)
}

func elsewhere(db *sql.DB, set func(*string), received chan string) {
	where := ""
	set(&where)
	db.Query("SELECT title FROM notes"+where, 1)

	sent := ""
	select {
	case sent = <-received:
	default:
	}
	db.Query("SELECT title FROM notes"+sent, 1)

	shadowed := " WHERE id = ?"
	if shadowed := ""; shadowed == "" {
		db.Query("SELECT title FROM notes"+shadowed, 1) // want "call has 1 argument for 0 parameters"
	}
	db.Query("SELECT title FROM notes"+shadowed, 1)

	db.Query("SELECT title FROM notes"+filter, 1)
	db.Query("SELECT titel FROM notes" + filter)         // want "at version 0007: no such column: titel"
	db.Query("SELECT title FROM notes"+store{}.where, 1) // want "call has 1 argument for 0 parameters"
	store{}.run(db)
}

var filter string

func setFilter() { filter = " WHERE id = ?" }

type store struct{ where string }

func (s store) run(db *sql.DB) {
	s.where = ""
	db.Query("SELECT title FROM notes"+s.where, 1) // want "call has 1 argument for 0 parameters"
}

func many(db *sql.DB, on []bool) {
	query := "SELECT titel FROM notes WHERE 1" // want "at version 0007: no such column: titel"
	if on[0] {
		query += " AND id > 0"
	}
	if on[1] {
		query += " AND id > 1"
	}
	if on[2] {
		query += " AND id > 2"
	}
	if on[3] {
		query += " AND id > 3"
	}
	if on[4] {
		query += " AND id > 4"
	}
	if on[5] {
		query += " AND id > 5"
	}
	if on[6] {
		query += " AND id > 6"
	}
	db.Query(query + " ORDER BY id")
}
