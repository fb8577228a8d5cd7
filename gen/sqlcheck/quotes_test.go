package sqlcheck

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestQuotes has strings in double quotes, which drivers accept unless they are of
// ncruces, in a package that imports no driver.
func TestQuotes(t *testing.T) {
	const store = `package store

import (
	"database/sql"

	_ "example.com/app/migrations"
)

func list(db *sql.DB, all bool) {
	db.Query("SELECT id FROM notes WHERE title = \"new\"")
	db.Query("SELECT id FROM notes WHERE title = \"new\" AND id = ?")
	db.Query("SELECT id FROM notes WHERE title = \"old\"") //lockstep:ignore sql: on purpose
}
`
	const missing = "/store/file.go:11:5: call has 0 arguments for 1 parameter\n"
	setup := func(t *testing.T) *workspace {
		w := newWorkspace()
		w.add(t, "example.com/app/migrations", "/migrations", migrationsSource)
		for _, driver := range []string{ncrucesPath + "/driver", "github.com/mattn/go-sqlite3", "modernc.org/sqlite", "github.com/mutecomm/go-sqlcipher/v4"} {
			w.add(t, driver, "/"+driver, "package driver\n")
		}
		if got := w.said(t, w.add(t, "example.com/app/store", "/store", store)); got != missing {
			t.Errorf("in the package itself: got\n%s\nwant\n%s", got, missing)
		}
		return w
	}
	main := func(w *workspace, name string, imports ...string) *packages.Package {
		return w.add(t, "example.com/app/"+name, "/"+name, fmt.Sprintf("package main\n\nimport (\n\t_ %s\n)\n", `"`+strings.Join(imports, "\"\n\t_ \"")+`"`))
	}
	const refused = `/store/file.go:10:47: at version 0001: no such column: "new" - should this be a string literal in single-quotes?
/store/file.go:11:47: at version 0001: no such column: "new" - should this be a string literal in single-quotes?
`
	for _, test := range []struct {
		claim   string
		imports []string
		want    string
	}{
		{"AreWrongInAProgramWithNcruces", []string{ncrucesPath + "/driver"}, refused},
		{"AreRightInAProgramWithMattn", []string{"github.com/mattn/go-sqlite3"}, ""},
		{"AreRightInAProgramWithModernc", []string{"modernc.org/sqlite"}, ""},
		{"AreRightInAProgramWithSQLCipher", []string{"github.com/mutecomm/go-sqlcipher/v4"}, ""},
		{"AreRightWhereBothAreImported", []string{"modernc.org/sqlite", ncrucesPath + "/driver"}, ""},
		{"AreNoOnesAffairWithoutADriver", nil, ""},
	} {
		t.Run(test.claim, func(t *testing.T) {
			w := setup(t)
			w.add(t, "example.com/app/server", "/server", "package server\n\nimport _ \"example.com/app/store\"\n")
			if got := w.said(t, main(w, "cmd", append(test.imports, "example.com/app/server")...)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}

	t.Run("AreForEachProgramToJudge", func(t *testing.T) {
		w := setup(t)
		w.add(t, "example.com/app/server", "/server", "package server\n\nimport (\n\t_ \"example.com/app/store\"\n\t_ \"modernc.org/sqlite\"\n)\n")
		if got := w.said(t, main(w, "one", "example.com/app/server")); got != "" {
			t.Errorf("with modernc: %s", got)
		}
		if got := w.said(t, main(w, "two", "example.com/app/store", ncrucesPath+"/driver")); got != refused {
			t.Errorf("with ncruces: got\n%s\nwant\n%s", got, refused)
		}
	})

	t.Run("AreRightWhereATestImportsNcruces", func(t *testing.T) {
		w := setup(t)
		pkg := w.add(t, "example.com/app/store", "/store", strings.Replace(store, "import (", "import (\n\t_ \"github.com/ncruces/go-sqlite3/driver\"", 1))
		file := pkg.Syntax[0]
		w.fset.File(file.FileStart).AddLineColumnInfo(0, filepath.Join("/store", "file_test.go"), 1, 1)
		if got := w.said(t, pkg); got != "" {
			t.Errorf("got\n%s", got)
		}
	})

	t.Run("AreLeftOutUnderWhyWithoutADriver", func(t *testing.T) {
		w := setup(t)
		a := newAnalyzer()
		if err := a.Flags.Set("why", "true"); err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for _, d := range w.analyze(t, a, main(w, "cmd", "example.com/app/store")) {
			fmt.Fprintf(&got, "%s: %s\n", w.fset.Position(d.Pos), d.Message)
		}
		const want = `/store/file.go:10:47: not checked: some drivers accept strings in double quotes, and none is imported here
/store/file.go:11:47: not checked: some drivers accept strings in double quotes, and none is imported here
`
		if got.String() != want {
			t.Errorf("got\n%s\nwant\n%s", got.String(), want)
		}
	})
}
