package sqlite

import (
	"errors"
	"strconv"
	"strings"
)

// Code returns the result code in err as far as the driver tells it, or 0. The code may
// be an extended one; Code(err) & 0xff is the primary code.
//
// The drivers share no way to ask for it, and this package imports none of them:
// modernc.org/sqlite has a method Code; ncruces/go-sqlite3 does too, but with a result
// type of its own; mattn/go-sqlite3 has a field. (Calling the second through package
// reflect makes the linker keep every method in the program, which adds a megabyte.)
// What they share is SQLite's name of the code, with which their texts begin.
//
// https://sqlite.org/rescode.html
func Code(err error) int {
	if err == nil {
		return 0
	}
	switch e := err.(type) {
	case interface{ Code() int }:
		return e.Code()
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			if code := Code(err); code != 0 {
				return code
			}
		}
		return 0
	case interface{ Unwrap() error }:
		if code := Code(e.Unwrap()); code != 0 {
			return code
		}
	}
	text := strings.TrimPrefix(err.Error(), "sqlite3: ")
	for code, name := range codeNames {
		if rest, ok := strings.CutPrefix(text, name); ok && name != "" && (rest == "" || rest[0] == ':') {
			return code
		}
	}
	return 0
}

// unlessLogic returns err unless it says that something is not there. Other errors, as of a disk,
// may have rolled back: who goes on is no longer in the transaction.
//
// https://sqlite.org/lang_transaction.html#response_to_errors_within_a_transaction
func unlessLogic(err error) error {
	if Code(err)&0xff <= codeError { // or the driver tells none
		return nil
	}
	return err
}

// Sentence returns what SQLite itself says in err, without what the driver adds, so that
// an error reads the same whatever the driver:
//
//	no such column: tag                                  mattn
//	sqlite3: SQL logic error: no such column: tag        ncruces
//	SQL logic error: no such column: tag (1)             modernc
func Sentence(err error) string {
	s := strings.TrimPrefix(err.Error(), "sqlite3: ")
	code := Code(err)
	if code == 0 {
		return s
	}
	s = strings.TrimSuffix(s, " (SQLITE_BUSY)")
	s = strings.TrimSuffix(s, " ("+strconv.Itoa(code)+")")
	if code &= 0xff; code < len(codeNames) {
		if rest, ok := strings.CutPrefix(s, codeNames[code]+": "); ok && rest != "" && codeNames[code] != "" {
			s = rest
		}
	}
	return s
}

// A Reworded is the error of a statement, or that and the one that was made of it, with a
// text of its own.
type Reworded struct {
	Text       string
	Cause, Err error
}

func (e *Reworded) Error() string { return e.Text }
func (e *Reworded) Unwrap() error { return errors.Join(e.Cause, e.Err) } // without one that is nil

// About says what an error of SQLite is about.
func About(what string, err error) *Reworded {
	return &Reworded{Text: what + ": " + Sentence(err), Cause: err}
}

// Without returns an error of a copy without the query of the copy's URI, which may have a key
// in it. Without one, the copy of an encrypted database cannot be opened.
func Without(query string, err error) error {
	switch {
	case err != nil && query == "" && Code(err)&0xff == codeCantOpen:
		return About("if the database is encrypted, give WithBackup the parameters of its URI", err)
	case err == nil || query == "":
		return err
	}
	return &Reworded{Text: strings.ReplaceAll(err.Error(), "?"+query, ""), Cause: err}
}

// codeNames is what sqlite3_errstr says. https://sqlite.org/c3ref/errcode.html
var codeNames = [...]string{
	1:  "SQL logic error",
	3:  "access permission denied",
	4:  "query aborted",
	5:  "database is locked",
	6:  "database table is locked",
	7:  "out of memory",
	8:  "attempt to write a readonly database",
	9:  "interrupted",
	10: "disk I/O error",
	11: "database disk image is malformed",
	12: "unknown operation",
	13: "database or disk is full",
	14: "unable to open database file",
	15: "locking protocol",
	17: "database schema has changed",
	18: "string or blob too big",
	19: "constraint failed",
	20: "datatype mismatch",
	21: "bad parameter or other API misuse",
	22: "large file support is disabled",
	23: "authorization denied",
	25: "column index out of range",
	26: "file is not a database",
}
