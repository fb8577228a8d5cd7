package sqltext

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// A pair is two definitions, and whether they are the same. SQLite is asked as well, as
// far as its pragmas know; blind says that they do not.
type pair struct {
	name, a, b  string
	same, blind bool
}

const (
	same  = true
	blind = true
)

func TestStructure(t *testing.T) {
	for group, pairs := range map[string][]pair{
		"Wording":     wordingPairs,
		"Columns":     columnPairs,
		"Keys":        keyPairs,
		"Checks":      checkPairs,
		"ForeignKeys": foreignKeyPairs,
		"Options":     optionPairs,
		"Indexes":     indexPairs,
		"Tokens":      tokenPairs,
	} {
		t.Run(group, func(t *testing.T) {
			for _, c := range pairs {
				t.Run(c.name, func(t *testing.T) { comparePair(t, c) })
			}
		})
	}
}

func comparePair(t *testing.T, c pair) {
	a, b := define(t, c.a), define(t, c.b)
	changed, _ := Diff(a.objects, b.objects)
	if got := len(changed) == 0; got != c.same {
		t.Errorf("%s\n%s\ngot same %v, want %v: %v", c.a, c.b, got, c.same, changed)
	}
	back, _ := Diff(b.objects, a.objects)
	if len(back) != len(changed) {
		t.Errorf("%s\n%s\ngot %v one way, %v the other", c.a, c.b, changed, back)
	}
	if got := a.pragmas == b.pragmas; got != c.same && !c.blind {
		t.Errorf("%s\n%s\nSQLite says same %v, want %v:\n%s\n%s", c.a, c.b, got, c.same, a.pragmas, b.pragmas)
	}
	switch c.name {
	case "QuotedStringInCheck", "QuotedStringInView", "QuotedTypeLosesItsLength":
		// A fingerprint takes what is quoted like a name for one.
	default:
		if Fingerprint(a.objects) == Fingerprint(b.objects) && !c.same {
			t.Errorf("%s\n%s\ngot the same fingerprint", c.a, c.b)
		}
	}
}

var wordingPairs = []pair{
	{"BlanksAndComments", "CREATE TABLE t(a TEXT,b)", "CREATE TABLE t ( a /* x */ TEXT , -- y\n b )", same, !blind},
	{"CaseOfKeywordsAndNames", "CREATE TABLE t(a TEXT NOT NULL)", "CREATE TABLE T(A text not null)", same, !blind},
	{"QuotesOfNames", "CREATE TABLE t(a TEXT, b, c, d)", "CREATE TABLE \"t\"(\"a\" TEXT, [b], `c`, 'd')", same, !blind},
	{"NamesOfConstraints", "CREATE TABLE t(a UNIQUE, CHECK (a > 0))", "CREATE TABLE t(a CONSTRAINT x UNIQUE, CONSTRAINT y CHECK (a > 0))", same, !blind},
	{"MissingCommaBetweenConstraints", "CREATE TABLE t(a, b, UNIQUE (a), UNIQUE (b))", "CREATE TABLE t(a, b, UNIQUE (a) UNIQUE (b))", same, !blind},
	{"OrderOfConstraints", "CREATE TABLE t(a, b, CHECK (a > 0), UNIQUE (a), CHECK (b > 0))", "CREATE TABLE t(a, b, CHECK (b > 0), CHECK (a > 0), UNIQUE (a))", same, !blind},
	{"OrderOfClauses", "CREATE TABLE t(a TEXT NOT NULL DEFAULT 'x' COLLATE NOCASE)", "CREATE TABLE t(a TEXT COLLATE NOCASE DEFAULT 'x' NOT NULL)", same, !blind},
	{"SameConstraintTwice", "CREATE TABLE t(a UNIQUE, CHECK (a > 0))", "CREATE TABLE t(a UNIQUE UNIQUE, CHECK (a > 0), UNIQUE (a))", same, !blind},
}

