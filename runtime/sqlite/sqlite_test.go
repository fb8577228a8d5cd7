package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// open opens a new database, on one connection, and executes the statements.
func open(t *testing.T, statements ...string) *sql.DB {
	t.Helper()
	prepare := func(c *sqlite3.Conn) error {
		return errors.Join(fts5.Register(c), rtree.Register(c), c.Exec("PRAGMA foreign_keys = OFF"))
	}
	db, err := driver.Open("file:"+filepath.ToSlash(filepath.Join(t.TempDir(), "data.db")), prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v: %s", err, statement)
		}
	}
	return db
}

const missing = `INSERT INTO sqlite_schema VALUES ('table', 'odd', 'odd', 0, 'CREATE VIRTUAL TABLE odd USING missing(a)')`

func TestObjects(t *testing.T) {
	for _, c := range []struct {
		claim      string
		statements []string
		want       string // the names
	}{
		{"AreInTheOrderInWhichTheyWereMade",
			[]string{"CREATE TABLE b (x)", "CREATE TABLE a (x)", "CREATE INDEX i ON b (x)", "CREATE VIEW v AS SELECT 1", "CREATE TRIGGER r DELETE ON a BEGIN SELECT 1; END"}, "b a i v r"},
		{"AreWithoutWhatHasNoSQL", []string{"CREATE TABLE a (x PRIMARY KEY)"}, "a"},
		{"AreWithoutSQLitesOwn", []string{"CREATE TABLE sqlitea (x INTEGER PRIMARY KEY AUTOINCREMENT)", "ANALYZE"}, "sqlitea"},
		{"AreWithoutShadowTables", []string{"CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE VIRTUAL TABLE boxes USING rtree(id, x0, x1)"}, "docs boxes"},
		{"AreWithoutWhatBelongsToShadowTables", []string{"CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE INDEX i ON docs_content (c0)"}, "docs"},
		{"HaveTablesNamedLikeShadowTables", []string{
			"CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE TABLE docs_owners (x)", "CREATE TABLE docs_content_kinds (x PRIMARY KEY) WITHOUT ROWID",
			"CREATE INDEX docs_i ON docs_owners (x)", "CREATE VIEW docs_view AS SELECT 1", "CREATE VIRTUAL TABLE docs_more USING fts5(body)",
		}, "docs docs_owners docs_content_kinds docs_i docs_view docs_more"},
		{"HaveWhatWasRenamed", []string{
			"CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE TABLE papers_owners (x)", "CREATE TABLE docs_old (x)",
			"ALTER TABLE docs RENAME TO papers", "ALTER TABLE docs_old RENAME TO papers_old",
		}, "papers papers_owners papers_old"},
		{"AreOfTheMainDatabase", []string{"CREATE TEMP TABLE a (x)", "CREATE TEMP TABLE docs_owners (x)", "CREATE VIRTUAL TABLE docs USING fts5(body)", "CREATE TABLE docs_owners (x)"}, "docs docs_owners"},
		{"CompareNamesAsSQLiteDoes", []string{`CREATE VIRTUAL TABLE "Docs" USING fts5(body)`, "CREATE TABLE DOCS_OWNERS (x)", `CREATE TABLE "ÄRZTE_x" (x)`}, "Docs DOCS_OWNERS ÄRZTE_x"},
		{"AreAllWhereAModuleIsMissing", []string{"CREATE TABLE odd_data (x)", "CREATE TABLE odd_owners (x)", "PRAGMA writable_schema = ON", missing, "PRAGMA writable_schema = RESET"}, "odd_data odd_owners odd"},
		{"HaveLockstepsAndLitestreams", []string{"CREATE TABLE _meta (x)", "CREATE TABLE _litestream_seq (x)"}, "_meta _litestream_seq"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			objects, err := sqlite.Objects(t.Context(), open(t, c.statements...))
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, o := range objects {
				names = append(names, o.Name)
			}
			if got := strings.Join(names, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestRows(t *testing.T) {
	for _, c := range []struct {
		claim      string
		statements []string
		want       string
	}{
		{"CountsTablesThatPeopleMade", []string{
			"CREATE TABLE a (x INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO a VALUES (1), (2)", `CREATE TABLE "b""c d" (x PRIMARY KEY) WITHOUT ROWID`,
			"CREATE VIEW v AS SELECT 1", "CREATE TABLE _meta (x)", "CREATE TABLE _Lockstep_History (x)", "CREATE TABLE _litestream_seq (x)", "CREATE TEMP TABLE c (x)",
		}, `a:2 b"c d:0`},
		{"CountsVirtualTables", []string{"CREATE VIRTUAL TABLE docs USING fts5(body)", "INSERT INTO docs VALUES ('a')", "CREATE TABLE docs_owners (x)", "INSERT INTO docs_owners VALUES (1)"}, "docs:1 docs_owners:1"},
		{"PassesOverAMissingModule", []string{"CREATE TABLE a (x)", "PRAGMA writable_schema = ON", missing, "PRAGMA writable_schema = RESET"}, "a:0"},
		{"StopsAtTheLimit", []string{"CREATE TABLE a (x)", "INSERT INTO a VALUES (1), (2), (3), (4)"}, "a:3"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			db := open(t, c.statements...)
			objects, err := sqlite.Objects(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			limit := int64(0)
			if c.claim == "StopsAtTheLimit" {
				limit = 3
			}
			counts, err := sqlite.Rows(t.Context(), db, objects, limit)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, n := range counts {
				texts = append(texts, fmt.Sprintf("%s:%d", n.Table, n.Rows))
			}
			if got := strings.Join(texts, " "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
	t.Run("ReturnsWhatIsWrongWithATable", func(t *testing.T) {
		db := open(t, "CREATE TABLE a (x)")
		objects, err := sqlite.Objects(t.Context(), db)
		if err != nil {
			t.Fatal(err)
		}
		objects[0].Name = "b"
		const want = "table b: no such table: b"
		if _, err := sqlite.Rows(t.Context(), db, objects, 0); err == nil || strings.Replace(err.Error(), "sqlite3: SQL logic error: ", "", 1) != want {
			t.Errorf("got %v, want %s", err, want)
		}
	})
}

func TestFindOrphans(t *testing.T) {
	const parent = "CREATE TABLE p (id INTEGER PRIMARY KEY, name TEXT UNIQUE)"
	for _, c := range []struct {
		claim      string
		statements []string
		want       string
	}{
		{"FindsNone", []string{parent, "CREATE TABLE c (p REFERENCES p)", "INSERT INTO p VALUES (1, 'a')", "INSERT INTO c VALUES (1), (NULL)"}, ""},
		{"NamesRowids", []string{parent, "CREATE TABLE c (p REFERENCES p)", "INSERT INTO c VALUES (1), (2), (3), (4), (5), (6)"},
			"c to p: 6: rowid 1, rowid 2, rowid 3"},
		{"NamesPrimaryKeys", []string{parent, "CREATE TABLE c (a, p REFERENCES p (name), PRIMARY KEY (p, a)) WITHOUT ROWID", "INSERT INTO c VALUES (1, 'b'), (2, 'a''c')"},
			"c to p: 2: key ('a''c', 2), key ('b', 1)"},
		{"NamesKeysOfSeveralColumns", []string{"CREATE TABLE p (a, b, PRIMARY KEY (b, a)) WITHOUT ROWID", `CREATE TABLE "c's" (x, y, id PRIMARY KEY, FOREIGN KEY (x, y) REFERENCES p) WITHOUT ROWID`,
			"INSERT INTO p VALUES (1, 2)", `INSERT INTO "c's" VALUES (2, 1, 'found'), (1, 2, 'lost'), (NULL, 2, 'none')`}, "c's to p: 1: key ('lost')"},
		{"NamesPrimaryKeysWithoutATable", []string{"CREATE TABLE c (a PRIMARY KEY, p REFERENCES gone) WITHOUT ROWID", "INSERT INTO c VALUES (1, 2)"},
			"c to gone: 1: key (1)"},
		{"TellsParentsApart", []string{parent, "CREATE TABLE q (id INTEGER PRIMARY KEY)", "CREATE TABLE c (p REFERENCES p, q REFERENCES q)", "INSERT INTO c VALUES (1, NULL), (NULL, 2), (3, 4)"},
			"c to p: 2: rowid 1, rowid 3; c to q: 2: rowid 2, rowid 3"},
		{"NamesRowsOfTwoForeignKeys", []string{parent, "CREATE TABLE c (p REFERENCES p, q REFERENCES p)", "INSERT INTO c VALUES (3, NULL), (NULL, 4)"},
			"c to p: 2: rowid 2, rowid 1"},
		{"NamesAKeyWhereRowidsHaveNoName", []string{parent, "CREATE TABLE c (rowid, oid, _rowid_, p REFERENCES p, PRIMARY KEY (oid))", "INSERT INTO c VALUES (1, 2, 3, 4)"},
			"c to p: 1: key (2)"},
		{"GoesOnAfterAMismatch", []string{"CREATE TABLE p (id)", "CREATE TABLE c (p REFERENCES p (id))", "CREATE TABLE d (p REFERENCES gone)", "INSERT INTO c VALUES (1)", "INSERT INTO d VALUES (2)"},
			"c to p: mismatch; d to gone: 1: rowid 1"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			db := open(t, c.statements...)
			objects, err := sqlite.Objects(t.Context(), db)
			if err != nil {
				t.Fatal(err)
			}
			found, err := sqlite.FindOrphans(t.Context(), db, objects, nil)
			if err != nil {
				t.Fatal(err)
			}
			var texts []string
			for _, o := range found {
				text := fmt.Sprintf("%s to %s: ", o.Table, o.Parent)
				if o.Mismatch {
					text += "mismatch"
				} else {
					text += fmt.Sprintf("%d: %s", o.Count, strings.Join(o.Rows, ", "))
				}
				texts = append(texts, text)
			}
			if got := strings.Join(texts, "; "); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestPragma(t *testing.T) {
	for _, c := range []struct {
		claim       string
		statements  []string
		quick, full string
	}{
		{"FindsNothing", []string{"CREATE TABLE a (x)"}, "", ""},
		{"FindsRowsThatBreakACheck", []string{"CREATE TABLE a (x CHECK (x > 0))", "PRAGMA ignore_check_constraints = ON", "INSERT INTO a VALUES (0), (-1)", "PRAGMA ignore_check_constraints = OFF"},
			"CHECK constraint failed in a; CHECK constraint failed in a", "CHECK constraint failed in a; CHECK constraint failed in a"},
		{"FindsAnIndexWithoutRowsInFull", []string{"CREATE TABLE a (x)", "CREATE INDEX i ON a (x) WHERE x > 1", "INSERT INTO a VALUES (1), (2)", "PRAGMA writable_schema = ON",
			"UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON a (x) WHERE x > 0' WHERE name = 'i'", "PRAGMA writable_schema = RESET"}, "", "row 1 missing from index i"},
	} {
		t.Run(c.claim, func(t *testing.T) {
			db := open(t, c.statements...)
			for pragma, want := range map[sqlite.Pragma]string{sqlite.Quick: c.quick, sqlite.Full: c.full} {
				faults, err := pragma.List(t.Context(), db)
				if got := strings.Join(faults, "; "); err != nil || got != want {
					t.Errorf("%s: got %s, %v; want %s", pragma, got, err, want)
				}
			}
		})
	}
}
