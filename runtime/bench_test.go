package lockstep_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
)

// Each benchmark does the same without lockstep and with it, by turns in one run. The
// ratio is what it is for: it depends less on the machine than the times do.
//
//	go test -run=- -bench='Start|New' -benchtime=3s ./runtime
//	go test -run=- -bench=Rebuild -benchtime=5x ./runtime -args -long

// realistic is what the data source name of a server's database says.
var realistic = []string{"_pragma=busy_timeout(5000)", "_pragma=journal_mode(wal)", "_pragma=foreign_keys(1)"}

// journals are two kinds of data source names: of a server's database, and one that says
// nothing.
var journals = []struct {
	name     string
	settings []string
}{{"wal", realistic}, {"plain", nil}}

// BenchmarkStart measures the time from sql.Open to the answer of the application's
// first query, on a database that is at head.
func BenchmarkStart(b *testing.B) {
	for _, size := range []struct{ migrations, tables int }{{10, 10}, {100, 10}, {1000, 10}, {100, 100}, {1000, 1000}} {
		for _, journal := range journals {
			b.Run(fmt.Sprintf("migrations=%d/tables=%d/dsn=%s", size.migrations, size.tables, journal.name), func(b *testing.B) {
				s := embedded(b, library(size.migrations, size.tables))
				path := filepath.Join(b.TempDir(), "data.db")
				db := connect(b, path, journal.settings...)
				if err := lockstep.Migrate(b.Context(), db, s); err != nil {
					b.Fatal(err)
				}
				db.Close()
				start := func(migrate bool) time.Duration {
					begun := time.Now()
					db, err := sql.Open("sqlite3", dsn(path, journal.settings...))
					if err == nil && migrate {
						err = lockstep.Migrate(b.Context(), db, s)
					}
					var title string
					if err == nil {
						err = db.QueryRowContext(b.Context(), "SELECT title FROM t1 WHERE parent = ? ORDER BY id", 1).Scan(&title)
					}
					took := time.Since(begun)
					if err != nil || title != "first" {
						b.Fatal(title, err)
					}
					db.Close()
					return took
				}
				compare(b, func() time.Duration { return start(false) }, func() time.Duration { return start(true) })
			})
		}
	}
}

// full is what an upgrade is compared with: it waits for the disk, whatever the data source
// name says. (In a folder in memory it does not wait, which leaves what is computed.)
const full = "_pragma=synchronous(FULL)"

// BenchmarkNew measures the time from sql.Open to the end of all migrations of a new
// database, against the same files executed in one transaction.
func BenchmarkNew(b *testing.B) {
	for _, n := range []int{10, 100, 1000} {
		for _, journal := range journals {
			b.Run(fmt.Sprintf("migrations=%d/dsn=%s", n, journal.name), func(b *testing.B) {
				s := embedded(b, library(n, n))
				settings := append(slices.Clone(journal.settings), full)
				create := func(migrate func(*sql.DB) error) time.Duration {
					path := filepath.Join(b.TempDir(), "data.db")
					begun := time.Now()
					db, err := sql.Open("sqlite3", dsn(path, settings...))
					if err == nil {
						err = migrate(db)
					}
					took := time.Since(begun)
					if err != nil {
						b.Fatal(err)
					}
					db.Close()
					return took
				}
				plain := func(db *sql.DB) error {
					return transact(b.Context(), db, func(conn *sql.Conn) error {
						for _, m := range s.Migrations {
							text, err := fs.ReadFile(s.Files, m.File)
							if err == nil {
								_, err = conn.ExecContext(b.Context(), string(text))
							}
							if err != nil {
								return err
							}
						}
						return nil
					})
				}
				with := func(db *sql.DB) error { return lockstep.Migrate(b.Context(), db, s) }
				compare(b, func() time.Duration { return create(plain) }, func() time.Duration { return create(with) })
			})
		}
	}
}

