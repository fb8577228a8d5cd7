package lockstep_test

import (
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

func TestRollback(t *testing.T) {
	for _, c := range []struct{ claim, statement string }{
		{"EndsTheTransaction", "INSERT INTO customers VALUES (41, 'again');"},
		{"DoesNotMindThatItHasEnded", "INSERT OR ROLLBACK INTO customers VALUES (41, 'again');"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			path, opened := fileAt(t, shop, 1), 0
			rows(t, connect(t, path), "INSERT INTO customers VALUES (41, 'before') RETURNING id")
			db, err := driver.Open(dsn(path), func(*sqlite3.Conn) error { opened++; return nil })
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			db.SetMaxOpenConns(1)
			initial, _, _ := strings.Cut(shop, "-- 0002")
			if err := lockstep.Migrate(t.Context(), db, schema(t, initial+"-- 0002-again.sql --\n"+c.statement, 2)); err == nil {
				t.Fatal("the migration took effect")
			}
			conn, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := sqlite.InTransaction(t.Context(), conn); err == nil {
				t.Error("a transaction is open")
			}
			if opened != 1 {
				t.Errorf("the connection was discarded: %d were opened", opened)
			}
		})
	}
}
