package lockstep

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A guard keeps a Go migration inside the upgrade's transaction. To package database/sql it
// is a driver's connection, with a pool of its own. It passes calls on to the upgrade's
// connection while the transaction is open.
//
// A wrapper around *sql.Conn would not be enough: it has to return *sql.Stmt and *sql.Rows,
// which go on working when an error has ended the transaction, and SQLite commits each
// statement by itself, and when the function has returned. And after a panic in a Scan,
// database/sql does not let anybody close the rows, or the connection that they are of.
type guard struct {
	conn      *conn // of the upgrade
	progress  *reporter
	around    func(query string, run func() error) error // executes each statement, unless nil
	ctx       context.Context                            // of the migration; ends with it
	cancel    context.CancelFunc
	users     atomic.Int32 // calls that have not returned
	over      atomic.Bool  // the function has returned
	abandoned bool         // when there were users

	mu     sync.Mutex         // held while the upgrade's connection is in use
	open   map[io.Closer]bool // its statements and rows
	last   *explainedError    // of the last call, nil if it succeeded
	failed *explainedError    // why nothing is executed anymore
}

// do calls f, which executes query on the upgrade's connection, unless the function has
// returned or nothing is to be executed anymore.
func (g *guard) do(query string, f func() error) error {
	g.users.Add(1)
	defer g.users.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.over.Load():
		return sql.ErrTxDone
	case g.failed != nil:
		return fmt.Errorf("not executed, because an earlier statement failed: %w", g.failed)
	}
	err := g.ctx.Err()
	if err == nil {
		err = f()
	}
	g.last = nil
	g.note(query, err)
	if err == nil {
		g.progress.again(g.ctx)
	}
	return err
}

// note notes an error and, if it ended the transaction, that nothing is to be executed
// anymore.
func (g *guard) note(query string, err error) {
	if err == nil || err == io.EOF {
		return
	}
	g.last = statementError(query, err)
	if r := refusal(""); errors.As(err, &r) {
		g.failed = &explainedError{string(r), err, nil}
	} else if g.conn.inTransaction(context.WithoutCancel(g.ctx)) != nil {
		g.failed = g.last
	}
}

// A refusal is an error that names the statement.
type refusal string

func (r refusal) Error() string { return string(r) }

// check returns a refusal if the query has a statement that no migration may execute. It
// notes settings that the query changes, so that they are restored.
func (g *guard) check(query string) error {
	for _, stmt := range sqltext.Parse(query).Cut() {
		switch keyword := stmt.Keyword(); keyword {
		case "begin", "commit", "end", "rollback", "savepoint", "release":
			return refusal(strings.ToUpper(keyword) + ": the upgrade is one transaction; return nil to keep the migration's changes, an error to roll back")
		case "attach", "detach":
			return refusal(strings.ToUpper(keyword) + ": a migration changes one database; copy between files in the program")
		case "vacuum":
			return refusal(`VACUUM: cannot run inside a transaction; put it in an SQL migration of its own whose first line is "-- lockstep: no-transaction"`)
		}
		name, sets := stmt.SetsConnection()
		switch {
		case sets && name == "foreign_keys":
			return refusal("PRAGMA foreign_keys does nothing inside a transaction; foreign keys are off during an upgrade, and checked at its end")
		case sets:
			return refusal("PRAGMA " + name + " changes the connection, not the database; set it where the program opens the database")
		}
		if err := g.conn.noteBefore(g.ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// within returns a context that ends with ctx, and with the migration's.
func (g *guard) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// release closes rows or a statement of the upgrade's connection.
func (g *guard) release(c io.Closer, query string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.open[c] {
		return nil
	}
	delete(g.open, c)
	err := c.Close()
	g.note(query, err)
	return err
}

// end takes the connection away from the migration and disposes of the migration's pool.
func (g *guard) end(dispose func()) {
	g.over.Store(true)
	if g.users.Load() > 0 {
		g.abandoned = true
		g.cancel()
	}
	g.mu.Lock()
	reading := false
	for c := range g.open {
		if rows, ok := c.(*sql.Rows); ok {
			reading = true
			rows.Close()
		}
	}
	for c := range g.open {
		c.Close()
	}
	g.open = nil
	g.mu.Unlock()
	g.cancel()
	if reading {
		go dispose() // waits for rows that a panic in Scan or an sql.RawBytes has locked
	} else {
		dispose()
	}
}

// result returns the error of a migration whose function returned err.
func (g *guard) result(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	failed := cmp.Or(g.failed, g.last)
	switch {
	case g.abandoned:
		return errors.New("the function returned while one of its goroutines was using lockstep.Tx; wait for the goroutine")
	case g.failed != nil && (err == nil || errors.Unwrap(err) == error(g.failed)): // see do
		return g.failed
	case err == nil || failed == nil:
		return err
	case err.Error() == failed.cause.Error():
		return failed
	case errors.Is(err, failed.cause):
		return err
	}
	// The function has replaced the error of the statement, but perhaps kept its text.
	text := err.Error()
	if !strings.Contains(text, sqlite.Sentence(failed.cause)) {
		text += ": " + failed.text
	}
	return &explainedError{text, failed.cause, err}
}

// An explainedError is the error of a statement, or that and the one that the function
// returned, with a text of its own.
type explainedError struct {
	text       string
	cause, err error
}

func (e *explainedError) Error() string   { return e.text }
func (e *explainedError) Unwrap() []error { return []error{e.cause, e.err} }

// statementError returns an error that names the statement.
func statementError(query string, err error) *explainedError {
	const limit = 80
	text := strings.Join(strings.Fields(query), " ")
	if short := []rune(text); len(short) > limit {
		text = string(short[:limit]) + "…"
	}
	return &explainedError{text: text + ": " + sqlite.Sentence(err), cause: err}
}

// The guard is the driver, its only connection, and the transaction, which is open already.
var _ interface {
	driver.Connector
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Tx
} = (*guard)(nil)

func (g *guard) Connect(context.Context) (driver.Conn, error) { return g, nil }
func (g *guard) Driver() driver.Driver                        { return nil }
func (g *guard) Begin() (driver.Tx, error)                    { return g, nil }
func (g *guard) Commit() error                                { return nil }
func (g *guard) Rollback() error                              { return nil }
func (g *guard) Close() error                                 { return nil }

// CheckNamedValue leaves arguments to the upgrade's connection.
func (g *guard) CheckNamedValue(*driver.NamedValue) error { return nil }

func (g *guard) Prepare(query string) (driver.Stmt, error) {
	return g.PrepareContext(context.Background(), query)
}

func (g *guard) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	ctx, cancel := g.within(ctx)
	defer cancel()
	st := &guardedStmt{guard: g, query: query}
	err := st.do(func() (err error) {
		if st.real, err = g.conn.PrepareContext(ctx, query); err == nil {
			g.open[st.real] = true
		}
		return err
	})
	return st, err
}

func (g *guard) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return (&guardedStmt{guard: g, query: query}).ExecContext(ctx, args)
}

func (g *guard) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return (&guardedStmt{guard: g, query: query}).QueryContext(ctx, args)
}

