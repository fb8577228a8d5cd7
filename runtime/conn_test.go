package lockstep

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// The errors of the drivers have these shapes.
type (
	moderncError struct { // modernc.org/sqlite
		msg  string
		code int
	}
	ncrucesError struct { // github.com/ncruces/go-sqlite3
		msg  string
		code uint8
	}
	ncrucesErrorCode uint8
)

func (e *moderncError) Error() string          { return e.msg }
func (e *moderncError) Code() int              { return e.code }
func (e *ncrucesError) Error() string          { return e.msg }
func (e *ncrucesError) Code() ncrucesErrorCode { return ncrucesErrorCode(e.code) }

func TestRollback(t *testing.T) {
	for _, c := range []struct {
		claim      string
		statements []string
	}{
		{"EndsTheTransaction", []string{"BEGIN"}},
		{"DoesNotMindThatItHasEnded", []string{"BEGIN", "ROLLBACK"}},
	} {
		t.Run(c.claim, func(t *testing.T) {
			db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "data.db"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			pooled, err := db.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer pooled.Close()
			on := &conn{Conn: pooled, begun: true}
			for _, q := range c.statements {
				if err := on.exec(t.Context(), q); err != nil {
					t.Fatal(err)
				}
			}
			on.rollback(t.Context())
			if err := sqlite.InTransaction(t.Context(), pooled); err == nil || on.begun {
				t.Error("a transaction is open")
			}
			if err := pooled.PingContext(t.Context()); err != nil {
				t.Errorf("the connection was discarded: %v", err)
			}
		})
	}
}
