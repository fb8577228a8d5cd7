package gohost

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
)

// tx is what a migration gets. It runs SQL by a driver whose database is the parent.
type tx struct{ conn *sql.Conn }

func (t tx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return t.conn.ExecContext(ctx, query, args...)
}

func (t tx) PrepareContext(ctx context.Context, query string) (*sql.Stmt, error) {
	return t.conn.PrepareContext(ctx, query)
}

func (t tx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return t.conn.QueryContext(ctx, query, args...)
}

func (t tx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return t.conn.QueryRowContext(ctx, query, args...)
}

// open returns a pool with the one connection that a migration has.
func open(c *child, call int, file string) *sql.DB {
	return sql.OpenDB(&conn{child: c, call: call, file: file})
}

// conn is that connection, and what makes it. Package database/sql calls its
// methods, and those of its statements and rows, one at a time.
type conn struct {
	*child
	call int
	file string // of the migration
	used int    // how many requests there were other than for rows
}

func (c *conn) Connect(context.Context) (driver.Conn, error) { return c, nil }
func (c *conn) Driver() driver.Driver                        { return theDriver{} }
func (c *conn) Close() error                                 { return nil }

// theDriver is for those who ask a pool for its driver.
type theDriver struct{}

func (theDriver) Open(string) (driver.Conn, error) { return nil, errNoTransaction }

var errNoTransaction = errors.New("a migration has the one transaction that it is in")

func (c *conn) Begin() (driver.Tx, error) { return nil, errNoTransaction }

func (c *conn) Prepare(query string) (driver.Stmt, error) {
	return c.PrepareContext(context.Background(), query)
}

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	a, err := c.ask(ctx, &message{Kind: prepare, Query: query})
	if err != nil {
		return nil, err
	}
	return &stmt{c, a.Handle}, nil
}

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.exec(ctx, &message{Kind: execute, Query: query}, args)
}

func (c *conn) QueryContext(ctx context.Context, text string, args []driver.NamedValue) (driver.Rows, error) {
	return c.query(ctx, &message{Kind: query, Query: text}, args)
}

func (c *conn) exec(ctx context.Context, m *message, args []driver.NamedValue) (_ driver.Result, err error) {
	if m.Args, err = argsOf(args); err != nil {
		return nil, err
	}
	a, err := c.ask(ctx, m)
	if err != nil {
		return nil, err
	}
	return result{a.LastInsertID, a.RowsAffected}, nil
}

func (c *conn) query(ctx context.Context, m *message, args []driver.NamedValue) (_ driver.Rows, err error) {
	if m.Args, err = argsOf(args); err != nil {
		return nil, err
	}
	a, err := c.ask(ctx, m)
	if err != nil {
		return nil, err
	}
	return &rows{conn: c, ctx: ctx, handle: a.Handle, columns: a.Columns, used: -1, line: m.Line}, nil
}

// ask sends a request and returns the answer to it.
func (c *conn) ask(ctx context.Context, m *message) (*message, error) {
	m.Call = c.call
	if m.Kind != next && m.Kind != closeRows && m.Kind != closeStmt {
		m.Line = c.line()
	}
	if m.Kind != next {
		c.used++
	}
	a, err := c.request(ctx, m)
	if err != nil {
		return nil, err
	}
	if a.Err != nil {
		return nil, &sqlError{wire: a.Err, line: m.Line, context: ctx.Err()}
	}
	return a, nil
}

// line returns the line of the migration's file that is being run, or 0 when
// another goroutine runs it.
func (c *conn) line() int {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for more := true; more; {
		var f runtime.Frame
		if f, more = frames.Next(); filepath.Base(filepath.FromSlash(f.File)) == c.file {
			return f.Line
		}
	}
	return 0
}

// result is a driver's.
type result struct{ lastInsertID, rowsAffected int64 }

func (r result) LastInsertId() (int64, error) { return r.lastInsertID, nil }
func (r result) RowsAffected() (int64, error) { return r.rowsAffected, nil }

// stmt is a prepared statement, which the parent has.
type stmt struct {
	conn   *conn
	handle int
}

// NumInput leaves it to the parent to count.
func (s *stmt) NumInput() int { return -1 }

func (s *stmt) Close() error {
	_, err := s.conn.ask(context.Background(), &message{Kind: closeStmt, Handle: s.handle})
	return err
}

func (s *stmt) ExecContext(ctx context.Context, args []driver.NamedValue) (driver.Result, error) {
	return s.conn.exec(ctx, &message{Kind: execPrepared, Handle: s.handle}, args)
}

func (s *stmt) QueryContext(ctx context.Context, args []driver.NamedValue) (driver.Rows, error) {
	return s.conn.query(ctx, &message{Kind: queryPrepared, Handle: s.handle}, args)
}

// Exec and Query are for a time before contexts, and nobody calls them.
func (s *stmt) Exec([]driver.Value) (driver.Result, error) { return nil, driver.ErrSkip }
func (s *stmt) Query([]driver.Value) (driver.Rows, error)  { return nil, driver.ErrSkip }

