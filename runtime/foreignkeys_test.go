package lockstep_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// TestEffects compares the check of the tables that statements can affect with the check of
// all, and what they write with what SQLite's authorizer sees, for schemas, rows and
// statements by chance.
func TestEffects(t *testing.T) {
	n := 60
	if *long {
		n = 5_000
	}
	violated, spared := 0, 0
	for seed := range n {
		c := newChange(t)
		c.Rand = rand.New(rand.NewPCG(uint64(seed), 11))
		c.byChance()
		want, found := c.compare()
		if len(want) > 0 {
			violated++
		}
		if whole := c.find(c.after, nil); found < len(whole) {
			spared++
		}
		c.close()
	}
	if violated < n/5 || spared < n/5 {
		t.Errorf("of %d migrations, %d break a foreign key and %d leave tables with orphans alone; want more", n, violated, spared)
	}
}

// TestEffectsOf shows for each kind of statement that the comparison fails without it.
func TestEffectsOf(t *testing.T) {
	for _, test := range []struct{ without, schema, migration string }{
		{"INSERT.*", "", "INSERT INTO c VALUES (3, 9)"},
		{"INSERT.*", "", "WITH w (x) AS (VALUES (9)) INSERT INTO c SELECT x, x FROM w"},
		{"INSERT.*", "", "INSERT INTO main.'c' VALUES (3, 9)"},
		{"INSERT.*", "", "INSERT INTO c VALUES (3, 9); ALTER TABLE c RENAME TO d"},
		{"INSERT.*", "", "ALTER TABLE c RENAME TO d; INSERT INTO d VALUES (3, 9)"},
		{"OR REPLACE", "", "INSERT OR REPLACE INTO p VALUES (7, 'a')"},
		{"REPLACE.*", "", "REPLACE INTO p VALUES (7, 'a')"},
		{"ON CONFLICT REPLACE", "CREATE TABLE q (id INTEGER PRIMARY KEY, k UNIQUE ON CONFLICT REPLACE); INSERT INTO q VALUES (1, 1); CREATE TABLE d (q REFERENCES q); INSERT INTO d VALUES (1)", "INSERT INTO q VALUES (2, 1)"},
		{"OR REPLACE", "CREATE TABLE n (id); CREATE TRIGGER t AFTER INSERT ON n BEGIN INSERT INTO p VALUES (7, 'a'); END", "INSERT OR REPLACE INTO n VALUES (1)"},
		{"DO UPDATE.*", "", "INSERT INTO p VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET id = 7"},
		{"UPDATE.*", "", "UPDATE c SET p = 9"},
		{"UPDATE.*", "", "UPDATE OR IGNORE p SET id = 9"},
		{"UPDATE.*", "", "WITH w AS (SELECT 1) UPDATE p SET id = 9 WHERE id = 1"},
		{"DELETE.*", "", "DELETE FROM p"},
		{"DELETE.*", "", `WITH w AS (SELECT 1) DELETE FROM "main".[p]`},
		{"CREATE TRIGGER.*", "CREATE TABLE n (id); CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM p; END", "INSERT INTO n VALUES (1)"},
		{"CREATE TEMP TRIGGER.*", "CREATE TABLE n (id)", "CREATE TEMP TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM p; END; INSERT INTO n VALUES (1); DROP TRIGGER t"},
		{"CREATE TRIGGER.*", "CREATE VIEW v AS SELECT * FROM p; CREATE TRIGGER t INSTEAD OF DELETE ON v BEGIN DELETE FROM p; END", "DELETE FROM v"},
		{"CREATE TRIGGER.*", "CREATE TABLE n (id); CREATE TRIGGER t AFTER INSERT ON n BEGIN DELETE FROM p; END", "ALTER TABLE n RENAME TO m; INSERT INTO m VALUES (1)"},
		{"CREATE TRIGGER s.*", "CREATE TABLE n (id); CREATE TABLE x (id); CREATE TRIGGER t AFTER INSERT ON x BEGIN INSERT INTO n VALUES (1); END",
			"ALTER TABLE n RENAME TO m; CREATE TRIGGER s AFTER INSERT ON m BEGIN DELETE FROM p; END; INSERT INTO x VALUES (1)"},
		{"CREATE TABLE n.*", "", "CREATE TABLE n (k REFERENCES p (k))"},
		{"CREATE TABLE gone.*", "CREATE TABLE n (p REFERENCES gone (k))", "CREATE TABLE gone (id, k)"},
		{"DROP TABLE.*", "", "DROP TABLE p"},
		{"DROP TABLE.*", "", "CREATE TABLE n (id INTEGER PRIMARY KEY, k); INSERT INTO n SELECT * FROM p WHERE id > 1; DROP TABLE p; ALTER TABLE n RENAME TO p"},
		{"CREATE UNIQUE.*", "CREATE TABLE n (k REFERENCES p (k)); INSERT INTO n VALUES ('z')", "CREATE UNIQUE INDEX i ON p (k)"},
		{"DROP INDEX.*", "CREATE UNIQUE INDEX i ON p (k); CREATE TABLE n (k REFERENCES p (k))", "DROP INDEX i"},
		{"ALTER.* TO gone", "CREATE TABLE n (p REFERENCES gone (k))", "ALTER TABLE p RENAME TO gone"},
		{"PRAGMA.*ON", "CREATE TABLE q (id INTEGER PRIMARY KEY)", "PRAGMA legacy_alter_table = ON; ALTER TABLE p RENAME TO old; ALTER TABLE q RENAME TO p"},
		{"PRAGMA.*ON", "", "EXPLAIN PRAGMA legacy_alter_table = ON; ALTER TABLE p RENAME TO old"},
		{"ALTER.*", "CREATE UNIQUE INDEX i ON p (k); CREATE TABLE n (k REFERENCES p (z)); INSERT INTO n VALUES ('z')", "ALTER TABLE p RENAME COLUMN k TO z"},
		{"ALTER.*", "", "ALTER TABLE c ADD COLUMN q DEFAULT 9 REFERENCES p"},
		{"ALTER.*", "", "ALTER TABLE c ADD COLUMN q AS (id + 9) REFERENCES p"},
		{"ALTER.*", "", "ALTER TABLE c ADD COLUMN q REFERENCES p (k)"},
		{"PRAGMA.*", "", "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'REFERENCES p', 'REFERENCES p (k)'); PRAGMA writable_schema = RESET"},
	} {
		t.Run(test.migration, func(t *testing.T) {
			c := newChange(t)
			defer c.close()
			for _, q := range append([]string{"CREATE TABLE p (id INTEGER PRIMARY KEY, k)", "CREATE UNIQUE INDEX p_k ON p (lower(k))", "INSERT INTO p VALUES (1, 'a'), (2, 'b')",
				"CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p)", "INSERT INTO c VALUES (1, 1), (2, NULL)"}, statements(test.schema)...) {
				if err := c.both(q); err != nil {
					t.Fatal(err)
				}
			}
			for _, q := range statements(test.migration) {
				if err := c.run(q); err != nil {
					t.Fatal(err)
				}
			}
			want, _ := c.compare()
			e := c.effects(regexp.MustCompile("(?s)" + test.without))
			got, _ := c.violations(e, e)
			if slices.Equal(got, want) {
				t.Errorf("without it, got %q, too", got)
			}
		})
	}
}

