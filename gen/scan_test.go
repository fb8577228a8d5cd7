package gen

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A scanCase has one fault.
type scanCase struct {
	claim string
	fault func(t *testing.T, dir string) // beside 0001-initialize.sql
	want  string
}

func scanCases() []scanCase {
	file := func(name, text string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) { writeFile(t, filepath.Join(dir, name), text) }
	}
	return []scanCase{
		{"RefusesNumberUsedTwice", file("0001-other.sql", "SELECT 1"), "0001-other.sql: number 0001 is already used by 0001-initialize.sql"},
		{"RefusesGap", file("0003-later.sql", "SELECT 1"), "0003-later.sql: found 0003 after 0001; want 0002"},
		{"RefusesZero", file("0000-zero.sql", "SELECT 1"), "0000-zero.sql: numbers start at 0001"},
		{"RefusesTooFewDigits", file("2-add.sql", "SELECT 1"), "2-add.sql: name must be four digits, a hyphen and words, as in 0002-add.sql"},
		{"RefusesTooManyDigits", file("00002-add.sql", "SELECT 1"), "00002-add.sql: name must be four digits, a hyphen and words, as in 0002-add.sql"},
		{"RefusesHugeNumber", file("4294967296-x.sql", "SELECT 1"), "4294967296-x.sql: number 4294967296 is too large; the last is 9999"},
		{"RefusesNumberOfManyDigits", file(strings.Repeat("9", 200)+"-x.sql", "SELECT 1"),
			strings.Repeat("9", 200) + "-x.sql: number " + strings.Repeat("9", 200) + " is too large; the last is 9999"},
		{"RefusesUnderscore", file("0002_add.sql", "SELECT 1"), "0002_add.sql: name must be four digits, a hyphen and words, as in 0002-add.sql"},
		{"RefusesUpperCaseExtension", file("0002-add.SQL", "SELECT 1"), "0002-add.SQL: extension must be in lower case, as in 0002-add.sql"},
		{"RefusesEmptyDescription", file("0002-.sql", "SELECT 1"), "0002-.sql: description is empty; name must be four digits, a hyphen and words, as in 0002-add-tags.sql"},
		{"RefusesAccents", file("0002-é.sql", "SELECT 1"), "0002-é.sql: description must be of ASCII letters, digits, '-', '_' and '.', as in 0002-add-tags.sql"},
		{"RefusesBlankInName", file("0002-a b.sql", "SELECT 1"), "0002-a b.sql: description must be of ASCII letters, digits, '-', '_' and '.', as in 0002-a-b.sql"},
		{"RefusesDirectory", func(t *testing.T, dir string) {
			if err := os.Mkdir(filepath.Join(dir, "0002-add.sql"), 0o777); err != nil {
				t.Fatal(err)
			}
		}, "0002-add.sql: is a directory with a migration's name; want a regular file"},
		{"RefusesSymbolicLink", func(t *testing.T, dir string) {
			if err := os.Symlink("0001-initialize.sql", filepath.Join(dir, "0002-add.sql")); err != nil {
				t.Skip(err)
			}
		}, "0002-add.sql: is a symbolic link; go:embed needs a regular file"},
		{"RefusesUnreadableFile", func(t *testing.T, dir string) {
			if os.Geteuid() == 0 || runtime.GOOS == "windows" {
				t.Skip("everything is readable")
			}
			file("0002-add.sql", "SELECT 1")(t, dir)
			if err := os.Chmod(filepath.Join(dir, "0002-add.sql"), 0); err != nil {
				t.Fatal(err)
			}
		}, "0002-add.sql: permission denied"},
		{"RefusesEmptyFile", file("0002-add.sql", ""), "0002-add.sql: " + noStatement},
		{"RefusesEmptyComments", file("0002-add.sql", "--\n/* */ ; -- ---"), "0002-add.sql: " + noStatement},
		{"RefusesDirectiveAlone", file("0002-add.sql", "-- lockstep: no-transaction"), "0002-add.sql: " + noStatement},
		{"AcceptsCommentsAlone", file("0002-add.sql", "-- the work is done in Go\n;"), ""},
		{"AcceptsScriptOfComments", file("0002-add.sh", "#!/bin/sh\n# another database's version"), ""},
		{"RefusesOtherEncodings", file("0002-add.sql", "SELECT 1;\n\nSELECT 'caf\xe9';"), "0002-add.sql:3:12: not UTF-8; save the file as UTF-8"},
		{"RefusesUTF16", file("0002-add.sql", "\xff\xfeS\x00E\x00"), "0002-add.sql:1:4: NUL byte; SQLite would stop reading here"},
		{"RefusesNUL", file("0002-add.sql", "SELECT 1;\nSELECT 'a\x00b';"), "0002-add.sql:2:10: NUL byte; SQLite would stop reading here"},
		{"RefusesNULInPython", file("0002-add.py", "pass\n'\x00'"), "0002-add.py:2:2: NUL byte; Python would stop reading here"},
		{"RefusesOtherEncodingsInShell", file("0002-add.sh", ": caf\xe9"), "0002-add.sh:1:6: not UTF-8; save the file as UTF-8"},
		{"RefusesEmptyScript", file("0002-add.sh", "#!/bin/sh\n\n  #"), "0002-add.sh: " + noStatement},
		{"RefusesScriptThatNothingRuns", func(t *testing.T, dir string) {
			t.Setenv("PATH", t.TempDir())
			file("0002-add.py", "pass")(t, dir)
			file("0003-add.sh", ":")(t, dir)
		}, "0002-add.py: needs python3, which is not in PATH; generating must run it to know the schema after it\n0003-add.sh: needs sh, which is not in PATH; generating must run it to know the schema after it"},
		{"AcceptsByteOrderMark", file("0002-add.sql", "\uFEFFSELECT 1;"), ""},
		{"AcceptsCRLF", file("0002-add.sql", "SELECT 1;\r\nSELECT 2;\r\n"), ""},
		{"LeavesOtherFilesAlone", func(t *testing.T, dir string) {
			for _, name := range []string{"README.md", "migrations.go.txt", "0002-x.sql.bak", ".0002-x.sql.swp", "0002-x.sql~", "0009-x.txt", "sub/0007-x.sql"} {
				file(name, "x")(t, dir)
			}
		}, ""},
	}
}

