package sqltext

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
)

// scripts are what makes it hard to see where a statement ends.
var scripts = []struct {
	name, text string
	want       []string // its statements
}{
	{"TriggerWithCaseEnd",
		"CREATE TABLE a (b); CREATE TRIGGER c AFTER INSERT ON a BEGIN\n\tSELECT CASE new.b WHEN 1 THEN 2 END;\n\tDELETE FROM a WHERE b = 3;\nEND; SELECT 1;",
		[]string{"CREATE TABLE a (b);", "CREATE TRIGGER c AFTER INSERT ON a BEGIN\n\tSELECT CASE new.b WHEN 1 THEN 2 END;\n\tDELETE FROM a WHERE b = 3;\nEND;", "SELECT 1;"}},
	{"CommentBetweenCreateAndTrigger",
		"CREATE TABLE a(b);CREATE/**/TRIGGER c AFTER INSERT ON a BEGIN SELECT 1; END;SELECT 2",
		[]string{"CREATE TABLE a(b);", "CREATE/**/TRIGGER c AFTER INSERT ON a BEGIN SELECT 1; END;", "SELECT 2"}},
	{"TableNamedTrigger", `CREATE TABLE "trigger" ("end"); SELECT 1;`, []string{`CREATE TABLE "trigger" ("end");`, "SELECT 1;"}},
	{"SemicolonsInStrings", "SELECT ';', '--;', '''; --', '/*;';SELECT 2;", []string{"SELECT ';', '--;', '''; --', '/*;';", "SELECT 2;"}},
	{"SemicolonsInNames",
		"CREATE TABLE \"a;--\" (\"b\"\";\");CREATE TABLE `c;/*` (```;`);CREATE TABLE [d;--] ([e;]);SELECT 1;",
		[]string{"CREATE TABLE \"a;--\" (\"b\"\";\");", "CREATE TABLE `c;/*` (```;`);", "CREATE TABLE [d;--] ([e;]);", "SELECT 1;"}},
	{"NameInSingleQuotes", "CREATE TABLE 'a;b' ('c;d');SELECT 1", []string{"CREATE TABLE 'a;b' ('c;d');", "SELECT 1"}},
	{"SemicolonsInComments", "SELECT 1 -- ;\n+ 2 /* ; */; -- ;\nSELECT 3;", []string{"SELECT 1 -- ;\n+ 2 /* ; */;", "SELECT 3;"}},
	{"NoFinalSemicolon", "SELECT 1;\nSELECT 2\n", []string{"SELECT 1;", "SELECT 2"}},
	{"TrailingComment", "SELECT 1; -- done", []string{"SELECT 1;"}},
	{"TrailingOpenComment", "SELECT 1 /* done", []string{"SELECT 1"}},
	{"TrailingDirective", "SELECT 1\n-- lockstep: no-cascade", []string{"SELECT 1"}},
	{"EmptyStatements", ";;SELECT 1;;\n;SELECT 2;;", []string{"SELECT 1;", "SELECT 2;"}},
	{"DirectivesAboveStatements", "-- lockstep: no-cascade\nSELECT 1;\n--lockstep: no-cascade\nSELECT 2;", []string{"SELECT 1;", "SELECT 2;"}},
	{"DirectiveInsideStatement", "SELECT 1 -- lockstep: no-cascade\n+ 2;SELECT 3", []string{"SELECT 1 -- lockstep: no-cascade\n+ 2;", "SELECT 3"}},
	{"ByteOrderMark", "\uFEFFSELECT 1;SELECT 2", []string{"SELECT 1;", "SELECT 2"}},
	{"CarriageReturns", "SELECT 1;\r\n-- two\r\nSELECT '\r\n';\r\n", []string{"SELECT 1;", "SELECT '\n';"}},
	{"NamesOfAllAlphabets", "CREATE TABLE naïve (表 TEXT); SELECT 表 FROM naïve;", []string{"CREATE TABLE naïve (表 TEXT);", "SELECT 表 FROM naïve;"}},
	{"NumbersAndBlobs", "SELECT 1_000, 0xFF, 1.5e-3, .5, x'3B', X'';SELECT 1;", []string{"SELECT 1_000, 0xFF, 1.5e-3, .5, x'3B', X'';", "SELECT 1;"}},
	{"Arrows", `SELECT '{"a;":1}' ->> '$.a', '[1]' -> 0;SELECT 1 --1` + "\n;", []string{`SELECT '{"a;":1}' ->> '$.a', '[1]' -> 0;`, "SELECT 1 --1\n;"}},
	{"Variables", "SELECT ?, ?5, :a, @b, $c::d(e;f), $g;SELECT 1", []string{"SELECT ?, ?5, :a, @b, $c::d(e;f), $g;", "SELECT 1"}},
	{"LongLine", "SELECT '" + strings.Repeat("x;--", 5<<18) + "';SELECT 2;", []string{"SELECT '" + strings.Repeat("x;--", 5<<18) + "';", "SELECT 2;"}},
}

