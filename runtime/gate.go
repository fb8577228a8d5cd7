package lockstep

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime/backupfile"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// Migrate brings the database to the version that s expects and returns nil, or
// returns an error and leaves the database as it found it.
//
// A new database gets all migrations, and one that is behind gets those it lacks, in
// one transaction: afterwards the database is at s.Expected, or it is what it was.
// (Migrations that begin with "-- lockstep: no-transaction", and [WithPerMigration],
// split the upgrade into several.) Any number of processes may call Migrate at
// once: one upgrades, the others wait for it. If the driver says that a connection is lost
// (driver.ErrBadConn, a reset, a server that no longer leads or, before a migration runs, does
// not answer for five seconds), Migrate takes another, reads the version again and goes on.
//
// If the database is at the version, Migrate reads one row. It does not write, takes
// no lock that a writer would wait for, and works on a read-only file.
//
// If the database is refused, the error is an [*Error], and errors.Is finds in it
// one of [ErrAhead], [ErrUnmanaged], [ErrDiverged], [ErrDrift], [ErrBusy],
// [ErrStale], [ErrUnreadable], [ErrUnreachable], [ErrForeignKey], [ErrMemory], [ErrBackup],
// or [ErrBehind] if the database cannot be written to. It is a [*MigrationError] when a
// migration failed; errors.Is then finds the driver's error, and ctx.Err() if the
// context has ended. Foreign keys are not enforced while migrations run; those that the
// migrations can break are checked before the upgrade is committed.
// See https://sqlite.org/lang_altertable.html#otheralter for why. This and other
// pragmas that can change what a migration does have SQLite's defaults during an
// upgrade, and synchronous is at least FULL; the connection gets its own back.
func Migrate(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	c := configure(opts)
	c.progress = reporter{f: c.onProgress, begun: time.Now(), last: Progress{Doing: waiting}}
	defer c.repeat(&c.progress)()
	return c.pass(ctx, db, s, (*gate).migrate)
}

func (g *gate) migrate(ctx context.Context) error {
	st, err := g.readUnlessHead(ctx)
	if st == nil {
		return err
	}
	v := judge(g.schema, st, g.allow)
	switch err := g.announce(v); {
	case errors.Is(err, ErrBehind):
		if err := g.upgrade(ctx, st); err != nil {
			return err
		}
		return g.shared(ctx)
	case err != nil:
		return err
	}
	if len(v.allowed) == 0 {
		sqlite.DiscardAfter(g.conn.Conn, g.reseal(ctx, st))
	}
	return nil
}

// Check returns nil if the database is at exactly the version that s expects, and
// otherwise the error with which [Migrate] would refuse it, or [ErrBehind] where
// Migrate would upgrade it. It never writes.
func Check(ctx context.Context, db *sql.DB, s *Schema, opts ...Option) error {
	return configure(opts).pass(ctx, db, s, (*gate).check)
}

func (g *gate) check(ctx context.Context) error {
	st, err := g.readUnlessHead(ctx)
	if st == nil {
		return err
	}
	return g.announce(judge(g.schema, st, g.allow))
}

// gate is one call of Migrate, Check, Inspect or Enroll.
type gate struct {
	*config
	db     *sql.DB // that conn is of
	schema *Schema
	conn   *conn
}

// pass opens the gate and calls f: with [WithWait], again and again.
func (c *config) pass(ctx context.Context, db *sql.DB, s *Schema, f func(*gate, context.Context) error) error {
	try := func() error { return c.persist(ctx, db, s, f) }
	if c.await != nil {
		return c.await(ctx, c, try)
	}
	return try()
}

