package tests

import (
	"database/sql"

	_ "migrations"
)

func test(db *sql.DB) {
	db.Query("SELECT titel FROM notes") // want "at version 0007: no such column: titel" "decided in tests" "checked"
}
