package lockstep

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A FileProgram is a migration that opens the database itself, by the name of its
// file, so that it cannot run in a transaction of somebody else. Package script has
// those for .py and .sh files; [Outside] makes migrations of them.
type FileProgram interface {
	Program

	// Ready returns why the program could not be run on the database of conn, a
	// connection of db. It is called before anything has run.
	Ready(db *sql.DB, conn *sql.Conn) error

	// Hold prepares a private copy of the database of conn, a connection of db that is
	// in a transaction that began with BEGIN IMMEDIATE. It keeps the lock for writing,
	// and may end the transaction. It returns nil if somebody has written in between.
	// init, if it is not nil, is called with each connection to the copy, as
	// (*sql.Conn).Raw gives it. ctx bounds the wait for locks.
	Hold(ctx context.Context, db *sql.DB, conn *sql.Conn, init func(driverConn any) error) (PrivateCopy, error)

	// Run runs the program on the database at path, in the folder of a private copy.
	// file is its name, and text has LF line ends. When the context ends, the program
	// ends, and what it has started. The error says how it ended, and not what it wrote.
	Run(ctx context.Context, file string, text []byte, path string) (stdout, stderr string, err error)

	// Sweep removes what a process that was killed has left of a copy of the database
	// db. It is called by who holds the lock for writing.
	Sweep(db string) error
}

// A PrivateCopy is the copy of a database that migrations run on.
type PrivateCopy interface {
	Path() string

	// Fill makes the copy, while the lock is held.
	Fill(ctx context.Context) error

	// Open opens the copy. Nobody else has it open.
	Open(ctx context.Context) (*sql.Conn, error)

	// Replace puts the content of the copy, which nobody has open, in the place of
	// the live content, in one transaction, and gives up the lock. ctx bounds the wait
	// for locks. After an error of those it can be called again.
	Replace(ctx context.Context) error

	// Close removes the copy and gives up the lock.
	Close() error
}

// Outside makes a migration of a program that opens the database itself.
//
// Where such a migration is among those that one transaction would hold, all of them
// run on a private copy of the database, while the lock for writing to the live one
// is held: others go on reading, and wait with writing. When everything has run, was
// recorded and found right on the copy, its content replaces the live one, in one
// transaction. What fails before that, or is killed, leaves the live database as it
// was.
func Outside(p FileProgram) Program { return outside{p} }

type outside struct{ FileProgram }

// ready returns an error if the migration could not be run.
func (o outside) ready(ctx context.Context, u *upgrade, m Migration) error {
	err := o.Ready(u.db, u.conn)
	if err == nil {
		return nil
	}
	failed := u.failed(ctx, u.at, m.File, 0, true, err)
	failed.unstarted = true
	return failed
}

// sweep removes what is left of copies that processes made that were killed. It is
// called under the lock.
func (o outside) sweep(db string) error { return o.Sweep(db) }

// onCopy runs migrations on a copy of the database, which is at st and locked for
// writing, and replaces the database by it. It reports whether nothing is left to do.
func (o outside) onCopy(ctx context.Context, u *upgrade, st *state, segment []*pending) (done bool, err error) {
	var c PrivateCopy
	err = u.retry(ctx, func(ctx context.Context) (err error) {
		c, err = o.Hold(ctx, u.db, u.conn, u.connected)
		return err
	})
	if e := (*Error)(nil); errors.As(err, &e) {
		e.Version, e.upgrading = st.version, true
		return false, e
	} else if err != nil {
		return false, u.failed(ctx, st, "", 0, true, err)
	} else if c == nil {
		u.log.Info("begun again, because another connection has written to the database", "database", u.name)
		return false, nil
	}
	defer func() {
		if e := c.Close(); e != nil {
			u.log.Warn("the copy that scripts ran on remains", "database", u.name, "error", e)
		}
	}()
	if err := c.Fill(ctx); err != nil {
		return false, u.failed(ctx, st, "", 0, true, err)
	}
	rows, err := u.runOnCopy(ctx, st, segment, c)
	if err != nil {
		return false, err
	}

	err = u.retry(ctx, c.Replace)
	if e := (*Error)(nil); errors.As(err, &e) {
		e.Version, e.upgrading = st.version, true
		return false, e
	} else if err != nil {
		if err := u.commitFailed(ctx, st, rows, err); err != nil {
			return false, err
		}
	}
	done = u.applied(rows)
	if done {
		u.resealReplaced(ctx)
	}
	return done, nil
}

