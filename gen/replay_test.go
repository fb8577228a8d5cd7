package gen

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// TestStatementsAreThoseThatSQLiteRan cuts files the way the runtime does, and compares
// with the statements that SQLite itself takes from the whole text one after the other.
func TestStatementsAreThoseThatSQLiteRan(t *testing.T) {
	files := map[string]string{
		"NoFinalSemicolon":   "CREATE TABLE t(a); INSERT INTO t VALUES (1)",
		"TrailingComment":    "CREATE TABLE t(a); -- ; end",
		"TrailingDirective":  "CREATE TABLE t(a)\n-- lockstep: no-cascade",
		"OpenComment":        "CREATE TABLE t(a); /* ; ",
		"EmptyStatements":    ";;CREATE TABLE t(a);;;INSERT INTO t VALUES (1);;",
		"SemicolonsInQuotes": "CREATE TABLE [a;b](`c;`, \"d;\" DEFAULT ';''--'); INSERT INTO 'a;b' VALUES (';', x'3b');",
		"CommentAsBlank":     "CREATE/**/TRIGGER x/**/AFTER INSERT ON u BEGIN SELECT CASE 1 WHEN 1 THEN 2 END; END;SELECT 1;",
		"TriggerInTrigger":   "CREATE TRIGGER begin_end AFTER INSERT ON u BEGIN DELETE FROM u; INSERT INTO u SELECT 'END;'; END /* ; */ ; SELECT 1;",
		"LongLine":           "INSERT INTO u VALUES ('" + strings.Repeat("x;-- ", 1<<20) + "'); SELECT 1;",
		"CRLF":               "CREATE TABLE t(a);\r\nINSERT INTO t VALUES ('a\r\nb');\r\n",
		"ByteOrderMark":      "\uFEFFCREATE TABLE t(a); \uFEFFSELECT 1;",
	}
	for _, name := range []string{"ordinary", "statements"} {
		texts := archiveMigrations(t, "testdata/"+name+".txtar")
		for _, file := range slices.Sorted(maps.Keys(texts)) {
			files[name] += texts[file] + "\n;\n"
		}
	}
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			m := &migration{name: "0001-x.sql"}
			m.parse(sqltext.Normalize([]byte(file)))
			r, err := newReplay(t.Context(), Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			if err := r.conn.Exec("CREATE TABLE u(a)"); err != nil {
				t.Fatal(err)
			}
			if err := r.run(t.Context(), []*migration{m}, nil); err != nil || len(r.Problems) > 0 {
				t.Fatal(r.Problems, err)
			}
			var got []string
			for _, s := range m.script.Cut() {
				got = append(got, bare(s.SQL))
			}
			if want := cutBySQLite(t, m.script.Text); strings.Join(got, "\x00") != strings.Join(want, "\x00") {
				t.Errorf("got  %.2000q\nwant %.2000q", got, want)
			}
		})
	}
}

// cutBySQLite hands SQLite all of the text and then what it leaves over, and
// returns what it takes.
func cutBySQLite(t *testing.T, text string) (statements []string) {
	r, err := newReplay(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.conn.Exec("CREATE TABLE u(a)"); err != nil {
		t.Fatal(err)
	}
	for text != "" {
		stmt, tail, err := r.conn.Prepare(text)
		if err != nil {
			t.Fatal(err)
		}
		if stmt != nil {
			statements = append(statements, bare(strings.TrimSuffix(text, tail)))
			if err := errors.Join(stmt.Exec(), stmt.Close()); err != nil {
				t.Fatal(err)
			}
		}
		text = tail
	}
	return statements
}

// bare returns the statement without the semicolons and comments around it.
func bare(sql string) string {
	script := sqltext.Parse(sql)
	from, to := 0, len(script.Tokens)
	around := func(i int) bool {
		return script.Tokens[i].Kind == sqltext.Semicolon || script.Tokens[i].Kind == sqltext.Directive
	}
	for around(from) {
		from++
	}
	for around(to - 1) {
		to--
	}
	return sql[script.Tokens[from].Pos:script.Tokens[to-1].End]
}

func TestConnHookServesTheReplay(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "0001-a.sql"), "CREATE TABLE t(a COLLATE backwards); INSERT INTO t SELECT twice(2) ORDER BY 1 COLLATE backwards;")
	if got, want := problemsOf(t, dir, Options{}), "0001-a.sql:1:1: no such collation sequence: backwards; if the program registers it, generate with a program that does\n\tlockstep help drivers"; got != want {
		t.Errorf("without a hook: got %s; want %s", got, want)
	}
	opts := Options{Conn: func(c *sqlite3.Conn) error {
		return errors.Join(
			c.CreateFunction("twice", 1, sqlite3.DETERMINISTIC, func(ctx sqlite3.Context, arg ...sqlite3.Value) {
				ctx.ResultInt64(2 * arg[0].Int64())
			}),
			c.CreateCollation("backwards", func(a, b []byte) int { return strings.Compare(string(b), string(a)) }),
		)
	}}
	if got := problemsOf(t, dir, opts); got != "" {
		t.Errorf("with a hook: %s", got)
	}
	hookErr := errors.New("no")
	if _, err := Generate(t.Context(), dir, Options{Conn: func(*sqlite3.Conn) error { return hookErr }}); !errors.Is(err, hookErr) {
		t.Errorf("a hook that fails: got %v; want %v", err, hookErr)
	}
}

func TestContextEndsTheReplay(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "0001-a.sql"),
		"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n;")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Generate(ctx, dir, Options{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v; want %v", err, context.DeadlineExceeded)
	}
}

func TestReplayTouchesNoDisk(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	writeFile(t, filepath.Join(dir, "0001-a.sql"), "ATTACH 'other.db' AS other;\nCREATE TABLE other.t(a);\n")
	writeFile(t, filepath.Join(dir, "0002-b.sql"), "-- lockstep: no-transaction\nVACUUM INTO 'copy.db';\n")
	if _, err := Generate(t.Context(), dir, Options{}); err == nil {
		t.Error("ATTACH was not refused")
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(entries), "[- 0001-a.sql - 0002-b.sql]"; got != want {
		t.Errorf("got %s; want %s", got, want)
	}
}
