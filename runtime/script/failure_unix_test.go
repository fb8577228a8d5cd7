//go:build unix

package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
)

// half does half of what the script should do, and then something else.
const half = `import os, sqlite3, subprocess, sys, time
path = sys.argv[1]
db = sqlite3.connect(path)
db.execute("ALTER TABLE items ADD COLUMN cents INTEGER")
db.execute("UPDATE items SET cents = 1")
db.execute("DELETE FROM orders")
db.commit()
`

// whole does all of it.
const whole = `import os, sqlite3, subprocess, sys, time
path = sys.argv[1]
db = sqlite3.connect(path)
db.execute("ALTER TABLE items ADD COLUMN cents INTEGER")
db.execute("UPDATE items SET cents = round(price * 100)")
db.execute("INSERT INTO runs VALUES (3)")
db.commit()
`

// TestFailure has scripts fail in all ways there are. The live database is what it was
// each time, with nothing beside it, and the next start with a script that is right
// succeeds.
func TestFailure(t *testing.T) {
	const rolledBack = "; rolled back, still at 0002"
	s := schema(t, shop, 6)
	originals := map[string]string{"delete": shopAt(t, 2, "delete"), "wal": shopAt(t, 2, "wal")}
	for i, test := range []struct {
		claim, text string
		want        string // with the folder of the copy left out
	}{
		{"ExitCode", half + `sys.stderr.write("no such supplier\n"); sys.exit(3)`,
			"data.db: 0003-cents.py: exit status 3" + rolledBack + ": no such supplier"},
		{"ExitCodeWithOutputOnly", half + `print("no such supplier"); sys.exit(3)`,
			"data.db: 0003-cents.py: exit status 3" + rolledBack + ": no such supplier"},
		{"ExitCodeAndNothingWritten", half + `sys.exit(3)`,
			"data.db: 0003-cents.py: exit status 3" + rolledBack},
		{"Lines", half + `sys.stderr.write("one\ntwo\n"); sys.exit(1)`,
			"data.db: 0003-cents.py: exit status 1" + rolledBack + ":\none\ntwo"},
		{"SignalToItself", half + `os.kill(os.getpid(), 9)`,
			"data.db: 0003-cents.py: signal: killed" + rolledBack},
		{"OpenTransaction", half + `db.execute("DELETE FROM items"); os.kill(os.getpid(), 9)`,
			"data.db: 0003-cents.py: signal: killed" + rolledBack},
		{"NothingDone", `print("all fine")`,
			"data.db: 0004-index.sql:1: no such column: cents" + rolledBack},
		{"OtherTable", whole + `db.execute("CREATE TABLE totals (x)")`,
			"data.db: 0006-last.sql:1: table totals already exists" + rolledBack},
		{"OtherColumn", strings.Replace(whole, "cents INTEGER", "cents TEXT", 1),
			"data.db: the upgrade to 0006 produced different tables: table items: column cents: want INTEGER, found TEXT" + rolledBack + "; to start anyway, allow d1:5047230e169d42694e5dd3b3baca72d1"},
		{"Meta", whole + `db.execute("DROP TABLE _meta")`,
			"data.db: 0003-cents.py: changed _meta or _lockstep_history, which belong to lockstep" + rolledBack},
		{"Version", whole + `db.execute("UPDATE _meta SET version = 6"); db.commit()`,
			"data.db: 0003-cents.py: changed _meta or _lockstep_history, which belong to lockstep" + rolledBack},
		{"History", whole + `db.execute("DELETE FROM _lockstep_history"); db.commit()`,
			"data.db: 0003-cents.py: changed _meta or _lockstep_history, which belong to lockstep" + rolledBack},
		{"Damage", whole + `db.close()
f = open(path, "r+b"); f.seek(4096 * 3); f.write(b"x" * 8192); f.close()`,
			"data.db: 0003-cents.py: the script left a damaged database: quick_check: *** in database main ***: Tree 2 page 5: btreeInitPage() returns error code 11" + rolledBack},
		{"NoDatabase", whole + `db.close()
open(path, "w").write("not a database " * 1000)`,
			"data.db: 0003-cents.py: what the script left: file is not a database" + rolledBack},
		{"NoFile", whole + `db.close(); os.remove(path)`,
			"data.db: 0003-cents.py: what the script left: open data.db.lockstep/N/copy/data.db: no such file or directory" + rolledBack},
		{"NoFolder", whole + `db.close()
import shutil; shutil.rmtree(os.path.dirname(path))`,
			"data.db: 0003-cents.py: what the script left: lstat data.db.lockstep/N/copy: no such file or directory" + rolledBack},
		{"Link", whole + `db.close(); os.rename(path, path + ".1"); os.symlink(path + ".1", path)`,
			"data.db: 0003-cents.py: the script replaced its copy with something else; it must leave a file of its own" + rolledBack},
		{"LinkToTheDatabaseItself", whole + `db.close(); os.remove(path); os.link(os.path.dirname(path) + "/../../../data.db", path)`,
			"data.db: 0003-cents.py: the script replaced its copy with something else; it must leave a file of its own" + rolledBack},
		{"EmptyFile", whole + `db.close(); open(path, "w").close()`,
			"data.db: 0003-cents.py: changed _meta or _lockstep_history, which belong to lockstep" + rolledBack},
		{"PageSize", whole + `db.execute("PRAGMA journal_mode = delete"); db.execute("PRAGMA page_size = 8192"); db.execute("VACUUM")`,
			"data.db: 0003-cents.py: the script changed the database from pages of 4096 bytes and text in UTF-8 to pages of 8192 bytes and text in UTF-8; an upgrade must keep both" + rolledBack},
		{"RowsWithoutParent", whole + `db.execute("DELETE FROM items WHERE id = 10"); db.commit()`,
			"data.db: the upgrade to 0006 leaves rows without a parent: table orders, parent items: rowid 1" + rolledBack},
	} {
		// Each in one of the journal modes, or in both.
		journals := []string{"delete", "wal"}
		if !*long {
			journals = journals[i%2:][:1]
		}
		for _, journal := range journals {
			t.Run(test.claim+"LeavesTheDatabaseAsItWas/"+journal, func(t *testing.T) {
				t.Parallel()
				path := copyOf(t, originals[journal])
				before := all(t, path)
				db := connect(t, path)
				err := lockstep.Migrate(t.Context(), db, withScript(s, test.text))
				db.Close()
				if got := message(err, path); got != test.want {
					t.Errorf("got %s\nwant %s", got, test.want)
				}
				if after := all(t, path); after != before {
					t.Errorf("got %s\nwant %s", after, before)
				}
				if *long || i < 2 {
					again(t, path, s)
				}
			})
		}
	}
}

