package lockstep

import (
	"context"
	"time"
)

// An Option changes how [Migrate], [Check] and [Inspect] go about it.
type Option func(*config)

type config struct {
	perMigration bool
	backup       func(context.Context, *upgrade, *state) error // nil if none is asked for
	wait         time.Duration
	allow        []string
	progress     func(Progress)
	log          Logger
	connected    func(driverConn any) error // nil if none is asked for
}

func configure(opts []Option) config {
	c := config{wait: time.Minute, log: discard{}}
	for _, opt := range opts {
		opt(&c)
	}
	return c
}

// WithPerMigration commits after each migration, as Python's fastmigrate does,
// instead of once after all of them. An upgrade that fails then leaves the
// database at the version before the migration that failed: one that neither
// the previous release of the program nor this one expects.
func WithPerMigration() Option { return func(c *config) { c.perMigration = true } }

// WithTimeout bounds how long Migrate and Check wait for other connections' locks
// before they return [ErrBusy]; the default is one minute. A context that ends
// earlier ends the wait earlier. The busy timeout of the application's
// connections is not changed; one that is longer can make a wait longer when the
// driver does not interrupt it.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.wait = d } }

// WithConn has f called with each connection that an upgrade opens besides the
// application's own, as (*sql.Conn).Raw gives it: those to the private copy that
// migrations run on when there are scripts among them (see [Outside]). Functions,
// collations and virtual tables that migrations use have to be registered there, too.
// With github.com/ncruces/go-sqlite3, script.WithConn is the same with its type.
func WithConn(f func(driverConn any) error) Option { return func(c *config) { c.connected = f } }

// WithLogger has an upgrade logged: at level Info one record for each migration
// applied, for a backup made, and for objects in the database that no migration
// made; at level Warn foreign keys that were violated before, and a refusal that [WithAllowed] let pass.
func WithLogger(l Logger) Option {
	return func(c *config) {
		if l != nil {
			c.log = l
		}
	}
}

// A Logger is a *slog.Logger. (It is an interface so that only programs that use
// log/slog are linked with it.)
type Logger interface {
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
}

type discard struct{}

func (discard) Info(string, ...any) {}
func (discard) Warn(string, ...any) {}

// WithProgress has f called as an upgrade goes on, on the goroutine of Migrate.
func WithProgress(f func(Progress)) Option { return func(c *config) { c.progress = f } }

// WithAllowed lets a program start on a database that was refused with [ErrDiverged] or
// [ErrDrift], if digest is the one that the error reported ([Error.Digest]). The
// digest is that of this program's expectations and of what is wrong with this
// database, so the permission ends with the next change to either. A database that
// has both diverged and drifted is allowed by both digests.
func WithAllowed(digest string) Option { return func(c *config) { c.allow = append(c.allow, digest) } }

// Progress says what an upgrade is doing. It is reported before and after each
// statement, and with Statement 0 before and after each migration; while a migration
// written in Go runs statements also in between, ten times a second at most, on the
// goroutine that runs them. Nothing that is
// reported as done is committed before Migrate returns, unless [WithPerMigration] says
// so: an upgrade that finds rows without parent goes back, counts those that were
// there before, and reports its migrations once more.
//
// The backup of [WithBackup] comes first, and is reported before and after, with
// Version 0.
type Progress struct {
	Version               Version
	File                  string
	Migration, Migrations int           // 2 of 5
	Statement, Statements int           // 3 of 7
	Line                  int           // of File, at which the statement begins
	Backup                string        // the file that is made or, with Done, that was made
	Rows                  int64         // inserted, updated and deleted so far, by triggers too
	Done                  bool          // reported after, not before
	Took                  time.Duration // of the statement or migration that is done
	Elapsed               time.Duration // since the upgrade began
}
