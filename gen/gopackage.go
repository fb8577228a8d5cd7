package gen

import (
	"cmp"
	"fmt"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/lockstep-db/lockstep/gen/filename"
)

// PackageName returns the name of the package that dir is by its Go files, or else by its
// own name: the one that a generated file there has. It also returns what keeps dir from
// being that package, or nil.
func PackageName(dir string) (string, *Problem) {
	entries, _ := os.ReadDir(dir) // the scan says what is wrong with a directory
	name, from, migrations := "", "", ""
	for _, entry := range entries {
		base := entry.Name()
		if base == FileName || filepath.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
			continue
		}
		if built, err := build.Default.MatchFile(dir, base); err == nil && !built {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, base), nil, parser.PackageClauseOnly)
		if err != nil {
			continue // for the compiler to report
		}
		_, err = filename.Parse(base)
		switch found := file.Name.Name; {
		case err == nil && found != "main": // the scan wants Go migrations to follow the other files
			migrations = cmp.Or(migrations, found)
		case err == nil:
		case found == "main":
			name = cmp.Or(name, nameOf(dir))
			return name, &Problem{File: base, Fact: "package main cannot be imported; write package " + name + ", or move the migrations to a folder of their own"}
		case name != "" && found != name:
			return name, &Problem{File: base, Fact: fmt.Sprintf("package %s; %s has package %s", found, from, name)}
		default:
			name, from = found, base
		}
	}
	return cmp.Or(name, migrations, nameOf(dir)), nil
}

// nameOf returns the name of the package by the name of dir.
func nameOf(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	name := strings.Map(func(r rune) rune {
		if r == '_' || r < unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return unicode.ToLower(r)
		}
		return -1
	}, filepath.Base(dir))
	if !token.IsIdentifier(name) || name == "_" || name == "main" { // cannot be imported
		name = "migrations"
	}
	return name
}