// all returns everything that a database holds, and what is beside it.
func all(t *testing.T, path string) string {
	t.Helper()
	db := connect(t, path)
	defer db.Close()
	s := look(t, path)
	for _, q := range []string{
		"SELECT group_concat(type || name || tbl_name || ifnull(sql, '')) FROM sqlite_schema",
		"SELECT group_concat(id || name || price) FROM items",
		"SELECT group_concat(id || ':' || item) FROM orders",
		"SELECT group_concat(version || file || checksum || applied_at || duration_ms || ifnull(digest, '') || ifnull(cookie, '')) FROM _lockstep_history",
		"PRAGMA schema_version",
		"PRAGMA journal_mode",
	} {
		s += "\n" + one(t, db, q)
	}
	db.Close()
	return s + "\n" + beside(t, path)
}

// again starts a program that is right.
func again(t *testing.T, path string, s *lockstep.Schema) {
	t.Helper()
	db := connect(t, path)
	if err := lockstep.Migrate(t.Context(), db, s); err != nil {
		t.Fatal(err)
	}
	db.Close()
	if got := look(t, path); got != newShop {
		t.Errorf("got %s, want %s", got, newShop)
	}
	if got := beside(t, path); got != "data.db" {
		t.Errorf("beside the database is %s", got)
	}
}

