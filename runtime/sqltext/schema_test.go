package sqltext

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/fts5"
	"github.com/ncruces/go-sqlite3/ext/rtree"
)

// shop is a schema with one of everything.
const shop = `
CREATE VIEW open_orders AS SELECT * FROM orders WHERE paid IS NULL;
CREATE TABLE orders (
	id INTEGER PRIMARY KEY AUTOINCREMENT, -- the number on the bill
	customer INTEGER NOT NULL REFERENCES Customers ON DELETE CASCADE,
	paid TEXT
) STRICT;
CREATE TABLE Customers(email TEXT NOT NULL UNIQUE COLLATE NOCASE, CHECK (email <> ';'));
CREATE TABLE IF NOT EXISTS main.customer_notes(customer, note, PRIMARY KEY (customer, note)) WITHOUT ROWID;
CREATE TABLE items(name, paid, "on");
CREATE TRIGGER paid AFTER UPDATE OF paid, "on" ON items WHEN new.paid BEGIN
	UPDATE orders SET paid = CASE WHEN 1 THEN ';' ELSE '--' END;
	SELECT 1 -- END;
	;
END;
CREATE UNIQUE INDEX items_by_name ON items ("on" DESC) WHERE paid;
CREATE INDEX by_paid ON orders(paid);
CREATE TRIGGER INSERTING INSTEAD OF INSERT ON open_orders BEGIN SELECT 1; END;
CREATE VIRTUAL TABLE search USING fts5(email, tokenize = "unicode61 separators ';--'");
CREATE VIRTUAL TABLE "boxes" USING rtree(id, x0, x1);
CREATE TABLE [a "quoted;--" name]("it""s", [;] DEFAULT '
');
CREATE VIEW "trigger" AS SELECT "end" FROM (SELECT 1 AS "end");
CREATE TABLE _meta(id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL DEFAULT 0);
CREATE TABLE _lockstep_history(version INTEGER PRIMARY KEY);
`

func TestFormatSchema(t *testing.T) {
	for _, c := range []struct {
		name string
		sql  []string
		want string
	}{
		{"IsEmptyWithoutObjects", nil, ""},
		{"SortsTablesByNameWhateverTheirCase",
			[]string{"CREATE TABLE c(x)", "CREATE TABLE B(x)", "CREATE TABLE a(x)"},
			"CREATE TABLE a(x);\n\nCREATE TABLE B(x);\n\nCREATE TABLE c(x);\n"},
		{"PutsIndexesAndTriggersBelowTheirTable",
			[]string{
				"CREATE TABLE b(x)", "CREATE TABLE a(x)", "CREATE INDEX z ON a(x)", "CREATE INDEX y ON b(x)",
				"CREATE TRIGGER A1 DELETE ON a BEGIN SELECT 1; END", "CREATE INDEX B1 ON a(x)",
			},
			`CREATE TABLE a(x);
CREATE INDEX B1 ON a(x);
CREATE INDEX z ON a(x);
CREATE TRIGGER A1 DELETE ON a BEGIN SELECT 1; END;

CREATE TABLE b(x);
CREATE INDEX y ON b(x);
`},
		{"PutsViewsLast",
			[]string{"CREATE TABLE b(x)", "CREATE VIEW a AS SELECT x FROM b", "CREATE TRIGGER c INSTEAD OF DELETE ON a BEGIN SELECT 1; END"},
			"CREATE TABLE b(x);\n\nCREATE VIEW a AS SELECT x FROM b;\nCREATE TRIGGER c INSTEAD OF DELETE ON a BEGIN SELECT 1; END;\n"},
		{"KeepsSQLitesWording",
			[]string{"create  table a ( x /* y */ ) ", "alter table a add column Z text"},
			"CREATE TABLE a ( x /* y */ , Z text);\n"},
		{"LeavesOutWhatIsNotTheMigrations",
			[]string{"CREATE TABLE a(x INTEGER PRIMARY KEY AUTOINCREMENT)", "CREATE TABLE _META(x)", "CREATE TABLE _lockstep_history(x)", "CREATE TABLE sqlitea(x)"},
			"CREATE TABLE a(x INTEGER PRIMARY KEY AUTOINCREMENT);\n\nCREATE TABLE sqlitea(x);\n"},
		{"EndsLineCommentsBeforeTheSemicolon",
			[]string{"CREATE VIEW a AS SELECT 1 -- one", "CREATE VIEW b AS SELECT 1 --lockstep: x"},
			"CREATE VIEW a AS SELECT 1 -- one\n;\n\nCREATE VIEW b AS SELECT 1 --lockstep: x\n;\n"},
		{"EndsOpenCommentsBeforeTheSemicolon",
			[]string{"CREATE VIEW a AS SELECT 1 /* one", "CREATE VIEW b AS SELECT 1 /* one */", "CREATE VIEW c AS SELECT '/*'", "CREATE VIEW d AS SELECT 1 /*/"},
			"CREATE VIEW a AS SELECT 1 /* one*/;\n\nCREATE VIEW b AS SELECT 1 /* one */;\n\nCREATE VIEW c AS SELECT '/*';\n\nCREATE VIEW d AS SELECT 1 /*/*/;\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := open(t)
			execute(t, conn, c.sql...)
			objects := schemaOf(t, conn)
			got := FormatSchema(objects)
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
			slices.Reverse(objects)
			if again := FormatSchema(objects); again != got {
				t.Errorf("got, in another order\n%s\nwant\n%s", again, got)
			}
		})
	}
}

