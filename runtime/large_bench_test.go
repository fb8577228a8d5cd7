package lockstep_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/gen/database"
	"github.com/lockstep-db/lockstep/runtime"
)

// BenchmarkLarge measures migrations that touch little of a large file, against the same
// script, and a backup against SQLite's backup API, from the time of opening it. The file has 100,000 rows that refer to
// others, or with -long 5,000,000 in 1 GiB.
//
//	go test -run=- -bench=Large -benchtime=3x ./runtime -args -long
func BenchmarkLarge(b *testing.B) {
	n := 100_000
	if *long {
		n = 5_000_000
	}
	files := fstest.MapFS{"0001-large.sql": {Data: []byte(`CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT);
CREATE TABLE items (id INTEGER PRIMARY KEY, owner INTEGER NOT NULL REFERENCES owners ON DELETE CASCADE, note TEXT);
CREATE INDEX items_by_owner ON items (owner);
CREATE TABLE labels (id INTEGER PRIMARY KEY, label TEXT);
CREATE INDEX labels_by_name ON labels (label);
`)}}
	old := filepath.Join(b.TempDir(), "old.db")
	db := connect(b, old, realistic...)
	if err := lockstep.Migrate(b.Context(), db, embedded(b, files)); err != nil {
		b.Fatal(err)
	}
	// One row lacks a parent, as rows of old files do.
	if _, err := db.Exec(fmt.Sprintf(`PRAGMA foreign_keys = OFF;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO items SELECT i, 1 + i / 50, hex(zeroblob(85)) FROM n;
INSERT INTO owners SELECT id, 'owner ' || id FROM items WHERE id <= %d;
INSERT INTO labels SELECT id, 'label ' || id FROM owners`, n, n/50)); err != nil {
		b.Fatal(err)
	}
	db.Close()

	path := filepath.Join(b.TempDir(), "data.db")
	for _, change := range []struct{ name, script string }{
		{"AddColumn", "ALTER TABLE items ADD COLUMN seen INTEGER NOT NULL DEFAULT 0;\n"},
		{"CreateTable", "CREATE TABLE more (id INTEGER PRIMARY KEY, owner INTEGER REFERENCES owners);\n"},
		{"RebuildOfASmallTable", `CREATE TABLE labels_new (id INTEGER PRIMARY KEY, label TEXT NOT NULL);
INSERT INTO labels_new SELECT id, label FROM labels;
DROP TABLE labels;
ALTER TABLE labels_new RENAME TO labels;
CREATE INDEX labels_by_name ON labels (label);
`},
		{"InsertIntoTheParent", "INSERT INTO owners (name) VALUES ('one more');\n"},
	} {
		files["0002-change.sql"] = &fstest.MapFile{Data: []byte(change.script)}
		second := embedded(b, files)
		b.Run(fmt.Sprintf("%s/rows=%d", change.name, n), func(b *testing.B) {
			upgrade := func(migrate func(*sql.DB) error) time.Duration {
				copyFile(b, old, path)
				begun := time.Now()
				db, err := sql.Open("sqlite3", dsn(path, append(realistic, full)...))
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				if err := migrate(db); err != nil {
					b.Fatal(err)
				}
				return time.Since(begun)
			}
			plain := func(db *sql.DB) error {
				return transact(b.Context(), db, func(conn *sql.Conn) error {
					_, err := conn.ExecContext(b.Context(), change.script)
					return err
				})
			}
			with := func(db *sql.DB) error { return lockstep.Migrate(b.Context(), db, second) }
			compare(b, func() time.Duration { return upgrade(plain) }, func() time.Duration { return upgrade(with) })
		})
	}
	b.Run(fmt.Sprintf("Backup/rows=%d", n), func(b *testing.B) { benchmarkBackup(b, old) })
}

func benchmarkBackup(b *testing.B, path string) {
	backUp := func(f func(to string) error) time.Duration {
		to := filepath.Join(filepath.Dir(path), "to.backup")
		defer os.Remove(to)
		begun := time.Now()
		if err := f(to); err != nil {
			b.Fatal(err)
		}
		return time.Since(begun)
	}
	plain := func(to string) error { return copyPages(b.Context(), path, to) }
	with := func(to string) error {
		db, err := database.Open(path)
		if err == nil {
			defer db.Close()
			_, err = db.Backup(b.Context(), to, false, time.Minute)
		}
		return err
	}
	compare(b, func() time.Duration { return backUp(plain) }, func() time.Duration { return backUp(with) })
}

// copyPages is .backup of the sqlite3 shell.
func copyPages(ctx context.Context, from, to string) error {
	db, err := driver.Open("file:" + filepath.ToSlash(from))
	if err != nil {
		return err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.Raw(func(c any) error { return c.(driver.Conn).Raw().Backup("main", "file:"+filepath.ToSlash(to)) })
}
