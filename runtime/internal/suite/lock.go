package suite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

const busyText = "data.db: locked by another connection for …; look for another program that has the file open (an older release, a shell, a backup), or for a transaction that this one left open: database is locked"

// hold takes a lock on the file and returns the function that gives it up.
func (t *test) hold(begin string) (release func()) {
	t.Helper()
	db := t.open(Settings{BusyTimeout: time.Minute}) // a Watch may read
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(context.Background(), begin); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		conn.Close()
		db.Close()
	}
}

func endedContext() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// wait is how long a call waits here before it gives up. A server answers later, on a busy machine.
func (t *test) wait() time.Duration {
	if t.driver.Server {
		return time.Second
	}
	return 60 * time.Millisecond
}

// waited fails the test unless a call has waited since begun.
func (t *test) waited(begun time.Time) {
	t.Helper()
	const limit = 10 * time.Second
	if took := time.Since(begun); took < t.wait() || took > limit {
		t.Errorf("waited for %v, want %v to %v", took, t.wait(), limit)
	}
}

func refusesLocked(t *test) {
	t.claim("CheckAndMigrateRefuseDatabaseLockedExclusively", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		db := t.pool(Settings{})
		release := t.hold("BEGIN EXCLUSIVE")
		for _, call := range calls() {
			begun := time.Now()
			t.isRefusal(call(t.Context(), db, t.schema(upTo(3, notes)), lockstep.WithTimeout(t.wait())), lockstep.ErrBusy, busyText)
			t.waited(begun)
		}
		release()
		t.settings(db)
		t.untouched(before)
	})
	t.claim("MigrateRefusesDatabaseThatAnotherConnectionWrites", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		db := t.pool(Settings{ForeignKeys: true})
		settings := t.settings(db)
		release := t.hold("BEGIN IMMEDIATE")
		begun := time.Now()
		t.isRefusal(lockstep.Migrate(t.Context(), db, t.schema(upTo(3, notes)), lockstep.WithTimeout(t.wait())), lockstep.ErrBusy, busyText)
		t.waited(begun)
		release()
		t.same("settings", t.settings(db), settings)
		t.untouched(before)
	})
}

func ignoresWriters(t *test) {
	t.claim("WriterDoesNotDelayStartAtHead", func(t *test) {
		t.migrate(upTo(3, notes))
		release := t.hold("BEGIN IMMEDIATE")
		defer release()
		for _, call := range calls() {
			if err := call(t.Context(), t.open(Settings{}), t.schema(upTo(3, notes)), lockstep.WithTimeout(t.wait())); err != nil {
				t.Error(err)
			}
		}
	})
	t.claim("WriterDoesNotDelayStartThatWouldRecordACookie", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(3, notes))
			t.exec("VACUUM", "PRAGMA journal_mode = "+journal)
			release := t.hold("BEGIN IMMEDIATE")
			db := t.pool(Settings{BusyTimeout: 30 * time.Second})
			begun := time.Now()
			if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(3, notes))); err != nil {
				t.Error(err)
			}
			if took := time.Since(begun); took > 10*time.Second {
				t.Errorf("waited for %v", took)
			}
			release()
			t.settings(db)
			if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(3, notes))); err != nil {
				t.Error(err)
			}
			if !t.fast(0, t.schema(upTo(3, notes))) {
				t.Error("the cookie was not noted when there was no writer")
			}
		}
	})
}

func boundsWaits(t *test) {
	t.claim("WaitsForTheLockOfAFileInOneGo", func(t *test) { // so that nobody comes in between
		db, tr := t.trace(Settings{})
		if err := lockstep.Migrate(t.Context(), db, t.schema(notes)); err != nil {
			t.Fatal(err)
		}
		if tr.given < 30*time.Second {
			t.Errorf("the lock is waited for again after %v", tr.given)
		}
	})
	t.claim("TimeoutBoundsTheWaitOfAShorterBusyTimeout", func(t *test) {
		t.migrate(upTo(2, notes))
		release := t.hold("BEGIN EXCLUSIVE")
		defer release()
		for _, call := range calls() {
			begun := time.Now()
			db := t.open(Settings{BusyTimeout: 20 * time.Millisecond})
			t.isRefusal(call(t.Context(), db, t.schema(upTo(3, notes)), lockstep.WithTimeout(t.wait())), lockstep.ErrBusy, t.unnamed(busyText))
			t.waited(begun)
		}
	})
	t.claim("TimeoutBoundsTheWaitOfALongerBusyTimeout", func(t *test) {
		// Not all drivers can be interrupted.
		const longer = 600 * time.Millisecond
		t.migrate(upTo(2, notes))
		db := t.pool(Settings{BusyTimeout: longer})
		release := t.hold("BEGIN EXCLUSIVE")
		for _, call := range calls() {
			begun := time.Now()
			if err := call(t.Context(), db, t.schema(upTo(3, notes)), lockstep.WithTimeout(t.wait())); !errors.Is(err, lockstep.ErrBusy) {
				t.Errorf("got %v, want ErrBusy", err)
			}
			t.waited(begun)
		}
		release()
		t.settings(db)
	})
}

