package gen

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
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

// FuzzProve rebuilds tables in all ways, right and wrong, and repeats what is found by the rows
// that are shown, in a new database.
func FuzzProve(f *testing.F) {
	for _, seed := range []string{"", "abc", "\x01\x02\x03\x04\x05\x06", "\x09\x1f\x03\x10\x00\xff\x07\x20", "zyxwvutsrq"} {
		f.Add([]byte(seed))
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
			return ", " + name + []string{" TEXT", " INTEGER", " REAL", ""}[next(4)] + strings.ReplaceAll(constraints[next(len(constraints))], "%s", name)
		}
		columns, copied := "", []string{"id"}
		first := "CREATE TABLE t (id INTEGER PRIMARY KEY" + []string{"", " AUTOINCREMENT"}[next(2)]
		for _, name := range []string{"a", "b", "c"}[next(3):] {
			first += column(name)
			columns += column(name)
			copied = append(copied, name)
		}
		from := slices.Clone(copied)
		if i, j := next(len(from)), next(len(from)); next(3) == 1 {
			from[i], from[j] = from[j], from[i]
		}
		second := "CREATE TABLE n (id INTEGER PRIMARY KEY" + columns + ");\nINSERT INTO n (" + strings.Join(copied, ", ") + ") SELECT " + strings.Join(from, ", ") +
			" FROM t" + []string{"", " WHERE id > 5", " GROUP BY id % 3"}[next(3)] + ";\nDROP TABLE t;\nALTER TABLE n RENAME TO t;\n"
		dir := filepath.Join(t.TempDir(), "migrations")
		writeFile(t, filepath.Join(dir, "0001-first.sql"), first+");\n")
		commit(t, dir, Options{})
		writeFile(t, filepath.Join(dir, "0002-second.sql"), second)
		_, err := Generate(t.Context(), dir, Options{})
		problems, _ := err.(Problems)
		if err != nil && problems == nil {
			t.Fatal(err)
		}
		for _, p := range problems {
			repeat(t, first+")", second, p)
		}
	})
}

// repeat checks what is found by the rows that show it.
func repeat(t *testing.T, first, second string, p Problem) {
	r, err := newReplay(t.Context(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.close()
	if err := r.conn.Exec(first + ";" + p.Rows); err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	var before, after int
	count := func(n *int) {
		if err := r.tx.QueryRowContext(t.Context(), "SELECT count(*) FROM t").Scan(n); err != nil {
			t.Fatal(err)
		}
	}
	count(&before)
	err = r.conn.Exec(second)
	if strings.HasPrefix(p.Fact, "fails ") {
		if err == nil || !strings.Contains(p.Fact, sqlite.Sentence(err)) {
			t.Errorf("%v: got %v\n%s\n%s", p, err, first, second)
		}
		return
	}
	if err != nil {
		t.Fatalf("%v: %v", p, err)
	}
	count(&after)
	if _, numbers, ok := strings.Cut(p.Fact, "loses rows"); ok {
		_, numbers, _ = strings.Cut(numbers, ": ")
		var b, a int
		if _, err := fmt.Sscanf(strings.NewReplacer("rows", "row").Replace(numbers), "%d row before, %d after", &b, &a); err != nil || b != before || a != after || a >= b {
			t.Errorf("%v: %d before, %d after", p, before, after)
		}
	}
}
