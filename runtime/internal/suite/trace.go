package suite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A tracer records the statements that a pool executes.
type tracer struct {
	inner driver.Driver
	dsn   string

	mu         sync.Mutex
	statements []string
	before     func(n int) error // called before statement n, from 1; its error is the statement's
	after      func(n int) error // the same, once it has taken effect
	lost       error             // what lasts on a connection on which it has happened, or nil
	calls      int               // of the driver: to connect, to prepare, to execute, for a row
	loseAt     int               // the call at which a connection is lost; 0 is none
	silent     atomic.Bool       // nothing has an answer, as from a server that is paused
	unaware    bool              // the driver does not tell the pool that a connection is lost
	swallow    string            // errors of statements that contain this are not passed on
	version    string            // that SQLite is to say it has, unless ""
	ignore     string            // a statement that is not executed, as if it had been
	given      time.Duration     // for how long the last BEGIN IMMEDIATE might wait
}

// trace opens a pool on the file and records its statements.
func (t *test) trace(s Settings) (*sql.DB, *tracer) {
	t.Helper()
	dsn := t.driver.DSN(t.path, s)
	tr := &tracer{inner: t.openDSN(dsn).Driver(), dsn: dsn}
	db := sql.OpenDB(tr)
	t.Cleanup(func() { db.Close() })
	return db, tr
}

// take returns the recorded statements and forgets them.
func (tr *tracer) take() string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	defer func() { tr.statements = nil }()
	return strings.Join(tr.statements, "\n")
}

// waits waits for an answer, as long as the context lasts.
func (tr *tracer) waits(ctx context.Context) error {
	for tr.silent.Load() {
		select {
		case <-ctx.Done():
			return cmp.Or(tr.lost, ctx.Err())
		case <-time.After(time.Second):
		}
	}
	return nil
}

// called counts a call.
func (tr *tracer) called() error {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	if tr.calls++; tr.calls == tr.loseAt {
		return tr.lost
	}
	return nil
}

func (tr *tracer) note(q string) error {
	tr.mu.Lock()
	tr.statements = append(tr.statements, q)
	n, before := len(tr.statements), tr.before
	tr.mu.Unlock()
	if before != nil {
		return before(n)
	}
	return nil
}

// done is called after a statement that returns no rows.
func (tr *tracer) done() error {
	tr.mu.Lock()
	n, after := len(tr.statements), tr.after
	tr.mu.Unlock()
	if after == nil {
		return nil
	}
	return after(n)
}

// lose has connections lost before, or after, the statements n for which at says so: the
// driver returns err, and what is executed on the connection then fails too.
func (tr *tracer) lose(err error, after bool, at func(n int) bool) {
	f := func(n int) error {
		if at(n) {
			return err
		}
		return nil
	}
	if after {
		tr.after = f
	} else {
		tr.before = f
	}
	tr.lost = err
}

// pretend returns the statement to execute.
func (tr *tracer) pretend(q string) string {
	if q == "SELECT sqlite_version()" && tr.version != "" {
		return "SELECT '" + tr.version + "'"
	}
	return q
}

// interfere calls f before each statement. A nil f ends that.
func (tr *tracer) interfere(f func(n int) error) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.statements, tr.before = nil, f
}

// forget drops the last record: the statement will come again.
func (tr *tracer) forget() {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.statements = tr.statements[:len(tr.statements)-1]
}

func (tr *tracer) Driver() driver.Driver { return tr.inner }

func (tr *tracer) Connect(ctx context.Context) (driver.Conn, error) {
	if err := tr.waits(ctx); err != nil {
		return nil, err
	}
	if err := tr.called(); err != nil {
		return nil, err
	}
	c, err := tr.inner.Open(tr.dsn)
	if err != nil {
		return nil, err
	}
	return &tracedConn{Conn: c, tr: tr}, nil
}

type tracedConn struct {
	driver.Conn
	tr   *tracer
	lost bool
}

// note has the tracer note a statement. A connection that is lost stays so.
func (c *tracedConn) note(q string) error {
	if err := c.called(); err != nil {
		return err
	}
	return c.fail(c.tr.note(q))
}

// called is before each call.
func (c *tracedConn) called() error {
	if c.lost {
		return c.tr.lost
	}
	return c.fail(c.tr.called())
}

func (c *tracedConn) fail(err error) error {
	c.lost = c.lost || err != nil && err == c.tr.lost
	return err
}

func (c *tracedConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	inner, ok := c.Conn.(driver.ExecerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	if err := c.note(q); err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok && q == "BEGIN IMMEDIATE" {
		c.tr.given = time.Until(end)
	}
	if q == c.tr.ignore {
		return driver.ResultNoRows, nil
	}
	res, err := inner.ExecContext(ctx, q, args)
	if errors.Is(err, driver.ErrSkip) {
		c.tr.forget()
	} else if err != nil && c.tr.swallow != "" && strings.Contains(q, c.tr.swallow) {
		return driver.ResultNoRows, nil
	}
	if err == nil {
		err = c.fail(c.tr.done())
	}
	return res, err
}

func (c *tracedConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	inner, ok := c.Conn.(driver.QueryerContext)
	if !ok {
		return nil, driver.ErrSkip
	}
	if err := cmp.Or(c.tr.waits(ctx), c.note(q)); err != nil {
		return nil, err
	}
	rows, err := inner.QueryContext(ctx, c.tr.pretend(q), args)
	if errors.Is(err, driver.ErrSkip) {
		c.tr.forget()
	}
	return c.rows(rows, err)
}

func (c *tracedConn) PrepareContext(ctx context.Context, q string) (driver.Stmt, error) {
	if err := cmp.Or(c.tr.waits(ctx), c.note(q)); err != nil {
		return nil, err
	}
	st, err := c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, c.tr.pretend(q))
	if err == nil && c.tr.loseAt > 0 {
		st = &tracedStmt{st, c}
	}
	return st, err
}

// rows are traced if a connection is to be lost. (The drivers' have more methods.)
func (c *tracedConn) rows(rows driver.Rows, err error) (driver.Rows, error) {
	if err == nil && c.tr.loseAt > 0 {
		rows = &tracedRows{rows, c}
	}
	return rows, err
}

type tracedRows struct {
	driver.Rows
	of *tracedConn
}

func (r *tracedRows) Next(dest []driver.Value) error {
	if err := r.of.called(); err != nil {
		return err
	}
	return r.Rows.Next(dest)
}

type tracedStmt struct {
	driver.Stmt
	of *tracedConn
}

func (s *tracedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	if err := s.of.called(); err != nil {
		return nil, err
	}
	return s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
}

func (s *tracedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	if err := s.of.called(); err != nil {
		return nil, err
	}
	return s.of.rows(s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args))
}

func (c *tracedConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if err := c.note("(BeginTx)"); err != nil {
		return nil, err
	}
	return c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
}

func (c *tracedConn) ResetSession(ctx context.Context) error {
	if inner, ok := c.Conn.(driver.SessionResetter); ok {
		return inner.ResetSession(ctx)
	}
	return nil
}

func (c *tracedConn) IsValid() bool {
	if c.lost {
		return c.tr.unaware
	}
	if inner, ok := c.Conn.(driver.Validator); ok {
		return inner.IsValid()
	}
	return true
}
