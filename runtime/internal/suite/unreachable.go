package suite

import (
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// reset is what package net says of a connection that is lost.
var reset = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}

// lowers is migration 0003. What it does twice shows.
var lowers = executes("UPDATE notes SET slug = coalesce(slug, '') || lower(title)")

// losesConnections is about connections that are lost, as to a server: the pool closes one
// that the driver calls bad, and that rolls back what was not committed.
func losesConnections(t *test) {
	const stride = 6 // one of them at each statement
	start := 0
	for name, lost := range map[string]error{"Bad": driver.ErrBadConn, "Reset": reset, "NotTheLeaders": errors.New("not leader")} {
		for each, opts := range map[string][]lockstep.Option{"": nil, "PerMigration": {lockstep.WithPerMigration()}} {
			start++
			t.claim("GoesOnWithAnotherWhereOneIs"+name+each, func(t *test) {
				for at, more := start, true; more; at += stride {
					for _, after := range []bool{false, true} {
						tr := upgradesThough(newTest(t.T, t.driver), t.slugsBy(lowers), fmt.Sprintf("statement %d, after %v", at, after), opts, func(tr *tracer) {
							tr.lose(lost, after, func(n int) bool { return n == at })
						})
						more = len(tr.statements) > at
					}
				}
			})
		}
	}
	t.claim("GoesOnWithAnotherAfterAnyCall", func(t *test) {
		stride := 41 // of the hundreds of calls
		if f := flag.Lookup("long"); f != nil && f.Value.String() == "true" {
			stride = 1
		}
		s := t.goSchema(slugs, map[lockstep.Version]goFunc{3: func(ctx context.Context, tx lockstep.Tx) error {
			return errors.Join(fillSlugs(ctx, tx), prepares("UPDATE notes SET slug = slug || ?", "")(ctx, tx))
		}})
		for at, more := 1, true; more; at += stride {
			tr := upgradesThough(newTest(t.T, t.driver), s, fmt.Sprintf("call %d", at), nil, func(tr *tracer) {
				tr.loseAt, tr.lost, tr.unaware = at, reset, true
			})
			more = tr.calls > at
		}
	})
	t.claim("SaysWhatWasLastKnown", func(t *test) {
		t.migrate(upTo(1, slugs))
		for _, tt := range []struct{ from, want string }{
			{"BEGIN", "no connection for …; its version was not read: "},
			{"UPDATE notes", "no connection for …; it was last at version 0001, while 0002-trim.sql ran: "},
			{"COMMIT", "no connection for …; it was last at version 0001, and the COMMIT of 0004 had no answer: "},
		} {
			db, tr := t.trace(Settings{})
			lasts := false
			tr.lose(reset, false, func(n int) bool {
				lasts = lasts || regexp.MustCompile("^"+tt.from).MatchString(tr.statements[n-1])
				return lasts
			})
			err := lockstep.Migrate(t.Context(), db, t.slugsBy(lowers), lockstep.WithTimeout(50*time.Millisecond))
			e := (*lockstep.Error)(nil)
			if !errors.As(err, &e) || e.Kind != lockstep.ErrUnreachable || !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("%s: got %v; want ErrUnreachable", tt.from, err)
			}
			got := regexp.MustCompile(`for [0-9.]+m?s`).ReplaceAllString(e.Error(), "for …")
			if e.DB != "" {
				tt.want = t.path + ": " + tt.want
			}
			t.same(tt.from, got, tt.want+"read tcp: connection reset by peer")
		}
	})
}

// boundsLosses is about how long a lost connection is waited for.
func boundsLosses(t *test) {
	t.claim("EndsWithTheContext", func(t *test) {
		db, tr := t.trace(Settings{})
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		tr.lose(driver.ErrBadConn, false, func(n int) bool { return true })
		err := lockstep.Migrate(ctx, db, t.slugsBy(lowers))
		if !errors.Is(err, lockstep.ErrUnreachable) || !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v; want ErrUnreachable and the end of the context", err)
		}
	})
	for _, c := range []struct {
		claim  string
		begins int // where a lock is waited for, until the connection is lost
		kind   error
		lose   func(tr *tracer, until time.Time) error
	}{
		{"TimeoutBoundsAllWaitsForAServer", 0, lockstep.ErrUnreachable, func(tr *tracer, _ time.Time) error { tr.silent.Store(true); return nil }},
		{"TimeoutBoundsTheWaitForALockBeforeAndAfter", 300, lockstep.ErrBusy, func(tr *tracer, _ time.Time) error { return tr.lost }},
		{"TimeoutBoundsTheWaitForALockAndForAServer", 300, lockstep.ErrUnreachable, func(tr *tracer, _ time.Time) error { tr.silent.Store(true); return tr.lost }},
		{"AConnectionThatIsLostWithTheTimeoutWaitedForALock", 300, lockstep.ErrBusy, func(tr *tracer, until time.Time) error { time.Sleep(time.Until(until)); return tr.lost }},
	} {
		t.claim(c.claim, func(t *test) {
			t.migrate(upTo(1, slugs))
			_, tr := t.trace(Settings{})
			tr.lost = errors.New("no available dqlite leader server found")
			begins, locked, end := 0, errors.New("database is locked"), time.Time{}
			tr.before = func(n int) error {
				if tr.statements[n-1] != "BEGIN IMMEDIATE" {
					return nil
				}
				if begins++; begins == c.begins {
					return cmp.Or(c.lose(tr, end), locked)
				}
				return locked
			}
			if c.begins == 0 {
				c.lose(tr, end)
			}
			s := t.slugsBy(lowers)
			synctest.Test(t.T, func(tt *testing.T) { // in which time passes when all wait
				db := sql.OpenDB(tr)
				defer db.Close()
				begun := time.Now()
				end = begun.Add(time.Minute)
				err := lockstep.Migrate(tt.Context(), db, s)
				if took := time.Since(begun).Round(time.Second); !errors.Is(err, c.kind) || took != time.Minute {
					t.Errorf("after %v: got %v; want %v after a minute", took, err, c.kind)
				}
			})
		})
	}
}