// TestOldOrphans shows which rows, and which foreign keys that are wrong, an upgrade takes for
// those that there were before.
func TestOldOrphans(t *testing.T) {
	const gap = "CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (1), (9), (2), (8); DELETE FROM c WHERE p = 1"
	for _, test := range []struct{ claim, schema, migration, want string }{
		{"OfATableMadeAnewInItsPlace", gap, "CREATE TEMP TABLE n AS SELECT * FROM c; DROP TABLE c; CREATE TABLE c (p REFERENCES p); INSERT INTO c SELECT * FROM n", "[]"},
		{"OfATableMadeAnewWithOneMore", gap, "CREATE TEMP TABLE n AS SELECT * FROM c; DROP TABLE c; CREATE TABLE c (p REFERENCES p); INSERT INTO c SELECT * FROM n; INSERT INTO c VALUES (8)", "[{c p 1 2 [rowid 3] false}]"},
		{"OfATableMadeAnewBesideItself", gap, "CREATE TABLE n AS SELECT * FROM c; DROP TABLE c; CREATE TABLE c (p REFERENCES p); INSERT INTO c SELECT * FROM n; DROP TABLE n", "[]"},
		{"OfARebuiltTableThatTakesThePage", "PRAGMA auto_vacuum = FULL; VACUUM; " + gap, "CREATE TABLE n (p REFERENCES p); INSERT INTO n SELECT * FROM c; DROP TABLE c; ALTER TABLE n RENAME TO c", "[]"},
		{"AfterVACUUM", gap, "UPDATE c SET p = 1 WHERE p = 2; VACUUM", "[]"},
		{"AfterVACUUMWithOneMore", gap, "INSERT INTO c VALUES (9); VACUUM", "[{c p 1 2 [rowid 4] false}]"},
		{"AfterVACUUMOfOneWithItsParent", "CREATE TABLE c (id INTEGER PRIMARY KEY, p REFERENCES p); INSERT INTO c VALUES (5, 9)", "DELETE FROM c; INSERT INTO c VALUES (7, 9); VACUUM", "[{c p 1 0 [rowid 7] false}]"},
		{"AfterVACUUMOfAnotherTable", gap + "; CREATE TABLE d (p REFERENCES p)", "DELETE FROM c WHERE p = 9; INSERT INTO d VALUES (9); VACUUM", "[{d p 1 0 [rowid 1] false}]"},
		{"OfATableMadeAnewBesideOneOfAnother", gap + "; CREATE TABLE d (p REFERENCES p)", "DELETE FROM d; DROP TABLE c; INSERT INTO d VALUES (9), (9)", "[{d p 2 0 [rowid 1 rowid 2] false}]"},
		{"OfAColumnOfAnotherType", "CREATE TABLE c (p INTEGER REFERENCES p); INSERT INTO c VALUES (9)", "CREATE TABLE n (p REAL REFERENCES p); INSERT INTO n SELECT * FROM c; DROP TABLE c; ALTER TABLE n RENAME TO c", "[]"},
		{"DoublesThatNothingTellsApart", "CREATE TABLE c (rowid, oid, _rowid_, p REFERENCES p); INSERT INTO c VALUES (1, 1, 1, 9)", "INSERT INTO c SELECT * FROM c", "[{c p 1 1 [a row] false}]"},
		{"HiddenByATemporaryTable", "CREATE TABLE c (p REFERENCES p); INSERT INTO c VALUES (1)", "CREATE TEMP TABLE c (p); DELETE FROM p", "[{c p 1 0 [rowid 1] false}]"},
		{"ToAView", "CREATE VIEW v AS SELECT * FROM p; CREATE TABLE c (p REFERENCES v (id))", "INSERT INTO c VALUES (9)", "[]"},
		{"AMismatchOfANameWithQuotes", `CREATE UNIQUE INDEX i ON p (k); CREATE TABLE "c""c" (p REFERENCES p (k))`, "DROP INDEX i", `[{c"c p 1 0 [] true}]`},
		{"AMismatchOfTheCollation", "CREATE UNIQUE INDEX i ON p (k); CREATE TABLE c (p REFERENCES p (k))", "DROP INDEX i; CREATE UNIQUE INDEX i ON p (k COLLATE NOCASE)", "[{c p 1 0 [] true}]"},
		{"AMismatchOfThePrimaryKeysCollation", "CREATE TABLE q (k TEXT PRIMARY KEY); CREATE TABLE c (p REFERENCES q (k))", "DROP TABLE q; CREATE TABLE q (k TEXT, PRIMARY KEY (k COLLATE NOCASE))", "[{c q 1 0 [] true}]"},
		{"AMismatchOfThePrimaryKeysColumns", "CREATE TABLE q (k PRIMARY KEY); CREATE TABLE c (p REFERENCES q)", "DROP TABLE q; CREATE TABLE q (k UNIQUE, l, PRIMARY KEY (k, l))", "[{c q 1 0 [] true}]"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			c := newChange(t)
			defer c.close()
			for _, q := range statements("CREATE TABLE p (id INTEGER PRIMARY KEY, k); INSERT INTO p VALUES (1, 'a'), (2, 'b'); " + test.schema) {
				if err := c.both(q); err != nil {
					t.Fatal(err)
				}
			}
			for _, q := range statements(test.migration) {
				if err := c.run(q); err != nil {
					t.Fatal(err)
				}
			}
			if got, _ := c.compare(); fmt.Sprint(got) != test.want {
				t.Errorf("got %q; want %q", got, test.want)
			}
		})
	}
}

