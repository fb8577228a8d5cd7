package gen

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/ext/serdes"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/gen/prove"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Correct migrations are not to be answered for.
func TestProveFindsNothingInTheExample(t *testing.T) {
	result, err := Generate(t.Context(), "../examples/notes/migrations", Options{Prove: "all"})
	if err != nil {
		t.Fatal(err)
	}
	if len(result.Warnings) > 0 {
		t.Error(Problems(result.Warnings))
	}
}

// A history is tried to its end beside the replay, in two parts, and each goes on behind what is
// found and behind programs.
func TestProveHistory(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip(err)
	}
	dir := t.TempDir()
	write := func(version int, name, text string) {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%04d-%s", version, name)), text)
	}
	const last = 60
	for v := 1; v < last; v++ {
		write(v, "step.sql", ordinaryMigration(v))
	}
	for _, v := range []int{7, 12, 37, 52} {
		write(v, "step.sql", ordinaryMigration(v)+fmt.Sprintf("ALTER TABLE item%d ADD COLUMN at TEXT DEFAULT CURRENT_TIMESTAMP;\n", v-1))
	}
	os.Remove(filepath.Join(dir, "0010-step.sql"))
	write(10, "program.sh", "exit 0\n")
	write(last, "last.sql", "UPDATE item6 SET created = 'name';\n")
	for _, which := range []string{"new", "all"} {
		result, err := Generate(t.Context(), dir, Options{Prove: which})
		if err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, w := range result.Warnings {
			found = append(found, fmt.Sprintf("%.4s %t", w.File, w.Rows != ""))
		}
		want := []string{"0007 true", "0012 true", "0037 true", "0052 true", "0060 false"}
		if !slices.Equal(found, want) {
			t.Errorf("-prove %s: got %q, want %q:\n%v", which, found, want, Problems(result.Warnings))
		}
	}
}

// A replay that ends, whenever it does, ends the review beside it.
func TestProveHistoryEnds(t *testing.T) {
	dir := t.TempDir()
	for v := 1; v <= 25; v++ {
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%04d-step.sql", v)), ordinaryMigration(v))
	}
	for _, v := range []int{7, 22} { // what is found there needs the databases before them
		writeFile(t, filepath.Join(dir, fmt.Sprintf("%04d-step.sql", v)), ordinaryMigration(v)+fmt.Sprintf("ALTER TABLE item%d ADD COLUMN at TEXT DEFAULT CURRENT_TIMESTAMP;\n", v-1))
	}
	refused := errors.New("refused")
	for at := int32(1); ; at++ {
		var opened atomic.Int32
		_, err := Generate(t.Context(), dir, Options{Conn: func(*sqlite3.Conn) error {
			if opened.Add(1) == at {
				return refused
			}
			return nil
		}})
		if opened.Load() < at {
			if at < 5 {
				t.Errorf("only %d connections were opened", at-1)
			}
			break
		}
		if !errors.Is(err, refused) {
			t.Errorf("connection %d: got %v, want %v", at, err, refused)
		}
	}
	writeFile(t, filepath.Join(dir, "0026-broken.sql"), "CREATE TABLE")
	for range 20 { // the review is at another place each time
		if _, err := Generate(t.Context(), dir, Options{}); err == nil {
			t.Fatal("no error")
		}
	}
}

