package lockstep

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// A conn is a connection that lockstep works on.
type conn struct {
	*sql.Conn
	file     string  // the database, as SQLite names it, or ":memory:"; "" until it is known
	begun    bool    // a transaction may be open
	expected Version // by the program
	settings sqlite.Settings
}

func (c *conn) exec(ctx context.Context, q string, args ...any) error {
	_, err := c.ExecContext(ctx, q, args...)
	return err
}

// read reads the one value that a query returns.
func (c *conn) read(ctx context.Context, q string, to any) error {
	return c.row(ctx, q)(to)
}

// row returns what reads the one row that a query returns.
func (c *conn) row(ctx context.Context, q string) sqlite.Scan {
	return func(dest ...any) error { return sqlite.Read(ctx, c.Conn, q, dest...) }
}

// readFile finds out what to call the database in errors. It takes no lock.
func (c *conn) readFile(ctx context.Context) {
	if c.file == "" {
		c.file = sqlite.File(c.row(ctx, sqlite.FileQuery))
	}
}

// unreadable returns the error for a database whose version cannot be read.
func (c *conn) unreadable(err error, format string, args ...any) *Error {
	e := &Error{Kind: ErrUnreadable, DB: c.file, Expected: c.expected, Detail: fmt.Sprintf(format, args...), Err: err}
	if err != nil {
		e.Err = sqlite.Forbidden(err, c.file)
	}
	if sqlite.IsReadOnly(err) {
		e.Detail = "to read it, SQLite has to write beside it (WAL mode, or a journal to roll back)"
	}
	return e
}

// waitToRead waits for others' locks, in a transaction if one is open. It reads a number and
// parses nothing, so that only a lock, and not a large schema or history, can take it long.
// Whatever else is wrong shows again to who reads more.
func (c *conn) waitToRead(limited context.Context) error {
	var cookie int64
	err := c.read(limited, "PRAGMA schema_version", &cookie)
	if sqlite.IsBusy(err) || sqlite.IsInterrupt(err) {
		return err
	}
	return nil
}

// begin begins a transaction.
func (c *conn) begin(ctx context.Context, q string) error {
	err := c.exec(ctx, q)
	c.begun = c.begun || err == nil || ctx.Err() != nil // it may have begun before it was interrupted
	return err
}

// commit commits the transaction.
func (c *conn) commit(ctx context.Context) error {
	err := c.exec(ctx, "COMMIT")
	c.begun = c.begun && err != nil
	return err
}

// rollback ends the transaction, if there is one, even after ctx has ended: drivers do not
// end it when a connection goes back to the pool. A connection on which that fails is
// discarded, which ends it too.
func (c *conn) rollback(ctx context.Context) {
	if !c.begun {
		return
	}
	c.begun = false
	err := c.exec(context.WithoutCancel(ctx), "ROLLBACK")
	// Some errors roll back by themselves. SQLite has no code for that answer.
	// https://sqlite.org/lang_transaction.html
	if err != nil && !strings.Contains(err.Error(), "no transaction is active") {
		sqlite.Discard(c.Conn)
	}
}

// protect has what is written next survive a loss of power, until restore: see
// [sqlite.Settings.Protect].
func (c *conn) protect(ctx context.Context) error {
	c.readFile(ctx)
	return c.settings.Protect(ctx, c.Conn, c.file)
}

// restore gives the connection its settings back, even after ctx has ended. No transaction
// may be open. A connection on which a setting does not take is discarded.
func (c *conn) restore(ctx context.Context) {
	if !c.settings.Restore(context.WithoutCancel(ctx), c.Conn) {
		sqlite.Discard(c.Conn)
	}
}