func statements(script string) (stmts []string) {
	for _, s := range sqltext.Parse(script).Cut() {
		stmts = append(stmts, s.SQL)
	}
	return stmts
}

// A change is a database and what a migration makes of it.
type change struct {
	*rand.Rand
	t             *testing.T
	schema, ran   []string
	before, after *sql.DB
	writes        []tableWrite // that SQLite tells
}

type tableWrite struct {
	table         string
	adds, removes bool
}

func newChange(t *testing.T) *change {
	c := &change{t: t}
	c.before, c.after = c.open(nil), c.open(c.authorize)
	return c
}

// both runs a statement before the migration.
func (c *change) both(q string) error {
	_, err := c.before.Exec(q)
	if err == nil {
		_, err = c.after.Exec(q)
	}
	if c.writes = nil; err == nil && q != "" {
		c.schema = append(c.schema, q)
	}
	return err
}

// run runs a statement of the migration.
func (c *change) run(q string) error {
	begun := len(c.writes)
	_, err := c.after.Exec(q)
	if err == nil {
		c.ran = append(c.ran, q)
	} else {
		c.writes = c.writes[:begun]
	}
	return err
}

// compare fails the test if the effects of the migration are less than they should be. It
// returns the violations, and how many foreign keys have any, also before, that the effects
// reach.
func (c *change) compare() (want []string, found int) {
	c.t.Helper()
	text := strings.Join(c.schema, ";\n") + "\n-- migration\n" + strings.Join(c.ran, ";\n")
	none := regexp.MustCompile("^$")
	e, everything := c.effects(none), c.effects(none)
	everything.Anything = true
	want, _ = c.violations(everything, nil)
	got, found := c.violations(e, e)
	if !strings.Contains(text, "RENAME") {
		for _, w := range strings.Fields("a b c d n") {
			now := c.mismatch(c.after, w) && !c.mismatch(c.before, w)
			if told := slices.ContainsFunc(want, func(o string) bool { return strings.HasPrefix(o, "{"+w+" ") && strings.Contains(o, "true") }); now && !told || told && !c.mismatch(c.after, w) {
				c.t.Fatalf("got %q; of %s, SQLite says mismatch: %t\n%s", want, w, now, text)
			}
		}
	}
	// In a table with another name, rows are told by their values, and one may be taken for
	// another: of a foreign key that the effects do not reach, too.
	renamed := strings.Contains(text, "RENAME") && len(got) >= len(want)
	if !slices.Equal(got, want) && !renamed {
		c.t.Fatalf("got %q; want %q\n%s", got, want, text)
	}
	for _, w := range c.writes {
		if w.adds && !e.Rows(w.table, "") || w.removes && !e.Rows("", w.table) {
			c.t.Fatalf("SQLite writes to %s\n%s", w.table, text)
		}
	}
	return want, found
}

