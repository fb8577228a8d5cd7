package livecopy

import (
	"context"
	"errors"
	"fmt"

	"github.com/ncruces/go-sqlite3"
)

// A Lock is the lock for writing to a database, held from before a copy is made of it
// until the copy takes its place. Others go on reading; nobody else can write.
type Lock struct {
	conn *sqlite3.Conn
	file string
	seen Version
	mode string

	// In WAL mode alone:
	src *sqlite3.Conn // to a file from which the content will come
	b   *sqlite3.Backup
}

// Hold keeps the lock for writing to the main database of conn, which has it: it is in
// a transaction that began with BEGIN IMMEDIATE and has not written.
//
// With a rollback journal, that is all. In WAL mode a lock that is to be kept while the
// content is replaced can only be that of another connection, on which the replacement
// has begun. Hold begins it, and ends the transaction of conn. If somebody writes to the
// database in between, it returns [ErrChanged], and if the lock cannot be had again before
// ctx ends, SQLite's error, sqlite3.BUSY.
//
// scratch is the name of a file that is not there, in a folder of the caller's that is
// removed when the lock has been given up.
func Hold(ctx context.Context, conn *sqlite3.Conn, scratch string) (l *Lock, err error) {
	if conn.TxnState("main") != sqlite3.TXN_WRITE {
		return nil, errors.New("the connection does not hold the lock for writing")
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
	// There must be something in it: a first step from nothing would be the last. It does
	// not have to last.
	err = l.src.Exec(fmt.Sprintf("PRAGMA page_size = %d; PRAGMA synchronous = off; CREATE TABLE scratch (a)", size))
	if err == nil {
		defer conn.SetInterrupt(conn.SetInterrupt(ctx))
		l.b, err = lockWAL(ctx, conn, l.file, l.src, func() error { return l.unchanged(ctx) })
	}
	if err != nil {
		l.src.Close()
		return nil, err
	}
	return l, nil
}

// Replace replaces the content of the database by that of the file at path, as
// [ReplaceIf] does if nobody has written since [Hold], and gives the lock up. It can be
// called again if it fails because of others who hold locks, which it waits for until ctx
// ends: readers, unless the journal mode is WAL.
func (l *Lock) Replace(ctx context.Context, path string) error {
	if l.mode != "wal" {
		return ReplaceIf(ctx, l.conn, path, l.seen)
	}
	if l.b == nil {
		return errors.New("the lock for writing has been given up")
	}
	if err := l.unchanged(ctx); err != nil {
		return err
	}
	// Whoever wrote to the file at path may have put another in its place, so the
	// content comes from one that nobody else knows.
	was, err := integer(l.src, "PRAGMA main.page_size")
	if err != nil {
		return err
	}
	src, err := open(ctx, path)
	if err != nil {
		return err
	}
	defer src.Close()
	switch is, err := integer(src, "PRAGMA main.page_size"); {
	case err != nil:
		return err
	case is != was:
		return fmt.Errorf("%w: %d bytes, and %d in %s", ErrPageSize, was, is, path)
	}
	if err := l.src.Restore("main", path); err != nil {
		return err
	}
	defer l.conn.SetInterrupt(l.conn.GetInterrupt())
	err = finishWAL(l.conn, l.file, l.b)
	l.Release()
	return err
}

// Release gives the lock up, if it is still held.
func (l *Lock) Release() {
	l.b.Close()
	l.b = nil
	l.src.Close()
	l.src = nil
	if l.mode != "wal" {
		rollback(l.conn)
	}
}

func (l *Lock) unchanged(ctx context.Context) error {
	now, err := ReadVersion(ctx, l.conn)
	if err == nil && now != l.seen {
		err = ErrChanged
	}
	return err
}
