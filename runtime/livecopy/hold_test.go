package livecopy_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

func TestHold(t *testing.T) {
	for _, journal := range journals {
		t.Run("HoldsTheLockFromTheCopyOn/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			other := connect(t, file)
			dir := t.TempDir()
			hold := func() *livecopy.Lock {
				t.Helper()
				run(t, conn, "BEGIN IMMEDIATE")
				lock, err := livecopy.Hold(t.Context(), conn, empty(t))
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range []*sqlite3.Conn{conn, other} {
					if got := query(t, c, "SELECT count(*) FROM t"); got != "10\n" {
						t.Errorf("a reader sees %s", got)
					}
				}
				if err := other.Exec("INSERT INTO t VALUES (100, '')"); !errors.Is(err, sqlite3.BUSY) {
					t.Errorf("a writer got %v, want BUSY", err)
				}
				return lock
			}

			hold().Release()
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			run(t, other, "INSERT INTO t VALUES (100, 'the lock is gone'); DELETE FROM t WHERE a = 100")

			lock := hold()
			path := filepath.Join(dir, "copy")
			if err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil); err != nil {
				t.Fatal(err)
			}
			// Another file in the place of the copy.
			run(t, connect(t, path), "PRAGMA journal_mode = delete; CREATE TABLE added (a); VACUUM INTO '"+path+".new'")
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
			want := contents(t, path)
			if err := lock.Replace(t.Context(), path); err != nil {
				t.Fatal(err)
			}
			lock.Release() // of nothing
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			run(t, other, "INSERT INTO t VALUES (100, 'the lock is gone')")
		})
	}
	t.Run("HoldTakesTheLock", func(t *testing.T) {
		conn, file := live(t, "wal", 10)
		run(t, conn, "BEGIN; SELECT count(*) FROM t")
		lock, err := livecopy.Hold(t.Context(), conn, empty(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := connect(t, file).Exec("INSERT INTO t VALUES (100, '')"); !errors.Is(err, sqlite3.BUSY) {
			t.Errorf("a writer got %v, want BUSY", err)
		}
		lock.Release()
		run(t, connect(t, file), "INSERT INTO t VALUES (100, 'the lock is gone')")
	})
}

func TestHoldLosesNothing(t *testing.T) {
	for _, journal := range journals {
		t.Run("HoldLosesNoCommit/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			stop := write(t, file)
			for replaced := 0; replaced < 3; { // the writer tires
				dir := t.TempDir()
				lock, err := livecopy.Hold(t.Context(), conn, empty(t))
				if errors.Is(err, livecopy.ErrChanged) {
					continue
				}
				if err == nil {
					err = livecopy.Copy(t.Context(), conn, filepath.Join(dir, "copy"), time.Minute, nil)
				}
				if err == nil {
					err = lock.Replace(t.Context(), filepath.Join(dir, "copy"))
				}
				if err != nil {
					t.Error(err)
					break
				}
				replaced++
			}
			written := stop()
			if got, want := query(t, connect(t, file), "SELECT count(*), max(n) FROM written"), fmt.Sprintf("%d|%[1]d\n", written); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}
