package script_test

import (
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	ncruces "github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/script"
)

// What is easily lost when a database is copied.
const odd = `
PRAGMA application_id = 77;
PRAGMA user_version = 88;
CREATE TABLE sequence (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT);
INSERT INTO sequence VALUES (5, 'x'), (900, 'é');
DELETE FROM sequence WHERE id = 900;
CREATE TABLE rows (a);
INSERT INTO rows (rowid, a) VALUES (3, 'three'), (70, NULL), (-5, 1.5);
CREATE TABLE strict (a ANY, b TEXT NOT NULL, PRIMARY KEY (b, a)) STRICT, WITHOUT ROWID;
INSERT INTO strict VALUES ('1', 'x'), (1, 'x'), (x'00ff', 'y');
CREATE TABLE made (a INTEGER, b TEXT AS (a || 'b') STORED, c AS (a + 1));
INSERT INTO made (a) VALUES (1), (2);
CREATE INDEX part ON made (c) WHERE a > 1;
CREATE INDEX expression ON made (lower(b) COLLATE NOCASE DESC);
CREATE TABLE huge (a BLOB);
INSERT INTO huge VALUES (zeroblob(3000000));
CREATE VIEW foreign_view AS SELECT unknown_function(a) AS a FROM rows;
CREATE TRIGGER foreign_trigger AFTER INSERT ON rows BEGIN SELECT unknown_function(new.a); END;
CREATE VIRTUAL TABLE boxes USING rtree (id, a, b);
INSERT INTO boxes VALUES (1, 2, 3);
CREATE VIRTUAL TABLE words USING fts5 (a, content = rows);
INSERT INTO words (words) VALUES ('rebuild');
PRAGMA journal_mode = `

var oddQueries = []string{
	"PRAGMA application_id", "PRAGMA user_version", "PRAGMA page_size", "PRAGMA encoding", "PRAGMA auto_vacuum",
	"SELECT group_concat(quote(seq)) FROM sqlite_sequence WHERE name = 'sequence'",
	"SELECT group_concat(quote(id) || quote(a)) FROM sequence",
	"SELECT group_concat(rowid || quote(a)) FROM (SELECT rowid, a FROM rows ORDER BY rowid)",
	"SELECT group_concat(quote(a) || quote(b)) FROM strict",
	"SELECT group_concat(a || b || c) FROM made",
	"SELECT count(*) || max(c) FROM made INDEXED BY part WHERE a > 1",
	"SELECT length(a) FROM huge",
	"SELECT group_concat(id || a || b) FROM boxes",
	"SELECT group_concat(rowid) FROM words ('three')",
	"SELECT group_concat(sql) FROM (SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT IN ('items', 'items_by_cents', 'totals') ORDER BY type, name)",
	"SELECT group_concat(rowid || name) FROM items",
	"PRAGMA integrity_check",
}

func oddModules(conn *sqlite3.Conn) error {
	return errors.Join(fts5.Register(conn), rtree.Register(conn))
}

func connectOdd(t *testing.T, path string, settings ...string) *sql.DB {
	db, err := ncruces.Open(dsn(path, settings...), oddModules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func lookOdd(t *testing.T, path string) string {
	db := connectOdd(t, path)
	defer db.Close()
	var b strings.Builder
	for _, q := range oddQueries {
		b.WriteString(q + ": " + one(t, db, q) + "\n")
	}
	return b.String()
}

// TestOddDatabases upgrades such databases with scripts, after a backup.
func TestOddDatabases(t *testing.T) {
	s := schema(t, shop, 6)
	for _, c := range []struct{ name, page, encoding, vacuum, journal string }{
		{"SmallPages", "512", "UTF-16be", "1", "delete"},
		{"SmallPagesWAL", "512", "UTF-8", "2", "wal"},
		{"LargePages", "65536", "UTF-8", "0", "truncate"},
		{"LargePagesWAL", "65536", "UTF-16le", "0", "wal"},
	} {
		t.Run(c.name+"LoseNothing", func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data.db")
			db := connectOdd(t, path, "_pragma=page_size("+c.page+")", "_pragma=encoding('"+c.encoding+"')", "_pragma=auto_vacuum("+c.vacuum+")")
			if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 2)); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(odd + c.journal); err != nil {
				t.Fatal(err)
			}
			db.Close()
			before := lookOdd(t, path)
			db = connectOdd(t, path)
			if err := lockstep.Migrate(t.Context(), db, s, lockstep.WithBackup(1), script.WithConn(oddModules)); err != nil {
				t.Fatal(message(err, path))
			}
			if got := glance(t, db); got != newShop {
				t.Errorf("got %s, want %s", got, newShop)
			}
			if got := one(t, db, "PRAGMA journal_mode"); (got == "wal") != (c.journal == "wal") {
				t.Errorf("got journal mode %s, want %s", got, c.journal)
			}
			if err := lockstep.Check(t.Context(), db, s); err != nil {
				t.Error(err)
			}
			db.Close()
			if got := lookOdd(t, path); got != before {
				t.Errorf("after the upgrade:\n%swant\n%s", got, before)
			}
			backups, err := lockstep.Backups(path)
			if err != nil || len(backups) != 1 {
				t.Fatalf("got %v, %v", backups, err)
			}
			if got := lookOdd(t, backups[0].Path); got != before {
				t.Errorf("the backup:\n%swant\n%s", got, before)
			}
		})
	}
}