var columnPairs = []pair{
	{"OrderOfColumns", "CREATE TABLE t(a, b)", "CREATE TABLE t(b, a)", !same, !blind},
	{"LostColumn", "CREATE TABLE t(a, b)", "CREATE TABLE t(a)", !same, !blind},
	{"NameOfColumn", "CREATE TABLE t(a)", "CREATE TABLE t(b)", !same, !blind},
	{"Type", "CREATE TABLE t(a TEXT)", "CREATE TABLE t(a BLOB)", !same, !blind},
	{"LengthOfType", "CREATE TABLE t(a VARCHAR(10))", "CREATE TABLE t(a VARCHAR(20))", !same, !blind},
	{"BlanksInType", "CREATE TABLE t(a DECIMAL(10,2))", "CREATE TABLE t(a DECIMAL ( 10, 2 ))", same, !blind},
	{"QuotedType", "CREATE TABLE t(a INTEGER PRIMARY KEY)", `CREATE TABLE t(a "Integer" PRIMARY KEY)`, same, !blind},
	{"QuotedTypeOfTwoWords", "CREATE TABLE t(a BIG INT)", "CREATE TABLE t(a [big int])", same, !blind},
	{"QuotedTypeLosesItsLength", "CREATE TABLE t(a VARCHAR(10))", `CREATE TABLE t(a "VARCHAR"(10))`, !same, !blind},
	{"ConstraintAsType", "CREATE TABLE t(a UNIQUE)", `CREATE TABLE t(a "UNIQUE")`, !same, !blind},
	{"TypeOfTwoWords", "CREATE TABLE t(a LONG INT)", "CREATE TABLE t(a LONG)", !same, !blind},
	{"NotNull", "CREATE TABLE t(a TEXT NOT NULL)", "CREATE TABLE t(a TEXT)", !same, !blind},
	{"NullIsWhatHolds", "CREATE TABLE t(a TEXT NULL)", "CREATE TABLE t(a TEXT)", same, !blind},
	{"Default", "CREATE TABLE t(a DEFAULT 1)", "CREATE TABLE t(a DEFAULT 2)", !same, !blind},
	{"LostDefault", "CREATE TABLE t(a DEFAULT 1)", "CREATE TABLE t(a)", !same, !blind},
	{"DefaultInParentheses", "CREATE TABLE t(a DEFAULT (-1), b DEFAULT ('x'))", "CREATE TABLE t(a DEFAULT -1, b DEFAULT 'x')", same, !blind},
	{"CaseOfDefaultString", "CREATE TABLE t(a DEFAULT 'x')", "CREATE TABLE t(a DEFAULT 'X')", !same, !blind},
	{"CaseOfDefaultName", "CREATE TABLE t(a DEFAULT Draft)", "CREATE TABLE t(a DEFAULT draft)", !same, !blind},
	{"DefaultNameIsString", "CREATE TABLE t(a DEFAULT Draft, b DEFAULT 'Draft', c DEFAULT \"Draft\")", "CREATE TABLE t(a DEFAULT 'Draft', b DEFAULT [Draft], c DEFAULT Draft)", same, blind},
	{"CaseOfDefaultKeyword", "CREATE TABLE t(a DEFAULT CURRENT_TIMESTAMP, b DEFAULT NULL, c DEFAULT TRUE)", "CREATE TABLE t(a DEFAULT current_timestamp, b DEFAULT null, c DEFAULT true)", same, !blind},
	{"QuotedDefaultKeyword", "CREATE TABLE t(a DEFAULT TRUE)", `CREATE TABLE t(a DEFAULT "TRUE")`, !same, !blind},
	{"DefaultExpression", "CREATE TABLE t(a DEFAULT (datetime('now')))", "CREATE TABLE t(a DEFAULT ( DATETIME( 'now' ) ))", same, !blind},
	{"Collation", "CREATE TABLE t(a COLLATE NOCASE)", "CREATE TABLE t(a)", !same, blind},
	{"BinaryIsTheCollation", "CREATE TABLE t(a COLLATE BINARY)", "CREATE TABLE t(a)", same, !blind},
	{"Generated", "CREATE TABLE t(a, b AS (a + 1))", "CREATE TABLE t(a, b AS (a + 2))", !same, blind},
	{"StoredOrVirtual", "CREATE TABLE t(a, b AS (a + 1) STORED)", "CREATE TABLE t(a, b AS (a + 1))", !same, !blind},
	{"GeneratedAlways", "CREATE TABLE t(a, b INT GENERATED ALWAYS AS (a + 1) VIRTUAL)", "CREATE TABLE t(a, b INT AS (a+1))", same, !blind},
}

