package lockstep

import (
	"context"
	"time"
)

// An Option changes how [Migrate], [Check], [Inspect], [Enroll] and [Watch] work.
type Option func(*config)

type config struct {
	perMigration        bool
	backup              backups       // nil if none is asked for
	timeout, waited     time.Duration // waited for locks and connections
	interval            time.Duration // 0 is a second
	allow               []string
	onProgress          func(Progress)
	progress            reporter // of Migrate
	repeat              func(*reporter) (stop func())
	log                 Logger
	partial, unanswered bool                                                         // a migration without a transaction has begun; a COMMIT of Enroll's had no answer
	await               func(ctx context.Context, c *config, try func() error) error // nil without WithWait
	connected           func(driverConn any) error                                   // nil if none is asked for
}

func configure(opts []Option) *config {
	c := &config{timeout: time.Minute, log: discard{}, repeat: func(*reporter) func() { return func() {} }}
	for _, opt := range opts {
		opt(c)
	}
	return c
}

// WithPerMigration commits after each migration, as Python's fastmigrate does,
// instead of once after all of them. An upgrade that fails then leaves the
// database at the version before the migration that failed: one that neither
// the previous release of the program nor this one expects.
func WithPerMigration() Option { return func(c *config) { c.perMigration = true } }

// WithTimeout bounds how long Migrate and Check wait for other connections' locks before they
// return [ErrBusy], for a server ([ErrUnreachable]), or with [WithWait] for somebody else, and
// how long Watch goes on without an answer; the default is one minute. The wait also ends with
// the context. The busy timeout of the application's connections does not change; if it is
// longer, and the driver does not interrupt it, the wait may be longer.
func WithTimeout(d time.Duration) Option { return func(c *config) { c.timeout = max(d, 0) } }

// WithInterval sets how long Watch waits between two looks; the default is one second.
func WithInterval(d time.Duration) Option { return func(c *config) { c.interval = max(d, 0) } }

// WithLogger logs at level Info each migration applied, a backup made, what a script wrote,
// and objects in the database that no migration made; at level Warn such an object that a
// migration dropped, as an operator's index goes with a table that is rebuilt, foreign keys
// that were violated before (of those that are checked), faults of a database that is
// backed up, and a refusal that [WithAllowed] overruled.
func WithLogger(l Logger) Option {
	return func(c *config) {
		if l != nil {
			c.log = l
		}
	}
}

// A Logger is a *slog.Logger. (It is an interface so that log/slog is linked only into
// programs that use it.)
type Logger interface {
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
}

type discard struct{}

func (discard) Info(string, ...any) {}
func (discard) Warn(string, ...any) {}

// WithAllowed lets a program start on a database that was refused with [ErrDiverged] or
// [ErrDrift], if digest is the one in the error ([Error.Digest]). The digest covers what
// this program expects and what is wrong with this database, so the permission ends when
// either changes. A database that has both diverged and drifted needs both digests.
func WithAllowed(digest string) Option { return func(c *config) { c.allow = append(c.allow, digest) } }
