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

// ErrChanged is the error when another connection has written to the database.
var ErrChanged = errors.New("another connection wrote to the database")

// ErrPageSize is the error when the page size of a database in WAL mode would change,
// which SQLite cannot do. https://sqlite.org/pragma.html#pragma_page_size
var ErrPageSize = errors.New("page size cannot change in WAL mode")

// ErrUndecided is in the error of a replacement that may have taken effect: the content is
// the old or the new.
var ErrUndecided = errors.New("the content may have been replaced")

// A Lock is the write lock of a database, held until the content of another takes its
// place. Others go on reading; nobody else can write.
type Lock struct {
	conn    *sqlite3.Conn
	file    string
	query   string        // of the URI of each file: see queryOf
	witness *sqlite3.Conn // knows what conn has written, as well as others
	seen    string        // data_version for witness
	journal string        // the journal mode

	// Only in WAL mode:
	from string
	src  *sqlite3.Conn // to from
	b    *sqlite3.Backup
}

// Hold takes the write lock of the main database of conn, which is in locking mode NORMAL
// and may be in a transaction that has not written; if that began with BEGIN IMMEDIATE,
// conn has the lock already. Hold waits for others who have it until ctx ends; the error is
// then sqlite3.BUSY.
//
// With a rollback journal, conn is then in a transaction. In WAL mode a lock that lasts
// through a replacement can only be that of another connection, on which the replacement
// has begun. Hold begins it, and ends the transaction of conn. If another connection writes
// to the database in between, the error is [ErrChanged].
//
// from is the path of a file that nobody else knows and that is there until the lock has
// been released: an empty one, or one with the content that will replace the other. Its
// page size must be that of a database in WAL mode: the error is otherwise [ErrPageSize].
func Hold(ctx context.Context, conn *sqlite3.Conn, from string) (l *Lock, err error) {
	l = &Lock{conn: conn, from: from, query: queryOf(conn)}
	defer func() {
		if err != nil {
			l.Release()
			l = nil
		}
	}()
	if l.file, err = fileOf(conn, l.query); err != nil {
		return l, err
	}
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	if err := l.begin(ctx); err != nil {
		return l, err
	}
	if l.witness, err = openFile(l.uri(l.file)); err != nil {
		return l, err
	}
	if l.seen, err = dataVersion(ctx, l.witness); err != nil {
		return l, err
	}
	if l.journal, err = text(conn, "PRAGMA main.journal_mode"); err == nil && l.journal == "wal" {
		err = l.holdWAL(ctx)
	}
	return l, err
}

// uri returns the name by which SQLite opens a file: see queryOf.
func (l *Lock) uri(path string) string { return sqlite.URI(path, l.query) }

// begin has conn hold the lock.
func (l *Lock) begin(ctx context.Context) error {
	if l.conn.TxnState("main") == sqlite3.TXN_WRITE {
		return nil
	}
	if err := rollback(l.conn); err != nil {
		return err
	}
	return sqlite.Wait(ctx, func() error { return l.conn.Exec("BEGIN IMMEDIATE") })
}

// holdWAL has the destination of a backup hold the lock, and ends the transaction of conn.
func (l *Lock) holdWAL(ctx context.Context) (err error) {
	size, err := text(l.conn, "PRAGMA main.page_size")
	if err != nil {
		return err
	}
	if l.src, err = sqlite3.OpenFlags(l.uri(l.from), sqlite3.OPEN_READWRITE|sqlite3.OPEN_URI); err != nil {
		return err
	}
	// An empty file gets a first page: a first step from an empty database would be the last.
	if err := l.src.Exec("PRAGMA page_size = " + size + "; PRAGMA synchronous = off; BEGIN IMMEDIATE; COMMIT"); err != nil {
		return err
	}
	is, err := text(l.src, "PRAGMA main.page_size")
	if err != nil {
		return err
	}
	if is != size {
		return fmt.Errorf("%w: %s bytes, and %s in %s", ErrPageSize, size, is, l.from)
	}
	if l.b, err = l.src.BackupInit("main", l.uri(l.file)); err != nil {
		return err
	}
	if err := rollback(l.conn); err != nil {
		return err
	}
	err = sqlite.Wait(ctx, func() error {
		_, err := l.b.Step(0)
		return err
	})
	if err != nil {
		return err
	}
	return l.unchanged(ctx)
}

// unchanged returns ErrChanged if the database has been written to since Hold.
func (l *Lock) unchanged(ctx context.Context) error {
	now, err := dataVersion(ctx, l.witness)
	if err == nil && now != l.seen {
		err = ErrChanged
	}
	return err
}

// Replace replaces the content of the database by that of the database in the file at path,
// in one transaction, and releases the lock: a reader sees the old or the new content, and
// a process that is killed leaves one or the other. It only reads the file at path.
//
// It waits for readers until ctx ends, unless the journal mode is WAL. The error is then
// sqlite3.BUSY, and Replace can be called again. After every error but [ErrUndecided] the
// content is what it was. Once readers are out of the way, Replace ignores ctx.
//
// It keeps the settings of the connection and the journal mode. The page size may change,
// but not in WAL mode.
func (l *Lock) Replace(ctx context.Context, path string) error {
	defer l.conn.SetInterrupt(l.conn.SetInterrupt(ctx))
	src, err := open(ctx, l.uri(path), time.Minute) // it does not change
	if err != nil {
		return err
	}
	defer src.Close()
	var begun bool
	if l.journal == "wal" {
		begun, err = l.replaceWAL(ctx, path)
	} else {
		begun, err = l.replaceRollback(ctx, path)
	}
	if begun && err != nil {
		// The last that a commit does can fail after it has taken effect.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if l.unchanged(ctx) != nil {
			err = fmt.Errorf("%w: %w", ErrUndecided, err)
		}
	}
	return err
}

