package livecopy_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/livecopy"
)

func TestReplace(t *testing.T) {
	for _, journal := range journals {
		t.Run("PutsTheCopyInPlaceAndKeepsTheSettings/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 3000)
			other := connect(t, file)
			query(t, other, "SELECT count(*) FROM t") // it has parsed the schema
			run(t, conn, "PRAGMA busy_timeout = 1234")
			before := settings(t, conn)
			path, want := changed(t, conn)
			if err := replace(t.Context(), conn, path); err != nil {
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
		t.Run("EndsATransactionThatHasNotWritten/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			path, want := changed(t, conn)
			run(t, conn, "BEGIN IMMEDIATE")
			if err := replace(t.Context(), conn, path); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			run(t, connect(t, file), "INSERT INTO t VALUES (101, 'the lock is gone')")
		})
	}
}

func TestReplaceWithAnyCopy(t *testing.T) {
	for _, journal := range journals {
		t.Run("LeavesTheContentWhenTheCopyIsNotADatabase/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			want := contents(t, file)
			path := filepath.Join(t.TempDir(), "copy")
			if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := replace(t.Context(), conn, path); !errors.Is(err, sqlite3.NOTADB) {
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
			if err := replace(t.Context(), conn, path); err != nil {
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
			if err := replace(t.Context(), empty, path); err != nil {
				t.Fatal(err)
			}
			if got := contents(t, file); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	}
}

func TestReplaceAndThePageSize(t *testing.T) {
	t.Run("ChangesThePageSizeWithARollbackJournal", func(t *testing.T) {
		for _, size := range []int{512, 16384} {
			conn, file := live(t, "delete", 3000)
			path, want := changed(t, conn)
			run(t, connect(t, path), fmt.Sprintf("PRAGMA page_size = %d; VACUUM", size))
			if err := replace(t.Context(), conn, path); err != nil {
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
		err := replace(t.Context(), conn, path)
		if text := "page size cannot change in WAL mode: 4096 bytes, and 8192 in " + path; !errors.Is(err, livecopy.ErrPageSize) || err.Error() != text {
			t.Errorf("got %v, want %s", err, text)
		}
		if got := contents(t, file); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestReplaceAndAWriter(t *testing.T) {
	for _, journal := range journals {
		t.Run("WaitsForAWriterUntilTheContextEnds/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 10)
			before := settings(t, conn)
			path, _ := changed(t, conn)
			want := contents(t, file)
			other := connect(t, file)
			run(t, other, "BEGIN IMMEDIATE")
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			if err := replace(ctx, conn, path); !errors.Is(err, sqlite3.BUSY) {
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
			if err := replace(t.Context(), conn, path); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestReplaceAndAReader(t *testing.T) {
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
			if err := replace(ctx, conn, path); !errors.Is(err, sqlite3.BUSY) {
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
	t.Run("LetsAReaderOfAWALFinish", func(t *testing.T) {
		conn, file := live(t, "wal", 10)
		path, want := changed(t, conn)
		reader := connect(t, file)
		run(t, reader, "BEGIN")
		old := query(t, reader, "SELECT name FROM sqlite_schema")
		if err := replace(t.Context(), conn, path); err != nil {
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
	t.Run("DoesNothingWhenSomebodyHasWrittenMeanwhile", func(t *testing.T) {
		conn, file := live(t, "delete", 10)
		before := settings(t, conn)
		path, _ := changed(t, conn)
		reader := connect(t, file)
		run(t, reader, "BEGIN; SELECT count(*) FROM t")
		lock, err := livecopy.Hold(t.Context(), conn, path)
		if err != nil {
			t.Fatal(err)
		}
		defer lock.Release()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if err := lock.Replace(ctx, path); !errors.Is(err, sqlite3.BUSY) {
			t.Errorf("got %v, want BUSY", err)
		}
		run(t, reader, "COMMIT; INSERT INTO t VALUES (100, 'of somebody else')")
		want := contents(t, file)
		if err := lock.Replace(t.Context(), path); !errors.Is(err, livecopy.ErrChanged) {
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
}

func TestReplaceWhileOthersRun(t *testing.T) {
	for _, journal := range journals {
		t.Run("ShowsReadersOldOrNew/"+journal, func(t *testing.T) {
			conn, file := live(t, journal, 2000)
			path, _ := changed(t, conn)
			back := filepath.Join(t.TempDir(), "back")
			if err := livecopy.Copy(t.Context(), conn, back, time.Minute, nil); err != nil {
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
				if err := replace(ctx, conn, []string{path, back}[i%2]); err != nil {
					t.Error(err)
				}
			}
			cancel()
			readers.Wait()
		})
	}
}
