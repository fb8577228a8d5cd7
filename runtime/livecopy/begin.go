package livecopy

import (
	"context"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// Begin begins a transaction of conn that has the lock for writing, and returns the
// version for [ReplaceIf]. Others who hold the lock are waited for until ctx ends; the
// error is then sqlite3.BUSY. The caller ends the transaction, if nothing else does.
func Begin(ctx context.Context, conn *sqlite3.Conn) (Version, error) {
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	if err := sqlite.Wait(ctx, func() error { return conn.Exec("BEGIN IMMEDIATE") }); err != nil {
		return 0, err
	}
	return ReadVersion(ctx, conn)
}
