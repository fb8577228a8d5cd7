package lockstep

import (
	"context"
	"time"
)

// Progress says what an upgrade is doing. It is reported before and after each statement,
// and with Statement 0 before and after each migration. While a migration in Go runs, it
// is also reported in between, at most ten times a second, on the goroutine that executes
// the statement. Nothing that is reported as done is committed before Migrate returns,
// except with [WithPerMigration]: an upgrade that leaves rows without a parent rolls back,
// counts those that there were before, and reports its migrations again.
//
// The backup of [WithBackup] comes first, and is reported before and after, with
// Version 0.
type Progress struct {
	Version               Version
	File                  string
	Migration, Migrations int           // 2 of 5
	Statement, Statements int           // 3 of 7
	Line                  int           // of File, where the statement begins
	Backup                string        // the file that is being made or, with Done, that was made
	Rows                  int64         // inserted, updated and deleted so far, also by triggers
	Done                  bool          // reported after, not before
	Took                  time.Duration // of the statement or migration that is done
	Elapsed               time.Duration // since the upgrade began
}

// WithProgress has f called while an upgrade runs, on the goroutine of Migrate.
func WithProgress(f func(Progress)) Option { return func(c *config) { c.onProgress = f } }

// A reporter tells the application how an upgrade goes on.
type reporter struct {
	f        func(Progress) // nil if it does not want to know
	begun    time.Time
	last     Progress
	reported time.Time

	on   *conn // whose changes are counted
	base int64 // to be added to them
}

// count counts rows on a connection, from n on.
func (r *reporter) count(ctx context.Context, on *conn, n int64) {
	if r.f != nil {
		var changes int64
		on.read(ctx, totalChanges, &changes)
		r.on, r.base, r.last.Rows = on, n-changes, n
	}
}

// totalChanges reads how many rows the connection has inserted, updated and deleted. (A
// SELECT does not change what changes() and last_insert_rowid() return, which a migration
// may use.) https://sqlite.org/lang_corefunc.html#total_changes
const totalChanges = "SELECT total_changes()"

// report reports p, which began at a time.
func (r *reporter) report(ctx context.Context, p Progress, began time.Time, done bool) {
	if r.f == nil {
		return
	}
	changes := r.last.Rows - r.base // if ctx has ended, the number no longer matters
	r.on.read(ctx, totalChanges, &changes)
	p.Rows = r.base + changes
	now := time.Now()
	p.Elapsed = now.Sub(r.begun)
	if p.Done = done; done {
		p.Took = now.Sub(began)
	}
	r.last, r.reported = p, now
	r.f(p)
}

// again reports the last progress again, if that was a while ago.
func (r *reporter) again(ctx context.Context) {
	const often = 100 * time.Millisecond
	if r.f != nil && time.Since(r.reported) >= often {
		r.report(ctx, r.last, r.reported, false)
	}
}