// BenchmarkRebuild measures an upgrade that rebuilds a table of 100,000 rows (with
// -long, 1,000,000) that another one references, against the same script. SQLite's
// documentation has such a script end in PRAGMA foreign_key_check, which lockstep
// runs by itself: the script is measured with it and without.
//
// https://sqlite.org/lang_altertable.html#otheralter
func BenchmarkRebuild(b *testing.B) {
	n := 100_000
	if *long {
		n = 1_000_000
	}
	const rebuild = `CREATE TABLE items_new (
	id INTEGER PRIMARY KEY, name TEXT NOT NULL CHECK (name <> ''), price INTEGER NOT NULL, note TEXT);
INSERT INTO items_new SELECT id, name, price, note FROM items;
DROP TABLE items;
ALTER TABLE items_new RENAME TO items;
CREATE INDEX items_by_name ON items (name);
`
	files := fstest.MapFS{
		"0001-items.sql": {Data: fmt.Appendf(nil, `CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, price INTEGER, note TEXT);
CREATE INDEX items_by_name ON items (name);
CREATE TABLE tags (item INTEGER NOT NULL REFERENCES items ON DELETE CASCADE, tag TEXT NOT NULL);
CREATE INDEX tags_by_item ON tags (item);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)
INSERT INTO items SELECT i, 'item ' || (i * 7919 %% %[1]d), i, 'a note of some length about item ' || i FROM n;
INSERT INTO tags SELECT id, 'tag ' || id %% 10 FROM items WHERE id %% 4 = 0;
`, n)},
	}
	first := embedded(b, files)
	files["0002-rebuild-items.sql"] = &fstest.MapFile{Data: []byte(rebuild)}
	second := embedded(b, files)

	old := filepath.Join(b.TempDir(), "old.db")
	db := connect(b, old, unsynced)
	if err := lockstep.Migrate(b.Context(), db, first); err != nil {
		b.Fatal(err)
	}
	db.Close()

	for _, check := range []bool{true, false} {
		b.Run(fmt.Sprintf("rows=%d/check=%v", n, check), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "data.db")
			var allocated [2][]uint64 // bytes, by Go
			upgrade := func(i int, migrate func(*sql.DB) error) time.Duration {
				copyFile(b, old, path)
				db := connect(b, path, append(realistic, full)...)
				defer db.Close()
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				begun := time.Now()
				if err := migrate(db); err != nil {
					b.Fatal(err)
				}
				took := time.Since(begun)
				runtime.ReadMemStats(&after)
				allocated[i] = append(allocated[i], after.TotalAlloc-before.TotalAlloc)
				return took
			}
			plain := func(db *sql.DB) error {
				return transact(b.Context(), db, func(conn *sql.Conn) error {
					_, err := conn.ExecContext(b.Context(), rebuild)
					if err == nil && check {
						err = drain(conn.QueryContext(b.Context(), "PRAGMA foreign_key_check"))
					}
					return err
				})
			}
			with := func(db *sql.DB) error { return lockstep.Migrate(b.Context(), db, second) }
			compare(b, func() time.Duration { return upgrade(0, plain) }, func() time.Duration { return upgrade(1, with) })
			b.ReportMetric(float64(slices.Max(allocated[0])), "plain-B")
			b.ReportMetric(float64(slices.Max(allocated[1])), "lockstep-B")
		})
	}
}

// compare runs two functions by turns, and reports the medians of the times that they
// return, and of the ratios of those that are neighbours: a machine that becomes slower
// in between does not change them. Each goes first as often as second. What they do
// the first time of all is not counted: a system that has nothing to write to its disk
// is faster.
func compare(b *testing.B, plain, with func() time.Duration) {
	b.Helper()
	plain()
	with()
	var without, took, ratio []float64
	for b.Loop() {
		x := plain()
		y := with() + with()
		x += plain()
		without, took = append(without, x.Seconds()/2), append(took, y.Seconds()/2)
		ratio = append(ratio, y.Seconds()/x.Seconds())
	}
	b.ReportMetric(0, "ns/op") // of all four, and of what is not measured
	b.ReportMetric(1e6*median(without), "plain-µs")
	b.ReportMetric(1e6*median(took), "lockstep-µs")
	b.ReportMetric(median(ratio), "ratio")
}

