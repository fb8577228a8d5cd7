package lockstep

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
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
	err := c.readVersion(on.QueryRowContext(ctx, versionQuery), st)
	if err == nil && st.version == s.Expected {
		return nil
	}
	c.file = fileIn(on.QueryRowContext(context.WithoutCancel(ctx), fileQuery))
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
	unread := err
	if all, ok := on.(sqlite.DB); ok {
		if st.objects, unread = sqlite.Objects(ctx, all); unread == nil && !st.ours() {
			return judge(s, st, nil).refusal
		}
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
// the database, and reads the version if so. It never writes, takes the lock of a reader
// for an instant and no other, and goes on while the database is locked. It keeps a connection for itself. If the
// pool is limited ([sql.DB.SetMaxOpenConns]) it takes one for each look instead, when one
// is free. If it cannot connect or read for a minute ([WithTimeout]), it returns
// [ErrUnreadable].
//
// What is written after an upgrade and before the next look, [CheckTx] keeps out.
func Watch(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	w := watch{config: configure(opts), db: db, schema: s}
	defer w.leave()
	ticker := time.NewTicker(max(cmp.Or(w.interval, time.Second), time.Millisecond))
	defer ticker.Stop()
	for {
		if err := w.look(ctx); ctx.Err() != nil || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// watch is one call of Watch.
type watch struct {
	config
	db     *sql.DB
	schema *Schema
	conn   *conn  // nil between looks, if the pool is limited
	own    bool   // conn is nobody else's
	seen   string // PRAGMA data_version of it, when the database was at the version

	path string      // of the file
	file os.FileInfo // nil if there is none
	lost time.Time   // since when there is no answer; zero if there is one
}

// look returns the refusal, or nil to look again.
func (w *watch) look(ctx context.Context) error {
	err := w.see(ctx)
	if err == nil || ctx.Err() != nil || sqlite.IsBusy(err) || sqlite.IsInterrupt(err) {
		w.lost = time.Time{}
		return nil
	}
	e := (*Error)(nil)
	known, unreadable := errors.As(err, &e), (&conn{file: w.path, expected: w.schema.Expected}).unreadable
	switch lasts := sqlite.Code(err) != 0 && !sqlite.IsOfFile(err); {
	case known && (lasts || e.Err == nil):
		return err
	case lasts:
		return unreadable(err, "")
	case w.lost.IsZero():
		w.lost = time.Now()
	case time.Since(w.lost) > w.timeout:
		return unreadable(err, "no answer for %v", w.timeout)
	}
	w.leave() // the next look connects
	return nil
}

// see returns nil if the database is at the version.
func (w *watch) see(ctx context.Context) error {
	limited := w.db.Stats().MaxOpenConnections > 0
	if limited {
		w.leave()
		defer w.leave()
	}
	if err := w.replaced(); err != nil {
		return err
	}
	if err := w.connect(ctx, limited); err != nil {
		return err
	}
	var now string
	if w.own {
		if err := w.conn.read(ctx, "PRAGMA data_version", &now); err != nil || now == w.seen {
			return err
		}
	}
	err := w.conn.checkVersion(ctx, w.conn.Conn, w.schema)
	if err == nil {
		w.seen = now
	}
	return err
}

// replaced returns an error if the file has another, or none, in its place: the program's
// connections go on with the old one.
func (w *watch) replaced() error {
	if w.file == nil {
		return nil
	}
	now, err := os.Stat(w.path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(w.file, now) {
		return &Error{Kind: ErrReplaced, DB: w.path, Expected: w.schema.Expected,
			Detail: "deleted, or replaced by another file, while this program had it open; start again to use what is there"}
	}
	return nil
}

// connect takes a connection, if there is none. It returns an error if the program has closed
// the pool.
func (w *watch) connect(ctx context.Context, limited bool) error {
	if w.conn != nil {
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if _, err := w.db.Conn(ended); !errors.Is(err, context.Canceled) {
			return &Error{Expected: w.schema.Expected, DB: w.path, Detail: err.Error()}
		}
		return nil
	}
	pooled, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	w.conn, w.own, w.seen = &conn{Conn: pooled, expected: w.schema.Expected}, !limited, ""
	if w.own {
		// It is never to wait: drivers do not interrupt that.
		err = w.conn.exec(ctx, "PRAGMA busy_timeout = 0")
	}
	if w.conn.readFile(ctx); w.path == "" && w.conn.file != "" {
		w.path = w.conn.file
		w.file, _ = os.Stat(w.path)
	}
	return err
}

// leave gives the connection up.
func (w *watch) leave() {
	if w.conn == nil {
		return
	}
	if w.own {
		w.conn.discard()
	}
	w.conn.Close()
	w.conn = nil
}
