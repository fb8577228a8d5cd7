package written

import (
	"database/sql"
	"embed"
	"io/fs"
)

var queries = map[string]string{
	"find": "SELECT titel FROM notes WHERE id = ?", // want "at version 0007: no such column: titel"
	"list": "SELECT title FROM notes",
}

var cleanup = []string{
	"DELETE FROM tags WHERE note = ?",
	"DELETE FORM notes WHERE id = ?", // want `at version 0007: near "FORM": syntax error`
	"DELETE FROM notes",
}

var changed = []string{"SELECT titel FROM notes WHERE"}

// Open may be changed by other packages.
var Open = []string{"SELECT FROM notes"}

//go:embed *.sql
var files embed.FS

//go:embed report.sql
var reportBytes []byte

func elements(db *sql.DB, name string, i int) {
	db.Query(queries["find"], 1)
	db.Query(queries["list"], 1) // want "call has 1 argument for 0 parameters"
	for _, stmt := range cleanup {
		db.Exec(stmt, i)
	}
	for _, stmt := range []string{"DELETE FROM tags", "DELETE FROM users WHERE id = ?"} {
		db.Exec(stmt, i, i) // want "call has 2 arguments for 0 parameters" "call has 2 arguments for 1 parameter"
	}
	for _, stmt := range []string{"DELETE FROM note", "DELETE FROM notes"} { // want "at version 0007: no such table: note"
		db.Exec(stmt)
	}

	db.Query(queries["list"])
	db.Query(queries["nothing"])
	db.Query(queries[name], i)
	bytes := []byte("SELECT titel FROM notes")
	bytes[10] = 'l'
	db.Query(string(bytes))
	changed[0] = "SELECT title FROM notes"
	for _, stmt := range changed {
		db.Query(stmt)
	}
	for _, stmt := range Open {
		db.Query(stmt)
	}
	for _, stmt := range cleanup {
		stmt += " RETURNING id"
		db.Exec(stmt)
	}
}

func embedded(db *sql.DB) {
	script, _ := files.ReadFile("script.sql")
	again, _ := fs.ReadFile(files, "script.sql")
	db.Exec(string(again))
	db.Exec(string(script))
	db.Exec(string(reportBytes))
}
