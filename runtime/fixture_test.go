package lockstep_test

import (
	"database/sql"
	"flag"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

var long = flag.Bool("long", false, "test every failure point, every combination and large tables, where a plain run takes samples")

// shop are the migrations that are interrupted here, in all ways there are. Each
// shows it when it has run twice, in rows or by failing.
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
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40)
INSERT INTO customers SELECT i, 'customer ' || i FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO orders SELECT i, 1 + i % 40, i, hex(zeroblob(100)) FROM n;
INSERT INTO runs VALUES (1);
-- 0002-index-orders.sql --
CREATE INDEX orders_by_customer ON orders (customer, total);
CREATE TRIGGER orders_are_positive BEFORE UPDATE ON orders WHEN new.total < 0 BEGIN
	SELECT raise(ABORT, 'total is negative');
END;
INSERT INTO runs VALUES (2);
-- 0003-rebuild-customers.sql --
PRAGMA foreign_keys = OFF;
PRAGMA legacy_alter_table = ON;
CREATE TABLE customers_new (id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''), since TEXT);
INSERT INTO customers_new (id, name) SELECT id, name FROM customers;
DROP TABLE customers;
ALTER TABLE customers_new RENAME TO customers;
PRAGMA legacy_alter_table = OFF;
INSERT INTO runs VALUES (3);
-- 0004-raise-totals.sql --
UPDATE orders SET total = total + 1, note = 'raised ' || note;
INSERT INTO runs VALUES (4);
-- 0005-list-orders.sql --
CREATE VIEW list AS SELECT name, total FROM customers JOIN orders ON customer = customers.id;
DELETE FROM orders WHERE id % 3 = 0;
INSERT INTO runs VALUES (5);
`

// schema returns what a program expects that has the first n files of a txtar
// archive.
func schema(t testing.TB, archive string, n int) *lockstep.Schema {
	t.Helper()
	files := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(archive)).Files[:n] {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	return fixture.Schema(t, "sqlite3", files)
}

// fileAt returns the path of a new file that the first n migrations of an archive
// were applied to. With none, it is not there.
func fileAt(t testing.TB, archive string, n int, settings ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "data.db")
	if n > 0 {
		db := connect(t, path, append(settings, unsynced)...)
		if err := lockstep.Migrate(t.Context(), db, schema(t, archive, n)); err != nil {
			t.Fatal(err)
		}
		db.Close()
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

func dsn(path string, settings ...string) string {
	return "file:" + filepath.ToSlash(path) + "?" + strings.Join(settings, "&")
}

// unsynced is for connections that prepare or look at a file.
const unsynced = "_pragma=synchronous(0)"

// contents returns all that a file holds, but for times and the schema cookie. It
// fails the test if the file is damaged. An empty database is "".
func contents(t testing.TB, path string, settings ...string) string {
	t.Helper()
	db := connect(t, path, append(settings, unsynced)...)
	defer db.Close()
	if got := strings.Join(rows(t, db, "PRAGMA integrity_check"), "\n"); got != "ok" {
		t.Fatalf("%s is damaged: %s", path, got)
	}
	var b strings.Builder
	objects := rows(t, db, "SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
	for _, object := range objects {
		b.WriteString(object + "\n")
	}
	for _, object := range objects {
		name, isTable := strings.CutPrefix(object, "table|")
		if !isTable {
			continue
		}
		name, _, _ = strings.Cut(name, "|")
		columns := "*"
		if name == "_lockstep_history" {
			columns = "version, file, checksum, program, digest, fingerprint, cookie IS NULL"
		}
		for _, row := range rows(t, db, "SELECT "+columns+" FROM "+name) {
			b.WriteString(name + ": " + row + "\n")
		}
	}
	return b.String()
}

// querier is a pool or a connection.
type querier interface {
	Query(query string, args ...any) (*sql.Rows, error)
}

// rows returns the rows of a query, the values separated by "|".
func rows(t testing.TB, db querier, q string) []string {
	t.Helper()
	rows, err := sqlite.Lines(db.Query(q))
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return rows
}