// What a script leaves that is in order is no reason to fail.
func TestLeavings(t *testing.T) {
	s := schema(t, shop, 6)
	originals := []string{shopAt(t, 2, "delete"), shopAt(t, 2, "wal")}
	for i, test := range []struct{ claim, text string }{
		{"JournalModeWAL", whole + `db.execute("PRAGMA journal_mode = wal")`},
		{"WAL", strings.Replace(whole, "db.execute", `db.execute("PRAGMA journal_mode = wal"); db.execute`, 1) + `os._exit(0)`},
		{"HotJournal", whole + `db.execute("PRAGMA cache_size = 5"); db.execute("UPDATE items SET name = hex(zeroblob(500))"); os._exit(0)`},
		{"OtherFiles", whole + `open(path + ".tmp", "w").write("x"); os.mkdir(path + ".dir"); open(path + ".dir/x", "w").close()`},
		{"ReadOnlyFile", whole + `open(path + ".tmp", "w").write("x"); os.chmod(path + ".tmp", 0o400)`},
		{"ProcessThatHasItOpen", whole + `
child = subprocess.Popen([sys.executable, "-c", "import sqlite3, sys, time; db = sqlite3.connect(sys.argv[1]); db.execute('BEGIN EXCLUSIVE'); print('begun', flush=True); time.sleep(100)", path], stdout=subprocess.PIPE)
child.stdout.readline()
os._exit(0)`},
		{"ProcessThatHasItsOutput", whole + `subprocess.Popen(["sleep", "100"]); os._exit(0)`},
		{"CRLF", strings.ReplaceAll(whole, "\n", "\r\n")},
	} {
		t.Run(test.claim+"IsTakenCareOf", func(t *testing.T) {
			t.Parallel()
			again(t, copyOf(t, originals[i%2]), withScript(s, test.text))
		})
	}
}

