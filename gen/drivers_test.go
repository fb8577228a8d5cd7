package gen

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/lockstep-db/lockstep/gen/gomod"
)

// TestWhatDriversLack has migrations with functions and modules that the replay has, and
// that the default builds of other drivers do not have.
func TestWhatDriversLack(t *testing.T) {
	const (
		mattnOnly = `0001-a.sql:2:41: sqrt is not in github.com/mattn/go-sqlite3, unless it is built with -tags sqlite_math_functions
0001-a.sql:3:34: fts5 is not in github.com/mattn/go-sqlite3, unless it is built with -tags sqlite_fts5
`
		regexp = `0001-a.sql:4:57: regexp is not in %, unless the program registers it
0001-a.sql:5:40: generate_series is not in %, unless the program registers it`
	)
	of := func(driver string) string { return strings.ReplaceAll(regexp, "%", driver) }
	for _, test := range []struct{ claim, require, flags, want string }{
		{"Mattn", "require github.com/mattn/go-sqlite3 v1.14.0", "", mattnOnly + of(gomod.Mattn)},
		{"MattnWithItsTags", "require github.com/mattn/go-sqlite3 v1.14.0", "-tags=sqlite_fts5,sqlite_math_functions", of(gomod.Mattn)},
		{"Modernc", "require modernc.org/sqlite v1.40.0", "", of(gomod.Modernc)},
		{"MattnBelowAWrapper", "require github.com/mattn/go-sqlite3 v1.14.0 // indirect", "", mattnOnly + of(gomod.Mattn)},
		{"NcrucesBesideATool", "require github.com/ncruces/go-sqlite3 v0.30.0\nrequire github.com/mattn/go-sqlite3 v1.14.0 // indirect", "", ""},
		{"NoDriver", "", "", ""},
	} {
		t.Run(test.claim, func(t *testing.T) {
			t.Setenv("GOFLAGS", test.flags)
			root := t.TempDir()
			dir := filepath.Join(root, "migrations")
			writeFile(t, filepath.Join(root, "go.mod"), "module example.com/app\n\ngo 1.26\n\n"+test.require+"\n")
			writes("0001-a.sql", `CREATE TABLE log(a TEXT, b REAL);
CREATE VIEW roots AS SELECT a, abs(b) + sqrt(b), round(sqrt(b)) FROM log;
CREATE VIRTUAL TABLE words USING fts5(a);
CREATE TABLE named(a TEXT CHECK (length(a) < 9 OR a NOT REGEXP '^x'), sqrt TEXT);
INSERT INTO log SELECT 'a', value FROM generate_series(1, 3);
INSERT INTO log(a, b) VALUES ('sqrt(1)', json('1')); -- ln(2)
CREATE INDEX power ON log(b);
WITH mod(a) AS (SELECT 1) INSERT INTO log SELECT a, max(a, 1) FROM mod;
`)(t, dir)
			r, err := Generate(t.Context(), dir, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(r.Warnings) > 0 {
				got = Problems(r.Warnings).Error()
			}
			if got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}
