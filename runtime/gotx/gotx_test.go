package gotx_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"testing"
	"time"

	sqlite3 "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime/gotx"
)

// An oldConn has what every driver has, and nothing of what came later: no contexts, no names
// of arguments, no queries that are not prepared.
type oldConn struct{ real driver.Conn }

func (c oldConn) Prepare(query string) (driver.Stmt, error) {
	st, err := c.real.Prepare(query)
	return oldStmt{st}, err
}
func (c oldConn) Close() error              { return c.real.Close() }
func (c oldConn) Begin() (driver.Tx, error) { return nil, driver.ErrSkip }

type oldStmt struct{ real driver.Stmt }

func (s oldStmt) Close() error  { return s.real.Close() }
func (s oldStmt) NumInput() int { return s.real.NumInput() }
func (s oldStmt) Exec(args []driver.Value) (driver.Result, error) {
	return s.real.(driver.StmtExecContext).ExecContext(context.Background(), named(args))
}
func (s oldStmt) Query(args []driver.Value) (driver.Rows, error) {
	return s.real.(driver.StmtQueryContext).QueryContext(context.Background(), named(args))
}

func named(args []driver.Value) []driver.NamedValue {
	values := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		values[i] = driver.NamedValue{Ordinal: i + 1, Value: arg}
	}
	return values
}

type oldDriver struct{}

func (oldDriver) Connect(context.Context) (driver.Conn, error) {
	c, err := (&sqlite3.SQLite{}).Open(":memory:")
	return oldConn{c}, err
}
func (oldDriver) Driver() driver.Driver { return nil }

// upgrade is one in which nothing goes wrong but what the migration does.
var upgrade = gotx.Upgrade{
	InTransaction: func(context.Context) error { return nil },
	Setting:       func(context.Context, string) error { return nil },
	Executed:      func(context.Context) {},
}

// connect returns the connection of an upgrade.
func connect(t *testing.T, d driver.Connector) *sql.Conn {
	t.Helper()
	db := sql.OpenDB(d)
	t.Cleanup(func() { db.Close() })
	on, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { on.Close() })
	return on
}

func TestDriverWithoutContexts(t *testing.T) {
	conn := connect(t, oldDriver{})
	got := ""
	err := gotx.Call(t.Context(), conn, upgrade, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "CREATE TABLE notes (title TEXT)")
		if err == nil {
			_, err = tx.ExecContext(ctx, "INSERT INTO notes VALUES (?)", sql.NullString{String: "first", Valid: true})
		}
		if err == nil {
			err = tx.QueryRowContext(ctx, "SELECT title FROM notes WHERE title = ?", "first").Scan(&got)
		}
		return err
	})
	if got != "first" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	err = gotx.Call(t.Context(), conn, upgrade, func(ctx context.Context, tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO notes VALUES (?)", 1, 2)
		return err
	})
	if got, want := err.Error(), "INSERT INTO notes VALUES (?): sql: expected 1 arguments, got 2"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A busyConn cannot execute a statement while rows are open.
type busyConn struct {
	oldConn
	open *int
}

func (c busyConn) Prepare(query string) (driver.Stmt, error) {
	st, err := c.real.Prepare(query)
	return busyStmt{oldStmt{st}, c.open}, err
}

type busyStmt struct {
	oldStmt
	open *int
}

func (s busyStmt) Exec(args []driver.Value) (driver.Result, error) {
	if *s.open > 0 {
		return nil, errors.New("short message")
	}
	return s.oldStmt.Exec(args)
}

func (s busyStmt) Query(args []driver.Value) (driver.Rows, error) {
	rows, err := s.oldStmt.Query(args)
	*s.open++
	return busyRows{rows, s.open}, err
}

type busyRows struct {
	driver.Rows
	open *int
}

func (r busyRows) Close() error {
	*r.open--
	return r.Rows.Close()
}

type busyDriver struct{ oldDriver }

func (d busyDriver) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.oldDriver.Connect(ctx)
	return busyConn{c.(oldConn), new(int)}, err
}

type panicking struct{}

