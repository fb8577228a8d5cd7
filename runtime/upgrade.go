package lockstep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// upgrade is what one call of Migrate does to a database that is behind.
type upgrade struct {
	*gate
	at       *state // the last that is known of the database
	planned  int    // migrations to run when it began
	ran      int    // of them, committed
	rows     int64  // that those have changed
	progress reporter
	prepared map[Version]*pending

	countFirst bool      // rows without parent were found: count those before the upgrade
	before     *fkReport // what was counted
}

// upgrade brings a database that is behind to the expected version. seen is what was read
// of it before: the lock is taken now, and everything is decided on what is read under
// the lock.
func (g *gate) upgrade(ctx context.Context, seen *state) error {
	u := &upgrade{gate: g, at: seen, progress: reporter{f: g.onProgress, begun: time.Now()}, prepared: make(map[Version]*pending)}
	// Stale contents must stop the program before it waits for anybody.
	var planned []*pending
	for _, m := range g.schema.after(seen.version) {
		p, err := u.prepare(m)
		if err != nil {
			return err
		}
		planned = append(planned, p)
	}
	u.planned = len(planned)
	unstarted := func(file string, err error) error {
		e := u.failed(ctx, err)
		e.File, e.unstarted = file, true
		return e
	}
	for _, m := range planned {
		if p, ok := m.Program.(program.Script); ok {
			if err := p.Ready(g.db, g.conn.Conn); err != nil {
				return unstarted(m.File, err)
			}
		}
	}
	err := g.conn.refuseTemporary(ctx, seen, planned)
	if err != nil {
		return unstarted("", err)
	}

	defer g.conn.restore(ctx)
	if err = g.conn.protect(ctx); err != nil {
		e := u.failed(ctx, err)
		e.RolledBack = false
		return e
	}
	for done := false; !done && err == nil; {
		done, err = u.step(ctx)
	}
	if sqlite.IsReadOnly(err) && u.ran == 0 {
		e := judge(g.schema, seen, g.allow).refusal
		e.Err = err
		if failed := (*MigrationError)(nil); errors.As(err, &failed) {
			e.Err = failed.Err
		}
		return e
	}
	if g.backup != nil {
		err = g.backup.after(u, err)
	}
	return err
}

func (u *upgrade) prepare(m Migration) (p *pending, err error) {
	p, ok := u.prepared[m.Version]
	if !ok {
		if p, err = u.schema.prepare(m); err == nil {
			u.prepared[m.Version] = p
		}
	}
	return p, err
}

// A segment is the migrations that take effect together, and their run.
type segment struct {
	on         *conn // that they run on
	from       *state
	migrations []*pending
	overruled  bool  // a refusal was allowed
	rows       []row // for the history, of those that have run

	done  []int // without a transaction: the lines of statements that have taken effect
	open  []int // of those that will with the COMMIT or RELEASE of the migration's own
	depth int   // of its own BEGIN and SAVEPOINTs

	// script runs a script, if there is one among the migrations. on is to a private copy
	// of the database then.
	script func(ctx context.Context, m *pending) (output string, err error)
}

