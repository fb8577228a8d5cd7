// Package database is not for programs and promises nothing: it may change in any release.
//
// It opens, copies, backs up and restores the databases that the commands of lockstep are
// given. An error names a database as the user did.
package database

import (
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// A DB is an open database.
type DB struct {
	*sql.DB
	Path   string             // as the user wrote it
	Report func(doing string) // is told what takes long, when it begins
	widen  func()             // the umask
}

// Close closes the database.
func (db *DB) Close() error {
	defer db.widen()
	return db.DB.Close()
}

// Open opens a database that exists: for reading only, if it may not be written to.
func Open(path string) (*DB, error) { return openWith(path, Prepare) }

// OpenUnchanged opens a database whose file must not change. SQLite copies the write-ahead
// log into the file when it closes the last connection: a log that is there already stays.
//
// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfignockptonclose
func OpenUnchanged(path string) (*DB, error) {
	if _, err := os.Lstat(target(path) + "-wal"); err != nil {
		return Open(path)
	}
	return openWith(path, func(c *sqlite3.Conn) error {
		if _, err := c.Config(sqlite3.DBCONFIG_NO_CKPT_ON_CLOSE, true); err != nil {
			return err
		}
		return Prepare(c)
	})
}

// target returns the path of a file without links. If there is no file, it is the path itself.
func target(path string) string {
	if file, err := filepath.EvalSymlinks(path); err == nil {
		return file
	}
	return path
}

func openWith(path string, init func(*sqlite3.Conn) error) (db *DB, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		fact, folder := "no such file", filepath.Dir(path)
		if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			fact += ", nor folder " + folder
		}
		return nil, gen.Refuse("missing", "%s: %s", path, fact)
	}
	if err != nil {
		return nil, gen.FileError(path, err)
	}
	if info.IsDir() {
		return nil, isFolder(path)
	}
	diskfile.Tidy(filepath.Dir(target(path)))
	// Only SQLite opens the file: to close it would release the locks of this process.
	widen := diskfile.Narrow(info) // for what SQLite makes beside it
	defer func() {
		if db == nil {
			widen()
		} else {
			db.widen = widen
		}
	}()
	for _, mode := range []string{"rw", "ro"} {
		db, e := Connect(path, mode, init)
		if e != nil {
			return nil, e
		}
		var conn *sql.Conn
		if conn, err = db.Conn(context.Background()); err == nil {
			conn.Close()
		}
		if _, e := db.Exec("PRAGMA schema_version"); errors.Is(e, sqlite3.READONLY) && alone(path) {
			// In WAL mode SQLite makes files beside the database to read it, unless it is told
			// that nobody writes to it. There is no log that it would miss.
			db.Close()
			if db, err = Connect(path, "ro&immutable=1", init); err != nil {
				return nil, err
			}
		}
		if !errors.Is(err, sqlite3.CANTOPEN) { // what else fails, fails again when it is read
			return db, nil
		}
		db.Close()
	}
	for _, suffix := range diskfile.SideFiles {
		if e := diskfile.MayWrite(path + suffix); e != nil && !errors.Is(e, fs.ErrNotExist) {
			return nil, gen.FileError(path+suffix, e)
		}
		if info, e := os.Stat(path + suffix); e == nil && info.IsDir() {
			return nil, gen.FileError(path+suffix, errors.New("is a directory; SQLite needs this name: move it away"))
		}
	}
	return nil, gen.FileError(path, &sqlite.Reworded{Text: sqlite.Sentence(err), Cause: err})
}

// isFolder returns the error for a folder in place of a database. It names the first that
// is in the folder, if one is.
func isFolder(path string) error {
	text := "is a directory; want a database"
	entries, _ := os.ReadDir(path)
	for _, entry := range entries {
		file := filepath.Join(path, entry.Name())
		if slices.Contains([]string{".db", ".sqlite", ".sqlite3"}, filepath.Ext(file)) {
			return gen.FileError(path, errors.New(text+", as in "+file))
		}
	}
	return gen.FileError(path, errors.New(text))
}