func (panicking) Scan(any) error { panic("scanned") }

func TestWhole(t *testing.T) {
	on := connect(t, busyDriver{})
	u := upgrade
	u.Whole = true
	t.Run("RowsAreReadBeforeAnotherStatementRuns", func(t *testing.T) {
		err := gotx.Call(t.Context(), on, u, func(ctx context.Context, tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, "CREATE TABLE t (x BLOB, y)"); err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, "INSERT INTO t (x) VALUES (x'01'), (x'02'), (x'03')"); err != nil {
				return err
			}
			rows, err := tx.QueryContext(ctx, "SELECT x FROM t")
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				var x []byte
				if err := rows.Scan(&x); err != nil {
					return err
				}
				if _, err := tx.ExecContext(ctx, "UPDATE t SET y = hex(x) WHERE x = ?", x); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := on.QueryRowContext(t.Context(), "SELECT group_concat(y) FROM t").Scan(&got); err != nil || got != "01,02,03" {
			t.Errorf("got %s, %v", got, err)
		}
	})
	t.Run("APanicInAScanDoesNotWaitForTheRows", func(t *testing.T) {
		defer func() {
			if got := recover(); got != "scanned" {
				t.Errorf("got %v", got)
			}
		}()
		gotx.Call(t.Context(), on, u, func(ctx context.Context, tx *sql.Tx) error {
			rows, err := tx.QueryContext(ctx, "SELECT x FROM t")
			if err == nil && rows.Next() {
				err = rows.Scan(panicking{})
			}
			return err
		})
	})
	t.Run("RowsWithoutAnEndEndWithTheContext", func(t *testing.T) { // though the driver does not look at it
		err := gotx.Call(t.Context(), on, u, func(ctx context.Context, tx *sql.Tx) error {
			brief, cancel := context.WithTimeout(ctx, time.Millisecond)
			defer cancel()
			_, err := tx.QueryContext(brief, "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n")
			return err
		})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
}

// A countedConn knows which of its statements are open.
type countedConn struct {
	oldConn
	open map[string]bool
}

func (c countedConn) Prepare(query string) (driver.Stmt, error) {
	st, err := c.real.Prepare(query)
	c.open[query] = true
	return countedStmt{oldStmt{st}, query, c.open}, err
}

type countedStmt struct {
	oldStmt
	query string
	open  map[string]bool
}

func (s countedStmt) Close() error {
	delete(s.open, s.query)
	return s.oldStmt.Close()
}

type countedDriver struct {
	oldDriver
	open map[string]bool
}

func (d countedDriver) Connect(ctx context.Context) (driver.Conn, error) {
	c, err := d.oldDriver.Connect(ctx)
	return countedConn{c.(oldConn), d.open}, err
}

func TestStatementsCloseInAnyOrder(t *testing.T) {
	open := map[string]bool{}
	on := connect(t, countedDriver{open: open})
	queries := []string{"SELECT 0", "SELECT 1", "SELECT 2", "SELECT 3", "SELECT 4"}
	err := gotx.Call(t.Context(), on, upgrade, func(ctx context.Context, tx *sql.Tx) error {
		var stmts []*sql.Stmt
		for _, q := range queries {
			st, err := tx.PrepareContext(ctx, q)
			if err != nil {
				return err
			}
			stmts = append(stmts, st)
		}
		for _, i := range []int{1, 4, 0, 0} {
			if err := stmts[i].Close(); err != nil {
				return err
			}
		}
		if len(open) != 2 || !open["SELECT 2"] || !open["SELECT 3"] {
			t.Errorf("open are %v, want SELECT 2 and 3", open)
		}
		for i := 2; i < 4; i++ {
			var got int
			if err := stmts[i].QueryRowContext(ctx).Scan(&got); err != nil || got != i {
				t.Errorf("got %d, %v, want %d", got, err, i)
			}
		}
		_, err := stmts[3].QueryContext(ctx) // rows that nobody closes
		return err
	})
	if err != nil || len(open) > 0 {
		t.Errorf("got %v, open are %v", err, open)
	}
}