// to returns the version that the segment has brought the database to.
func (s *segment) to() Version {
	if n := len(s.rows); n > 0 {
		return s.rows[n-1].version
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

// step takes the lock, decides anew, and runs the next segment. It reports whether nothing
// is left to do.
func (u *upgrade) step(ctx context.Context) (done bool, err error) {
	defer u.conn.rollback(ctx)
	err = u.conn.enter(ctx) // anew: what was rolled back has left its settings
	if err = u.explained(ctx, err); err == nil {
		err = u.lock(ctx)
	}
	if err != nil {
		return false, err
	}
	u.progress.count(ctx, u.conn, u.rows)
	st, err := u.readLocked(ctx)
	if err != nil {
		return false, u.explained(ctx, err)
	}
	v := judge(u.schema, st, u.allow)
	if err := u.announce(v); !errors.Is(err, ErrBehind) {
		return err == nil, err // nil: another process has done it
	}
	if u.backup != nil {
		err = u.backup.before(ctx, u, st)
	}
	if err == nil && u.countFirst {
		u.before, err = u.conn.foreignKeys(ctx, st.objects)
	}
	s := &segment{on: u.conn, from: st, overruled: len(v.allowed) > 0}
	if err == nil {
		err = u.choose(s)
	}
	if err == nil {
		done, err = u.runSegment(ctx, s)
	}
	return done, u.explained(ctx, err)
}

// lock begins a transaction that can write.
//
// BEGIN IMMEDIATE takes the write lock before anything is read. A transaction that began
// by reading could not be sure of getting it later: if another process had written in
// between, SQLite would have to refuse.
// https://sqlite.org/lang_transaction.html#immediate
func (u *upgrade) lock(ctx context.Context) error {
	return u.wait(ctx, func(ctx context.Context) error { return u.conn.begin(ctx, "BEGIN IMMEDIATE") })
}

// readLocked reads the state of the database under the lock.
func (u *upgrade) readLocked(ctx context.Context) (*state, error) {
	st, err := u.readState(ctx)
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		u.at = st
	}
	return st, err
}

// choose sets the migrations of a segment: the pending ones that one transaction can hold.
// One without a transaction is alone.
func (u *upgrade) choose(s *segment) error {
	for _, next := range u.schema.after(s.from.version) {
		m, err := u.prepare(next)
		if err != nil {
			return err
		}
		if m.noTransaction && len(s.migrations) > 0 {
			break
		}
		s.migrations = append(s.migrations, m)
		if m.noTransaction || u.perMigration {
			break
		}
	}
	return nil
}

// runSegment runs the migrations of a segment, and has them take effect. It reports
// whether nothing is left to do.
func (u *upgrade) runSegment(ctx context.Context, s *segment) (done bool, err error) {
	for _, m := range s.migrations {
		if p, ok := m.Program.(program.Script); ok {
			return p.Upgrade(ctx, onCopy{u, s})
		}
	}
	again := false
	if len(s.migrations) == 1 && s.migrations[0].noTransaction {
		again, err = u.runAlone(ctx, s)
	} else {
		err = u.run(ctx, s)
	}
	if err == nil && !again {
		again, err = u.seal(ctx, s)
	}
	if again || err != nil {
		return false, err
	}
	// Ignore ctx from here on: a driver may report a COMMIT as canceled after it took
	// effect.
	ctx = context.WithoutCancel(ctx)
	return u.take(ctx, s, func(context.Context) error { return u.conn.commit(ctx) })
}

// run runs the migrations of a segment in the transaction that is open, or that begins
// here. A script ends it and runs outside of any.
func (u *upgrade) run(ctx context.Context, s *segment) error {
	for _, m := range s.migrations {
		if !s.on.begun {
			if err := s.on.begin(ctx, "BEGIN IMMEDIATE"); err != nil {
				return err
			}
		}
		if err := u.apply(ctx, s, m); err != nil {
			return err
		}
	}
	return nil
}

// runAlone runs a migration that cannot run in a transaction, without the lock, and takes
// the lock again to record it. again means that another process has done so.
func (u *upgrade) runAlone(ctx context.Context, s *segment) (again bool, err error) {
	u.conn.rollback(ctx)
	u.conn.begun = true // the migration may begin a transaction
	if err := u.apply(ctx, s, s.migrations[0]); err != nil {
		return false, err
	}
	err = u.lock(ctx)
	var now *state
	if err == nil {
		now, err = u.readLocked(ctx)
	}
	if err = u.explained(ctx, err); err != nil {
		if e, ok := err.(*MigrationError); ok {
			e.RolledBack, e.Done = false, s.done
		}
		return false, err
	}
	again = now.version != s.from.version
	s.from = now
	return again, nil
}

// apply runs one migration.
func (u *upgrade) apply(ctx context.Context, s *segment, m *pending) error {
	fail := func(line int, output string, err error) error {
		e := u.failed(ctx, err)
		e.File, e.Line, e.Output, e.RolledBack = m.File, line, output, !m.noTransaction
		e.Done = s.done
		return e
	}
	begun := time.Now()
	p := Progress{Version: m.Version, File: m.File, Statements: len(m.statements), Migrations: u.planned}
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
			return fail(stmt.Line, "", err)
		}
		if m.noTransaction {
			s.finished(&stmt)
		}
		u.progress.report(ctx, p, began, true)
	}
	p.Statement, p.Line = 0, 0
	u.progress.report(ctx, p, begun, true)
	s.rows = append(s.rows, row{
		version: m.Version, file: m.File, checksum: m.Checksum,
		appliedAt: time.Now(), duration: time.Since(begun), program: runningProgram(),
	})
	return nil
}

