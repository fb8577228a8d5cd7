package sqlite_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"testing"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// SQLite's checks list a page that cannot be read among the damaged ones.
func TestCheckOnFailingDisk(t *testing.T) {
	t.Run("TellsAReadThatFailsFromDamage", func(t *testing.T) {
		disk, unregister := faultvfs.Register(t.Name())
		t.Cleanup(unregister)
		db, err := sql.Open("sqlite3", "file:"+filepath.Join(t.TempDir(), "data.db")+"?vfs="+t.Name())
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		for _, q := range []string{
			"CREATE TABLE t (a); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO t SELECT zeroblob(500) FROM n",
			"PRAGMA shrink_memory",
		} {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		disk.Fail(faultvfs.Fault{Ops: faultvfs.Reads, At: 5, Code: sqlite3.IOERR})
		faults, _, err := sqlite.Full.Check(t.Context(), db, "main")
		if d := sqlite.Damage(""); disk.Failed() == 0 || err == nil || errors.As(err, &d) || sqlite.Code(err) != 10 {
			t.Errorf("got %v, %v after %d reads have failed", faults, err, disk.Failed())
		}
	})
}
