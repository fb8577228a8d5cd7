package lockstep

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A tx is the [Tx] that a migration gets. It is a *sql.Tx, without what ends one,
// of a pool whose only connection is the session.
type tx struct {
	session *session
	inner   *sql.Tx
}

func (t *tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	res, err := t.inner.ExecContext(ctx, query, args...)
	t.session.note(query, err)
	return res, err
}

func (t *tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	stmt, err := t.inner.PrepareContext(ctx, query)
	t.session.note(query, err)
	return stmt, err
}

func (t *tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := t.inner.QueryContext(ctx, query, args...)
	t.session.note(query, err)
	return rows, err
}

func (t *tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	row := t.inner.QueryRowContext(ctx, query, args...)
	t.session.note(query, row.Err())
	return row
}

// A session is what a migration written in Go sees of the connection of the
// upgrade. *sql.Stmt and *sql.Rows are what the migration works with, and they can
// only be had of a pool, so the session stands below one: it is the driver's
// connection for package database/sql, and passes on what it is asked to the real
// one. Nothing that the migration does gets around it.
//
// It keeps the promise that an upgrade is one transaction. What would end the
// transaction is refused. Some errors end it, too (ROLLBACK as a conflict clause,
// a full disk, an interrupted INSERT), and what is executed then is committed
// statement by statement: so nothing is done any more once something has failed.
//
// https://sqlite.org/lang_conflict.html
type session struct {
	upgrade *upgrade
	ctx     context.Context // of the migration; it ends with it, too
	cancel  context.CancelFunc

	running atomic.Int32 // statements
	over    atomic.Bool  // the migration has returned

	abandoned bool // statements were running then

	mu      sync.Mutex        // is held while the real connection is in use
	closed  bool              // the real connection is not to be touched any more
	open    map[any]io.Closer // the real connection's statements and rows, by those that stand for them
	checked string            // the text that was looked at last
	cause   error             // the first error
	failed  error             // the same, with the statement
}

// run calls the function of a migration in the transaction of the upgrade.
func (p goProgram) run(ctx context.Context, u *upgrade, _ *pending) error {
	before, err := u.readOwn(ctx)
	if err != nil {
		return err
	}
	if err := p.call(ctx, u); err != nil {
		return err
	}
	// The function may have returned nil all the same.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := u.inTransaction(ctx); err != nil {
		return err
	}
	// The generator sees the statements of an SQL migration. Of this one it does not
	// know what they will be, so what is looked at is what they have done.
	switch after, err := u.readOwn(ctx); {
	case err != nil:
		return err
	case after != before:
		return errOwn
	}
	return nil
}

var errOwn = errors.New("_meta and _lockstep_history are lockstep's, and the migration has changed them; leave them alone")

// Replay runs the function as an upgrade does, in the transaction that is open on
// conn. It is for the generator, which has no upgrade.
func (p goProgram) Replay(ctx context.Context, conn *sql.Conn) error {
	u := &upgrade{gate: &gate{config: configure(nil), conn: conn}}
	defer u.restore(ctx)
	return p.run(ctx, u, nil)
}

// call calls the function. However that ends, with a panic too, the session is over
// before anything else is done with the connection.
func (p goProgram) call(ctx context.Context, u *upgrade) (err error) {
	s := &session{upgrade: u, open: make(map[any]io.Closer)}
	s.ctx, s.cancel = context.WithCancel(ctx)
	db := sql.OpenDB(connector{s})
	// Whether the context has ended is looked at where its error can be returned.
	inner, err := db.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		s.cancel()
		db.Close()
		return err
	}
	defer func() {
		s.end(func() {
			inner.Rollback() // of nothing: it closes what database/sql holds
			db.Close()
		})
		err = s.result(err)
	}()
	return p.migrate(s.ctx, &tx{s, inner})
}

// end takes the connection away from the migration.
func (s *session) end(dispose func()) {
	s.over.Store(true)
	if s.running.Load() > 0 {
		s.abandoned = true
		s.cancel()
	}
	s.mu.Lock()
	reading := false
	for _, real := range s.open {
		_, rows := real.(driver.Rows)
		reading = reading || rows
		s.raw(func(driver.Conn) error { return real.Close() })
	}
	s.closed, s.open = true, nil
	s.mu.Unlock()
	s.cancel()
	if reading {
		// Rows that hold an sql.RawBytes, or in whose Scan there was a panic, cannot
		// be closed by anybody but the migration. The connection is out of reach.
		go dispose()
	} else {
		dispose()
	}
}