// A shell script works on the database with what it calls.
func TestShell(t *testing.T) {
	t.Run("WritesToTheDatabase", func(t *testing.T) {
		const text = `set -e
python3 - "$1" <<END
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO runs VALUES (5)")
db.commit()
END
`
		path := shopAt(t, 4, "delete")
		db := connect(t, path)
		if err := lockstep.Migrate(t.Context(), db, schema(t, with(shop, "0005-totals.sh", text), 6)); err != nil {
			t.Fatal(err)
		}
		if got, want := glance(t, db), strings.Replace(newShop, "4,6", "4,5,6", 1); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestContext(t *testing.T) {
	t.Run("EndsTheScriptAndItsChildren", func(t *testing.T) {
		t.Parallel()
		path := shopAt(t, 2, "wal")
		before := all(t, path)
		// The child writes its number where the test finds it, and does not obey.
		pid := filepath.Join(t.TempDir(), "pid")
		text := half + `
child = subprocess.Popen(["sh", "-c", "trap '' TERM; echo $$ > '` + pid + `.new'; mv '` + pid + `.new' '` + pid + `'; while :; do sleep 1; done"])
sys.stderr.write("waiting\n")
child.wait()`
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				if _, err := os.Stat(pid); err == nil {
					cancel()
				}
				time.Sleep(5 * time.Millisecond)
			}
		}()
		db := connect(t, path)
		err := lockstep.Migrate(ctx, db, withScript(schema(t, shop, 6), text))
		db.Close()
		const want = "data.db: 0003-cents.py: interrupted: context canceled; rolled back, still at 0002: waiting"
		if got := message(err, path); !errors.Is(err, context.Canceled) || got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		number, err := os.ReadFile(pid)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(number)))
		if err != nil {
			t.Fatal(err)
		}
		waitUntil(t, "the child ends", func() bool { return !running(n) })
		if after := all(t, path); after != before {
			t.Errorf("got %s\nwant %s", after, before)
		}
	})
	t.Run("KillsAScriptThatDoesNotObey", func(t *testing.T) {
		t.Parallel()
		path := shopAt(t, 2, "delete")
		before := all(t, path)
		started := filepath.Join(t.TempDir(), "started")
		text := "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('deaf')\nopen('" + started + "', 'w').close()\ntime.sleep(100)\n"
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		go func() {
			waitUntil(t, "the script starts", func() bool { _, err := os.Stat(started); return err == nil })
			cancel(errors.New("enough"))
		}()
		db := connect(t, path)
		err := lockstep.Migrate(ctx, db, withScript(schema(t, shop, 6), text))
		db.Close()
		const want = "data.db: 0003-cents.py: interrupted: context canceled: enough; rolled back, still at 0002: deaf"
		if got := message(err, path); !errors.Is(err, context.Canceled) || got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if after := all(t, path); after != before {
			t.Errorf("got %s\nwant %s", after, before)
		}
	})
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for range 2000 {
		if done() {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Errorf("not within ten seconds: %s", what)
}

// TestLocks has others hold locks as the copy is to replace the live content.
func TestLocks(t *testing.T) {
	t.Run("AReaderIsWaitedForAndThenTheDatabaseIsBusy", readerIsWaitedFor)
	t.Run("AReaderOfAWALGoesOn", readerOfAWALGoesOn)
	for _, journal := range []string{"delete", "wal"} {
		t.Run("AWriterWaitsOrIsToldAndNothingIsLost/"+journal, func(t *testing.T) { writerWaits(t, journal) })
	}
}

func readerIsWaitedFor(t *testing.T) {
	t.Parallel()
	path := shopAt(t, 2, "delete")
	before := all(t, path)
	reader, err := connect(t, path).BeginTx(t.Context(), reading)
	if err != nil {
		t.Fatal(err)
	}
	one(t, reader, "SELECT count(*) FROM items")
	db := connect(t, path)
	err = lockstep.Migrate(t.Context(), db, schema(t, shop, 6), lockstep.WithTimeout(100*time.Millisecond))
	if !errors.Is(err, lockstep.ErrBusy) {
		t.Errorf("got %v, want %v", err, lockstep.ErrBusy)
	}
	if got := one(t, reader, "SELECT count(*) FROM items"); got != "500" {
		t.Errorf("the reader sees %s items", got)
	}
	reader.Rollback()
	// The pool's connection is as it was.
	for _, pragma := range []string{"locking_mode=normal", "foreign_keys=1", "busy_timeout=10000"} {
		name, want, _ := strings.Cut(pragma, "=")
		if got := one(t, db, "PRAGMA "+name); got != want {
			t.Errorf("%s is %s", name, got)
		}
	}
	db.Close()
	if after := all(t, path); after != before {
		t.Errorf("got %s\nwant %s", after, before)
	}
	again(t, path, schema(t, shop, 6))
}

func readerOfAWALGoesOn(t *testing.T) {
	t.Parallel()
	path := shopAt(t, 2, "wal")
	pool := connect(t, path)
	reader, err := pool.BeginTx(t.Context(), reading)
	if err != nil {
		t.Fatal(err)
	}
	one(t, reader, "SELECT count(*) FROM items")
	db := connect(t, path)
	if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 6), lockstep.WithTimeout(10*time.Second)); err != nil {
		t.Error(err)
	}
	if got := one(t, reader, "SELECT version FROM _meta"); got != "2" {
		t.Errorf("the reader sees version %s", got)
	}
	reader.Rollback()
	if got := glance(t, pool); got != newShop {
		t.Errorf("got %s, want %s", got, newShop)
	}
}

func writerWaits(t *testing.T, journal string) {
	t.Parallel()
	path := shopAt(t, 2, journal)
	impatient := connect(t, path, "_pragma=busy_timeout(0)")
	patient := connect(t, path, "_pragma=busy_timeout(60000)")
	started := filepath.Join(t.TempDir(), "started")
	text := whole + "open('" + started + "', 'w').close()\ntime.sleep(0.2)\n"
	written := make(chan error, 2)
	go func() {
		waitUntil(t, "the script starts", func() bool { _, err := os.Stat(started); return err == nil })
		_, err := impatient.Exec("INSERT INTO orders VALUES (3, 30)")
		written <- err
		_, err = patient.Exec("INSERT INTO orders VALUES (4, 40)")
		written <- err
	}()
	db := connect(t, path)
	if err := lockstep.Migrate(t.Context(), db, withScript(schema(t, shop, 6), text)); err != nil {
		t.Error(err)
	}
	if err := <-written; err == nil || err.Error() != "sqlite3: database is locked" {
		t.Errorf("the writer that does not wait got %v", err)
	}
	if err := <-written; err != nil {
		t.Errorf("the writer that waits got %v", err)
	}
	if got, want := glance(t, db), strings.Replace(newShop, "orders:2", "orders:3", 1); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