var keyPairs = []pair{
	{"PrimaryKeyOfColumnOrTable", "CREATE TABLE t(a TEXT PRIMARY KEY)", "CREATE TABLE t(a TEXT, PRIMARY KEY (a))", same, !blind},
	{"RowidOfColumnOrTable", "CREATE TABLE t(a INTEGER PRIMARY KEY)", "CREATE TABLE t(a INTEGER, PRIMARY KEY (a ASC))", same, !blind},
	{"IntIsNotTheRowid", "CREATE TABLE t(a INTEGER PRIMARY KEY)", "CREATE TABLE t(a INT PRIMARY KEY)", !same, !blind},
	{"DescIsNotTheRowid", "CREATE TABLE t(a INTEGER PRIMARY KEY)", "CREATE TABLE t(a INTEGER PRIMARY KEY DESC)", !same, !blind},
	{"DescOfTableIsTheRowid", "CREATE TABLE t(a INTEGER PRIMARY KEY)", "CREATE TABLE t(a INTEGER, PRIMARY KEY (a DESC))", same, !blind},
	{"DescOfTableWithoutRowid", "CREATE TABLE t(a INTEGER PRIMARY KEY) WITHOUT ROWID", "CREATE TABLE t(a INTEGER, PRIMARY KEY (a DESC)) WITHOUT ROWID", !same, !blind},
	{"Autoincrement", "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT)", "CREATE TABLE t(a INTEGER PRIMARY KEY)", !same, !blind},
	{"AutoincrementOfColumnOrTable", "CREATE TABLE t(a INTEGER PRIMARY KEY AUTOINCREMENT)", "CREATE TABLE t(a INTEGER, PRIMARY KEY (a AUTOINCREMENT))", same, !blind},
	{"LostPrimaryKey", "CREATE TABLE t(a TEXT PRIMARY KEY)", "CREATE TABLE t(a TEXT)", !same, !blind},
	{"OrderOfPrimaryKey", "CREATE TABLE t(a, b, PRIMARY KEY (a, b))", "CREATE TABLE t(a, b, PRIMARY KEY (b, a))", !same, !blind},
	{"DirectionOfPrimaryKey", "CREATE TABLE t(a, b, PRIMARY KEY (a, b))", "CREATE TABLE t(a, b, PRIMARY KEY (a, b DESC))", !same, !blind},
	{"PrimaryKeyIsNotUnique", "CREATE TABLE t(a PRIMARY KEY)", "CREATE TABLE t(a UNIQUE)", !same, !blind},
	{"PrimaryKeyIsNotNotNull", "CREATE TABLE t(a TEXT PRIMARY KEY)", "CREATE TABLE t(a TEXT NOT NULL PRIMARY KEY)", !same, !blind},
	{"PrimaryKeyWithoutRowidIsNotNull", "CREATE TABLE t(a TEXT PRIMARY KEY) WITHOUT ROWID", "CREATE TABLE t(a TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID", same, !blind},
	{"PrimaryKeyOfStrictIsNotNull", "CREATE TABLE t(a TEXT, b TEXT, PRIMARY KEY (a, b)) STRICT", "CREATE TABLE t(a TEXT NOT NULL, b TEXT NOT NULL, PRIMARY KEY (a, b)) STRICT", same, !blind},
	{"RowidIsNotNull", "CREATE TABLE t(a INTEGER PRIMARY KEY) STRICT", "CREATE TABLE t(a INTEGER NOT NULL PRIMARY KEY) STRICT", same, blind},
	{"UniqueOfColumnOrTable", "CREATE TABLE t(a UNIQUE, b)", "CREATE TABLE t(a, b, UNIQUE (a))", same, !blind},
	{"LostUnique", "CREATE TABLE t(a UNIQUE)", "CREATE TABLE t(a)", !same, !blind},
	{"UniqueOfTwo", "CREATE TABLE t(a, b, UNIQUE (a, b))", "CREATE TABLE t(a UNIQUE, b UNIQUE)", !same, !blind},
	{"OrderOfUnique", "CREATE TABLE t(a, b, UNIQUE (a, b))", "CREATE TABLE t(a, b, UNIQUE (b, a))", !same, !blind},
	{"UniquePrimaryKey", "CREATE TABLE t(a TEXT PRIMARY KEY UNIQUE)", "CREATE TABLE t(a TEXT PRIMARY KEY)", same, !blind},
	{"UniqueRowid", "CREATE TABLE t(a INTEGER PRIMARY KEY UNIQUE)", "CREATE TABLE t(a INTEGER PRIMARY KEY)", !same, !blind},
	{"UniqueIntegerWithoutRowid", "CREATE TABLE t(a INTEGER PRIMARY KEY UNIQUE) WITHOUT ROWID", "CREATE TABLE t(a INTEGER PRIMARY KEY) WITHOUT ROWID", same, !blind},
	{"CollationOfUnique", "CREATE TABLE t(a, UNIQUE (a COLLATE NOCASE))", "CREATE TABLE t(a, UNIQUE (a))", !same, !blind},
	{"UniqueHasTheColumnsCollation", "CREATE TABLE t(a COLLATE NOCASE, UNIQUE (a COLLATE NOCASE))", "CREATE TABLE t(a COLLATE NOCASE UNIQUE)", same, !blind},
	{"BinaryUnique", "CREATE TABLE t(a COLLATE NOCASE, UNIQUE (a COLLATE BINARY))", "CREATE TABLE t(a COLLATE NOCASE UNIQUE)", !same, !blind},
	{"OnConflict", "CREATE TABLE t(a UNIQUE ON CONFLICT REPLACE)", "CREATE TABLE t(a UNIQUE)", !same, blind},
	{"OnConflictOfNotNull", "CREATE TABLE t(a NOT NULL ON CONFLICT IGNORE)", "CREATE TABLE t(a NOT NULL)", !same, blind},
	{"OnConflictOfPrimaryKey", "CREATE TABLE t(a PRIMARY KEY ON CONFLICT FAIL)", "CREATE TABLE t(a, PRIMARY KEY (a) ON CONFLICT ROLLBACK)", !same, blind},
	{"AbortIsWhatHolds", "CREATE TABLE t(a PRIMARY KEY ON CONFLICT ABORT, b NOT NULL ON CONFLICT ABORT)", "CREATE TABLE t(a PRIMARY KEY, b NOT NULL)", same, !blind},
}

