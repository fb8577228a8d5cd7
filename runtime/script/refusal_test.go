package script_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	ncruces "github.com/ncruces/go-sqlite3/driver"
	_ "github.com/ncruces/go-sqlite3/vfs/memdb"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// TestRefusals are what stops an upgrade with scripts before anything runs.
func TestRefusals(t *testing.T) {
	s := schema(t, shop, 6)
	refused := func(t *testing.T, db *sql.DB, path, want string) {
		t.Helper()
		err := lockstep.Migrate(t.Context(), db, s)
		if got := message(err, path); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		var e *lockstep.MigrationError
		if !errors.As(err, &e) || !e.RolledBack || e.File != "0003-cents.py" {
			t.Errorf("got %#v", err)
		}
	}
	unchanged := func(t *testing.T, path string) {
		t.Helper()
		if got := look(t, path); got != oldShop {
			t.Errorf("got %s, want %s", got, oldShop)
		}
		if got := beside(t, path); got != "data.db" {
			t.Errorf("beside the database is %s", got)
		}
	}
	t.Run("AnotherDriver", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		db := sql.OpenDB(otherDriver(dsn(path)))
		refused(t, db, path, "data.db: 0003-cents.py: scripts need the driver github.com/ncruces/go-sqlite3; this program uses github.com/lockstep-db/lockstep/runtime/script_test: write the migration in SQL or Go; nothing ran, still at 0002")
		db.Close()
		unchanged(t, path)
	})
	t.Run("MissingPython", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		t.Setenv("PATH", t.TempDir())
		db := connect(t, path)
		refused(t, db, path, "data.db: 0003-cents.py: needs python3, which is not in PATH; nothing ran, still at 0002")
		db.Close()
		unchanged(t, path)
	})
	t.Run("ExclusiveLocking", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		db := connect(t, path, "_pragma=locking_mode(exclusive)")
		refused(t, db, path, "data.db: 0003-cents.py: scripts run on a copy of the file, which cannot be copied while locking_mode is exclusive; nothing ran, still at 0002")
		db.Close()
		unchanged(t, path)
	})
	t.Run("DatabaseInMemory", func(t *testing.T) {
		db, err := sql.Open("sqlite3", ":memory:")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		db.SetMaxOpenConns(1)
		refused(t, db, ":memory:", "data.db: 0003-cents.py: scripts run on a copy of the file: the database is in memory; nothing ran, still at 0000")
	})
	t.Run("DatabaseInAnotherVFS", func(t *testing.T) {
		db, err := sql.Open("sqlite3", "file:/refusals?vfs=memdb")
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		refused(t, db, "/refusals", `data.db: 0003-cents.py: scripts run on a copy of the file: the database is in the VFS "memdb"; want the default one, which keeps it in a plain file; nothing ran, still at 0000`)
	})
	t.Run("FileInTheWayOfTheFolder", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		if err := os.WriteFile(path+".lockstep", []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		db := connect(t, path)
		err := lockstep.Migrate(t.Context(), db, s)
		const want = "data.db: data.db.lockstep is not a folder; scripts need a folder of this name; rolled back, still at 0002"
		if got := message(err, path); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		db.Close()
		if text, err := os.ReadFile(path + ".lockstep"); string(text) != "precious" {
			t.Errorf("the file is now %q, %v", text, err)
		}
	})
}

// otherDriver is a driver that is not ncruces/go-sqlite3, as far as one can see.
type otherDriver string

func (o otherDriver) Connect(context.Context) (driver.Conn, error) {
	conn, err := (&ncruces.SQLite{}).Open(string(o))
	return struct{ driver.Conn }{conn}, err
}

func (o otherDriver) Driver() driver.Driver            { return o }
func (o otherDriver) Open(string) (driver.Conn, error) { return o.Connect(context.Background()) }

