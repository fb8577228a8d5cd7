package lockstep_test

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/vfs"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// TestCost counts what Migrate does to the disk. A sync is a call of the VFS's xSync,
// or what the operating system's adds to the first one of a new journal: its
// directory has to be synchronized, too.
func TestCost(t *testing.T) {
	disk, unregister := faultvfs.Register(t.Name())
	t.Cleanup(unregister)
	// What a call of Migrate costs on a connection that is open already.
	cost := func(t *testing.T, s *lockstep.Schema, db *sql.DB) string {
		if err := db.Ping(); err != nil {
			t.Fatal(err)
		}
		disk.Heal()
		if err := lockstep.Migrate(t.Context(), db, s); err != nil {
			t.Fatal(err)
		}
		n, writes, lock := disk.Counts(), "no writes", "no lock above SHARED"
		if n[faultvfs.Write] > 0 {
			writes = "writes"
		}
		if disk.Lock() > vfs.LOCK_SHARED {
			lock = "a writer's lock"
		}
		return fmt.Sprintf("%s, %d syncs, %d truncations, %d deletions, %s", writes,
			n[faultvfs.Sync]+n[faultvfs.DirSync], n[faultvfs.Truncate], n[faultvfs.Delete], lock)
	}
	for _, n := range []int{10, 300} {
		s := fixture.Schema(t, "sqlite3", library(n, n))
		for _, test := range []struct {
			claim    string
			settings []string
			upgrade  string
		}{
			// A journal is synchronized, its directory, and the journal again when it says
			// of itself how long it is; then the file. A cache that spills writes to the file
			// before the commit: it does the first three twice, but for the directory.
			// https://sqlite.org/atomiccommit.html#_flushing_the_rollback_journal_file_to_mass_storage
			{"IsFourSyncsWithRollbackJournal", []string{"_pragma=cache_size(-100000)"},
				"writes, 4 syncs, 0 truncations, 1 deletions, a writer's lock"},
			{"IsSixSyncsWhenTheCacheSpills", []string{"_pragma=cache_size(5)"},
				"writes, 6 syncs, 0 truncations, 1 deletions, a writer's lock"},
			// The header of the WAL is synchronized, and each commit. The lock that a writer
			// has is in the index of the WAL.
			{"IsThreeSyncsWithWAL", []string{"_pragma=journal_mode(wal)", "_pragma=wal_autocheckpoint(0)"},
				"writes, 3 syncs, 0 truncations, 0 deletions, no lock above SHARED"},
		} {
			t.Run(fmt.Sprintf("%s/%d", test.claim, n), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "data.db")
				db := connect(t, path, append(test.settings, "vfs=TestCost")...)
				if got := cost(t, s, db); got != test.upgrade {
					t.Errorf("of a new database: got %s, want %s", got, test.upgrade)
				}
				db.Close()
				db = connect(t, path, append(test.settings, "vfs=TestCost")...)
				if got, want := cost(t, s, db), "no writes, 0 syncs, 0 truncations, 0 deletions, no lock above SHARED"; got != want {
					t.Errorf("of a database at head: got %s, want %s", got, want)
				}
			})
		}
	}
}

// TestWatchOnlyReads has Watch look at a database that another connection writes to.
func TestWatchOnlyReads(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run(journal, func(t *testing.T) {
			disk, unregister := faultvfs.Register("TestWatchOnlyReads")
			defer unregister()
			path := fileAt(t, shop, 1, "_pragma=journal_mode("+journal+")")
			db, other := connect(t, path, "vfs=TestWatchOnlyReads"), connect(t, path, "_pragma=busy_timeout(10000)", unsynced)
			ctx, end := context.WithCancel(t.Context())
			said := make(chan error)
			s := schema(t, shop, 1)
			go func() { said <- lockstep.Watch(ctx, db, s, lockstep.WithInterval(time.Millisecond)) }()
			for range 3 {
				before := disk.Counts()[faultvfs.Read]
				if _, err := other.Exec("UPDATE orders SET total = total + 1"); err != nil {
					t.Fatal(err)
				}
				for disk.Counts()[faultvfs.Read] == before {
					time.Sleep(time.Millisecond)
				}
			}
			n, lock := disk.Counts(), disk.Lock()
			if n[faultvfs.Write]+n[faultvfs.Sync]+n[faultvfs.Truncate]+n[faultvfs.Delete] > 0 || lock > vfs.LOCK_SHARED {
				t.Errorf("writes %v, or takes lock %v", n, lock)
			}
			end()
			if err := <-said; err != nil {
				t.Error(err)
			}
		})
	}
}