var checkPairs = []pair{
	{"LostCheck", "CREATE TABLE t(a CHECK (a > 0))", "CREATE TABLE t(a)", !same, !blind},
	{"Check", "CREATE TABLE t(a CHECK (a > 0))", "CREATE TABLE t(a CHECK (a > 1))", !same, !blind},
	{"CheckOfColumnOrTable", "CREATE TABLE t(a CHECK (a > 0), b)", "CREATE TABLE t(a, b, CHECK (a>0))", same, !blind},
	{"StringInCheck", "CREATE TABLE t(a CHECK (a <> 'x'))", "CREATE TABLE t(a CHECK (a <> 'X'))", !same, !blind},
	{"QuotedNameInCheck", `CREATE TABLE t(Aa CHECK ("Aa" > 0))`, "CREATE TABLE t(Aa CHECK (aA > 0))", same, !blind},
	{"QuotedStringInCheck", `CREATE TABLE t(a CHECK (a <> "Draft"))`, `CREATE TABLE t(a CHECK (a <> "draft"))`, !same, !blind},
	{"KeywordNameInCheck", `CREATE TABLE t(a, "not" CHECK (a > "not"))`, `CREATE TABLE t(a, "NOT" CHECK (a > [not]))`, same, !blind},
}

var foreignKeyPairs = []pair{
	{"LostForeignKey", "CREATE TABLE t(a REFERENCES p)", "CREATE TABLE t(a)", !same, !blind},
	{"ForeignKeyOfColumnOrTable", "CREATE TABLE t(a REFERENCES p (x) ON DELETE CASCADE, b)", "CREATE TABLE t(a, b, FOREIGN KEY (a) REFERENCES p (x) ON DELETE CASCADE)", same, !blind},
	{"Parent", "CREATE TABLE t(a REFERENCES p)", "CREATE TABLE t(a REFERENCES q)", !same, !blind},
	{"QuotedParent", `CREATE TABLE t(a REFERENCES "P" ("X"))`, "CREATE TABLE t(a REFERENCES p(x))", same, !blind},
	{"ParentColumn", "CREATE TABLE t(a REFERENCES p (x))", "CREATE TABLE t(a REFERENCES p (y))", !same, !blind},
	{"UnsaidParentColumn", "CREATE TABLE t(a REFERENCES p)", "CREATE TABLE t(a REFERENCES p (x))", !same, !blind},
	{"OnDelete", "CREATE TABLE t(a REFERENCES p ON DELETE CASCADE)", "CREATE TABLE t(a REFERENCES p ON DELETE SET NULL)", !same, !blind},
	{"OnUpdate", "CREATE TABLE t(a REFERENCES p ON UPDATE CASCADE)", "CREATE TABLE t(a REFERENCES p)", !same, !blind},
	{"NoActionIsWhatHolds", "CREATE TABLE t(a REFERENCES p ON DELETE NO ACTION ON UPDATE NO ACTION)", "CREATE TABLE t(a REFERENCES p)", same, !blind},
	{"RestrictIsNotNoAction", "CREATE TABLE t(a REFERENCES p ON DELETE RESTRICT)", "CREATE TABLE t(a REFERENCES p)", !same, !blind},
	{"OrderOfActions", "CREATE TABLE t(a REFERENCES p ON DELETE CASCADE ON UPDATE SET DEFAULT)", "CREATE TABLE t(a REFERENCES p ON UPDATE SET DEFAULT ON DELETE CASCADE)", same, !blind},
	{"Deferred", "CREATE TABLE t(a REFERENCES p DEFERRABLE INITIALLY DEFERRED)", "CREATE TABLE t(a REFERENCES p)", !same, blind},
	{"ImmediateIsWhatHolds", "CREATE TABLE t(a REFERENCES p NOT DEFERRABLE INITIALLY DEFERRED, b REFERENCES p DEFERRABLE, c REFERENCES p DEFERRABLE INITIALLY IMMEDIATE)", "CREATE TABLE t(a REFERENCES p, b REFERENCES p, c REFERENCES p)", same, !blind},
	{"DeferredOfColumnOrTable", "CREATE TABLE t(a REFERENCES p NOT NULL DEFERRABLE INITIALLY DEFERRED, b)", "CREATE TABLE t(a NOT NULL, b, FOREIGN KEY (a) REFERENCES p DEFERRABLE INITIALLY DEFERRED)", same, !blind},
	{"LastDeferrableCounts", "CREATE TABLE t(a REFERENCES p DEFERRABLE INITIALLY DEFERRED DEFERRABLE INITIALLY DEFERRED, b REFERENCES p DEFERRABLE INITIALLY DEFERRED NOT DEFERRABLE)", "CREATE TABLE t(a REFERENCES p DEFERRABLE INITIALLY DEFERRED, b REFERENCES p)", same, !blind},
	{"MatchHasNoEffect", "CREATE TABLE t(a REFERENCES p MATCH FULL)", "CREATE TABLE t(a REFERENCES p)", same, !blind},
	{"CompositeForeignKey", "CREATE TABLE t(a, b, FOREIGN KEY (a, b) REFERENCES p (x, y))", "CREATE TABLE t(a, b, FOREIGN KEY (b, a) REFERENCES p (y, x))", same, blind},
	{"PairsOfForeignKey", "CREATE TABLE t(a, b, FOREIGN KEY (a, b) REFERENCES p (x, y))", "CREATE TABLE t(a, b, FOREIGN KEY (a, b) REFERENCES p (y, x))", !same, !blind},
	{"TwoForeignKeysAreNotOne", "CREATE TABLE t(a, b, FOREIGN KEY (a, b) REFERENCES p (x, y))", "CREATE TABLE t(a REFERENCES p (x), b REFERENCES p (y))", !same, !blind},
}