// persist opens the gate and calls f until the connection is not lost, for that is no answer.
// What was not committed the database rolls back. Each f reads the version anew, under the
// lock if it writes, so what was committed is not done twice.
func (c *config) persist(ctx context.Context, db *sql.DB, s *Schema, f func(*gate, context.Context) error) error {
	timeout := c.timeout
	c.waited = 0
	known := &Error{Kind: ErrUnreachable, Expected: s.Expected}
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		lost, err := c.once(ctx, db, s, known.Err != nil, f)
		if !lost {
			return err
		}
		known.note(err)
		c.log.Warn("connection lost", "database", known.DB, "error", err)
		c.progress.does(waiting)
		c.timeout = timeout - c.waited
		if c.timeout <= 0 || !sqlite.Pause(ctx, min(pause, c.timeout)) {
			known.Detail = "no connection for " + c.waited.Round(time.Millisecond).String() + "; " + cmp.Or(known.Detail, "its version was not read")
			known.ended = ended(ctx)
			return known
		}
		c.waited += pause
	}
}

// once opens the gate and calls f. It reports whether the connection is lost, perhaps again.
func (c *config) once(ctx context.Context, db *sql.DB, s *Schema, again bool, f func(*gate, context.Context) error) (lost bool, err error) {
	g, err := open(ctx, db, s, c)
	if err != nil {
		return sqlite.IsLost(err) || again && errors.Is(err, ErrBusy), err
	}
	defer func() { sqlite.DiscardAfter(g.conn.Conn, err); g.conn.Close() }()
	err = f(g, ctx)
	defer func(begun time.Time) { c.waited += time.Since(begun) }(time.Now()) // for an answer
	failed := (*MigrationError)(nil)
	elsewhere := errors.As(err, &failed) && failed.File != "" && failed.Line == 0 || errors.Is(err, ErrBackup) // perhaps
	// A database in memory is lost, too, and what took effect without a transaction is not known.
	lost = sqlite.Lost(ctx, g.conn.Conn, err, elsewhere) && g.conn.file != ":memory:" && !c.partial
	if err != nil && c.await != nil && sqlite.IsFile(g.conn.file) {
		sqlite.Discard(g.conn.Conn) // another file may take the place of this one
	}
	return lost, err
}

// note keeps what is known of the database when the connection is lost, and why it is.
func (e *Error) note(err error) {
	e.Err = err
	failed, unread := (*MigrationError)(nil), (*Error)(nil)
	if errors.As(err, &failed) {
		e.DB, e.Version, e.Err = failed.DB, failed.Version, failed.Err
		e.Detail = "it was last at version " + e.Version.String()
		if failed.committed > e.Version {
			e.Detail += ", and the COMMIT of " + failed.committed.String() + " had no answer"
		} else if failed.File != "" {
			e.Detail += ", while " + failed.File + " ran"
		}
	} else if errors.As(err, &unread) {
		e.Err = unread.Err
	}
}

// open takes a connection from the pool. It goes back there, so that SQLite need not
// parse the schema again for the application.
func open(ctx context.Context, db *sql.DB, s *Schema, c *config) (*gate, error) {
	g := &gate{config: c, db: db, schema: s, conn: &conn{expected: s.Expected}}
	if err := s.stale(); err != nil {
		return nil, err
	}
	// Connecting runs the pragmas of the data source name, and journal_mode=wal can
	// find the database locked, whatever the busy timeout.
	err := g.wait(ctx, func(ctx context.Context) (err error) {
		g.conn.Conn, err = db.Conn(ctx)
		return err
	})
	if err != nil && ctx.Err() == nil && !errors.Is(err, ErrBusy) {
		err = g.conn.unreadable(err, "")
	}
	return g, err
}

// wait calls f until it no longer finds the database locked, for as long as the options
// and the context allow: see [sqlite.WaitFor].
func (g *gate) wait(ctx context.Context, f func(limited context.Context) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	begun, silence := time.Now(), g.timeout
	defer func() { g.waited += time.Since(begun) }()
	if file := g.conn.file; g.conn.Conn != nil && (file == "" || sqlite.OnServer(file)) {
		silence = sqlite.Patience // an f about a file may keep others out while it waits
	}
	locked, err := sqlite.WaitFor(ctx, g.timeout, silence, f)
	if locked {
		return g.busy(ctx, time.Since(begun), err)
	}
	return err
}

// begin begins a transaction that can write.
func (g *gate) begin(ctx context.Context) error {
	return g.wait(ctx, func(limited context.Context) error {
		g.conn.rollback(ctx) // of an attempt that was interrupted
		return g.conn.begin(limited, "BEGIN IMMEDIATE")
	})
}

