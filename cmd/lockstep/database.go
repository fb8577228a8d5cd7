package main

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime"
)

// A database is a file that a command works on, under the name that the user has
// for it.
type database struct {
	*sql.DB
	path string
}

// openDatabase opens a database that exists. It is not created, and one that
// cannot be written to is opened for reading.
func openDatabase(path string) (*database, error) { return openPrepared(path, prepare) }

// openPrepared is openDatabase for connections that prepare makes ready.
func openPrepared(path string, prepare func(*sqlite3.Conn) error) (*database, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, refuse("missing", "%s: no such file", path)
	}
	if err != nil {
		return nil, fileError(path, err)
	}
	if info.IsDir() {
		return nil, fileError(path, errors.New("is a directory; want a database"))
	}
	mode := "rw"
	if f, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		f.Close()
	} else if f, err := os.Open(path); err == nil {
		f.Close()
		mode = "ro"
	} else {
		return nil, fileError(path, err)
	}
	return connect(path, mode, prepare)
}

// createDatabase makes the file and the folders above it where they are missing,
// and opens it.
func createDatabase(path string) (*database, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, fileError(filepath.Dir(path), err)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
	if err != nil {
		return nil, fileError(path, err)
	}
	f.Close() // a file of no bytes is an empty database
	return openDatabase(path)
}

// connect makes the pool. Nothing is opened before the first query.
func connect(path, mode string, prepare func(*sqlite3.Conn) error) (*database, error) {
	uri, err := fileURI(path, "mode="+mode)
	if err != nil {
		return nil, err
	}
	db, err := driver.Open(uri, prepare)
	if err != nil {
		return nil, fileError(path, err)
	}
	return &database{db, path}, nil
}

// fileURI returns the URI of a file, in which no character of its path means
// anything to SQLite but itself.
//
// https://sqlite.org/uri.html
func fileURI(path, query string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	abs = filepath.ToSlash(abs)
	if abs[0] != '/' { // C:/data.db
		abs = "/" + abs
	}
	// The runtime waits for locks, within the limit of --timeout.
	return (&url.URL{Scheme: "file", Path: abs, RawQuery: query + "&_pragma=busy_timeout(0)"}).String(), nil
}

// prepare makes a connection understand what other builds of SQLite understand:
// the migrations may have been written for one of them. Double-quoted strings
// have been reported as warnings by then.
//
// https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted
func prepare(c *sqlite3.Conn) error {
	return errors.Join(engine.Prepare(c), engine.DoubleQuotes(c, true))
}

// named puts the path as the user gave it into an error of the runtime, which
// knows the path that SQLite made of it.
func (db *database) named(err error) error {
	if err == nil {
		return nil
	}
	e, m := (*lockstep.Error)(nil), (*lockstep.MigrationError)(nil)
	refused, failed := errors.As(err, &e), errors.As(err, &m) // either can hold the other
	if refused {
		e.DB, e.Backup = db.path, db.beside(e.Backup, e.DB)
	}
	if failed {
		m.DB, m.Backup = db.path, db.beside(m.Backup, m.DB)
	}
	if !refused && !failed {
		return fileError(db.path, err)
	}
	return err
}

// beside returns the path of a backup as the user would write it, if it lies beside
// the file under the user's name: that can be a link to the file.
func (db *database) beside(backup, file string) string {
	if rest, ok := strings.CutPrefix(backup, file+"."); ok {
		if _, err := os.Lstat(db.path + "." + rest); err == nil {
			return db.path + "." + rest
		}
	}
	return backup
}

// inspect is [lockstep.Inspect] with errors that name the database by its path.
func (db *database) inspect(ctx context.Context, s *lockstep.Schema, opts ...lockstep.Option) (*lockstep.State, error) {
	state, err := lockstep.Inspect(ctx, db.DB, s, opts...)
	if err != nil {
		return nil, db.named(err)
	}
	state.Refusal = db.named(state.Refusal)
	return state, nil
}

// noMigrations is what a program without migrations expects of its database.
func noMigrations() *lockstep.Schema {
	return &lockstep.Schema{}
}
