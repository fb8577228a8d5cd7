package silent

import (
	"database/sql"

	_ "github.com/lib/pq"
)

func postgres(db *sql.DB) {
	db.Query("SELECT titel FROM accounts WHERE id = $1")
}
