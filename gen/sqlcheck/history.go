package sqlcheck

import (
	"fmt"
	"go/ast"
	"go/types"
	"regexp"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/lockstep-db/lockstep/gen/filename"
)

var (
	// migrationFiles matches names that tools require, such as 00002_add_tags.go.
	migrationFiles = regexp.MustCompile(`^[0-9]{3,}[_-]`)

	// migrationTools matches the import paths of tools for migrations in Go.
	migrationTools = regexp.MustCompile(`^(?:github\.com/(?:pressly/goose|go-gormigrate/gormigrate|rubenv/sql-migrate|lopezator/migrator|` +
		`GuiaBolso/darwin|ardanlabs/darwin|uptrace/bun/migrate|pocketbase/pocketbase/migrations|remind101/migrate)|` +
		`gopkg\.in/gormigrate|zombiezen\.com/go/sqlite/sqlitemigration)(?:[/.]|$)`)

	// migrationCode matches the names of packages, functions and declared strings,
	// migrationLists those of local variables, keys and types.
	migrationCode  = regexp.MustCompile(`(?i:migrat|^(?:up|down)(?:grade)?(?:to|v|version|_)*[0-9])`)
	migrationLists = regexp.MustCompile(`(?i:migrations?$)`)
)

// leftOut returns why the file is for a schema before this one, or another database, or
// "".
func (c *checker) leftOut(f *ast.File, name string) string {
	_, ours := schemaOf(c.pass.Pkg)
	if n, err := filename.Parse(name); ours && err == nil {
		return fmt.Sprintf("migration %v is for the schema before it", n.Version)
	}
	if !ours && (migrationFiles.MatchString(name) || migrationCode.MatchString(f.Name.Name)) {
		return name + " is a migration, for the schema before it"
	}
	if _, path := importing(f, migrationTools); path != "" {
		return name + " imports " + path
	}
	if spec, path := importing(f, otherDrivers); spec != nil && spec.Name != nil && spec.Name.Name == "_" {
		return name + " imports " + path // others may use pq.Array
	}
	return ""
}

// otherNames matches the names that drivers of other databases register.
var otherNames = regexp.MustCompile(`postgres|pgx|mysql|sqlserver|mssql|oracle|godror|clickhouse|duckdb|snowflake|spanner`)

// ofOther returns why the query is for another database, or "": the call is on what its
// driver opened, or the file imports it and the parameters are as it has them.
func (c *checker) ofOther(f *ast.File, cur inspector.Cursor, q *query) string {
	if call, ok := cur.Node().(*ast.CallExpr); ok {
		if open := c.origin(receiver(call)); open != nil && c.opensOther(open) {
			return "another database was opened"
		}
	}
	if _, path := importing(f, otherDrivers); path != "" && strings.Contains(q.Texts[0].SQL, "$1") {
		return "SQL of another database: $1"
	}
	return ""
}

// opensOther reports whether the call is sql.Open or sql.OpenDB with the driver of another
// database, or a function of that driver.
func (c *checker) opensOther(call *ast.CallExpr) bool {
	fn := c.callee(call)
	if fn == nil || fn.Pkg().Path() != "database/sql" || len(call.Args) == 0 {
		return fn != nil && otherDrivers.MatchString(fn.Pkg().Path())
	}
	if made := c.origin(call.Args[0]); made != nil {
		return c.opensOther(made)
	}
	driver, _ := c.constantString(call.Args[0])
	return otherNames.MatchString(driver)
}

// inHistory reports whether the query is in what the program calls a migration, or is
// called so itself.
func (c *checker) inHistory(cur inspector.Cursor, q *query) bool {
	for around := range cur.Enclosing() {
		var name ast.Expr
		names := migrationLists
		switch n := around.Node().(type) {
		case *ast.FuncDecl:
			name, names = n.Name, migrationCode
		case *ast.ValueSpec:
			name, names = n.Names[0], migrationCode
		case *ast.AssignStmt:
			name = n.Lhs[0]
		case *ast.KeyValueExpr:
			name = n.Key
		case *ast.CallExpr:
			if q.made != nil && n == cur.Node() && c.builder(n) == nil {
				name, names = n.Args[q.made.Query], migrationCode
			}
		case *ast.CompositeLit:
			if migrationLists.MatchString(types.TypeString(c.pass.TypesInfo.TypeOf(n), nil)) {
				return true
			}
		}
		if id, ok := name.(*ast.Ident); ok && names.MatchString(id.Name) {
			return true
		}
	}
	return false
}
