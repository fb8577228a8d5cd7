// Package gotx is not for programs and promises nothing: it may change in any release.
//
// It keeps a migration in Go inside the transaction of the upgrade.
package gotx

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// An Upgrade is what a migration runs in.
type Upgrade struct {
	InTransaction func(ctx context.Context) error                // returns nil if the transaction is open
	Setting       func(ctx context.Context, pragma string) error // is called before a PRAGMA
	Before        func(query string) (func(error) error, error)  // is called before each statement, and what it returns after it, for its error; or nil
	Whole         bool                                           // rows are read before another statement runs: dqlite's driver cannot have both
	Executed      func(ctx context.Context)                      // is called after a statement
}

// Call calls the function of a migration with a transaction that is the one that is open on a
// connection. However that ends, even in a panic, the migration is off the connection before
// anything else uses it.
func Call(ctx context.Context, on *sql.Conn, u Upgrade, migrate func(context.Context, *sql.Tx) error) (err error) {
	g := &guard{Upgrade: u, checked: make(map[string]bool)}
	// Nobody else uses the connection before Call returns, and [guard.mu] is held whenever
	// the driver is called, as package database/sql would hold a lock of its own.
	if err := on.Raw(func(driverConn any) error { g.on = driverConn.(driver.Conn); return nil }); err != nil {
		return err
	}
	g.ctx, g.cancel = context.WithCancel(ctx)
	// Some drivers have a goroutine wait for the end of the context during each statement, and
	// read each row in another: not if only the end of the migration could end it.
	if g.passed = g.ctx; ctx.Done() == nil {
		g.passed = ctx
	}
	pool := sql.OpenDB(g)
	// The end of the context is looked at in [guard.do], which can return its error.
	inner, err := pool.BeginTx(context.WithoutCancel(ctx), nil)
	if err != nil {
		g.cancel()
		pool.Close()
		return err
	}
	defer func() {
		g.end(func() {
			inner.Rollback() // of nothing: it closes what database/sql holds
			pool.Close()
		})
		err = g.result(err)
	}()
	return migrate(g.ctx, inner)
}

// A guard keeps a Go migration inside the upgrade's transaction. To package database/sql it
// is a driver's connection, with a pool of its own. It passes calls on to the driver of the
// upgrade's connection while the transaction is open.
//
// A wrapper around *sql.Conn would not be enough: it has to return *sql.Stmt and *sql.Rows,
// which go on working when an error has ended the transaction, and SQLite commits each
// statement by itself, and when the function has returned. And after a panic in a Scan,
// database/sql does not let anybody close the rows, or the connection that they are of.
type guard struct {
	Upgrade
	on        driver.Conn     // of the upgrade
	ctx       context.Context // of the migration; ends with it
	passed    context.Context // to the driver
	cancel    context.CancelFunc
	prepares  atomic.Bool  // the driver wants queries that have arguments to be prepared
	users     atomic.Int32 // calls that have not returned
	over      atomic.Bool  // the function has returned
	abandoned bool         // when there were users

	mu      sync.Mutex       // held while the upgrade's connection is in use
	open    []*resource      // of that connection
	checked map[string]bool  // queries that need no further [guard.check]
	last    *sqlite.Reworded // of the last call, nil if it succeeded
	failed  *sqlite.Reworded // why nothing is executed anymore
}

// A resource is a statement or rows of the upgrade's connection that the migration has open.
type resource struct {
	io.Closer      // nil when it is closed
	rows      bool // which are closed before statements
	at        int  // in [guard.open]
}

func (g *guard) opened(r *resource, c io.Closer, rows bool) {
	*r = resource{c, rows, len(g.open)}
	g.open = append(g.open, r)
}

// do calls f, which executes query on the upgrade's connection, unless the function has
// returned or nothing is to be executed anymore.
func (g *guard) do(query string, f func() error) error {
	g.users.Add(1)
	defer g.users.Add(-1)
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.over.Load():
		return sql.ErrTxDone
	case g.failed != nil:
		return fmt.Errorf("not executed, because an earlier statement failed: %w", g.failed)
	}
	err := g.ctx.Err()
	if err == nil {
		err = f()
	}
	g.last = nil
	g.note(query, err)
	if err == nil {
		g.Executed(g.ctx)
	}
	return err
}

