package why

import (
	"database/sql"

	_ "migrations"
)

func why(db *sql.DB, run string) {
	db.Exec("CREATE TABLE own (id INTEGER)") // want "not checked: the program itself creates own"
	db.Exec("DELETE FROM own")               // want "not checked: the program itself creates own"
	db.Exec("DELETE FROM vectors")           // want "not checked: SQLite cannot create vectors here"
	db.Exec("BEGIN")                         // want "not checked: BEGIN statements are not checked"
	db.Exec(run[1:])                         // want "not checked: the string is known only at run time"
	db.Query("SELECT * FROM aux.notes")      // want "not checked: schema aux is not main"
	db.Query("SELECT a ILIKE 'b'")           // want "not checked: SQL of another database: ilike"
	db.Query("SELECT * FROM series(1, 2)")   // want "not checked: series is a table-valued function"
	db.Query("SELECT * FROM notes")          // want "checked"

	where := ""
	if run != "" {
		where = " WHERE id = 1"
	}
	db.Exec("DELETE FROM notes" + where)    // want "on some ways to here, there is no WHERE" "checked"
	db.Exec("SELECT id FROM notes" + where) // want "checked"
}