// A guardedStmt is a statement of the migration. To package database/sql it is a driver's.
type guardedStmt struct {
	*guard
	query string
	real  *sql.Stmt // of the upgrade's connection; nil if not prepared
}

var _ interface {
	driver.StmtExecContext
	driver.StmtQueryContext
} = (*guardedStmt)(nil)

// do is [guard.do] for a statement that is about to be prepared or executed.
func (st *guardedStmt) do(f func() error) error {
	run := func() (err error) {
		if st.real == nil {
			err = st.check(st.query)
		}
		if err == nil {
			err = f()
		}
		return err
	}
	return st.guard.do(st.query, func() error {
		if st.around != nil {
			return st.around(st.query, run)
		}
		return run()
	})
}

func (st *guardedStmt) Close() error { return st.release(st.real, st.query) }

// NumInput leaves it to the real statement to count them.
func (st *guardedStmt) NumInput() int { return -1 }

func (st *guardedStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	ctx, cancel := st.within(ctx)
	defer cancel()
	err = st.do(func() (err error) {
		if st.real != nil {
			res, err = st.real.ExecContext(ctx, values(args)...)
		} else {
			res, err = st.conn.ExecContext(ctx, st.query, values(args)...)
		}
		return err
	})
	return res, err
}

// QueryContext returns rows that are read with the context until they are closed.
func (st *guardedStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	rows := &guardedRows{guardedStmt: st}
	ctx, rows.cancel = st.within(ctx)
	err := st.do(func() (err error) {
		if st.real != nil {
			rows.real, err = st.real.QueryContext(ctx, values(args)...)
		} else {
			rows.real, err = st.conn.QueryContext(ctx, st.query, values(args)...)
		}
		if err != nil {
			return err
		}
		st.open[rows.real] = true
		rows.columns, err = rows.real.Columns()
		return err
	})
	if err != nil {
		rows.cancel()
		return nil, err
	}
	rows.row, rows.to = make([]any, len(rows.columns)), make([]any, len(rows.columns))
	for i := range rows.row {
		rows.to[i] = &rows.row[i]
	}
	return rows, nil
}

// Package database/sql does not call Exec and Query.
func (st *guardedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (st *guardedStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// values returns arguments as ExecContext and QueryContext take them.
func values(args []driver.NamedValue) []any {
	values := make([]any, len(args))
	for i, arg := range args {
		values[i] = arg.Value
		if arg.Name != "" {
			values[i] = sql.Named(arg.Name, arg.Value)
		}
	}
	return values
}

// guardedRows are rows of the migration. To package database/sql they are a driver's.
type guardedRows struct {
	*guardedStmt
	real    *sql.Rows
	cancel  context.CancelFunc
	columns []string
	row, to []any // values, and pointers to them
}

func (r *guardedRows) Columns() []string { return r.columns }

func (r *guardedRows) Close() error {
	defer r.cancel()
	return r.release(r.real, r.query)
}

func (r *guardedRows) Next(dest []driver.Value) error {
	return r.guard.do(r.query, func() error {
		if !r.real.Next() {
			return cmp.Or(r.real.Err(), io.EOF)
		}
		err := r.real.Scan(r.to...)
		for i, v := range r.row {
			dest[i] = v
		}
		return err
	})
}
