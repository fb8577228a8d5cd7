package genfile

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"

	"github.com/lockstep-db/lockstep/runtime"
)

// A File is what a generated file says.
type File struct {
	Package string
	Latest  string // the type of the constant, or "": V0011OneMoreThing
	Schema  *ast.CompositeLit
	// Of Schema:
	Migrations  []Migration // in the order of the file
	SQL         string      // the schema after the last migration
	Fingerprint string      // of SQL
}

// A Migration is what a line of Schema says of one: everything but its Program.
type Migration struct {
	lockstep.Migration
	Line ast.Expr
}

// Parse reads the source of a generated file, which need not compile, and after a
// merge often does not.
func Parse(source []byte) (*File, error) {
	file, err := parser.ParseFile(token.NewFileSet(), Name, source, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return Read(file)
}

// Read reads a generated file that has been parsed.
func Read(file *ast.File) (*File, error) {
	f := &File{Package: file.Name.Name}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range gen.Specs {
			spec, ok := spec.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || len(spec.Values) != 1 {
				continue
			}
			switch spec.Names[0].Name {
			case latest:
				if t, ok := spec.Type.(*ast.Ident); ok && gen.Tok == token.CONST {
					f.Latest = t.Name
				}
			case "SchemaSQL":
				f.SQL = literal(spec.Values[0])
			case "Schema":
				value := spec.Values[0]
				if pointer, ok := value.(*ast.UnaryExpr); ok {
					value = pointer.X
				}
				f.Schema, _ = value.(*ast.CompositeLit)
			}
		}
	}
	if f.Schema == nil {
		return f, errors.New("it has no variable Schema")
	}
	f.Fingerprint = literal(field(f.Schema, "Fingerprint"))
	list, _ := field(f.Schema, "Migrations").(*ast.CompositeLit)
	if list == nil {
		return f, errors.New("its Schema has no Migrations")
	}
	for _, line := range list.Elts {
		n, err := strconv.Atoi(literal(field(line, "Version")))
		if err != nil {
			return f, errors.New("its Schema has a migration without a number")
		}
		m := Migration{Line: line, Migration: lockstep.Migration{
			Version:  lockstep.Version(n),
			File:     literal(field(line, "File")),
			Checksum: literal(field(line, "Checksum")),
		}}
		if accepted, ok := field(line, "Accepted").(*ast.CompositeLit); ok {
			for _, sum := range accepted.Elts {
				m.Accepted = append(m.Accepted, literal(sum))
			}
		}
		f.Migrations = append(f.Migrations, m)
	}
	return f, nil
}

// field returns the value of a field of a composite literal, or nil.
func field(e ast.Expr, name string) ast.Expr {
	if lit, ok := e.(*ast.CompositeLit); ok {
		for _, elt := range lit.Elts {
			if kv, ok := elt.(*ast.KeyValueExpr); ok {
				if key, ok := kv.Key.(*ast.Ident); ok && key.Name == name {
					return kv.Value
				}
			}
		}
	}
	return nil
}

// literal returns the value of a number, or of a string that may be a sum, or "".
func literal(e ast.Expr) string {
	if sum, ok := e.(*ast.BinaryExpr); ok {
		return literal(sum.X) + literal(sum.Y)
	}
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		return ""
	}
	if s, err := strconv.Unquote(lit.Value); err == nil {
		return s
	}
	return lit.Value
}

// WithSchema returns the source of a generated file with another version and schema.
func WithSchema(source []byte, v lockstep.Version, sql string) []byte {
	source = bytes.Replace(source, []byte("\nconst ExpectedVersion lockstep.Version = "), fmt.Appendf(nil, "\nconst ExpectedVersion lockstep.Version = %d + 0*", int(v)), 1)
	return bytes.Replace(source, []byte("\nconst SchemaSQL = "), fmt.Appendf(nil, "\nconst SchemaSQL = %q\n\nconst _ = ", sql), 1)
}
