package suite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// watch starts Watch, for a program that expects the first two migrations. The function that
// it returns waits for what it says; end has it say it now.
func (t *test) watch(db *sql.DB, opts ...lockstep.Option) (said func() error, end func()) {
	ctx, end := context.WithCancel(t.Context())
	t.Cleanup(end)
	answer := make(chan error, 1)
	s := t.schema(upTo(2, notes))
	go func() {
		answer <- lockstep.Watch(ctx, db, s, append([]lockstep.Option{lockstep.WithInterval(time.Millisecond)}, opts...)...)
	}()
	return func() error {
		t.Helper()
		select {
		case err := <-answer:
			return err
		case <-time.After(10 * time.Second):
			t.Fatal("Watch says nothing")
			return nil
		}
	}, end
}

// looked has Watch look n times.
func (t *test) looked(tr *tracer, n int) {
	t.Helper()
	t.until(tr, func(statements string) bool { return strings.Count(statements, "PRAGMA data_version") >= n })
}

// lookedAtVersion has Watch look at the version, and once more.
func (t *test) lookedAtVersion(tr *tracer) {
	t.Helper()
	t.until(tr, func(statements string) bool { return strings.Contains(statements, "main._meta\n") })
}

const (
	upgradedText = "data.db: at version 0003, this program expects 0002: upgraded by a newer program while this one ran"
	replacedText = "data.db: deleted, or replaced by another file, while this program had it open; start again to use what is there"
)

func watches(t *test) {
	t.claim("WatchReturnsNilWhenTheContextEnds", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		said, end := t.watch(db)
		t.looked(tr, 2)
		end()
		if err := said(); err != nil {
			t.Error(err)
		}
		if open := db.Stats().OpenConnections; open > 0 {
			t.Errorf("%d connections are open, which wait for no lock", open)
		}
	})
	t.claim("WatchAsksOnlyWhetherTheDatabaseWasWrittenTo", func(t *test) {
		t.migrate(upTo(2, notes))
		before := t.bytes()
		db, tr := t.trace(Settings{})
		_, end := t.watch(db)
		t.looked(tr, 4)
		end()
		const idle = "PRAGMA data_version\n"
		const first = "PRAGMA busy_timeout = 0\nPRAGMA database_list\n" + idle + "SELECT count(*), version FROM main._meta\n"
		rest, ok := strings.CutPrefix(tr.take()+"\n", first)
		if !ok || strings.ReplaceAll(rest, idle, "") != "" {
			t.Errorf("got\n%s\nafter\n%s", rest, first)
		}
		t.untouched(before)
	})
	for _, journal := range []string{"delete", "wal"} {
		t.claim("WatchTellsOfAnUpgradeByAnotherProcess/"+journal, func(t *test) {
			t.journal(journal)
			t.migrate(upTo(2, notes))
			db, tr := t.trace(Settings{})
			said, _ := t.watch(db)
			t.looked(tr, 1)
			t.execOn(t.open(Settings{BusyTimeout: 10 * time.Second}), "INSERT INTO notes (title) VALUES ('third')")
			t.looked(tr, 3)
			if out, err := t.upgrader(notes).CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			}
			t.isRefusal(said(), lockstep.ErrAhead, strings.Replace(upgradedText, "0003", "0006", 1))
		})
	}
}

func watchesPools(t *test) {
	t.claim("WatchLooksOnceASecondUnlessToldOtherwise", func(t *test) {
		t.migrate(upTo(2, notes))
		s := t.schema(upTo(2, notes))
		for _, interval := range []time.Duration{0, -time.Second} {
			_, tr := t.trace(Settings{})
			synctest.Test(t.T, func(tt *testing.T) { // in which time passes when all wait
				db := sql.OpenDB(tr)
				defer db.Close()
				ctx, cancel := context.WithTimeout(tt.Context(), 3500*time.Millisecond)
				defer cancel()
				if err := lockstep.Watch(ctx, db, s, lockstep.WithInterval(interval)); err != nil {
					t.Error(err)
				}
			})
			if looks := strings.Count(tr.take(), "PRAGMA data_version"); looks != 4 {
				t.Errorf("interval %v: %d looks in 3.5 seconds", interval, looks)
			}
		}
	})
	t.claim("WatchTellsOfAnUpgradeByTheSamePool", func(t *test) {
		for _, limit := range []int{0, 1, 2} {
			t := newTest(t.T, t.driver)
			t.migrate(upTo(2, notes))
			db := t.open(Settings{BusyTimeout: 10 * time.Second})
			db.SetMaxOpenConns(limit)
			said, _ := t.watch(db)
			for range 20 {
				t.execOn(db, "INSERT INTO notes (title) VALUES ('third')")
			}
			if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(3, notes))); err != nil {
				t.Error(err)
			}
			t.isRefusal(said(), lockstep.ErrAhead, upgradedText)
		}
	})
	t.claim("WatchTakesNoConnectionFromALimitedPool", func(t *test) {
		t.migrate(upTo(2, notes))
		db := t.open(Settings{})
		db.SetMaxOpenConns(1)
		said, end := t.watch(db)
		conn := t.begin(db, "BEGIN") // all that the program may have
		if _, err := conn.ExecContext(t.Context(), "INSERT INTO notes (title) VALUES ('third')"); err != nil {
			t.Error(err)
		}
		end()
		if err := said(); err != nil {
			t.Error(err)
		}
	})
	t.claim("WatchTellsOfARestoredDatabase", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		said, _ := t.watch(db)
		t.looked(tr, 1)
		t.execOn(t.open(Settings{BusyTimeout: 10 * time.Second}), "UPDATE _meta SET version = 1")
		t.isRefusal(said(), lockstep.ErrBehind, "data.db: at version 0001, this program expects 0002: pending 0002-tags.sql\n\tlockstep migrate --db data.db")
	})
	t.claim("WatchSharesADatabaseInMemory", func(t *test) {
		db := t.openDSN(t.driver.Shared(t.Name()))
		db.SetMaxOpenConns(2)
		t.execOn(db, "SELECT 1")
		if err := lockstep.Migrate(t.Context(), db, t.schema(upTo(2, notes))); err != nil {
			t.Fatal(err)
		}
		said, _ := t.watch(db)
		t.execOn(db, "UPDATE _meta SET version = 3")
		if err := said(); !errors.Is(err, lockstep.ErrAhead) {
			t.Errorf("got %v", err)
		}
	})
}

