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

// A guard keeps a Go migration inside the transaction of the upgrade. It is a driver's
// connection, to which a pool of its own belongs, and passes on what it is asked to do to
// the connection of the upgrade.
//
// It has to be below package database/sql, because a migration gets *sql.Stmt and
// *sql.Rows. Those of the upgrade's connection could be used after an error has ended the
// transaction, when each statement is committed by itself, and after the function has
// returned; and when a Scan panics, nobody can close its rows and get at the connection
// again. These here are the migration's, and the real ones are the guard's.
type guard struct {
	conn      *conn // of the upgrade
	progress  *reporter
	around    func(query string, run func() error) error // executes each statement, unless nil
	ctx       context.Context                            // of the migration; ends with it
	cancel    context.CancelFunc
	users     atomic.Int32 // calls that are running
	over      atomic.Bool  // the function has returned
	abandoned bool         // with calls still running

	mu     sync.Mutex         // held while the real connection is in use
	open   map[io.Closer]bool // the real statements and rows
	last   *explainedError    // of the last call, nil if it succeeded
	failed *explainedError    // why nothing is executed any more
}

// do calls f, which has the real connection execute query, unless the migration has
// returned or failed. After an error it finds out whether the transaction is still open.
func (g *guard) do(query string, f func() error) error {
	g.users.Add(1)
	defer g.users.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.over.Load():
		return sql.ErrTxDone
	case g.failed != nil:
		return fmt.Errorf("not done, because a statement before it has failed: %w", g.failed)
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

// note notes an error, and whether it has ended the transaction.
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

// A refusal is an error that names the statement by itself.
type refusal string

func (r refusal) Error() string { return string(r) }

// check returns a refusal if the query has a statement that no migration may execute, and
// notes the settings that it changes, to be put back.
func (g *guard) check(query string) error {
	for _, stmt := range sqltext.Parse(query).Cut() {
		switch keyword := stmt.Keyword(); keyword {
		case "begin", "commit", "end", "rollback", "savepoint", "release":
			return refusal(strings.ToUpper(keyword) + ": the transaction is that of the whole upgrade; return nil to keep what the migration did, and an error to undo it")
		case "attach", "detach":
			return refusal(strings.ToUpper(keyword) + ": a migration changes one database; copy between files in the program")
		case "vacuum":
			return refusal(`VACUUM: cannot run inside a transaction; put it in an SQL migration of its own whose first line is "-- lockstep: no-transaction"`)
		}
		name, sets := stmt.SetsConnection()
		switch {
		case sets && name == "foreign_keys":
			return refusal("PRAGMA foreign_keys: does nothing inside a transaction; they are off during an upgrade, and checked at its end")
		case sets:
			return refusal("PRAGMA " + name + ": not for a migration; set it where the program opens the database")
		}
		if err := g.conn.noteBefore(g.ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// within returns a context that ends when ctx ends or the migration's.
func (g *guard) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// release closes real rows or a real statement.
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

// end takes the connection away from the migration, and disposes of its pool.
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
		go dispose() // it waits for rows that a panic in Scan, or an sql.RawBytes, has locked
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
		return errors.New("the function has returned while a goroutine of it was using lockstep.Tx; wait for it")
	case g.failed != nil && (err == nil || errors.Unwrap(err) == error(g.failed)): // not done
		return g.failed
	case err == nil || failed == nil:
		return err
	case err.Error() == failed.cause.Error():
		return failed
	case errors.Is(err, failed.cause):
		return err
	}
	// It does not wrap the error of the statement that failed right before. It may have
	// its words.
	text := err.Error()
	if !strings.Contains(text, sqlite.Sentence(failed.cause)) {
		text += ": " + failed.text
	}
	return &explainedError{text, failed.cause, err}
}

// An explainedError is an error with another text, or two errors.
type explainedError struct {
	text       string
	cause, err error
}

func (e *explainedError) Error() string   { return e.text }
func (e *explainedError) Unwrap() []error { return []error{e.cause, e.err} }

// statementError returns the error of a statement with the statement in its text.
func statementError(query string, err error) *explainedError {
	const limit = 80
	text := strings.Join(strings.Fields(query), " ")
	if short := []rune(text); len(short) > limit {
		text = string(short[:limit]) + "…"
	}
	return &explainedError{text: text + ": " + sqlite.Sentence(err), cause: err}
}

// The guard is the driver, its one connection, and the transaction that is open already.
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

// CheckNamedValue leaves it to the real connection to check arguments.
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

// A guardedStmt is a statement of the migration.
type guardedStmt struct {
	*guard
	query string
	real  *sql.Stmt // nil if it is not prepared
}

var _ interface {
	driver.StmtExecContext
	driver.StmtQueryContext
} = (*guardedStmt)(nil)

// do is do of the guard for what begins to execute the statement.
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

// NumInput leaves it to the real statement to count arguments.
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

// QueryContext returns rows that are read under the context until they are closed.
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

// Exec and Query are from before there were contexts. Nobody calls them.
func (st *guardedStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (st *guardedStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// values returns arguments as methods of package database/sql take them.
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

// guardedRows are rows of the migration.
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
