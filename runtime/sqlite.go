package lockstep

import (
	"context"
	"errors"
	"strconv"
	"strings"
)

// Primary result codes of SQLite. https://sqlite.org/rescode.html
const (
	codeBusy      = 5
	codeLocked    = 6
	codeReadOnly  = 8
	codeInterrupt = 9
	codeProtocol  = 15
)

// resultCode returns the primary SQLite result code in err, or 0.
func resultCode(err error) int { return extendedCode(err) & 0xff }

// extendedCode returns the result code in err as far as the driver tells it.
//
// The drivers have nothing in common to ask for it, and this package imports none
// of them: modernc.org/sqlite has a method Code, ncruces/go-sqlite3 too, but of a
// type of its own, and mattn/go-sqlite3 has a field. (Calling the second through
// package reflect makes the linker keep the methods of everything in the program,
// which is a megabyte.) What they have in common is SQLite's name of the code, with
// which their texts begin where no statement is to blame.
func extendedCode(err error) int {
	if err != nil {
		if e, ok := err.(interface{ Code() int }); ok {
			return e.Code()
		}
		switch e := err.(type) {
		case interface{ Unwrap() []error }:
			for _, err := range e.Unwrap() {
				if code := extendedCode(err); code != 0 {
					return code
				}
			}
			return 0
		case interface{ Unwrap() error }:
			if next := e.Unwrap(); next != nil {
				if code := extendedCode(next); code != 0 {
					return code
				}
			}
		}
		return namedCode(err.Error())
	}
	return 0
}

// namedCode returns the primary code whose name s begins with.
func namedCode(s string) int {
	s = strings.TrimPrefix(s, "sqlite3: ")
	for code, name := range codeNames {
		if rest, ok := strings.CutPrefix(s, name); ok && name != "" && (rest == "" || rest[0] == ':') {
			return code
		}
	}
	return 0
}

// isBusy reports whether err says that another connection holds a lock, so that
// the same call can succeed later. LOCKED is the same within a shared cache, and
// PROTOCOL is what a race for the locks of a WAL ends in.
func isBusy(err error) bool {
	switch resultCode(err) {
	case codeBusy, codeLocked, codeProtocol:
		return true
	}
	return false
}

// isInterrupt reports whether err is what a driver returns when the context has
// ended: SQLite's answer, or the context's error.
func isInterrupt(err error) bool {
	return resultCode(err) == codeInterrupt || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// isNoTransaction reports whether err is SQLite's answer to a ROLLBACK, COMMIT or
// RELEASE for which there is nothing (any more): some errors roll back by
// themselves. It has no code of its own. https://sqlite.org/lang_transaction.html
func isNoTransaction(err error) bool {
	return err != nil && strings.Contains(err.Error(), "no transaction is active")
}

// sentence returns what SQLite itself says, without what the driver has put
// around it, so that an error reads the same whatever the driver:
//
//	no such column: tag                                  mattn
//	sqlite3: SQL logic error: no such column: tag        ncruces
//	SQL logic error: no such column: tag (1)             modernc
func sentence(err error) string {
	s := err.Error()
	code := extendedCode(err)
	if code == 0 {
		return s
	}
	s = strings.TrimPrefix(s, "sqlite3: ")
	s = strings.TrimSuffix(s, " (SQLITE_BUSY)")
	s = strings.TrimSuffix(s, " ("+strconv.Itoa(code)+")")
	if code &= 0xff; code < len(codeNames) {
		if rest, ok := strings.CutPrefix(s, codeNames[code]+": "); ok && rest != "" && codeNames[code] != "" {
			s = rest
		}
	}
	return s
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