// replaceRollback replaces the content of a database with a rollback journal, on conn
// itself. begun tells whether it can have taken effect.
//
// SQLite's backup begins its own transaction, so the one that holds the lock has to end
// first. In locking mode EXCLUSIVE the lock outlasts it, so nobody can come in between.
// Readers have to be kept out, too: pages are written to the file before the transaction
// ends.
//
// https://sqlite.org/pragma.html#pragma_locking_mode
func (l *Lock) replaceRollback(ctx context.Context, path string) (begun bool, err error) {
	defer func() {
		// The next read releases the lock. The content is the new one or the old one,
		// whether or not this succeeds.
		l.conn.SetInterrupt(context.Background())
		e := rollback(l.conn)
		if e == nil {
			e = l.conn.Exec("PRAGMA main.locking_mode = normal; SELECT 1 FROM main.sqlite_schema LIMIT 1")
		}
		if err == nil {
			err = e
		}
	}()
	// Two connections that keep a read lock while they wait for a write lock would wait for
	// each other. So the mode changes while conn has the write lock, which it also keeps
	// while it waits for readers: new ones cannot come for ever.
	if err := l.begin(ctx); err != nil {
		return false, err
	}
	if err := l.unchanged(ctx); err != nil {
		return false, err
	}
	if err := l.conn.Exec("PRAGMA main.locking_mode = exclusive; ROLLBACK"); err != nil {
		return false, err
	}
	if err := sqlite.Wait(ctx, func() error { return l.conn.Exec("BEGIN EXCLUSIVE") }); err != nil {
		return false, err
	}
	l.conn.SetInterrupt(context.Background())
	if err := rollback(l.conn); err != nil {
		return false, err
	}
	if err := sqlite.Wait(ctx, func() error { return l.conn.Restore("main", l.uri(path)) }); err != nil {
		return true, err
	}
	// If the copy is in WAL mode, so is the database now, and the lock would stay.
	return true, l.conn.Exec("PRAGMA main.journal_mode = " + l.journal)
}

// replaceWAL takes the remaining steps of the backup that holds the lock, and makes them
// durable. begun tells whether they can have taken effect.
func (l *Lock) replaceWAL(ctx context.Context, path string) (begun bool, err error) {
	if err := l.unchanged(ctx); err != nil {
		return false, err
	}
	// A process that had the file at path open may still replace it, so the content comes
	// from the file that nobody else knows.
	if path != l.from {
		if err := l.src.Restore("main", l.uri(path)); err != nil {
			return false, err
		}
	}
	// If the backup ended this transaction, the driver would forget why a write failed.
	if err := l.src.Exec("BEGIN; SELECT 1 FROM sqlite_schema LIMIT 1"); err != nil {
		return false, err
	}
	l.conn.SetInterrupt(context.Background())
	if _, err := l.b.Step(-1); err != nil {
		return true, err
	}
	if err := l.b.Close(); err != nil {
		return true, err
	}
	// Here, a commit in WAL mode is not synchronized by default. The replacement must be
	// durable, and the WAL, which now holds the whole database, must be used again.
	// (If there is none, the connection that was closed was the only one, and did both.)
	if err := diskfile.Sync(l.file + "-wal"); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return true, err
	}
	_, _, err = l.conn.WALCheckpoint("main", sqlite3.CHECKPOINT_PASSIVE)
	if errors.Is(err, sqlite3.BUSY) {
		err = nil // another connection does it
	}
	return true, err
}

// Release releases the lock, if it is still held.
func (l *Lock) Release() {
	l.b.Close()
	l.src.Close()
	l.witness.Close()
	rollback(l.conn)
}

// rollback ends the transaction of conn, if there is one, even after the context has ended.
func rollback(conn *sqlite3.Conn) error {
	if conn.GetAutocommit() {
		return nil
	}
	defer conn.SetInterrupt(conn.SetInterrupt(context.Background()))
	return conn.Exec("ROLLBACK")
}

// dataVersion returns a number that changes when another connection writes to the main
// database. It waits for locks of others until ctx ends; the error is then sqlite3.BUSY.
//
// https://sqlite.org/pragma.html#pragma_data_version
func dataVersion(ctx context.Context, conn *sqlite3.Conn) (v string, err error) {
	defer conn.SetInterrupt(conn.SetInterrupt(ctx))
	err = sqlite.Wait(ctx, func() error {
		v, err = text(conn, "PRAGMA main.data_version")
		return err
	})
	return v, err
}

// text returns the first column of the first row of a query.
func text(conn *sqlite3.Conn, q string) (v string, err error) {
	s, _, err := conn.Prepare(q)
	if err != nil {
		return "", err
	}
	defer s.Close()
	if s.Step() {
		v = s.ColumnText(0)
	}
	return v, s.Err()
}
