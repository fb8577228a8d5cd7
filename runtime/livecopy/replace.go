package livecopy

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/diskfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// ErrChanged is the error of [ReplaceIf] when another connection has written to the
// database since.
var ErrChanged = errors.New("another connection wrote to the database")

// ErrPageSize is the error when the page size of a database in WAL mode would change,
// which SQLite cannot do. https://sqlite.org/pragma.html#pragma_page_size
var ErrPageSize = errors.New("page size cannot change in WAL mode")

// ErrUndecided is in the error of a replacement that may have taken effect: the content is
// the old or the new.
var ErrUndecided = errors.New("the content may have been replaced")

// A Version tells whether other connections have written to a database since. It is good
// only for the connection that it was read on.
//
// https://sqlite.org/pragma.html#pragma_data_version
type Version int64

// ReadVersion returns the present version of the main database of conn. It waits for locks
// of others until ctx ends; the error is then sqlite3.BUSY.
func ReadVersion(ctx context.Context, conn *sqlite3.Conn) (v Version, err error) {
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	err = sqlite.Wait(ctx, func() error {
		n, err := integer(conn, "PRAGMA main.data_version")
		v = Version(n)
		return err
	})
	return v, err
}

// Begin begins a transaction of conn that has the write lock, and returns the version for
// [ReplaceIf]. It waits for others who hold the lock until ctx ends; the error is then
// sqlite3.BUSY. The caller ends the transaction, if nothing else does.
func Begin(ctx context.Context, conn *sqlite3.Conn) (Version, error) {
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	if err := sqlite.Wait(ctx, func() error { return conn.Exec("BEGIN IMMEDIATE") }); err != nil {
		return 0, err
	}
	return ReadVersion(ctx, conn)
}

// Replace replaces the content of the main database of conn by that of the database in the
// file at path, in one transaction: a reader sees the old or the new content, and a process
// that is killed leaves one or the other. It only reads the file at path.
//
// It waits for others until ctx ends: for writers in any journal mode, for readers unless
// it is WAL. The error is then sqlite3.BUSY. After every error but [ErrUndecided] the
// content is what it was. Once Replace has the lock, it ignores ctx.
//
// conn may be in a transaction that has not written; Replace ends it. It keeps the settings
// of the connection and the journal mode. The page size may change, but not in WAL mode:
// the error is then [ErrPageSize].
func Replace(ctx context.Context, conn *sqlite3.Conn, path string) error {
	return replace(ctx, conn, path, func() error { return nil })
}

// ReplaceIf is [Replace], unless another connection has written to the database since
// [ReadVersion] returned seen: it then does nothing and returns [ErrChanged]. Nobody can
// write between the comparison and the replacement.
func ReplaceIf(ctx context.Context, conn *sqlite3.Conn, path string, seen Version) error {
	return replace(ctx, conn, path, func() error { return unchanged(ctx, conn, seen) })
}

// unchanged returns ErrChanged if the database no longer has a version.
func unchanged(ctx context.Context, conn *sqlite3.Conn, seen Version) error {
	now, err := ReadVersion(ctx, conn)
	if err == nil && now != seen {
		err = ErrChanged
	}
	return err
}

// replace calls unchanged when it has the lock.
func replace(ctx context.Context, conn *sqlite3.Conn, path string, unchanged func() error) error {
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	file, err := File(conn)
	if err != nil {
		return errors.Join(err, rollback(conn))
	}
	changed, done, err := watch(ctx, conn, file)
	if err != nil {
		return errors.Join(err, rollback(conn))
	}
	defer done()
	err = replaceFile(ctx, conn, file, path, unchanged)
	// The transaction ends in any case.
	if e := rollback(conn); err == nil {
		err = e
	}
	if begun := (*begunError)(nil); errors.As(err, &begun) {
		if err = begun.err; changed() {
			err = fmt.Errorf("%w: %w", ErrUndecided, err)
		}
	}
	return err
}

// A begunError is an error after which the content may be the new one: the last that a
// commit does can fail after it has taken effect.
type begunError struct{ err error }

func (e *begunError) Error() string { return e.err.Error() }
func (e *begunError) Unwrap() error { return e.err }

// watch returns a function that tells whether the database in file has changed since, if it
// can. It asks another connection, because conn does not count what it writes itself.
func watch(ctx context.Context, conn *sqlite3.Conn, file string) (changed func() bool, done func(), err error) {
	mode, err := text(conn, "PRAGMA main.locking_mode")
	if err != nil {
		return nil, nil, err
	}
	if mode == "exclusive" { // no other connection can read
		return func() bool { return true }, func() {}, nil
	}
	witness, err := openFile(file)
	if err != nil {
		return nil, nil, err
	}
	before, err := ReadVersion(ctx, witness)
	if err != nil {
		witness.Close()
		return nil, nil, err
	}
	return func() bool {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		now, err := ReadVersion(ctx, witness)
		return err != nil || now != before
	}, func() { witness.Close() }, nil
}

func replaceFile(ctx context.Context, conn *sqlite3.Conn, file, path string, unchanged func() error) error {
	src, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer src.Close()
	mode, err := text(conn, "PRAGMA main.journal_mode")
	if err != nil {
		return err
	}
	if mode != "wal" {
		return replaceRollback(ctx, conn, path, mode, unchanged)
	}
	if err := samePageSize(conn, src, path); err != nil {
		return err
	}
	return replaceWAL(ctx, conn, file, src, unchanged)
}

