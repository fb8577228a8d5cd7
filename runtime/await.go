package lockstep

import (
	"context"
	"errors"
	"time"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// WithWait has [Check], and [Migrate] on a database that cannot be written to, wait until
// somebody else has upgraded the database, or made it: for programs on a replica, or on a
// mount that is read-only. They wait for as long as [WithTimeout] says, one minute by default,
// and then return what they would have returned at once, mostly [ErrBehind]. They connect anew
// each time, for another file may take the place of the database. A Migrate that can write, as
// after its machine has become the primary, upgrades.
func WithWait() Option { return func(c *config) { c.await = await } }

// await calls try until the database is not behind.
func await(ctx context.Context, c *config, try func() error) error {
	timeout, begun := c.timeout, time.Now()
	for ; ; c.timeout = max(0, timeout-time.Since(begun)) {
		err := try()
		e := (*Error)(nil)
		if !errors.As(err, &e) || e.Kind != ErrBehind && !(e.Kind == ErrUnreadable && sqlite.IsOfFile(e.Err)) {
			return err
		}
		if c.timeout == 0 {
			if e.Kind == ErrBehind {
				e.Detail = "; nobody else upgraded it for " + timeout.String()
			}
			return e
		}
		if !sqlite.Pause(ctx, min(100*time.Millisecond, c.timeout)) {
			e.ended = ended(ctx)
			return e
		}
	}
}
