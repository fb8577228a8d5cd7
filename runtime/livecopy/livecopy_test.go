package livecopy_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"

	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

var journals = []string{"delete", "wal"}

func TestCopy(t *testing.T) {
	for _, journal := range journals {
		t.Run("HasAllRowsAndThePermissions/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 3000)
			if err := os.Chmod(file, 0o640); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "a copy")
			if err := livecopy.Copy(t.Context(), conn, path); err != nil {
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
				if err := livecopy.Copy(t.Context(), conn, path); err != nil {
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
			if err := livecopy.Copy(t.Context(), conn, path); err != nil {
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
	t.Run("OfAnEmptyFileIsAnEmptyDatabase", func(t *testing.T) {
		conn := connect(t, filepath.Join(t.TempDir(), "data.db"))
		path := filepath.Join(t.TempDir(), "copy")
		if err := livecopy.Copy(t.Context(), conn, path); err != nil {
			t.Fatal(err)
		}
		if got := query(t, connect(t, path), "SELECT count(*) FROM sqlite_schema"); got != "0\n" {
			t.Errorf("got %s", got)
		}
	})
	t.Run("LeavesAnExistingFileAlone", func(t *testing.T) {
		conn, _ := live(t, "delete", 10)
		path := filepath.Join(t.TempDir(), "copy")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		err := livecopy.Copy(t.Context(), conn, path)
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
		err := livecopy.Copy(ctx, conn, filepath.Join(dir, "copy"))
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
		ctx := &endsAfter{Context: t.Context(), looks: 2}
		if err := livecopy.Copy(ctx, conn, filepath.Join(dir, "copy")); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		if got := names(t, dir); got != "" {
			t.Errorf("left %s", got)
		}
	})
	t.Run("RefusesWhatIsNotInAPlainFile", func(t *testing.T) {
		for _, test := range []struct{ name, want string }{
			{":memory:", "the database is in memory"},
			{"", "the database is in memory"},
			{"file:/x?vfs=memdb", `the database is in the VFS "memdb"; want the default one, which keeps it in a plain file`},
		} {
			dir := t.TempDir()
			err := livecopy.Copy(t.Context(), connect(t, test.name), filepath.Join(dir, "copy"))
			if got := fmt.Sprint(err); got != test.want {
				t.Errorf("%s: got %s, want %s", test.name, got, test.want)
			}
			if got := names(t, dir); got != "" {
				t.Errorf("left %s", got)
			}
		}
	})
}

// endsAfter is a context that ends when somebody has looked at it so often.
type endsAfter struct {
	context.Context
	mu    sync.Mutex
	looks int
}

func (e *endsAfter) Err() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.looks--; e.looks < 0 {
		return context.Canceled
	}
	return nil
}

func TestReplace(t *testing.T) {
	for _, journal := range journals {
		t.Run("PutsTheCopyInPlaceAndKeepsTheSettings/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 3000)
			other := connect(t, file)
			query(t, other, "SELECT count(*) FROM t") // it has parsed the schema
			run(t, conn, "PRAGMA busy_timeout = 1234")
			before := settings(t, conn)
			path, want := changed(t, conn)
			seen, err := livecopy.ReadVersion(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if err := livecopy.ReplaceIf(t.Context(), conn, path, seen); err != nil {
				t.Fatal(err)
			}
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			for _, c := range []*sqlite3.Conn{conn, other} {
				if got := query(t, c, "SELECT * FROM added"); got != "1\n" {
					t.Errorf("got %s", got)
				}
			}
			run(t, other, "INSERT INTO added VALUES (2); DELETE FROM added WHERE a = 2") // the lock is gone
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := query(t, conn, "PRAGMA journal_mode"); got != journal+"\n" {
				t.Errorf("got journal mode %s", got)
			}
		})
		t.Run("DoesNothingWhenSomebodyHasWritten/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			path, _ := changed(t, conn)
			seen, err := livecopy.ReadVersion(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			run(t, connect(t, file), "INSERT INTO t VALUES (100, 'of somebody else')")
			want := contents(t, file)
			if err := livecopy.ReplaceIf(t.Context(), conn, path, seen); !errors.Is(err, livecopy.ErrChanged) {
				t.Errorf("got %v, want %v", err, livecopy.ErrChanged)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			run(t, connect(t, file), "INSERT INTO t VALUES (101, 'the lock is gone')")
		})
		t.Run("WaitsForAWriterUntilTheContextEnds/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			path, _ := changed(t, conn)
			want := contents(t, file)
			other := connect(t, file)
			run(t, other, "BEGIN IMMEDIATE")
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := livecopy.Replace(ctx, conn, path); !errors.Is(err, sqlite3.BUSY) {
				t.Errorf("got %v, want BUSY", err)
			}
			run(t, other, "COMMIT")
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			run(t, other, "INSERT INTO t VALUES (101, 'the lock is gone')")
			if err := livecopy.Replace(t.Context(), conn, path); err != nil {
				t.Error(err)
			}
		})
		t.Run("EndsATransactionThatHasNotWritten/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			path, want := changed(t, conn)
			run(t, conn, "BEGIN IMMEDIATE")
			seen, err := livecopy.ReadVersion(t.Context(), conn)
			if err != nil {
				t.Fatal(err)
			}
			if err := livecopy.ReplaceIf(t.Context(), conn, path, seen); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			run(t, connect(t, file), "INSERT INTO t VALUES (101, 'the lock is gone')")
		})
		t.Run("ShowsReadersOldOrNew/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 2000)
			path, _ := changed(t, conn)
			back := filepath.Join(t.TempDir(), "back")
			if err := livecopy.Copy(t.Context(), conn, back); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			var readers sync.WaitGroup
			for range 2 {
				reader := connect(t, file)
				run(t, reader, "PRAGMA busy_timeout = 10000")
				readers.Go(func() {
					for ctx.Err() == nil {
						got := query(t, reader, `SELECT (SELECT count(*) FROM sqlite_schema WHERE name = 'added'), count(*), sum(length(b)) FROM t`)
						if got != "0|2000|400000\n" && got != "1|2000|402000\n" {
							t.Errorf("a reader saw %s", got)
						}
					}
				})
			}
			for i := range 6 {
				if err := livecopy.Replace(ctx, conn, []string{path, back}[i%2]); err != nil {
					t.Error(err)
				}
			}
			cancel()
			readers.Wait()
		})
		t.Run("LosesNoCommit/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			dir := t.TempDir()
			stop := write(t, file)
			begun := query(t, conn, "SELECT count(*) FROM t")
			replaced := 0
			for i := 0; replaced < 2; i++ { // the writer tires
				seen, err := livecopy.ReadVersion(t.Context(), conn)
				path := filepath.Join(dir, fmt.Sprint(i))
				if err == nil {
					err = livecopy.Copy(t.Context(), conn, path)
				}
				if err == nil {
					err = livecopy.ReplaceIf(t.Context(), conn, path, seen)
				}
				if err == nil {
					replaced++
				} else if !errors.Is(err, livecopy.ErrChanged) {
					t.Fatal(err)
				}
			}
			written := stop()
			if got, want := query(t, connect(t, file), "SELECT count(*), max(n) FROM written"), fmt.Sprintf("%d|%[1]d\n", written); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := query(t, conn, "SELECT count(*) FROM t"); got != begun {
				t.Errorf("got %s, want %s", got, begun)
			}
		})
		t.Run("HoldsTheLockFromTheCopyOn/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			other := connect(t, file)
			dir := t.TempDir()
			hold := func() *livecopy.Lock {
				t.Helper()
				run(t, conn, "BEGIN IMMEDIATE")
				lock, err := livecopy.Hold(t.Context(), conn, filepath.Join(t.TempDir(), "scratch"))
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
			if err := livecopy.Copy(t.Context(), conn, path); err != nil {
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
		t.Run("HoldLosesNoCommit/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			stop := write(t, file)
			for replaced := 0; replaced < 3; { // the writer tires
				dir := t.TempDir()
				err := conn.Exec("BEGIN IMMEDIATE")
				var lock *livecopy.Lock
				if err == nil {
					lock, err = livecopy.Hold(t.Context(), conn, filepath.Join(dir, "scratch"))
				}
				if errors.Is(err, livecopy.ErrChanged) || errors.Is(err, sqlite3.BUSY) {
					continue
				}
				if err == nil {
					err = livecopy.Copy(t.Context(), conn, filepath.Join(dir, "copy"))
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
		t.Run("LeavesTheContentWhenTheCopyIsNotADatabase/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			want := contents(t, file)
			path := filepath.Join(t.TempDir(), "copy")
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := livecopy.Replace(t.Context(), conn, path); !errors.Is(err, sqlite3.NOTADB) {
				t.Errorf("got %v, want NOTADB", err)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
		})
		t.Run("TakesACopyInWALMode/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			path, want := changed(t, conn)
			run(t, connect(t, path), "PRAGMA journal_mode = wal")
			if err := livecopy.Replace(t.Context(), conn, path); err != nil {
				t.Fatal(err)
			}
			other := connect(t, file)
			run(t, other, "INSERT INTO t VALUES (101, ''); DELETE FROM t WHERE a = 101")
			if got := query(t, conn, "PRAGMA journal_mode"); got != journal+"\n" {
				t.Errorf("got journal mode %s", got)
			}
			run(t, conn, "INSERT INTO t VALUES (101, ''); DELETE FROM t WHERE a = 101")
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
		t.Run("FillsAnEmptyDatabase/"+journal, func(t *testing.T) {
			conn, _ := live(t, "delete", 10)
			path, want := changed(t, conn)
			file := filepath.Join(t.TempDir(), "data.db")
			empty := connect(t, file)
			run(t, empty, "PRAGMA journal_mode = "+journal)
			if err := livecopy.Replace(t.Context(), empty, path); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
	t.Run("ChangesThePageSizeWithARollbackJournal", func(t *testing.T) {
		for _, size := range []int{512, 16384} {
			conn, file := live(t, "delete", 3000)
			path, want := changed(t, conn)
			run(t, connect(t, path), fmt.Sprintf("PRAGMA page_size = %d; VACUUM", size))
			if err := livecopy.Replace(t.Context(), conn, path); err != nil {
				t.Fatal(err)
			}
			if got := query(t, conn, "PRAGMA page_size") + query(t, connect(t, file), "PRAGMA page_size"); got != fmt.Sprintf("%d\n%d\n", size, size) {
				t.Errorf("got page sizes %s", got)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		}
	})
	t.Run("RefusesToChangeThePageSizeOfAWAL", func(t *testing.T) {
		conn, file := live(t, "wal", 10)
		path, _ := changed(t, conn)
		want := contents(t, file)
		run(t, connect(t, path), "PRAGMA page_size = 8192; VACUUM")
		err := livecopy.Replace(t.Context(), conn, path)
		if text := "page size cannot change in WAL mode: 4096 bytes, and 8192 in " + path; !errors.Is(err, livecopy.ErrPageSize) || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
		if got := contents(t, file); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	// With a rollback journal, a reader has to be waited for: the file changes under it.
	t.Run("WaitsForAReaderUntilTheContextEnds", func(t *testing.T) {
		for _, begin := range []string{"", "BEGIN", "BEGIN IMMEDIATE"} {
			conn, file := live(t, "delete", 10)
			before := settings(t, conn)
			path, _ := changed(t, conn)
			want := contents(t, file)
			reader := connect(t, file)
			run(t, reader, "BEGIN; SELECT count(*) FROM t")
			run(t, conn, begin+"; SELECT count(*) FROM t")
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := livecopy.Replace(ctx, conn, path); !errors.Is(err, sqlite3.BUSY) {
				t.Errorf("got %v, want BUSY", err)
			}
			run(t, reader, "SELECT count(*) FROM t; COMMIT")
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if got := settings(t, conn); got != before {
				t.Errorf("got %s, want %s", got, before)
			}
			run(t, reader, "INSERT INTO t VALUES (101, 'the lock is gone')")
		}
	})
	t.Run("HoldNeedsTheLock", func(t *testing.T) {
		conn, _ := live(t, "wal", 10)
		run(t, conn, "BEGIN; SELECT count(*) FROM t")
		_, err := livecopy.Hold(t.Context(), conn, filepath.Join(t.TempDir(), "scratch"))
		if got, want := fmt.Sprint(err), "the connection does not hold the lock for writing"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("LetsAReaderOfAWALFinish", func(t *testing.T) {
		conn, file := live(t, "wal", 10)
		path, want := changed(t, conn)
		reader := connect(t, file)
		run(t, reader, "BEGIN")
		old := query(t, reader, "SELECT name FROM sqlite_schema")
		if err := livecopy.Replace(t.Context(), conn, path); err != nil {
			t.Fatal(err)
		}
		if got := query(t, reader, "SELECT name FROM sqlite_schema"); got != old {
			t.Errorf("got %s, want %s", got, old)
		}
		run(t, reader, "COMMIT")
		if got := contents(t, file); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
	t.Run("KeepsLockingModeExclusive", func(t *testing.T) {
		conn, file := live(t, "delete", 10)
		path, want := changed(t, conn)
		run(t, conn, "PRAGMA locking_mode = exclusive; SELECT count(*) FROM t")
		if err := livecopy.Replace(t.Context(), conn, path); err != nil {
			t.Fatal(err)
		}
		if got := query(t, conn, "PRAGMA locking_mode"); got != "exclusive\n" {
			t.Errorf("got locking mode %s", got)
		}
		conn.Close()
		if got := contents(t, file); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

// live makes a database with n rows, and returns a connection to it.
func live(t *testing.T, journal string, n int) (conn *sqlite3.Conn, file string) {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "live.db")
	conn = connect(t, file)
	run(t, conn, "PRAGMA journal_mode = "+journal)
	run(t, conn, fmt.Sprintf(`CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO t SELECT i, hex(zeroblob(100)) FROM n;
CREATE TABLE written (n INTEGER PRIMARY KEY)`, n))
	return conn, file
}

// changed makes a copy of a database and changes it. It returns what is in it then.
func changed(t *testing.T, conn *sqlite3.Conn) (path, holds string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "copy")
	if err := livecopy.Copy(t.Context(), conn, path); err != nil {
		t.Fatal(err)
	}
	run(t, connect(t, path), "PRAGMA journal_mode = delete; CREATE TABLE added (a); INSERT INTO added VALUES (1); UPDATE t SET b = b || '!'")
	return path, contents(t, path)
}

// write has somebody write to the file, one row after the other, with longer and
// longer pauses. stop ends that, and returns how many there are.
func write(t *testing.T, file string) (stop func() (written int)) {
	t.Helper()
	conn := connect(t, file)
	run(t, conn, "PRAGMA synchronous = off; PRAGMA busy_timeout = 10000; INSERT INTO written VALUES (1)")
	ended, done := make(chan struct{}), make(chan struct{})
	n := 1
	go func() {
		defer close(done)
		for {
			select {
			case <-ended:
				return
			default:
			}
			if err := conn.Exec(fmt.Sprintf("INSERT INTO written VALUES (%d)", n+1)); err != nil {
				t.Error(err)
				return
			}
			n++
			time.Sleep(rand.N(time.Duration(n) * time.Millisecond))
		}
	}()
	return func() int {
		close(ended)
		<-done
		return n
	}
}

func connect(t *testing.T, name string) *sqlite3.Conn {
	t.Helper()
	conn, err := sqlite3.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func run(t *testing.T, conn *sqlite3.Conn, q string) {
	t.Helper()
	if err := conn.Exec(q); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// query returns the rows of a query, a line for each.
func query(t *testing.T, conn *sqlite3.Conn, q string) string {
	t.Helper()
	s, _, err := conn.Prepare(q)
	if err != nil {
		t.Errorf("%s: %v", q, err)
		return ""
	}
	var b strings.Builder
	for s.Step() {
		for i := range s.ColumnCount() {
			if i > 0 {
				b.WriteString("|")
			}
			b.WriteString(s.ColumnText(i))
		}
		b.WriteString("\n")
	}
	if err := errors.Join(s.Err(), s.Close()); err != nil {
		t.Errorf("%s: %v", q, err)
	}
	return b.String()
}

// contents returns what is in a database.
func contents(t *testing.T, file string) string {
	t.Helper()
	conn := connect(t, file)
	defer conn.Close()
	s := query(t, conn, "PRAGMA integrity_check") + query(t, conn, "SELECT name, sql FROM sqlite_schema ORDER BY name")
	for name := range strings.Lines(query(t, conn, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")) {
		s += name + query(t, conn, "SELECT count(*), * FROM "+strings.TrimSpace(name)+" GROUP BY 2")
	}
	return s
}

// settings returns what is to be seen of the state of a connection.
func settings(t *testing.T, conn *sqlite3.Conn) string {
	t.Helper()
	s := fmt.Sprintf("autocommit %v, interrupted %v\n", conn.GetAutocommit(), conn.GetInterrupt().Err())
	for _, name := range []string{"locking_mode", "busy_timeout", "synchronous", "foreign_keys", "page_size", "cache_size"} {
		s += name + " " + query(t, conn, "PRAGMA "+name)
	}
	return s
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}
