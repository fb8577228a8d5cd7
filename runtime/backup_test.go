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

// A backupOnDisk is an upgrade with a backup, on a disk that can fail.
type backupOnDisk struct {
	disk         *faultvfs.Disk
	vfs          string
	schema       *lockstep.Schema
	file         []byte // the old database
	old, updated string // contents
}

func newBackupOnDisk(t *testing.T) *backupOnDisk {
	t.Helper()
	disk, unregister := faultvfs.Register(t.Name())
	t.Cleanup(unregister)
	path := fileAt(t, shop, 3)
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return &backupOnDisk{disk, t.Name(), schema(t, shop, 5), file, contents(t, path), contents(t, fileAt(t, shop, 5))}
}

// try upgrades the old database in a new folder, and reports whether there is a backup. It
// fails the test unless what has the name of a backup is all of the old database, nothing
// else is left, and without a backup no upgrade has run.
func (b *backupOnDisk) try(t *testing.T, what string, fail func()) (saved bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	if err := os.WriteFile(path, b.file, 0o666); err != nil {
		t.Fatal(err)
	}
	b.disk.Heal()
	fail()
	db := connect(t, path, "vfs="+b.vfs, "_pragma=busy_timeout(0)")
	err := lockstep.Migrate(t.Context(), db, b.schema, lockstep.WithBackup(1))
	db.Close()
	b.disk.Heal()

	got := contents(t, path)
	if got != b.old && got != b.updated {
		t.Errorf("%s: after %v the database is neither old nor new", what, err)
	}
	backups, _ := lockstep.Backups(path)
	for _, backup := range backups {
		saved = true
		if contents(t, backup.Path) != b.old {
			t.Errorf("%s: after %v the backup is not the old database", what, err)
		}
	}
	switch {
	case !saved && (err == nil || got != b.old):
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

// TestProofBackupOnFailingDisk makes each operation of an upgrade with a backup fail in turn.
func TestProofBackupOnFailingDisk(t *testing.T) {
	b := newBackupOnDisk(t)
	b.try(t, "nothing fails", func() {})
	for _, code := range []sqlite3.ErrorCode{sqlite3.IOERR, sqlite3.FULL} {
		t.Run(fmt.Sprintf("LeavesTheOldDatabaseOrItsBackup/%d", code), func(t *testing.T) {
			without, with := 0, 0
			step := 7
			if *long {
				step = 1
			}
			for at := 1; ; at += step {
				fault := faultvfs.Fault{Ops: faultvfs.Changes, At: at, Lasting: true, Code: code}
				if b.try(t, fmt.Sprintf("from operation %d all fail", at), func() { b.disk.Fail(fault) }) {
					with++
				} else {
					without++
				}
				if with > 3 {
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
			if b.try(t, fmt.Sprintf("there is room for %d bytes", n*unit), func() { b.disk.Fill(n * unit) }) {
				if n < 3 {
					t.Errorf("a backup fits into %d bytes", n*unit)
				}
				break
			}
		}
	})
}

func TestProofBackupByProcesses(t *testing.T) {
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