// rows fetches rows as they are asked for: one, as a driver takes steps, so that
// what is done between two rows is between the two for SQLite, too. When nothing is
// done between, it fetches twice as many each time.
type rows struct {
	conn    *conn
	ctx     context.Context // of the query
	handle  int
	columns []string
	types   []columnType
	line    int // of the query in the migration

	fetched [][]value
	end     bool
	n       int
	used    int // the connection's, when rows were fetched
}

const mostRows = 256

func (r *rows) Columns() []string { return r.columns }

func (r *rows) Close() error {
	_, err := r.conn.ask(context.Background(), &message{Kind: closeRows, Handle: r.handle})
	return err
}

func (r *rows) Next(dest []driver.Value) error {
	if len(r.fetched) == 0 {
		if r.end {
			return io.EOF
		}
		r.n = min(2*r.n, mostRows)
		if r.used != r.conn.used || r.n == 0 {
			r.n = 1
		}
		r.used = r.conn.used
		a, err := r.conn.ask(r.ctx, &message{Kind: next, Handle: r.handle, N: r.n, Line: r.line})
		if err != nil {
			return err
		}
		r.fetched, r.end = a.Rows, a.End
		if len(r.fetched) == 0 {
			return io.EOF
		}
	}
	for i, v := range r.fetched[0] {
		dest[i] = v.get()
	}
	r.fetched = r.fetched[1:]
	return nil
}

// column asks for the types of the columns, once.
func (r *rows) column(i int) columnType {
	if r.types == nil {
		r.types = make([]columnType, len(r.columns))
		if a, err := r.conn.ask(r.ctx, &message{Kind: columnTypes, Handle: r.handle}); err == nil {
			copy(r.types, a.Types)
		}
	}
	return r.types[i]
}

func (r *rows) ColumnTypeDatabaseTypeName(i int) string { return r.column(i).Database }
func (r *rows) ColumnTypeScanType(i int) reflect.Type   { return scanType(r.column(i).Scan) }
func (r *rows) ColumnTypeNullable(i int) (nullable, ok bool) {
	return r.column(i).Nullable, r.column(i).Declared
}

// A sqlError is an error of the parent's database. It reads as the parent's driver
// has it, and tells SQLite's result code to those who ask in the way of the driver
// that the migration is written for, as far as that can be without it.
type sqlError struct {
	wire    *wireError
	line    int   // of the migration
	context error // of the request, if it has ended
}

func (e *sqlError) Error() string { return e.wire.Text }

// Code returns SQLite's extended result code. https://sqlite.org/rescode.html
func (e *sqlError) Code() int { return e.wire.Code }

func (e *sqlError) Unwrap() error {
	switch {
	case e.context != nil:
		return e.context
	case e.wire.Context == 1:
		return context.Canceled
	case e.wire.Context == 2:
		return context.DeadlineExceeded
	}
	return nil
}

// Is makes errors.Is(err, sqlite3.CONSTRAINT) work: the constants of drivers are
// numbers of a type of their own.
func (e *sqlError) Is(target error) bool {
	code, ok := codeIn(reflect.ValueOf(target))
	return ok && code != 0 && (code == e.wire.Code || code == e.wire.Code&0xff)
}

// As fills in a result code of a driver's type, and a struct that has two of them,
// as mattn/go-sqlite3 has.
func (e *sqlError) As(target any) bool {
	v := reflect.ValueOf(target).Elem()
	if e.wire.Code == 0 || !strings.Contains(v.Type().PkgPath(), "sqlite") {
		return false
	}
	if _, ok := codeIn(v); ok {
		set(v, e.wire.Code)
		return true
	}
	if v.Kind() != reflect.Struct {
		return false
	}
	code, extended := v.FieldByName("Code"), v.FieldByName("ExtendedCode")
	if _, ok := codeIn(code); !ok {
		return false
	}
	set(code, e.wire.Code&0xff)
	if _, ok := codeIn(extended); ok {
		set(extended, e.wire.Code)
	}
	return true
}

// codeIn returns the number that v is, if it is of a type for result codes.
func codeIn(v reflect.Value) (int, bool) {
	if !v.IsValid() || !strings.Contains(v.Type().PkgPath(), "sqlite") {
		return 0, false
	}
	switch v.Kind() {
	case reflect.Int, reflect.Int32, reflect.Int64:
		return int(v.Int()), true
	case reflect.Uint8, reflect.Uint16, reflect.Uint32:
		return int(v.Uint()), true
	}
	return 0, false
}

// set stores a result code: a type of one byte has the primary one.
func set(v reflect.Value, code int) {
	if v.Kind() == reflect.Uint8 {
		code &= 0xff
	}
	if v.CanInt() {
		v.SetInt(int64(code))
	} else {
		v.SetUint(uint64(code))
	}
}