var optionPairs = []pair{
	{"Strict", "CREATE TABLE t(a TEXT) STRICT", "CREATE TABLE t(a TEXT)", !same, !blind},
	{"WithoutRowid", "CREATE TABLE t(a PRIMARY KEY) WITHOUT ROWID", "CREATE TABLE t(a PRIMARY KEY)", !same, !blind},
	{"OrderOfOptions", "CREATE TABLE t(a TEXT PRIMARY KEY) WITHOUT ROWID, STRICT", "CREATE TABLE t(a TEXT PRIMARY KEY) strict, without rowid", same, !blind},
}

// The table is p(x, Yy COLLATE NOCASE, "desc").
var indexPairs = []pair{
	{"IndexColumn", "CREATE INDEX i ON p(x)", "CREATE INDEX i ON p(yy)", !same, !blind},
	{"OrderOfIndexColumns", "CREATE INDEX i ON p(x, yy)", "CREATE INDEX i ON p(yy, x)", !same, !blind},
	{"WordingOfIndex", "CREATE INDEX i ON p(x, yy)", `CREATE  INDEX I ON "p" ( [X], 'YY' )`, same, !blind},
	{"AscIsWhatHolds", "CREATE INDEX i ON p(x ASC)", "CREATE INDEX i ON p(x)", same, !blind},
	{"Desc", "CREATE INDEX i ON p(x DESC)", "CREATE INDEX i ON p(x)", !same, !blind},
	{"ColumnNamedDesc", "CREATE INDEX i ON p(desc)", `CREATE INDEX i ON p("desc")`, same, !blind},
	{"UniqueIndex", "CREATE UNIQUE INDEX i ON p(x)", "CREATE INDEX i ON p(x)", !same, !blind},
	{"CollationOfIndex", "CREATE INDEX i ON p(x COLLATE NOCASE)", "CREATE INDEX i ON p(x)", !same, !blind},
	{"IndexHasTheColumnsCollation", "CREATE INDEX i ON p(yy COLLATE nocase, x COLLATE BINARY)", "CREATE INDEX i ON p(yy, x)", same, !blind},
	{"BinaryIndex", "CREATE INDEX i ON p(yy COLLATE BINARY)", "CREATE INDEX i ON p(yy)", !same, !blind},
	{"Where", "CREATE INDEX i ON p(x) WHERE x > 0", "CREATE INDEX i ON p(x)", !same, !blind},
	{"OtherWhere", "CREATE INDEX i ON p(x) WHERE x > 0", "CREATE INDEX i ON p(x) WHERE x > 1", !same, blind},
	{"WordingOfWhere", "CREATE INDEX i ON p(x) WHERE \"Yy\">0", "CREATE INDEX i ON p(x) where (yy > 0)", same, !blind},
	{"IndexOnExpression", "CREATE INDEX i ON p(x + 1)", "CREATE INDEX i ON p(x + 2)", !same, blind},
	{"WordingOfExpression", "CREATE INDEX i ON p(x + 1, (x))", "CREATE INDEX i ON p((X+1), x)", same, !blind},
}

