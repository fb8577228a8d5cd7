package none

import (
	"database/sql"

	_ "schemas/first"
)

//lockstep:schema none

func none(db *sql.DB) {
	db.Query("SELECT total FROM orders")
}
