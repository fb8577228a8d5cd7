package rows_test

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"
	"golang.org/x/tools/txtar"

	"github.com/lockstep-db/lockstep/runtime/rows"
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

// A row of NULLs refers to a parent by a column that is NOT NULL.
func TestRowsReferToParents(t *testing.T) {
	conn := open(t, "CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER NOT NULL REFERENCES a (id), c TEXT)", false)
	if filling := fill(t, conn, rows.Options{Tables: []string{"b"}}); len(filling.Empty) > 0 {
		t.Error(filling.Empty)
	}
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

// checkSound fails if SQLite finds anything wrong, or a full-text index that differs from its
// content.
func checkSound(t testing.TB, conn *sql.Conn) {
	t.Helper()
	if got := lines(t, conn, "PRAGMA integrity_check"); !slices.Equal(got, []string{"ok"}) {
		t.Errorf("integrity_check: %s", got)
	}
	for _, fts := range lines(t, conn, "SELECT name FROM sqlite_schema WHERE sql LIKE '%USING fts5(%' AND sql NOT LIKE '%content=''''%'") {
		mustExec(t, conn, fmt.Sprintf(`INSERT INTO "%s" ("%[1]s", rank) VALUES ('integrity-check', 1)`, fts))
	}
	if got := lines(t, conn, "PRAGMA foreign_key_check"); len(got) > 0 {
		t.Errorf("foreign_key_check: %s", got)
	}
}

// checkPasted fails if another time makes other rows, or the statements make others than
// those in conn.
func checkPasted(t testing.TB, schema string, conn *sql.Conn, filling *rows.Filling) {
	t.Helper()
	again := fill(t, open(t, schema, true), rows.Options{})
	if !slices.EqualFunc(again.Inserts, filling.Inserts, func(a, b rows.Insert) bool { return a.Table == b.Table && a.SQL == b.SQL }) {
		t.Error("another time, where foreign keys are enforced: other rows")
	}
	pasted := open(t, schema, false)
	for _, trigger := range lines(t, pasted, "SELECT name FROM sqlite_schema WHERE type = 'trigger'") {
		mustExec(t, pasted, "DROP TRIGGER "+trigger)
	}
	for _, insert := range filling.Inserts {
		mustExec(t, pasted, insert.SQL)
	}
	for _, name := range tables(t, conn) {
		query := "SELECT * FROM \"" + name + "\""
		if name == "lines" {
			continue // it does not know what it has
		}
		if got, want := lines(t, pasted, query), lines(t, conn, query); !slices.Equal(got, want) {
			t.Errorf("%s: pasted: got %q, want %q", name, got, want)
		}
	}
}

// tables returns the names of the tables that a program can write to.
func tables(t testing.TB, conn *sql.Conn) []string {
	t.Helper()
	return lines(t, conn, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual') AND name NOT LIKE 'sqlite%' AND name NOT IN (SELECT name FROM sqlite_schema WHERE sql LIKE '%fts5vocab%')")
}

// TestSchemas fills what applications have.
func TestSchemas(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/schemas.txtar")
	if err != nil {
		t.Fatal(err)
	}
	all, empty := 0, 0
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
			all += len(tables(t, conn))
			empty += len(filling.Empty)
			for _, e := range filling.Empty {
				t.Logf("%s: %s", e.Table, e.Reason)
			}

			checkPasted(t, schema, conn, filling)
		})
	}
	if empty*50 > all {
		t.Errorf("%d of %d tables are empty; want at most 2 percent", empty, all)
	}
}