// execute runs a statement to its end. Drivers differ in what Exec does with a statement
// that returns rows: some take one step and stop, and a SELECT that is there for its
// effect has a part of it.
func (c *conn) execute(ctx context.Context, stmt *sqltext.Statement) error {
	// Some drivers run a short statement although the context has ended.
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := c.noteBefore(ctx, stmt.Pragma()); err != nil {
		return err
	}
	if stmt.ReturnsRows() {
		return c.query(ctx, stmt.SQL, func(scanner) error { return nil })
	}
	return c.exec(ctx, stmt.SQL)
}

// executeAlone is execute where no lock is held, and another connection can hold one. It
// waits for that as for any other; the statement itself may take longer.
func (u *upgrade) executeAlone(ctx context.Context, stmt *sqltext.Statement) error {
	var failed error
	err := u.wait(ctx, func(context.Context) error {
		if failed = u.conn.execute(ctx, stmt); sqlite.IsBusy(failed) {
			return failed
		}
		return nil
	})
	if err == nil {
		return failed
	}
	return err
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

// A goMigration runs in the transaction of the upgrade. (That it is an interface keeps the
// code for it out of programs that have none.)
type goMigration interface {
	run(ctx context.Context, on *conn, progress *reporter) error
}

// seal ends the run of a segment: it records the migrations and, at the expected version,
// proves that the result is what the generator saw, and that it is recorded. again means that the upgrade has to
// begin again, to count the rows without parent that there were before.
func (u *upgrade) seal(ctx context.Context, s *segment) (again bool, err error) {
	if err := s.on.inTransaction(ctx); err != nil {
		return false, err
	}
	if err := s.on.manage(ctx, s.from); err != nil {
		return false, err
	}
	version := s.to()
	if len(s.rows) == 0 { // version 0, whose tables are all that is missing
		return false, u.confirm(ctx, s.on, version, s.from.history, "", "")
	}
	history := s.from.history
	if len(history) > 0 { // or what another tool ran since would seem not to have run
		if err := s.on.reached(ctx, u.schema, s.from.version); err != nil {
			return false, err
		}
		history = u.schema.reached(history, s.from.version)
	}
	if err := s.on.record(ctx, version, s.rows); err != nil {
		return false, err
	}
	objects, err := sqlite.Objects(ctx, s.on.Conn)
	if err != nil {
		return false, err
	}
	again, err = u.sealForeignKeys(ctx, s, objects)
	if again || err != nil {
		return again, err
	}
	digest, fingerprint := u.schema.Digest, u.schema.Fingerprint
	if version < u.schema.Expected {
		digest, fingerprint = u.schema.digestAt(version), ""
	} else {
		var v verdict
		v.judgeTables(u.schema, &state{db: s.from.db, version: version, objects: objects}, u.allow)
		s.overruled = s.overruled || len(v.allowed) > 0
		if err := u.announce(v); err != nil {
			return false, u.rolledBack(err)
		}
	}
	if s.overruled {
		digest, fingerprint = "", "" // the next start is to ask again
	}
	if err := s.on.seal(ctx, u.schema, version, digest, fingerprint); err != nil {
		return false, err
	}
	history = append(slices.Clip(history), s.rows...)
	return false, u.confirm(ctx, s.on, version, u.schema.reached(history, version), digest, fingerprint)
}

// sealForeignKeys checks that there are no rows without parent but those that there were
// before.
func (u *upgrade) sealForeignKeys(ctx context.Context, s *segment, objects []sqltext.Object) (again bool, err error) {
	now, err := s.on.foreignKeys(ctx, objects)
	if err != nil || len(now.orphans) == 0 {
		return false, err
	}
	before := u.before
	if s.on != u.conn { // the database is still what it was
		before, err = u.conn.foreignKeys(ctx, s.from.objects)
	} else if before == nil {
		u.countFirst = true
		return true, nil
	}
	if err != nil {
		return false, err
	}
	if violations := now.since(before); len(violations) > 0 {
		return false, u.rolledBack(&Error{Kind: ErrForeignKey, DB: u.conn.file, Expected: u.schema.Expected, Violations: violations})
	}
	u.log.Warn("foreign keys are violated, as before the upgrade", "database", u.conn.file, "violations", now.String())
	return false, nil
}

// take makes a segment take effect by a commit, which waits for locks. It reports whether
// that was the last.
func (u *upgrade) take(ctx context.Context, s *segment, commit func(context.Context) error) (done bool, err error) {
	unknown, err := u.commit(ctx, s.to(), commit)
	if unknown {
		e := u.failed(ctx, err)
		e.RolledBack, e.committed = false, s.to()
		return false, e
	}
	if err != nil {
		return false, u.rolledBack(err)
	}
	u.rows = u.progress.last.Rows
	u.ran += len(s.rows)
	u.at = &state{version: s.to()}
	for _, r := range s.rows {
		u.log.Info("migration applied", "database", u.conn.file, "version", r.version.String(), "file", r.file, "took", r.duration)
	}
	return u.at.version == u.schema.Expected, nil
}

// commit commits a transaction that brings the database to version v, and finds out what
// has become of it when that fails. The last that a COMMIT does is to delete the journal,
// or to truncate and to synchronize it: when that fails, the journal can be gone
// nevertheless. https://sqlite.org/atomiccommit.html#_deleting_the_rollback_journal
func (g *gate) commit(ctx context.Context, v Version, commit func(context.Context) error) (unknown bool, err error) {
	err = g.wait(ctx, commit)
	if err == nil || errors.Is(err, ErrBusy) {
		return false, err
	}
	g.conn.rollback(ctx)
	now, unread := g.read(context.WithoutCancel(ctx))
	if unread != nil {
		return true, err
	}
	if !now.managed || now.version != v {
		return false, err
	}
	g.log.Warn("COMMIT took effect, though it reported an error", "database", g.conn.file, "error", err)
	return false, nil
}

// failed returns the error for what did not succeed in a transaction of the upgrade.
func (u *upgrade) failed(ctx context.Context, err error) *MigrationError {
	e := &MigrationError{DB: u.conn.file, Version: u.at.version, RolledBack: true, Err: err, ended: ended(ctx)}
	if locked, ok := err.(*Error); ok && locked.Kind == ErrBusy { // see executeAlone
		e.Err, e.kind = locked.Err, ErrBusy
	}
	return e
}

// rolledBack says in a refusal that the upgrade was rolled back for it.
func (u *upgrade) rolledBack(err error) error {
	if e, ok := err.(*Error); ok {
		e.Version, e.upgrading = u.at.version, true
	}
	return err
}

// explained says in an error of the driver what it did to the upgrade.
func (u *upgrade) explained(ctx context.Context, err error) error {
	refused, failed := (*Error)(nil), (*MigrationError)(nil)
	if err == nil || errors.As(err, &refused) || errors.As(err, &failed) {
		return err
	}
	return u.failed(ctx, err)
}
