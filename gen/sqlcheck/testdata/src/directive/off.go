package directive

import "database/sql"

//lockstep:off

func off(db *sql.DB) {
	db.Query("SELECT titel FROM notes")
}
