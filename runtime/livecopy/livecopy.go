// Package livecopy is not for programs and promises nothing: it may change in any release.
//
// It copies the file of an SQLite database while others use it, and replaces the live
// content by that of such a copy, in one atomic step. It imports no database/sql driver.
package livecopy

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// File returns the path of the file of conn's main database, without symbolic links. It
// returns an error if that is no plain file: the database is in memory, or in another VFS
// than the default (an encrypted database would be copied in the clear).
func File(conn *sqlite3.Conn) (string, error) {
	name, err := conn.FileControl("main", sqlite3.FCNTL_VFSNAME)
	if err != nil {
		return "", err
	}
	file := conn.Filename("main").String()
	switch {
	case file == "":
		return "", errors.New("the database is in memory")
	case name != "os":
		return "", fmt.Errorf("the database is in the VFS %q; want the default one, which keeps it in a plain file", name)
	}
	return file, nil
}

// Copy writes a copy of the main database of conn to a new file at path: what was committed
// when Copy began, in a single file, synchronized to disk with its folder. The file has the
// permissions of the database, and its owner where the program may give it away. conn may
// be in a transaction, and is not touched: Copy reads through another connection.
//
// Others go on reading. They also go on writing if the journal mode is WAL; if not, they
// wait for the copy as for any reader. Copy waits for their locks until the timeout; the error
// is then sqlite3.BUSY. It calls report with how much it has copied, unless that is nil.
//
// If the file exists, it is left alone, and the error is fs.ErrExist. A copy that cannot be
// completed is removed.
func Copy(ctx context.Context, conn *sqlite3.Conn, path string, timeout time.Duration, report func(percent int)) (err error) {
	file, err := File(conn)
	if err != nil {
		return err
	}
	src, err := open(ctx, file, timeout)
	if err != nil {
		return err
	}
	defer src.Close()

	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(path)
		}
	}()
	if err := f.Close(); err != nil {
		return err
	}
	// A journal would have nothing to go back to, and permissions of its own.
	b, err := src.BackupInit("main", URI(path, "_pragma=journal_mode(off)&_pragma=synchronous(off)"))
	if err != nil {
		return err
	}
	for done := false; !done && err == nil; {
		if done, err = b.Step(pages); err == nil {
			if n := b.PageCount(); n > 0 && report != nil {
				report(100 * (n - b.Remaining()) / n)
			}
			err = ctx.Err()
		}
	}
	if err := errors.Join(err, b.Close()); err != nil {
		return err
	}
	if err := diskfile.Finish(path, file); err != nil {
		return err
	}
	return diskfile.SyncFolder(filepath.Dir(path))
}

// URI returns the URI of a file, in which each character of its path means itself.
func URI(path, query string) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + query
}

// pages is how many pages are copied before Copy looks at the context again.
const pages = 1024

// open opens the database in file and begins to read: it stays the same, for this
// connection, until that is closed.
func open(ctx context.Context, file string, timeout time.Duration) (*sqlite3.Conn, error) {
	conn, err := openFile(file)
	if err != nil {
		return nil, err
	}
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	if err = conn.Exec("BEGIN"); err == nil {
		limited, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		err = sqlite.Wait(limited, func() error { return conn.Exec("SELECT 1 FROM sqlite_schema LIMIT 1") })
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// openFile opens the database in file, read-only if it has to.
func openFile(file string) (*sqlite3.Conn, error) {
	conn, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READWRITE)
	if err != nil {
		if ro, err := sqlite3.OpenFlags(file, sqlite3.OPEN_READONLY); err == nil {
			return ro, nil
		}
	}
	return conn, err
}
