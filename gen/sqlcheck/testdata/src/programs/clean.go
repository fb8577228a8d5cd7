package programs

import (
	"context"
	"database/sql"
)

func clean(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM notes WHERE heading = ''") // want "no such column: heading"
	return err
}
