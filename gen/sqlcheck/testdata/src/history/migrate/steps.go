package migrate

import (
	"database/sql"

	_ "migrations"
)

func split(tx *sql.Tx) {
	tx.Exec("INSERT INTO notes SELECT * FROM notes_old")
}
