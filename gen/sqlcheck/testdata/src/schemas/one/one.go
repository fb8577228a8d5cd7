package one

import (
	"database/sql"

	_ "schemas/first"
	_ "schemas/second"
)

//lockstep:schema schemas/first

func one(db *sql.DB) {
	db.Query("SELECT name FROM users")
	db.Query("SELECT total FROM orders") // want "at version 0003: no such table: orders"
}
