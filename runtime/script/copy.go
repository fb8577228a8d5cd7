package script

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/interpreter"
	"github.com/lockstep-db/lockstep/runtime/livecopy"
	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// privateCopy is the copy of a database that scripts run on.
type privateCopy struct {
	live *sql.Conn
	file string         // the database of live
	lock *livecopy.Lock // on it
	dir  string         // of its own
	path string
	db   *sql.DB
	ran  string // the last script
}

// hold keeps the lock of live and prepares a folder for a copy.
func hold(ctx context.Context, db *sql.DB, live *sql.Conn, init func(any) error) (held program.Copy, err error) {
	c := &privateCopy{live: live}
	defer func() {
		if held == nil {
			c.Close()
		}
	}()
	err = live.Raw(below(func(conn *sqlite3.Conn) (err error) {
		if c.file, err = livecopy.File(conn); err != nil {
			return err
		}
		if c.dir, err = livecopy.MakeFolder(c.file); err != nil {
			return err
		}
		c.path = filepath.Join(c.dir, "copy", filepath.Base(c.file))
		scratch := filepath.Join(c.dir, "scratch")
		if err := os.WriteFile(scratch, nil, 0o600); err != nil {
			return err
		}
		c.lock, err = livecopy.Hold(ctx, conn, scratch)
		return err
	}))
	if errors.Is(err, livecopy.ErrChanged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// Another holder of the lock may have removed the folder.
	if _, err := os.Stat(c.dir); err != nil {
		return nil, nil
	}
	// If a script removes the file, SQLite must not make a new one. Its journal has the
	// permissions of the file.
	name := sqlite.URI(c.path, "mode=rw&modeof="+sqlite.Escape(c.path)+"&_pragma=busy_timeout(1000)")
	c.db = sql.OpenDB(&connector{db.Driver(), name, init})
	c.db.SetMaxIdleConns(-1) // a script has the copy to itself
	return c, nil
}

// Fill makes the copy. That of an empty database becomes what the database would: as long as
// the file is empty, only the connection knows what the program asked for.
func (c *privateCopy) Fill(ctx context.Context, timeout time.Duration) error {
	err := c.live.Raw(below(func(conn *sqlite3.Conn) error { return livecopy.Copy(ctx, conn, c.path, timeout, nil) }))
	if err != nil {
		return err
	}
	var statements string
	err = c.live.QueryRowContext(ctx, `SELECT format('PRAGMA page_size = %d; PRAGMA encoding = "%s"; PRAGMA auto_vacuum = %d;
CREATE TABLE lockstep_first (a); DROP TABLE lockstep_first', page_size, encoding, auto_vacuum)
FROM pragma_page_size, pragma_encoding, pragma_auto_vacuum WHERE NOT EXISTS (SELECT 1 FROM main.sqlite_schema)`).Scan(&statements)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	conn, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.ExecContext(ctx, statements)
	return err
}

// Open opens the copy. Nobody else uses it, so nothing has to be synchronized.
func (c *privateCopy) Open(ctx context.Context) (*sql.Conn, error) {
	conn, err := c.db.Conn(ctx)
	if err == nil {
		if _, err = conn.ExecContext(ctx, "PRAGMA journal_mode = delete; PRAGMA synchronous = off"); err != nil {
			conn.Close()
		}
	}
	return conn, err
}

// Run runs a script on the copy, and checks what it left.
func (c *privateCopy) Run(ctx context.Context, file string, text []byte) (stdout, stderr string, err error) {
	c.ran = file
	stdout, stderr, err = interpreter.Run(ctx, file, text, c.path)
	if err == nil {
		err = c.inspect(ctx)
	}
	return stdout, stderr, err
}

// inspect returns an error if the copy could not take the place of the live database.
func (c *privateCopy) inspect(ctx context.Context) error {
	if info, err := os.Lstat(c.path); err == nil {
		live, err := os.Stat(c.file)
		if !info.Mode().IsRegular() || err != nil || os.SameFile(info, live) {
			return errors.New("the script replaced its copy with something else; it must leave a file of its own")
		}
	}
	conn, err := c.Open(ctx)
	var faults []string
	if err == nil {
		defer conn.Close()
		// Somebody who only reads would be in the way later.
		if _, err = conn.ExecContext(ctx, "BEGIN EXCLUSIVE; ROLLBACK"); err == nil {
			faults, err = sqlite.Quick.List(ctx, conn)
		}
	}
	switch {
	case len(faults) > 0: // before any error
		if err := c.blame(ctx, faults); err != nil {
			return err
		}
	case sqlite.IsBusy(err):
		return err
	case err != nil:
		return sqlite.About("what the script left", err)
	}
	change, err := sqlite.FormChange(ctx, c.live, conn)
	if change != "" {
		err = errors.New("the script " + change)
	}
	return err
}

// blame returns an error if pages are damaged, or if the copy has more faults than the live
// database: rows that violated a constraint before do no new harm.
func (c *privateCopy) blame(ctx context.Context, faults []string) error {
	before, err := sqlite.Quick.List(ctx, c.live)
	if err != nil && len(before) == 0 {
		return err
	}
	fact, fault := "the script left a damaged database", sqlite.FirstNew(faults, before)
	switch {
	case slices.ContainsFunc(before, sqlite.IsDamage):
		fact, fault = "the database was damaged before the script ran", before[0]
	case !slices.ContainsFunc(faults, sqlite.IsDamage) && len(faults) <= len(before):
		return nil // though an earlier migration may have given the table another name
	}
	lines := strings.Split(fault, "\n") // of damaged pages, the first says where
	return errors.New(fact + ": quick_check: " + strings.Join(lines[:min(2, len(lines))], ": "))
}

// Locked returns err, or if that says that the copy is locked, an error that says by whom.
func (c *privateCopy) Locked(err error) error {
	if !sqlite.IsBusy(err) {
		return err
	}
	if c.ran == "" {
		return sqlite.About("another process has a lock on the copy for scripts, "+c.path, err)
	}
	return sqlite.About("a process that "+c.ran+" left has a lock on its copy, "+c.path+"; the script must end what it starts", err)
}

// Replace replaces the live content by that of the copy.
func (c *privateCopy) Replace(ctx context.Context) error {
	return c.live.Raw(func(any) error { return c.lock.Replace(ctx, c.path) })
}

// Close removes the copy and releases the lock. It leaves alone what others have in the
// folder around it: they may have the lock by now.
func (c *privateCopy) Close() error {
	if c.db != nil {
		c.db.Close()
	}
	if c.lock != nil {
		c.live.Raw(func(any) error { c.lock.Release(); return nil })
	}
	if c.dir == "" {
		return nil
	}
	return livecopy.RemoveFolder(c.dir)
}

// connector connects to the copy with the program's driver, and calls init.
type connector struct {
	driver driver.Driver
	name   string
	init   func(driverConn any) error
}

func (c *connector) Connect(context.Context) (driver.Conn, error) {
	conn, err := c.driver.Open(c.name)
	if err == nil && c.init != nil {
		if err = c.init(conn); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, err
}

func (c *connector) Driver() driver.Driver { return c.driver }
