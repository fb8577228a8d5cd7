package sqlxuser

import (
	"github.com/jmoiron/sqlx"
	sqlite3 "github.com/ncruces/go-sqlite3"

	_ "migrations"
)

func use(db *sqlx.DB, conn *sqlite3.Conn) {
	db.Get(nil, "SELECT titel FROM notes")                             // want "at version 0007: no such column: titel"
	db.Select(nil, "SELECT title FROM notes WHERE id = ?")             // want "call has 0 arguments for 1 parameter"
	db.NamedExec("UPDATE notes SET titel = :title", nil)               // want "at version 0007: no such column: titel"
	db.QueryRowx("SELECT id, title FROM notes").Scan(nil)              // want "Scan has 1 destination for 2 columns"
	db.MustExec("DELETE FROM note")                                    // want "at version 0007: no such table: note"
	db.Query("SELECT titel FROM notes")                                // want "at version 0007: no such column: titel"
	sqlx.Get(db, nil, "SELECT titel FROM notes")                       // want "at version 0007: no such column: titel"
	sqlx.In("SELECT titel FROM notes WHERE id IN (?)", []int{1, 2, 3}) // want "at version 0007: no such column: titel"
	conn.Exec("DELETE FROM users; DELETE FROM note")                   // want "at version 0007: no such table: note"
	conn.Prepare("SELECT titel FROM notes")                            // want "at version 0007: no such column: titel"

	db.NamedExec("UPDATE notes SET title = :title", nil)
	sqlx.In("SELECT title FROM notes WHERE id IN (?)", []int{1, 2, 3})
}

type rebinder interface{ Rebind(string) string }

func passed(db *sqlx.DB, r rebinder, ids []int, note any) {
	db.Select(nil, db.Rebind("SELECT titel FROM notes WHERE id = ?"), 1) // want "at version 0007: no such column: titel"
	db.Select(nil, r.Rebind("SELECT title FROM notes WHERE id = ?"))     // want "call has 0 arguments for 1 parameter"

	query, args, _ := sqlx.In("SELECT titel FROM notes WHERE id IN (?)", ids) // want "at version 0007: no such column: titel"
	db.Select(nil, db.Rebind(query), args...)
	query, args, _ = db.BindNamed("UPDATE note SET title = :title", note) // want "at version 0007: no such table: note"
	db.Exec(query, args...)

	rows, _ := db.NamedQuery("SELECT id, title FROM notes WHERE id = :id", note)
	rows.Scan(nil) // want "Scan has 1 destination for 2 columns"

	where, args, _ := sqlx.In("id IN (?)", ids)
	db.Select(nil, "SELECT title FROM notes WHERE "+where, args...)
	query, args, _ = sqlx.Named("SELECT title FROM notes WHERE id = :id OR author = :id", note)
	db.Select(nil, query, args[0], args[1])
	query, args, _ = sqlx.In("SELECT title FROM notes WHERE id IN (?)", ids)
	db.Select(nil, query, args[0], args[1], args[2])

	rebinds(db, "SELECT titel FROM notes WHERE id = ?", 1) // want "at version 0007: no such column: titel"
	rebinds(db, "SELECT title FROM notes WHERE id = ?")    // want "call has 0 arguments for 1 parameter"
	rebinds(db, "SELECT title FROM notes WHERE id = ?", 1)
}

func rebinds(db *sqlx.DB, query string, args ...any) { // want rebinds:"wrapper"
	query = db.Rebind(query)
	db.Exec(query, args...)
}
