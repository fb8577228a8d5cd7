package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
)

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
	if code := run(t.Context(), []string{"backup", "--full", "--db", path, "--to", copied}, &stdout, &stderr); code != 0 {
		t.Errorf("got exit code %d", code)
	}
	want := "warning: " + path + ": copied but not checked: table a: no such collation sequence: backwards\n" +
		"warning: " + path + ": copied but not checked: table b: unknown function: twice()\n"
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

func TestKilledCommand(t *testing.T) {
	for _, name := range []string{"backup", "restore", "try"} {
		t.Run(name+"LeavesNothingThatTheNextDoesNotRemove", func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("TMPDIR", dir)
			path, other, migrations := filepath.Join(dir, "data.db"), filepath.Join(t.TempDir(), "other.db"), t.TempDir()
			if err := os.WriteFile(filepath.Join(migrations, "0001-notes.sql"), []byte("CREATE TABLE notes (x);\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{path, other} {
				if err := runSQL(path, []string{
					"CREATE TABLE _meta (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL DEFAULT 0)", "INSERT INTO _meta VALUES (1, 0)",
					"CREATE TABLE a (x)", "INSERT INTO a VALUES (zeroblob(50000000))",
				}); err != nil {
					t.Fatal(err)
				}
			}
			args := []string{name, "--db", path}
			switch name {
			case "restore":
				args = append(args, other)
			case "try":
				args = append(args, "--migrations", migrations)
			}
			killed := exec.Command("lockstep", args...)
			if err := killed.Start(); err != nil {
				t.Fatal(err)
			}
			var parts []string
			for len(parts) == 0 {
				parts, _ = filepath.Glob(filepath.Join(dir, "*.backup-part", "copy.db"))
				time.Sleep(time.Millisecond)
			}
			killed.Process.Kill()
			if err := killed.Wait(); err == nil {
				t.Skip("it was too fast")
			}
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), args, &stdout, &stderr); code != 0 {
				t.Errorf("got exit code %d: %s", code, &stderr)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*-part*")); err != nil || len(left) > 0 {
				t.Errorf("got files %v, %v", left, err)
			}
		})
	}
}
