package gen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/build"
	"go/build/constraint"
	"go/parser"
	"go/scanner"
	"go/token"
	"io"
	"regexp"
	"strings"

	"github.com/lockstep-db/lockstep/gen/genfile"
	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// readGo checks that a migration written in Go declares its function, and that no build
// leaves the file out.
func (m *migration) readGo(source []byte, pkg string) (problems Problems) {
	m.script = &sqltext.Script{Text: string(source)}
	m.checksum = lockstep.Go(nil).Checksum(source)
	fset := token.NewFileSet()
	// A "//line" comment does not count.
	report := func(pos token.Pos, format string, args ...any) {
		at := fset.PositionFor(pos, false)
		problems = append(problems, Problem{File: m.name, Line: at.Line, Col: at.Column, Fact: fmt.Sprintf(format, args...)})
	}
	file, err := parser.ParseFile(fset, m.name, source, parser.ParseComments|parser.SkipObjectResolution)
	if list := (scanner.ErrorList)(nil); errors.As(err, &list) {
		for _, e := range list {
			problems = append(problems, Problem{File: m.name, Line: e.Pos.Line, Col: e.Pos.Column, Fact: e.Msg})
		}
		return problems
	} else if err != nil {
		return Problems{{File: m.name, Fact: err.Error()}}
	}

	for _, group := range file.Comments {
		for _, c := range group.List {
			if c.Pos() < file.Package && (constraint.IsGoBuild(c.Text) || constraint.IsPlusBuild(c.Text)) {
				report(c.Pos(), "build constraint; "+silence)
			}
		}
	}
	for _, spec := range file.Imports {
		if spec.Path.Value == `"C"` {
			report(spec.Pos(), `import "C" needs cgo; `+silence)
		}
	}
	if file.Name.Name != pkg {
		report(file.Name.Pos(), "package %s; the directory is package %s", file.Name.Name, pkg)
	}

	name := genfile.FuncName(m.Version)
	pos, fact := file.Name.Pos(), "no function "+name
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		switch {
		case !ok:
		case f.Name.Name == name && f.Recv == nil:
			return problems // its type is for the compiler to check
		case f.Name.Name == name:
			pos, fact = f.Name.Pos(), name+" is a method"
		case nearly.MatchString(f.Name.Name) && pos == file.Name.Pos(): // it may have been meant
			pos, fact = f.Name.Pos(), "func "+f.Name.Name
		}
	}
	report(pos, "%s; want func %s(ctx context.Context, tx lockstep.Tx) error", fact, name)
	return problems
}

const silence = "other builds silently leave it out"

// nearly matches names that may have been meant for a migration's function.
var nearly = regexp.MustCompile(`(?i)^(migrate|migration|up)_?[0-9]*$`)

// dropsOut says which ending of its name makes the go command leave a Go file out of some
// builds, or "". It asks go/build what the endings are.
func dropsOut(name string) string {
	if strings.HasSuffix(name, "_test.go") {
		return "ends in _test.go, for tests only; " + silence
	}
	// No file is for this system and this processor by its name.
	ctxt := build.Context{GOOS: "none", GOARCH: "none", Compiler: "gc", OpenFile: func(string) (io.ReadCloser, error) {
		return io.NopCloser(strings.NewReader("package p\n")), nil
	}}
	always := func(name string) bool {
		match, err := ctxt.MatchFile("", name)
		return match || err != nil
	}
	if always(name) {
		return ""
	}
	stem, _, _ := strings.Cut(name, ".") // as go/build does
	from := strings.LastIndexByte(stem, '_')
	if !always(stem[:max(from, 0)] + ".go") {
		from = strings.LastIndexByte(stem[:from], '_')
	}
	return fmt.Sprintf("description ends in %s, for that system only; "+silence, stem[from:])
}
