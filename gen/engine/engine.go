// Package engine is not for use by programs. It promises nothing: lockstep's own
// packages share it, and any release may change it.
//
// It has what they share about the SQLite that they run themselves, the one of
// github.com/ncruces/go-sqlite3.
package engine

import (
	"errors"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Prepare gives the connection the modules that other builds of SQLite have built in.
func Prepare(conn *sqlite3.Conn) error {
	return errors.Join(fts5.Register(conn), rtree.Register(conn))
}

// Each calls f for each of the query's rows.
func Each(conn *sqlite3.Conn, f func(row *sqlite3.Stmt), query string, args ...string) error {
	stmt, _, err := conn.Prepare(query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	for i, arg := range args {
		if err := stmt.BindText(i+1, arg); err != nil {
			return err
		}
	}
	for stmt.Step() {
		f(stmt)
	}
	return stmt.Err()
}

// A Write is what a statement does to a table of the main database. Names are in lower case.
type Write struct {
	Code          sqlite3.AuthorizerActionCode // of INSERT, UPDATE or DELETE
	Table, Column string
	Trigger       string // that does it, or ""
}

// Writes returns what SQLite's authorizer says that a statement writes. Of one that does not compile
// that is nothing.
func Writes(conn *sqlite3.Conn, sql string) (writes []Write, err error) {
	err = conn.SetAuthorizer(func(code sqlite3.AuthorizerActionCode, table, column, schema, trigger string) sqlite3.AuthorizerReturnCode {
		switch code {
		case sqlite3.AUTH_DELETE, sqlite3.AUTH_INSERT, sqlite3.AUTH_UPDATE:
			if schema == "main" {
				writes = append(writes, Write{code, sqltext.Fold(table), sqltext.Fold(column), trigger})
			}
		}
		return sqlite3.AUTH_OK
	})
	if err != nil {
		return nil, err
	}
	stmt, _, compiles := conn.Prepare(sql)
	if compiles != nil {
		writes = nil
	}
	return writes, errors.Join(stmt.Close(), conn.SetAuthorizer(nil))
}

// DoubleQuotes says whether text in double quotes that names no column is a string.
//
// https://sqlite.org/quirks.html#dblquote
func DoubleQuotes(conn *sqlite3.Conn, on bool) error {
	_, dml := conn.Config(sqlite3.DBCONFIG_DQS_DML, on)
	_, ddl := conn.Config(sqlite3.DBCONFIG_DQS_DDL, on)
	return errors.Join(dml, ddl)
}

// MeansString reports whether SQLite refused a statement because it has a string in
// double quotes.
func MeansString(err error) bool {
	return err != nil && strings.HasSuffix(sqlite.Sentence(err), "should this be a string literal in single-quotes?")
}

// Offset returns the offset in sql of what SQLite refused, if SQLite says where that
// is.
//
// https://sqlite.org/c3ref/errcode.html
func Offset(err error, sql string) (offset int, ok bool) {
	if e := (*sqlite3.Error)(nil); errors.As(err, &e) && e.SQL() != "" {
		return len(sql) - len(e.SQL()), true
	}
	return 0, false
}

// MachineFault returns what SQLite calls an error that is about the machine, such as a
// full disk, and not about the SQL or the data.
func MachineFault(err error) (text string, ok bool) {
	for _, code := range []sqlite3.ErrorCode{sqlite3.FULL, sqlite3.IOERR, sqlite3.CANTOPEN, sqlite3.NOMEM} {
		if errors.Is(err, code) {
			return sqlite.Sentence(code), true
		}
	}
	return "", false
}
