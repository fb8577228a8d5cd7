package proof_test

import (
	"database/sql"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	_ "github.com/ncruces/go-sqlite3/driver"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

var (
	long = flag.Bool("long", false, "try everything, where a plain run takes samples")
	seed = flag.Uint64("seed", uint64(time.Now().UnixNano()), "of what is drawn, to try the same again")
)

// shop are the migrations that are interrupted. A cascade would delete the orders, and each
// migration shows in runs how often it ran.
const shop = `
-- 0001-shop.sql --
CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL);
CREATE TABLE orders (
	id INTEGER PRIMARY KEY,
	customer INTEGER NOT NULL REFERENCES customers ON DELETE CASCADE,
	total INTEGER NOT NULL,
	note TEXT
);
CREATE TABLE runs (migration INTEGER NOT NULL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
INSERT INTO customers SELECT i, 'customer ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 80)
INSERT INTO orders SELECT i, 1 + i % 20, i, hex(zeroblob(100)) FROM n;
INSERT INTO runs VALUES (1);
-- 0002-index.sql --
CREATE INDEX orders_by_customer ON orders (customer, total);
INSERT INTO runs VALUES (2);
-- 0003-rebuild.sql --
PRAGMA legacy_alter_table = ON;
CREATE TABLE customers_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''), since TEXT);
INSERT INTO customers_new (id, name) SELECT id, name FROM customers;
DROP TABLE customers;
ALTER TABLE customers_new RENAME TO customers;
PRAGMA legacy_alter_table = OFF;
INSERT INTO runs VALUES (3);
-- 0004-raise.sql --
UPDATE orders SET total = total + 1, note = 'raised ' || note;
DELETE FROM orders WHERE id % 3 = 0;
INSERT INTO runs VALUES (4);
`

// These are the same, but for one migration outside of a transaction, which may run again, or
// a script, or one in Go.
var (
	alone = strings.NewReplacer(`-- 0002-index.sql --
CREATE INDEX`, `-- 0002-index.sql --
-- lockstep: no-transaction
VACUUM;
CREATE INDEX IF NOT EXISTS`, `INSERT INTO runs VALUES (2)`, `INSERT INTO runs SELECT 2 WHERE NOT EXISTS (SELECT 1 FROM runs WHERE migration = 2)`).Replace(shop)

	byScript = strings.Replace(shop, "-- 0004-raise.sql --", "-- 0004-script.sh --\nset -e\ntest -s \"$1\"\n-- 0005-raise.sql --", 1)

	byGo = strings.Replace(shop, `-- 0004-raise.sql --
UPDATE orders SET total = total + 1, note = 'raised ' || note;
`, `-- 0004-raise.go --
package migrations
-- 0005-delete.sql --
`, 1)
)

// all is more than any archive has.
const all = 99

// schemaOf returns what a program expects that has the first n migrations of an archive.
func schemaOf(t testing.TB, archive string, n int) *lockstep.Schema {
	t.Helper()
	migrations := txtar.Parse([]byte(archive)).Files
	migrations = migrations[:min(n, len(migrations))]
	files := fstest.MapFS{}
	for _, f := range migrations {
		text := f.Data
		if programs[filepath.Ext(f.Name)] != nil {
			text = []byte("SELECT 1;") // none makes a table
		}
		files[strings.TrimSuffix(f.Name, filepath.Ext(f.Name))+".sql"] = &fstest.MapFile{Data: text}
	}
	s := fixture.Schema(t, "sqlite3", files)
	for i, f := range migrations {
		if p := programs[filepath.Ext(f.Name)]; p != nil {
			fixture.Replace(s, i, f.Name, p, string(f.Data))
		}
	}
	return s
}

func dsn(path string, settings ...string) string {
	return "file:" + filepath.ToSlash(path) + "?" + strings.Join(append([]string{"_pragma=foreign_keys(1)"}, settings...), "&")
}

// unsynced is for connections that prepare or look at a file.
const unsynced = "_pragma=synchronous(0)"

// newFolder returns a new folder, without links in its path: in memory, where that is
// possible, since an upgrade waits for a disk.
func newFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "proof")
	if err != nil {
		dir = t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// migrate is what a program does when it starts.
func migrate(t testing.TB, path string, s *lockstep.Schema, settings []string, opts ...lockstep.Option) error {
	t.Helper()
	db, err := sql.Open("sqlite3", dsn(path, settings...))
	if err != nil {
		return err
	}
	defer db.Close()
	return lockstep.Migrate(t.Context(), db, s, opts...)
}

// databaseAt makes a database in a folder, of the first n migrations of an archive.
func databaseAt(t testing.TB, dir, archive string, n int, settings ...string) (path string) {
	t.Helper()
	path = filepath.Join(dir, "data.db")
	if n > 0 {
		if err := migrate(t, path, schemaOf(t, archive, n), append(settings, unsynced)); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

// holds returns all that a database holds, and what violates its foreign keys, but for times and
// the schema cookie. The error says what is wrong with it. An empty database is "".
func holds(path string) (string, error) {
	db, err := sql.Open("sqlite3", dsn(path, unsynced))
	if err != nil {
		return "", err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if got, err := rows(db, "PRAGMA integrity_check"); err != nil || got != "ok\n" {
		return "", fmt.Errorf("integrity_check: %s %w", got, err)
	}
	violations, err := rows(db, "PRAGMA foreign_key_check")
	if err != nil {
		return "", fmt.Errorf("foreign_key_check: %w", err)
	}
	all, err := rows(db, "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name")
	if err != nil {
		return "", err
	}
	tables, err := rows(db, "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")
	for name := range strings.Lines(tables) {
		columns := "*"
		if name == "_lockstep_history\n" {
			columns = "version, file, checksum" // the others are of the head alone
		}
		var got string
		if got, err = rows(db, "SELECT "+columns+" FROM "+name+" ORDER BY 1"); err != nil {
			break
		}
		all += name + got
	}
	return all + violations, err
}

// rows returns the rows of a query, a line each.
func rows(db *sql.DB, q string) (string, error) {
	rows, err := sqlite.Lines(db.Query(q))
	if err != nil {
		return "", fmt.Errorf("%s: %w", q, err)
	}
	return strings.Join(append(rows, ""), "\n"), nil
}

// beside returns the names in the folder of a database.
func beside(path string) string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return err.Error()
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// A tally counts what was tried in all tests, and is printed at the end.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

var tried tally

func (c *tally) add(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[what] += n
}

func (c *tally) print() {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for name := range c.counts {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Printf("proof: %d %s\n", c.counts[name], name)
	}
}
