package database_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/examples/lostrows/migrations"
	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

// account makes a database of two balances that always add up to 100, and a counter
// of the transactions between them.
func account(t *testing.T, journal string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "data.db")
	runOn(t, path, "PRAGMA journal_mode = "+journal, "CREATE TABLE a (balance)", "CREATE TABLE b (balance, moves)",
		"CREATE TABLE ballast AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, hex(zeroblob(500)) FROM n",
		"INSERT INTO a VALUES (50)", "INSERT INTO b VALUES (50, 0)")
	return path
}

func runOn(t *testing.T, path string, stmts ...string) {
	t.Helper()
	db := openOther(t, path)
	defer db.Close()
	for _, stmt := range stmts {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
	}
}

// openOther opens a pool of one connection, as another program would.
func openOther(t *testing.T, path string) *sql.DB {
	t.Helper()
	uri := "file:" + filepath.ToSlash(path) + "?_pragma=busy_timeout(20000)&_pragma=synchronous(0)&_txlock=immediate"
	db, err := driver.Open(uri)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	return db
}

// balances returns "SUM MOVES INTEGRITY" of a database.
func balances(db *sql.DB) (sum, moves int, err error) {
	err = db.QueryRow("SELECT a.balance + b.balance, moves FROM a, b").Scan(&sum, &moves)
	return sum, moves, err
}

// A mover is a program that writes to a database until it is stopped.
type mover struct {
	done    chan struct{}
	stopped sync.WaitGroup
	seen    map[int]bool // numbers of the moves that were committed
}

func startMover(t *testing.T, path string) *mover {
	m := &mover{done: make(chan struct{}), seen: make(map[int]bool)}
	db := openOther(t, path)
	m.stopped.Go(func() {
		for n := 1; ; n++ {
			select {
			case <-m.done:
				return
			default:
			}
			moves, err := once(db, n%7)
			if err != nil {
				t.Errorf("move %d: %v", n, err)
				return
			}
			m.seen[moves] = true
			time.Sleep(time.Millisecond) // others want the lock, too
		}
	})
	return m
}

// once moves an amount, in two statements of one transaction.
func once(db *sql.DB, amount int) (moves int, err error) {
	tx, err := db.Begin()
	if err != nil {
		return 0, err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE a SET balance = balance - ?", amount); err != nil {
		return 0, err
	}
	if err := tx.QueryRow("UPDATE b SET balance = balance + ?, moves = moves + 1 RETURNING moves", amount).Scan(&moves); err != nil {
		return 0, err
	}
	return moves, tx.Commit()
}

func (m *mover) stop() {
	close(m.done)
	m.stopped.Wait()
}

func backUp(ctx context.Context, path, to string) (*database.Backup, error) {
	db, err := database.Open(path)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	return db.Backup(ctx, to, false, time.Minute)
}

func TestBackup(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("IsOfOneMomentWhileOthersWrite/"+journal, func(t *testing.T) {
			path := account(t, journal)
			m := startMover(t, path)
			last := -1
			for range 5 {
				b, err := backUp(t.Context(), path, "")
				if err != nil {
					t.Fatal(err)
				}
				db := openOther(t, b.Path)
				sum, moves, err := balances(db)
				if err != nil || sum != 100 || moves < last {
					t.Errorf("got sum %d after %d moves, %v; want 100 after %d or more", sum, moves, err, last)
				}
				last = moves
				db.Close()
			}
			m.stop()
		})
	}
	t.Run("LeavesNothingWhenItIsInterrupted", func(t *testing.T) {
		path := account(t, "delete")
		runOn(t, path, "CREATE TABLE large AS SELECT zeroblob(30000000)")
		dir := filepath.Dir(path)
		interrupted := 0
		for range 20 {
			ctx, cancel := context.WithCancel(t.Context())
			finished := make(chan struct{})
			var watcher sync.WaitGroup
			watcher.Go(func() {
				for {
					select {
					case <-finished:
						return
					default:
					}
					if parts, _ := filepath.Glob(path + ".*-part"); len(parts) > 0 {
						cancel()
						return
					}
				}
			})
			_, err := backUp(ctx, path, "")
			close(finished)
			watcher.Wait()
			cancel()
			if err == nil {
				continue
			}
			interrupted++
			want := path + ": backup failed: context canceled: context canceled"
			if err.Error() != want || !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want %s", err, want)
			}
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				if strings.Contains(e.Name(), "part") {
					t.Errorf("%s is left", e.Name())
				}
			}
			if interrupted == 3 {
				break
			}
		}
		if interrupted == 0 {
			t.Error("no backup was interrupted")
		}
	})
}

