package script_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockstep-db/lockstep/gen/samedir"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/barrier"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

var long = flag.Bool("long", false, "kill at many moments, where a plain run takes a few")

// TestMain makes of this program one of many that start on the same database, when
// [program.start] has told it to be one.
func TestMain(m *testing.M) {
	if p := os.Getenv(programVar); p != "" {
		if err := runProgram(p); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	python, err := newPython()
	if err == nil {
		os.Setenv("PATH", filepath.Join(python, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
	samedir.Main(m)
	os.RemoveAll(python)
}

// newPython returns a folder with a python3 that starts in a fraction of the time: it is no
// shell script that looks for the real one, as pyenv's is, and has no packages.
func newPython() (dir string, err error) {
	if dir, err = os.MkdirTemp("", ""); err == nil {
		err = exec.Command("python3", "-m", "venv", "--without-pip", dir).Run()
	}
	return dir, err
}

// shop has two scripts among its migrations. What is in NAME.sql is SQL that makes the
// same tables, where a script makes any: it stands for the script when the schema is
// worked out. Each that writes shows in runs that it ran.
const shop = `
-- 0001-items.sql --
CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT NOT NULL, price TEXT NOT NULL);
CREATE TABLE runs (migration INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO items SELECT i, 'item ' || i, i || '.50' FROM n;
INSERT INTO runs VALUES (1);
-- 0002-orders.sql --
CREATE TABLE orders (id INTEGER PRIMARY KEY, item INTEGER NOT NULL REFERENCES items);
INSERT INTO orders VALUES (1, 10), (2, 20);
INSERT INTO runs VALUES (2);
-- 0003-cents.py --
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("ALTER TABLE items ADD COLUMN cents INTEGER")
db.commit()
for id, price in db.execute("SELECT id, price FROM items").fetchall():
    db.execute("UPDATE items SET cents = ? WHERE id = ?", (round(float(price) * 100), id))
db.execute("INSERT INTO runs VALUES (3)")
db.commit()
print("done")
-- 0003-cents.py.sql --
ALTER TABLE items ADD COLUMN cents INTEGER;
-- 0004-index.sql --
CREATE INDEX items_by_cents ON items (cents);
UPDATE items SET cents = cents + 1;
INSERT INTO runs VALUES (4);
-- 0005-totals.sh --
set -e
test -s "$1"
echo "${1##*/}"
-- 0006-last.sql --
CREATE TABLE totals AS SELECT sum(cents) AS cents FROM items;
INSERT INTO runs VALUES (6);
`

// oldShop and newShop are what a shop holds at version 2 and 6.
const (
	oldShop = `0002 items:500 orders:2 runs:1,2 history:1,2`
	newShop = `0006 items:500 orders:2 runs:1,2,3,4,6 history:1,2,3,4,5,6 totals:12550500`
)

// reading begins a transaction without the lock for writing.
var reading = &sql.TxOptions{ReadOnly: true}

// glance returns what tells the versions of a shop from each other.
func glance(t testing.TB, db *sql.DB) string {
	t.Helper()
	tx, err := db.BeginTx(context.Background(), reading)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer tx.Rollback()
	if one(t, tx, "SELECT count(*) FROM sqlite_schema WHERE name = '_meta'") == "0" {
		return "nothing"
	}
	s := one(t, tx, `SELECT format('%04d items:%d orders:%d runs:%s history:%s', version, (SELECT count(*) FROM items), (SELECT count(*) FROM orders),
(SELECT group_concat(migration) FROM runs), (SELECT group_concat(version) FROM _lockstep_history)) FROM _meta`)
	if one(t, tx, "SELECT count(*) FROM sqlite_schema WHERE name = 'totals'") == "1" {
		s += one(t, tx, "SELECT ' totals:' || cents FROM totals")
	}
	return s
}

func one(t testing.TB, db interface {
	QueryRow(string, ...any) *sql.Row
}, q string) (s string) {
	t.Helper()
	if err := db.QueryRow(q).Scan(&s); err != nil {
		t.Errorf("%s: %v", q, err)
	}
	return s
}

// look returns what a database holds, and fails the test if it is damaged.
func look(t testing.TB, path string) string {
	t.Helper()
	db := connect(t, path)
	defer db.Close()
	if got := one(t, db, "PRAGMA integrity_check"); got != "ok" {
		t.Errorf("%s is damaged: %s", path, got)
	}
	return glance(t, db)
}

// schema returns what a program expects that has the first n migrations of an
// archive.
func schema(t testing.TB, archive string, n int) *lockstep.Schema {
	t.Helper()
	for _, command := range []string{"python3", "sh"} {
		if _, err := exec.LookPath(command); err != nil {
			t.Skipf("%s is not in PATH", command)
		}
	}
	texts := make(map[string][]byte)
	var names []string
	for _, f := range txtar.Parse([]byte(archive)).Files {
		texts[f.Name] = f.Data
		if !strings.HasSuffix(f.Name, ".py.sql") && !strings.HasSuffix(f.Name, ".sh.sql") {
			names = append(names, f.Name)
		}
	}
	names = names[:n]
	inSQL := fstest.MapFS{}
	for _, name := range names {
		text, stem := texts[name], strings.TrimSuffix(name, filepath.Ext(name))
		if filepath.Ext(name) != ".sql" {
			if text = texts[name+".sql"]; text == nil {
				text = []byte("SELECT 1;")
			}
		}
		inSQL[stem+".sql"] = &fstest.MapFile{Data: text}
	}
	s := fixture.Schema(t, "sqlite3", inSQL)
	for i, name := range names {
		if p := programs[filepath.Ext(name)]; p != nil {
			fixture.Replace(s, i, name, p, string(texts[name]))
		}
	}
	return s
}

var programs = map[string]lockstep.Program{".py": script.Python, ".sh": script.Shell}

// with returns an archive in which a file has a different text.
func with(archive, name, text string) string {
	a := txtar.Parse([]byte(archive))
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(text)
		}
	}
	return string(txtar.Format(a))
}

// withScript returns the schema of a shop in which migration 3 has a different text.
func withScript(s *lockstep.Schema, text string) *lockstep.Schema {
	s = withText(s, 2, text)
	m := &s.Migrations[2]
	m.Checksum = m.Program.Checksum([]byte(text))
	s.Digest = fixture.Digest(s.Migrations)
	return s
}

// withSQL returns the schema of a shop in which migration i, from 0, has other SQL.
func withSQL(s *lockstep.Schema, i int, text string) *lockstep.Schema {
	s = withText(s, i, text)
	m := &s.Migrations[i]
	m.Checksum = sqltext.Parse(text).Checksum()
	s.Digest = fixture.Digest(s.Migrations)
	return s
}

func withText(s *lockstep.Schema, i int, text string) *lockstep.Schema {
	other := *s
	files := maps.Clone(s.Files.(fstest.MapFS))
	other.Files = files
	other.Migrations = slices.Clone(s.Migrations)
	files[s.Migrations[i].File] = &fstest.MapFile{Data: []byte(text)}
	return &other
}

// copyOf returns the path of a copy of a file, in a folder of its own.
func copyOf(t testing.TB, path string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, filepath.Base(path))
	if err := os.WriteFile(path, text, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// shopAt returns the path of a shop at a version, in a folder of its own.
func shopAt(t testing.TB, version int, journal string) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "data.db")
	db := connect(t, path, "_pragma=synchronous(0)", "_pragma=journal_mode("+journal+")")
	defer db.Close()
	if version > 0 {
		if err := lockstep.Migrate(t.Context(), db, schema(t, shop, version)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// connect opens a pool on a file, with settings of ncruces/go-sqlite3's data source
// name.
func connect(t testing.TB, path string, settings ...string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn(path, settings...))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func execute(t testing.TB, path, q string) {
	t.Helper()
	db := connect(t, path)
	defer db.Close()
	if _, err := db.Exec(q); err != nil {
		t.Fatal(err)
	}
}

func dsn(path string, settings ...string) string {
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + strings.Join(append([]string{"_pragma=busy_timeout(10000)"}, settings...), "&")
}

// beside returns the names in the folder of a database.
func beside(t testing.TB, path string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

// message is the text of an error, with the folder that is different each time left
// out.
func message(err error, path string) string {
	s := fmt.Sprint(err)
	s = regexp.MustCompile(`\.lockstep[/\\][0-9]+`).ReplaceAllString(s, ".lockstep/N")
	return strings.ReplaceAll(s, path, "data.db")
}

const programVar = "LOCKSTEP_TEST_PROGRAM"

// A program is what another process needs to know to be a program that calls
// Migrate when it starts.
type program struct {
	DSN    string
	Schema fixture.Stored
}

func runProgram(description string) error {
	var p program
	if err := json.Unmarshal([]byte(description), &p); err != nil {
		return err
	}
	db, err := sql.Open("sqlite3", p.DSN)
	if err != nil {
		return err
	}
	defer db.Close()
	barrier.Wait()
	if err := lockstep.Migrate(context.Background(), db, p.Schema.Schema(programs)); err != nil {
		return err
	}
	_, err = db.Exec("SELECT cents FROM totals")
	return err
}

// newProgram describes a program to other processes.
func newProgram(t testing.TB, s *lockstep.Schema, path string, settings ...string) *program {
	t.Helper()
	return &program{DSN: dsn(path, settings...), Schema: fixture.Store(t, s)}
}

// start starts n processes. They call Migrate when release is called, all at once.
func (p *program) start(t testing.TB, n int) (processes []*barrier.Process, release func()) {
	t.Helper()
	return barrier.Start(t, n, programVar, p)
}

// runToEnd runs a program that must succeed, and returns how long that takes from the
// call of Migrate on.
func runToEnd(t testing.TB, p *program) time.Duration {
	t.Helper()
	started, release := p.start(t, 1)
	begun := time.Now()
	release()
	if err := started[0].Wait(); err != nil {
		t.Fatalf("%v: %s", err, &started[0].Stderr)
	}
	return time.Since(begun)
}