func waits(t *test) {
	t.claim("WaitsLongerThanTheDriver", func(t *test) {
		t.migrate(upTo(1, notes))
		for i, timeout := range []time.Duration{0, 10 * time.Millisecond} {
			db := t.pool(Settings{BusyTimeout: timeout})
			release := t.hold("BEGIN EXCLUSIVE")
			released := make(chan struct{})
			time.AfterFunc(150*time.Millisecond, func() { release(); close(released) })
			if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(2+i, notes))); err != nil {
				t.Error(err)
			}
			<-released
		}
		t.atHead(t.schema(upTo(3, notes)))
	})
}

func boundsMoreWaits(t *test) {
	t.claim("ContextBoundsTheWait", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		s := t.schema(upTo(3, notes))
		db := t.pool(Settings{})
		release := t.hold("BEGIN EXCLUSIVE")
		for _, call := range calls() {
			begun := time.Now()
			ctx, cancel := context.WithTimeout(t.Context(), t.wait())
			err := call(ctx, db, s)
			cancel()
			t.waited(begun)
			if !errors.Is(err, lockstep.ErrBusy) || !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want ErrBusy and the context's error", err)
			}
		}
		release()
		t.settings(db)
		t.untouched(before)
	})
	t.claim("TimeoutBoundsTheWaitForAConnection", func(t *test) {
		t.migrate(upTo(2, notes))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		err = lockstep.Check(t.Context(), db, t.schema(upTo(2, notes)), lockstep.WithTimeout(t.wait()))
		t.isRefusal(err, lockstep.ErrBusy, "no connection of the pool was free for …; look for rows or a transaction that this program left open")
	})
}

func readsSlowly(t *test) {
	t.claim("TimeoutDoesNotBoundReading", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec("INSERT INTO _lockstep_history WITH RECURSIVE n(i) AS (VALUES (3) UNION ALL SELECT i + 1 FROM n WHERE i < 60000) SELECT i, 'x', 'x', '', 0, '', NULL, NULL, NULL FROM n")
		for _, call := range calls() {
			err := call(t.Context(), t.open(Settings{}), t.schema(upTo(3, notes)), lockstep.WithTimeout(time.Millisecond))
			if !errors.Is(err, lockstep.ErrDiverged) {
				t.Errorf("got %v, want ErrDiverged", err)
			}
		}
	})
	t.claim("AContextThatEndsReadingIsNoLock", func(t *test) {
		t.migrate(upTo(1, notes))
		db, tr := t.trace(Settings{})
		for _, call := range calls() {
			ctx, cancel := context.WithCancel(t.Context())
			tr.interfere(func(n int) error {
				if strings.HasPrefix(tr.statements[n-1], "SELECT version, file") {
					cancel()
				}
				return nil
			})
			err := call(ctx, db, t.schema(upTo(2, notes)))
			t.says(err, "data.db: interrupted as it was read: context canceled")
			if errors.Is(err, lockstep.ErrBusy) || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want the context's error alone", err)
			}
		}
	})
	t.claim("TimeoutDoesNotBoundTheRollbackOfAKilledProgram", func(t *test) {
		t.exec("PRAGMA page_size = 512", "CREATE TABLE ballast (a)", // small pages make it slow
			"INSERT INTO ballast WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 20000) SELECT randomblob(400) FROM n")
		t.exec("PRAGMA user_version = 7")
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		t.execOn(db, "PRAGMA synchronous = 0", "PRAGMA cache_size = 50", "BEGIN IMMEDIATE", "PRAGMA user_version = 8", "UPDATE ballast SET a = randomblob(400)")
		for _, busyTimeout := range []time.Duration{0, time.Minute} {
			dead := t.at(t.path + busyTimeout.String())
			for _, suffix := range []string{"", "-journal"} { // as a kill leaves them
				b, err := os.ReadFile(t.path + suffix)
				if err == nil {
					err = os.WriteFile(dead.path+suffix, b, 0o666)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			dead.isRefusal(lockstep.Check(t.Context(), dead.open(Settings{BusyTimeout: busyTimeout}), t.schema(upTo(1, notes)), lockstep.WithTimeout(time.Millisecond)),
				lockstep.ErrUnmanaged, "data.db: 1 table and no version: not managed\n\tlockstep enroll --db data.db")
			t.same("rolled back", dead.query("PRAGMA user_version"), "7")
		}
	})
}

func startsOnce(t *test) {
	t.claim("ManyStartAtOnce", func(t *test) {
		for _, journal := range []string{"delete", "wal"} {
			t := newTest(t.T, t.driver)
			s := t.schema(notes)
			errs := make(chan error)
			for range 6 {
				db := t.open(Settings{Journal: journal})
				go func() { errs <- lockstep.Migrate(t.Context(), db, s) }()
			}
			for range 6 {
				if err := <-errs; err != nil {
					t.Error(err)
				}
			}
			t.same("notes", t.query("SELECT count(*) FROM notes"), "3")
			t.same("history", t.query("SELECT count(*) FROM _lockstep_history"), "6")
		}
	})
}

// calls are the two ways to ask whether a database is at its version.
func calls() []func(context.Context, *sql.DB, *lockstep.Schema, ...lockstep.Option) error {
	return []func(context.Context, *sql.DB, *lockstep.Schema, ...lockstep.Option) error{lockstep.Check, lockstep.Migrate}
}