// What is found in a history beyond the tries has no rows, unless it is a failure.
func TestProveHistoryIsBounded(t *testing.T) {
	prover, err := (&replay{}).newProver(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer prover.close()
	if err := prover.conn.Exec("CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)"); err != nil {
		t.Fatal(err)
	}
	before, err := serdes.Serialize(prover.conn, "main")
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"CREATE UNIQUE INDEX i ON t (a);": "fails if two rows of t have the same a: UNIQUE constraint failed: t.a (2 rows)",
		"CREATE TABLE n (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO n (a) SELECT a FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t;": "rows of t have other ids afterwards; copy id, too (0 rows)",
	} {
		script, tries := sqltext.Parse(text), 0
		prover.database.Tries = &tries
		found, _, err := prover.database.Find(t.Context(), &prove.Migration{Script: script, Statements: script.Cut()}, before)
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		if got := fmt.Sprintf("%s (%d rows)", found[0].Fact, len(found[0].Rows)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// FuzzProve rebuilds tables in all ways, right and wrong, and repeats what is found by the rows
// that are shown, in a new database.
func FuzzProve(f *testing.F) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 10 {
		choices := make([]byte, 30)
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		f.Add(choices)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		next := func(n int) int {
			if len(data) == 0 {
				return 0
			}
			b := int(data[0])
			data = data[1:]
			return b % n
		}
		constraints := []string{"", " NOT NULL", " UNIQUE", " DEFAULT 'x'", " COLLATE NOCASE", " CHECK (length(%s) > 1)"}
		column := func(name string) string {
			return ", " + name + []string{" TEXT", " INTEGER", " REAL", "", " BOOLEAN"}[next(5)] + strings.ReplaceAll(constraints[next(len(constraints))], "%s", name)
		}
		columns, copied := "", []string{"id"}
		first := "CREATE TABLE t (id INTEGER PRIMARY KEY" + []string{"", " AUTOINCREMENT"}[next(2)]
		for _, name := range []string{"a", "b", "c"}[next(3):] {
			first += column(name)
			columns += column(name)
			copied = append(copied, name)
		}
		first += []string{");", "); CREATE INDEX i ON t (c); CREATE TRIGGER g AFTER UPDATE ON t BEGIN SELECT 1; END;"}[next(2)]
		from, into := slices.Clone(copied), copied
		if i, j := next(len(from)), next(len(from)); next(3) == 1 {
			from[i], from[j] = from[j], from[i]
		}
		if i := next(len(from) + 1); i < len(from) && next(4) == 1 { // is not copied
			from, into = slices.Delete(from, i, i+1), slices.Delete(slices.Clone(into), i, i+1)
		}
		second := "CREATE TABLE n (id INTEGER PRIMARY KEY" + []string{"", " AUTOINCREMENT"}[next(2)] + columns + ");\nINSERT INTO n (" + strings.Join(into, ", ") + ") SELECT " + strings.Join(from, ", ") +
			" FROM t" + []string{"", " WHERE id > 5", " GROUP BY id % 3", " WHERE c IS NOT NULL"}[next(4)] + ";\nDROP TABLE t;\nALTER TABLE n RENAME TO t;\n" + []string{"", "CREATE INDEX j ON t (c);\n"}[next(2)]
		first += []string{"", "CREATE VIRTUAL TABLE f USING fts5 (c, content = 't', content_rowid = 'id');"}[next(2)]
		second += []string{"", "CREATE VIEW v AS SELECT c -> '$.x' AS x FROM t;\n", "CREATE TRIGGER h AFTER UPDATE ON t BEGIN SELECT new.c -> '$.x'; END;\n"}[next(3)]
		dir := filepath.Join(t.TempDir(), "migrations")
		writeFile(t, filepath.Join(dir, "0001-first.sql"), first+"\n")
		commit(t, dir, Options{})
		writeFile(t, filepath.Join(dir, "0002-second.sql"), second)
		_, err := Generate(t.Context(), dir, Options{})
		problems, _ := err.(Problems)
		if err != nil && problems == nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			if err := repeat(t, first, second, p); err != nil {
				t.Errorf("%v: %v\n%s\n%s", p, err, first, second)
			}
		}
	})
}

// A look is what a database has in it, of tables that are called t.
type look struct {
	rows     map[string]map[string]string // by id
	objects  string                       // names of indexes and triggers, and the SQL of t
	facts    string                       // what pragmas say of the columns and the unique indexes
	sequence string
}

func lookAt(t *testing.T, r *replay) (l look) {
	t.Helper()
	l.rows = map[string]map[string]string{}
	read := func(to *string, query string) {
		if err := engine.Each(r.conn, func(row *sqlite3.Stmt) { *to += row.ColumnText(0) + "\n" }, query); err != nil && to != &l.sequence {
			t.Fatal(err)
		}
	}
	err := engine.Each(r.conn, func(row *sqlite3.Stmt) {
		cells := map[string]string{}
		for i := range row.ColumnCount() {
			cells[row.ColumnName(i)] = strings.TrimSuffix(row.ColumnText(i), ".0") // of a REAL
		}
		l.rows[cells["id"]] = cells
	}, "SELECT * FROM t")
	if err != nil {
		t.Fatal(err)
	}
	read(&l.objects, "SELECT iif(type = 'table', sql, type || ' ' || name) FROM sqlite_schema WHERE name NOT LIKE 'sqlite%'")
	read(&l.facts, `SELECT iif("notnull", 'NOT NULL of ' || name || char(10), '') || ifnull('DEFAULT ' || dflt_value || ' of ' || name, '') FROM pragma_table_info('t')`)
	read(&l.facts, `SELECT 'UNIQUE (' || i.name || ')' FROM pragma_index_list('t') AS l JOIN pragma_index_info(l.name) AS i WHERE l."unique"`)
	read(&l.sequence, "SELECT seq FROM sqlite_sequence WHERE name = 't'")
	return l
}