func TestRestore(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("ShowsOldOrNewToOthersAndLosesNoCommit/"+journal, func(t *testing.T) {
			path := account(t, journal)
			other := filepath.Join(t.TempDir(), "other.backup")
			b, err := backUp(t.Context(), path, other)
			if err != nil {
				t.Fatal(err)
			}
			runOn(t, other, "UPDATE a SET balance = 400", "UPDATE b SET balance = 600, moves = 1000000")

			m := startMover(t, path)
			stop := make(chan struct{})
			var readers sync.WaitGroup
			readers.Go(func() {
				db := openOther(t, path)
				for {
					select {
					case <-stop:
						return
					default:
					}
					if sum, moves, err := balances(db); err != nil || sum != 100 && moves < 1000000 || sum != 1000 && moves >= 1000000 {
						t.Errorf("a reader saw the sum %d after %d moves, %v", sum, moves, err)
						return
					}
				}
			})
			time.Sleep(20 * time.Millisecond)
			restored, err := database.Restore(t.Context(), database.Restoration{DB: path, Backup: b.Path, Timeout: time.Minute})
			time.Sleep(20 * time.Millisecond)
			m.stop()
			close(stop)
			readers.Wait()
			if err != nil {
				t.Fatal(err)
			}

			// All that was committed is in what was kept, or came after.
			kept := openOther(t, restored.Backup)
			sum, moves, err := balances(kept)
			if err != nil || sum != 100 {
				t.Errorf("what was kept has the sum %d, %v", sum, err)
			}
			for n := range m.seen {
				if n > moves && n < 1000000 {
					t.Errorf("move %d was committed and is lost: %d were kept", n, moves)
				}
			}
			if sum, _, err := balances(openOther(t, path)); err != nil || sum != 1000 {
				t.Errorf("the restored database has the sum %d, %v", sum, err)
			}
			entries, _ := os.ReadDir(filepath.Dir(path))
			for _, e := range entries {
				if strings.Contains(e.Name(), "part") {
					t.Errorf("%s is left", e.Name())
				}
			}
		})
	}
}

// TestRestoreIsSeen restores a database under a program of a newer version.
func TestRestoreIsSeen(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("ByWatchAndCheckTx/"+journal, func(t *testing.T) {
			ctx, path := t.Context(), filepath.Join(t.TempDir(), "data.db")
			db := openOther(t, path)
			before, err := migrations.Schema.At(2)
			if err == nil {
				_, err = db.Exec("PRAGMA journal_mode = " + journal)
			}
			if err == nil {
				err = lockstep.Migrate(ctx, db, before)
			}
			if err != nil {
				t.Fatal(err)
			}
			b, err := backUp(ctx, path, path+".backup")
			if err == nil {
				err = migrations.Migrate(ctx, db)
			}
			if err != nil {
				t.Fatal(err)
			}
			said := make(chan error)
			go func() { said <- migrations.Watch(ctx, db, lockstep.WithInterval(time.Millisecond)) }()
			if _, err = database.Restore(ctx, database.Restoration{DB: path, Backup: b.Path, Timeout: time.Minute}); err != nil {
				t.Fatal(err)
			}
			if err := <-said; !errors.Is(err, lockstep.ErrBehind) {
				t.Errorf("Watch: got %v, want ErrBehind", err)
			}
			tx, err := db.BeginTx(ctx, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer tx.Rollback()
			if err := migrations.CheckTx(ctx, tx); !errors.Is(err, lockstep.ErrBehind) {
				t.Errorf("CheckTx: got %v, want ErrBehind", err)
			}
		})
	}
}
