package sqlcheck

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/go/analysis"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// The migrations of a package.
const (
	staleSlugs   = "package migrations\n\nfunc migrate0003() { _ = 1 }\n"
	staleImports = "import sys\n"
	staleFirst   = "CREATE TABLE notes (id INTEGER PRIMARY KEY);\n"
	staleSecond  = "CREATE TABLE tags (tag TEXT);\n"
)

// staleSource is a generated file for them.
var staleSource = fmt.Sprintf(`package migrations

import (
	"embed"
	"github.com/lockstep-db/lockstep/runtime"
)

const ExpectedVersion lockstep.Version = 2

var Schema = &lockstep.Schema{
	Expected: ExpectedVersion,
	Migrations: []lockstep.Migration{
		{Version: 1, File: "0001-initialize.sql", Checksum: %q},
		{Version: 2, File: "0002-add-tags.sql", Checksum: %q},
		{Version: 3, File: "0003-slugs.go", Checksum: %q},
		{Version: 4, File: "0004-import.py", Checksum: %q},
	},
}

//go:embed 0001-initialize.sql
//go:embed [0-9][0-9][0-9][0-9]-*[.s][gpsq][oyhl]
var files embed.FS

const SchemaSQL = ""
`, sqltext.Parse(staleFirst).Checksum(), sqltext.Parse(staleSecond).Checksum(), lockstep.Go(nil).Checksum([]byte(staleSlugs)), script.Python.Checksum([]byte(staleImports)))

var staleTests = []struct {
	claim  string
	change map[string]string // "" removes the file
	want   []string
}{
	{"IsSilentAboutWhatWasGenerated", nil, nil},
	{"IsSilentAboutCommentsAndLineEnds", map[string]string{"0002-add-tags.sql": "-- tags\r\nCREATE TABLE tags\r\n(tag TEXT);\r\n"}, nil},
	{"IsSilentAboutWhatNoProgramSees", map[string]string{"0003-slugs.go": "package migrations\r\n\r\n// why\r\nfunc migrate0003()  { _ = 1 }", "0004-import.py": "import sys\r\n"}, nil},
	{"ReportsEditedPrograms", map[string]string{"0003-slugs.go": strings.Replace(staleSlugs, "1", "2", 1), "0004-import.py": "import os\n"}, []string{
		"15:3: 0003-slugs.go: changed since file.go was generated; run go generate",
		"16:3: 0004-import.py: changed since file.go was generated; run go generate",
	}},
	{"IsSilentAboutFilesThatAreNotMigrations", map[string]string{"README.md": "x", "0005-x.sql.bak": "x", "3-x.sql": "x"}, nil},
	{"ReportsAnEditedMigration", map[string]string{"0001-initialize.sql": "CREATE TABLE notes (id);"}, []string{
		"13:3: 0001-initialize.sql: changed since file.go was generated; run go generate",
	}},
	{"ReportsAnAddedMigration", map[string]string{"0005-add-times.sql": "SELECT 1;", "0006-x.sql": "SELECT 1;"}, []string{
		"21:1: 0005-add-times.sql: added since file.go was generated; run go generate",
		"21:1: 0006-x.sql: added since file.go was generated; run go generate",
	}},
	{"ReportsARemovedMigration", map[string]string{"0002-add-tags.sql": ""}, []string{
		"14:3: 0002-add-tags.sql: removed since file.go was generated; run go generate",
	}},
	{"ReportsARenamedMigrationOnce", map[string]string{"0002-add-tags.sql": "", "0002-tag-notes.sql": staleSecond}, []string{
		"14:3: 0002-tag-notes.sql: renamed from 0002-add-tags.sql since file.go was generated; run go generate",
	}},
	{"ReportsAReplacedMigrationAsTwoThings", map[string]string{"0002-add-tags.sql": "", "0002-tag-notes.sql": "SELECT 1;"}, []string{
		"14:3: 0002-add-tags.sql: removed since file.go was generated; run go generate",
		"21:1: 0002-tag-notes.sql: added since file.go was generated; run go generate",
	}},
}

// TestStale changes a directory without generating again.
func TestStale(t *testing.T) {
	alone := &analysis.Analyzer{Name: "stale", Doc: "stale", Run: func(pass *analysis.Pass) (any, error) {
		stale(pass)
		return nil, nil
	}}
	for _, test := range staleTests {
		t.Run(test.claim, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"0001-initialize.sql": staleFirst, "0002-add-tags.sql": staleSecond, "0003-slugs.go": staleSlugs, "0004-import.py": staleImports,
				"migrations.go": "//go:generate go tool lockstep generate\npackage migrations\n"}
			for name, text := range test.change {
				files[name] = text
			}
			for name, text := range files {
				if text == "" {
					continue
				}
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
					t.Fatal(err)
				}
			}
			w := newWorkspace()
			var got []string
			for _, d := range w.analyze(t, alone, w.add(t, "example.com/app/migrations", dir, staleSource)) {
				at := w.fset.Position(d.Pos)
				got = append(got, fmt.Sprintf("%d:%d: %s", at.Line, at.Column, d.Message))
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(test.want, "\n"))
			}
		})
	}
}
