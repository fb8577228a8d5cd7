package lockstep_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/faultvfs"
)

// TestBackupOnFailingDisk lets each operation fail in turn of an upgrade that makes
// a backup: what has the name of a backup is the old database whole, nothing else is
// left, and an upgrade without a backup has not run.
func TestBackupOnFailingDisk(t *testing.T) {
	disk, unregister := faultvfs.Register(t.Name())
	t.Cleanup(unregister)
	s := schema(t, shop, 5)
	settings := []string{"vfs=" + t.Name(), "_pragma=busy_timeout(0)"}
	path := fileAt(t, shop, 3)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	old, updated := contents(t, path), contents(t, fileAt(t, shop, 5))

	// try upgrades the old database in a folder of its own, and returns whether it
	// got as far as to have a backup.
	try := func(t *testing.T, what string, fail func()) (saved bool) {
		t.Helper()
		path := filepath.Join(t.TempDir(), "data.db")
		if err := os.WriteFile(path, file, 0o666); err != nil {
			t.Fatal(err)
		}
		disk.Heal()
		fail()
		db := connect(t, path, settings...)
		err := lockstep.Migrate(t.Context(), db, s, lockstep.WithBackup(1))
		db.Close()
		disk.Heal()

		got := contents(t, path)
		if got != old && got != updated {
			t.Errorf("%s: after %v the database is neither old nor new", what, err)
		}
		backups, _ := lockstep.Backups(path)
		for _, b := range backups {
			saved = true
			if contents(t, b.Path) != old {
				t.Errorf("%s: after %v the backup is not the old database", what, err)
			}
		}
		switch {
		case !saved && (err == nil || got != old):
			t.Errorf("%s: got %v and no backup", what, err)
		case saved && errors.Is(err, lockstep.ErrBackup):
			t.Errorf("%s: got %v and a backup", what, err)
		case saved && err != nil && !strings.HasSuffix(strings.SplitN(err.Error(), ".backup", 2)[0], strings.TrimSuffix(backups[0].Path, ".backup")):
			t.Errorf("%s: %v does not name the backup", what, err)
		}
		if parts, _ := filepath.Glob(path + ".*-part"); len(parts) > 0 {
			t.Errorf("%s: after %v there is %v", what, err, parts)
		}
		return saved
	}
	try(t, "nothing fails", func() {})
	full := func(room int64) func() { return func() { disk.Fill(room) } }

	for _, code := range []sqlite3.ErrorCode{sqlite3.IOERR, sqlite3.FULL} {
		t.Run(fmt.Sprintf("LeavesTheOldDatabaseOrItsBackup/%d", code), func(t *testing.T) {
			without, with := 0, 0
			step := 7
			if *long {
				step = 1
			}
			for at := 1; ; at += step {
				fault := faultvfs.Fault{Ops: faultvfs.Changes, At: at, Lasting: true, Code: code}
				failed := 0
				if try(t, fmt.Sprintf("from operation %d all fail", at), func() { disk.Fail(fault) }) {
					with++
				} else {
					without++
				}
				if failed = with; failed > 3 {
					break
				}
			}
			if without < 3 {
				t.Errorf("the backup could not be made %d times; want more", without)
			}
		})
	}
	t.Run("LeavesTheOldDatabaseWhereTheDiskIsFull", func(t *testing.T) {
		const unit = 6000
		for n := int64(0); ; n++ {
			if try(t, fmt.Sprintf("there is room for %d bytes", n*unit), full(n*unit)) {
				if n < 3 {
					t.Errorf("a backup fits into %d bytes", n*unit)
				}
				break
			}
		}
	})
}

func TestBackupByProcesses(t *testing.T) {
	s := schema(t, shop, 5)
	old := contents(t, fileAt(t, shop, 2))
	t.Run("IsMadeOnceThoughSixteenStartAtOnce", func(t *testing.T) {
		path := fileAt(t, shop, 2)
		p := newProgram(t, s, dsn(path, "_pragma=busy_timeout(0)"))
		p.Keep = 20
		started, release := p.start(t, 16)
		release()
		for i, p := range started {
			if err := p.Wait(); err != nil {
				t.Errorf("program %d: %v: %s", i, err, &p.Stderr)
			}
		}
		backups, err := lockstep.Backups(path)
		if err != nil || len(backups) != 1 {
			t.Fatalf("got %v, %v; want one backup", backups, err)
		}
		if contents(t, backups[0].Path) != old {
			t.Error("the backup is not the old database")
		}
	})
	t.Run("IsWholeThoughProgramsAreKilled", func(t *testing.T) {
		rounds := 6
		if *long {
			rounds = 100
		}
		path := fileAt(t, shop, 2)
		p := newProgram(t, s, dsn(path))
		p.Keep = 100
		for range rounds {
			started, release := p.start(t, 1)
			release()
			time.Sleep(rand.N(40 * time.Millisecond))
			started[0].Process.Kill()
			started[0].Wait()
		}
		started, release := p.start(t, 1)
		release()
		if err := started[0].Wait(); err != nil {
			t.Fatalf("%v: %s", err, &started[0].Stderr)
		}
		entries, err := os.ReadDir(filepath.Dir(path))
		if err != nil {
			t.Fatal(err)
		}
		backups, _ := lockstep.Backups(path)
		if len(entries) != 1+len(backups) || len(backups) == 0 {
			t.Errorf("got files %v", entries)
		}
		for _, b := range backups {
			if contents(t, b.Path) != old {
				t.Errorf("%s is not the old database", b.Path)
			}
		}
	})
}
