// Package script runs migrations that are Python or shell scripts.
//
// There is nothing to call. Given a migrations directory with
//
//	0008-import.py
//	0009-fix.sh
//
// "lockstep generate" writes code that imports this package, and
// [lockstep.Migrate] runs the scripts as
//
//	python3 0008-import.py DATABASE
//	sh 0009-fix.sh DATABASE
//
// A script opens the database itself, so it cannot join the upgrade's
// transaction. To keep the upgrade all or nothing, scripts and the migrations
// around them run on a private copy while the write lock of the live database
// is held. When all of them have succeeded, the copy's content replaces the live
// content in one transaction.
//
// # What a script can rely on
//
//   - DATABASE has the file name of the live database, is in journal mode
//     DELETE, and holds what the earlier migrations have done. Its folder
//     contains nothing but the copy and the script.
//   - The working directory and the environment are the program's. Standard
//     input is empty. The last 64 KiB of each output are logged
//     ([lockstep.WithLogger]), and in the error if the script fails.
//   - A nonzero exit code is a failure. So is a copy that is damaged, or whose
//     tables are not those recorded when the code was generated. After a
//     failure the live database is unchanged.
//   - Foreign keys are off unless the script turns them on. They are checked
//     before the copy replaces anything.
//
// A script must leave _meta, _lockstep_history and the page size alone. It may
// run more than once: an upgrade that fails, or that another process has
// overtaken, starts over, and what a script did elsewhere is not undone.
//
// When the script exits, what is left of its process group is killed. When the
// context ends, the group gets SIGTERM, and SIGKILL two seconds later. (On Windows
// only the processes of a script that is interrupted are ended.) A process with a
// group of its own, such as a daemon, goes on: if it has a lock on the copy, the
// upgrade fails and names both; what it writes there is not checked. On Linux a
// script also dies with the program; elsewhere it may go on, without access to
// the live database.
//
// # What it needs
//
//   - The interpreter, python3 or sh, in PATH. On Windows python and py -3 will
//     do. A missing one is an error before anything runs.
//   - The driver github.com/ncruces/go-sqlite3.
//   - A database in a file, with the default VFS and locking mode. (An encrypted
//     database would be copied in the clear.)
//   - Room for the copy, three times over at the end in WAL mode. It is in a
//     folder beside the database, named after it with .lockstep appended, that only
//     the program's user can enter. The next start of a program whose migrations
//     include scripts removes what a killed one left there, and nothing else,
//     unless it would have to wait for the lock.
//
// While a script runs, others read as usual; writers wait for their busy timeout.
// In journal modes other than WAL the final replacement waits for readers.
//
// Connections to the copy lack what the program's data source name sets, and
// what the program registers on its own connections: see [WithConn]. (A new
// database keeps its page size, encoding and auto_vacuum.)
package script

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Python and Shell are the programs of .py and .sh files in generated code.
var (
	Python lockstep.Program = language(".py")
	Shell  lockstep.Program = language(".sh")
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
	return lockstep.WithConn(below(f))
}

// language is the extension of a script's name.
type language string

// Checksum returns "x1:" and 128 bits of a SHA-256 over the text, in hexadecimal. A
// byte-order mark and line endings do not count; white space and comments do, because
// only the interpreter could tell them from the rest.
func (language) Checksum(text []byte) string {
	sum := sha256.Sum256([]byte(sqltext.Normalize(text)))
	return "x1:" + hex.EncodeToString(sum[:16])
}

// Ready looks for everything that a script needs.
func (l language) Ready(db *sql.DB, conn *sql.Conn) error {
	err := conn.Raw(func(c any) error {
		raw, err := raw(c)
		if err != nil {
			return fmt.Errorf("scripts need the driver github.com/ncruces/go-sqlite3; this program uses %s: write the migration in SQL or Go", driverName(db))
		}
		if _, err := livecopy.File(raw); err != nil {
			return fmt.Errorf("scripts run on a copy of the file: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if _, err := interpreter.Find(string(l)); err != nil {
		return err
	}
	var mode string
	err = conn.QueryRowContext(context.Background(), "PRAGMA main.locking_mode").Scan(&mode)
	if err == nil && mode == "exclusive" {
		err = errors.New("scripts run on a copy of the file, which cannot be copied while locking_mode is exclusive")
	}
	return err
}

// Upgrade runs a part of an upgrade on a private copy of the database.
func (language) Upgrade(ctx context.Context, u program.Upgrade) (done bool, err error) {
	return u.On(ctx, hold)
}

func (language) HasCopies(file string) bool { return livecopy.HasCopies(file) }
func (language) Sweep(file string) error    { return livecopy.Sweep(file) }

var _ program.Script = language("")

// raw returns the connection below one of package database/sql, even if others have wrapped
// the driver.
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

// below has f called with the connection below one of package database/sql.
func below(f func(*sqlite3.Conn) error) func(any) error {
	return func(c any) error {
		conn, err := raw(c)
		if err != nil {
			return err
		}
		return f(conn)
	}
}

// driverName names the driver of a pool by its package.
func driverName(db *sql.DB) string {
	t := reflect.TypeOf(db.Driver())
	switch {
	case t == nil:
		return "another one"
	case t.Kind() == reflect.Pointer:
		t = t.Elem()
	}
	return cmp.Or(t.PkgPath(), t.String())
}
