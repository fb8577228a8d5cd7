package livecopy_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

func TestCopy(t *testing.T) {
	for _, journal := range journals {
		t.Run("HasAllRowsAndThePermissions/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 3000)
			if err := os.Chmod(file, 0o640); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "a copy")
			if err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, path); got != contents(t, file) {
				t.Errorf("got %s, want %s", got, contents(t, file))
			}
			if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
				t.Errorf("got %v, %v, want 0640", info.Mode(), err)
			}
			if got := names(t, filepath.Dir(path)); got != "a copy" {
				t.Errorf("got %s, want a copy", got)
			}
		})
		// The numbers of a writer are always as many as the last says.
		t.Run("IsOfOneMomentWhileOthersWrite/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 3000)
			stop := write(t, file)
			defer stop()
			for i := range 5 {
				path := filepath.Join(t.TempDir(), "copy")
				if err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil); err != nil {
					t.Fatal(err)
				}
				c := connect(t, path)
				got := query(t, c, "SELECT count(*) = max(n) FROM written") + query(t, c, "PRAGMA integrity_check")
				if want := "1\nok\n"; got != want {
					t.Errorf("copy %d: got %s, want %s", i, got, want)
				}
			}
		})
		t.Run("IsMadeWhileTheConnectionHoldsTheLock/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			run(t, conn, "BEGIN IMMEDIATE")
			path := filepath.Join(t.TempDir(), "copy")
			if err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil); err != nil {
				t.Fatal(err)
			}
			if err := connect(t, file).Exec("INSERT INTO t VALUES (1, '')"); !errors.Is(err, sqlite3.BUSY) {
				t.Errorf("got %v, want BUSY: the lock was lost", err)
			}
			run(t, conn, "ROLLBACK")
			if got := contents(t, path); got != contents(t, file) {
				t.Errorf("got %s, want %s", got, contents(t, file))
			}
		})
	}
}

func TestCopyHasNoJournal(t *testing.T) {
	conn, _ := live(t, "delete", 30000) // several steps
	dir := t.TempDir()
	seen := ""
	look := &looks{t.Context(), func() { seen += names(t, dir) + "\n" }}
	if err := livecopy.Copy(look, conn, filepath.Join(dir, "copy"), time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(seen, "copy\ncopy\n") || strings.Contains(seen, "journal") {
		t.Errorf("there were\n%s", seen)
	}
}

// looks is a context that calls a function when somebody looks at it.
type looks struct {
	context.Context
	look func()
}

func (l *looks) Err() error {
	l.look()
	return l.Context.Err()
}

func TestCopyOfOtherThanADatabase(t *testing.T) {
	t.Run("OfAnEmptyFileIsAnEmptyDatabase", func(t *testing.T) {
		conn := connect(t, filepath.Join(t.TempDir(), "data.db"))
		path := filepath.Join(t.TempDir(), "copy")
		if err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil); err != nil {
			t.Fatal(err)
		}
		if got := query(t, connect(t, path), "SELECT count(*) FROM sqlite_schema"); got != "0\n" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("RefusesWhatIsNotInAPlainFile", func(t *testing.T) {
		for _, test := range []struct{ name, want string }{
			{":memory:", "the database is in memory"},
			{"", "the database is in memory"},
			{"file:/x?vfs=memdb", `the database is in the VFS "memdb"; want the default one, which keeps it in a plain file`},
		} {
			dir := t.TempDir()
			err := livecopy.Copy(t.Context(), connect(t, test.name), filepath.Join(dir, "copy"), time.Minute, nil)
			if got := fmt.Sprint(err); got != test.want {
				t.Errorf("%s: got %s, want %s", test.name, got, test.want)
			}
			if got := names(t, dir); got != "" {
				t.Errorf("left %s", got)
			}
		}
	})
}

func TestCopyThatFails(t *testing.T) {
	t.Run("LeavesAnExistingFileAlone", func(t *testing.T) {
		conn, _ := live(t, "delete", 10)
		path := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := livecopy.Copy(t.Context(), conn, path, time.Minute, nil)
		if want := "open " + path + ": file exists"; !errors.Is(err, fs.ErrExist) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if text, _ := os.ReadFile(path); string(text) != "precious" {
			t.Errorf("the file is now %q", text)
		}
	})
	t.Run("LeavesNothingWhenTheDatabaseIsLocked", func(t *testing.T) {
		conn, file := live(t, "delete", 10)
		other := connect(t, file)
		run(t, other, "BEGIN EXCLUSIVE")
		dir := t.TempDir()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		err := livecopy.Copy(ctx, conn, filepath.Join(dir, "copy"), time.Minute, nil)
		if want := "sqlite3: database is locked"; !errors.Is(err, sqlite3.BUSY) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
		if got := names(t, dir); got != "" {
			t.Errorf("left %s", got)
		}
	})
	t.Run("LeavesNothingWhenTheContextEnds", func(t *testing.T) {
		conn, _ := live(t, "delete", 10)
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		n := 0
		look := &looks{ctx, func() {
			if n++; n > 2 {
				cancel()
			}
		}}
		if err := livecopy.Copy(look, conn, filepath.Join(dir, "copy"), time.Minute, nil); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if got := names(t, dir); got != "" {
			t.Errorf("left %s", got)
		}
	})
}
