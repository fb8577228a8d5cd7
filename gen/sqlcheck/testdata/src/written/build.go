package written

import (
	"bytes"
	"database/sql"
	"fmt"
	"strings"
)

func builders(db *sql.DB, all bool, help func(*strings.Builder), ids []int) {
	var b strings.Builder
	b.WriteString("SELECT titel FROM notes") // want "at version 0007: no such column: titel"
	if !all {
		fmt.Fprintf(&b, " WHERE %s", "id > ?")
	}
	b.WriteByte(';')
	db.Query(b.String(), 1)
	b.Reset()
	b.WriteString("SELECT title FROM ")
	b.WriteString("note") // want "at version 0007: no such table: note"
	db.Query(b.String())

	p := &bytes.Buffer{}
	p.WriteString("SELECT title FROM notes")
	db.Query(p.String(), 1) // want "call has 1 argument for 0 parameters"
	if !all {
		fmt.Fprint(p, " WHERE id = ?")
	}
	db.Query(p.String(), 1)

	var loop strings.Builder
	loop.WriteString("SELECT titel FROM notes WHERE id IN (?") // want "at version 0007: no such column: titel"
	for range ids[1:] {
		loop.WriteString(", ?")
	}
	loop.WriteRune(')')
	db.Query(loop.String(), 1)

	var helped strings.Builder
	helped.WriteString("SELECT title FROM notes")
	help(&helped)
	db.Query(helped.String(), 1)

	var deferred strings.Builder
	deferred.WriteString("SELECT title FROM notes")
	defer deferred.WriteString(" WHERE id = ?")
	db.Query(deferred.String(), 1)

	var given strings.Builder
	func() { given.WriteString(" WHERE id = ?") }()
	db.Query("SELECT title FROM notes"+given.String(), 1)
}

func lists(db *sql.DB, all bool, ids []int, cols, unknown []string, sort func([]string)) {
	where := []string{"id > 0"}
	if !all {
		where = append(where, "titel = ?", "id = ?") // want "no such column: titel"
		db.Query("SELECT title FROM notes WHERE "+strings.Join(where, " AND "), 1)
	}
	db.Query("SELECT title FROM notes WHERE "+strings.Join(where, " AND "), 1)

	var names []string
	names = append(names, "id")
	names = append(names, "titel") // want "no such column: titel"
	db.Query(fmt.Sprintf("SELECT %s FROM notes", strings.Join(names, ", ")))

	var maybe []string
	if all {
		maybe = append(maybe, "id = ?")
	}
	filter := ""
	if len(maybe) > 0 {
		filter = " WHERE " + strings.Join(maybe, " AND ")
	}
	db.Query("SELECT title FROM notes"+filter, 1)
	db.Query("SELECT title FROM note"+filter, 1) // want "no such table: note"

	sorted := make([]string, 0, 2)
	sorted = append(sorted, "title", "titel")
	sort(sorted)
	db.Query("SELECT " + strings.Join(sorted, ", ") + " FROM notes")

	changed := []string{"id", "titel"}
	changed[1] = "title"
	db.Query("SELECT " + strings.Join(changed, ", ") + " FROM notes")

	more := append(unknown, "id = 1")
	db.Query("SELECT title FROM notes WHERE " + strings.Join(more, " AND "))
	db.Query("SELECT titel FROM notes WHERE " + strings.Join(more, " AND ")) // want "no such column: titel"

	db.Query(strings.ReplaceAll("SELECT titel FROM TABLE", "TABLE", "notes")) // want "no such column: titel"
	db.Query(strings.Replace("SELECT * FROM TABLE", "TABLE", "note", 1))      // want "no such table: note"
	db.Query(strings.Replace("SELECT * FROM TABLE", "TABLE", cols[0], 1))
	db.Query(strings.TrimSpace(` SELECT titel FROM notes `)) // want "no such column: titel"

	db.Query(strings.TrimSuffix("SELECT titel FROM notes,", ","))                              // want "no such column: titel"
	db.Query(strings.Trim(", SELECT title FROM note, ", ", "))                                 // want "no such table: note"
	db.Query("SELECT title FROM notes WHERE id IN (?"+strings.Repeat(", ?", 2)+")", 1)         // want "call has 1 argument for 3 parameters"
	db.Query("SELECT titel FROM notes WHERE id IN (?" + strings.Repeat(", ?", len(ids)) + ")") // want "no such column: titel"
	db.Query(strings.TrimRight("SELECT titel FROM note"+cols[0], " s"))
	db.Query("SELECT title FROM notes" + strings.TrimLeft("   ", " "))
	db.Query(fmt.Sprintf(strings.TrimSpace(strings.Trim(" ", " "))))
	db.Query("SELECT title FROM notes WHERE id IN (?"+strings.Repeat(", ?", 2)+")", 1, 2, 3)
}