func TestWithConn(t *testing.T) {
	s := schema(t, shop, 6)
	register := func(conn *sqlite3.Conn) error {
		return conn.CreateFunction("twice", 1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
			ctx.ResultInt64(2 * arg[0].Int64())
		})
	}
	// The generator knows the function by another way; here it is in a migration that
	// was generated without it.
	other := withSQL(s, 3, "CREATE INDEX items_by_cents ON items (cents);\nUPDATE items SET cents = twice(cents);\nINSERT INTO runs VALUES (4);\n")
	t.Run("RegistersFunctionsOnTheCopy", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		db, err := ncruces.Open(dsn(path), register)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		err = lockstep.Migrate(t.Context(), db, other)
		const want = "data.db: 0004-index.sql:2: no such function: twice; rolled back, still at 0002; SQLite is " + sqlite.Generator + " here, " + sqlite.Generator + " in the generator"
		if got := message(err, path); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if err := lockstep.Migrate(t.Context(), db, other, script.WithConn(register)); err != nil {
			t.Fatal(err)
		}
		if got := one(t, db, "SELECT cents FROM items WHERE id = 7"); got != "1500" {
			t.Errorf("got %s", got)
		}
	})
}

// A log has what scripts write, whether or not they succeed.
func TestLogger(t *testing.T) {
	s := schema(t, shop, 6)
	path := shopAt(t, 2, "delete")
	var l lines
	if err := lockstep.Migrate(t.Context(), connect(t, path), s, lockstep.WithLogger(&l)); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`script ended: file=0003-cents.py error=<nil> stdout="done\n" stderr=""`,
		`script ended: file=0005-totals.sh error=<nil> stdout="data.db\n" stderr=""`,
		"migration applied: file=0003-cents.py",
		"migration applied: file=0004-index.sql",
		"migration applied: file=0005-totals.sh",
		"migration applied: file=0006-last.sql",
	}
	if got := strings.Join(l, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// lines is a log without what is different on every run.
type lines []string

func (l *lines) Info(msg string, args ...any) {
	msg += ":"
	for i := 0; i+1 < len(args); i += 2 {
		switch args[i] {
		case "file", "error":
			msg += fmt.Sprintf(" %v=%v", args[i], args[i+1])
		case "stdout", "stderr":
			msg += fmt.Sprintf(" %v=%q", args[i], args[i+1])
		}
	}
	*l = append(*l, msg)
}

func (l *lines) Warn(msg string, args ...any) { l.Info("warning: "+msg, args...) }

// Progress goes on over scripts as over SQL.
func TestProgress(t *testing.T) {
	path := shopAt(t, 2, "delete")
	var got []string
	note := func(p lockstep.Progress) {
		if p.Statement == 0 {
			got = append(got, strings.TrimSpace(fmt.Sprintf("%s %d of %d %s", p.Doing, p.Migration, p.Migrations, p.File)+map[bool]string{true: " done"}[p.Done]))
		}
	}
	if err := lockstep.Migrate(t.Context(), connect(t, path), schema(t, shop, 6), lockstep.WithProgress(note)); err != nil {
		t.Fatal(err)
	}
	want := `waiting 0 of 0
checking 0 of 0
copying 0 of 0
running 1 of 4 0003-cents.py
running 1 of 4 0003-cents.py done
running 2 of 4 0004-index.sql
running 2 of 4 0004-index.sql done
running 3 of 4 0005-totals.sh
running 3 of 4 0005-totals.sh done
running 4 of 4 0006-last.sql
running 4 of 4 0006-last.sql done
checking 4 of 4
copying 4 of 4`
	if s := strings.Join(got, "\n"); s != want {
		t.Errorf("got\n%s\nwant\n%s", s, want)
	}
}

func TestPerMigration(t *testing.T) {
	t.Run("KeepsWhatWasBeforeTheScriptThatFailed", func(t *testing.T) {
		path := shopAt(t, 1, "wal")
		s := schema(t, shop, 6)
		db := connect(t, path)
		err := lockstep.Migrate(t.Context(), db, withScript(s, "import sys\nsys.exit('no')\n"), lockstep.WithPerMigration())
		const want = "data.db: 0003-cents.py: exit status 1; rolled back, still at 0002: no"
		if got := message(err, path); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
		if got := glance(t, db); got != oldShop {
			t.Errorf("got %s, want %s", got, oldShop)
		}
		if err := lockstep.Migrate(t.Context(), db, s, lockstep.WithPerMigration()); err != nil {
			t.Fatal(err)
		}
		if got := glance(t, db); got != newShop {
			t.Errorf("got %s, want %s", got, newShop)
		}
		db.Close()
		if got := beside(t, path); got != filepath.Base(path) {
			t.Errorf("beside the database is %s", got)
		}
	})
}
