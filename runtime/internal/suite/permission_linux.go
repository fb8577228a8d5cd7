package suite

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lockstep-db/lockstep/runtime"
)

// elsewhere runs the claims of the test in another process, and reports whether it has:
// whether this is not that process already.
func (t *test) elsewhere(attr *syscall.SysProcAttr) bool {
	t.Helper()
	const variable = "LOCKSTEP_TEST_ELSEWHERE"
	if os.Getenv(variable) == t.Name() {
		return false
	}
	dir, err := os.MkdirTemp("/tmp", "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$")
	cmd.Env = append(os.Environ(), variable+"="+t.Name(), "TMPDIR="+dir)
	cmd.Dir, cmd.SysProcAttr = "/", attr
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("%v: %s", err, out)
	}
	return true
}

// permissions are the claims of an ordinary user: nothing is forbidden to root.
func permissions(t *test) {
	t.Run("Permissions", func(tt *testing.T) {
		t := newTest(tt, t.driver)
		if os.Geteuid() == 0 && t.elsewhere(&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}) {
			return
		}
		namesForbidden(t)
		opensForbidden(t)
	})
}

// forbidden returns the files that an error says cannot be written to.
func (t *test) forbidden(err error) string {
	_, text, _ := strings.Cut(t.text(err), "cannot write to ")
	text, _, _ = strings.Cut(text, ": permission denied: ")
	return text
}

// forbid makes files of the database's read-only, or its folder, until the end of the test.
func (t *test) forbid(suffixes ...string) {
	t.Helper()
	for _, suffix := range suffixes {
		path, mode := t.path+suffix, os.FileMode(0o444)
		if suffix == "/.." {
			path, mode = filepath.Dir(t.path), 0o555
		} else if suffix != "" {
			if err := os.WriteFile(path, []byte{0}, 0o666); err != nil { // SQLite mends the mode of an empty one
				t.Fatal(err)
			}
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.Chmod(path, 0o777) })
	}
}

func namesForbidden(t *test) {
	for _, c := range []struct {
		name, journal string
		forbid        []string
		readOnly      bool
		want          string
	}{
		{"TheDatabase", "delete", []string{""}, true, "data.db"},
		{"TheFolder", "delete", []string{"/.."}, false, "its folder"},
		{"TheDatabaseAndTheFolder", "delete", []string{"", "/.."}, true, "data.db, its folder"},
		{"TheJournal", "delete", []string{"-journal"}, false, "data.db-journal"},
		{"TheLog", "wal", []string{"-wal"}, false, "data.db-wal"},
		{"TheIndexOfTheLog", "wal", []string{"-shm"}, false, "data.db-shm"},
	} {
		t.claim("MigrateNames"+c.name+"WhenItCannotBeWritten", func(t *test) {
			t.exec("PRAGMA journal_mode = " + c.journal)
			t.migrate(upTo(2, notes))
			t.forbid(c.forbid...)
			before := t.bytes()
			err := lockstep.Migrate(t.Context(), t.open(Settings{ReadOnly: c.readOnly}), t.schema(upTo(3, notes)))
			if !errors.Is(err, lockstep.ErrBehind) && !errors.Is(err, lockstep.ErrUnreadable) {
				t.Errorf("got %v, want ErrBehind or ErrUnreadable", err)
			}
			t.same("forbidden", t.forbidden(err), c.want)
			t.untouched(before)
		})
	}
	t.claim("EnrollNamesTheFolderWhenItCannotBeWritten", func(t *test) {
		t.migrate(upTo(2, notes))
		t.exec("DROP TABLE _meta", "DROP TABLE _lockstep_history")
		t.forbid("/..")
		err := lockstep.Enroll(t.Context(), t.open(Settings{}), t.schema(upTo(2, notes)))
		t.same("forbidden", t.forbidden(err), "its folder")
	})
}