// result returns the error of a migration whose function has returned err.
func (s *session) result(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.abandoned:
		return errors.New("the function has returned while a goroutine of it was using lockstep.Tx; wait for it")
	case s.failed == nil:
		return err
	}
	_, notDone := err.(*notDoneError)
	switch {
	case err == nil, notDone, err.Error() == s.cause.Error():
		return s.failed
	case errors.Is(err, s.cause) || errors.Is(err, s.failed):
		return err
	}
	return &explainedError{err, s.failed}
}

// An explainedError is an error of the function that does not wrap the one of the
// statement that failed.
type explainedError struct{ err, failed error }

func (e *explainedError) Unwrap() []error { return []error{e.failed, e.err} }

func (e *explainedError) Error() string {
	text := e.err.Error()
	if statement := (*statementError)(nil); errors.As(e.failed, &statement) && strings.Contains(text, sqlite.Sentence(statement.err)) {
		return text // with %v, for instance
	}
	return text + ": " + e.failed.Error()
}

// A notDoneError is what becomes of statements behind the one that failed.
type notDoneError struct{ failed error }

func (e *notDoneError) Unwrap() error { return e.failed }

func (e *notDoneError) Error() string {
	return "not done, because a statement before it has failed: " + e.failed.Error()
}

// A statementError names the statement that failed.
type statementError struct {
	query string
	err   error
}

func (e *statementError) Unwrap() error { return e.err }

func (e *statementError) Error() string {
	const limit = 80
	text := strings.Join(strings.Fields(e.query), " ")
	if short := []rune(text); len(short) > limit {
		text = string(short[:limit]) + "…"
	}
	return text + ": " + sqlite.Sentence(e.err)
}

// do has the real connection do f, which executes query or goes on with it.
func (s *session) do(ctx context.Context, query string, f func(context.Context, driver.Conn) error) error {
	s.running.Add(1)
	defer s.running.Add(-1)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.over.Load():
		return sql.ErrTxDone
	case s.failed != nil:
		return &notDoneError{s.failed}
	}
	err := s.check(query)
	if err == nil {
		err = s.ctx.Err()
	}
	if err == nil {
		err = s.raw(func(c driver.Conn) error { return f(ctx, c) })
	}
	s.fail(query, err)
	if err == nil {
		s.report()
	}
	return err
}

// doWithin is do for what is done when f returns: the context of the migration
// ends it, too, whatever the statement was given for one.
func (s *session) doWithin(ctx context.Context, query string, f func(context.Context, driver.Conn) error) error {
	ctx, cancel := s.within(ctx)
	defer cancel()
	return s.do(ctx, query, f)
}