// What has no structure except its tokens.
var tokenPairs = []pair{
	{"WordingOfView", "CREATE VIEW v AS SELECT x FROM p", "CREATE VIEW \"v\" AS\n\tselect \"x\" from P -- all", same, blind},
	{"View", "CREATE VIEW v AS SELECT x FROM p", "CREATE VIEW v AS SELECT yy FROM p", !same, !blind},
	{"QuotedStringInView", `CREATE VIEW v AS SELECT x FROM p WHERE x = "Draft"`, `CREATE VIEW v AS SELECT x FROM p WHERE x = "draft"`, !same, blind},
	{"QuotedNameInView", `CREATE VIEW v AS SELECT "p"."Yy" AS "All" FROM "P"`, `CREATE VIEW v AS SELECT p.YY as all_ FROM p`, !same, !blind},
	{"QuotedNamesInView", `CREATE VIEW v AS SELECT "P"."Yy" AS "Every" FROM "P"`, `CREATE VIEW v AS SELECT p.YY as every FROM p`, same, blind},
	{"WordingOfTrigger", "CREATE TRIGGER r AFTER DELETE ON p BEGIN SELECT 1; END", "create trigger R after delete on \"P\" begin\n select 1;\nend", same, blind},
	{"Trigger", "CREATE TRIGGER r AFTER DELETE ON p BEGIN SELECT 1; END", "CREATE TRIGGER r AFTER DELETE ON p BEGIN SELECT 2; END", !same, blind},
	{"TimeOfTrigger", "CREATE TRIGGER r AFTER DELETE ON p BEGIN SELECT 1; END", "CREATE TRIGGER r BEFORE DELETE ON p BEGIN SELECT 1; END", !same, blind},
}

// A definition is what SQLite makes of a CREATE statement.
type definition struct {
	objects []Object
	pragmas string
}

// define executes the statement next to the table to which all refer.
func define(t *testing.T, sql string) definition {
	t.Helper()
	conn := open(t)
	for _, dqs := range []sqlite3.DBConfig{sqlite3.DBCONFIG_DQS_DDL, sqlite3.DBCONFIG_DQS_DML} {
		if _, err := conn.Config(dqs, true); err != nil {
			t.Fatal(err)
		}
	}
	execute(t, conn, `CREATE TABLE p(x, Yy COLLATE NOCASE, "desc")`, sql)
	return definition{schemaOf(t, conn), pragmasOf(t, conn)}
}

// pragmasOf returns what SQLite's pragmas say about a schema, in a form that does
// not depend on the order of constraints and the names of their indexes, and the
// tokens of CHECKs, about which there is no pragma.
//
// https://sqlite.org/pragma.html
func pragmasOf(t *testing.T, conn *sqlite3.Conn) string {
	t.Helper()
	var out []string
	for _, table := range rows(t, conn, "SELECT lower(name) FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY lower(name)") {
		out = append(out, rows(t, conn, "SELECT type, lower(name), ncol, wr, strict FROM pragma_table_list(?)", table)...)
		for _, column := range rows(t, conn, `SELECT cid, lower(name), lower(replace(type, ' ', '')), "notnull", pk, hidden FROM pragma_table_xinfo(?)`, table) {
			out = append(out, "column "+column)
		}
		for i, value := range rows(t, conn, "SELECT ifnull(dflt_value, '-') FROM pragma_table_xinfo(?)", table) {
			out = append(out, fmt.Sprintf("default %d %s", i, folded(value)))
		}
		var indexes []string
		for _, index := range rows(t, conn, `SELECT name FROM pragma_index_list(?)`, table) {
			s := strings.Join(rows(t, conn, `SELECT "unique", origin, partial, CASE origin WHEN 'c' THEN lower(name) END FROM pragma_index_list(?) WHERE name = ?`, table, index), "")
			indexes = append(indexes, "index "+s+" "+strings.Join(rows(t, conn, `SELECT seqno, cid, lower(name), "desc", lower(coll), "key" FROM pragma_index_xinfo(?)`, index), " "))
		}
		slices.Sort(indexes)
		out = append(out, indexes...)
		var keys []string
		for _, id := range rows(t, conn, "SELECT DISTINCT id FROM pragma_foreign_key_list(?)", table) {
			keys = append(keys, "foreign key "+strings.Join(rows(t, conn, `SELECT seq, lower("table"), lower("from"), lower("to"), on_update, on_delete, "match" FROM pragma_foreign_key_list(?) WHERE id = CAST(? AS INTEGER)`, table, id), " "))
		}
		slices.Sort(keys)
		out = append(out, keys...)
		var checks []string
		for _, sql := range rows(t, conn, "SELECT sql FROM sqlite_schema WHERE lower(name) = ?", table) {
			checks = checksOf(sql)
		}
		out = append(out, checks...)
	}
	return strings.Join(out, "\n")
}

