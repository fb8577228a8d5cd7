package rows_test

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"
	"golang.org/x/tools/txtar"

	"github.com/lockstep-db/lockstep/runtime/rows"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// open returns a connection to a new database with the schema. Foreign keys are enforced, or not.
func open(t testing.TB, schema string, enforced bool) *sql.Conn {
	t.Helper()
	prepare := func(c *sqlite3.Conn) error {
		return errors.Join(fts5.Register(c), rtree.Register(c), c.Exec(fmt.Sprintf("PRAGMA foreign_keys = %t", enforced)))
	}
	db, err := driver.Open(":memory:", prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	mustExec(t, conn, schema)
	return conn
}

func mustExec(t testing.TB, conn *sql.Conn, query string) {
	t.Helper()
	if _, err := conn.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%v: %s", err, query)
	}
}

func fill(t testing.TB, conn *sql.Conn, opts rows.Options) *rows.Filling {
	t.Helper()
	filling, err := rows.Fill(t.Context(), conn, opts)
	if err != nil {
		t.Fatal(err)
	}
	return filling
}

// lines returns the rows of a query.
func lines(t testing.TB, conn *sql.Conn, query string) (found []string) {
	t.Helper()
	r, err := conn.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatalf("%v: %s", err, query)
	}
	defer r.Close()
	columns, _ := r.Columns()
	for r.Next() {
		values, dest := make([]sql.NullString, len(columns)), make([]any, len(columns))
		for i := range values {
			dest[i] = &values[i]
		}
		if err := r.Scan(dest...); err != nil {
			t.Fatal(err)
		}
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = v.String
		}
		found = append(found, strings.Join(texts, "|"))
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return found
}

// checkSound fails if SQLite finds anything wrong.
func checkSound(t testing.TB, conn *sql.Conn) {
	t.Helper()
	if got := lines(t, conn, "PRAGMA integrity_check"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("integrity_check: %s", got)
	}
	if got := lines(t, conn, "PRAGMA foreign_key_check"); len(got) > 0 {
		t.Errorf("foreign_key_check: %s", got)
	}
}

// TestSchemas fills what applications have.
func TestSchemas(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/schemas.txtar")
	if err != nil {
		t.Fatal(err)
	}
	tables, empty := 0, 0
	for _, file := range archive.Files {
		t.Run(strings.TrimSuffix(file.Name, ".sql"), func(t *testing.T) {
			schema := string(file.Data)
			conn := open(t, schema, false)
			before := lines(t, conn, "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2")
			filling := fill(t, conn, rows.Options{})
			checkSound(t, conn)
			if after := lines(t, conn, "SELECT type, name, sql FROM sqlite_schema ORDER BY 1, 2"); !slices.Equal(after, before) {
				t.Errorf("schema: got %q, want %q", after, before)
			}
			names := lines(t, conn, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite%' AND name NOT IN (SELECT name FROM sqlite_schema WHERE sql LIKE '%fts5vocab%')")
			tables += len(names)
			empty += len(filling.Empty)
			for _, e := range filling.Empty {
				t.Logf("%s: %s", e.Table, e.Reason)
			}

			// The statements make the same rows, also where foreign keys are enforced.
			enforced := open(t, schema, true)
			again := fill(t, enforced, rows.Options{})
			if !slices.Equal(again.Inserts, filling.Inserts) {
				t.Error("another time, other rows")
			}
			pasted := open(t, schema, false)
			for _, trigger := range lines(t, pasted, "SELECT name FROM sqlite_schema WHERE type = 'trigger'") {
				mustExec(t, pasted, "DROP TRIGGER "+trigger)
			}
			for _, insert := range filling.Inserts {
				mustExec(t, pasted, insert.SQL)
			}
			for _, name := range names {
				if name == "lines" {
					continue // it does not know what it has
				}
				query := "SELECT * FROM " + sqltext.Quote(name)
				if got, want := lines(t, pasted, query), lines(t, conn, query); !slices.Equal(got, want) {
					t.Errorf("%s: pasted: got %q, want %q", name, got, want)
				}
			}
		})
	}
	if empty*50 > tables {
		t.Errorf("%d of %d tables are empty; want at most 2 percent", empty, tables)
	}
	t.Logf("%d of %d tables are filled", tables-empty, tables)
}

// TestKinds shows the rows.
func TestKinds(t *testing.T) {
	conn := open(t, `CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, stars INTEGER, UNIQUE (title, stars))`, false)
	fill(t, conn, rows.Options{})
	want := []string{"1|title 2|3", "4|title 5|6", "7|title 8|", "9|title 2|10", "11|TITLE 2|3", "12|title 2 |3", "13||0"}
	got := lines(t, conn, "SELECT * FROM notes")
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	got = lines(t, conn, "SELECT seq > (SELECT max(id) FROM notes) FROM sqlite_sequence")
	if !slices.Equal(got, []string{"1"}) {
		t.Errorf("the last id was not deleted: %q", got)
	}
}