// within returns a context that ends when ctx does or the migration.
func (s *session) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Done() == s.ctx.Done() {
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(s.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// raw calls f with the real connection, which nobody else uses meanwhile.
func (s *session) raw(f func(driver.Conn) error) error {
	if s.closed {
		return sql.ErrTxDone
	}
	return s.upgrade.conn.Raw(func(c any) error { return f(c.(driver.Conn)) })
}

// look is raw for what executes nothing.
func (s *session) look(f func(driver.Conn) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.raw(f)
}

// note notes an error that package database/sql may have found itself.
func (s *session) note(query string, err error) {
	if err != nil && !s.over.Load() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fail(query, err)
	}
}

// fail notes the first error.
func (s *session) fail(query string, err error) {
	if err == nil || err == io.EOF || errors.Is(err, driver.ErrSkip) || s.failed != nil {
		return
	}
	s.cause, s.failed = err, err
	if _, ok := err.(refusal); !ok {
		s.failed = &statementError{query, err}
	}
}

// release closes what key stands for.
func (s *session) release(key any, query string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	real, ok := s.open[key]
	if !ok {
		return nil
	}
	delete(s.open, key)
	err := s.raw(func(driver.Conn) error { return real.Close() })
	s.fail(query, err)
	return err
}

// A refusal is the text of an error about a statement that is named in it.
type refusal string

func (r refusal) Error() string { return string(r) }

// check returns a refusal if a statement of the query is none for a migration, and
// notes the settings that it is about to change.
func (s *session) check(query string) error {
	if query == s.checked {
		return nil
	}
	for _, stmt := range sqltext.Parse(query).Cut() {
		switch keyword := stmt.Keyword(); keyword {
		case "begin", "commit", "end", "rollback", "savepoint", "release":
			return refusal(strings.ToUpper(keyword) + ": the transaction is that of the whole upgrade; return nil to keep what the migration did, and an error to undo it")
		case "attach", "detach":
			return refusal(strings.ToUpper(keyword) + ": a migration is about one database; copy between files in the program")
		case "vacuum":
			return refusal(`VACUUM: cannot run inside a transaction; put it into an SQL migration of its own whose first line is "-- lockstep: no-transaction"`)
		}
		switch name, sets := stmt.SetsConnection(); {
		case sets && name == "foreign_keys":
			return refusal("PRAGMA foreign_keys: does nothing inside a transaction; they are off during an upgrade, and checked at its end")
		case sets:
			return refusal("PRAGMA " + name + ": not for a migration; set it where the program opens the database")
		case guarded[name]:
			if err := s.upgrade.note(s.ctx, name); err != nil {
				return err
			}
		}
	}
	s.checked = query
	return nil
}

// report reports progress now and then.
func (s *session) report() {
	const often = 100 * time.Millisecond
	if u := s.upgrade; u.progress != nil && time.Since(u.reported) >= often {
		u.report(s.ctx, u.doing, u.reported, false)
	}
}

// readOwn reads all that lockstep has written to the database.
func (u *upgrade) readOwn(ctx context.Context) (string, error) {
	var b strings.Builder
	read := func(q string, see func(text string)) error {
		return u.query(ctx, q, func(scan scanner) error {
			var text sql.NullString
			err := scan(&text)
			b.WriteString(text.String + "\n")
			see(text.String)
			return err
		})
	}
	// A temporary table would be in the way of the one with its name.
	var tables []string
	err := read(`SELECT 'main ' || type || ' ' || name || ' ' || sql FROM sqlite_master WHERE lower(tbl_name) IN ('_meta', '_lockstep_history')
UNION ALL SELECT 'temp ' || type || ' ' || name || ' ' || sql FROM sqlite_temp_master WHERE lower(tbl_name) IN ('_meta', '_lockstep_history')`, func(object string) {
		for _, table := range []string{"_meta", "_lockstep_history"} {
			if strings.HasPrefix(object, "main table "+table+" ") {
				tables = append(tables, table)
			}
		}
	})
	for _, table := range tables {
		columns := "id, version"
		if table == "_lockstep_history" {
			columns = "version, file, checksum, applied_at, duration_ms, program, digest, fingerprint, cookie"
		}
		if err == nil {
			q := "SELECT quote(" + strings.ReplaceAll(columns, ", ", ") || quote(") + ") FROM main." + table + " ORDER BY rowid"
			err = read(q, func(string) {})
		}
	}
	return b.String(), err
}

// connector makes the session the connection of a pool.
type connector struct{ *session }

func (c connector) Connect(context.Context) (driver.Conn, error) { return sessionConn(c), nil }
func (c connector) Driver() driver.Driver                        { return nil }

// sessionConn is the session as a connection of package database/sql. What the
// real one does not have is driver.ErrSkip, and database/sql goes another way.
type sessionConn struct{ *session }

var _ interface {
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
} = sessionConn{}

// The transaction is there already, and is not the migration's to end.
func (c sessionConn) Begin() (driver.Tx, error)                                    { return c, nil }
func (c sessionConn) BeginTx(context.Context, driver.TxOptions) (driver.Tx, error) { return c, nil }
func (c sessionConn) Commit() error                                                { return nil }
func (c sessionConn) Rollback() error                                              { return nil }
func (c sessionConn) Close() error                                                 { return nil }

func (c sessionConn) CheckNamedValue(v *driver.NamedValue) error {
	return c.look(func(real driver.Conn) error {
		if checker, ok := real.(driver.NamedValueChecker); ok {
			return checker.CheckNamedValue(v)
		}
		return driver.ErrSkip
	})
}

func (c sessionConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (res driver.Result, err error) {
	err = c.doWithin(ctx, query, func(ctx context.Context, real driver.Conn) (err error) {
		execer, ok := real.(driver.ExecerContext)
		if !ok {
			return driver.ErrSkip
		}
		res, err = execer.ExecContext(ctx, query, args)
		return err
	})
	return res, err
}

func (c sessionConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, query, func(ctx context.Context, real driver.Conn) (driver.Rows, error) {
		queryer, ok := real.(driver.QueryerContext)
		if !ok {
			return nil, driver.ErrSkip
		}
		return queryer.QueryContext(ctx, query, args)
	})
}

func (c sessionConn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c sessionConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	stmt := &sessionStmt{conn: c, text: query}
	err := c.doWithin(ctx, query, func(ctx context.Context, real driver.Conn) (err error) {
		if preparer, ok := real.(driver.ConnPrepareContext); ok {
			stmt.real, err = preparer.PrepareContext(ctx, query)
		} else {
			stmt.real, err = real.Prepare(query)
		}
		if err == nil {
			stmt.inputs = stmt.real.NumInput()
			c.open[stmt] = stmt.real
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return stmt, nil
}

// query returns the rows that f does. They read under the context until they are
// closed.
func (s *session) query(ctx context.Context, query string, f func(context.Context, driver.Conn) (driver.Rows, error)) (driver.Rows, error) {
	rows := &sessionRows{session: s, text: query}
	ctx, rows.cancel = s.within(ctx)
	err := s.do(ctx, query, func(ctx context.Context, real driver.Conn) (err error) {
		if rows.real, err = f(ctx, real); err == nil {
			s.open[rows] = rows.real
		}
		return err
	})
	if err != nil {
		rows.cancel()
		return nil, err
	}
	return rows, nil
}

// sessionStmt is a prepared statement of the real connection.
type sessionStmt struct {
	conn   sessionConn
	real   driver.Stmt
	text   string
	inputs int
}

var _ interface {
	driver.StmtExecContext
	driver.StmtQueryContext
	driver.NamedValueChecker
} = (*sessionStmt)(nil)

func (st *sessionStmt) Close() error { return st.conn.release(st, st.text) }

// NumInput leaves it to arguments to count them: database/sql would say nothing to
// the session when it finds too few.
func (st *sessionStmt) NumInput() int { return -1 }

func (st *sessionStmt) arguments(args []driver.NamedValue) error {
	if st.inputs >= 0 && len(args) != st.inputs {
		return fmt.Errorf("sql: expected %d arguments, got %d", st.inputs, len(args))
	}
	return nil
}

func (st *sessionStmt) CheckNamedValue(v *driver.NamedValue) error {
	err := st.conn.look(func(real driver.Conn) error {
		if checker, ok := st.real.(driver.NamedValueChecker); ok {
			return checker.CheckNamedValue(v)
		}
		if checker, ok := real.(driver.NamedValueChecker); ok {
			return checker.CheckNamedValue(v)
		}
		return driver.ErrSkip
	})
	if err == driver.ErrSkip { // as database/sql would
		v.Value, err = driver.DefaultParameterConverter.ConvertValue(v.Value)
	}
	if err != driver.ErrRemoveArgument {
		st.conn.note(st.text, err)
	}
	return err
}

func (st *sessionStmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (st *sessionStmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

func (st *sessionStmt) ExecContext(ctx context.Context, args []driver.NamedValue) (res driver.Result, err error) {
	err = st.conn.doWithin(ctx, st.text, func(ctx context.Context, _ driver.Conn) (err error) {
		if err := st.arguments(args); err != nil {
			return err
		}
		if execer, ok := st.real.(driver.StmtExecContext); ok {
			res, err = execer.ExecContext(ctx, args)
			return err
		}
		values, err := positional(args)
		if err == nil {
			//lint:ignore SA1019 a driver that implements nothing else has this
			res, err = st.real.Exec(values)
		}
		return err
	})
	return res, err
}

func (st *sessionStmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return st.conn.query(ctx, st.text, func(ctx context.Context, _ driver.Conn) (driver.Rows, error) {
		if err := st.arguments(args); err != nil {
			return nil, err
		}
		if queryer, ok := st.real.(driver.StmtQueryContext); ok {
			return queryer.QueryContext(ctx, args)
		}
		values, err := positional(args)
		if err != nil {
			return nil, err
		}
		//lint:ignore SA1019 a driver that implements nothing else has this
		return st.real.Query(values)
	})
}

// positional returns arguments for a driver that knows none with names.
func positional(args []driver.NamedValue) ([]driver.Value, error) {
	values := make([]driver.Value, len(args))
	for i, arg := range args {
		if arg.Name != "" {
			return nil, errors.New("sql: driver does not support the use of Named Parameters")
		}
		values[i] = arg.Value
	}
	return values, nil
}

// sessionRows are rows of the real connection. Of what a driver may know of
// columns and the real one does not, it says what database/sql would.
type sessionRows struct {
	session *session
	real    driver.Rows
	text    string
	cancel  context.CancelFunc
}

var _ interface {
	driver.RowsNextResultSet
	driver.RowsColumnTypeDatabaseTypeName
	driver.RowsColumnTypeLength
	driver.RowsColumnTypeNullable
	driver.RowsColumnTypePrecisionScale
	driver.RowsColumnTypeScanType
} = (*sessionRows)(nil)

func (r *sessionRows) Close() error {
	defer r.cancel()
	return r.session.release(r, r.text)
}

func (r *sessionRows) Next(dest []driver.Value) error {
	return r.session.do(r.session.ctx, r.text, func(context.Context, driver.Conn) error { return r.real.Next(dest) })
}

func (r *sessionRows) NextResultSet() error {
	return r.session.do(r.session.ctx, r.text, func(context.Context, driver.Conn) error {
		if sets, ok := r.real.(driver.RowsNextResultSet); ok {
			return sets.NextResultSet()
		}
		return io.EOF
	})
}

// look calls f with the real rows, if they are still there.
func (r *sessionRows) look(f func(real driver.Rows)) {
	r.session.look(func(driver.Conn) error {
		if _, ok := r.session.open[r]; ok {
			f(r.real)
		}
		return nil
	})
}

func (r *sessionRows) HasNextResultSet() (has bool) {
	r.look(func(real driver.Rows) {
		if sets, ok := real.(driver.RowsNextResultSet); ok {
			has = sets.HasNextResultSet()
		}
	})
	return has
}

func (r *sessionRows) Columns() (names []string) {
	r.look(func(real driver.Rows) { names = real.Columns() })
	return names
}

func (r *sessionRows) ColumnTypeDatabaseTypeName(i int) (name string) {
	r.look(func(real driver.Rows) {
		if typed, ok := real.(driver.RowsColumnTypeDatabaseTypeName); ok {
			name = typed.ColumnTypeDatabaseTypeName(i)
		}
	})
	return name
}

func (r *sessionRows) ColumnTypeLength(i int) (length int64, ok bool) {
	r.look(func(real driver.Rows) {
		if typed, is := real.(driver.RowsColumnTypeLength); is {
			length, ok = typed.ColumnTypeLength(i)
		}
	})
	return length, ok
}

func (r *sessionRows) ColumnTypeNullable(i int) (nullable, ok bool) {
	r.look(func(real driver.Rows) {
		if typed, is := real.(driver.RowsColumnTypeNullable); is {
			nullable, ok = typed.ColumnTypeNullable(i)
		}
	})
	return nullable, ok
}

func (r *sessionRows) ColumnTypePrecisionScale(i int) (precision, scale int64, ok bool) {
	r.look(func(real driver.Rows) {
		if typed, is := real.(driver.RowsColumnTypePrecisionScale); is {
			precision, scale, ok = typed.ColumnTypePrecisionScale(i)
		}
	})
	return precision, scale, ok
}

func (r *sessionRows) ColumnTypeScanType(i int) reflect.Type {
	typ := reflect.TypeFor[any]()
	r.look(func(real driver.Rows) {
		if typed, ok := real.(driver.RowsColumnTypeScanType); ok {
			typ = typed.ColumnTypeScanType(i)
		}
	})
	return typ
}
