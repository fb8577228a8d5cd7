package sqlcheck

import (
	"fmt"
	"go/ast"
	"go/types"
	"regexp"

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

	// migrationCode matches the names of functions and packages, migrationLists those of
	// variables, keys and types.
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
	for _, pattern := range []*regexp.Regexp{migrationTools, otherDrivers} {
		if path := importing(f, pattern); path != "" {
			return name + " imports " + path
		}
	}
	return ""
}

// inHistory reports whether the node is in what the program calls a migration.
func (c *checker) inHistory(cur inspector.Cursor) bool {
	for around := range cur.Enclosing() {
		var name ast.Expr
		switch n := around.Node().(type) {
		case *ast.FuncDecl:
			if migrationCode.MatchString(n.Name.Name) {
				return true
			}
		case *ast.ValueSpec:
			name = n.Names[0]
		case *ast.AssignStmt:
			name = n.Lhs[0]
		case *ast.KeyValueExpr:
			name = n.Key
		case *ast.CompositeLit:
			if migrationLists.MatchString(types.TypeString(c.pass.TypesInfo.TypeOf(n), nil)) {
				return true
			}
		}
		if id, ok := name.(*ast.Ident); ok && migrationLists.MatchString(id.Name) {
			return true
		}
	}
	return false
}
