package sqlcheck

import (
	"fmt"
	"go/ast"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/lockstep-db/lockstep/gen/filename"
	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/script"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// stale reports the migrations of the package that are no longer what its generated
// file says: changed, renamed and removed ones at their line of Schema, added ones at
// the pattern that embeds them. All other diagnostics are then about an old schema.
//
// It compares names and checksums and runs no SQL. The pattern makes what it embeds
// part of the package, so go vet does not answer from its cache.
func stale(pass *analysis.Pass) {
	if _, ok := schemaOf(pass.Pkg); !ok {
		return
	}
	for _, file := range pass.Files {
		if generated, err := genfile.Read(file); err == nil {
			staleFile(pass, file, generated)
		}
	}
}

// staleFile compares a generated file with the directory that it is in.
func staleFile(pass *analysis.Pass, file *ast.File, generated *genfile.File) {
	name := pass.Fset.File(file.FileStart).Name()
	sums, err := checksums(filepath.Dir(name))
	if err != nil {
		return // the build says more
	}
	report := func(at analysis.Range, migration, what string) {
		pass.Report(analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Category: "stale",
			Message: fmt.Sprintf("%s: %s since %s was generated; %s", migration, what, filepath.Base(name), wording.Generate(filepath.Dir(name)))})
	}
	unrecorded := maps.Clone(sums)
	for _, m := range generated.Migrations {
		delete(unrecorded, m.File)
	}
	for _, m := range generated.Migrations {
		sum, ok := sums[m.File]
		if ok && sum != m.Checksum {
			report(m.Line, m.File, "changed")
		}
		if ok {
			continue
		}
		what, now := "removed", m.File
		for other, sum := range unrecorded {
			if n, err := filename.Parse(other); err == nil && n.Version == m.Version && sum == m.Checksum {
				what, now = "renamed from "+m.File, other
			}
		}
		delete(unrecorded, now)
		report(m.Line, now, what)
	}
	// Added ones are in the last go:embed line of the file.
	at := analysis.Range(generated.Schema.Type)
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, "//go:embed ") {
				at = comment
			}
		}
	}
	for _, added := range slices.Sorted(maps.Keys(unrecorded)) {
		report(at, added, "added")
	}
}

// checksums returns those of the migrations in dir, by file.
func checksums(dir string) (map[string]string, error) {
	migrations, err := migrationsIn(dir)
	sums := map[string]string{}
	for _, m := range migrations {
		switch m.Ext {
		case ".sql":
			sums[m.String()] = sqltext.Parse(sqltext.Normalize(m.text)).Checksum()
		case ".go":
			sums[m.String()] = lockstep.Go(nil).Checksum(m.text)
		case ".py", ".sh":
			sums[m.String()] = script.Python.Checksum(m.text)
		}
	}
	return sums, err
}

// A migration is a file of a migrations package.
type migration struct {
	filename.Name
	text []byte
}

// migrationsIn returns the migrations in dir, in order. The generator says what is wrong with
// the names of others.
func migrationsIn(dir string) (all []migration, err error) {
	files, err := os.ReadDir(dir)
	for _, f := range files {
		name, unlike := filename.Parse(f.Name())
		if unlike != nil || !f.Type().IsRegular() {
			continue
		}
		// pass.ReadFile knows the package's Go files only.
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		all = append(all, migration{name, text})
	}
	return all, err
}