// note notes an error and, if it ended the transaction, that nothing is to be executed
// anymore.
func (g *guard) note(query string, err error) {
	if err == driver.ErrSkip {
		g.prepares.Store(true)
	}
	if err == nil || err == io.EOF || err == driver.ErrSkip {
		return
	}
	g.last = statementError(query, err)
	if g.failed == nil && g.InTransaction(context.WithoutCancel(g.ctx)) != nil {
		g.failed = g.last
	}
}

// check refuses a query that has a statement that no migration may execute. It notes settings
// that the query changes, so that they are restored.
func (g *guard) check(query string) error {
	if g.checked[query] {
		return nil
	}
	pragma := false
	for _, stmt := range sqltext.Parse(query).Cut() {
		name, sets := stmt.SetsConnection()
		why := ""
		switch keyword := stmt.Keyword(); keyword {
		case "begin", "commit", "end", "rollback", "savepoint", "release":
			why = strings.ToUpper(keyword) + ": the upgrade is one transaction; return nil to keep the migration's changes, an error to roll back"
		case "attach", "detach":
			why = strings.ToUpper(keyword) + ": a migration changes one database; copy between files in the program"
		case "vacuum":
			why = `VACUUM: cannot run inside a transaction; put it in an SQL migration of its own whose first line is "-- lockstep: no-transaction"`
		default:
			if sets && name == "foreign_keys" {
				why = "PRAGMA foreign_keys does nothing inside a transaction; foreign keys are off during an upgrade, and checked at its end"
			} else if sets {
				why = "PRAGMA " + name + " changes the connection, not the database; set it where the program opens the database"
			}
		}
		if why != "" {
			g.failed = &sqlite.Reworded{Text: why, Cause: errors.New(why)}
			return g.failed
		}
		if err := g.Setting(g.ctx, name); err != nil {
			return err
		}
		pragma = pragma || name != ""
	}
	if len(g.checked) > 100 { // a migration may write each text once
		clear(g.checked)
	}
	g.checked[query] = !pragma
	return nil
}

// within returns a context that ends with ctx, and with the migration's, which ctx mostly is.
func (g *guard) within(ctx context.Context) (context.Context, context.CancelFunc) {
	switch {
	case ctx == g.ctx || ctx == context.Background():
		return g.passed, func() {}
	case ctx.Done() == g.ctx.Done() && g.passed == g.ctx:
		return ctx, func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(g.ctx, cancel)
	return ctx, func() {
		stop()
		cancel()
	}
}

// release closes a resource.
func (g *guard) release(r *resource, query string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	c := r.Closer
	if c == nil {
		return nil
	}
	last := len(g.open) - 1
	g.open[r.at], g.open[last].at = g.open[last], r.at
	g.open, r.Closer = g.open[:last], nil
	err := c.Close()
	g.note(query, err)
	return err
}

// end takes the connection away from the migration and disposes of the migration's pool.
func (g *guard) end(dispose func()) {
	g.over.Store(true)
	if g.users.Load() > 0 {
		g.abandoned = true
		g.cancel()
	}
	g.mu.Lock()
	reading := false
	for _, rows := range []bool{true, false} {
		for _, r := range g.open {
			if r.rows == rows {
				r.Close()
				r.Closer = nil
				reading = reading || rows
			}
		}
	}
	g.open = nil
	g.mu.Unlock()
	g.cancel()
	if reading {
		go dispose() // waits for rows that a panic in Scan or an sql.RawBytes has locked
	} else {
		dispose()
	}
}

// result returns the error of a migration whose function returned err.
func (g *guard) result(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	failed := cmp.Or(g.failed, g.last)
	switch {
	case g.abandoned:
		return errors.New("the function returned while one of its goroutines was using lockstep.Tx; wait for the goroutine")
	case g.failed != nil && (err == nil || errors.Unwrap(err) == error(g.failed)): // see do
		return g.failed
	case err == nil || failed == nil:
		return err
	case err.Error() == failed.Cause.Error():
		return failed
	case errors.Is(err, failed.Cause):
		return err
	}
	// The function has replaced the error of the statement, but perhaps kept its text.
	text := err.Error()
	if !strings.Contains(text, sqlite.Sentence(failed.Cause)) {
		text += ": " + failed.Text
	}
	return &sqlite.Reworded{Text: text, Cause: failed.Cause, Err: err}
}

// statementError returns an error that names the statement.
func statementError(query string, err error) *sqlite.Reworded {
	const limit = 80
	text := strings.Join(strings.Fields(query), " ")
	if short := []rune(text); len(short) > limit {
		text = string(short[:limit]) + "…"
	}
	return sqlite.About(text, err)
}
