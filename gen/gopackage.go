package gen

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/lockstep-db/lockstep/gen/filename"
)

// PackageName returns the name of the package that dir is, or would be: the one that
// a generated file there has.
func PackageName(dir string) string {
	name, _ := packageName(dir)
	return name
}

// packageName returns the name of the package that dir is by its Go files, or else by
// its own name. The scan wants Go migrations to follow the other files.
func packageName(dir string) (string, *Problem) {
	entries, _ := os.ReadDir(dir) // the scan says what is wrong with a directory
	name, from, migrations := "", "", ""
	for _, entry := range entries {
		base := entry.Name()
		if base == FileName || filepath.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, base), nil, parser.PackageClauseOnly)
		if err != nil || file.Name.Name == "main" {
			continue // for the compiler to report, or a program under "//go:build ignore"
		}
		if _, err := filename.Parse(base); err == nil {
			migrations = cmp.Or(migrations, file.Name.Name)
			continue
		}
		if name != "" && file.Name.Name != name {
			return name, &Problem{File: base, Fact: fmt.Sprintf("package %s; %s has package %s", file.Name.Name, from, name)}
		}
		name, from = file.Name.Name, base
	}
	if found := cmp.Or(name, migrations); found != "" {
		return found, nil
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	name = strings.Map(func(r rune) rune {
		if r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, filepath.Base(dir))
	if !token.IsIdentifier(name) || name == "_" || name == "main" { // cannot be imported
		name = "migrations"
	}
	return name, nil
}