func watchesFiles(t *test) {
	t.claim("WatchTellsOfAFileThatIsReplaced", func(t *test) {
		t.migrate(upTo(2, notes))
		for _, limit := range []int{0, 1} {
			if err := os.WriteFile(t.path+".new", []byte(t.bytes()), 0o666); err != nil {
				t.Fatal(err)
			}
			db, tr := t.trace(Settings{})
			db.SetMaxOpenConns(limit)
			said, _ := t.watch(db)
			t.lookedAtVersion(tr)
			if err := os.Rename(t.path+".new", t.path); err != nil {
				t.Skip(err) // Windows does not do that
			}
			t.isRefusal(said(), lockstep.ErrReplaced, replacedText)
		}
	})
	t.claim("WatchTellsOfAFileThatIsDeleted", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		said, _ := t.watch(db)
		t.lookedAtVersion(tr)
		if err := os.Remove(t.path); err != nil {
			t.Skip(err)
		}
		t.isRefusal(said(), lockstep.ErrReplaced, replacedText)
	})
	t.claim("WatchTellsOfAFileThatIsWrittenOverWithoutSQLite", func(t *test) {
		t.migrate(upTo(2, notes))
		other := newTest(t.T, t.driver)
		other.migrate(upTo(2, notes))
		other.exec("UPDATE _meta SET version = 3")
		t.exec("UPDATE notes SET title = 'one' WHERE id = 1") // the other was written to as often
		db, tr := t.trace(Settings{})
		said, _ := t.watch(db)
		t.lookedAtVersion(tr)
		f, err := os.OpenFile(t.path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(other.bytes())
		}
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
		os.Chtimes(t.path, time.Time{}, time.Now().Add(time.Second)) // the clock of files may be coarse
		t.isRefusal(said(), lockstep.ErrAhead, upgradedText)
	})
	t.claim("WatchTellsOfAnUpgradeInAnotherWAL", func(t *test) {
		t.journal("wal")
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		said, _ := t.watch(db)
		t.lookedAtVersion(tr)
		for _, side := range []string{"-wal", "-shm"} { // of which this program's connections know nothing
			if err := os.Remove(t.path + side); err != nil {
				t.Skip(err)
			}
		}
		newer := t.open(Settings{}) // which goes on, so that nobody writes to the file
		if err := lockstep.Migrate(t.Context(), newer, t.schema(upTo(3, notes))); err != nil {
			t.Fatal(err)
		}
		t.isRefusal(said(), lockstep.ErrAhead, upgradedText)
	})
	t.claim("WatchTellsOfAFileThatIsNoDatabaseAnyLonger", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		said, _ := t.watch(db)
		t.lookedAtVersion(tr)
		f, err := os.OpenFile(t.path, os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(strings.Repeat("x", len(t.bytes())))
		}
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		t.isRefusal(said(), lockstep.ErrUnreadable, "data.db: cannot read the version: file is not a database")
	})
}