func (c *change) mismatch(db *sql.DB, table string) bool {
	_, err := db.Exec("EXPLAIN PRAGMA foreign_key_check(" + table + ")")
	return err != nil && strings.Contains(err.Error(), "mismatch - \""+table)
}

// byChance makes a schema, rows and a migration.
func (c *change) byChance() {
	for _, table := range []string{"a", "b", "c", "d"} {
		c.both(c.table(table))
		c.both(c.of("", "CREATE UNIQUE INDEX "+table+"_k ON "+table+" (k)", "CREATE INDEX "+table+"_f ON "+table+" (f)"))
		c.both(c.of("", c.index(table+"_i", table)))
	}
	c.both("CREATE VIEW v AS SELECT * FROM a")
	c.both("CREATE TRIGGER v_insert INSTEAD OF INSERT ON v BEGIN " + c.write() + "; END")
	for range c.IntN(3) {
		c.both(c.trigger(c.of("s", "t")))
	}
	for range c.IntN(25) {
		c.both("INSERT OR IGNORE INTO " + c.values(c.of("a", "b", "c", "d")))
	}
	for range 1 + c.IntN(6) {
		for _, q := range strings.Split(c.statement(), ";;") {
			c.run(q)
		}
	}
}

func (c *change) open(authorize func(conn *sqlite3.Conn) error) *sql.DB {
	db, err := driver.Open(":memory:", func(conn *sqlite3.Conn) error {
		err := conn.Exec("PRAGMA foreign_keys = OFF")
		if err == nil && authorize != nil {
			err = authorize(conn)
		}
		return err
	})
	if err != nil {
		c.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

func (c *change) close() {
	c.before.Close()
	c.after.Close()
}

// authorize has SQLite tell what is written.
func (c *change) authorize(conn *sqlite3.Conn) error {
	return conn.SetAuthorizer(func(code sqlite3.AuthorizerActionCode, table, _, schema, _ string) sqlite3.AuthorizerReturnCode {
		adds, removes := code == sqlite3.AUTH_INSERT || code == sqlite3.AUTH_UPDATE, code == sqlite3.AUTH_DELETE || code == sqlite3.AUTH_UPDATE
		if (adds || removes) && schema == "main" && !strings.HasPrefix(table, "sqlite_") {
			c.writes = append(c.writes, tableWrite{table, adds, removes})
		}
		return sqlite3.AUTH_OK
	})
}

func (c *change) of(list ...string) string { return list[c.IntN(len(list))] }

func (c *change) anyTable() string { return c.of("a", "b", "c", "d", "d", "n", "gone") }

func (c *change) table(name string) string {
	types := []string{"", "TEXT", "INTEGER", "TEXT COLLATE NOCASE", "REAL", "NUMERIC", "BLOB", "INT"}
	references := func() string {
		if c.IntN(3) == 0 {
			return ""
		}
		return " REFERENCES " + c.of("a", "b", "c", "d", "gone") + c.of("", " (id)", " (k)", " (k)", " (z)")
	}
	last := c.of("", "", "", ", UNIQUE (id, k)", ", FOREIGN KEY (f, g) REFERENCES "+c.of("a", "b")+" (id, k)", ", FOREIGN KEY (g, f) REFERENCES c (k, id)")
	key := c.of("INTEGER PRIMARY KEY", c.of(types...)+" PRIMARY KEY"+c.of("", "", "", " ON CONFLICT REPLACE"), c.of(types...))
	options := ""
	if !strings.Contains(key, "PRIMARY") {
		last += c.of("", ", PRIMARY KEY (id)", ", PRIMARY KEY (k, id)", ", PRIMARY KEY (id COLLATE NOCASE)")
	} else if !strings.Contains(key, "REPLACE") {
		options = c.of("", " WITHOUT ROWID")
	}
	return fmt.Sprintf("CREATE TABLE %s (id %s, k %s%s, f %s%s, g %s%s%s)%s", name, key, c.of(types...), c.of("", "", "", " UNIQUE", " UNIQUE", " UNIQUE ON CONFLICT REPLACE"),
		c.of(types...), references(), c.of(types...), references(), last, options)
}

func (c *change) index(name, table string) string {
	return "CREATE " + c.of("", "UNIQUE ") + "INDEX " + name + " ON " + table + c.of("(f)", "(g)", "(f, g)", "(g, f, k)", "(k)", "(k COLLATE NOCASE)", "(k, id)", "(id COLLATE BINARY, k)", "(z)", "(f) WHERE f > 1")
}

func (c *change) trigger(name string) string {
	on := c.of("AFTER ", "BEFORE ") + c.of("INSERT", "DELETE", "UPDATE OF k", "UPDATE") + " ON " + c.anyTable()
	if c.IntN(5) == 0 {
		on = "INSTEAD OF " + c.of("INSERT", "DELETE", "UPDATE") + " ON v"
	}
	temp := ""
	if strings.HasPrefix(name, "n_") { // others of the connection are refused
		temp = c.of("", "", "TEMP ")
	}
	return "CREATE " + temp + "TRIGGER " + name + " " + on + " BEGIN " + c.write() + "; " + c.write() + "; END"
}

func (c *change) value() string {
	return c.of("1", "2", "3", "1.0", "2.5", "'1'", "'1.0'", "'a'", "'A'", "'b'", "x'31'", "NULL", "NULL")
}

func (c *change) values(table string) string {
	return fmt.Sprintf("%s VALUES (%s, %s, %s, %s)", table, c.value(), c.value(), c.value(), c.value())
}

// write returns a statement that a trigger can have, too.
func (c *change) write() string {
	table, column := c.anyTable(), c.of("id", "k", "k", "f", "g")
	switch c.IntN(10) {
	case 0, 1:
		return "INSERT INTO " + c.values(table)
	case 2, 7:
		return "INSERT OR REPLACE INTO " + c.values(table)
	case 3, 8:
		return "INSERT INTO " + c.values(table) + " ON CONFLICT DO UPDATE SET " + column + " = " + c.value()
	case 4:
		return "UPDATE " + table + " SET " + column + " = " + c.value()
	case 5:
		return "UPDATE OR REPLACE " + table + " SET " + column + " = " + c.value()
	case 6:
		return "INSERT INTO " + table + " SELECT * FROM " + c.anyTable()
	}
	return "DELETE FROM " + table + " WHERE id IS NOT " + c.value()
}

// statement returns a statement of a migration, or some with ;; between them.
func (c *change) statement() string {
	table := c.anyTable()
	switch c.IntN(20) {
	case 19:
		return "DROP TABLE " + table + ";;" + c.table(table)
	case 18:
		return "CREATE " + c.of("", "TEMP ") + "TABLE m AS SELECT * FROM " + table + ";;DROP TABLE " + table + ";;" + c.table(table) + ";;INSERT OR IGNORE INTO " + table + " SELECT * FROM m;;DROP TABLE m"
	case 17:
		return "DROP INDEX " + table + "_k;;CREATE UNIQUE INDEX " + table + "_k ON " + table + c.of("(k)", "(k COLLATE NOCASE)", "(k COLLATE BINARY)", "(k) WHERE k > 1", "(k || '')")
	case 16:
		return c.of("VACUUM", "DELETE FROM v", "UPDATE v SET k = 1")
	case 0:
		return c.table("n")
	case 1:
		return c.of("CREATE UNIQUE INDEX n_k ON "+table+" (k)", c.index("n_i", table))
	case 2:
		return c.trigger(c.of("n_s", "n_t"))
	case 3:
		return "DROP " + c.of("TABLE "+table, "INDEX "+table+"_k", "INDEX "+table+"_k", "INDEX "+table+"_i", "TRIGGER "+c.of("s", "t"))
	case 4:
		return "ALTER TABLE " + table + " RENAME TO " + c.anyTable()
	case 5:
		return "ALTER TABLE " + table + " RENAME COLUMN " + c.of("k TO z", "id TO z", "f TO h", "z TO k")
	case 6:
		return "ALTER TABLE " + table + " ADD COLUMN x " + c.of("", "DEFAULT 7 ", "AS (k + 1) ") + "REFERENCES " + c.anyTable() + c.of("", "(k)")
	case 7:
		return "ALTER TABLE " + table + " DROP COLUMN " + c.of("k", "f", "g")
	case 8: // a rebuild
		return c.table("n") + ";;INSERT " + c.of("", "OR IGNORE ") + "INTO n SELECT * FROM " + table + ";;DROP TABLE " + table + ";;ALTER TABLE n RENAME TO " + table
	case 9:
		return "PRAGMA legacy_alter_table = ON;;ALTER TABLE " + table + " RENAME TO " + c.of("n", "m") + ";;ALTER TABLE " + c.anyTable() + " RENAME TO " + table + ";;PRAGMA legacy_alter_table = OFF"
	case 10:
		return "WITH w (x) AS (VALUES (" + c.value() + ")) " + c.of("DELETE FROM "+table+" WHERE id IN w", "UPDATE "+table+" SET f = x FROM w", "INSERT INTO "+table+" SELECT x, x, x, x FROM w")
	case 11:
		return "INSERT INTO " + c.values("v")
	case 12:
		return "PRAGMA writable_schema = ON;;UPDATE sqlite_schema SET sql = replace(sql, 'REFERENCES " + table + "', 'REFERENCES " + c.anyTable() + "');;PRAGMA writable_schema = RESET"
	}
	return c.write()
}

// effects returns those of the migration, less what is left out of all texts.
func (c *change) effects(without *regexp.Regexp) *sqltext.Effects {
	objects, err := sqlite.Objects(c.t.Context(), c.before)
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range objects {
		objects[i].SQL = without.ReplaceAllString(objects[i].SQL, "")
	}
	e := sqltext.NewEffects(objects)
	for _, q := range c.ran {
		for _, s := range sqltext.Parse(without.ReplaceAllString(q, "")).Cut() {
			e.Add(&s)
		}
	}
	return e
}

// violations returns the rows without a parent that the migration has made, as far as the
// effects reach, of those that are found after others, or by SQLite; and how many foreign keys
// have any, also from before.
func (c *change) violations(e, after *sqltext.Effects) (fresh []string, found int) {
	objects, err := sqlite.Objects(c.t.Context(), c.before)
	var before *sqlite.OrphanSet
	if err == nil {
		before, err = sqlite.NewOrphanSet(c.t.Context(), c.before, objects, e)
	}
	if err != nil {
		c.t.Fatal(err)
	}
	now := c.find(c.after, after)
	orphans, err := before.New(c.t.Context(), c.after, now)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range orphans {
		if o.Mismatch { // rows of other foreign keys of the table to the same parent are not read
			o.Before = 0
		}
		if o.Count > 0 {
			fresh = append(fresh, fmt.Sprint(o))
		}
	}
	return fresh, len(now)
}

func (c *change) find(db *sql.DB, e *sqltext.Effects) []sqlite.Orphans {
	objects, err := sqlite.Objects(c.t.Context(), db)
	if err == nil {
		var found []sqlite.Orphans
		if found, err = sqlite.FindOrphans(c.t.Context(), db, objects, e); err == nil {
			return found
		}
	}
	c.t.Fatal(err, c.schema, c.ran)
	return nil
}
