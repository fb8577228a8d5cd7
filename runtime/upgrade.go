package lockstep

import (
	"context"
	"errors"
	"io/fs"

	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// upgrade is what one call of Migrate does to a database that is behind.
type upgrade struct {
	*gate
	at       *state     // the last that is known of the database
	planned  []*pending // migrations, when it began
	ran      int        // of them, committed
	rows     int64      // that those have changed
	writable bool       // SQLite can write to the database

	alone  *segment // that runs outside of a transaction, or nil
	strays []*stray // that migrations could lose
}

// upgrade brings a database that is behind to the expected version. seen is what was read
// of it before: the lock is taken now, and everything is decided on what is read under
// the lock.
func (g *gate) upgrade(ctx context.Context, seen *state) (err error) {
	u := &upgrade{gate: g, at: seen}
	// Stale contents must stop the program before it waits for anybody.
	if u.planned, err = g.schema.prepare(seen.version); err != nil {
		return err
	}
	unstarted := func(file string, err error) error {
		e := u.failed(ctx, err)
		e.File, e.unstarted = file, true
		return e
	}
	for _, m := range u.planned {
		if p, ok := m.Program.(program.Script); ok {
			if err := p.Ready(g.db, g.conn.Conn); err != nil {
				return unstarted(m.File, err)
			}
		} else if err := sqlite.Refused(seen.db, m.noTransaction, m.statements); err != nil {
			return unstarted(m.File, err)
		}
	}
	if err := g.conn.refuseTemporary(ctx, seen, u.planned); err != nil {
		return unstarted("", err)
	}

	defer g.conn.restore(ctx)
	if err = g.conn.protect(ctx); err != nil {
		return unstarted("", err)
	}
	for done := false; !done && err == nil; {
		done, err = u.step(ctx)
		err = u.explained(ctx, err)
	}
	failed, readOnly := (*MigrationError)(nil), sqlite.IsReadOnly(err) || errors.Is(err, fs.ErrPermission)
	if !u.writable && readOnly && errors.As(err, &failed) {
		e := judge(g.schema, seen, g.allow).refusal
		e.Err = failed.Err
		return e
	}
	if g.backup != nil {
		err = g.backup.after(u, err)
	}
	return err
}

// step takes the lock, decides anew, and runs the next segment. It reports whether nothing
// is left to do.
func (u *upgrade) step(ctx context.Context) (done bool, err error) {
	u.alone, u.partial = nil, false
	defer u.conn.rollback(ctx)
	if err := u.conn.settings.Enter(ctx, u.conn.Conn); err != nil { // anew: what was rolled back has left its settings
		return false, err
	}
	u.progress.does(waiting)
	st, err := u.lock(ctx)
	if err != nil {
		return false, err
	}
	u.progress.count(ctx, u.conn, u.rows)
	v := judge(u.schema, st, u.allow)
	if err := u.announce(v); !errors.Is(err, ErrBehind) {
		return err == nil, err // nil: another process has done it
	}
	u.sweep() // before a backup needs the room
	err = sqlite.Write(ctx, u.conn.Conn, u.conn.file)
	u.writable = u.writable || err == nil
	if err == nil && u.backup != nil {
		err = u.backup.before(ctx, u, st)
	}
	s := &segment{on: u.conn, from: st, had: st.objects, overruled: len(v.allowed) > 0}
	if err == nil {
		s.migrations, err = u.next(st)
	}
	if err == nil {
		u.progress.does(checking)
		err = u.findStrays(ctx, s)
	}
	if err == nil {
		s.effects = effects(st, s.migrations)
		s.before, err = sqlite.NewOrphanSet(ctx, u.conn.Conn, st.objects, s.effects)
	}
	if err == nil {
		done, err = u.runSegment(ctx, s)
	}
	return done, err
}

// lock begins a transaction that can write, and reads the state of the database.
//
// BEGIN IMMEDIATE takes the write lock before anything is read. A transaction that began
// by reading could not be sure of getting it later: if another process had written in
// between, SQLite would have to refuse.
// https://sqlite.org/lang_transaction.html#immediate
func (u *upgrade) lock(ctx context.Context) (*state, error) {
	if err := u.begin(ctx); err != nil {
		return nil, err
	}
	st, err := u.conn.readState(ctx)
	if e := (*Error)(nil); err == nil || errors.As(err, &e) {
		u.at = st
	}
	return st, err
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
	if s.isAlone() {
		again, err = u.runAlone(ctx, s)
	} else {
		err = u.run(ctx, s)
	}
	if err == nil && !again {
		u.progress.does(checking)
		err = u.seal(ctx, s)
	}
	if again || err != nil {
		return false, err
	}
	// Ignore ctx from here on: a driver may report a COMMIT as canceled after it took
	// effect.
	ctx = context.WithoutCancel(ctx)
	return u.take(ctx, s, func(context.Context) error { return u.conn.commit(ctx) })
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
	for _, x := range u.strays {
		x.Table = x.now
	}
	for _, r := range s.rows {
		u.log.Info("migration applied", "database", u.conn.file, "version", r.Version.String(), "file", r.File, "took", r.Took)
	}
	u.logLost(s)
	return u.at.version == u.schema.Expected, nil
}

// commit commits a transaction that brings the database to version v. If that fails, it
// finds out whether it took effect. The last that a COMMIT does is to delete the journal,
// or to truncate and synchronize it: if that fails, the journal may be gone anyway. https://sqlite.org/atomiccommit.html#_deleting_the_rollback_journal
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
		// A commit that a WAL holds whole, but that could not be synchronized, takes effect if the
		// process or the disk dies before the next write takes its place.
		journal, _ := sqlite.JournalMode(ctx, g.conn.Conn)
		return journal == "wal" && sqlite.Code(err)&0xff == 10, err // SQLITE_IOERR
	}
	g.log.Warn("COMMIT took effect, though it reported an error", "database", g.conn.file, "error", err)
	return false, nil
}

// failed returns the error for something that failed in a transaction of the upgrade.
func (u *upgrade) failed(ctx context.Context, err error) *MigrationError {
	e := &MigrationError{DB: u.conn.file, Version: u.at.version, RolledBack: u.alone == nil, Err: sqlite.Forbidden(err, u.conn.file), ended: ended(ctx)}
	if u.alone != nil {
		e.Done = u.alone.done
	}
	if locked, ok := err.(*Error); ok && locked.Kind == ErrBusy { // see executeAlone
		e.Err, e.kind = locked.Err, ErrBusy
	}
	return e
}

// rolledBack says in a refusal that the upgrade was rolled back.
func (u *upgrade) rolledBack(err error) error {
	if e, ok := err.(*Error); ok {
		e.Version, e.upgrading = u.at.version, true
		if u.alone != nil {
			e.remains = u.alone.migrations[0].File
		}
	}
	return err
}

// explained makes a [*MigrationError] of an error of the driver.
func (u *upgrade) explained(ctx context.Context, err error) error {
	refused, failed := (*Error)(nil), (*MigrationError)(nil)
	if err == nil || errors.As(err, &refused) || errors.As(err, &failed) {
		return err
	}
	return u.failed(ctx, err)
}
