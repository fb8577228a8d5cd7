package lockstep

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A segment is the migrations that take effect together, and their run.
type segment struct {
	on         *conn // that they run on
	from       *state
	migrations []*pending
	overruled  bool              // a refusal was allowed
	effects    *sqltext.Effects  // of the migrations; nil in a new database
	before     *sqlite.OrphanSet // that the effects can reach
	rows       []row             // for the history, of those that have run
	had        []sqltext.Object  // before it ran
	lost       []lostObject

	done  []int // without a transaction: the lines of statements that have taken effect
	open  []int // of those that will with the COMMIT or RELEASE of the migration's own
	depth int   // of its own BEGIN and SAVEPOINTs

	// script runs a script, if there is one among the migrations. on is to a private copy
	// of the database then.
	script func(ctx context.Context, m *pending) (output string, err error)
}

// isAlone reports whether the segment is a migration without a transaction.
func (s *segment) isAlone() bool { return len(s.migrations) == 1 && s.migrations[0].noTransaction }

// to returns the version that the segment has brought the database to.
func (s *segment) to() Version {
	if n := len(s.rows); n > 0 {
		return s.rows[n-1].Version
	}
	return s.from.version
}

// finished notes a statement of a migration without a transaction.
func (s *segment) finished(stmt *sqltext.Statement) {
	switch stmt.Keyword() {
	case "begin", "savepoint":
		s.depth++
	case "release":
		s.depth--
	case "commit", "end":
		s.depth = 0
	default:
		s.open = append(s.open, stmt.Line)
	}
	if s.depth <= 0 {
		s.done, s.open = append(s.done, s.open...), nil
	}
}

// next returns the migrations of the next segment: the pending ones that one transaction
// can hold. One without a transaction is alone.
func (u *upgrade) next(st *state) (next []*pending, err error) {
	planned := u.planned
	if n := len(u.schema.after(st.version)); n <= len(planned) {
		planned = planned[len(planned)-n:]
	} else if planned, err = u.schema.prepare(st.version); err != nil { // somebody has restored a backup
		return nil, err
	}
	for _, m := range planned {
		if m.noTransaction && len(next) > 0 {
			break
		}
		next = append(next, m)
		if m.noTransaction || u.perMigration {
			break
		}
	}
	return next, nil
}

// run runs the migrations of a segment in the transaction that is open, or that begins
// here. A script ends it and runs outside of any.
func (u *upgrade) run(ctx context.Context, s *segment) (err error) {
	for i := 0; i < len(s.migrations) && err == nil; i++ {
		if !s.on.begun {
			err = s.on.begin(ctx, "BEGIN IMMEDIATE")
		}
		if err == nil {
			err = u.apply(ctx, s, s.migrations[i])
		}
	}
	return err
}

// runAlone runs a migration that cannot run in a transaction, without the lock, and takes
// the lock again to record it. again means that another process has done so.
func (u *upgrade) runAlone(ctx context.Context, s *segment) (again bool, err error) {
	u.conn.rollback(ctx)
	u.conn.begun = true // the migration may begin a transaction
	u.alone, u.partial = s, true
	if err := u.apply(ctx, s, s.migrations[0]); err != nil {
		u.conn.rollback(ctx)
		if u.findLost(ctx, s, s.migrations[0]) == nil {
			u.logLost(s)
		}
		return false, err
	}
	u.progress.does(waiting)
	now, err := u.lock(ctx)
	if err != nil {
		return false, err
	}
	again = now.version != s.from.version
	s.from = now
	return again, nil
}

// apply runs one migration.
func (u *upgrade) apply(ctx context.Context, s *segment, m *pending) error {
	fail := func(n int, output string, err error) error { // of m.statements before it
		e := u.failed(ctx, err)
		e.File, e.Output = m.File, output
		if m.Program == nil {
			e.Line, e.assumed = m.statements[n].Line, m.statements[n].Assumes()
		}
		u.explain(ctx, s, m, n, e)
		return e
	}
	if m.noTransaction {
		if err := u.keepStrays(ctx, s, m); err != nil {
			return err
		}
	}
	begun := time.Now()
	p := &Progress{Version: m.Version, File: m.File, Statements: len(m.statements), Migrations: len(u.planned)}
	p.Migration = u.ran + len(s.rows) + 1
	u.progress.report(ctx, p, begun, false)
	if m.Program != nil {
		if output, err := u.runProgram(ctx, s, m); err != nil {
			return fail(0, output, err)
		}
	}
	for i, stmt := range m.statements {
		// Without a transaction around it, BEGIN and COMMIT are the migration's own.
		if stmt.Skipped(!m.noTransaction) {
			continue
		}
		began := time.Now()
		p.Statement, p.Line = i+1, stmt.Line
		u.progress.report(ctx, p, began, false)
		execute := s.on.execute
		if m.noTransaction {
			execute = u.executeAlone
		}
		if err := execute(ctx, &stmt); err != nil {
			return fail(i, "", err)
		}
		if m.noTransaction {
			s.finished(&stmt)
		}
		u.progress.report(ctx, p, began, true)
	}
	if !m.noTransaction {
		if err := u.keepStrays(ctx, s, m); err != nil {
			return err
		}
	}
	if err := u.findLost(ctx, s, m); err != nil {
		return err
	}
	p.Statement, p.Line = 0, 0
	u.progress.report(ctx, p, begun, true)
	s.rows = append(s.rows, row{Applied: Applied{
		Version: m.Version, File: m.File, Checksum: m.Checksum,
		At: time.Now(), Took: time.Since(begun),
	}})
	return nil
}

// execute runs a statement to its end. Drivers differ in what Exec does with a statement
// that returns rows: some take one step and stop, so that a SELECT with side effects has
// only part of them.
func (c *conn) execute(ctx context.Context, stmt *sqltext.Statement) error {
	// Some drivers run a short statement although the context has ended.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.settings.Before(ctx, c.Conn, stmt.Pragma()); err != nil {
		return err
	}
	if stmt.ReturnsRows() {
		return sqlite.Drain(ctx, c.Conn, stmt.SQL)
	}
	return c.exec(ctx, stmt.SQL)
}

// executeAlone is execute without a lock, where another connection may hold one. It waits
// for that as for any other; the statement itself may take longer.
func (u *upgrade) executeAlone(ctx context.Context, stmt *sqltext.Statement) error {
	var failed error
	err := u.wait(ctx, func(context.Context) error {
		if failed = u.conn.execute(ctx, stmt); sqlite.IsBusy(failed) {
			return failed
		}
		return nil
	})
	return cmp.Or(err, failed)
}

// runProgram runs a migration that is not SQL. It returns the end of what a script wrote.
func (u *upgrade) runProgram(ctx context.Context, s *segment, m *pending) (output string, err error) {
	switch p := m.Program.(type) {
	case program.Script:
		return s.script(ctx, m)
	case goMigration:
		return "", p.run(ctx, s.on, &u.progress)
	}
	return "", fmt.Errorf("cannot run a %T", m.Program)
}

// A goMigration runs in the transaction of the upgrade. (The interface keeps the code for it
// out of programs that have none.)
type goMigration interface {
	run(ctx context.Context, on *conn, progress *reporter) error
}
