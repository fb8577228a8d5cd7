package script_test

import (
	"context"
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

// TestCopy looks at the private copy, and at what comes of it in the place of databases
// that are not what most are.
func TestCopy(t *testing.T) {
	s := schema(t, shop, 6)
	const first = `
-- 0001-items.py --
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("CREATE TABLE items (name TEXT)")
db.execute("INSERT INTO items VALUES ('é')")
db.commit()
-- 0001-items.py.sql --
CREATE TABLE items (name TEXT);
`
	for _, journal := range []string{"delete", "wal"} {
		t.Run("IsAloneWithTheScript/"+journal, func(t *testing.T) {
			path := shopAt(t, 2, journal)
			s := withScript(s, `import os, sys; sys.exit(" ".join(sorted(os.listdir(os.path.dirname(sys.argv[1])))))`)
			err := lockstep.Migrate(t.Context(), connect(t, path), s)
			want := "data.db: 0003-cents.py: exit status 1; rolled back, still at 0002: 0003-cents.py data.db"
			if got := message(err, path); got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
		})
		t.Run("MayHaveAnyName/"+journal, func(t *testing.T) {
			for _, name := range []string{"scratch", "copy"} {
				path := filepath.Join(t.TempDir(), name)
				db := connect(t, path, "_pragma=journal_mode("+journal+")")
				if err := lockstep.Migrate(t.Context(), db, s); err != nil {
					t.Error(message(err, path))
				}
				db.Close()
				if got := look(t, path); !strings.HasPrefix(got, "0006 items:500") {
					t.Errorf("got %s", got)
				}
			}
		})
		// Of a database with nothing in it, only the program's connection knows what it
		// shall be.
		t.Run("OfANewDatabaseIsWhatTheProgramSays/"+journal, func(t *testing.T) {
			for _, s := range []*lockstep.Schema{s, schema(t, first, 1)} {
				path := filepath.Join(t.TempDir(), "data.db")
				db := connect(t, path, "_pragma=page_size(8192)", "_pragma=encoding('UTF-16le')", "_pragma=auto_vacuum(2)", "_pragma=journal_mode("+journal+")")
				if err := lockstep.Migrate(t.Context(), db, s); err != nil {
					t.Error(message(err, path))
				}
				db.Close()
				db = connect(t, path)
				for pragma, want := range map[string]string{"encoding": "UTF-16le", "page_size": "8192", "auto_vacuum": "2", "journal_mode": journal, "integrity_check": "ok"} {
					if got := one(t, db, "PRAGMA "+pragma); got != want {
						t.Errorf("%v: %s: got %s, want %s", s.Expected, pragma, got, want)
					}
				}
				db.Close()
			}
		})
		t.Run("GoesWhenTheContextEndsAtTheLastMoment/"+journal, func(t *testing.T) {
			path := shopAt(t, 2, journal)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			err := lockstep.Migrate(ctx, connect(t, path), s, lockstep.WithProgress(func(p lockstep.Progress) {
				if p.Version == 6 && p.Statement == 0 && p.Done {
					cancel()
				}
			}))
			const want = "data.db: interrupted: context canceled; rolled back, still at 0002"
			if got := message(err, path); !errors.Is(err, context.Canceled) || got != want {
				t.Errorf("got %s\nwant %s", got, want)
			}
			if got := look(t, path); got != oldShop {
				t.Errorf("got %s, want %s", got, oldShop)
			}
		})
	}
	t.Run("IsNotBlamedOnTheScriptWhenTheDatabaseIsDamaged", func(t *testing.T) {
		path := shopAt(t, 2, "delete")
		db := connect(t, path, "_pragma=ignore_check_constraints(1)")
		for _, q := range []string{"ALTER TABLE orders ADD COLUMN n CHECK (n > 0)", "UPDATE orders SET n = -1"} {
			if _, err := db.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		db.Close()
		err := lockstep.Migrate(t.Context(), connect(t, path), s)
		const want = "data.db: 0003-cents.py: the database was damaged before the script ran: integrity_check: CHECK constraint failed in orders; rolled back, still at 0002: done"
		if got := message(err, path); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	})
}

// TestOddDatabases has upgrades with scripts, and a backup before them, of databases that
// have what is easily lost when one is copied.
func TestOddDatabases(t *testing.T) {
	s := schema(t, shop, 6)
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
	queries := []string{
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
	modules := func(conn *sqlite3.Conn) error { return errors.Join(fts5.Register(conn), rtree.Register(conn)) }
	connect := func(t *testing.T, path string, settings ...string) *sql.DB {
		db, err := ncruces.Open(dsn(path, settings...), modules)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { db.Close() })
		return db
	}
	look := func(t *testing.T, path string) string {
		db := connect(t, path)
		defer db.Close()
		var b strings.Builder
		for _, q := range queries {
			b.WriteString(q + ": " + one(t, db, q) + "\n")
		}
		return b.String()
	}
	for _, c := range []struct{ name, page, encoding, vacuum, journal string }{
		{"SmallPages", "512", "UTF-16be", "1", "delete"},
		{"SmallPagesWAL", "512", "UTF-8", "2", "wal"},
		{"LargePages", "65536", "UTF-8", "0", "truncate"},
		{"LargePagesWAL", "65536", "UTF-16le", "0", "wal"},
	} {
		t.Run(c.name+"LoseNothing", func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "data.db")
			db := connect(t, path, "_pragma=page_size("+c.page+")", "_pragma=encoding('"+c.encoding+"')", "_pragma=auto_vacuum("+c.vacuum+")")
			if err := lockstep.Migrate(t.Context(), db, schema(t, shop, 2)); err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec(odd + c.journal); err != nil {
				t.Fatal(err)
			}
			db.Close()
			before := look(t, path)
			db = connect(t, path)
			if err := lockstep.Migrate(t.Context(), db, s, lockstep.WithBackup(1), script.WithConn(modules)); err != nil {
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
			if got := look(t, path); got != before {
				t.Errorf("after the upgrade:\n%swant\n%s", got, before)
			}
			backups, err := lockstep.Backups(path)
			if err != nil || len(backups) != 1 {
				t.Fatalf("got %v, %v", backups, err)
			}
			if got := look(t, backups[0].Path); got != before {
				t.Errorf("the backup:\n%swant\n%s", got, before)
			}
		})
	}
}
