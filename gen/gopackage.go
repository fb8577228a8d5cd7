package gen

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unicode"

	"github.com/lockstep-db/lockstep/gen/filename"
)

// PackageName returns the name of the package that dir is, or would be: the one that
// a generated file there has.
func PackageName(dir string) string {
	name, _ := packageName(dir)
	return name
}

// packageName returns the name of the package that dir is, by its other Go files
// or else by its own name.
func packageName(dir string) (string, *Problem) {
	entries, _ := os.ReadDir(dir) // if there is no directory, the scan says so
	return namePackage(dir, entries)
}

// packageOf returns a function that returns the name, for those who may not need
// it: Go files have to be read for it.
func packageOf(dir string, entries []fs.DirEntry) func() string {
	return sync.OnceValue(func() string {
		name, _ := namePackage(dir, entries)
		return name
	})
}

// namePackage is packageName of a directory that has been read. A migration has a
// say only where no other file has: the scan wants it to follow them.
func namePackage(dir string, entries []fs.DirEntry) (string, *Problem) {
	name, from, migrations := "", "", ""
	for _, entry := range entries {
		base := entry.Name()
		if base == FileName || filepath.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, base), nil, parser.PackageClauseOnly)
		if err != nil {
			continue // the compiler will say it better
		}
		if file.Name.Name == "main" {
			continue // a program under "//go:build ignore": nobody can import a main
		}
		if _, err := filename.Parse(base); err == nil {
			if migrations == "" {
				migrations = file.Name.Name
			}
			continue
		}
		if name != "" && file.Name.Name != name {
			return name, &Problem{File: base, Fact: fmt.Sprintf("package %s; %s has package %s", file.Name.Name, from, name)}
		}
		name, from = file.Name.Name, base
	}
	if name != "" {
		return name, nil
	}
	if migrations != "" {
		return migrations, nil
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		abs = dir
	}
	name = strings.Map(func(r rune) rune {
		if r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, filepath.Base(abs))
	if !token.IsIdentifier(name) || name == "_" || name == "main" { // none that can be imported
		name = "migrations"
	}
	return name, nil
}
