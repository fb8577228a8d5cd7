// Package program is not for programs and promises nothing: it may change in any release.
//
// It is the contract of package lockstep for migrations that are more than a
// lockstep.Program: with package script, which runs scripts, and with the generator, which
// runs migrations in Go without an upgrade.
package program

import (
	"context"
	"database/sql"
	"time"
)

// A Script is a lockstep.Program that opens the database itself, by the name of its file.
type Script interface {
	// Ready returns why the script could not be run on the database of conn, a
	// connection of db. It is called before anything has run.
	Ready(db *sql.DB, conn *sql.Conn) error

	// Upgrade runs a part of an upgrade on a private copy of the database, and replaces
	// the live content by that of the copy, in one transaction. Meanwhile others may
	// read, and not write. It reports whether nothing is left to do. If it is not, and
	// there is no error, the upgrade goes on by reading the database again.
	Upgrade(ctx context.Context, u Upgrade) (done bool, err error)

	// HasCopies reports whether there are copies beside the database in file, of killed
	// processes or of one that upgrades it.
	HasCopies(file string) bool

	// Sweep removes these copies. The caller holds the lock for writing, so nobody uses them.
	Sweep(file string) error
}

// An Upgrade is what package lockstep does in [Script.Upgrade]. Its errors are complete.
type Upgrade interface {
	// On calls hold until it no longer finds the database locked. It runs the migrations
	// on the copy that hold returns, records them there, and has the copy replace the
	// database.
	On(ctx context.Context, hold Hold) (done bool, err error)
}

// Hold returns a copy of the database, or nil if another connection has written to it. conn
// is a connection of db, in a transaction that began with BEGIN IMMEDIATE. init, unless it
// is nil, is called with each connection to the copy, as (*sql.Conn).Raw gives it.
type Hold func(ctx context.Context, db *sql.DB, conn *sql.Conn, init func(driverConn any) error) (Copy, error)

// A Copy is a copy of a database that nobody else uses. As long as there is one, nobody else
// writes to the database.
type Copy interface {
	// Fill makes the copy. It waits for locks until the timeout.
	Fill(ctx context.Context, timeout time.Duration) error

	// Open opens the copy. It is not open.
	Open(ctx context.Context) (*sql.Conn, error)

	// Run runs a script on the copy, which is not open. file is its name. When the context
	// ends, the script ends, and what it has started. It returns the end of what the
	// script wrote, and an error that says how it ended, or what is wrong with what it left.
	Run(ctx context.Context, file string, text []byte) (stdout, stderr string, err error)

	// Locked returns err, or if that says that the copy is locked, an error that says by
	// whom.
	Locked(err error) error

	// Replace replaces the content of the database by that of the copy.
	Replace(ctx context.Context) error

	// Close removes the copy.
	Close() error
}

// A Go is a lockstep.Program that is a function, as package lockstep has it for the
// generator.
type Go interface {
	// Around returns the same program, but before is called before each statement, on the
	// goroutine that executes it, and after when it has been executed, with its error: the
	// function gets the one that after returns.
	Around(before func(query string) (after func(error) error, err error)) interface{ Checksum(text []byte) string }

	// Replay calls the function in the transaction that is open on conn, as an upgrade does.
	Replay(ctx context.Context, conn *sql.Conn) error
}
