package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Primary result codes. https://sqlite.org/rescode.html
const (
	codeError      = 1
	codePermission = 3
	codeBusy       = 5
	codeLocked     = 6
	codeReadOnly   = 8
	codeInterrupt  = 9
	codeIO         = 10
	codeCantOpen   = 14
	codeProtocol   = 15
)

// IsBusy reports whether err says that another connection holds a lock, so that the same
// call can succeed later. LOCKED is the same within a shared cache, and PROTOCOL ends a
// race for the locks of a WAL.
//
//go:noinline
func IsBusy(err error) bool {
	switch Code(err) & 0xff {
	case codeBusy, codeLocked, codeProtocol:
		return true
	}
	return false
}

// IsReadOnly reports whether err says that the database cannot be written to.
func IsReadOnly(err error) bool { return Code(err)&0xff == codeReadOnly }

// IsOfFile reports whether err is what SQLite says when it may not read or write a file.
func IsOfFile(err error) bool {
	switch Code(err) & 0xff {
	case codePermission, codeReadOnly, codeIO, codeCantOpen:
		return true
	}
	return false
}

// IsInterrupt reports whether err is what a driver returns when the context has ended:
// SQLite's answer, or the context's error.
func IsInterrupt(err error) bool {
	return Code(err)&0xff == codeInterrupt || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// Wait calls f until it no longer finds the database locked. When ctx ends, it returns the
// last error that said so, for f may say then that it was interrupted, or of a server that the
// connection is lost. (SQLite's own busy handler does not wait where waiting could
// deadlock, and drivers do not interrupt it. https://sqlite.org/c3ref/busy_handler.html)
func Wait(ctx context.Context, f func() error) error {
	var busy error
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		err := f()
		switch {
		case IsBusy(err):
			busy = err
		case busy != nil && over(ctx) && (IsInterrupt(err) || IsLost(err)):
			return busy
		default:
			return err
		}
		// Connections that wait for the same lock should not all try at the same time.
		if !Pause(ctx, pause/2+rand.N(pause)) {
			return busy
		}
	}
}

// WaitFor calls f as [Wait] does, for as long as the timeout. It reports whether f found the
// database locked to the end. f takes long only if it waits for a lock, so an f that is
// interrupted at the end, and once more, was waiting: once may be because SQLite rolled back what
// a killed program has left, which nothing interrupts. After each silence f is interrupted and
// called again: the driver of a server that does not answer says then that the connection is lost.
func WaitFor(ctx context.Context, timeout, silence time.Duration, f func(context.Context) error) (locked bool, err error) {
	try := func(limit time.Duration) (interrupted bool) {
		limited, cancel := context.WithTimeout(ctx, max(limit, time.Millisecond))
		defer cancel()
		err = Wait(limited, func() error { return f(limited) })
		return limited.Err() != nil && IsInterrupt(err)
	}
	end, interrupted := time.Now().Add(timeout), false
	for {
		interrupted = try(min(time.Until(end), silence))
		if !interrupted && !IsBusy(err) {
			return false, err
		}
		if ctx.Err() != nil || time.Until(end) <= 0 {
			break
		}
	}
	if interrupted && ctx.Err() == nil {
		interrupted = try(200 * time.Millisecond)
	}
	return interrupted || IsBusy(err), err
}

// over reports whether ctx has ended. A connection may obey its deadline a little earlier.
func over(ctx context.Context) bool {
	deadline, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && !time.Now().Before(deadline)
}

// Pause waits, and reports whether ctx lasted as long.
func Pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// InTransaction returns nil if a transaction is open. Some errors end it, and if a driver
// keeps such an error to itself, the version must not be recorded while the migrations are
// rolled back. No statement of SQLite tells, but it refuses a second BEGIN. (A savepoint
// around the upgrade would also tell. But with one, SQLite saves each page before it
// changes it, and rebuilding a table takes a quarter longer.)
func InTransaction(ctx context.Context, c *sql.Conn) error {
	switch _, err := c.ExecContext(ctx, "BEGIN"); {
	case err == nil:
		return errors.New("a statement ended the upgrade's transaction")
	case !strings.Contains(err.Error(), "within a transaction"):
		return err
	}
	return nil
}

// IsLost reports whether err may say that the connection to the database is lost, or that
// the server at its other end no longer leads. For certain says only [Lost].
func IsLost(err error) bool {
	// A *net.OpError, without linking package net. Errors of a driver that have SQLite's codes
	// may have the same methods.
	if e := (interface {
		Timeout() bool
		Temporary() bool
		Unwrap() error
	})(nil); Code(err) == 0 && errors.As(err, &e) {
		return true
	}
	for _, lost := range []error{driver.ErrBadConn, sql.ErrConnDone, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe,
		syscall.ECONNRESET, syscall.ECONNREFUSED, syscall.ECONNABORTED, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	// Drivers share no code for the rest. A path in an error of SQLite may have these words, too.
	return err != nil && Code(err) == 0 && slices.ContainsFunc([]string{
		"not leader", "not the leader", "leadership lost", "no leader", "no available leader", "no available dqlite leader",
		"connection reset", "connection refused", "broken pipe", "use of closed network connection", "unexpected EOF", "i/o timeout",
	}, func(says string) bool { return strings.Contains(err.Error(), says) })
}

// Lost reports whether err says that the connection is lost, and discards it then. An error that
// may be from elsewhere, as of a migration in Go, says so only if the connection does not answer.
func Lost(ctx context.Context, conn *sql.Conn, err error, elsewhere bool) bool {
	if !IsLost(err) || elsewhere && Answers(ctx, conn) {
		return false
	}
	Discard(conn)
	return true
}

// Answers reports whether a connection is there. One that is not, the pool closes.
func Answers(ctx context.Context, conn *sql.Conn) bool {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), Patience)
	defer cancel()
	var n int
	err := Read(ctx, conn, "SELECT 1", &n)
	if err != nil {
		Discard(conn)
	}
	return err == nil
}

// DiscardAfter discards a connection after an error of the disk: it may keep a lock that it
// could not give back.
func DiscardAfter(conn *sql.Conn, err error) {
	if Code(err)&0xff == codeIO {
		Discard(conn)
	}
}

// Discard has the pool close a connection instead of taking it back: the application must
// not get it in the state that it is in.
//
//go:noinline
func Discard(conn *sql.Conn) { conn.Raw(func(any) error { return driver.ErrBadConn }) }
