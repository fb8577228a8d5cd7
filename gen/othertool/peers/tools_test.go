package peers

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/golang-migrate/migrate/v4"
	_ "github.com/golang-migrate/migrate/v4/database/sqlite"
	_ "github.com/golang-migrate/migrate/v4/source/file"
	"github.com/pressly/goose/v3"
	sqlmigrate "github.com/rubenv/sql-migrate"
	_ "modernc.org/sqlite"
)

// A tool has migrations in its own way.
type tool struct {
	name  string
	files []file // in the order in which it runs them
	up    func(dir, db string) error
	wants string // the files of lockstep's
}

type file struct{ name, text string }

// What they all do: tables and a trigger, an index beside rows, and a table that is rebuilt.
const (
	tables  = "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\nCREATE TABLE log (note INTEGER REFERENCES notes (id));\n"
	trigger = "CREATE TRIGGER logged AFTER INSERT ON notes BEGIN\n\tINSERT INTO log VALUES (new.id);\nEND;\n"
	index   = "-- Titles are looked for.\nCREATE INDEX notes_title ON notes (title);\nINSERT INTO notes (title) VALUES ('first; and last');\n"
	rebuild = "CREATE TABLE new_notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, shown INTEGER NOT NULL DEFAULT 1);\n" +
		"INSERT INTO new_notes (id, title) SELECT id, title FROM notes;\nDROP TABLE notes;\nALTER TABLE new_notes RENAME TO notes;\n"
)

var tools = []tool{
	{"goose", []file{
		{"9_init.sql", "-- +goose Up\n" + tables + "\n-- +goose StatementBegin\n" + trigger + "-- +goose StatementEnd\n\n-- +goose Down\nDROP TABLE notes;\n"},
		{"00010_index.sql", "-- +goose NO TRANSACTION\n-- +goose Up\n" + index + "-- +goose Down\n-- +goose StatementBegin\nDROP INDEX notes_title;\n-- +goose StatementEnd\n"},
		{"20240131094500_rebuild.sql", "-- +goose Up\n" + rebuild},
	}, func(dir, db string) error {
		return withDB(db, func(db *sql.DB) error {
			p, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS(dir))
			if err == nil {
				_, err = p.Up(context.Background())
			}
			return err
		})
	}, "0001-init.sql 0002-index.sql 0003-rebuild.sql"},

	{"golang-migrate", []file{
		{"9_init.up.sql", tables + trigger},
		{"9_init.down.sql", "DROP TABLE notes;\n"},
		{"10_index.up.sql", index},
		{"20240131094500_rebuild.up.sql", rebuild},
	}, func(dir, db string) error {
		m, err := migrate.New("file://"+dir, "sqlite://"+db)
		if err != nil {
			return err
		}
		err = m.Up()
		_, e := m.Close()
		return errors.Join(err, e)
	}, "0001-init.sql 0002-index.sql 0003-rebuild.sql"},

	{"sql-migrate", []file{
		{"9-init.sql", "-- +migrate Up\n" + tables + "-- +migrate StatementBegin\n" + trigger + "-- +migrate StatementEnd\n-- +migrate Down\nDROP TABLE notes;\n"},
		{"10-index.sql", "-- +migrate Up notransaction\n" + index},
		{"rebuild.sql", "-- +migrate Up\n" + rebuild},
	}, func(dir, db string) error {
		return withDB(db, func(db *sql.DB) error {
			_, err := sqlmigrate.Exec(db, "sqlite3", sqlmigrate.FileMigrationSource{Dir: dir}, sqlmigrate.Up)
			return err
		})
	}, "0001-init.sql 0002-index.sql 0003-rebuild.sql"},
}

// TestTools has each tool apply all of its migrations but the last, and lockstep the last.
func TestTools(t *testing.T) {
	command := filepath.Join(t.TempDir(), "lockstep")
	if out, err := exec.Command("go", "build", "-C", "../../..", "-o", command, "./cmd/lockstep").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, tool := range tools {
		t.Run(tool.name, func(t *testing.T) {
			c := comer{t, command, t.TempDir(), tool}
			c.convert()
			c.goOn()
			c.atHead()
			c.failed()
		})
	}
}