// checksOf returns the tokens of the CHECKs in a CREATE TABLE statement, each
// once.
func checksOf(sql string) (checks []string) {
	script := Parse(sql)
	for i := range script.Tokens {
		if !Equal(script.Token(i), "check") {
			continue
		}
		check, depth := "check", 0
		for i++; ; i++ {
			check += " " + folded(script.Token(i))
			if script.Token(i) == "(" {
				depth++
			} else if script.Token(i) == ")" {
				depth--
			}
			if depth == 0 {
				break
			}
		}
		checks = append(checks, check)
	}
	slices.Sort(checks)
	return slices.Compact(checks)
}

// folded returns SQL without spaces and, except for strings, in lower case and
// without quotes, as far as these tests need it.
func folded(sql string) string {
	script := Parse(sql)
	var b strings.Builder
	for i, token := range script.Tokens {
		switch text := script.Token(i); {
		case token.Kind == String, text == `"Draft"`, text == `"draft"`, text == "Draft", text == `"TRUE"`:
			b.WriteString(text)
		case token.Kind == Quoted:
			b.WriteString(Name(text))
		default:
			b.WriteString(Fold(text))
		}
	}
	return b.String()
}

// FuzzCreate compares what is read out of any CREATE statement that SQLite accepts
// with what SQLite has read out of it, and writes it down and reads it again.
func FuzzCreate(f *testing.F) {
	for _, s := range []string{
		"CREATE TABLE t(a INTEGER PRIMARY KEY ON CONFLICT FAIL AUTOINCREMENT NOT NULL, b VARCHAR(10, -2) DEFAULT -1.5 COLLATE 'nocase', c AS (a+1) STORED NOT NULL, CONSTRAINT x CHECK (a IN (1, (2))))",
		"CREATE TABLE 't'('a' 'INT' REFERENCES p(x, y) ON DELETE SET NULL ON UPDATE NO ACTION MATCH x NOT DEFERRABLE INITIALLY DEFERRED NOT NULL, [b] GENERATED ALWAYS, UNIQUE(a, b) ON CONFLICT REPLACE FOREIGN KEY(a, b) REFERENCES q)",
		"CREATE TABLE main.t(a generated always as (1) virtual, b key desc default key, c NULL ON CONFLICT IGNORE, PRIMARY KEY (b COLLATE rtrim DESC, c)) WITHOUT ROWID, STRICT",
		"CREATE TEMP TABLE IF NOT EXISTS t(\"a b\" DOUBLE PRECISION DEFAULT (1) DEFAULT +2 CONSTRAINT y UNIQUE CHECK(1), CONSTRAINT z)",
		"CREATE TABLE t(a UNSIGNED BIG INT(8), b DEFAULT CURRENT_TIME, c DEFAULT x'00' NOT NULL, d DEFAULT \"x\" -- e\n)",
		"CREATE TABLE t(a references p deferrable initially immediate deferrable, deferrable, b)",
		"CREATE UNIQUE INDEX IF NOT EXISTS main.\"i\" ON p(x COLLATE NOCASE DESC, (x + 1), desc) WHERE x IN (1, ';') -- y",
		"CREATE VIEW main.v(a, [b;]) AS SELECT CASE x WHEN ';' THEN 1 END, 2 FROM p /* open",
		"CREATE TRIGGER IF NOT EXISTS main.r AFTER UPDATE OF x, \"desc\" ON p FOR EACH ROW WHEN CASE new.x WHEN 1 THEN 2 END BEGIN SELECT CASE WHEN 1 THEN ';' END; DELETE FROM p; END",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		if len(sql) > 1000 || strings.Contains(sql, "\x00") {
			return
		}
		conn := open(t)
		execute(t, conn, `CREATE TABLE p(x, y, "desc")`)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		conn.SetInterrupt(ctx)
		stmt, tail, err := conn.Prepare(sql)
		if err != nil || stmt == nil {
			return
		}
		if !Equal(Parse(sql).Token(0), "create") || strings.Trim(tail, " ;\n") != "" || stmt.Exec() != nil {
			stmt.Close()
			return
		}
		stmt.Close()
		conn.SetInterrupt(context.Background())
		objects := schemaOf(t, conn)
		parsed, err := ParseSchema(FormatSchema(objects))
		if err != nil {
			t.Fatalf("%q: %v", sql, err)
		}
		if changed, extra := Diff(objects, parsed); len(changed)+len(extra) > 0 || len(parsed) != len(objects) {
			t.Fatalf("%q becomes %q", objects, parsed)
		}
		for _, o := range objects {
			if o.structure(objects).kind == "" {
				t.Fatalf("%q is not understood", o.SQL)
			}
			if o.Type != "table" || strings.HasPrefix(o.SQL, "CREATE VIRTUAL TABLE") {
				continue
			}
			table, ok := parseTable(lex(o.SQL))
			if !ok {
				t.Fatalf("SQLite accepts %q as %q", sql, o.SQL)
			}
			var got []string
			for i := range table.columns {
				got = append(got, table.info(&table.columns[i]))
			}
			want := rows(t, conn, `SELECT name, lower(type), "notnull" <> 0, pk > 0, hidden FROM pragma_table_xinfo(?, 'main')`, o.Name)
			blanks := strings.NewReplacer(" ", "", "\t", "", "\n", "", "\v", "", "\f", "", "\r", "") // SQLite keeps them in a type, and comments
			if got, want := blanks.Replace(strings.Join(got, "; ")), blanks.Replace(strings.Join(want, "; ")); got != want && !strings.Contains(want, "--") && !strings.Contains(want, "/*") {
				t.Fatalf("%q: got\n%s\nSQLite says\n%s", o.SQL, got, want)
			}
			if got, want := fmt.Sprintf("%v|%v", b2i(table.withoutRowid), b2i(table.strict)), rows(t, conn, "SELECT wr, strict FROM pragma_table_list(?) WHERE schema = 'main'", o.Name)[0]; got != want {
				t.Fatalf("%q: got %s, SQLite says %s", o.SQL, got, want)
			}
			if got, want := len(table.foreign), len(rows(t, conn, "SELECT DISTINCT id FROM pragma_foreign_key_list(?, 'main')", o.Name)); got != want {
				t.Fatalf("%q: got %d foreign keys, SQLite has %d", o.SQL, got, want)
			}
		}
	})
}

