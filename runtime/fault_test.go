package lockstep_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
)

// TestProofFailingDisk lets each operation of an upgrade fail in turn: afterwards the
// database is what it was or what it was to become, no connection of the pool is
// left in another state, and the next start succeeds.
func TestProofFailingDisk(t *testing.T) {
	for i, test := range []struct {
		claim  string
		fault  faultvfs.Fault
		mended bool // before the pool is looked at
	}{
		{"LeavesOldOrNewWhenOneOperationFails", faultvfs.Fault{Ops: faultvfs.Changes, Code: sqlite3.IOERR}, true},
		{"LeavesOldOrNewWhenOneOperationFindsNoSpace", faultvfs.Fault{Ops: faultvfs.Changes, Code: sqlite3.FULL}, true},
		{"LeavesOldOrNewWhenAllOperationsFailForAWhile", faultvfs.Fault{Ops: faultvfs.Changes, Lasting: true, Code: sqlite3.IOERR}, true},
		{"LeavesOldOrNewWhenAllOperationsFailForGood", faultvfs.Fault{Ops: faultvfs.Changes, Lasting: true, Code: sqlite3.IOERR}, false},
		{"LeavesOldOrNewWhenAnOperationFailsThatWasDone", faultvfs.Fault{Ops: faultvfs.Changes, Late: true, Code: sqlite3.IOERR}, true},
		{"LeavesOldOrNewWhenAllOperationsFailThatWereDone", faultvfs.Fault{Ops: faultvfs.Changes, Late: true, Lasting: true, Code: sqlite3.IOERR}, false},
		{"LeavesOldOrNewWhenOneReadFails", faultvfs.Fault{Ops: faultvfs.Reads, Code: sqlite3.IOERR}, true},
		{"LeavesOldOrNewWhenAllReadsFailForAWhile", faultvfs.Fault{Ops: faultvfs.Reads, Lasting: true, Code: sqlite3.IOERR}, true},
	} {
		t.Run(test.claim, func(t *testing.T) {
			forEachUpgrade(t, i, func(u *interrupted) {
				n := u.count(test.fault.Ops)
				for at := range sample(n) {
					test.fault.At = at
					u.prepare()
					u.disk.Fail(test.fault)
					u.migrate(fmt.Sprintf("operation %d of %d fails", at, n), test.mended)
				}
			})
		})
	}
}

func TestProofFullDisk(t *testing.T) {
	t.Run("LeavesOldOrNewWhereverItIsFull", func(t *testing.T) {
		forEachUpgrade(t, 0, func(u *interrupted) {
			const unit = 1000
			for n := range sample(u.peak / unit) {
				u.prepare()
				u.disk.Fill(int64(n * unit))
				u.migrate(fmt.Sprintf("there is room for %d bytes", n*unit), true)
			}
		})
	})
}

