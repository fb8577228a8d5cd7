package script

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

// folder is what the name of a database and this make the name of the folder with its
// copies. The name is fixed, so that whoever has the lock finds what a process has left
// that was killed. In it, each copy has a folder with a name of its own: what was left
// can have a script that still runs, and that must not come by the new copy.
const folder = ".lockstep"

// sweep removes the copies of a database but one. It is called by who has the lock, and
// so nobody's but that is in use.
func sweep(db, but string) error {
	dir := db + folder
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	for _, e := range entries {
		if e.Name() != but && err == nil {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	if err == nil && but == "" {
		err = os.Remove(dir)
	}
	return err
}

// privateCopy is the copy of a database that scripts run on.
type privateCopy struct {
	live *sql.Conn
	lock *livecopy.Lock // on the database of live
	dir  string         // of its own
	path string
	db   *sql.DB
}

// hold keeps the lock of live and prepares a folder for a copy. It returns nil if
// somebody has written meanwhile.
func hold(ctx context.Context, db *sql.DB, live *sql.Conn, init func(driverConn any) error) (c *privateCopy, err error) {
	c = &privateCopy{live: live}
	defer func() {
		if err != nil || c.db == nil {
			c.Close()
			c = nil
		}
	}()
	err = live.Raw(func(driverConn any) error {
		conn, err := raw(driverConn)
		if err != nil {
			return err
		}
		file, err := livecopy.File(conn)
		if err != nil {
			return err
		}
		if c.dir, err = makeDir(file + folder); err != nil {
			return err
		}
		// The script's folder has nothing in it that is ours.
		c.path = filepath.Join(c.dir, "copy", filepath.Base(file))
		if err := os.Mkdir(filepath.Dir(c.path), 0o700); err != nil {
			return err
		}
		if c.lock, err = livecopy.Hold(ctx, conn, filepath.Join(c.dir, "scratch")); err != nil {
			return err
		}
		return sweep(file, filepath.Base(c.dir))
	})
	if errors.Is(err, livecopy.ErrChanged) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	// Whoever had the lock in between has removed the folder.
	if _, err := os.Stat(c.dir); err != nil {
		return c, nil
	}
	// The file must be there: a script that has removed it shall not find a new one.
	name := "file:" + (&url.URL{Path: filepath.ToSlash(c.path)}).EscapedPath() + "?mode=rw&_pragma=busy_timeout(1000)"
	pool, err := open(db.Driver(), name)
	if err != nil {
		return c, err
	}
	c.db = sql.OpenDB(&connector{pool, init})
	return c, nil
}

// makeDir makes a folder with a name of its own in dir. Whoever had the lock before may
// be about to remove dir, if it is empty.
func makeDir(dir string) (name string, err error) {
	for range 10 {
		if err = os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		info, err := os.Lstat(dir)
		if err == nil && !info.IsDir() {
			return "", fmt.Errorf("%s is in the way: scripts run in a folder of this name", dir)
		}
		if name, err = os.MkdirTemp(dir, ""); !errors.Is(err, fs.ErrNotExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("%s is removed again and again", dir)
}

func (c *privateCopy) Path() string { return c.path }

func (c *privateCopy) Fill(ctx context.Context) error {
	return c.live.Raw(func(driverConn any) error {
		conn, err := raw(driverConn)
		if err != nil {
			return err
		}
		return livecopy.Copy(ctx, conn, c.path)
	})
}

func (c *privateCopy) Open(ctx context.Context) (*sql.Conn, error) { return c.db.Conn(ctx) }

func (c *privateCopy) Replace(ctx context.Context) error {
	return c.live.Raw(func(any) error { return c.lock.Replace(ctx, c.path) })
}

// Close removes what is the copy's own, because the lock may be somebody else's by
// now, and the folder around it, if that is empty then.
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
	err := os.RemoveAll(c.dir)
	os.Remove(filepath.Dir(c.dir))
	return err
}

// open returns the connector of a driver for a data source.
func open(d driver.Driver, name string) (driver.Connector, error) {
	if d, ok := d.(driver.DriverContext); ok {
		return d.OpenConnector(name)
	}
	return plain{d, name}, nil
}

// plain is a driver that has no connector of its own.
type plain struct {
	driver driver.Driver
	name   string
}

func (p plain) Connect(context.Context) (driver.Conn, error) { return p.driver.Open(p.name) }
func (p plain) Driver() driver.Driver                        { return p.driver }

// connector calls init with each connection.
type connector struct {
	driver.Connector
	init func(driverConn any) error
}

func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err == nil && c.init != nil {
		if err = c.init(conn); err != nil {
			conn.Close()
			return nil, err
		}
	}
	return conn, err
}