// TestStatements has SQLite say where statements end, as the generator does.
func TestStatements(t *testing.T) {
	for _, c := range scripts {
		t.Run(c.name, func(t *testing.T) {
			script := Parse(Normalize([]byte(c.text)))
			ends, whole := endsBySQLite(t, open(t), script)
			if !whole {
				t.Fatal("SQLite refuses the script")
			}
			var cut []int
			var got []string
			for _, s := range script.Cut() {
				cut, got = append(cut, s.End), append(got, s.SQL)
				if s.Pos != strings.Index(script.Text[s.Pos:], s.SQL)+s.Pos || s.Line != script.Line(s.Pos) {
					t.Errorf("got %d, line %d, for %.50q", s.Pos, s.Line, s.SQL)
				}
			}
			if !slices.Equal(cut, ends) {
				t.Errorf("Cut ends statements at %d; SQLite at %d", cut, ends)
			}
			if got, want := fmt.Sprintf("%q", got), fmt.Sprintf("%q", c.want); got != want {
				t.Errorf("got  %.500s\nwant %.500s", got, want)
			}
		})
	}
}

func TestCommentsMoveNoCut(t *testing.T) {
	for _, c := range scripts {
		if c.name == "LongLine" || strings.Contains(c.text, "\uFEFF") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			script := Parse(Normalize([]byte(c.text)))
			want := script.Cut()
			// Between any two tokens, one at a time.
			for _, token := range script.Tokens {
				commented := Parse(script.Text[:token.Pos] + "\n-- ; 'new\n" + script.Text[token.Pos:])
				if commented.Checksum() != script.Checksum() {
					t.Fatalf("%q has another checksum", commented.Text)
				}
				got := commented.Cut()
				if len(got) != len(want) {
					t.Fatalf("%q: got %d statements, want %d", commented.Text, len(got), len(want))
				}
				for i := range got {
					if got, want := Parse(got[i].SQL).Checksum(), Parse(want[i].SQL).Checksum(); got != want {
						t.Errorf("%q: statement %d is another", commented.Text, i)
					}
				}
			}
		})
	}
}

func FuzzStatements(f *testing.F) {
	for _, c := range scripts {
		if len(c.text) < 1000 {
			f.Add(c.text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\x00") || len(text) > 1000 {
			return
		}
		script := Parse(Normalize([]byte(text)))
		ends, whole := endsBySQLite(t, open(t), script)
		if !whole {
			return
		}
		stmts := script.Cut()
		if len(stmts) != len(ends) {
			t.Fatalf("%q: got %d statements, SQLite has %d", text, len(stmts), len(ends))
		}
		for i, s := range stmts {
			if s.End != ends[i] {
				t.Fatalf("%q: Cut ends statement %d at %d; SQLite ends them at %d", text, i, s.End, ends)
			}
		}
	})
}

