package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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

// Patience is how long a statement that reads a number may take. A server that is paused takes
// longer.
const Patience = 5 * time.Second

// A Lookout looks for what other connections write to a database.
type Lookout struct {
	DB      *sql.DB
	Timeout time.Duration // for connecting, where that waits for nobody
	File    string        // "" until it is known

	conn *sql.Conn   // nil between looks, if the pool is limited
	own  bool        // conn is nobody else's
	seen string      // PRAGMA data_version of it, when f last returned nil
	info os.FileInfo // of File; nil if there is none
	wal  os.FileInfo // beside it; nil if there is none
}

// Look calls f, unless it is sure that no other connection has written to the database since f
// last returned nil. What has not answered after some seconds is a lost connection.
//
// It keeps a connection, until Leave: what PRAGMA data_version returns means something only
// there. From a limited pool, whose every connection the program may need, it takes one for
// each look and gives it back. With that the program may have written itself, so f is called
// each time.
//
// https://sqlite.org/pragma.html#pragma_data_version
func (l *Lookout) Look(ctx context.Context, f func(context.Context, *sql.Conn) error) error {
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := l.DB.Conn(ended); !errors.Is(err, context.Canceled) {
		return ErrClosed // a connection that was taken before would still work
	}
	replaced, written := l.file()
	if replaced {
		return ErrReplaced
	}
	limited := l.DB.Stats().MaxOpenConnections > 0
	if limited {
		l.Leave()
		defer l.Leave()
	}
	silent, err := l.connect(ctx, !limited)
	if err == nil {
		silent, err = within(ctx, Patience, func(ctx context.Context) error { return l.ask(ctx, written, f) })
		if err != nil && limited && Code(err) == 0 && ctx.Err() == nil {
			Answers(ctx, l.conn) // or the pool must not get it back
		}
	}
	if silent && (!limited || OnServer(l.File)) { // else it may have waited for a lock
		return driver.ErrBadConn
	}
	return err
}

// within calls f, and reports whether that took longer than it may.
func within(ctx context.Context, limit time.Duration, f func(context.Context) error) (longer bool, err error) {
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = f(limited)
	return IsInterrupt(err) && ctx.Err() == nil, err
}

// ask calls f, unless nothing was written. If only the file was, SQLite does not know of it.
func (l *Lookout) ask(ctx context.Context, written bool, f func(context.Context, *sql.Conn) error) (err error) {
	if l.own && l.seen == "" { // It is not to wait: drivers do not interrupt that.
		Drain(ctx, l.conn, "PRAGMA busy_timeout = 0")
	}
	if l.File == "" {
		l.File = File(func(dest ...any) error { return Read(ctx, l.conn, FileQuery, dest...) })
		if filepath.IsAbs(l.File) {
			l.info, _ = os.Stat(l.File)
		}
	}
	var now string
	if l.own {
		if err := Read(ctx, l.conn, "PRAGMA data_version", &now); err != nil || now == l.seen && !written {
			return err
		}
		if now == l.seen { // by somebody who copied a file over it or removed its WAL, or by a checkpoint
			l.Leave()
			return nil // the next look connects
		}
	}
	if err = f(ctx, l.conn); err == nil {
		l.seen = now
	}
	return err
}

// file reports whether the file has another, or none, in its place, or else whether it was
// written to, or its WAL replaced, since it was last asked.
func (l *Lookout) file() (replaced, written bool) {
	if l.info == nil {
		return false, false
	}
	now, err := os.Stat(l.File)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist), false
	}
	was, wal := l.info, l.wal
	l.info = now
	l.wal, _ = os.Stat(l.File + "-wal")
	another := wal != nil && (l.wal == nil || !os.SameFile(wal, l.wal)) // which a connection does not notice
	return !os.SameFile(was, now), another || now.Size() != was.Size() || !now.ModTime().Equal(was.ModTime())
}

// connect takes a connection, if there is none.
func (l *Lookout) connect(ctx context.Context, own bool) (silent bool, err error) {
	if l.conn != nil {
		return false, nil
	}
	l.own, l.seen = own, ""
	take := func(ctx context.Context) (err error) {
		l.conn, err = l.DB.Conn(ctx)
		return err
	}
	if !own { // it waits until one is free
		return false, take(ctx)
	}
	return within(ctx, l.Timeout, take)
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
