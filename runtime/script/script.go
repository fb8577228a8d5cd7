// Package script runs migrations that are Python or shell scripts: .py and .sh files.
//
// There is nothing to call. Code generated for a migrations directory with a script
// in it imports this package, and [lockstep.Migrate] does the rest. A script is run
// as
//
//	python3 0008-import.py DATABASE
//	sh 0009-fix.sh DATABASE
//
// and opens the database by itself, so that it cannot be in a transaction of its
// caller. So that an upgrade is all or nothing all the same, it runs on a private copy,
// and with it everything that is pending before and after: see [lockstep.Outside].
//
// # What a script may rely on
//
//   - DATABASE is the copy, in a folder with nothing else in it but the script. Its
//     name is the database's. It has everything that the migrations before have done,
//     and is in the journal mode DELETE.
//   - The working directory and the environment are the program's. There is nothing on
//     standard input. What the script writes is in the log, if there is one
//     ([lockstep.WithLogger]), the last 64 KiB of each of its two outputs; what it wrote
//     to standard error, or else to standard output, is in the error if it fails.
//   - It has failed if its exit code is not 0. Then, and if it leaves something that is
//     not a database, is damaged, or has other tables than when the schema was
//     generated, the live database stays as it was.
//   - _meta and _lockstep_history are lockstep's, and the script has to leave them alone.
//     So has it the page size. What it does to journal_mode is undone.
//   - SQLite's foreign keys are off in Python and in the shell unless the script turns
//     them on. They are checked at the end.
//   - It can be called more than once, because an upgrade can fail, or be begun again
//     when another process has written in between: nothing that it does elsewhere is
//     undone.
//
// A script ends when the context does: it gets SIGTERM, and SIGKILL after two seconds,
// and so do the processes that it has started, unless they have made themselves leaders
// of a process group. Those that still run when the script has ended are killed, too.
// On Linux a script also ends when the program is killed. On Windows, and elsewhere if
// the program is killed, what it has started can go on; it cannot reach the database.
//
// # What it needs
//
// The interpreter: python3 (on Windows also python, or py -3) or sh, found in PATH
// before anything runs. The driver github.com/ncruces/go-sqlite3. A database in a file,
// with the default VFS (an encrypted one would be copied in the clear) and the default
// locking mode. Room for a copy beside the database (for three in WAL mode, at the end),
// in a folder named like the database with .lockstep behind it. The folder is removed;
// if the program is killed, the next that starts and has the lock removes it. Nothing
// else may be kept in it.
//
// Readers go on while a script runs, whatever the journal mode. Writers wait, as their
// busy timeout says, and are then told that the database is locked. When the copy replaces the live content, readers are waited for if
// the journal mode is not WAL.
//
// Functions, collations and virtual tables that the program registers on connections of
// its own are not on those to the copy: see [WithConn]. Neither is what its data source
// name says: pragmas, and how the driver reads times. It is kept of a new database what
// can be kept in it: the page size, the encoding and auto_vacuum.
package script

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"reflect"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

// Python and Shell are what generated code says of .py and .sh files.
var (
	Python = lockstep.Outside(language(".py"))
	Shell  = lockstep.Outside(language(".sh"))
)

// WithConn has f called with each connection to the private copy that scripts, and the
// migrations beside them, run on. A program whose migrations in SQL or Go use functions,
// collations or virtual tables that it registers when it opens its database, passes to
// Migrate what it passes to driver.Open:
//
//	db, err := driver.Open("file:data.db", register)
//	…
//	err = migrations.Migrate(ctx, db, script.WithConn(register))
//
// (What [sqlite3.AutoExtension] registers is on each connection anyway.)
func WithConn(f func(*sqlite3.Conn) error) lockstep.Option {
	return lockstep.WithConn(func(c any) error {
		conn, err := raw(c)
		if err != nil {
			return err
		}
		return f(conn)
	})
}

// language is the ending of a script's name.
type language string

func (language) Checksum(text []byte) string { return lockstep.ScriptChecksum(text) }

// Ready looks for everything that has to be there.
func (l language) Ready(db *sql.DB, conn *sql.Conn) error {
	if _, err := l.interpreter(); err != nil {
		return err
	}
	return conn.Raw(func(c any) error {
		raw, err := raw(c)
		if err != nil {
			return fmt.Errorf("scripts need the driver github.com/ncruces/go-sqlite3; this program uses %s", driverName(db))
		}
		if _, err := livecopy.File(raw); err != nil {
			return fmt.Errorf("scripts run on a copy of the file: %w", err)
		}
		if mode, err := lockingMode(raw); err != nil {
			return err
		} else if mode == "exclusive" {
			return errors.New("scripts run on a copy of the file: nobody can copy it, because locking_mode is exclusive")
		}
		return nil
	})
}

func (language) Hold(ctx context.Context, db *sql.DB, conn *sql.Conn, init func(driverConn any) error) (lockstep.PrivateCopy, error) {
	c, err := hold(ctx, db, conn, init)
	if c == nil {
		return nil, err
	}
	return c, nil
}

func (language) Run(ctx context.Context, file string, text []byte, path string) (stdout, stderr string, err error) {
	return Run(ctx, file, text, path)
}

func (language) Sweep(db string) error { return sweep(db, "") }

// raw returns the connection below one of package database/sql, through what others
// may have put around the driver.
func raw(c any) (*sqlite3.Conn, error) {
	for {
		switch conn := c.(type) {
		case interface{ Raw() *sqlite3.Conn }:
			return conn.Raw(), nil
		case interface{ Raw() driver.Conn }:
			c = conn.Raw()
		default:
			return nil, fmt.Errorf("%T is not a connection of github.com/ncruces/go-sqlite3", c)
		}
	}
}

// driverName names the driver of a pool by its package.
func driverName(db *sql.DB) string {
	t := reflect.TypeOf(db.Driver())
	if t == nil {
		return "another one"
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.PkgPath() == "" {
		return t.String()
	}
	return t.PkgPath()
}

func lockingMode(conn *sqlite3.Conn) (mode string, err error) {
	s, _, err := conn.Prepare("PRAGMA main.locking_mode")
	if err != nil {
		return "", err
	}
	defer s.Close()
	if s.Step() {
		mode = s.ColumnText(0)
	}
	return mode, s.Err()
}
