package history

import (
	"database/sql"

	_ "github.com/pressly/goose/v3"
)

func fill(tx *sql.Tx) {
	tx.Exec("UPDATE notes SET heading = title")
}
