package livecopy

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// A Lock is the write lock of a database, held from before a copy of it is made until the
// copy takes its place. Others go on reading; nobody else can write.
type Lock struct {
	conn *sqlite3.Conn
	file string
	seen Version
	mode string

	// Only in WAL mode:
	src *sqlite3.Conn // to the file that the content will come from
	b   *sqlite3.Backup
}

// Hold keeps the write lock of the main database of conn, which has it: conn is in a
// transaction that began with BEGIN IMMEDIATE and has not written.
//
// With a rollback journal, that is all. In WAL mode a lock that lasts through a replacement
// can only be that of another connection, on which the replacement has begun. Hold begins
// it, and ends the transaction of conn. If another connection writes to the database in
// between, Hold returns [ErrChanged], and if it cannot take the lock again before ctx ends,
// sqlite3.BUSY.
//
// scratch is the name of a file that does not exist, in a folder that the caller removes
// after the lock has been released.
func Hold(ctx context.Context, conn *sqlite3.Conn, scratch string) (l *Lock, err error) {
	if conn.TxnState("main") != sqlite3.TXN_WRITE {
		return nil, errors.New("the connection does not hold the write lock")
	}
	l = &Lock{conn: conn}
	if l.file, err = File(conn); err != nil {
		return nil, err
	}
	if l.seen, err = ReadVersion(ctx, conn); err != nil {
		return nil, err
	}
	if l.mode, err = text(conn, "PRAGMA main.journal_mode"); err != nil || l.mode != "wal" {
		return l, err
	}
	size, err := integer(conn, "PRAGMA main.page_size")
	if err != nil {
		return nil, err
	}
	if l.src, err = sqlite3.OpenFlags(scratch, sqlite3.OPEN_READWRITE|sqlite3.OPEN_CREATE); err != nil {
		return nil, err
	}
	// It must not be empty: a first step from an empty database would be the last.
	err = l.src.Exec(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA synchronous = off; CREATE TABLE scratch (a)", size))
	if err == nil {
		defer conn.SetInterrupt(conn.SetInterrupt(ctx))
		l.b, err = lockWAL(ctx, conn, l.file, l.src, func() error { return unchanged(ctx, conn, l.seen) })
	}
	if err != nil {
		l.src.Close()
		return nil, err
	}
	return l, nil
}

// Replace replaces the content of the database by that of the file at path, as [ReplaceIf]
// does, and releases the lock. It waits for others who hold locks until ctx ends: for
// readers, unless the journal mode is WAL. After such an error it can be called again.
func (l *Lock) Replace(ctx context.Context, path string) error {
	if l.mode != "wal" {
		return ReplaceIf(ctx, l.conn, path, l.seen)
	}
	if l.b == nil {
		return errors.New("the write lock has been released")
	}
	if err := unchanged(ctx, l.conn, l.seen); err != nil {
		return err
	}
	// A process that had the file at path open may still replace it, so the content comes
	// from a file that nobody else knows.
	src, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer src.Close()
	if err := samePageSize(l.src, src, path); err != nil {
		return err
	}
	if err := l.src.Restore("main", path); err != nil {
		return err
	}
	defer l.conn.SetInterrupt(l.conn.GetInterrupt())
	err = finishWAL(l.conn, l.file, l.b)
	l.Release()
	return err
}

// Release releases the lock, if it is still held.
func (l *Lock) Release() {
	l.b.Close()
	l.b = nil
	l.src.Close()
	l.src = nil
	if l.mode != "wal" {
		rollback(l.conn)
	}
}