// alone reports whether nothing beside a database belongs to its content.
func alone(path string) bool {
	file, err := filepath.EvalSymlinks(path) // of one that cannot be found, nothing is known
	for _, suffix := range []string{"-wal", "-journal"} {
		if _, e := os.Lstat(file + suffix); !errors.Is(e, fs.ErrNotExist) {
			return false
		}
	}
	return err == nil
}

// Create opens a database, for which it makes the file and the folders above it if they
// are missing.
func Create(path string) (*DB, error) {
	if os.IsPathSeparator(path[len(path)-1]) {
		return nil, isFolder(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return nil, gen.FileError(filepath.Dir(path), err)
	}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			return nil, gen.FileError(path, err)
		}
		f.Close() // an empty file is an empty database
	}
	return Open(path)
}

// Connect makes a pool of connections that init prepares. mode is SQLite's: "ro", "rw" or
// "rwc". Connect opens nothing; the first query does. Connections do not wait for locks:
// the runtime does, within its timeout. The environment can say that databases are encrypted.
//
// https://sqlite.org/uri.html
func Connect(path, mode string, init func(*sqlite3.Conn) error) (*DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query, err := Encryption()
	if err != nil {
		return nil, err
	}
	db, err := driver.Open(sqlite.URI(abs, "mode="+mode+"&_pragma=busy_timeout(0)&"+query), init)
	if err != nil {
		return nil, gen.FileError(path, err)
	}
	return &DB{db, path, func(string) {}, func() {}}, nil
}

// Prepare makes a connection accept what other builds of SQLite accept: the migrations may
// have been written for one of them. (Double-quoted strings have been reported as warnings
// by then.)
//
// https://sqlite.org/quirks.html#double_quoted_string_literals_are_accepted
func Prepare(c *sqlite3.Conn) error {
	return errors.Join(engine.Prepare(c), engine.DoubleQuotes(c, true))
}

// Raw calls f with a connection of the pool below database/sql.
func (db *DB) Raw(ctx context.Context, f func(*sqlite3.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return db.Named(err)
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return f(c.(driver.Conn).Raw()) })
}

// Inspect is [lockstep.Inspect] with errors that name the database by its path.
func (db *DB) Inspect(ctx context.Context, s *lockstep.Schema, opts ...lockstep.Option) (*lockstep.State, error) {
	state, err := lockstep.Inspect(ctx, db.DB, s, opts...)
	if err != nil {
		return nil, db.Named(err)
	}
	state.Refusal = db.Named(state.Refusal)
	return state, nil
}

// Named puts the path as the user wrote it into an error of the runtime, which has the
// path that SQLite made of it.
func (db *DB) Named(err error) error {
	if err == nil {
		return nil
	}
	e, m := (*lockstep.Error)(nil), (*lockstep.MigrationError)(nil)
	refused, failed := errors.As(err, &e), errors.As(err, &m) // either can hold the other
	if refused {
		e.DB, e.Backup = db.Path, db.Beside(e.Backup, e.DB)
		if errors.Is(err, sqlite3.NOTADB) {
			e.Detail = "if it is encrypted, see lockstep help drivers"
			if query, _ := Encryption(); query != "" {
				e.Detail = "encrypted with another key, or not at all"
			}
		}
	}
	if failed {
		m.DB, m.Backup = db.Path, db.Beside(m.Backup, m.DB)
	}
	if !refused && !failed {
		return gen.FileError(db.Path, err)
	}
	return err
}

// Beside returns the path of a backup as the user would write it, if it lies beside file
// and beside the path of the database, which can be a link to file.
func (db *DB) Beside(backup, file string) string {
	if rest, ok := strings.CutPrefix(backup, file+"."); ok {
		if _, err := os.Lstat(db.Path + "." + rest); err == nil {
			return db.Path + "." + rest
		}
	}
	return backup
}
