package lockstep

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// A Querier is a transaction: a *sql.Tx, a *sql.Conn on which one has begun, or what another
// package makes of these.
type Querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// CheckTx returns nil if the database is at the version that s expects, and stays there as
// long as the transaction tx sees it: until it ends. Otherwise it returns the error of
// [Check], mostly [ErrAhead]; the caller rolls back. It reads one row.
//
// No upgrade can commit in between. With a rollback journal it waits for whoever has read.
// In WAL mode it does not wait; but the transaction goes on seeing the old version, and
// SQLite refuses its first statement that writes (SQLITE_BUSY_SNAPSHOT), unless it began
// IMMEDIATE, for which the upgrade has to wait. A connection without a transaction sees the
// version of that moment. A pool is refused.
//
// CheckTx does not wait for locks longer than the driver does ([ErrBusy]). It does not compare
// the history or the tables. Statements of migrations without a transaction take effect
// before the version that they lead to.
func CheckTx(ctx context.Context, tx Querier, s *Schema) error {
	if _, pool := tx.(interface{ Stats() sql.DBStats }); pool {
		return &Error{Expected: s.Expected, Detail: "CheckTx of a pool says nothing about other connections; pass the transaction"}
	}
	return (&conn{expected: s.Expected}).checkVersion(ctx, tx, s)
}

// checkVersion returns an error unless the database is at the version, as read on a connection.
func (c *conn) checkVersion(ctx context.Context, on Querier, s *Schema) error {
	st := &state{}
	err := c.readVersion(on.QueryRowContext(ctx, versionQuery).Scan, st)
	if err == nil && st.version == s.Expected {
		return nil
	}
	c.file = sqlite.File(on.QueryRowContext(context.WithoutCancel(ctx), sqlite.FileQuery).Scan)
	st.db = c.file
	e, unreadable := err.(*Error)
	switch {
	case err == nil:
		e = judge(s, st, nil).refusal
		if e.Kind == ErrAhead {
			e.Detail = "upgraded by a newer program while this one ran"
		}
		return e
	case unreadable:
		e.DB = c.file
		return e
	case sqlite.IsBusy(err):
		return &Error{Kind: ErrBusy, DB: c.file, Expected: s.Expected, Detail: "locked by another connection", Err: err}
	case ctx.Err() != nil:
		return c.interrupted(ctx, err)
	}
	var unread error
	if st.objects, unread = sqlite.Objects(ctx, on); unread == nil && !st.ours() {
		return judge(s, st, nil).refusal
	}
	if unread != nil && sqlite.Code(err) == 0 { // the transaction has ended, or the connection is lost
		return err
	}
	return c.unreadable(err, "")
}

// Watch returns when the database stops being at the version that s expects, while the program
// runs: with the error of [Check], mostly [ErrAhead], or with [ErrReplaced]. The program
// should end then, so that whoever supervises it starts the newer release. Watch returns nil
// when ctx ends.
//
// Once in an interval ([WithInterval]) it asks SQLite whether another connection has written to
// the database, and reads the version if so. It never writes, takes the lock of a reader for
// an instant and no other, and goes on while the database is locked. It keeps a connection for
// itself. If the pool is limited ([sql.DB.SetMaxOpenConns]) it takes one for each look
// instead, when one is free. If it cannot connect or read for a minute ([WithTimeout]), it
// returns [ErrUnreachable] or [ErrUnreadable].
//
// What is written after an upgrade and before the next look, [CheckTx] keeps out.
func Watch(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	w := watch{config: configure(opts), schema: s}
	w.at = sqlite.Lookout{DB: db, Timeout: w.timeout}
	defer w.at.Leave()
	for {
		if err := w.look(ctx); err != nil {
			return err
		}
		if !sqlite.Pause(ctx, max(cmp.Or(w.interval, time.Second), time.Millisecond)) {
			return nil
		}
	}
}

// watch is one call of Watch.
type watch struct {
	*config
	schema *Schema
	at     sqlite.Lookout
	lost   time.Time // since when there has been no answer; zero if there is one
}

// look returns the refusal, or nil to look again.
func (w *watch) look(ctx context.Context) error {
	w.lost = cmp.Or(w.lost, time.Now())
	err := w.at.Look(ctx, func(ctx context.Context, on *sql.Conn) error {
		return (&conn{expected: w.schema.Expected}).checkVersion(ctx, on, w.schema)
	})
	if err == nil || ctx.Err() != nil || sqlite.IsBusy(err) || sqlite.IsInterrupt(err) {
		w.lost = time.Time{}
		return nil
	}
	e := (*Error)(nil)
	if !errors.As(err, &e) {
		e = (&conn{file: w.at.File, expected: w.schema.Expected}).unreadable(err, "")
	}
	switch {
	case errors.Is(err, sqlite.ErrReplaced):
		return &Error{Kind: ErrReplaced, DB: w.at.File, Expected: w.schema.Expected,
			Detail: "deleted, or replaced by another file, while this program had it open; start again to use what is there"}
	case errors.Is(err, sqlite.ErrClosed):
		return err
	case e.Err == nil || sqlite.Code(err) != 0 && !sqlite.IsOfFile(err): // which does not pass
		return e
	case time.Since(w.lost) > w.timeout:
		if e.Detail = "no answer for " + w.timeout.String(); sqlite.IsLost(err) {
			e.Kind = ErrUnreachable
		}
		return e
	}
	w.at.Leave() // the next look connects
	return nil
}
