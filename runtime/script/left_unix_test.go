//go:build unix

package script_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// TestLeftProcesses has a script leave a process behind.
func TestLeftProcesses(t *testing.T) {
	s := schema(t, shop, 6)
	original := shopAt(t, 2, "wal")
	for claim, end := range map[string]string{
		"Succeeds": "os._exit(0)", "Fails": "os._exit(1)", "IsKilled": "os.kill(os.getpid(), 9)", "TakesTooLong": "time.sleep(100)",
	} {
		t.Run("AreKilledWhenAScript"+claim, func(t *testing.T) {
			t.Parallel()
			path := copyOf(t, original)
			pid := filepath.Join(t.TempDir(), "pid")
			ctx, cancel := context.WithCancel(t.Context())
			if claim == "TakesTooLong" {
				go func() {
					waitUntil(t, "the process starts", func() bool { _, err := os.Stat(pid); return err == nil })
					cancel()
				}()
			}
			defer cancel()
			err := lockstep.Migrate(ctx, connect(t, path), withScript(s, leaves(pid, "BEGIN EXCLUSIVE", false)+end))
			if (err == nil) != (claim == "Succeeds") {
				t.Error(err)
			}
			n := number(t, pid)
			waitUntil(t, "the process ends", func() bool { return !running(n) })
		})
	}
	for claim, test := range map[string]struct{ lock, want string }{
		"ALockForWriting":    {"BEGIN EXCLUSIVE", "data.db: 0003-cents.py: a process that 0003-cents.py left has"},
		"ALockBeforeWriting": {"BEGIN IMMEDIATE", "data.db: 0003-cents.py: a process that 0003-cents.py left has"},
		"ALockForReading":    {"BEGIN; SELECT * FROM items", "data.db: 0003-cents.py: a process that 0003-cents.py left has"},
		"ALockLater":         {"", "data.db: 0005-totals.sh: a process that 0003-cents.py left has"},
	} {
		t.Run("AreNamedWhenADaemonHas"+claim, func(t *testing.T) {
			t.Parallel()
			path := copyOf(t, original)
			pid := filepath.Join(t.TempDir(), "pid")
			defer func() { syscall.Kill(number(t, pid), syscall.SIGKILL) }()
			lockNow := func(p lockstep.Progress) {
				if claim == "ALockLater" && p.File == "0004-index.sql" && p.Statement == 0 && !p.Done {
					syscall.Kill(number(t, pid), syscall.SIGUSR1)
					waitUntil(t, "the daemon has the lock", func() bool { _, err := os.Stat(pid + ".lock"); return err == nil })
				}
			}
			db := connect(t, path)
			err := lockstep.Migrate(t.Context(), db, withScript(s, leaves(pid, test.lock, true)), lockstep.WithProgress(lockNow))
			db.Close()
			want := test.want + " a lock on its copy, data.db.lockstep/N/copy/data.db; the script must end what it starts: database is locked; rolled back, still at 0002"
			if got := message(err, path); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if errors.Is(err, lockstep.ErrBusy) {
				t.Error("it looks as if the database itself were locked")
			}
			again(t, path, s)
		})
	}
}

// leaves returns a script that leaves a process with a lock, in a session of its own if it is
// a daemon, and the number of that process in the file pid. Without a statement, the process
// reads when it gets a signal.
func leaves(pid, statement string, daemon bool) string {
	how := ""
	if daemon {
		how = ", start_new_session=True"
	}
	if daemon && statement != "" {
		how += ", stderr=subprocess.DEVNULL" // nobody waits for its output
	}
	return whole + `db.close()
child = subprocess.Popen([sys.executable, "-c", """
import os, signal, sqlite3, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
db = sqlite3.connect(sys.argv[1], isolation_level=None)
def lock(*_):
    db.execute("BEGIN")
    db.execute("SELECT * FROM items").fetchone()
    open("` + pid + `.lock", "w").close()
signal.signal(signal.SIGUSR1, lock)
for q in "` + statement + `".split(";"):
    db.execute(q).fetchone()
print("ready", flush=True)
time.sleep(100)
time.sleep(100)
""", path], stdout=subprocess.PIPE` + how + `)
child.stdout.readline()
open("` + pid + `.new", "w").write(str(child.pid))
os.rename("` + pid + `.new", "` + pid + `")
`
}

func number(t *testing.T, pid string) int {
	t.Helper()
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
