package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

func backupCommand() command {
	return command{
		name:  "backup",
		args:  "[--db FILE] [--to FILE] [flags]",
		short: "copy a database while programs use it",
		long: `
Copies a database to a new file: what the last transaction had committed when the
copy began, though others write meanwhile. (In WAL mode they go on; with a rollback
journal a program that wants to commit waits until the copy is made.)

Without --to the file lies beside the database and is named for it, its version
and the time in UTC; a database without a version has none in the name. The path
is printed. A file that exists is never written over. The copy has the permissions
of the database, and its owner where that is allowed. It gets its name when it is
complete: written to the disk, and found to be in order by PRAGMA integrity_check.
When that is not so, or the command is interrupted, no file of that name is left.
Tables that need an application's own functions or collations are copied, but cannot
be examined here; a warning names them.

A copy so made is not removed by anything in lockstep: a program that keeps the
last few of the backups before its own upgrades counts those only.

Example:

	$ lockstep backup --db data.db
	data.db.v0010.20261123T101502Z.backup
	$ lockstep restore --db data.db data.db.v0010.20261123T101502Z.backup

With --json, "result" has db, backup, managed and version (0 if not managed).`,
		flags: func(fs *flag.FlagSet) action {
			db := dbFlag(fs)
			var to fileFlag
			fs.Var(&to, "to", "`FILE`: where to (default beside the database, named for version and time)")
			timeout := timeoutFlag(fs)
			return func(ctx context.Context, s *streams, args []string) (result, error) {
				return backup(ctx, s, db.value, string(to), *timeout)
			}
		},
	}
}

func backup(ctx context.Context, s *streams, path, to string, timeout time.Duration) (result, error) {
	db, err := openDatabase(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	// Whether it can be read is found out first, and waited for.
	if err := db.readable(ctx, timeout); err != nil {
		return nil, err
	}
	var copied *contents
	err = db.raw(ctx, func(conn *sqlite3.Conn) (err error) {
		copied, err = db.backupTo(ctx, conn, to, timeout)
		return err
	})
	if err != nil {
		return nil, err
	}
	copied.warn(s, path)
	return &backupResult{path, copied.path, copied.managed, copied.version}, nil
}

// readable returns nil if the database is one, whatever is in it.
func (db *database) readable(ctx context.Context, timeout time.Duration) error {
	_, err := db.inspect(ctx, noMigrations(), lockstep.WithTimeout(timeout))
	if errors.Is(err, lockstep.ErrUnreadable) {
		var n int
		if db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n) == nil {
			return nil // its _meta is not what it should be, which is no reason not to copy it
		}
	}
	return err
}

// raw calls f with a connection of the pool below database/sql.
func (db *database) raw(ctx context.Context, f func(*sqlite3.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return db.named(err)
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return f(c.(driver.Conn).Raw()) })
}

// backupTo makes a backup of the database that conn has open.
func (db *database) backupTo(ctx context.Context, conn *sqlite3.Conn, to string, timeout time.Duration) (copied *contents, err error) {
	of := db.path
	if p, err := filepath.EvalSymlinks(of); err == nil {
		of = p // a program that has the file open looks for backups beside the file, not beside a link
	}
	path, err := lockstep.WriteBackup(of, to, func(part string) (b lockstep.Backup, err error) {
		if err := copyDatabase(ctx, conn, part, timeout); err != nil {
			return b, err
		}
		if copied, err = examine(ctx, part); err != nil {
			return b, err
		}
		return lockstep.Backup{Version: copied.version, Unmanaged: !copied.managed}, nil
	})
	if err != nil {
		return nil, db.copyError(ctx, to, err)
	}
	copied.path = path
	return copied, nil
}

// copyDatabase copies the database of conn to a file, which is made anew. Locks are
// waited for until the timeout.
func copyDatabase(ctx context.Context, conn *sqlite3.Conn, path string, timeout time.Duration) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return copyToNew(ctx, conn, path, timeout)
}

// copyToNew is [livecopy.Copy], which makes the file, with the timeout.
func copyToNew(ctx context.Context, conn *sqlite3.Conn, path string, timeout time.Duration) error {
	// The timeout is for the wait alone: a large database takes its time. When there
	// is a file, the wait is over.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	timer := time.AfterFunc(timeout, func() {
		if _, err := os.Lstat(path); err != nil {
			cancel()
		}
	})
	defer timer.Stop()
	return livecopy.Copy(ctx, conn, path)
}

