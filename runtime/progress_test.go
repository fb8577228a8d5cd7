package lockstep_test

import (
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime"
)

func TestRepeat(t *testing.T) {
	// upgrade waits 1.7 seconds of the test's own time for a lock, and 10 seconds for each
	// query that slow names. It reports to f until 10 seconds later.
	upgrade := func(t *testing.T, slow func(query string) bool, f func(lockstep.Progress)) {
		path := fileAt(t, shop, 1)
		other := connect(t, path)
		other.SetMaxOpenConns(1)
		rows(t, other, "BEGIN IMMEDIATE")
		time.AfterFunc(1700*time.Millisecond, func() { rows(t, other, "ROLLBACK") })
		db, err := driver.Open(dsn(path, "_pragma=busy_timeout(0)"), func(c *sqlite3.Conn) error {
			return c.Trace(sqlite3.TRACE_STMT, func(_ sqlite3.TraceEvent, stmt, _ any) error {
				if slow(stmt.(*sqlite3.Stmt).SQL()) {
					time.Sleep(10 * time.Second)
				}
				return nil
			})
		})
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 3), lockstep.WithProgress(f)); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Second)
	}
	check := func(query string) bool { return strings.Contains(query, "pragma_foreign_key_check('orders'") }

	t.Run("TellsWhatTakesLongAtLeastOnceASecond", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var last lockstep.Progress
			upgrade(t, check, func(p lockstep.Progress) {
				doing, elapsed := "waiting", last.Elapsed
				if p.Elapsed > 2*time.Second {
					doing = "checking"
				}
				if last.Elapsed = p.Elapsed; p.Elapsed-elapsed > 400*time.Millisecond && (p != last || p.Doing != doing) || p.Elapsed-elapsed > time.Second {
					t.Errorf("got %+v after %v", p, elapsed)
				}
				last = p
			})
			if last.Elapsed < 11*time.Second || last.Elapsed > 12*time.Second || last.Rows == 0 {
				t.Errorf("the last report was %+v", last)
			}
		})
	})
	t.Run("GoesOnWithoutACallbackThatEndsItsGoroutine", func(t *testing.T) { // as t.Fatal does
		synctest.Test(t, func(t *testing.T) {
			calls := 0
			upgrade(t, check, func(p lockstep.Progress) {
				if p.Elapsed > 0 { // and not on the goroutine of Migrate
					if calls++; calls == 1 {
						runtime.Goexit()
					}
				}
			})
			if calls < 2 {
				t.Errorf("called %d times", calls)
			}
		})
	})
	t.Run("DoesNotRepeatWhatIsDone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var last lockstep.Progress
			slept := 0
			upgrade(t, func(string) bool {
				if last.Done {
					slept++
				}
				return last.Done
			}, func(p lockstep.Progress) {
				if last.Elapsed = p.Elapsed; p.Done && p == last {
					t.Errorf("again: %+v", p)
				}
				last = p
			})
			if slept == 0 {
				t.Error("nothing took long after something was done")
			}
		})
	})
}