// TestSchemaRoundTrip makes databases, writes their schemas down, reads them again,
// and makes databases from what was written.
func TestSchemaRoundTrip(t *testing.T) {
	for _, c := range []struct{ name, sql string }{
		{"OneOfEverything", shop},
		{"AfterAlterTable", shop + `
ALTER TABLE orders ADD COLUMN note TEXT DEFAULT ';';
ALTER TABLE Customers RENAME TO "buyers;";
ALTER TABLE orders RENAME COLUMN paid TO [paid on];
ALTER TABLE customer_notes RENAME COLUMN note TO text;
`},
		{"CommentsAtTheEnd", "CREATE VIEW a AS SELECT 1 -- one;\n\n;" +
			"CREATE TABLE b(x TEXT) STRICT -- two;\n\n ;" +
			"CREATE TABLE c(x PRIMARY KEY) WITHOUT ROWID /* three; */ ;" +
			"CREATE INDEX d ON b(x) -- four\n\t;" +
			"CREATE VIEW e AS SELECT 2 -- five"},
		{"ManyTables", manyTables(200)}, // each CREATE reads all of sqlite_schema
	} {
		t.Run(c.name, func(t *testing.T) {
			first := openFile(t)
			execute(t, first, "BEGIN", c.sql, ";COMMIT")
			objects := userSchema(t, first)
			text := FormatSchema(objects)

			parsed, err := ParseSchema(text)
			if err != nil {
				t.Fatalf("%v in\n%s", err, text)
			}
			if got, want := sortedObjects(parsed), sortedObjects(objects); got != want {
				t.Errorf("read from the text:\n%s\nwant\n%s", got, want)
			}
			if got := FormatSchema(parsed); got != text {
				t.Errorf("written again:\n%s\nwant\n%s", got, text)
			}
			if got, want := Fingerprint(parsed), Fingerprint(objects); got != want {
				t.Errorf("fingerprint of what was read is %s, want %s", got, want)
			}

			second := openFile(t)
			execute(t, second, "BEGIN", text, "COMMIT")
			if got, want := trimmedObjects(userSchema(t, second)), trimmedObjects(objects); got != want {
				t.Errorf("made from the text:\n%s\nwant\n%s", got, want)
			}
			if changed, extra := Diff(objects, schemaOf(t, second)); len(changed)+len(extra) > 0 {
				t.Errorf("got differences %v, extra %v", changed, extra)
			}
		})
	}
}