func median(x []float64) float64 {
	slices.Sort(x)
	return x[len(x)/2]
}

// transact does what a program without lockstep does: f in one transaction, with
// foreign keys off meanwhile.
func transact(ctx context.Context, db *sql.DB, f func(*sql.Conn) error) error {
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	for _, q := range []string{"PRAGMA foreign_keys = OFF", "BEGIN IMMEDIATE"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	if err := f(conn); err != nil {
		return err
	}
	for _, q := range []string{"COMMIT", "PRAGMA foreign_keys = ON"} {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// drain reads all rows.
func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	src, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer src.Close()
	dst, err := os.Create(to)
	if err != nil {
		b.Fatal(err)
	}
	defer dst.Close()
	if _, err := io.Copy(dst, src); err != nil {
		b.Fatal(err)
	}
	// What the system still has to write of the copy is no part of what follows.
	if err := dst.Sync(); err != nil {
		b.Fatal(err)
	}
}

// embedded generates the schema of a program, and gives it its files as package embed
// would: in a sorted list, with names that are cut off paths. (fstest.MapFS looks
// through all that it has for each listing.)
func embedded(b testing.TB, files fstest.MapFS) *lockstep.Schema {
	b.Helper()
	s := fixture.Schema(b, "sqlite3", files)
	e := embedFS{MapFS: maps.Clone(files)}
	for _, m := range s.Migrations {
		e.entries = append(e.entries, &embedEntry{path: m.File})
	}
	s.Files = e
	return s
}

type embedFS struct {
	fstest.MapFS
	entries []fs.DirEntry
}

func (e embedFS) Open(string) (fs.File, error) { return embedFolder{entries: e.entries}, nil }

func (e embedFS) ReadFile(name string) ([]byte, error) { return bytes.Clone(e.MapFS[name].Data), nil }

type embedFolder struct {
	fs.File
	entries []fs.DirEntry
}

func (d embedFolder) Close() error                       { return nil }
func (d embedFolder) ReadDir(int) ([]fs.DirEntry, error) { return slices.Clone(d.entries), nil }

type embedEntry struct {
	fs.DirEntry
	path string
}

func (e *embedEntry) Name() string { return e.path[strings.LastIndexByte(e.path, '/')+1:] }

// library returns n migrations that leave so many tables. Those beyond the tables
// change what is there, as the later ones of a program do.
func library(n, tables int) fstest.MapFS {
	files := fstest.MapFS{}
	for i := 1; i <= n; i++ {
		table, parent := fmt.Sprintf("t%d", 1+(i-1)%tables), fmt.Sprintf("t%d", max(1, i/2))
		var name, text string
		switch {
		case i <= tables:
			name = "create-" + table
			text = `-- What there is to know of one kind of thing.
CREATE TABLE $T (
	id INTEGER PRIMARY KEY,
	parent INTEGER REFERENCES $P ON DELETE CASCADE,
	title TEXT NOT NULL CHECK (title <> ''),
	author TEXT NOT NULL DEFAULT '',
	price INTEGER NOT NULL DEFAULT 0,
	created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX $T_by_parent ON $T (parent);
INSERT INTO $T (id, parent, title) VALUES (1, 1, 'first'), (2, 1, 'second');
`
		case i%2 == 0:
			name = "index-" + table
			text = `DROP INDEX IF EXISTS $T_by_title;
CREATE INDEX $T_by_title ON $T (title, price);
`
		default:
			name = "correct-" + table
			text = `UPDATE $T SET price = price + 1 WHERE title <> 'first';
INSERT INTO $T (parent, title, author) SELECT 1, 'one more', 'somebody';
`
		}
		text = strings.NewReplacer("$T", table, "$P", parent).Replace(text)
		files[fmt.Sprintf("%04d-%s.sql", i, name)] = &fstest.MapFile{Data: []byte(text)}
	}
	return files
}