func watchesOn(t *test) {
	t.claim("WatchGoesOnWhileTheDatabaseIsLocked", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{BusyTimeout: time.Minute})
		said, end := t.watch(db)
		t.lookedAtVersion(tr)
		release := t.hold("BEGIN EXCLUSIVE")
		tr.take()
		t.looked(tr, 3)
		release()
		release = t.hold("BEGIN EXCLUSIVE")
		defer release()
		end()
		if err := said(); err != nil { // at once
			t.Error(err)
		}
	})
	t.claim("WatchTakesAnotherConnectionForOneThatIsLost", func(t *test) {
		t.migrate(upTo(2, notes))
		db, tr := t.trace(Settings{})
		said, _ := t.watch(db)
		t.lookedAtVersion(tr)
		for _, lost := range []error{driver.ErrBadConn, errors.New("connection reset by peer"), fmt.Errorf("driver: %w", driver.ErrBadConn)} {
			once := true
			tr.interfere(func(int) (err error) {
				if once {
					once, err = false, lost
				}
				return err
			})
			t.lookedAtVersion(tr)
			tr.interfere(nil)
		}
		t.migrate(upTo(3, notes))
		t.isRefusal(said(), lockstep.ErrAhead, upgradedText)
	})
	for _, c := range []struct {
		claim, begin, answer string
		kind                 error
		want                 string
	}{
		{"WatchGivesUpWhenThereIsNoAnswer", "", "connection reset by peer", lockstep.ErrUnreachable, ""},
		{"WatchGivesUpWhenItCannotRead", "SELECT count(*)", "disk I/O error", lockstep.ErrUnreadable, "cannot read the version: "},
	} {
		t.claim(c.claim, func(t *test) {
			t.migrate(upTo(2, notes))
			db, tr := t.trace(Settings{})
			said, _ := t.watch(db, lockstep.WithTimeout(t.wait()))
			t.lookedAtVersion(tr)
			tr.interfere(func(n int) error {
				if !strings.HasPrefix(tr.statements[n-1], c.begin) {
					return nil
				}
				return errors.New(c.answer)
			})
			t.execOn(t.open(Settings{BusyTimeout: 10 * time.Second}), "INSERT INTO notes (title) VALUES ('third')")
			t.isRefusal(said(), c.kind, "data.db: "+c.want+"no answer for …: "+c.answer)
		})
	}
	t.claim("WatchEndsWithThePool", func(t *test) {
		t.migrate(upTo(2, notes))
		for _, limit := range []int{0, 1} {
			db, tr := t.trace(Settings{})
			db.SetMaxOpenConns(limit)
			said, _ := t.watch(db, lockstep.WithTimeout(t.wait()))
			t.lookedAtVersion(tr)
			db.Close()
			if err := said(); err == nil {
				t.Error("got nil")
			}
		}
	})
}

// watchesServers is about connections to a server, which has its own ways of not answering.
func watchesServers(t *test) {
	t.claim("WatchTakesAnotherConnectionThoughThePoolIsNotTold", func(t *test) {
		t.migrate(upTo(2, notes))
		for _, limit := range []int{0, 1} {
			db, tr := t.trace(Settings{})
			db.SetMaxOpenConns(limit)
			tr.unaware = true
			said, end := t.watch(db)
			t.lookedAtVersion(tr)
			once := true
			tr.mu.Lock()
			tr.lost = errors.New("connection reset by peer") // all that the driver says
			tr.mu.Unlock()
			tr.interfere(func(int) (err error) {
				if once {
					once, err = false, tr.lost
				}
				return err
			})
			t.lookedAtVersion(tr)
			end()
			if err := said(); err != nil {
				t.Error(err)
			}
		}
	})
	for _, lost := range []error{nil, driver.ErrBadConn} {
		t.claim("WatchDoesNotWaitForAServerThatIsPaused/"+fmt.Sprint(lost), func(t *test) {
			t.migrate(upTo(2, notes))
			s := t.schema(upTo(2, notes))
			_, tr := t.trace(Settings{BusyTimeout: 10 * time.Second})
			tr.lost = lost
			watch := func(meanwhile func(db *sql.DB)) (took time.Duration, err error) {
				synctest.Test(t.T, func(tt *testing.T) { // in which time passes when all wait
					db := sql.OpenDB(tr)
					defer db.Close()
					ctx, cancel := context.WithTimeout(tt.Context(), time.Hour)
					defer cancel()
					answer, begun := make(chan error), time.Now()
					go func() { answer <- lockstep.Watch(ctx, db, s) }()
					time.Sleep(3 * time.Second)
					tr.silent.Store(true)
					meanwhile(db)
					err, took = <-answer, time.Since(begun)
				})
				return took, err
			}
			if took, err := watch(func(*sql.DB) {}); !errors.Is(err, lockstep.ErrUnreachable) || took < time.Minute || took > 80*time.Second {
				t.Errorf("after %v: got %v", took, err)
			}
			tr.silent.Store(false)
			took, err := watch(func(db *sql.DB) {
				time.Sleep(30 * time.Second)
				tr.silent.Store(false)
				if _, err := db.Exec("UPDATE _meta SET version = 3"); err != nil {
					t.Error(err)
				}
			})
			if !errors.Is(err, lockstep.ErrAhead) || took > 45*time.Second {
				t.Errorf("after %v: got %v", took, err)
			}
		})
	}
}
