package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/types"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/analysis"

	"github.com/lockstep-db/lockstep/gen/genfile"
)

// reach is what a package tells its importers. go vet passes on the facts of direct
// imports only, so each package repeats what its own imports say.
type reach struct {
	Module  string    // of the package
	SQL     bool      // the package can reach a database
	Drivers []string  // of SQLite, that it imports
	Others  bool      // it imports the driver of another database
	Schemas []schema  // in reach
	Owns    []string  // tables and views that the program itself creates, in lower case
	Queries []*query  // that had no schema in reach
	Checked []string  // packages whose Queries have been checked
	Doubts  []finding // see [checker.verdict]
	Unsafe  bool      // columns without a field are dropped, by sqlx
}

func (*reach) AFact() {}

// A schema is that of one migrations package.
type schema struct {
	Package string // its path
	Version int
	SQL     string
	Added   string // see [addedColumns]
}

// inherit merges what the imports of the package say.
//
// The schema of a library with a database of its own does not reach other modules:
// their SQL is about other tables. A module may hold nothing but the schema, so a
// package that imports the migrations themselves sees them.
func inherit(pass *analysis.Pass, o options) reach {
	var r reach
	own := o.imports(pass)
	if pass.Module != nil {
		r.Module = pass.Module.Path
	}
	if s, ok := schemaOf(pass.Pkg); ok {
		s.Added = addedColumns(filepath.Dir(pass.Fset.Position(pass.Files[0].FileStart).Filename))
		r.Schemas = append(r.Schemas, s)
	}
	for _, imported := range pass.Pkg.Imports() {
		path := imported.Path()
		r.Others = r.Others || otherDrivers.MatchString(path)
		r.SQL = r.SQL || databases.MatchString(path) || drivers.MatchString(path)
		var from reach
		if !pass.ImportPackageFact(imported, &from) {
			continue
		}
		r.SQL = r.SQL || from.SQL
		if slices.Contains(own, path) {
			r.Drivers = union(r.Drivers, from.Drivers)
		}
		r.Others = r.Others || from.Others
		others := func(s schema) bool { return s.Package != path && from.Module != r.Module }
		r.Schemas = union(r.Schemas, slices.DeleteFunc(slices.Clone(from.Schemas), others))
		if from.Module != r.Module {
			continue
		}
		r.Unsafe = r.Unsafe || from.Unsafe
		r.Owns = union(r.Owns, from.Owns)
		r.Checked = union(r.Checked, from.Checked)
		r.Doubts = union(r.Doubts, from.Doubts)
		for _, q := range from.Queries {
			if !slices.ContainsFunc(r.Queries, q.same) {
				r.Queries = append(r.Queries, q)
			}
		}
	}
	r.Drivers = union(r.Drivers, slices.DeleteFunc(own, func(path string) bool { return !drivers.MatchString(path) }))
	r.Queries = slices.DeleteFunc(r.Queries, func(q *query) bool { return slices.Contains(r.Checked, q.Package) })
	slices.SortFunc(r.Schemas, func(a, b schema) int { return strings.Compare(a.Package, b.Package) })
	return r
}

// imports returns what the files of the package import, in whatever build. Tests can
// have a driver of their own.
func (o options) imports(pass *analysis.Pass) (paths []string) {
	files := slices.Clone(pass.Files)
	for _, name := range pass.IgnoredFiles {
		if f, _ := parser.ParseFile(pass.Fset, name, nil, parser.ImportsOnly); f != nil && filepath.Ext(name) == ".go" {
			files = append(files, f)
		}
	}
	for _, f := range files {
		if !o.tests && strings.HasSuffix(pass.Fset.Position(f.FileStart).Filename, "_test.go") {
			continue
		}
		for _, spec := range f.Imports {
			path, _ := strconv.Unquote(spec.Path.Value)
			paths = append(paths, path)
		}
	}
	return paths
}

// schemaOf returns the schema of a migrations package, which it recognizes by the
// type of the constant ExpectedVersion.
func schemaOf(pkg *types.Package) (schema, bool) {
	version, ok := pkg.Scope().Lookup("ExpectedVersion").(*types.Const)
	if !ok || !isNamed(version.Type(), genfile.RuntimePath, "Version") {
		return schema{}, false
	}
	text, ok := pkg.Scope().Lookup("SchemaSQL").(*types.Const)
	if !ok || text.Val().Kind() != constant.String {
		return schema{}, false
	}
	n, _ := constant.Int64Val(version.Val())
	return schema{pkg.Path(), int(n), constant.StringVal(text.Val()), ""}, true
}

// export tells the importers, if there is anything to tell.
func (r *reach) export(pass *analysis.Pass) {
	if r.SQL || len(r.Schemas) > 0 {
		pass.ExportPackageFact(r)
	}
}

var (
	// databases, drivers and otherDrivers match the import paths of what runs SQL, of
	// drivers of SQLite, and of drivers of other databases or parts of them.
	databases    = regexp.MustCompile(`^(?:database/sql|github\.com/jmoiron/sqlx|zombiezen\.com/go/sqlite|crawshaw\.io/sqlite)$`)
	drivers      = regexp.MustCompile(`^(?:github\.com/ncruces/go-sqlite3(?:/driver)?|github\.com/mattn/go-sqlite3|modernc\.org/sqlite|github\.com/glebarez/go-sqlite)$|sqlcipher|libsql`)
	otherDrivers = regexp.MustCompile(`^(?:github\.com/(?:lib/pq|jackc/pgx|jackc/pgconn|go-sql-driver/mysql|microsoft/go-mssqldb|denisenkom/go-mssqldb|` +
		`sijms/go-ora|godror/godror|ClickHouse/clickhouse-go|marcboeker/go-duckdb|duckdb/duckdb-go|snowflakedb/gosnowflake)|` +
		`cloud\.google\.com/go/spanner)(?:/|$)`)
)

// importing returns the first import of the file whose path the pattern matches, and its
// path, or nil.
func importing(f *ast.File, pattern *regexp.Regexp) (*ast.ImportSpec, string) {
	for _, spec := range f.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); pattern.MatchString(path) {
			return spec, path
		}
	}
	return nil, ""
}

// isNamed reports whether t is the named type, or a pointer to it.
func isNamed(t types.Type, path, name string) bool {
	n, ok := types.Unalias(pointee(t)).(*types.Named)
	return ok && n.Obj().Name() == name && n.Obj().Pkg() != nil && n.Obj().Pkg().Path() == path
}

// pointee returns what the type points to, or the type itself.
func pointee(t types.Type) types.Type {
	if p, ok := types.Unalias(t).(*types.Pointer); ok {
		return p.Elem()
	}
	return t
}

// union adds to a what of b is not there.
func union[T comparable](a, b []T) []T {
	for _, x := range b {
		if !slices.Contains(a, x) {
			a = append(a, x)
		}
	}
	return a
}
