package lockstep

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime/program"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// Migrations in Python and shell open the database themselves, so they cannot run in a
// transaction of the upgrade. A segment with one among its migrations runs on a private copy
// of the database, while the lock for writing to the live one is held. When everything has
// run, was recorded and found right on the copy, its content replaces the live one. What
// fails before that leaves the live database as it was.

// WithConn has f called with each connection that an upgrade opens besides the
// application's own, as (*sql.Conn).Raw gives it: those to the private copy that
// migrations run on when there are scripts among them. Functions, collations and virtual
// tables that migrations use, or their views and triggers, have to be registered there,
// too. With github.com/ncruces/go-sqlite3, script.WithConn is the same with its type.
func WithConn(f func(driverConn any) error) Option { return func(c *config) { c.connected = f } }

// onCopy is a segment that package script runs. (Without that package, the linker drops
// its methods.)
type onCopy struct {
	u *upgrade
	s *segment
}

var _ program.Upgrade = onCopy{}

func (o onCopy) On(ctx context.Context, hold program.Hold) (done bool, err error) {
	var c program.Copy
	err = o.u.wait(ctx, func(ctx context.Context) (err error) {
		c, err = hold(ctx, o.u.db, o.u.conn.Conn, o.u.connected)
		return err
	})
	if err != nil {
		return false, o.u.rolledBack(err)
	}
	if c == nil {
		o.u.log.Info("started over, because another connection wrote to the database")
		return false, nil
	}
	defer func() {
		if e := c.Close(); e != nil {
			o.u.log.Warn("cannot remove the copy that scripts ran on", "database", o.u.conn.file, "error", e)
		}
	}()
	o.u.progress.does(copying)
	if err = c.Fill(ctx, o.u.timeout); err == nil {
		err = o.run(ctx, c)
	}
	if err == nil {
		o.u.progress.does(copying)
		done, err = o.u.take(ctx, o.s, c.Replace)
	}
	if done {
		// Until somebody notes the schema cookie, every start compares the schema.
		ctx := context.WithoutCancel(ctx)
		if st, err := o.u.read(ctx); err == nil {
			if v := judge(o.u.schema, st, o.u.allow); v.refusal == nil && len(v.allowed) == 0 {
				sqlite.DiscardAfter(o.u.conn.Conn, o.u.reseal(ctx, st))
			}
		}
	}
	return done, o.u.explained(ctx, err)
}

// run runs the migrations on the copy, and records them there.
func (o onCopy) run(ctx context.Context, c program.Copy) error {
	s, on := o.s, &conn{file: o.u.conn.file}
	s.on = on
	s.script = func(ctx context.Context, m *pending) (output string, err error) {
		err = on.keepsOwn(ctx, func() (err error) {
			output, err = o.script(ctx, c, m)
			return err
		})
		return output, err
	}
	defer o.leave(ctx)
	err := o.enter(ctx, c)
	if err == nil {
		err = o.u.run(ctx, s)
	}
	if err == nil && !on.begun {
		err = on.begin(ctx, "BEGIN IMMEDIATE")
	}
	if err == nil {
		o.u.progress.does(checking)
		err = o.u.seal(ctx, s)
	}
	// The database will have another schema cookie than the copy. By chance, it could be
	// the same when the schema is not.
	if err == nil {
		err = on.exec(ctx, "UPDATE main._lockstep_history SET cookie = NULL")
	}
	if err == nil {
		err = on.commit(ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	err = o.u.explained(ctx, err)
	if e := (*MigrationError)(nil); errors.As(err, &e) {
		e.Err = c.Locked(e.Err) // nobody is to look for who uses the database
	}
	return err
}

// enter opens the copy, with the settings of an upgrade.
func (o onCopy) enter(ctx context.Context, c program.Copy) error {
	conn, err := c.Open(ctx)
	if err != nil {
		return err
	}
	o.s.on.Conn = conn
	o.u.progress.count(ctx, o.s.on, o.u.progress.last.Rows)
	return o.s.on.settings.Enter(ctx, conn)
}

// leave closes the copy, and with it the settings.
func (o onCopy) leave(ctx context.Context) {
	if on := o.s.on; on.Conn != nil {
		on.rollback(ctx)
		on.Close()
		*on = conn{file: on.file}
	}
}

// script runs a script. What is between two scripts is one transaction, as it would be
// without them.
func (o onCopy) script(ctx context.Context, c program.Copy, m *pending) (output string, err error) {
	if err = sqlite.InTransaction(ctx, o.s.on.Conn); err == nil {
		err = o.s.on.commit(ctx)
	}
	o.leave(ctx)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	stdout, stderr, err := c.Run(ctx, m.File, m.text)
	o.u.log.Info("script ended", "database", o.u.conn.file, "file", m.File, "took", time.Since(begun), "error", err, "stdout", stdout, "stderr", stderr)
	if err == nil {
		err = o.enter(ctx, c)
	}
	return cmp.Or(stderr, stdout), err
}

// anyScript returns the program of a script among the migrations, or nil.
//
//go:noinline
func (g *gate) anyScript() program.Script {
	for _, m := range g.schema.Migrations {
		if p, ok := m.Program.(program.Script); ok {
			return p
		}
	}
	return nil
}

// hasCopies reports whether there are copies beside the database, of killed processes or of
// one that upgrades it.
func (g *gate) hasCopies(ctx context.Context) bool {
	p := g.anyScript()
	if p == nil {
		return false
	}
	g.conn.readFile(ctx)
	return p.HasCopies(g.conn.file)
}

// sweep removes copies that killed processes left. The caller holds the lock for writing.
func (g *gate) sweep() {
	if p := g.anyScript(); p != nil {
		if err := p.Sweep(g.conn.file); err != nil {
			g.log.Warn("cannot remove copies that scripts ran on", "database", g.conn.file, "error", err)
		}
	}
}