// samePageSize returns an error if the page size would change with the content of the
// database at path.
func samePageSize(conn, src *sqlite3.Conn, path string) error {
	was, err := integer(conn, "PRAGMA main.page_size")
	if err != nil {
		return err
	}
	is, err := integer(src, "PRAGMA main.page_size")
	if err == nil && is != was {
		err = fmt.Errorf("%w: %d bytes, and %d in %s", ErrPageSize, was, is, path)
	}
	return err
}

// replaceRollback replaces the content of a database with a rollback journal, on conn
// itself. SQLite's backup begins its own transaction, so the one that takes the lock has to
// end first. In locking mode EXCLUSIVE the lock outlasts it, so nobody can come in between.
// Readers have to be kept out, too: pages are written to the file before the transaction
// ends.
//
// https://sqlite.org/pragma.html#pragma_locking_mode
func replaceRollback(ctx context.Context, conn *sqlite3.Conn, path, journal string, unchanged func() error) (err error) {
	mode, err := text(conn, "PRAGMA main.locking_mode")
	if err != nil {
		return err
	}
	begun := false
	defer func() {
		// The next read releases the lock. The content is the new one or the old one,
		// whether or not this succeeds.
		conn.SetInterrupt(context.Background())
		e := rollback(conn)
		if e == nil && mode != "exclusive" {
			e = conn.Exec("PRAGMA main.locking_mode = " + mode + "; SELECT 1 FROM main.sqlite_schema LIMIT 1")
		}
		if err == nil {
			err = e
		}
		if err != nil && begun {
			err = &begunError{err}
		}
	}()
	// Two connections that keep a read lock while they wait for a write lock would wait for
	// each other. So the mode changes while conn has the write lock, which it also keeps
	// while it waits for readers: new ones cannot come for ever.
	if conn.TxnState("main") != sqlite3.TXN_WRITE {
		if err := rollback(conn); err != nil {
			return err
		}
		if err := sqlite.Wait(ctx, func() error { return conn.Exec("BEGIN IMMEDIATE") }); err != nil {
			return err
		}
	}
	if err := conn.Exec("PRAGMA main.locking_mode = exclusive"); err != nil {
		return err
	}
	if err := rollback(conn); err != nil {
		return err
	}
	if err := sqlite.Wait(ctx, func() error { return conn.Exec("BEGIN EXCLUSIVE") }); err != nil {
		return err
	}
	if err := unchanged(); err != nil {
		return err
	}
	conn.SetInterrupt(context.Background())
	if err := rollback(conn); err != nil {
		return err
	}
	begun = true
	if err := sqlite.Wait(ctx, func() error { return conn.Restore("main", path) }); err != nil {
		return err
	}
	// If the copy is in WAL mode, so is the database now, and the lock would stay.
	return conn.Exec("PRAGMA main.journal_mode = " + journal)
}

// replaceWAL replaces the content of a database in WAL mode, on another connection than
// conn: the first step of a backup takes the write lock, and conn can still read what was
// committed before. Readers go on.
func replaceWAL(ctx context.Context, conn *sqlite3.Conn, file string, src *sqlite3.Conn, unchanged func() error) error {
	b, err := lockWAL(ctx, conn, file, src, unchanged)
	if err != nil {
		return err
	}
	defer b.Close()
	if err := finishWAL(conn, file, b); err != nil {
		return &begunError{err}
	}
	return nil
}

// lockWAL ends the transaction of conn, and takes the write lock with another connection to
// its file, which is that of the backup's destination.
func lockWAL(ctx context.Context, conn *sqlite3.Conn, file string, src *sqlite3.Conn, unchanged func() error) (*sqlite3.Backup, error) {
	b, err := src.BackupInit("main", file)
	if err != nil {
		return nil, err
	}
	err = rollback(conn)
	if err == nil {
		err = sqlite.Wait(ctx, func() error {
			_, err := b.Step(0)
			return err
		})
	}
	if err == nil {
		err = unchanged()
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// finishWAL takes the remaining steps, and makes them durable.
func finishWAL(conn *sqlite3.Conn, file string, b *sqlite3.Backup) error {
	conn.SetInterrupt(context.Background())
	if _, err := b.Step(-1); err != nil {
		return err
	}
	if err := b.Close(); err != nil {
		return err
	}
	// Here, a commit in WAL mode is not synchronized by default. The replacement must be
	// durable, and the WAL, which now holds the whole database, must be used again.
	// (If there is none, the connection that was closed was the only one, and did both.)
	if err := diskfile.Sync(file + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, _, err := conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if errors.Is(err, sqlite3.BUSY) {
		err = nil // another connection does it
	}
	return err
}

// rollback ends the transaction of conn, if there is one, even after the context has ended.
func rollback(conn *sqlite3.Conn) error {
	if conn.GetAutocommit() {
		return nil
	}
	defer conn.SetInterrupt(conn.SetInterrupt(context.Background()))
	return conn.Exec("ROLLBACK")
}

func integer(conn *sqlite3.Conn, q string) (n int64, err error) {
	err = first(conn, q, func(s *sqlite3.Stmt) { n = s.ColumnInt64(0) })
	return n, err
}

func text(conn *sqlite3.Conn, q string) (v string, err error) {
	err = first(conn, q, func(s *sqlite3.Stmt) { v = s.ColumnText(0) })
	return v, err
}

// first calls f with the first row of a query, which has one.
func first(conn *sqlite3.Conn, q string, f func(*sqlite3.Stmt)) error {
	s, _, err := conn.Prepare(q)
	if err != nil {
		return err
	}
	if s.Step() {
		f(s)
	}
	err = s.Err()
	if e := s.Close(); err == nil {
		err = e
	}
	return err
}
