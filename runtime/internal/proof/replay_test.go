package proof_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"

	"github.com/lockstep-db/lockstep/gen"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// FuzzReplay migrates with any text that the generator accepts: a program executes the
// statements that SQLite itself cuts the text into, each once and in order, and the database
// holds what they make.
func FuzzReplay(f *testing.F) {
	for _, text := range []string{
		"INSERT INTO a VALUES (2); INSERT INTO a VALUES (3);\nDELETE FROM a WHERE b = 2",
		"CREATE TRIGGER t AFTER INSERT ON a BEGIN INSERT INTO log VALUES (new.b); SELECT CASE WHEN 1 THEN 2 END; END; INSERT INTO a VALUES (7);",
		"CREATE TEMP TRIGGER t AFTER INSERT ON a BEGIN SELECT ';'; END; DROP TRIGGER t;",
		"BEGIN; INSERT INTO a VALUES ('BEGIN;'); COMMIT;", "begin immediate transaction; insert into a values (1); end transaction;", "SAVEPOINT s; INSERT INTO a VALUES (1); ROLLBACK TO s; RELEASE s;",
		"-- lockstep: no-transaction\nBEGIN; INSERT INTO a SELECT 5 WHERE NOT EXISTS (SELECT 1 FROM a WHERE b = 5); COMMIT;\nVACUUM;", "-- lockstep: no-transaction\nDROP TABLE IF EXISTS log;",
		"INSERT INTO a VALUES ('x''y;z'), (\"b\"), (x'00ff'), ('-- no comment'), ('/* nor this */');", "INSERT INTO a VALUES (1) -- ; '\n, /* ; \" */ (2);;; ;\n-- the end", "/*/ INSERT INTO a VALUES (1); /*/ INSERT INTO a VALUES (2);",
		"\uFEFFINSERT INTO a VALUES (1);\uFEFF", "INSERT INTO a VALUES ('a\r\nb');\r\n\fDELETE FROM log;", "INSERT INTO a VALUES (1);\x00INSERT INTO a VALUES (2);", "INSERT INTO a VALUES ('", "INSERT INTO a VALUES (1); /* unfinished", "INSERT INTO a VALUES (1)[;]",
		"CREATE TABLE [a;b] (`c;` TEXT DEFAULT ';', \"d\"\";\" DEFAULT \"x\");", "CREATE VIEW v AS WITH x AS (SELECT 1) SELECT * FROM x; SELECT * FROM v;", "EXPLAIN INSERT INTO a VALUES (1); EXPLAIN QUERY PLAN SELECT 1;",
		"PRAGMA foreign_keys = ON; INSERT INTO a VALUES (1); PRAGMA foreign_keys(0);", "WITH x AS (SELECT 1) INSERT INTO a SELECT * FROM x RETURNING b;", "CREATE TABLE \"begin\" (\"end\"); INSERT INTO \"begin\" VALUES ('END;');",
		"CREATE TRIGGER \"end;\" BEFORE DELETE ON log WHEN old.x IN (SELECT 1) BEGIN UPDATE a SET b = CASE b WHEN 1 THEN 'END' ELSE 'BEGIN' END; END", "REPLACE INTO a VALUES (1); UPDATE a SET b = b + 1 WHERE b > 0; ANALYZE; REINDEX;",
		"\v", "\u00a0INSERT INTO a VALUES (1);", "SELECT 1;\u2028SELECT 2", "INSERT INTO a VALUES (:x);", "INSERT INTO a VALUES (1e5), (.5), (0x1F), (1_000);", "#!/bin/sh\nSELECT 1;", "SELECT '\xff';",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if err := runsAsReplayed(t, text, func(q string) []string { return []string{q} }); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
	})
}

// marks are executed before and after the text.
var marks = []string{"SELECT 'before'", "SELECT 'after'"}

