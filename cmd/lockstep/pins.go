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

	offset int // of the literal, migrations.V0010LatestThing{}, in the file
}

// brokenPins looks through the module that dir is in for calls of the package's
// Pin that source, its generated file, no longer takes. The compiler would name
// the same places, but it stops at the tenth error, and at the first package that
// others need.
//
// Nothing is type-checked: a pin that is hidden behind a variable is left to the
// compiler.
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
		if err != nil || !bytes.Contains(text, []byte("Pin(")) || !bytes.Contains(text, []byte(importPath)) {
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

// pinned returns the name of the generated package and of the type that its Pin
// takes.
func pinned(source []byte) (pkg, newest string) {
	file, err := parser.ParseFile(token.NewFileSet(), "", source, parser.SkipObjectResolution)
	if err != nil {
		return "", ""
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || f.Name.Name != "Pin" || len(f.Type.Params.List) != 1 {
			continue
		}
		if t, ok := f.Type.Params.List[0].Type.(*ast.Ident); ok {
			return file.Name.Name, t.Name
		}
	}
	return "", ""
}

// pinsIn returns the broken pins of one file: calls migrations.Pin(migrations.V…{})
// under the name by which the file imports the package.
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
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) != 1 || member(call.Fun, local) != "Pin" {
				return true
			}
			lit, ok := call.Args[0].(*ast.CompositeLit)
			if !ok {
				return true
			}
			if v := member(lit.Type, local); strings.HasPrefix(v, "V") && v != newest {
				at := fset.PositionFor(lit.Pos(), false) // a line directive makes no difference
				pins = append(pins, brokenPin{name, at.Line, at.Column, v, newest, at.Offset})
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