// endsBySQLite returns where SQLite ends the statements of the script, in tokens.
// whole is false when it stops at one that it refuses.
func endsBySQLite(t *testing.T, conn *sqlite3.Conn, script *Script) (ends []int, whole bool) {
	t.Helper()
	pos, n := 0, 0
	for {
		for n < len(script.Tokens) && (script.Tokens[n].Kind == Semicolon || script.Tokens[n].Kind == Directive) {
			n++
		}
		if n == len(script.Tokens) {
			return ends, true
		}
		pos = script.Tokens[n].Pos
		stmt, tail, err := conn.Prepare(script.Text[pos:])
		if err != nil {
			return ends, false
		}
		if stmt == nil {
			t.Fatalf("%q: SQLite sees no statement at %d, lockstep %q", script.Text, pos, script.Token(n))
		}
		if definition := script.Token(n); Equal(definition, "create") {
			if err := stmt.Exec(); err != nil {
				stmt.Close()
				return ends, false
			}
		}
		stmt.Close()
		end := len(script.Text) - len(tail)
		for n < len(script.Tokens) && script.Tokens[n].End <= end {
			n++
		}
		if n < len(script.Tokens) && script.Tokens[n].Pos < end {
			t.Fatalf("%q: SQLite ends a statement at %d, inside of %q", script.Text, end, script.Token(n))
		}
		to := n
		for script.Tokens[to-1].Kind == Directive {
			to-- // after the last statement
		}
		if tail != "" && script.Tokens[to-1].Kind != Semicolon {
			t.Fatalf("%q: SQLite ends a statement at %d, after %q", script.Text, end, script.Token(to-1))
		}
		ends = append(ends, to)
	}
}

func TestStatement(t *testing.T) {
	for _, c := range []struct {
		sql, want string
	}{
		{"SELECT 1", "select, rows"},
		{"vAlUeS (1)", "values, rows"},
		{"WITH a AS (SELECT 1) DELETE FROM b", "with, rows"},
		{"EXPLAIN CREATE TABLE a(b)", "explain, rows"},
		{"Create TABLE a(b)", "create"},
		{"REINDEX", "reindex"},
		{"DELETE FROM a", "delete"},
		{"INSERT INTO a VALUES (1) RETURNING b", "insert, rows"},
		{`UPDATE a SET b = 'returning', c = "returning"`, "update"},
		{"REPLACE INTO a VALUES (1) -- lockstep: no-cascade\nreturning *", "replace, rows"},
		{"PRAGMA user_version", "pragma, user_version, rows"},
		{"PRAGMA main.User_Version = 1", "pragma, user_version, rows"},
		{`pragma "main"."foreign_keys"(off);`, "pragma, foreign_keys, rows, skipped"},
		{"PRAGMA 'foreign_keys' = ON", "pragma, foreign_keys, rows, skipped"},
		{"PRAGMA -- lockstep: no-cascade\n[foreign_keys]", "pragma, foreign_keys, rows, skipped"},
		{"PRAGMA foreign_key_check(a)", "pragma, foreign_key_check, rows, skipped"},
		{"PRAGMA foreign_key_list(a)", "pragma, foreign_key_list, rows"},
		{"PRAGMA", "pragma, rows"},
		{"BEGIN IMMEDIATE;", "begin, skipped"},
		{"COMMIT", "commit, skipped"},
		{"end transaction", "end, skipped"},
		{"ROLLBACK", "rollback"},
		{"SAVEPOINT a", "savepoint"},
	} {
		t.Run(c.sql, func(t *testing.T) {
			s := Parse(c.sql).Cut()[0]
			got := s.Keyword()
			if s.Pragma() != "" {
				got += ", " + s.Pragma()
			}
			if s.ReturnsRows() {
				got += ", rows"
			}
			if s.Skipped(true) {
				got += ", skipped"
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
