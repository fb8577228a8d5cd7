// Package livecopy is not for programs and promises nothing: it may change in any release.
//
// It copies the file of an SQLite database while others use it, and replaces the live
// content by that of such a copy, in one atomic step. It imports no database/sql driver.
package livecopy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// File returns the path of the file of conn's main database, without symbolic links. It
// returns an error if that is no plain file: the database is in memory, or in another VFS
// than the default (a script cannot read an encrypted database).
func File(conn *sqlite3.Conn) (string, error) { return fileOf(conn, "") }

// fileOf is File, but with the query of queryOf it accepts an encrypted database.
func fileOf(conn *sqlite3.Conn, query string) (string, error) {
	name, err := conn.FileControl("main", sqlite3.FCNTL_VFSNAME)
	if err != nil {
		return "", err
	}
	file := conn.Filename("main").String()
	switch {
	case file == "":
		return "", errors.New("the database is in memory")
	case name != "os" && query == "":
		return "", fmt.Errorf("the database is in the VFS %q; want the default one, which keeps it in a plain file", name)
	}
	return file, nil
}

// queryOf returns the query of a URI with which SQLite opens another file as it has opened
// that of conn, with a key: a copy of an encrypted database has the same. "" means none.
func queryOf(conn *sqlite3.Conn) string {
	var parameters []string
	given := conn.Filename("main").URIParameters()
	for _, name := range []string{"vfs", "key", "hexkey", "textkey"} {
		for _, value := range given[name] {
			parameters = append(parameters, name+"="+sqlite.Escape(value))
		}
	}
	if len(parameters) < 2 { // without a key, copies are plain files
		return ""
	}
	return strings.Join(parameters, "&")
}

// Copy writes a copy of the main database of conn to a new file at path: what was committed
// when Copy began, in a single file, synchronized to disk with its folder. The file has the
// permissions of the database, and its owner where the program may give it away. If conn has
// opened the database with a key in a URI, the copy has the same key. conn may be in a
// transaction, and is not touched: Copy reads through another connection.
//
// Others go on reading. They also go on writing if the journal mode is WAL; if not, they
// wait for the copy as for any reader. Copy waits for their locks until the timeout; the error
// is then sqlite3.BUSY. It calls report with how much it has copied, unless that is nil.
//
// If the file exists, it is left alone, and the error is fs.ErrExist. A copy that cannot be
// completed is removed.
func Copy(ctx context.Context, conn *sqlite3.Conn, path string, timeout time.Duration, report func(percent int)) (err error) {
	query := queryOf(conn)
	file, err := fileOf(conn, query)
	if err != nil {
		return err
	}
	src, err := open(ctx, sqlite.URI(file, query), timeout)
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
	b, err := src.BackupInit("main", sqlite.URI(path, "_pragma=journal_mode(off)&_pragma=synchronous(off)&"+query))
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

// pages is how many pages are copied before Copy looks at the context again.
const pages = 1024

// open opens the database of a name and begins to read: it stays the same, for this
// connection, until that is closed.
func open(ctx context.Context, name string, timeout time.Duration) (*sqlite3.Conn, error) {
	conn, err := openFile(name)
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

// openFile opens the database of a name, a path or a URI, read-only if it has to.
func openFile(name string) (*sqlite3.Conn, error) {
	conn, err := sqlite3.OpenFlags(name, sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI)
	if err != nil {
		if ro, err := sqlite3.OpenFlags(name, sqlite3.OPEN_READONLY|sqlite3.OPEN_URI); err == nil {
			return ro, nil
		}
	}
	return conn, err
}
