package gen

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"golang.org/x/tools/txtar"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
)

// claims are what is found with rows, and what shows it: the results of queries before and
// after the migration, in which $1 and so on are parts of the claim.
var claims = []struct {
	pattern, before, after string
	holds                  func(m, was, is []string) bool
}{
	{`^(\w+) loses rows.*: (\d+) rows? before, (\d+) after`, "SELECT count(*) FROM $1", "",
		func(m, was, is []string) bool { return was[0] == m[2] && is[0] == m[3] }},
	{`^rows of (\w+) have other ids afterwards; copy (\w+)`, "SELECT $2 FROM $1 ORDER BY 1", "", another},
	{`^ids of deleted rows of (\w+) .* was (\d+), and is (\d+);`, "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = '$1'", "",
		func(m, was, is []string) bool { return was[0] == m[2] && is[0] == m[3] }},
	{`^(\w+) loses what is in (\w+): it is not copied`, "SELECT $2 FROM $1 ORDER BY id", "", another},
	{`^(\w+) loses what is in (\w+) of the rows that are replaced`, "SELECT $2 FROM $1 ORDER BY 1", "", another},
	{`^in (\w+), (\w+) holds what (\w+) held`, "SELECT $3, $2 = $3 FROM $1 ORDER BY id", "SELECT $2, 0 FROM $1 ORDER BY id", func(_, was, is []string) bool { return len(was) > 0 && slices.Equal(was, is) }},
	{`^(?:view|table) (\w+) cannot be read[^:]*: ([^;]*);`, "SELECT 1", "SELECT * FROM $1", fails(2)},
	{`^trigger (\w+) fails on a row of (\w+): ([^;]*);`, "SELECT 1", "UPDATE $2 SET title = title RETURNING 1; INSERT OR REPLACE INTO $2 SELECT * FROM $2; DELETE FROM $2", fails(3)},
	{`^(\w+) no longer fits its content: `, "INSERT INTO $1 ($1, rank) VALUES ('integrity-check', 1)", "",
		func(_, was, is []string) bool { return len(was) == 0 && len(is) > 0 }},
	{`^(\w+) no longer fits (\w+) when trigger \w+ has fired`, "SELECT 1",
		"INSERT INTO $2 (title, body, at) SELECT title, body, at FROM $2; INSERT INTO $1 ($1, rank) VALUES ('integrity-check', 1)",
		func(_, _, is []string) bool { return len(is) > 0 }},
	{`^rows of (\w+) have other rowids afterwards, and (\w+) holds`, "SELECT rowid, * FROM $1 ORDER BY 2", "", another},
	{`^leaves rows of (\w+) whose row of (\w+) does not exist`, "SELECT count(*) FROM pragma_foreign_key_check('$1') WHERE parent = '$2' COLLATE NOCASE", "", another},
	{`^trigger (\w+) fires and adds rows to (\w+);`, "SELECT count(*) FROM $2", "", another},
	{`^trigger (\w+) fires and overwrites (\w+) of all rows`, "SELECT $2 FROM notes", "", another},
}

func another(_, was, is []string) bool { return !slices.Equal(was, is) }

func fails(group int) func(m, was, is []string) bool {
	return func(m, was, is []string) bool { return slices.Contains(is, m[group]) }
}

// All that the archives of testdata show with rows happens to these rows in a new database, and
// not without them.
func TestClaims(t *testing.T) {
	archives, err := filepath.Glob("testdata/*-*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	archives = slices.DeleteFunc(archives, func(path string) bool { return !regexp.MustCompile(`/proof-|script-rows`).MatchString(path) })
	shown := 0
	for _, path := range archives {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want := string(archive.Files[len(archive.Files)-1].Data)
		for problem := range strings.SplitSeq(strings.ReplaceAll(want, "\n\t", "\x00"), "\n") {
			place, fact, _ := strings.Cut(problem, ": ")
			file, _, _ := strings.Cut(place, ":")
			if fact, rows, ok := strings.Cut(fact, "\x00"); ok {
				shown++
				if claimed(t, archive, file, fact, "") == "" {
					t.Errorf("%s: %s: %s: it is so without the rows, too", path, file, fact)
				}
				if wrong := claimed(t, archive, file, fact, strings.ReplaceAll(rows, "\x00", "\n")); wrong != "" {
					t.Errorf("%s: %s: %s: %s", path, file, fact, wrong)
				}
			}
		}
	}
	if shown < 60 {
		t.Errorf("only %d claims", shown)
	}
}

// statementsIn finds the texts in a program that are its statements.
var statementsIn = regexp.MustCompile("(?:`|execute\\(\")([A-Z][^`\"]*)[`\"]")

// sqlOf returns the SQL of a migration. One that is a program runs its statements in their order.
func sqlOf(f txtar.File) (sql string) {
	if strings.HasSuffix(f.Name, ".sql") {
		return string(f.Data)
	}
	for _, m := range statementsIn.FindAllSubmatch(f.Data, -1) {
		sql += string(m[1]) + ";\n"
	}
	return sql
}

var failure = regexp.MustCompile(`^(?:fails |a trigger )[^:]*: ([^;]*)`)

// claimed returns what is wrong with what is said of a migration of the archive and these rows, or "".
func claimed(t *testing.T, archive *txtar.Archive, file, fact, rows string) string {
	r, err := newReplay(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	migration := ""
	for _, f := range archive.Files {
		if migration = sqlOf(f); filepath.Base(f.Name) == file {
			break
		}
		if err := r.conn.Exec(migration); err != nil {
			t.Fatal(f.Name, err)
		}
	}
	if err := r.conn.Exec("PRAGMA foreign_keys = OFF"); err != nil {
		t.Fatal(err)
	}
	triggers := func(on bool) {
		if _, err := r.conn.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, on); err != nil {
			t.Fatal(err)
		}
	}
	triggers(false)
	if err := r.conn.Exec(rows); err != nil {
		return err.Error()
	}
	triggers(true)
	ask := func(queries string) (answer []string) {
		for query := range strings.SplitSeq(queries, "; ") {
			err := engine.Each(r.conn, func(row *sqlite3.Stmt) {
				line := ""
				for i := range row.ColumnCount() {
					line += strings.Repeat("|", min(i, 1)) + row.ColumnText(i)
				}
				answer = append(answer, line)
			}, query)
			if err != nil {
				answer = append(answer, sqlite.Sentence(err))
			}
		}
		return answer
	}
	if m := failure.FindStringSubmatch(fact); m != nil {
		err := r.conn.Exec(migration)
		if err == nil {
			return "it does not fail"
		}
		if sentence := sqlite.Sentence(err); !strings.HasSuffix(m[1], sentence) { // after a statement of a program
			return sentence
		}
		return ""
	}
	for _, c := range claims {
		pattern := regexp.MustCompile(c.pattern)
		m := pattern.FindStringSubmatchIndex(fact)
		if m == nil {
			continue
		}
		query := func(template string) string { return string(pattern.ExpandString(nil, template, fact, m)) }
		was := ask(query(c.before))
		if err := r.conn.Exec(migration); err != nil {
			return err.Error()
		}
		after := c.after
		if after == "" {
			after = c.before
		}
		if is := ask(query(after)); !c.holds(pattern.FindStringSubmatch(fact), was, is) {
			return strings.Join(was, ", ") + " before, " + strings.Join(is, ", ") + " after"
		}
		return ""
	}
	return "nothing is known of such a claim"
}
