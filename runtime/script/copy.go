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

// sweep removes the folder with the copies of a database. It is called by who has the
// lock, and so nobody's copy is in use.
func sweep(db string) error {
	dir := db + folder
	info, err := os.Lstat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.IsDir():
		return fmt.Errorf("%s is in the way: scripts run in a folder of this name", dir)
	}
	return os.RemoveAll(dir)
}

// privateCopy is the copy of a database that scripts run on.
type privateCopy struct {
	live *sql.Conn // which holds the lock
	seen livecopy.Version
	dir  string // of its own
	path string
	db   *sql.DB
}

// newCopy makes a copy of the database of live, which holds the lock.
func newCopy(ctx context.Context, db *sql.DB, live *sql.Conn, init func(driverConn any) error) (c *privateCopy, err error) {
	c = &privateCopy{live: live}
	defer func() {
		if err != nil {
			c.Close()
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
		if err := sweep(file); err != nil {
			return err
		}
		if c.dir, err = makeDir(file + folder); err != nil {
			return err
		}
		c.path = filepath.Join(c.dir, filepath.Base(file))
		if c.seen, err = livecopy.ReadVersion(ctx, conn); err != nil {
			return err
		}
		return livecopy.Copy(ctx, conn, c.path)
	})
	if err != nil {
		return c, err
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
		if name, err = os.MkdirTemp(dir, ""); !errors.Is(err, fs.ErrNotExist) {
			return name, err
		}
	}
	return "", err
}

func (c *privateCopy) Path() string { return c.path }

func (c *privateCopy) Open(ctx context.Context) (*sql.Conn, error) { return c.db.Conn(ctx) }

func (c *privateCopy) Replace(ctx context.Context) (replaced bool, err error) {
	err = c.live.Raw(func(driverConn any) error {
		conn, err := raw(driverConn)
		if err != nil {
			return err
		}
		return livecopy.ReplaceIf(ctx, conn, c.path, c.seen)
	})
	if errors.Is(err, livecopy.ErrChanged) {
		return false, nil
	}
	return err == nil, err
}

// Close removes what is the copy's own, because the lock may be somebody else's by
// now, and the folder around it, if that is empty then.
func (c *privateCopy) Close() error {
	if c.db != nil {
		c.db.Close()
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