// TestFill shows the rows.
func TestFill(t *testing.T) {
	for _, test := range []struct {
		claim, schema string
		opts          rows.Options
		query         string
		want          []string
	}{
		{"MakesRowsOfEachKind", "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, title TEXT NOT NULL, stars INTEGER, UNIQUE (title, stars))",
			rows.Options{}, "SELECT * FROM notes",
			[]string{"1|title 2|3", "4|title 5|6", "7|title 8|", "9|title 10|3", "11|title 2|12", "13|TITLE 2|3", "14|title 2 |3", "15||0"}},
		{"MakesTwoRowsWithTheOtherTruth", "CREATE TABLE notes (title TEXT NOT NULL, is_new INTEGER NOT NULL, deleted_at TEXT)",
			rows.Options{}, "SELECT title, is_new, deleted_at, count(*) FROM notes GROUP BY 1, 2, 3 HAVING count(*) > 1",
			[]string{"title 1|0|2024-01-04 11:03:00|2", "title 1|1||2"}},
		{"DeletesTheLastID", "CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT)",
			rows.Options{}, "SELECT seq - (SELECT max(id) FROM notes) FROM sqlite_sequence", []string{"1"}},
		{"WritesWhatNobodyWritesWhenAsked", "CREATE TABLE t (a TEXT NOT NULL, b INTEGER, c json, d); CREATE TABLE s (a TEXT) STRICT",
			rows.Options{Odd: true}, "SELECT typeof(a), typeof(b), json_valid(c), typeof(d) FROM t UNION ALL SELECT typeof(a), NULL, NULL, NULL FROM s",
			[]string{"text|text|0|text", "text|||"}},
		{"WritesMailThatDiffersInCase", "CREATE TABLE t (email TEXT NOT NULL UNIQUE)",
			rows.Options{}, "SELECT count(*) - count(DISTINCT lower(email)) FROM t", []string{"1"}},
		{"ComputesWhatIsGenerated", "CREATE TABLE t (data TEXT NOT NULL, tag AS (json_extract(data, '$.tag')))",
			rows.Options{}, "SELECT count(tag) > 3 FROM t", []string{"1"}},
		{"WritesDatesIntoDates", "CREATE TABLE t (day DATE, created_at TEXT NOT NULL, updatedAt INTEGER, is_new INTEGER, d DATETIME NOT NULL)",
			rows.Options{}, "SELECT day IS date(day), created_at = datetime(created_at), updatedAt BETWEEN 1700000000 AND 1800000000, is_new IN (0, 1), d = datetime(d) FROM t LIMIT 2",
			[]string{"1|1|1|1|1", "1|1|1|1|1"}},
		{"WritesNoDatesIntoWhatOnlyEndsLikeThem", "CREATE TABLE t (description TEXT NOT NULL, version TEXT NOT NULL, format TEXT NOT NULL, locatedAt TEXT NOT NULL)",
			rows.Options{}, "SELECT * FROM t LIMIT 1", []string{"description 1|version 2|format 3|2024-01-05 12:04:00"}},
		{"FillsWhatWasAskedForAndWhatItNeeds", `CREATE TABLE a (id INTEGER PRIMARY KEY); CREATE TABLE b (a INTEGER NOT NULL REFERENCES a, x TEXT); CREATE TABLE c (b INTEGER);
			CREATE VIRTUAL TABLE f USING fts5 (x, content=b)`,
			rows.Options{Tables: []string{"B"}}, "SELECT (SELECT count(*) > 3 FROM a), (SELECT count(*) > 3 FROM b), (SELECT count(*) FROM c), (SELECT count(*) FROM f WHERE f MATCH 'x') > 3", []string{"1|1|0|1"}},
		{"TakesAConflictForARefusal", "CREATE TABLE t (a TEXT NOT NULL UNIQUE ON CONFLICT REPLACE, b INTEGER UNIQUE ON CONFLICT ROLLBACK, c INTEGER NOT NULL UNIQUE ON CONFLICT IGNORE)",
			rows.Options{}, "SELECT count(*), count(DISTINCT a), count(DISTINCT c) FROM t", []string{"7|7|7"}},
		{"SaysWhatItCannotFill", "CREATE TABLE t (a INTEGER NOT NULL UNIQUE CHECK (a < 0 AND a > 0)); CREATE TABLE u (t INTEGER NOT NULL REFERENCES t (a))",
			rows.Options{}, "SELECT count(*) FROM t", []string{"0"}},
		{"TakesARowThatIsThere", "CREATE TABLE one (id INTEGER PRIMARY KEY CHECK (id = 1)); INSERT INTO one VALUES (1)",
			rows.Options{}, "SELECT count(*) FROM one", []string{"1"}},
		{"FiresNoTrigger", "CREATE TABLE a (x); CREATE TABLE log (x CHECK (x = 'no')); CREATE TRIGGER t BEFORE INSERT ON a BEGIN SELECT raise(ROLLBACK, 'never'); END",
			rows.Options{}, "SELECT count(*), (SELECT count(*) FROM sqlite_schema WHERE type = 'trigger') FROM a", []string{"7|1"}},
	} {
		t.Run(test.claim, func(t *testing.T) {
			conn := open(t, test.schema, false)
			filling := fill(t, conn, test.opts)
			checkSound(t, conn)
			if got := lines(t, conn, test.query); !slices.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q\n%v", got, test.want, filling)
			}
			if len(filling.Empty) > 0 && test.claim != "SaysWhatItCannotFill" {
				t.Error(filling.Empty)
			}
		})
	}
}

// A counter counts statements.
type counter struct {
	*sql.Conn
	n int
}

func (c *counter) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	c.n++
	return c.Conn.ExecContext(ctx, query, args...)
}

func (c *counter) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	c.n++
	return c.Conn.QueryContext(ctx, query, args...)
}