// runsAsReplayed migrates with a text, on a lockstep that can be broken. It returns nil if the
// generator refuses the text.
func runsAsReplayed(t testing.TB, text string, m mutation) error {
	t.Helper()
	dir := newFolder(t)
	defer os.RemoveAll(dir)
	err := errors.Join(
		os.WriteFile(filepath.Join(dir, "0001-a.sql"), []byte("CREATE TABLE a (b); CREATE TABLE log (x); INSERT INTO a VALUES (1); INSERT INTO log VALUES (2); "+marks[0]), 0o600),
		os.WriteFile(filepath.Join(dir, "0002-b.sql"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "0003-c.sql"), []byte(marks[1]), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	result, err := gen.Load(t.Context(), dir, gen.Options{})
	if err != nil {
		return nil
	}
	want, held, err := executed(t.Context(), sqltext.Normalize([]byte(text)))
	if err != nil {
		return fmt.Errorf("SQLite refuses what the generator accepts: %w", err)
	}
	var got []string
	db := sql.OpenDB(mutant{name: ":memory:", mutate: m, seen: func(q string) { got = append(got, q) }})
	defer db.Close()
	db.SetMaxOpenConns(1)
	switch err := lockstep.Migrate(t.Context(), db, result.Schema); {
	case err != nil && strings.Contains(err.Error(), "no such module"): // that only the generator has
		return nil
	case err != nil:
		return err
	}
	if err := inOrder(got, want); err != nil {
		return err
	}
	folded := strings.ToLower(text)
	if slices.ContainsFunc([]string{"sqlite_", "pragma", "random", "now", "current_", "changes", "_rowid"}, func(word string) bool { return strings.Contains(folded, word) }) {
		return nil // which need not be the same twice
	}
	is, err := tables(db)
	if err == nil && is != held {
		err = fmt.Errorf("the database holds\n%s\nwant\n%s", is, held)
	}
	return err
}

// A cut is a statement that SQLite has cut off, with what is before it.
type cut struct {
	text   string
	mayNot bool // be executed: it is about the transaction or the foreign keys
}

// executed has SQLite execute a text, without any of lockstep, and returns the statements and
// what the database holds then.
func executed(ctx context.Context, text string) (cuts []cut, held string, err error) {
	db, err := sql.Open("sqlite3", ":memory:")
	if err != nil {
		return nil, "", err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.Exec("PRAGMA foreign_keys = 0; CREATE TABLE a (b); CREATE TABLE log (x); INSERT INTO a VALUES (1); INSERT INTO log VALUES (2)"); err != nil {
		return nil, "", err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, "", err
	}
	err = conn.Raw(func(c any) error {
		conn := c.(driver.Conn).Raw()
		for rest := text; rest != ""; {
			s, tail, err := conn.Prepare(rest)
			if err != nil {
				return err
			}
			text := rest[:len(rest)-len(tail)]
			if rest = tail; s == nil {
				continue
			}
			was := conn.GetAutocommit()
			says := fmt.Sprint(errors.Join(s.Exec(), s.Close()))
			control := conn.GetAutocommit() != was || strings.Contains(says, "no transaction is active") || strings.Contains(says, "within a transaction")
			if says != "<nil>" && !control && !strings.Contains(says, "no such module") {
				return errors.New(says)
			}
			cuts = append(cuts, cut{text, control || strings.Contains(strings.ToLower(text), "foreign_keys")})
		}
		return nil
	})
	conn.Close()
	if err == nil {
		held, err = tables(db)
	}
	return cuts, held, err
}

// inOrder returns an error if what was executed between the marks is not what was wanted, each
// once. What is lockstep's own is not counted.
func inOrder(got []string, want []cut) error {
	from, to := slices.Index(got, marks[0]), slices.Index(got, marks[1])
	if from < 0 || to < from {
		return fmt.Errorf("executed %q", got)
	}
	for _, q := range got[from+1 : to] {
		for len(want) > 0 && want[0].mayNot && !want[0].is(q) {
			want = want[1:]
		}
		switch {
		case len(want) > 0 && want[0].is(q):
			want = want[1:]
		case !isOwn(q):
			return fmt.Errorf("executed %q, next is %v", q, want)
		}
	}
	for _, c := range want {
		if !c.mayNot {
			return fmt.Errorf("not executed: %q", c.text)
		}
	}
	return nil
}

// is reports whether the statement is the text, but for blanks and comments around it.
func (c cut) is(q string) bool {
	for i := range len(c.text) - len(q) + 1 {
		if strings.HasPrefix(c.text[i:], q) && isBlank(c.text[:i]) && isBlank(c.text[i+len(q):]) {
			return true
		}
	}
	return false
}

// isBlank asks SQLite whether a text has no statement.
func isBlank(text string) bool {
	if text == "" {
		return true
	}
	conn, err := sqlite3.Open(":memory:")
	if err != nil {
		return false
	}
	defer conn.Close()
	s, tail, err := conn.Prepare(text)
	s.Close()
	return err == nil && s == nil && tail == ""
}

// isOwn reports whether a statement is one with which lockstep looks or records.
func isOwn(q string) bool {
	begins := func(own string) bool { return strings.HasPrefix(q, own) }
	return strings.Contains(q, "_meta") || strings.Contains(q, "_lockstep") || // which no migration may name
		slices.ContainsFunc([]string{"PRAGMA ", "BEGIN", "COMMIT", "ROLLBACK", "SELECT type, name, tbl_name, sql FROM ", "SELECT name FROM pragma_table_list ", "SELECT ('a' LIKE 'A')"}, begins)
}

// tables returns the schema and the rows of a database but for lockstep's own.
func tables(db *sql.DB) (string, error) {
	const made = " FROM sqlite_schema WHERE name NOT LIKE '\\_%' ESCAPE '\\' AND name NOT LIKE 'sqlite%' ORDER BY type, name"
	all, err := rows(db, "SELECT type, name, sql"+made)
	names, e := rows(db, "SELECT printf('\"%w\"', name)"+strings.Replace(made, "WHERE", "WHERE type = 'table' AND name NOT LIKE '%\n%' AND", 1))
	err = errors.Join(err, e)
	for name := range strings.Lines(names) {
		got, e := rows(db, "SELECT * FROM "+name)
		all, err = all+name+got, errors.Join(err, e)
	}
	return all, err
}

// TestProofNoticesReplays executes something else than what was replayed.
func TestProofNoticesReplays(t *testing.T) {
	const text = "INSERT INTO a VALUES ('x;'); /* ; */ UPDATE log SET x = 3; -- ;\nDELETE FROM a WHERE b = 1; SELECT * FROM a;"
	same := func(q string) []string { return []string{q} }
	if err := runsAsReplayed(t, text, same); err != nil {
		t.Fatal(err)
	}
	for claim, m := range map[string]mutation{
		"OneTwice": func(q string) []string {
			if strings.HasPrefix(q, "DELETE") {
				return []string{q, q}
			}
			return []string{q}
		},
		"OneLess":                without("DELETE FROM a WHERE b = 1;"),
		"OneThatIsCut":           func(q string) []string { return []string{strings.Replace(q, "'x;'", "'x'", 1)} },
		"AnotherThatDoesTheSame": func(q string) []string { return []string{strings.Replace(q, "UPDATE log", "UPDATE main.log", 1)} },
	} {
		t.Run(claim, func(t *testing.T) {
			if err := runsAsReplayed(t, text, m); err == nil {
				t.Error("noticed nothing")
			} else {
				t.Logf("%.200v", err)
			}
		})
	}
}
