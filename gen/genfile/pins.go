package genfile

import (
	"bytes"
	"cmp"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/gen/gomod"
)

// A Pin is a line of code that is pinned to another migration than the last:
//
//	const _ migrations.V0010LatestThing = migrations.Latest
type Pin struct {
	File   string `json:"file"`
	Line   int    `json:"line"` // of the value, where the compiler reports it
	Col    int    `json:"col"`
	Pinned string `json:"pinned"` // V0010LatestThing
	Newest string `json:"newest"`

	typ token.Position // of Pinned
}

// Edit returns the edit that moves the pin.
func (p Pin) Edit() Edit { return Edit{p.typ, p.Pinned, p.Newest} }

// BrokenPins returns the pins that do not compile with source, the generated file of dir,
// in the module around dir. The compiler names the same places, but it stops at the tenth
// error, and at the first package that others import.
//
// Nothing is type-checked: a pin that goes through an alias is left to the compiler.
func BrokenPins(ctx context.Context, dir string, source []byte) (pins []Pin, err error) {
	file, _ := Parse(source)
	if file == nil {
		return nil, nil
	}
	p, module, err := FindPackage(dir, file.Package)
	if err != nil || module == nil {
		return nil, err
	}
	err = module.GoFiles(ctx, func(path string, text []byte) {
		pins = append(pins, p.BrokenPins(path, text, file.Latest)...)
	})
	return pins, err
}

// A Package is a migrations package.
type Package struct {
	Dir  string // absolute
	Path string // its import path
	Name string
}

// FindPackage returns the package of that name in dir, and its module, or nil if it is in
// none.
func FindPackage(dir, name string) (p Package, module *gomod.Module, err error) {
	p.Name = name
	if module, err = gomod.Find(dir); module == nil || err != nil {
		return p, nil, err
	}
	if p.Dir, err = filepath.Abs(dir); err == nil {
		p.Path, err = module.ImportPath(dir)
	}
	return p, module, err
}

// BrokenPins returns the pins of a Go file to others than the newest migration.
func (p Package) BrokenPins(path string, text []byte, newest string) (pins []Pin) {
	if !bytes.Contains(text, []byte(latest)) {
		return nil
	}
	fset, file, names := p.parse(path, text)
	if file == nil {
		return nil
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		typ := names.of(spec.Type)
		if typ == nil || typ.Name == newest || !strings.HasPrefix(typ.Name, "V") {
			return true
		}
		for _, value := range spec.Values {
			if name := names.of(value); name != nil && name.Name == latest {
				// Lines and columns are those of the file, whatever a "//line" says.
				at := fset.PositionFor(value.Pos(), false)
				pins = append(pins, Pin{path, at.Line, at.Column, typ.Name, newest, fset.PositionFor(typ.Pos(), false)})
				break
			}
		}
		return true
	})
	return pins
}

// Rename returns the edits that rename identifiers of a Go file: any identifiers, and those
// that name pins of the package.
func (p Package) Rename(path string, text []byte, any, pins map[string]string) (edits []Edit) {
	mentions := func(names map[string]string) bool {
		return slices.ContainsFunc(slices.Collect(maps.Keys(names)), func(name string) bool { return bytes.Contains(text, []byte(name)) })
	}
	if !mentions(any) && !mentions(pins) {
		return nil
	}
	fset, file, names := p.parse(path, text)
	if file == nil {
		return nil
	}
	add := func(id *ast.Ident, to string) {
		if to != "" {
			edits = append(edits, Edit{fset.PositionFor(id.Pos(), false), id.Name, to})
		}
	}
	var visit func(n ast.Node) bool
	visit = func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if name := names.of(n); name != nil {
				add(name, pins[name.Name])
			}
			ast.Inspect(n.X, visit)
			return false
		case *ast.Ident:
			to := any[n.Name]
			if names.of(n) != nil {
				to = cmp.Or(to, pins[n.Name])
			}
			add(n, to)
		}
		return true
	}
	ast.Inspect(file, visit)
	for old, new := range any { // comments name functions, too
		word := regexp.MustCompile(`\b` + old + `\b`)
		for _, group := range file.Comments {
			for _, c := range group.List {
				for _, at := range word.FindAllStringIndex(c.Text, -1) {
					pos := fset.PositionFor(c.Pos()+token.Pos(at[0]), false)
					if bytes.HasPrefix(text[pos.Offset:], []byte(old)) { // no carriage return came before
						edits = append(edits, Edit{pos, old, new})
					}
				}
			}
		}
	}
	slices.SortFunc(edits, byOffset)
	return edits
}

// conflict matches what git leaves where both sides of a merge changed a text.
var conflict = regexp.MustCompile(`(?ms)^<{7} [^\n]*\n(.*?)(?:^\|{7} [^\n]*\n.*?)?^={7}\r?\n(.*?)^>{7} [^\n]*\n`)

// pinName matches the names of pins.
var pinName = regexp.MustCompile(`\bV[0-9]{4}\w*`)

// Resolve resolves the conflicts of a Go file whose sides differ only in the names of pins:
// it takes the side with one of the names. line is where the first conflict remains, or 0.
func Resolve(text []byte, names map[string]string) (resolved []byte, line int) {
	resolved = conflict.ReplaceAllFunc(text, func(hunk []byte) []byte {
		sides := conflict.FindSubmatch(hunk)[1:]
		if bytes.Equal(pinName.ReplaceAll(sides[0], nil), pinName.ReplaceAll(sides[1], nil)) {
			for _, side := range sides {
				if slices.ContainsFunc(pinName.FindAll(side, -1), func(pin []byte) bool { return names[string(pin)] != "" }) {
					return side
				}
			}
		}
		return hunk
	})
	if at := conflict.FindIndex(resolved); at != nil {
		line = 1 + bytes.Count(resolved[:at[0]], []byte("\n"))
	}
	return resolved, line
}

// An Edit replaces a name.
type Edit struct {
	At       token.Position
	Old, New string
}

func byOffset(a, b Edit) int { return a.At.Offset - b.At.Offset }

// Apply returns the text with the names replaced.
func Apply(text []byte, edits []Edit) (edited []byte) {
	last := 0
	for _, e := range slices.SortedFunc(slices.Values(edits), byOffset) {
		edited = append(append(edited, text[last:e.At.Offset]...), e.New...)
		last = e.At.Offset + len(e.Old)
	}
	return append(edited, text[last:]...)
}

// qualifiers are the names by which a file knows a package; "" if it needs none.
type qualifiers []string

// parse reads a Go file. It returns no file if it does not parse: the compiler says why.
func (p Package) parse(path string, text []byte) (*token.FileSet, *ast.File, qualifiers) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return fset, nil, nil
	}
	var names qualifiers
	if filepath.Dir(path) == p.Dir && file.Name.Name == p.Name {
		names = append(names, "")
	}
	for _, spec := range file.Imports {
		if imported, err := strconv.Unquote(spec.Path.Value); err == nil && imported == p.Path {
			switch {
			case spec.Name == nil:
				names = append(names, p.Name)
			case spec.Name.Name == ".":
				names = append(names, "")
			default:
				names = append(names, spec.Name.Name)
			}
		}
	}
	return fset, file, names
}

// of returns the name that an expression has in the package, or nil.
func (q qualifiers) of(e ast.Expr) *ast.Ident {
	switch e := e.(type) {
	case *ast.Ident:
		if slices.Contains(q, "") {
			return e
		}
	case *ast.SelectorExpr:
		if x, ok := e.X.(*ast.Ident); ok && slices.Contains(q, x.Name) {
			return e.Sel
		}
	}
	return nil
}
