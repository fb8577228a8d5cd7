package history

import "database/sql"

func rename(tx *sql.Tx) {
	tx.Exec("INSERT INTO notes SELECT * FROM notes_old") //lockstep:ignore it was there
}