// A comer comes from a tool, with its migrations in the folder old.
type comer struct {
	*testing.T
	command string
	dir     string
	tool
}

func (c *comer) path(name string) string { return filepath.Join(c.dir, name) }

func (c *comer) run(args ...string) (string, error) {
	cmd := exec.Command(c.command, args...)
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *comer) must(args ...string) {
	c.Helper()
	if out, err := c.run(args...); err != nil {
		c.Fatalf("lockstep %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// convert makes lockstep's migrations, after the tool has applied all but the last.
func (c *comer) convert() {
	last := len(c.files) - 1
	write(c.T, c.path("old"), c.files[:last])
	if err := c.up(c.path("old"), c.path("data.db")); err != nil {
		c.Fatal(err)
	}
	write(c.T, c.path("old"), c.files[last:])
	if out, err := c.run("generate", "old"); err == nil || !strings.HasPrefix(out, "old: has migrations of "+c.name+";") {
		c.Errorf("generate: got %v\n%s", err, out)
	}
	c.must("init", "--from", "old", "migrations")
	c.must("generate", "migrations")
	entries, err := filepath.Glob(c.path("migrations/*.sql"))
	for i, e := range entries {
		entries[i] = filepath.Base(e)
	}
	if got := strings.Join(entries, " "); got != c.wants || err != nil {
		c.Errorf("got files %s, %v; want %s", got, err, c.wants)
	}
}

// goOn has lockstep apply the last, on the rows that are there.
func (c *comer) goOn() {
	c.must("enroll", "--from", c.name, "--db", "data.db")
	c.must("migrate", "--db", "data.db")
	c.must("check", "--db", "data.db")
	err := withDB(c.path("data.db"), func(db *sql.DB) error {
		var got string
		err := db.QueryRow("SELECT group_concat(id || ' ' || title || ' ' || shown) || ', log ' || (SELECT count(*) FROM log) FROM notes").Scan(&got)
		if want := "1 first; and last 1, log 1"; got != want {
			c.Errorf("got %s; want %s", got, want)
		}
		return err
	})
	if err != nil {
		c.Error(err)
	}
}

// atHead wants a database that the tool has brought to the end to be at the last version.
func (c *comer) atHead() {
	if err := c.up(c.path("old"), c.path("all.db")); err != nil {
		c.Fatal(err)
	}
	out, err := c.run("enroll", "--from", c.name, "--db", "all.db")
	if err != nil || !strings.HasPrefix(out, "all.db: enrolled at version 0003 ") {
		c.Errorf("got %v\n%s", err, out)
	}
	c.must("check", "--db", "all.db")
}

// failed wants a database in which the last has failed to be at the one before, or to be
// refused.
func (c *comer) failed() {
	last := c.files[len(c.files)-1]
	write(c.T, c.path("old"), []file{{last.name, strings.Replace(last.text, "INSERT INTO new_notes", "INSERT INTO nowhere", 1)}})
	if err := c.up(c.path("old"), c.path("failed.db")); err == nil {
		c.Error("the last migration did not fail")
	}
	out, err := c.run("enroll", "--from", c.name, "--db", "failed.db")
	want := "failed.db: enrolled at version 0002 "
	if c.name == "golang-migrate" {
		want = "lockstep: failed.db: golang-migrate left migration 20240131094500 unfinished; finish or undo it with golang-migrate, then enroll\n"
	}
	if !strings.HasPrefix(out, want) {
		c.Errorf("got %v\n%swant\n%s", err, out, want)
	}
}

func write(t *testing.T, dir string, files []file) {
	t.Helper()
	err := os.MkdirAll(dir, 0o777)
	for _, f := range files {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, f.name), []byte(f.text), 0o666))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func withDB(path string, f func(*sql.DB) error) error {
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		return err
	}
	return errors.Join(f(db), db.Close())
}
