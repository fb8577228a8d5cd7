package lockstep_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
)

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
