package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// FileQuery asks for what [File] returns. It takes no lock.
const FileQuery = "PRAGMA database_list"

// File returns how SQLite names the file of the main database, which comes first, or
// ":memory:", or "" if it cannot be read.
func File(first Scan) string {
	var seq, name, file sql.NullString
	if first(&seq, &name, &file) != nil {
		return ""
	}
	return cmp.Or(file.String, ":memory:")
}

var (
	// ErrReplaced is returned if the file is no longer that which was first seen: the
	// pool's connections go on with the old one.
	ErrReplaced = errors.New("file was replaced")
	// ErrClosed is returned if the pool was closed.
	ErrClosed = errors.New("sql: database is closed")
)

// A Lookout looks for what other connections write to a database.
type Lookout struct {
	DB   *sql.DB
	File string // "" until it is known

	conn *sql.Conn   // nil between looks, if the pool is limited
	own  bool        // conn is nobody else's
	seen string      // PRAGMA data_version of it, when f last returned nil
	info os.FileInfo // of File; nil if there is none
}

// Look calls f, unless it is sure that no other connection has written to the database since f
// last returned nil.
//
// It keeps a connection, until Leave: what PRAGMA data_version returns means something only
// there. From a limited pool, whose every connection the program may need, it takes one for
// each look and gives it back. With that the program may have written itself, so f is called
// each time.
//
// https://sqlite.org/pragma.html#pragma_data_version
func (l *Lookout) Look(ctx context.Context, f func(*sql.Conn) error) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.DB.Conn(ended); !errors.Is(err, context.Canceled) {
		return ErrClosed // a connection that was taken before would still work
	}
	if l.replaced() {
		return ErrReplaced
	}
	limited := l.DB.Stats().MaxOpenConnections > 0
	if limited {
		l.Leave()
		defer l.Leave()
	}
	if err := l.connect(ctx, !limited); err != nil {
		return err
	}
	var now string
	if l.own {
		if err := Read(ctx, l.conn, "PRAGMA data_version", &now); err != nil || now == l.seen {
			return err
		}
	}
	err := f(l.conn)
	if err == nil {
		l.seen = now
	}
	return err
}

// replaced reports whether the file has another, or none, in its place.
func (l *Lookout) replaced() bool {
	if l.info == nil {
		return false
	}
	now, err := os.Stat(l.File)
	return errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(l.info, now)
}

// connect takes a connection, if there is none.
func (l *Lookout) connect(ctx context.Context, own bool) (err error) {
	if l.conn != nil {
		return nil
	}
	if l.conn, err = l.DB.Conn(ctx); err != nil {
		return err
	}
	if l.own, l.seen = own, ""; own {
		// It is not to wait: drivers do not interrupt that.
		Drain(ctx, l.conn, "PRAGMA busy_timeout = 0")
	}
	if l.File == "" {
		l.File = File(func(dest ...any) error { return Read(ctx, l.conn, FileQuery, dest...) })
		if filepath.IsAbs(l.File) {
			l.info, _ = os.Stat(l.File)
		}
	}
	return nil
}

// Leave gives the connection up.
func (l *Lookout) Leave() {
	if l.conn == nil {
		return
	}
	if l.own { // with a setting that the pool must not get back
		Discard(l.conn)
	}
	l.conn.Close()
	l.conn = nil
}
