package main

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// A brokenPin is a place that is pinned to a migration which is not the newest,
// so that it does not compile.
type brokenPin struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Col    int    `json:"col"`
	Pinned string `json:"pinned"` // V0010LatestThing
	Newest string `json:"newest"`

	offset int // of Pinned in the file
}

// brokenPins looks through the module that dir is in for pins that source, the
// generated file, has broken. The compiler would name the same places, but it stops
// at the tenth error, and at the first package that others import.
//
// Nothing is type-checked: a pin by way of an alias is left to the compiler.
func brokenPins(ctx context.Context, dir string, source []byte) ([]brokenPin, error) {
	pkg, newest := pinned(source)
	root, module, err := moduleOf(dir)
	if err != nil || module.path == "" || newest == "" {
		return nil, err
	}
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	importPath, err := module.importPath(root, dir)
	if err != nil {
		return nil, err
	}

	var pins []brokenPin
	err = filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || ctx.Err() != nil:
			return ctx.Err() // what cannot be read is left to the compiler
		case entry.IsDir() && file != root && ignored(file, entry.Name()):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(file) != ".go":
			return nil
		}
		text, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(text, []byte("Latest")) || !bytes.Contains(text, []byte(importPath)) {
			return nil
		}
		if name, err := filepath.Rel(here, file); err == nil {
			file = name
		}
		pins = append(pins, pinsIn(file, text, importPath, pkg, newest)...)
		return nil
	})
	return pins, err
}

// ignored reports whether the go command leaves a folder out of the module.
//
// https://pkg.go.dev/cmd/go#hdr-Package_lists_and_patterns
func ignored(dir, name string) bool {
	if name == "vendor" || name == "testdata" || name[0] == '.' || name[0] == '_' {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}

// pinned returns the name of the generated package and of the type of its Latest.
func pinned(source []byte) (pkg, newest string) {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return "", ""
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.CONST {
			continue
		}
		for _, spec := range gen.Specs {
			spec := spec.(*ast.ValueSpec)
			if t, ok := spec.Type.(*ast.Ident); ok && spec.Names[0].Name == "Latest" {
				return file.Name.Name, t.Name
			}
		}
	}
	return "", ""
}

// pinsIn returns the broken pins of one file: constants or variables of a type
// migrations.V… with the value migrations.Latest, under the name by which the file
// imports the package.
func pinsIn(name string, text []byte, importPath, pkg, newest string) (pins []brokenPin) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return nil // the compiler will say why
	}
	for _, spec := range file.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != importPath {
			continue
		}
		local := pkg
		if spec.Name != nil {
			local = spec.Name.Name
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok {
				return true
			}
			v := member(spec.Type, local)
			for _, value := range spec.Values {
				if member(value, local) == "Latest" && strings.HasPrefix(v, "V") && v != newest {
					// A line directive makes no difference.
					at := fset.PositionFor(value.Pos(), false)
					of := fset.PositionFor(spec.Type.(*ast.SelectorExpr).Sel.Pos(), false)
					pins = append(pins, brokenPin{name, at.Line, at.Column, v, newest, of.Offset})
					break
				}
			}
			return true
		})
	}
	return pins
}

// member returns "Name" for the expression pkg.Name, else "".
func member(expr ast.Expr, pkg string) string {
	if s, ok := expr.(*ast.SelectorExpr); ok {
		if x, ok := s.X.(*ast.Ident); ok && x.Name == pkg {
			return s.Sel.Name
		}
	}
	return ""
}
