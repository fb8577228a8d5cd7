package both

import (
	"database/sql"

	_ "schemas/first"
	_ "schemas/second"
)

func both(db *sql.DB) {
	db.Query("SELECT name FROM users")
	db.Query("SELECT total FROM orders")
	db.Query("SELECT name, total FROM users JOIN orders USING (id)")
	db.Query("SELECT total FROM users") // want "at version 0003 of schemas/first and version 0003 of schemas/second: no such column: total"
}
