package several

import (
	"database/sql"

	_ "github.com/ncruces/go-sqlite3/driver"
	_ "migrations"
)

func several(db *sql.DB) {
	db.Query("SELECT 1; SELECT 2")                                 // want "second statement: the driver accepts only one"
	db.Exec("DELETE FROM users WHERE id = ?; DELETE FROM tags", 1) // want "second statement: the driver accepts only one with arguments"
	db.Exec("DELETE FROM users; DELETE FROM tag")                  // want "at version 0007: no such table: tag"
	db.Exec("DELETE FROM users; DELETE FROM tags")
	db.Query("SELECT 1; -- and that is all")
}
