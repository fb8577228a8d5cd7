package lockstep

import (
	"database/sql"
	"path/filepath"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"
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

func TestBusyAndNoTransaction(t *testing.T) {
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "data.db")+"?_pragma=busy_timeout(0)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
		t.Fatal(err)
	}
	_, locked := db.ExecContext(t.Context(), "CREATE TABLE t (n)")
	_, syntax := conn.ExecContext(t.Context(), "INSERT INTO")
	if !isBusy(locked) || isBusy(syntax) || resultCode(locked) != codeBusy {
		t.Errorf("busy is not told from the others: %v, %v", locked, syntax)
	}
	_, ended := conn.ExecContext(t.Context(), "ROLLBACK")
	_, again := conn.ExecContext(t.Context(), "ROLLBACK")
	if ended != nil || !isNoTransaction(again) {
		t.Errorf("got %v and %v, want nothing and no transaction", ended, again)
	}
}