// suspectsLosses is about errors that look like a lost connection's.
func suspectsLosses(t *test) {
	t.claim("GoesOnThoughTheConnectionAnswersAgain", func(t *test) {
		s := t.schema(with(strings.ReplaceAll(slugs, ".go --", ".sql --"), "0003-slugs.sql", "UPDATE notes SET slug = coalesce(slug, '') || lower(title);\n"))
		all := []error{errors.New("no available leader"), io.EOF, errors.New("write: broken pipe"), fmt.Errorf("driver: %w", driver.ErrBadConn), syscall.EPIPE}
		for at, more := 1, true; more; at += 4 {
			lost := all[at%len(all)]
			tr := upgradesThough(newTest(t.T, t.driver), s, fmt.Sprintf("%v at statement %d", lost, at), nil, func(tr *tracer) {
				once := func(n int) error {
					if n == at {
						return lost
					}
					return nil
				}
				if tr.before = once; at%8 == 1 {
					tr.before, tr.after = nil, once
				}
			})
			more = len(tr.statements) > at
		}
	})
	t.claim("LetsAMigrationFailWithAnErrorFromElsewhere", func(t *test) {
		for _, elsewhere := range []error{io.ErrUnexpectedEOF, driver.ErrBadConn, errors.New("not leader")} {
			calls := 0
			s := t.goSchema(slugs, map[lockstep.Version]goFunc{3: func(context.Context, lockstep.Tx) error {
				calls++
				return elsewhere
			}})
			err := lockstep.Migrate(t.Context(), t.open(Settings{}), s)
			if failed := (*lockstep.MigrationError)(nil); !errors.As(err, &failed) || calls != 1 {
				t.Errorf("got %v after %d calls; want a MigrationError after one", err, calls)
			}
		}
	})
}

// losesMore is about what a lost connection must not do twice.
func losesMore(t *test) {
	t.claim("DoesNotRunAgainWhatHasNoTransaction", func(t *test) {
		t.migrate(upTo(2, wal))
		db, tr := t.trace(Settings{})
		tr.lose(syscall.ECONNRESET, true, func(n int) bool { return tr.statements[n-1] == "VACUUM;" })
		err := lockstep.Migrate(t.Context(), db, t.schema(wal))
		t.says(err, "data.db: 0003-wal.sql:3: connection reset by peer; still at 0002, but line 2 took effect")
	})
	t.claim("KeepsTheBackupOfWhatItBeganWith", func(t *test) {
		t.migrate(upTo(1, slugs))
		db, tr := t.trace(Settings{})
		lost := false
		s := t.goSchema(slugs, map[lockstep.Version]goFunc{3: fillSlugs})
		tr.lose(driver.ErrBadConn, false, func(n int) bool {
			lose := !lost && strings.HasPrefix(tr.statements[n-1], "CREATE TABLE slugs")
			lost = lost || lose
			return lose
		})
		if err := lockstep.Migrate(t.Context(), db, s, lockstep.WithPerMigration(), lockstep.WithBackup(0)); err != nil || !lost {
			t.Fatal(err)
		}
		backups, err := lockstep.Backups(t.path)
		if err != nil || len(backups) != 1 || backups[0].Version != 1 {
			t.Errorf("got %v, %v", backups, err)
		}
	})
	t.claim("EnrollsOnce", func(t *test) {
		s := t.schema(upTo(2, notes))
		for _, after := range []bool{false, true} {
			for at, more := 1, true; more; at += 3 {
				t := newTest(t.T, t.driver)
				t.exec(unmanaged...)
				db, tr := t.trace(Settings{})
				tr.lose(driver.ErrBadConn, after, func(n int) bool {
					return n == at || after && at == 1 && tr.statements[n-1] == "COMMIT"
				})
				if err := lockstep.Enroll(t.Context(), db, s); err != nil {
					t.Errorf("statement %d, after %v: %v", at, after, err)
				}
				more = len(tr.statements) > at
				t.atHead(s)
			}
		}
	})
}

// upgradesThough upgrades though lose has a connection lost.
func upgradesThough(t *test, s *lockstep.Schema, at string, opts []lockstep.Option, lose func(*tracer)) *tracer {
	t.migrate(upTo(1, slugs))
	db, tr := t.trace(Settings{})
	defer db.Close()
	db.SetMaxOpenConns(1)
	lose(tr)
	if err := lockstep.Migrate(t.Context(), db, s, opts...); err != nil {
		t.Fatalf("%s: %v", at, err)
	}
	t.same("history", t.query("SELECT group_concat(version), (SELECT version FROM _meta) FROM _lockstep_history"), "1,2,3,4|4")
	t.same("rows", t.query("SELECT group_concat(slug) FROM slugs"), "one!,two!,three!")
	if err := lockstep.Check(t.Context(), db, s); err != nil {
		t.Errorf("%s: Check: %v", at, err)
	}
	return tr
}
