package main

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
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

func TestBackup(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("IsOfOneMomentWhileOthersWrite/"+journal, func(t *testing.T) {
			path := account(t, journal)
			m := startMover(t, path)
			last := -1
			for range 5 {
				res, err := backup(t.Context(), &streams{}, path, "", time.Minute)
				if err != nil {
					t.Fatal(err)
				}
				db := openOther(t, res.(*backupResult).Backup)
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
			_, err := backup(ctx, &streams{}, path, "", time.Minute)
			close(finished)
			watcher.Wait()
			cancel()
			if err == nil {
				continue
			}
			interrupted++
			want := path + ": no backup could be made: context canceled: context canceled"
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

// An application's functions and collations are not known to the command.
func TestBackupOfApplicationsOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data.db")
	own := func(c *sqlite3.Conn) error {
		twice := func(ctx sqlite3.Context, arg ...sqlite3.Value) { ctx.ResultInt64(2 * arg[0].Int64()) }
		if err := c.CreateFunction("twice", 1, sqlite3.DETERMINISTIC|sqlite3.INNOCUOUS, twice); err != nil {
			return err
		}
		return c.CreateCollation("backwards", func(a, b []byte) int { return bytes.Compare(b, a) })
	}
	db, err := driver.Open("file:"+filepath.ToSlash(path), own)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stmt := range []string{
		"CREATE TABLE a (x TEXT COLLATE backwards)", "CREATE INDEX a_x ON a (x)", "INSERT INTO a VALUES ('a'), ('b')",
		"CREATE TABLE b (x)", "CREATE INDEX b_x ON b (twice(x))", "INSERT INTO b VALUES (1)",
		"CREATE TABLE c (x)",
	} {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
	}
	var stdout, stderr bytes.Buffer
	copied := filepath.Join(t.TempDir(), "copied.db")
	if code := run(t.Context(), []string{"backup", "--db", path, "--to", copied}, &stdout, &stderr); code != 0 {
		t.Errorf("got exit code %d", code)
	}
	want := "warning: " + path + ": copied, but not examined: table a: no such collation sequence: backwards\n" +
		"warning: " + path + ": copied, but not examined: table b: unknown function: twice()\n"
	if got := stderr.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if stdout.String() != copied+"\n" {
		t.Errorf("got %s", &stdout)
	}
	if _, err := db.Exec("DELETE FROM a"); err != nil {
		t.Fatal(err)
	}
	if code := run(t.Context(), []string{"restore", "--db", path, copied}, &stdout, &stderr); code != 0 {
		t.Errorf("got exit code %d: %s", code, &stderr)
	}
	var first, ok string
	if err := errors.Join(db.QueryRow("SELECT x FROM a ORDER BY x").Scan(&first), db.QueryRow("PRAGMA integrity_check").Scan(&ok)); err != nil || first+ok != "bok" {
		t.Errorf("got %s, %s, %v", first, ok, err)
	}
}

func TestRestore(t *testing.T) {
	for _, journal := range []string{"delete", "wal"} {
		t.Run("ShowsOldOrNewToOthersAndLosesNoCommit/"+journal, func(t *testing.T) {
			path := account(t, journal)
			other := filepath.Join(t.TempDir(), "other.backup")
			res, err := backup(t.Context(), &streams{}, path, other, time.Minute)
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
			r := &restoration{path: path, backup: res.(*backupResult).Backup, timeout: time.Minute}
			res, err = r.restore(t.Context(), &streams{})
			time.Sleep(20 * time.Millisecond)
			m.stop()
			close(stop)
			readers.Wait()
			if err != nil {
				t.Fatal(err)
			}

			// All that was committed is in what was kept, or came after.
			kept := openOther(t, res.(*restoreResult).Backup)
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
