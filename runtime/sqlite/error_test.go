package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	_ "github.com/ncruces/go-sqlite3/driver"
)

// The errors of the drivers have these shapes.
type (
	mattnError struct { // github.com/mattn/go-sqlite3
		Code         mattnErrNo
		ExtendedCode int
		err          string
	}
	mattnErrNo   int
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

func (e mattnError) Error() string             { return e.err }
func (e *moderncError) Error() string          { return e.msg }
func (e *moderncError) Code() int              { return e.code }
func (e *ncrucesError) Error() string          { return e.msg }
func (e *ncrucesError) Code() ncrucesErrorCode { return ncrucesErrorCode(e.code) }

func TestCodeAndSentence(t *testing.T) {
	const busy = "database is locked"
	for _, c := range []struct {
		claim    string
		err      error
		code     int
		sentence string
	}{
		{"OfMattn", mattnError{1, 1, "no such column: tag"}, 0, "no such column: tag"}, // there is no asking it
		{"OfMattnReadOnly", mattnError{8, 8, "attempt to write a readonly database"}, 8, "attempt to write a readonly database"},
		{"OfModernc", &moderncError{"SQL logic error: no such column: tag (1)", 1}, 1, "no such column: tag"},
		{"OfNcruces", &ncrucesError{"sqlite3: SQL logic error: no such column: tag", 1}, 1, "no such column: tag"},
		{"OfMattnBusy", mattnError{5, 5, busy}, 5, busy},
		{"OfModerncBusy", &moderncError{"database is locked (5) (SQLITE_BUSY)", 5}, 5, busy},
		{"OfNcrucesBusy", &ncrucesError{"sqlite3: database is locked", 5}, 5, busy},
		{"OfAnExtendedCode", &moderncError{"constraint failed: UNIQUE constraint failed: t.n (2067)", 2067}, 19, "UNIQUE constraint failed: t.n"},
		{"OfAPointer", &mattnError{Code: 8, err: "attempt to write a readonly database"}, 8, "attempt to write a readonly database"},
		{"OfAWrappedError", fmt.Errorf("waiting: %w", &moderncError{"interrupted (9)", 9}), 9, "waiting: interrupted"},
		{"OfAJoinedError", errors.Join(context.Canceled, mattnError{Code: 9, err: "interrupted"}), 9, "context canceled\ninterrupted"},
		{"OfAnotherError", context.Canceled, 0, "context canceled"},
		{"OfAMessageThatEndsLikeACode", mattnError{Code: 19, err: "too many (275)"}, 0, "too many (275)"},
		{"OfAMessageWithAColon", &ncrucesError{"sqlite3: constraint failed: left: right", 19}, 19, "left: right"},
		{"OfATextThatBeginsLikeACode", mattnError{Code: 1, err: "interrupted speech: column"}, 0, "interrupted speech: column"},
		{"OfACodeWithoutAName", &moderncError{"notice: 7 (27)", 27}, 27, "notice: 7"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			if got := Code(c.err) & 0xff; got != c.code {
				t.Errorf("got code %d, want %d", got, c.code)
			}
			if got := Sentence(c.err); got != c.sentence {
				t.Errorf("got sentence %s, want %s", got, c.sentence)
			}
		})
	}
	t.Run("OfNoError", func(t *testing.T) {
		if got := Code(nil); got != 0 {
			t.Errorf("got code %d, want 0", got)
		}
	})
	t.Run("OfADriversRealErrors", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "data.db")
		db, err := sql.Open("sqlite3", "file:"+path+"?_pragma=busy_timeout(0)")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.ExecContext(t.Context(), "CREATE TABLE t (n INTEGER CHECK (n > 0))"); err != nil {
			t.Fatal(err)
		}
		if _, err := conn.ExecContext(t.Context(), "BEGIN EXCLUSIVE"); err != nil {
			t.Fatal(err)
		}
		_, locked := db.ExecContext(t.Context(), "INSERT INTO t VALUES (1)")
		_, check := conn.ExecContext(t.Context(), "INSERT INTO t VALUES (0)")
		_, syntax := conn.ExecContext(t.Context(), "INSERT INTO")
		for _, c := range []struct {
			err  error
			code int
			want string
		}{
			{locked, 5, busy},
			{check, 19, "CHECK constraint failed: n > 0"},
			{syntax, 1, "incomplete input"},
		} {
			if IsBusy(c.err) != (c.code == 5) {
				t.Errorf("got busy %v for %v", IsBusy(c.err), c.err)
			}
			if Code(c.err)&0xff != c.code || Sentence(c.err) != c.want {
				t.Errorf("got %d, %s; want %d, %s", Code(c.err)&0xff, Sentence(c.err), c.code, c.want)
			}
		}
	})
}