func TestScan(t *testing.T) {
	for _, test := range scanCases() {
		t.Run(test.claim, func(t *testing.T) {
			dir := t.TempDir()
			writeFile(t, filepath.Join(dir, "0001-initialize.sql"), "CREATE TABLE t(a);\n")
			test.fault(t, dir)
			if got := problemsOf(t, dir, Options{}); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}

	t.Run("RefusesNoMigrations", func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "migrations")
		writeFile(t, filepath.Join(dir, "README.md"), "")
		t.Chdir(dir)
		if got, want := problemsOf(t, ".", Options{}), "migrations: no migrations; want 0001-….sql\n\tlockstep new NAME"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("RefusesMissingDirectory", func(t *testing.T) {
		t.Chdir(t.TempDir())
		if got, want := problemsOf(t, "db/migrations", Options{}), "db/migrations: no such directory\n\tlockstep init"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
	t.Run("RefusesFirstNumberOtherThanOne", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "0003-a.sql"), "SELECT 1")
		if got, want := problemsOf(t, dir, Options{}), "0003-a.sql: found 0003 first; want 0001"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// problemsOf returns the problems with which Generate refuses dir, or "".
func problemsOf(t *testing.T, dir string, opts Options) string {
	t.Helper()
	_, err := Generate(t.Context(), dir, opts)
	if err == nil {
		return ""
	}
	var problems Problems
	if !errors.As(err, &problems) {
		t.Fatal(err)
	}
	return problems.Error()
}
