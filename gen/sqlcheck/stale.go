package sqlcheck

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// stale reports the migrations of the package that are no longer what its
// generated file says: edited and renamed at their line of Schema, added at the
// pattern that embeds them. All other diagnostics are then about an old schema.
//
// It compares names and checksums and runs no SQL. That go vet does not answer
// from its cache is the pattern's doing: it makes what it embeds part of the
// package.
func stale(pass *analysis.Pass) {
	for _, file := range pass.Files {
		if schema := schemaLiteral(pass, file); schema != nil {
			staleFile(pass, file, schema)
		}
	}
}

// schemaLiteral returns the value of the file's variable Schema, if it is one of
// the runtime's type beside an ExpectedVersion of the runtime's type.
func schemaLiteral(pass *analysis.Pass, file *ast.File) *ast.CompositeLit {
	version, ok := pass.Pkg.Scope().Lookup("ExpectedVersion").(*types.Const)
	if !ok || !isNamed(version.Type(), runtimePath, "Version") {
		return nil
	}
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			spec := spec.(*ast.ValueSpec)
			if len(spec.Names) != 1 || spec.Names[0].Name != "Schema" || len(spec.Values) != 1 {
				continue
			}
			if lit, ok := spec.Values[0].(*ast.CompositeLit); ok && isNamed(pass.TypesInfo.TypeOf(lit), runtimePath, "Schema") {
				return lit
			}
		}
	}
	return nil
}

// An entry is a line of Schema.
type entry struct {
	file, checksum string
	version        lockstep.Version
	line           ast.Expr
}

// staleFile compares the entries of schema with the directory of its file.
func staleFile(pass *analysis.Pass, file *ast.File, schema *ast.CompositeLit) {
	name := pass.Fset.File(file.FileStart).Name()
	sums, err := checksums(filepath.Dir(name))
	if err != nil {
		return // the build says more
	}
	report := func(at analysis.Range, migration, what string) {
		pass.Report(analysis.Diagnostic{Pos: at.Pos(), End: at.End(), Category: "stale",
			Message: fmt.Sprintf("%s: %s since %s was generated; run go generate", migration, what, filepath.Base(name))})
	}

	entries, ok := entriesOf(pass, schema)
	if !ok {
		return
	}
	recorded := map[string]bool{}
	for _, e := range entries {
		recorded[e.file] = true
	}
	renamed := map[string]bool{}
	for _, e := range entries {
		sum, ok := sums[e.file]
		switch {
		case ok && sum != e.checksum:
			report(e.line, e.file, "changed")
		case ok:
		default:
			what, now := "removed", e.file
			for other, sum := range sums {
				if n, err := lockstep.ParseFileName(other); err == nil && n.Version == e.version && sum == e.checksum && !recorded[other] {
					what, now = "renamed from "+e.file, other
					renamed[other] = true
				}
			}
			report(e.line, now, what)
		}
	}
	at := embedded(file, schema)
	for _, added := range slices.Sorted(maps.Keys(sums)) {
		if !recorded[added] && !renamed[added] {
			report(at, added, "added")
		}
	}
}

// checksums returns those of the migrations in dir, by file. A name that is not
// quite right is left to the generator, which says what is wrong with it.
func checksums(dir string) (map[string]string, error) {
	files, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	for _, f := range files {
		name, err := lockstep.ParseFileName(f.Name())
		if err != nil || !f.Type().IsRegular() {
			continue
		}
		// Not by pass.ReadFile, which knows the package's Go files only.
		text, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			return nil, err
		}
		switch name.Ext {
		case ".sql":
			sums[f.Name()] = sqltext.Parse(sqltext.Normalize(text)).Checksum()
		case ".go":
			sums[f.Name()] = lockstep.Go(nil).Checksum(text)
		case ".py", ".sh":
			sums[f.Name()] = lockstep.ScriptChecksum(text)
		}
	}
	return sums, nil
}

// entriesOf reads the Migrations of a Schema. It returns false where they are not
// written as the generator writes them.
func entriesOf(pass *analysis.Pass, schema *ast.CompositeLit) (entries []entry, ok bool) {
	list, _ := fieldOf(schema, "Migrations").(*ast.CompositeLit)
	if list == nil {
		return nil, false
	}
	for _, elt := range list.Elts {
		lit, ok := elt.(*ast.CompositeLit)
		if !ok {
			return nil, false
		}
		version, _ := constant.Int64Val(constant.ToInt(valueOf(pass, fieldOf(lit, "Version"))))
		entries = append(entries, entry{
			file:     constant.StringVal(valueOf(pass, fieldOf(lit, "File"))),
			checksum: constant.StringVal(valueOf(pass, fieldOf(lit, "Checksum"))),
			version:  lockstep.Version(version),
			line:     lit,
		})
	}
	return entries, true
}

// fieldOf returns the value of a field of a literal, or nil.
func fieldOf(lit *ast.CompositeLit, name string) ast.Expr {
	for _, elt := range lit.Elts {
		if kv, ok := elt.(*ast.KeyValueExpr); ok {
			if key, ok := kv.Key.(*ast.Ident); ok && key.Name == name {
				return kv.Value
			}
		}
	}
	return nil
}

// valueOf returns the value of a constant expression, or the unknown value.
func valueOf(pass *analysis.Pass, expr ast.Expr) constant.Value {
	if expr != nil {
		if value := pass.TypesInfo.Types[expr].Value; value != nil {
			return value
		}
	}
	return constant.MakeUnknown()
}

// embedded returns the last go:embed line of the file, or where there is none the
// schema's type.
func embedded(file *ast.File, schema *ast.CompositeLit) (at analysis.Range) {
	at = schema.Type
	for _, group := range file.Comments {
		for _, comment := range group.List {
			if strings.HasPrefix(comment.Text, "//go:embed ") {
				at = comment
			}
		}
	}
	return at
}