// TestFillIsBounded has a table with 50 columns and 20 CHECKs.
func TestFillIsBounded(t *testing.T) {
	for _, test := range []struct {
		claim, check string // of column %d and the next
		statements   int    // at most
		empty        int
	}{
		{"WhenItSucceeds", "CHECK (length(c%d) BETWEEN 5 AND %[2]d + 10)", 60, 0},
		{"WhenItFails", "CHECK (c%d < c%d || 'x' AND c%[2]d < c%[1]d)", 1020, 1},
		{"WhenFunctionsFail", "CHECK (json_extract(c%d, '$.' || 'no' || %d) IS NOT NULL)", 7000, 1},
	} {
		t.Run(test.claim, func(t *testing.T) {
			var columns, checks []string
			for i := range 50 {
				columns = append(columns, fmt.Sprintf("c%d TEXT NOT NULL", i))
				if i < 20 {
					checks = append(checks, fmt.Sprintf(test.check, i, i+1))
				}
			}
			c := &counter{Conn: open(t, "CREATE TABLE t ("+strings.Join(append(columns, checks...), ", ")+")", false)}
			filling, err := rows.Fill(t.Context(), c, rows.Options{})
			if err != nil || len(filling.Empty) != test.empty {
				t.Errorf("got %v, %v; want %d empty", filling, err, test.empty)
			}
			if c.n > test.statements {
				t.Errorf("%d statements; want at most %d", c.n, test.statements)
			}
		})
	}
}

var (
	long = flag.Bool("long", false, "fill a thousand schemas")
	seed = flag.Uint64("seed", 1, "of what is random")
)

// FuzzFill makes a schema of bytes, each a choice. (What Go's fuzzing adds to SQLite makes it
// so slow that a long run tries more without it.)
func FuzzFill(f *testing.F) {
	random := rand.New(rand.NewPCG(*seed, 2))
	n := 10
	if *long {
		n = 1000
		fmt.Printf("proof: seed %d of runtime/rows\nproof: %d executions of FuzzFill\n", *seed, n)
	}
	for range n {
		choices := make([]byte, 200)
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		schema := schemaOf(choices)
		conn := open(t, schema, false)
		filling := fill(t, conn, rows.Options{})
		checkSound(t, conn)
		checkPasted(t, schema, conn, filling)
		if t.Failed() {
			t.Log(schema)
		}
	})
}

func schemaOf(choices []byte) string {
	choose := func(of ...string) string {
		if len(choices) == 0 {
			return of[0]
		}
		c := choices[0]
		choices = choices[1:]
		return of[int(c)%len(of)]
	}
	var b strings.Builder
	for i := range 1 + len(choices)/60 {
		id := choose("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY AUTOINCREMENT", "id TEXT NOT NULL UNIQUE", "id INTEGER NOT NULL UNIQUE", "id INT PRIMARY KEY NOT NULL")
		fmt.Fprintf(&b, "CREATE TABLE t%d (%s", i, id)
		for j := range 2 + len(choose("", "1", "22", "333")) {
			fmt.Fprintf(&b, ", c%d %s %s %s", j, choose("TEXT", "INTEGER", "REAL", "BLOB", "DATE", "", "BOOLEAN"), choose("", "NOT NULL", "UNIQUE", "NOT NULL UNIQUE"),
				choose("", "", "", "COLLATE NOCASE", "DEFAULT 7", fmt.Sprintf("CHECK (c%d <> 3)", j), fmt.Sprintf("CHECK (c%d IN ('a', 2, 3.5, x'00'))", j), fmt.Sprintf("CHECK (length(c%d) < 9)", j)))
		}
		fmt.Fprintf(&b, ", r %s REFERENCES t%s (id)%s", choose("TEXT", "INTEGER", "", "TEXT NOT NULL", "INTEGER NOT NULL"), choose("0", fmt.Sprint(i), fmt.Sprint(i/2)), choose("", " ON DELETE CASCADE", " DEFERRABLE INITIALLY DEFERRED"))
		fmt.Fprintf(&b, "%s);\n", choose("", ", CHECK (c0 IS NULL OR c1 IS NULL OR c0 <> c1)", ", UNIQUE (c0, r)", ", UNIQUE (c0, c1)", ", g AS (c0 || 'x') UNIQUE", ", CHECK (c0 <= r)"))
		fmt.Fprint(&b, choose("", fmt.Sprintf("CREATE UNIQUE INDEX i%d ON t%[1]d (lower(c0)) WHERE r IS NOT NULL;\n", i), fmt.Sprintf("CREATE UNIQUE INDEX i%d ON t%[1]d (c0 COLLATE NOCASE, typeof(r));\n", i)))
	}
	return b.String()
}