func TestSpells(t *testing.T) {
	conn := open(t)
	execute(t, conn, "CREATE TABLE b(x)", "CREATE INDEX c ON b(x)", "CREATE TABLE a(x DEFAULT ';')", "CREATE VIEW d AS SELECT x FROM a",
		"CREATE TRIGGER e DELETE ON a BEGIN SELECT 1; END")
	objects := schemaOf(t, conn)
	text := FormatSchema(objects)
	execute(t, conn, "CREATE TABLE _meta(id)")
	slices.Reverse(objects)
	reworded := slices.Clone(objects)
	reworded[1].SQL = strings.ToLower(reworded[1].SQL)
	for _, c := range []struct {
		name    string
		objects []Object
		want    bool
	}{
		{"InAnyOrder", objects, true},
		{"WithLockstepsOwn", schemaOf(t, conn), true},
		{"OneIsMissing", objects[1:], false},
		{"OneMore", append(slices.Clip(objects), Object{"table", "f", "f", "CREATE TABLE f(x)"}), false},
		{"InPlaceOfAnother", append(slices.Clip(objects[1:]), objects[1]), false},
		{"InOtherLetters", reworded, false},
		{"None", nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Spells(text, c.objects); got != c.want {
				t.Errorf("got %v of %v in\n%s", got, c.objects, text)
			}
		})
	}
}

func TestParseSchemaRefuses(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"WhatCreatesNothing", "CREATE TABLE a(x);\n\nDROP TABLE a;\n", `line 3: found "DROP TABLE a"; want CREATE TABLE, INDEX, VIEW or TRIGGER`},
		{"WhatHasNoName", "CREATE TABLE ;", `line 1: found "CREATE TABLE "; want CREATE TABLE, INDEX, VIEW or TRIGGER`},
		{"WhatHasNoTable", "CREATE INDEX a;", `line 1: found "CREATE INDEX a"; want CREATE TABLE, INDEX, VIEW or TRIGGER`},
		{"WhatHasNoEnd", "-- a\nCREATE TABLE a(x)", "line 2: statement has no end; want a semicolon"},
		{"TriggerWithoutEnd", "CREATE TRIGGER a DELETE ON b BEGIN SELECT 1;", "line 1: statement has no end; want a semicolon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			objects, err := ParseSchema(c.text)
			if got := fmt.Sprint(err); got != c.want {
				t.Errorf("got %s, %v\nwant %s", got, objects, c.want)
			}
		})
	}
}

// openFile returns a connection to a new database file.
func openFile(t testing.TB) *sqlite3.Conn {
	t.Helper()
	conn, err := sqlite3.Open("file:" + filepath.ToSlash(filepath.Join(t.TempDir(), "data.db")))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, register := range []func(*sqlite3.Conn) error{fts5.Register, rtree.Register} {
		if err := register(conn); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, conn, "PRAGMA synchronous = OFF")
	return conn
}

// userSchema returns the objects that are not SQLite's, lockstep's or shadow tables.
func userSchema(t testing.TB, conn *sqlite3.Conn) []Object {
	t.Helper()
	return slices.DeleteFunc(schemaOf(t, conn), func(o Object) bool { return isInternal(o.Name) })
}

func sortedObjects(objects []Object) string {
	var lines []string
	for _, o := range objects {
		lines = append(lines, fmt.Sprintf("%s %q on %q: %q", o.Type, o.Name, o.Table, o.SQL))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// trimmedObjects is sortedObjects without the spaces that SQLite keeps between a
// comment at the end of a statement and the semicolon.
func trimmedObjects(objects []Object) string {
	trimmed := slices.Clone(objects)
	for i := range trimmed {
		trimmed[i].SQL = strings.TrimSpace(trimmed[i].SQL)
	}
	return sortedObjects(trimmed)
}

// manyTables returns the statements of n tables, with what belongs to them.
func manyTables(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `CREATE TABLE item%[1]d (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL UNIQUE COLLATE NOCASE,
	price REAL NOT NULL DEFAULT 0 CHECK (price >= 0),
	parent INTEGER REFERENCES item0(id) ON DELETE SET NULL,
	created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
) STRICT;
CREATE INDEX item%[1]d_created ON item%[1]d(created) WHERE price > 0;
`, i)
	}
	return b.String()
}