// readUnlessHead returns the state of the database, or nil if [gate.atHead] says that there
// is nothing to do, and no copies are there to remove.
func (g *gate) readUnlessHead(ctx context.Context) (*state, error) {
	head, again := false, false
	err := g.wait(ctx, func(limited context.Context) (err error) {
		if again {
			err, limited = g.conn.waitToRead(limited), ctx
		}
		if again = true; err == nil {
			head, err = g.atHead(limited)
		}
		return err
	})
	if head && !g.hasCopies(ctx) || err != nil {
		return nil, err
	}
	return g.read(ctx)
}

// read reads the state of the database in a transaction of its own.
func (g *gate) read(ctx context.Context) (st *state, err error) {
	var failed error
	err = g.wait(ctx, func(limited context.Context) error {
		defer g.conn.rollback(ctx)
		err := g.conn.begin(limited, "BEGIN")
		if err == nil {
			err = g.conn.waitToRead(limited)
		}
		if err == nil {
			if st, failed = g.conn.readState(ctx); sqlite.IsBusy(failed) {
				err = failed
			}
		}
		return err
	})
	if err == nil && failed != nil && ctx.Err() != nil {
		failed = g.conn.interrupted(ctx, failed)
	}
	if err = cmp.Or(err, failed); err != nil {
		st = nil
	}
	return st, err
}

// announce logs what a verdict lets pass, and returns the refusal.
func (g *gate) announce(v verdict) error {
	for _, o := range v.extra {
		g.log.Info("object that no migration made", "database", g.conn.file, "type", o.Type, "name", wording.Printable(o.Name))
	}
	for _, e := range v.allowed {
		g.log.Warn("refusal allowed", "database", g.conn.file, "refusal", e.Error())
	}
	if v.refusal == nil {
		return nil
	}
	if v.refusal.Kind == ErrDiverged {
		v.refusal.Backup = backupfile.Before(g.conn.file, int(v.refusal.since))
	}
	return v.refusal
}

// reseal notes that the schema is right under its present cookie, so that the next start
// need not compare it. That is a convenience: if the lock is taken, or the file read-only,
// another start will do it.
func (g *gate) reseal(ctx context.Context, st *state) error {
	if st.version == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
	defer cancel()
	defer g.conn.restore(ctx)
	if err := g.conn.protect(ctx); err != nil {
		return err
	}
	// BEGIN IMMEDIATE would wait for a writer, as long as the driver's busy timeout says.
	// A transaction that began by reading does not wait.
	// https://sqlite.org/c3ref/busy_handler.html
	defer g.conn.rollback(ctx)
	if err := g.conn.begin(ctx, "BEGIN"); err != nil {
		return err
	}
	now, err := g.conn.readState(ctx)
	if err != nil || now.version != st.version || now.cookie != st.cookie {
		return err
	}
	objects, err := g.conn.manage(ctx, now)
	if err == nil {
		err = g.conn.record(ctx, objects, now.version, now.history, g.schema.unrecorded(now.history, now.version), g.schema.Digest, g.schema.Fingerprint)
	}
	if err == nil {
		g.sweep() // under the lock, which writing has taken
		err = g.conn.commit(ctx)
	}
	return err
}

// shared refuses a database in memory whose tables the pool's other connections do not see:
// the application would find an empty database by chance.
//
// https://sqlite.org/inmemorydb.html
func (g *gate) shared(ctx context.Context) error {
	stats := g.db.Stats()
	limit := stats.MaxOpenConnections
	if g.conn.file != ":memory:" || limit == 1 || limit > 0 && stats.InUse >= limit {
		return nil
	}
	conn, err := g.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var n int
	err = conn.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_master WHERE name = '_meta'").Scan(&n)
	if err == nil && n == 0 {
		err = &Error{Kind: ErrMemory, DB: g.conn.file, Expected: g.schema.Expected,
			Detail: "each connection of the pool has its own database; call SetMaxOpenConns(1), or share it as the driver documents"}
	}
	return err
}
