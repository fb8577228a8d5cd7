package silent

import "database/sql"

func test(db *sql.DB) {
	db.Query("SELECT titel FROM accounts")
}