// info returns what table_xinfo says of a column.
func (t *table) info(c *column) string {
	typ := c.typeForm()
	if len(c.typ) > 1 && c.typ[0].kind != Word { // where SQLite reads no further
		typ = Name(c.typ[0].text)
	}
	if len(typ) >= len("generated always") { // which SQLite takes off, whatever follows it
		typ = strings.TrimSuffix(typ, "always")
		typ = strings.TrimSuffix(strings.TrimSpace(typ), "generated")
	}
	hidden := 0
	if c.generated != nil {
		hidden = 2 + b2i(c.stored)
	}
	return fmt.Sprintf("%s|%s|%d|%d|%d", c.name, typ, b2i(c.notNull || t.isNotNull(c)), b2i(t.inKey(c)), hidden)
}

func execute(t testing.TB, conn *sqlite3.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if err := conn.Exec(s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

// schemaOf returns the objects of a database that have SQL, without shadow tables.
func schemaOf(t testing.TB, conn *sqlite3.Conn) (objects []Object) {
	t.Helper()
	stmt, _, err := conn.Prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE sql NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' " +
		"AND tbl_name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')")
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for stmt.Step() {
		objects = append(objects, Object{stmt.ColumnText(0), stmt.ColumnText(1), stmt.ColumnText(2), stmt.ColumnText(3)})
	}
	if err := stmt.Err(); err != nil {
		t.Fatal(err)
	}
	return objects
}

// rows returns the rows of a query, columns joined by a bar.
func rows(t testing.TB, conn *sqlite3.Conn, query string, args ...string) (rows []string) {
	t.Helper()
	stmt, _, err := conn.Prepare(query)
	if err != nil {
		t.Fatal(err)
	}
	defer stmt.Close()
	for i, arg := range args {
		if err := stmt.BindText(i+1, arg); err != nil {
			t.Fatal(err)
		}
	}
	for stmt.Step() {
		var columns []string
		for i := range stmt.ColumnCount() {
			columns = append(columns, stmt.ColumnText(i))
		}
		rows = append(rows, strings.Join(columns, "|"))
	}
	if err := stmt.Err(); err != nil {
		t.Fatal(err)
	}
	return rows
}
