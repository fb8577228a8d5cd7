package dqlite

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/canonical/go-dqlite/app"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/internal/suite/fixture"
	"github.com/lockstep-db/lockstep/runtime/script"
)

// newNode starts a cluster of one node in this process.
func newNode(t *testing.T) *app.App {
	t.Chdir(t.TempDir()) // in which a name is the file of no database
	node, err := app.New(t.TempDir(), app.WithAddress(address(t)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Close() })
	if err := node.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	return node
}

// TestRefused is about what cannot be done here: it is said before anything runs. The suite has
// more of it, as what a migration in Go must not execute.
func TestRefused(t *testing.T) {
	node := newNode(t)
	const alone = "-- lockstep: no-transaction\n"
	for _, c := range []struct {
		name, file, text string
		program          lockstep.Program
		opt              lockstep.Option
		want             string
	}{
		{"AMigrationWithoutATransaction", "0003-three.sql", alone + "CREATE INDEX IF NOT EXISTS i ON two (a);\n", nil, nil,
			"0003-three.sql: a database on a server can lose its connection in the middle; write the migration without no-transaction; nothing ran, still at 0001"},
		{"AJournalMode", "0003-three.sql", alone + "PRAGMA journal_mode = delete;\n", nil, nil, // which would end the node
			"0003-three.sql: a database on a server can lose its connection in the middle; write the migration without no-transaction; nothing ran, still at 0001"},
		{"APageSizeAndVacuum", "0003-three.sql", alone + "PRAGMA page_size = 8192;\nVACUUM;\n", nil, nil,
			"0003-three.sql: a database on a server can lose its connection in the middle; write the migration without no-transaction; nothing ran, still at 0001"},
		{"AJournalModeInATransaction", "0003-three.sql", "CREATE TABLE three (a);\nPRAGMA main.journal_mode(delete);\n", nil, nil,
			"0003-three.sql: line 2: PRAGMA journal_mode works on a file, and can crash a server; leave it out; nothing ran, still at 0001"},
		{"AnExplainedPageSize", "0003-three.sql", "EXPLAIN PRAGMA page_size = 8192;\n", nil, nil, // which takes effect
			"0003-three.sql: line 1: PRAGMA page_size works on a file, and can crash a server; leave it out; nothing ran, still at 0001"},
		{"AVacuum", "0003-three.sql", "VACUUM;\n", nil, nil,
			"0003-three.sql: line 1: VACUUM works on a file, and can crash a server; leave it out; nothing ran, still at 0001"},
		{"AnotherFile", "0003-three.sql", "ATTACH ':memory:' AS other;\nDETACH other;\n", nil, nil,
			"0003-three.sql: line 1: ATTACH works on a file, and can crash a server; leave it out; nothing ran, still at 0001"},
		{"AMigrationInPython", "0003-three.py", "", script.Python, nil,
			"0003-three.py: scripts need the driver github.com/ncruces/go-sqlite3; this program uses github.com/canonical/go-dqlite/driver: write the migration in SQL or Go; nothing ran, still at 0001"},
		{"AMigrationInShell", "0003-three.sh", "", script.Shell, nil,
			"0003-three.sh: scripts need the driver github.com/ncruces/go-sqlite3; this program uses github.com/canonical/go-dqlite/driver: write the migration in SQL or Go; nothing ran, still at 0001"},
		{"ABackup", "0003-three.sql", "CREATE TABLE three (a);\n", nil, lockstep.WithBackup(1),
			"backup failed, still at 0001: the database's file is not known here; leave out WithBackup, and back it up where it is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := node.Open(t.Context(), strings.ToLower(c.name)+".db")
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			files := fstest.MapFS{"0001-one.sql": {Data: []byte("CREATE TABLE one (a);\n")}}
			if err := lockstep.Migrate(t.Context(), db, fixture.Schema(t, "sqlite3", files)); err != nil {
				t.Fatal(err)
			}
			state := func() (all string) {
				err := db.QueryRow("SELECT group_concat(sql) || (SELECT version FROM _meta) || (SELECT count(*) FROM _lockstep_history) FROM sqlite_master").Scan(&all)
				if err != nil {
					t.Fatal(err)
				}
				return all
			}
			before := state()
			files["0002-two.sql"] = &fstest.MapFile{Data: []byte("CREATE TABLE two (a);\n")}
			name := c.file
			if c.program != nil {
				name += ".sql" // in place of it
			}
			files[name] = &fstest.MapFile{Data: []byte(c.text)}
			s := fixture.Schema(t, "sqlite3", files)
			if c.program != nil {
				fixture.Replace(s, 2, c.file, c.program, "")
			}
			var opts []lockstep.Option
			if c.opt != nil {
				opts = append(opts, c.opt)
			}
			err = lockstep.Migrate(t.Context(), db, s, opts...)
			if got, want := fmt.Sprint(err), strings.ToLower(c.name)+".db: "+c.want; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
			if got := state(); got != before {
				t.Errorf("got\n%s\nwant\n%s", got, before)
			}
		})
	}
}

// TestRows has a migration in Go write while it reads more rows than dqlite sends at once.
func TestRows(t *testing.T) {
	db, err := newNode(t).Open(t.Context(), "rows.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const rows = 2000
	make := fmt.Sprintf("CREATE TABLE orders (id INTEGER PRIMARY KEY, total INTEGER, note TEXT);\nWITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT %d) INSERT INTO orders SELECT i, i, 'order ' || i FROM n;\n", rows)
	s := fixture.Schema(t, "sqlite3", fstest.MapFS{"0001-orders.sql": {Data: []byte(make)}, "0002-raise.sql": {}})
	fixture.Replace(s, 1, "0002-raise.go", lockstep.Go(func(ctx context.Context, tx lockstep.Tx) error { return fixture.Raise(ctx, tx) }), "")
	if err := lockstep.Migrate(t.Context(), db, s); err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM orders WHERE total = id + 1 AND note = 'raised order ' || id").Scan(&n); n != rows || err != nil {
		t.Errorf("%d of %d rows were raised: %v", n, rows, err)
	}
}
