package lockstep

import (
	"cmp"
	"context"
	"sync"
	"time"
)

// Progress says what an upgrade is doing. It is reported before and after each statement,
// and with Statement 0 before and after each migration. While a migration in Go runs, it
// is also reported in between, at most ten times a second, on the goroutine that executes
// the statement. Nothing that is reported as done is committed before Migrate returns,
// except with [WithPerMigration].
//
// What belongs to no migration has Version 0: the backup of [WithBackup], which is reported
// before and after, and waiting, the copy that scripts run on, and the checks before and after
// the migrations, which are reported before. What takes long is reported again, at least once
// a second, with a new Elapsed.
type Progress struct {
	Doing                 string // "waiting" for locks, "copying", "running" or "checking"
	Version               Version
	File                  string
	Migration, Migrations int           // 2 of 5
	Statement, Statements int           // 3 of 7
	Line                  int           // of File, where the statement begins
	Backup                string        // the file that is being made or, with Done, that was made
	Rows                  int64         // inserted, updated and deleted so far, also by triggers
	Done                  bool          // reported after, not before
	Took                  time.Duration // of the statement or migration that is done
	Elapsed               time.Duration // since Migrate was called
}

// WithProgress has f called while Migrate upgrades the database, or waits to: on the goroutine
// of Migrate or, while that waits for SQLite, on another. Two calls never overlap, and none
// comes after Migrate has returned.
func WithProgress(f func(Progress)) Option {
	return func(c *config) { c.onProgress, c.repeat = f, (*reporter).repeat }
}

const waiting, copying, running, checking = "waiting", "copying", "running", "checking"

// A reporter tells the application how an upgrade goes on.
type reporter struct {
	f     func(Progress) // nil if it does not want to know
	begun time.Time

	mu       sync.Mutex // held while f is called
	last     Progress
	reported time.Time

	on   *conn // whose changes are counted
	base int64 // to be added to them
}

// repeat reports the last progress again and again, until stop is called. It cannot count
// rows, because the connection is in use.
func (r *reporter) repeat() (stop func()) {
	const often = 500 * time.Millisecond // so that there is never a second between two
	over := make(chan struct{})
	var repeating sync.WaitGroup
	repeating.Go(func() {
		ticks := time.Tick(often)
		for {
			select {
			case <-over:
				return
			case now := <-ticks:
				func() {
					r.mu.Lock()
					defer r.mu.Unlock() // also if f ends the goroutine
					if p := r.last; !p.Done && now.Sub(r.reported) >= often {
						p.Elapsed = now.Sub(r.begun)
						r.f(p)
					}
				}()
			}
		}
	})
	return func() { close(over); repeating.Wait() }
}

// tell reports p as of now.
func (r *reporter) tell(p *Progress, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	p.Elapsed = now.Sub(r.begun)
	r.last, r.reported = *p, now
	r.f(*p)
}

// does reports what is done from now on, and belongs to no migration.
func (r *reporter) does(doing string) {
	p := &Progress{Doing: doing, Migration: r.last.Migration, Migrations: r.last.Migrations, Rows: r.last.Rows}
	if !r.last.Done {
		p.Backup = r.last.Backup
	}
	if r.f != nil {
		r.tell(p, time.Now())
	}
}

// count counts rows on a connection, from n on.
func (r *reporter) count(ctx context.Context, on *conn, n int64) {
	if r.f != nil {
		var changes int64
		on.read(ctx, totalChanges, &changes)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.on, r.base, r.last.Rows = on, n-changes, n
	}
}

// totalChanges reads how many rows the connection has inserted, updated and deleted. (A
// SELECT does not change what changes() and last_insert_rowid() return, which a migration
// may use.) https://sqlite.org/lang_corefunc.html#total_changes
const totalChanges = "SELECT total_changes()"

// report reports p, which began at a time.
func (r *reporter) report(ctx context.Context, p *Progress, began time.Time, done bool) {
	if r.f == nil {
		return
	}
	changes := r.last.Rows - r.base // if ctx has ended, the number no longer matters
	r.on.read(ctx, totalChanges, &changes)
	p.Rows, p.Doing = r.base+changes, cmp.Or(p.Doing, running)
	now := time.Now()
	if p.Done, p.Took = done, 0; done {
		p.Took = now.Sub(began)
	}
	r.tell(p, now)
}

// again reports the last progress again, if that was a while ago.
func (r *reporter) again(ctx context.Context) {
	if r.f != nil && time.Since(r.reported) >= time.Second/10 {
		last := r.last
		r.report(ctx, &last, r.reported, false)
	}
}