// runOnCopy runs migrations on a copy, and proves and records there what seal does.
func (u *upgrade) runOnCopy(ctx context.Context, st *state, segment []*pending, c PrivateCopy) ([]row, error) {
	g, on := *u.gate, *u
	on.gate, on.copy, on.live, on.pragmas = &g, c, u.gate, nil
	defer func() {
		on.leaveCopy()
		u.overruled, u.doing, u.reported, u.written = g.overruled, on.doing, on.reported, on.doing.Rows
	}()
	fail := func(err error) error { return u.failed(ctx, st, "", 0, true, err) }
	err := on.enterCopy(ctx)
	if err == nil && len(st.objects) == 0 {
		err = on.beginCopy(ctx)
	}
	if err != nil {
		return nil, fail(err)
	}

	// What is between two scripts is one transaction, as it would be without them.
	open := false
	begin := func() (err error) {
		if !open {
			err = on.begin(ctx, "BEGIN IMMEDIATE")
			open = err == nil
		}
		return err
	}
	commit := func() (err error) {
		if open {
			open = false
			if err = on.inTransaction(ctx); err == nil {
				err = on.run(ctx, "COMMIT")
			}
		}
		return err
	}
	var rows []row
	for _, m := range segment {
		next := begin
		if _, ok := m.Program.(outside); ok {
			next = commit
		}
		if err := next(); err != nil {
			return nil, fail(err)
		}
		r, err := on.apply(ctx, st, m, true)
		if err != nil {
			return nil, err
		}
		rows = append(rows, r)
	}
	if err := commit(); err != nil {
		return nil, fail(err)
	}

	for again := true; again; {
		err := begin()
		if err == nil {
			again, err = on.seal(ctx, st, rows)
		}
		if err == nil && again {
			open = false
			on.rollback(ctx)
			// The live database is still what it was before.
			on.before, err = u.foreignKeys(ctx, st.objects)
		}
		if e := (*Error)(nil); errors.As(err, &e) {
			return nil, err
		}
		if e := (*MigrationError)(nil); errors.As(err, &e) {
			return nil, err
		}
		if err != nil {
			return nil, fail(err)
		}
	}
	// The number of the schema will be another one than the copy's, and could be the
	// same by chance when the schema is not.
	err = on.run(ctx, "UPDATE main._lockstep_history SET cookie = NULL")
	if err == nil {
		err = commit()
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return nil, fail(err)
	}
	return rows, nil
}

// enterCopy opens the copy, with the settings of an upgrade. It is nobody's but this
// process's, so that nothing has to be synchronized.
func (u *upgrade) enterCopy(ctx context.Context) (err error) {
	if u.conn, err = u.copy.Open(ctx); err != nil {
		u.conn = nil
		return err
	}
	u.written, u.counted = u.doing.Rows, 0
	for _, q := range []string{"PRAGMA journal_mode = delete", "PRAGMA foreign_keys = 0", "PRAGMA synchronous = off"} {
		if err := u.run(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// beginCopy makes the copy of a database with nothing in it what that would become: as
// long as there is nothing in the file, its connection alone knows what the program has
// asked for.
func (u *upgrade) beginCopy(ctx context.Context) error {
	for _, name := range []string{"page_size", "encoding", "auto_vacuum"} {
		var value string
		if err := u.live.conn.QueryRowContext(ctx, "PRAGMA main."+name).Scan(&value); err != nil {
			return err
		}
		if err := u.run(ctx, "PRAGMA main."+name+" = '"+value+"'"); err != nil {
			return err
		}
	}
	for _, q := range []string{"CREATE TABLE lockstep_first (a)", "DROP TABLE lockstep_first"} {
		if err := u.run(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// leaveCopy closes the copy, and with it what a connection has besides.
func (u *upgrade) leaveCopy() {
	if u.conn != nil {
		u.rollback(context.Background())
		u.discard()
		u.conn.Close()
		u.conn, u.pragmas = nil, nil
	}
}

// run runs a program on the copy of the database.
func (o outside) run(ctx context.Context, u *upgrade, m *pending) error {
	own, err := u.readOwn(ctx)
	if err != nil {
		return err
	}
	form, err := sqlite.Form(ctx, u.conn)
	if err != nil {
		return err
	}
	u.leaveCopy()
	begun := time.Now()
	stdout, stderr, err := o.Run(ctx, m.File, []byte(sqltext.Normalize(m.text)), u.copy.Path())
	u.log.Info("script ended", "database", u.name, "file", m.File, "took", time.Since(begun), "error", err, "stdout", stdout, "stderr", stderr)
	if err == nil {
		err = u.inspectCopy(ctx, own, form)
	}
	if err != nil {
		if stderr == "" {
			stderr = stdout
		}
		return &outputError{err, stderr}
	}
	return nil
}

// inspectCopy opens the copy that a program has worked on, and looks at what SQLite,
// lockstep and the live database rely on.
func (u *upgrade) inspectCopy(ctx context.Context, own, form string) error {
	var answer string
	err := u.enterCopy(ctx)
	if err == nil {
		err = u.conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&answer)
	}
	switch {
	case err != nil:
		return &leftError{err}
	case answer != "ok":
		fact := "what the script has left is damaged"
		// It can have been so all the time.
		var before string
		err := u.live.conn.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&before)
		if err == nil && before != "ok" {
			fact, answer = "the database is damaged, and was before the script ran", before
		}
		return errors.New(fact + ": integrity_check: " + strings.ReplaceAll(answer, "\n", ": "))
	}
	if err := u.compareOwn(ctx, own); err != nil {
		return err
	}
	switch after, err := sqlite.Form(ctx, u.conn); {
	case err != nil:
		return err
	case after != form:
		return fmt.Errorf("the script changed the database from %s to %s; an upgrade must keep both", form, after)
	}
	return nil
}

// resealReplaced notes the number that the schema has got as it came to its place.
// Until somebody does, every start compares the schema.
func (u *upgrade) resealReplaced(ctx context.Context) {
	g := *u.gate
	g.log = discard{} // it has been told
	ctx = context.WithoutCancel(ctx)
	if st, err := g.read(ctx); err == nil && g.judge(st) == nil {
		g.reseal(ctx, st)
	}
}

// leftError is the error for a copy that cannot be read any more.
type leftError struct{ err error }

func (e *leftError) Error() string { return "what the script has left: " + sqlite.Sentence(e.err) }
func (e *leftError) Unwrap() error { return e.err }

// outputError is the error of a program that wrote something.
type outputError struct {
	err    error
	output string
}

func (e *outputError) Error() string { return e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }
