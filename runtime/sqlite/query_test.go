package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"reflect"
	"runtime"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

func TestEach(t *testing.T) {
	db := open(t)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	db.SetMaxOpenConns(0)

	t.Run("ConvertsAsDatabaseSQLDoes", func(t *testing.T) {
		for _, value := range []string{"7", "-1", "1.5", "'text'", "'12'", "''", "x'6263'", "x''", "NULL", "9223372036854775807", "1"} {
			for _, to := range []func() any{
				func() any { return new(string) }, func() any { return new(int) }, func() any { return new(int64) },
				func() any { return new(any) }, func() any { return new(sql.NullString) }, func() any { return new(sql.NullInt64) },
			} {
				got, want := to(), to()
				unread := sqlite.Read(t.Context(), conn, "SELECT "+value, got)
				refused := db.QueryRowContext(t.Context(), "SELECT "+value).Scan(want)
				if !reflect.DeepEqual(got, want) || (unread == nil) != (refused == nil) {
					t.Errorf("%s into %T: got %#v and %v, want %#v and %v", value, got, reflect.ValueOf(got).Elem(), unread, reflect.ValueOf(want).Elem(), refused)
				}
			}
		}
	})
	for name, on := range map[string]sqlite.DB{"OnAConnection": conn, "OnAPool": db} {
		t.Run("ReturnsErrors"+name, func(t *testing.T) {
			over, end := context.WithCancel(t.Context())
			end()
			if err := sqlite.Read(over, on, "SELECT 1", new(int)); !sqlite.IsInterrupt(err) {
				t.Errorf("got %v, want that of the context", err)
			}
			mine := errors.New("mine")
			if err := sqlite.Each(t.Context(), on, "SELECT 1", func(sqlite.Scan) error { return mine }); err != mine {
				t.Errorf("got %v, want the caller's", err)
			}
			if err := sqlite.Read(t.Context(), on, "SELECT 1 WHERE false", new(int)); err != sql.ErrNoRows {
				t.Errorf("got %v, want that there is no row", err)
			}
			var first int
			if err := sqlite.Read(t.Context(), on, "VALUES (1), (2)", &first); err != nil || first != 1 {
				t.Errorf("got %d and %v, want the first row", first, err)
			}
			for _, query := range []string{"SELECT 1, 2", "SELECT * FROM missing", "SELECT abs(-9223372036854775807 - 1)"} { //lockstep:ignore sql: it is to fail
				if err := sqlite.Read(t.Context(), on, query, new(int)); err == nil {
					t.Errorf("no error of %s", query)
				}
			}
		})
	}
	t.Run("StopsWhenTheContextEnds", func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		n := 0
		err := sqlite.Each(ctx, conn, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n", func(sqlite.Scan) error {
			if n++; n == 3 {
				end()
			}
			return nil
		})
		if n != 3 || !sqlite.IsInterrupt(err) {
			t.Errorf("read %d rows, and got %v", n, err)
		}
	})
	t.Run("StartsNoGoroutine", func(t *testing.T) {
		ctx, end := context.WithCancel(t.Context())
		defer end()
		before := runtime.NumGoroutine()
		err := sqlite.Each(ctx, conn, "SELECT 1", func(sqlite.Scan) error {
			if n := runtime.NumGoroutine(); n > before {
				t.Errorf("%d goroutines were started", n-before)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}