// contents is what is in a copy.
type contents struct {
	path       string
	managed    bool
	version    lockstep.Version
	unexamined []string // tables, and why they could not be examined
}

// warn tells of what could not be examined in the database at path.
func (c *contents) warn(s *streams, path string) {
	for _, table := range c.unexamined {
		s.warnings = append(s.warnings, gen.Problem{File: path, Fact: "copied, but not examined: " + table})
	}
}

// examine looks at a copy that nobody else knows of: whether it is in order, which is
// damaged if it is not, and which version it has.
func examine(ctx context.Context, path string) (*contents, error) {
	db, err := connect(path, "ro&immutable=1", prepare)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	c := &contents{path: path}
	switch err := db.check(ctx, ""); {
	case errors.Is(err, sqlite3.ERROR):
		// An application has functions and collations of its own, which are not known
		// here. What needs them is left out.
		if c.unexamined, err = db.checkTables(ctx); err != nil {
			return nil, err
		}
	case err != nil:
		return nil, err
	}
	state, err := db.inspect(ctx, noMigrations())
	if errors.Is(err, lockstep.ErrUnreadable) {
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.managed, c.version = state.Managed, state.Version
	return c, nil
}

// check has SQLite look at every page of the database, or of one table.
func (db *database) check(ctx context.Context, table string) error {
	q := "PRAGMA integrity_check(1)"
	if table != "" {
		q = "PRAGMA integrity_check(" + sqltext.Quote(table) + ")"
	}
	var answer string
	if err := db.QueryRowContext(ctx, q).Scan(&answer); err != nil {
		return err
	}
	if answer != "ok" {
		return damaged(strings.ReplaceAll(answer, "\n", " "))
	}
	return nil
}

// checkTables checks each table, and returns those that cannot be checked.
func (db *database) checkTables(ctx context.Context) (unexamined []string, err error) {
	var tables []string
	rows, err := db.QueryContext(ctx, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		tables = append(tables, name)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	for _, name := range tables {
		err := db.check(ctx, name)
		if errors.Is(err, sqlite3.ERROR) {
			why := strings.TrimPrefix(err.Error(), "sqlite3: SQL logic error: ")
			unexamined = append(unexamined, fmt.Sprintf("table %s: %s", name, why))
		} else if err != nil {
			return nil, err
		}
	}
	return unexamined, nil
}

// damaged is what integrity_check finds.
type damaged string

func (d damaged) Error() string { return "integrity_check: " + string(d) }

// copyError says in terms of the user why there is no copy.
func (db *database) copyError(ctx context.Context, to string, err error) error {
	d, p := damaged(""), (*fs.PathError)(nil)
	switch {
	case err == nil:
		return nil
	case to != "" && errors.Is(err, fs.ErrExist):
		return refuse("exists", "%s: exists; a backup is never written over a file", to)
	case errors.As(err, &d):
		return refuse("unreadable", "%s: damaged, no backup was made: %v", db.path, d)
	case ctx.Err() != nil:
		err = fmt.Errorf("%w: %w", ctx.Err(), context.Cause(ctx))
	case errors.Is(err, sqlite3.BUSY):
		return &lockstep.Error{Kind: lockstep.ErrBusy, DB: db.path, Detail: "locked by another connection; no backup was made", Err: err}
	case errors.As(err, &p) && to != "":
		err = fileError(to, err)
	case errors.As(err, &p):
		err = p.Err
	}
	return &lockstep.Error{Kind: lockstep.ErrBackup, DB: db.path, Err: err}
}

// hasHistory reports whether lockstep has written its history to the database.
func hasHistory(objects []sqltext.Object) bool {
	for _, o := range objects {
		if o.Type == "table" && sqltext.Equal(o.Name, "_lockstep_history") {
			return true
		}
	}
	return false
}

type backupResult struct {
	DB      string           `json:"db"`
	Backup  string           `json:"backup"`
	Managed bool             `json:"managed"`
	Version lockstep.Version `json:"version"`
}

func (r *backupResult) print(w io.Writer) { fmt.Fprintln(w, r.Backup) }