func opensForbidden(t *test) {
	head := func(t *test) *lockstep.Schema {
		t.exec("PRAGMA journal_mode = wal")
		t.migrate(upTo(2, notes))
		return t.schema(upTo(2, notes))
	}
	t.claim("OpensWALDatabaseInAFolderThatCannotBeWrittenIfItsLogIsThere", func(t *test) {
		s := head(t)
		db := t.open(Settings{})
		t.execOn(db, "INSERT INTO notes (title) VALUES ('more')") // the log is there as long as it is open
		t.forbid("/..")
		for _, call := range calls() {
			if err := call(t.Context(), t.open(Settings{}), s); err != nil {
				t.Error(err)
			}
		}
	})
	t.claim("OpensWALDatabaseInAFolderThatCannotBeWrittenIfItIsImmutable", func(t *test) {
		s := head(t)
		t.forbid("/..")
		for _, call := range calls() {
			if err := call(t.Context(), t.openDSN(t.driver.DSN(t.path, Settings{})+"&immutable=1"), s); err != nil {
				t.Error(err)
			}
		}
	})
	t.claim("NamesTheFolderInWhichAWALDatabaseCannotBeRead", func(t *test) {
		s := head(t)
		t.forbid("/..")
		for _, call := range calls() {
			err := call(t.Context(), t.open(Settings{}), s)
			folder := "cannot write to its folder: permission denied: "
			if t.driver.ReadsOnConnect { // then nobody knows which
				folder = ""
			}
			t.isRefusal(err, lockstep.ErrUnreadable, t.unnamed(
				"data.db: cannot read the version: to read it, SQLite has to write beside it (WAL mode, or a journal to roll back): "+folder+"attempt to write a readonly database"))
		}
	})
}

// sorts is a migration that sorts more than SQLite sorts in memory.
const sorts = `
-- 0001-sorts.sql --
CREATE TABLE words AS WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 8000) SELECT i, hex(randomblob(300)) AS word FROM n;
CREATE INDEX by_word ON words (word);
-- 0002-more.sql --
CREATE INDEX by_words ON words (word, i);
UPDATE words SET word = word || '!', i = -i;
-- 0003-vacuum.sql --
-- lockstep: no-transaction
VACUUM;
`

// noTemporaryFiles is about a system without a folder for temporary files, such as a
// container that was made from nothing. The process gets one by itself.
func noTemporaryFiles(t *test) {
	t.Run("NoTemporaryFiles", func(tt *testing.T) {
		t := newTest(tt, t.driver)
		if os.Geteuid() != 0 {
			t.Skip("only root can take the folders away")
		}
		s := t.schema(sorts)
		first, err := s.At(1)
		if err != nil {
			t.Fatal(err)
		}
		if t.elsewhere(&syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}) {
			return
		}
		dir := t.withoutTemporaryFiles()
		for _, c := range []struct {
			name string
			opts []lockstep.Option
		}{{"StartsWithout", nil}, {"BacksUpWithout", []lockstep.Option{lockstep.WithBackup(1)}}} {
			t.Run(c.name, func(tt *testing.T) {
				t := &test{tt, t.driver, filepath.Join(dir, c.name)}
				db := t.open(Settings{})
				db.SetMaxOpenConns(2)
				for _, call := range []func() error{
					func() error { return lockstep.Migrate(t.Context(), db, first) },
					func() error { return lockstep.Migrate(t.Context(), db, s, c.opts...) },
				} {
					if err := call(); err != nil {
						t.Error(err)
					}
				}
				t.atHead(s)
				t.same("temp_store", t.everyConnection(db, "PRAGMA temp_store"), "0 0")
			})
		}
	})
}

// everyConnection returns what a query returns on each of the two connections of a pool.
func (t *test) everyConnection(db *sql.DB, q string) string {
	t.Helper()
	var values []string
	for range 2 {
		conn, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		var value string
		if err := conn.QueryRowContext(context.Background(), q).Scan(&value); err != nil {
			t.Fatal(err)
		}
		values = append(values, value)
	}
	return strings.Join(values, " ")
}

// withoutTemporaryFiles makes the folders in which SQLite looks for room read-only for this
// process, and returns one for databases.
func (t *test) withoutTemporaryFiles() string {
	t.Helper()
	const dir = "/tmp/databases"
	mount := func(path string, flags uintptr) {
		t.Helper()
		if err := syscall.Mount("tmpfs", path, "tmpfs", flags, ""); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatalf("%s: %v", path, err)
		}
	}
	mount("/tmp", 0)
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	mount(dir, 0)
	mount("/tmp", syscall.MS_REMOUNT|syscall.MS_RDONLY)
	mount("/var/tmp", syscall.MS_RDONLY)
	mount("/usr/tmp", syscall.MS_RDONLY)
	t.Chdir("/tmp") // the last place in which SQLite looks
	return dir
}
