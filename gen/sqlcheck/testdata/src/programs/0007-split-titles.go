package programs

import (
	"context"
	"database/sql"
)

const tags = "SELECT tags FROM notes"

// The schema was another then.
func migrate0007(ctx context.Context, tx *sql.Tx) error {
	if _, err := tx.ExecContext(ctx, "UPDATE notes SET body = heading"); err != nil {
		return err
	}
	return clean(ctx, tx)
}