// A disk that dies can take its time. What it says then is not that somebody else
// has a lock.
func TestSlowDisk(t *testing.T) {
	t.Run("FailsWithWhatTheDiskSaysAfterTheTimeout", func(t *testing.T) {
		disk, unregister := faultvfs.Register(t.Name())
		t.Cleanup(unregister)
		path := fileAt(t, shop, 1)
		disk.Fail(faultvfs.Fault{Ops: 1 << faultvfs.Sync, At: 1, After: 50 * time.Millisecond, Code: sqlite3.IOERR})
		err := lockstep.Migrate(t.Context(), connect(t, path, "vfs="+t.Name()), schema(t, shop, 5), lockstep.WithTimeout(10*time.Millisecond))
		want := path + ": disk I/O error; rolled back, still at 0001"
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// A commit whose sync fails is in the WAL, whole. Who opens the database after that without
// the connection's knowledge finds it.
func TestProofFailingLog(t *testing.T) {
	t.Run("MayHoldTheCommit", func(t *testing.T) {
		disk, unregister := faultvfs.Register(t.Name())
		t.Cleanup(unregister)
		path := fileAt(t, shop, 1, "_pragma=journal_mode(wal)")
		db := connect(t, path, "vfs="+t.Name(), "_pragma=busy_timeout(0)")
		if err := db.Ping(); err != nil {
			t.Fatal(err)
		}
		disk.Fail(faultvfs.Fault{Ops: 1<<faultvfs.Sync | 1<<faultvfs.Delete, At: 2, Lasting: true, Code: sqlite3.IOERR}) // 1 is of the header
		err := lockstep.Migrate(t.Context(), db, schema(t, shop, 5))
		want := path + ": disk I/O error; the COMMIT may have taken effect: at 0001 or 0005"
		if got := fmt.Sprint(err); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		db.Close()
		if got := contents(t, path); got != contents(t, fileAt(t, shop, 5)) {
			t.Errorf("got\n%s", got)
		}
	})
}

// interrupted is an upgrade that can be tried again and again.
type interrupted struct {
	testing.TB
	disk     *faultvfs.Disk
	schema   *lockstep.Schema
	path     string
	dsn      []string
	file     []byte // of the old database; nil for none
	old, new string // contents
	settings string // of each connection
	counts   map[faultvfs.Op]int
	peak     int
}

// count returns how many operations of these kinds there are when nothing fails.
func (u *interrupted) count(set faultvfs.Ops) (n int) {
	for op, count := range u.counts {
		if set&(1<<op) != 0 {
			n += count
		}
	}
	return n
}

// sample yields 1 to n and one more. Unless the test is a long one, it takes some of
// them, with all of the last, which are the commit.
func sample(n int) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 1; i <= n+1; i++ {
			if (*long || i == 1 || i > n-3 || i%max(1, n/3) == 0) && !yield(i) {
				return
			}
		}
	}
}

// forEachUpgrade calls f with the upgrade of a new database and of one that is
// behind, in each journal mode, with a cache that holds all and with one that spills
// into the file before the commit. A plain run takes some of them by turns.
func forEachUpgrade(t *testing.T, turn int, f func(u *interrupted)) {
	s := schema(t, shop, 5)
	for _, journal := range []string{"delete", "truncate", "wal"} {
		for from, database := range []string{"New", "Behind"} {
			for cache, spill := range []string{"Spilling", ""} {
				if turn++; !*long && (journal == "truncate" || cache == 1 && journal == "delete" || turn%2 > 0) {
					continue
				}
				t.Run(journal+database+spill, func(t *testing.T) {
					disk, unregister := faultvfs.Register(t.Name())
					t.Cleanup(unregister)
					u := &interrupted{
						TB:     t,
						disk:   disk,
						schema: s,
						dsn: []string{
							"vfs=" + t.Name(), "_pragma=busy_timeout(0)", "_pragma=foreign_keys(1)",
							"_pragma=journal_mode(" + journal + ")",
						},
					}
					if cache == 0 {
						u.dsn = append(u.dsn, "_pragma=cache_size(5)")
					}
					u.begin(from)
					f(u)
				})
			}
		}
	}
}

// begin makes the old database, and finds out what becomes of it.
func (u *interrupted) begin(version int) {
	u.Helper()
	u.path = fileAt(u, shop, version, u.dsn...)
	u.file, _ = os.ReadFile(u.path)
	u.old = contents(u, u.path)
	u.prepare()
	db := connect(u, u.path, u.dsn...)
	if err := lockstep.Migrate(u.Context(), db, u.schema); err != nil {
		u.Fatal(err)
	}
	db.Close()
	u.counts = u.disk.Counts()
	u.peak = int(u.disk.Peak())
	u.new = contents(u, u.path)
	u.settings = settings(u, connect(u, u.path, u.dsn...))
}

// prepare puts the old database in its place, on a disk that is in order.
func (u *interrupted) prepare() {
	u.Helper()
	for _, suffix := range []string{"", "-journal", "-wal", "-shm"} {
		if err := os.Remove(u.path + suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			u.Fatal(err)
		}
	}
	if u.file != nil {
		if err := os.WriteFile(u.path, u.file, 0o666); err != nil {
			u.Fatal(err)
		}
	}
	u.disk.Heal()
}

// failures counts the upgrades during which an operation failed.
var failures atomic.Int64

// migrate tries the upgrade, looks at what it left, and starts once more.
func (u *interrupted) migrate(what string, mended bool) {
	u.Helper()
	db := connect(u, u.path, u.dsn...)
	err := lockstep.Migrate(u.Context(), db, u.schema)
	failed := u.disk.Failed()
	if failed > 0 {
		failures.Add(1)
	}
	if mended {
		u.disk.Heal()
		if got := settings(u, db); got != u.settings {
			u.Errorf("%s: after %v the pool has connections with the settings\n%s\nwant\n%s", what, err, got, u.settings)
		}
	}
	db.Close()
	u.disk.Heal()

	got := contents(u, u.path)
	var e *lockstep.MigrationError
	switch {
	case got != u.old && got != u.new:
		u.Errorf("%s: after %v the database is neither old nor new:\n%s", what, err, got)
	case err == nil && got != u.new:
		u.Errorf("%s: Migrate succeeded, and the database is old", what)
	case errors.As(err, &e) && e.RolledBack && got != u.old:
		u.Errorf("%s: the database is new after %v", what, err)
	case errors.As(err, &e) && !e.RolledBack && failed == 1 && slices.Contains(u.dsn, "_pragma=journal_mode(wal)"):
		// The WAL may hold the commit, and the error says so.
	case err != nil && got == u.new && failed == 1: // so that it could be read
		u.Errorf("%s: the database is new after %v", what, err)
	case err != nil && failed == 0:
		u.Errorf("%s: got %v, though nothing failed", what, err)
	}

	db = connect(u, u.path, u.dsn...)
	defer db.Close()
	if err := lockstep.Migrate(u.Context(), db, u.schema); err != nil {
		u.Errorf("%s: the next start: %v", what, err)
	}
	db.Close()
	if contents(u, u.path) != u.new {
		u.Errorf("%s: the next start succeeded, and the database is not new", what)
	}
}

// settings returns the settings that migrations can change of each of three
// connections of a pool, and fails the test if a transaction is open on one.
func settings(t testing.TB, db *sql.DB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var conns []*sql.Conn
	for range 3 {
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns = append(conns, conn)
	}
	var all []string
	for _, conn := range conns {
		var b strings.Builder
		for _, pragma := range []string{
			"foreign_keys", "defer_foreign_keys", "legacy_alter_table", "recursive_triggers", "ignore_check_constraints",
			"writable_schema", "busy_timeout", "query_only",
		} {
			var value string
			if err := conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&value); err != nil {
				t.Fatal(err)
			}
			b.WriteString(pragma + "=" + value + " ")
		}
		for _, q := range []string{"BEGIN", "ROLLBACK"} {
			if _, err := conn.ExecContext(ctx, q); err != nil {
				t.Errorf("a transaction is open on a connection of the pool: %v", err)
			}
		}
		all = append(all, b.String())
	}
	return strings.Join(slices.Compact(all), "\n")
}
