package sqlcheck

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

// TestPosition checks where diagnostics are, to the column.
func TestPosition(t *testing.T) {
	for _, test := range []struct {
		claim string
		body  string // the first line is line 8
		want  string
	}{
		{"OfAColumnInARawString",
			"db.Query(`SELECT id, titel FROM notes`)",
			"8:22: at version 0001: no such column: titel"},
		{"OfAColumnOnAnotherLine",
			"db.Query(`\nSELECT id,\n\ttitel\nFROM notes`)",
			"10:2: at version 0001: no such column: titel"},
		{"OfAColumnOnAnotherLineThatEndsInCRLF",
			"db.Query(`\r\nSELECT id,\r\n\ttitel\r\nFROM notes`)",
			"10:2: at version 0001: no such column: titel"},
		{"OfAColumnBehindEscapes",
			`db.Query("SELECT\t'\u00e9\x41\n', titel FROM notes")`,
			"8:35: at version 0001: no such column: titel"},
		{"OfAColumnBehindLettersOfSeveralBytes",
			`db.Query("SELECT 'é', titel FROM notes")`,
			"8:24: at version 0001: no such column: titel"},
		{"OfAColumnInASum",
			"db.Query(\"SELECT id, \" +\n\t`titel FROM ` + \"notes\")",
			"9:3: at version 0001: no such column: titel"},
		{"OfAColumnInAConstant",
			"const list = `id, titel`\ndb.Query(`SELECT ` + list + ` FROM notes`)",
			"8:19: at version 0001: no such column: titel"},
		{"OfAnArgumentOfSprintf",
			"db.Query(fmt.Sprintf(`SELECT %s FROM %s`, `id`, `note`))",
			"8:50: at version 0001: no such table: note"},
		{"OfTheTable",
			"db.Query(`SELECT 'note' AS a FROM note`)",
			"8:35: at version 0001: no such table: note"},
		{"OfTheTableBehindAColumnOfItsName",
			"db.Query(`SELECT note FROM note`)",
			"8:28: at version 0001: no such table: note"},
		{"OfTheColumnOfAnInsert",
			"db.Exec(`INSERT INTO notes (id, titel) VALUES (1, 2)`)",
			"8:33: at version 0001: table notes has no column named titel"},
		{"OfTheValues",
			"db.Exec(`INSERT INTO notes (id, title) VALUES (1)`)",
			"8:40: at version 0001: 1 values for 2 columns"},
		{"OfTheEnd",
			"db.Query(`SELECT id FROM`)",
			"8:25: at version 0001: incomplete input"},
		{"OfTheSecondStatement",
			"db.Exec(`DELETE FROM notes;\n\tDELETE FROM note`)",
			"9:14: at version 0001: no such table: note"},
		{"OfTheInsertThatGivesNoValue",
			"db.Exec(` INSERT INTO notes (id) VALUES (1)`)",
			"8:11: at version 0001: NOT NULL constraint failed: notes.title: the INSERT gives it no value"},
		{"OfTheCall",
			"db.\nExec(`DELETE FROM notes WHERE id = ?`)",
			"9:1: call has 0 arguments for 1 parameter"},
		{"OfTheScan",
			"db.QueryRow(`SELECT id FROM notes`).\nScan()",
			"9:1: Scan has 0 destinations for 1 column"},
	} {
		t.Run(test.claim, func(t *testing.T) {
			w := newWorkspace()
			w.add(t, "example.com/app/migrations", "/migrations", migrationsSource)
			pkg := w.add(t, "example.com/app", "/app", `package app
import (
	"database/sql"
	"fmt"
	_ "example.com/app/migrations"
)
func _(db *sql.DB) { _ = fmt.Sprintf
`+test.body+"\n}\n")
			if got, want := w.said(t, pkg), "/app/file.go:"+test.want+"\n"; got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestEmbed has SQL in a file of its own.
func TestEmbed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "list.sql")
	if err := os.WriteFile(file, []byte("SELECT id,\n\ttitel\nFROM notes;\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	w := newWorkspace()
	w.add(t, "example.com/app/migrations", "/migrations", migrationsSource)
	pkg := w.add(t, "example.com/app", dir, `package app

import (
	"database/sql"
	_ "embed"

	_ "example.com/app/migrations"
)

//go:embed list.sql
var list string

func _(db *sql.DB) { db.Query(list) }
`)
	if got, want := w.said(t, pkg), file+":2:2: at version 0001: no such column: titel\n"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLateJoin has SQL in packages that see no schema.
func TestLateJoin(t *testing.T) {
	const handlers = "package handlers\n\nimport \"database/sql\"\n\n" +
		"func List(db *sql.DB) {\n" +
		"\trows, _ := db.Query(`SELECT id,\n\t\ttitel FROM notes`)\n" +
		"\trow := db.QueryRow(`SELECT id FROM notes WHERE id = ?`)\n" +
		"\trow.Scan(nil, nil)\n" +
		"\tdb.Exec(`DELETE FROM note`) //lockstep:ignore it is made later\n" +
		"\t_ = rows\n}\n"
	const wrong = `/handlers/file.go:7:3: at version 0001: no such column: titel
/handlers/file.go:8:12: call has 0 arguments for 1 parameter
/handlers/file.go:9:6: Scan has 2 destinations for 1 column
`
	setup := func(t *testing.T) *workspace {
		w := newWorkspace()
		w.add(t, "example.com/app/migrations", "/migrations", migrationsSource)
		if got := w.said(t, w.add(t, "example.com/app/handlers", "/handlers", handlers)); got != "" {
			t.Fatalf("without a schema:\n%s", got)
		}
		return w
	}

	t.Run("ReportsWhereTheSQLIs", func(t *testing.T) {
		w := setup(t)
		app := w.add(t, "example.com/app", "/app", "package app\nimport (\n\t_ \"example.com/app/handlers\"\n\t_ \"example.com/app/migrations\"\n)\n")
		if got := w.said(t, app); got != wrong {
			t.Errorf("got\n%s\nwant\n%s", got, wrong)
		}
	})

	t.Run("HandsOnToTheFirstThatSeesBoth", func(t *testing.T) {
		w := setup(t)
		server := w.add(t, "example.com/app/server", "/server", "package server\nimport _ \"example.com/app/handlers\"\n")
		if got := w.said(t, server); got != "" {
			t.Errorf("without a schema:\n%s", got)
		}
		app := w.add(t, "example.com/app", "/app", "package app\nimport (\n\t_ \"example.com/app/server\"\n\t_ \"example.com/app/migrations\"\n)\n")
		if got := w.said(t, app); got != wrong {
			t.Errorf("got\n%s\nwant\n%s", got, wrong)
		}
		above := w.add(t, "example.com/app/cmd", "/cmd", "package main\nimport (\n\t_ \"example.com/app\"\n\t_ \"example.com/app/handlers\"\n)\n")
		if got := w.said(t, above); got != "" {
			t.Errorf("said once more:\n%s", got)
		}
	})

	t.Run("LeavesOutWhatAsksForNoSchema", func(t *testing.T) {
		w := newWorkspace()
		w.add(t, "example.com/app/migrations", "/migrations", migrationsSource)
		cache := "package cache\n\nimport \"database/sql\"\n\n//lockstep:schema none\n\nfunc get(db *sql.DB) { db.Query(`SELECT v FROM cache`) }\n"
		if got := w.said(t, w.add(t, "example.com/app/cache", "/cache", cache)); got != "" {
			t.Error(got)
		}
		app := w.add(t, "example.com/app", "/app", "package app\nimport (\n\t_ \"example.com/app/cache\"\n\t_ \"example.com/app/migrations\"\n)\n")
		if got := w.said(t, app); got != "" {
			t.Error(got)
		}
	})

	t.Run("IsSilentWhereTheSQLMayBeForAnotherDatabase", func(t *testing.T) {
		w := setup(t)
		w.add(t, "github.com/lib/pq", "/pq", "package pq\nimport _ \"database/sql/driver\"\n")
		w.add(t, "example.com/app/accounts", "/accounts", "package accounts\nimport (\n\t_ \"database/sql\"\n\t_ \"github.com/lib/pq\"\n)\n")
		app := w.add(t, "example.com/app", "/app", "package app\nimport (\n\t_ \"example.com/app/accounts\"\n\t_ \"example.com/app/handlers\"\n\t_ \"example.com/app/migrations\"\n)\n")
		if got := w.said(t, app); got != "" {
			t.Error(got)
		}
	})

	t.Run("LeavesOtherModulesAlone", func(t *testing.T) {
		w := setup(t)
		w.packages["example.com/app/handlers"].Module = &packages.Module{Path: "example.com/handlers"}
		app := w.add(t, "example.com/app", "/app", "package app\nimport (\n\t_ \"example.com/app/handlers\"\n\t_ \"example.com/app/migrations\"\n)\n")
		if got := w.said(t, app); got != "" {
			t.Errorf("in another module:\n%s", got)
		}
	})
}

// TestSchemaOfAnotherModule is about a library that has a database of its own.
func TestSchemaOfAnotherModule(t *testing.T) {
	setup := func(t *testing.T) *workspace {
		w := newWorkspace()
		migrations := w.add(t, "example.com/lib/migrations", "/lib/migrations", migrationsSource)
		lib := w.add(t, "example.com/lib", "/lib", "package lib\nimport _ \"example.com/lib/migrations\"\n")
		migrations.Module = &packages.Module{Path: "example.com/lib"}
		lib.Module = migrations.Module
		return w
	}
	const query = "import \"database/sql\"\nfunc _(db *sql.DB) { db.Query(`SELECT id FROM note`) }\n"

	t.Run("IsTheLibrarysAffair", func(t *testing.T) {
		w := setup(t)
		app := w.add(t, "example.com/app", "/app", "package app\nimport _ \"example.com/lib\"\n"+query)
		if got := w.said(t, app); got != "" {
			t.Error(got)
		}
	})

	t.Run("IsTheProgramsWhenItImportsTheMigrations", func(t *testing.T) {
		w := setup(t)
		app := w.add(t, "example.com/app", "/app", "package app\nimport _ \"example.com/lib/migrations\"\n"+query)
		if got, want := w.said(t, app), "/app/file.go:4:47: at version 0001: no such table: note\n"; got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}

const migrationsSource = `package migrations

import "github.com/lockstep-db/lockstep/runtime"

const ExpectedVersion lockstep.Version = 1

const SchemaSQL = "CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL);\n"
`

// said returns what the analyzer reports about a package, a line each.
func (w *workspace) said(t *testing.T, pkg *packages.Package) string {
	t.Helper()
	var b strings.Builder
	for _, d := range w.analyze(t, Analyzer, pkg) {
		fmt.Fprintf(&b, "%s: %s\n", w.fset.Position(d.Pos), d.Message)
	}
	return b.String()
}