var (
	losesRows   = regexp.MustCompile(`^t loses rows(?: whose (\w+) is NULL)?: (\d+) rows? before, (\d+) after`)
	notCopied   = regexp.MustCompile(`^t loses what is in ([\w, ]+): it is not copied`)
	heldBy      = regexp.MustCompile(`(\w+) holds what (\w+) held`)
	losesFacts  = regexp.MustCompile(`^t loses (.*): the table that replaces it`)
	takes       = regexp.MustCompile(`(index|trigger) \w+`)
	counter     = regexp.MustCompile(`was (\d+), and is (\d+)`)
	collateOf   = regexp.MustCompile(`^COLLATE NOCASE of (\w+)$`)
	differentID = "rows of t have other ids afterwards"
)

// repeat makes the rows that show a problem in a new database, migrates it, and returns what is
// not so of what the problem says.
func repeat(t *testing.T, first, second string, p Problem) error {
	r, err := newReplay(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.conn.Exec(first + p.Rows); err != nil {
		return err
	}
	was := lookAt(t, r)
	check := ""
	switch {
	case strings.HasPrefix(p.Fact, "view v cannot be read"):
		check = "SELECT * FROM v"
	case strings.HasPrefix(p.Fact, "trigger h fails on a row of t"):
		check = "UPDATE t SET id = id"
	case strings.HasPrefix(p.Fact, "f no longer fits its content"):
		if check = "INSERT INTO f (f, rank) VALUES ('integrity-check', 1)"; r.conn.Exec(check) != nil {
			return errors.New("it did not before")
		}
	}
	err = r.conn.Exec(second)
	if check != "" && err == nil {
		if err := r.conn.Exec(check); err == nil || !strings.Contains(p.Fact, sqlite.Sentence(err)) {
			return fmt.Errorf("got %v", err)
		}
		return nil
	}
	if strings.HasPrefix(p.Fact, "fails ") {
		if err == nil || !strings.Contains(p.Fact, sqlite.Sentence(err)) {
			return fmt.Errorf("got %v", err)
		}
		return nil
	}
	if err != nil {
		return err
	}
	return p.wrong(was, lookAt(t, r))
}

// wrong returns what is not so of what the problem says, by what there is before and after.
func (p Problem) wrong(was, is look) error {
	if len(was.rows) == 1 && len(is.rows) == 1 { // the same, whatever its id is
		for id := range was.rows {
			for _, after := range is.rows {
				if !strings.HasPrefix(p.Fact, differentID) {
					is.rows = map[string]map[string]string{id: after}
				}
			}
		}
	}
	// In all rows that are there before and after, a column is what is wanted, and is not what it was in one.
	column := func(name string, want func(id string) bool) error {
		changed := false
		for id, cells := range is.rows {
			if was.rows[id] != nil && !want(id) {
				return fmt.Errorf("%s of row %s is %q", name, id, cells[name])
			}
			changed = changed || was.rows[id] != nil && was.rows[id][name] != cells[name]
		}
		if !changed {
			return fmt.Errorf("%s is what it was", name)
		}
		return nil
	}
	if m := losesRows.FindStringSubmatch(p.Fact); m != nil {
		if m[2] != fmt.Sprint(len(was.rows)) || m[3] != fmt.Sprint(len(is.rows)) || len(is.rows) >= len(was.rows) {
			return fmt.Errorf("%d before, %d after", len(was.rows), len(is.rows))
		}
		for id, cells := range was.rows {
			if m[1] != "" && is.rows[id] == nil && cells[m[1]] != "" {
				return fmt.Errorf("row %s is lost", id)
			}
		}
		return nil
	}
	if m := notCopied.FindStringSubmatch(p.Fact); m != nil {
		for name := range strings.SplitSeq(m[1], ", ") {
			left, lost := map[string]bool{"": true, "x": true}, false // the rows may have other ids
			for id, cells := range is.rows {
				if !left[cells[name]] {
					return fmt.Errorf("%s of row %s is %q", name, id, cells[name])
				}
			}
			for _, cells := range was.rows {
				lost = lost || !left[cells[name]]
			}
			if !lost {
				return fmt.Errorf("nothing was in %s", name)
			}
		}
		return nil
	}
	if all := heldBy.FindAllStringSubmatch(p.Fact, -1); all != nil {
		for _, m := range all {
			if m[1] == "id" || m[2] == "id" {
				continue // no row is known again
			}
			if err := column(m[1], func(id string) bool { return is.rows[id][m[1]] == was.rows[id][m[2]] }); err != nil {
				return err
			}
		}
		return nil
	}
	return p.wrongOfSchema(was, is)
}

func (p Problem) wrongOfSchema(was, is look) error {
	gone := func(before, after, what string) error {
		if !strings.Contains(before, what) || strings.Contains(after, what) {
			return fmt.Errorf("%s before: %t, after: %t", what, strings.Contains(before, what), strings.Contains(after, what))
		}
		return nil
	}
	switch m := losesFacts.FindStringSubmatch(p.Fact); {
	case m != nil:
		for what := range strings.SplitSeq(m[1], ", ") {
			before, after := was.facts, is.facts
			if c := collateOf.FindStringSubmatch(what); c != nil {
				what = regexp.MustCompile(`\b`+c[1]+` \w* ?COLLATE NOCASE`).FindString(was.objects) + "\x00"
				before, after = was.objects+what, is.objects
			} else if strings.HasPrefix(what, "CHECK") || strings.HasSuffix(what, "AUTOINCREMENT") {
				before, after = was.objects, is.objects
			}
			if err := gone(before, after, strings.TrimSuffix(what, "\x00")); err != nil {
				return err
			}
		}
	case strings.HasPrefix(p.Fact, "DROP TABLE t takes "):
		for _, what := range takes.FindAllString(p.Fact, -1) {
			if err := gone(was.objects, is.objects, what); err != nil {
				return err
			}
		}
	case strings.HasPrefix(p.Fact, "ids of deleted rows of t will be used again"):
		m := counter.FindStringSubmatch(p.Fact)
		var seq int
		fmt.Sscan(is.sequence, &seq) // of no row it is 0
		if m == nil || m[1]+"\n" != was.sequence || m[2] != fmt.Sprint(seq) {
			return fmt.Errorf("was %q, is %q", was.sequence, is.sequence)
		}
	case strings.HasPrefix(p.Fact, differentID):
		for id, cells := range was.rows {
			if other := is.rows[id]; other == nil || cells["c"] != other["c"] {
				return nil
			}
		}
		return errors.New("all rows have their ids")
	default:
		return errors.New("nothing is known of such a claim")
	}
	return nil
}

// A wrong claim would be found.
func TestRepeatFindsWrongClaims(t *testing.T) {
	const first = "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL, b TEXT, c TEXT); CREATE INDEX i ON t (c);"
	const second = `CREATE TABLE n (id INTEGER PRIMARY KEY AUTOINCREMENT, a TEXT NOT NULL, b TEXT, c TEXT);
INSERT INTO n SELECT * FROM t; DROP TABLE t; ALTER TABLE n RENAME TO t; CREATE INDEX i ON t (c);`
	for _, fact := range []string{"fails as soon as t has a row: NOT NULL constraint failed: n.a", "t loses rows: 1 row before, 0 after", "t loses what is in b: it is not copied",
		"in t, a holds what b held; name", "t loses NOT NULL of a: the table that replaces it", "DROP TABLE t takes index i with it",
		"ids of deleted rows of t will be used again: its number in sqlite_sequence was 1, and is 0", differentID, "something else"} {
		if err := repeat(t, first, second, Problem{Fact: fact, Rows: "INSERT INTO t VALUES (1, 'a', 'b', 'c');"}); err == nil {
			t.Errorf("not found to be wrong: %s", fact)
		}
	}
}
