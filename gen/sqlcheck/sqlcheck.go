// Package sqlcheck is an analyzer that checks the SQL in Go code against the
// schema the code is written for.
//
// SQLite itself prepares each statement, against an empty database with that
// schema, and never runs it. The schema is the constant SchemaSQL of the
// migrations package that the code imports, directly or indirectly. Given
//
//	CREATE TABLE notes (id INTEGER PRIMARY KEY, title TEXT NOT NULL, body TEXT);
//
// at version 7, the analyzer reports
//
//	db.QueryRow("SELECT titel FROM notes")
//	                    ^ at version 0007: no such column: titel
//
//	db.Exec("INSERT INTO notes (body) VALUES (?)", body)
//	         ^ at version 0007: NOT NULL constraint failed: notes.title: the INSERT gives it no value
//
//	db.Query("SELECT id FROM notes WHERE id > ? LIMIT ?", after)
//	   ^ call has 1 argument for 2 parameters
//
//	db.QueryRow("SELECT id, title FROM notes").Scan(&id)
//	                                           ^ Scan has 1 destination for 2 columns
//
//	db.QueryRow("SELECT max(id) FROM notes").Scan(&id)
//	                                         ^ Scan cannot store NULL in int64: max(id) is NULL without rows
//
// The command "lockstep vet" runs it, and so does go vet:
//
//	go vet -vettool=$(go tool -n lockstep) ./...
//
// Other drivers of analyzers, such as a golangci-lint module plugin, import
// [Analyzer].
//
// # What it reads
//
// It reads the SQL passed to the methods of database/sql, to interfaces that have such
// methods, to sqlx, gorm's Raw, bun's NewRaw, the packages of ncruces, zombiezen and
// crawshaw, and to functions that pass a parameter on to one of these. The SQL may be a
// constant, a variable, an unexported field, an element of a list or map or an embedded
// file, or be built of these with "+", fmt.Sprintf, strings.Join, Replace, Trim and
// Repeat, a strings.Builder, sqlx's Rebind, Named and In, or a chain of squirrel's
// methods. Structs that sqlx reads or fills must have a field for each name.
//
// If a variable may hold one of several strings, only what is wrong with all of them is
// reported. If parts of a string are known only at run time, or if a constant looks like
// SQL but reaches no such call, only names that the schema does not have are reported.
// SQL in a package that imports no schema is checked in the packages that import both,
// if the analyzer runs on those.
//
// # NULL
//
// A column may be NULL. Scan into a string, number or time is reported only where NULL is
// certain to come:
//
//   - max, min, sum, avg or group_concat of a table without GROUP BY
//   - a column of the right side of a LEFT JOIN, unless a NOT NULL foreign key or a
//     trigger ensures a row there
//   - a column that a migration added without a value to an older table, if no later
//     migration changes rows of that table
//
// In the last two cases, the SELECT has no other joins, no GROUP BY, and in WHERE nothing
// but the primary key of its first table.
//
// # What it leaves out
//
// Where it cannot know, it is silent. With the flag -why it reports whether each string
// was checked, and why not. It leaves out:
//
//   - statements other than SELECT, INSERT, UPDATE, DELETE and VALUES
//   - SQL of another database: $1::text, DISTINCT ON, INSERT IGNORE
//   - strings in double quotes, unless all drivers of the program are ncruces's
//   - tables that the program itself creates, schemas other than main, and
//     table-valued functions
//   - functions, collations and modules that SQLite lacks here
//   - arguments spread with "..."
//   - _test.go files, unless -tests is given
//   - migrations written in Go, whose SQL is for an earlier schema: this tool's,
//     other tools', and functions and variables with "migrat" in their names
//   - files that import the driver of another database as _, and what such a driver
//     opened; in a program with one, packages that import no schema
//
// # Directives
//
//	//lockstep:ignore REASON         silences the line, or the one below
//	//lockstep:ignore scan: REASON   silences one check: sql, args, scan, notnull or several
//	//lockstep:off                   silences the file
//	//lockstep:schema PATH           checks the package against this schema only
//	//lockstep:schema none           leaves the package out
//
// A directive that silences nothing, or an ignore without a reason, is reported.
package sqlcheck

import (
	"go/ast"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/tools/go/analysis"
)

// Analyzer checks the SQL of a package.
var Analyzer = newAnalyzer()

func newAnalyzer() *analysis.Analyzer {
	var o options
	a := &analysis.Analyzer{
		Name:      "lockstep",
		Doc:       "check the SQL in Go code against the schema it is written for",
		URL:       "https://pkg.go.dev/github.com/lockstep-db/lockstep/gen/sqlcheck",
		FactTypes: []analysis.Fact{new(reach), new(wrapper)},
		Run:       func(pass *analysis.Pass) (any, error) { run(pass, o); return nil, nil },
	}
	a.Flags.BoolVar(&o.why, "why", false, "report of each string whether it was checked, and why not")
	a.Flags.BoolVar(&o.tests, "tests", false, "also check _test.go files")
	return a
}

// options are the analyzer's flags.
type options struct {
	why, tests bool
}

func run(pass *analysis.Pass, o options) {
	stale(pass)
	r := inherit(pass, o)
	if !r.SQL && len(r.Schemas) == 0 {
		return // so that most packages cost nothing
	}
	c := &checker{
		resolver: newResolver(pass),
		options:  o,
		reach:    r,
		schemas:  r.Schemas,
		reported: map[finding]bool{},
	}
	defer c.close()
	c.parseDirectives()
	c.narrow()
	c.findWrappers()
	queries := c.queries()
	c.reach.Owns = union(c.reach.Owns, c.owns())
	c.join(queries)
	c.doubts()
	c.complain()
	c.reach.export(pass)
}

// A checker checks one package.
type checker struct {
	*resolver
	options
	reach      reach
	schemas    []schema // to check against
	directives []*directive
	databases  []*database // opened when the first query is checked
	opened     bool
	reported   map[finding]bool
	left       int // how often something was not checked
}

// join checks the queries of this package, and those of imported packages that had no
// schema, or leaves them to its importers.
func (c *checker) join(queries []*query) {
	if len(c.schemas) == 0 {
		for _, q := range queries {
			if c.schemaDirective() != nil {
				c.skip(q.At, "//lockstep:schema selects no schema")
				continue
			}
			c.leave("later", q.At, "no schema is imported here")
			q.export(c)
		}
		return
	}
	tested := slices.ContainsFunc(c.pass.Files, func(f *ast.File) bool { return strings.HasSuffix(c.fileName(f), "_test.go") })
	for _, q := range queries {
		if tested { // without its tests, the package may import no schema
			c.decide(q.At)
		}
		c.tallied(q, c.check, "full")
	}
	for _, q := range c.constants() {
		c.tallied(q, c.constant, "names")
	}
	for _, q := range c.reach.Queries {
		c.decide(q.At)
		if c.reach.Others {
			c.skip(q.At, "the program also imports the driver of another database, and this package imports no schema")
			continue
		}
		c.tallied(q, c.check, "full")
		c.reach.Checked = union(c.reach.Checked, []string{q.Package})
	}
	c.reach.Queries = nil
}

// tallied checks a query, and says so for the flag -why if it could check everything: in
// "full", or for "names".
func (c *checker) tallied(q *query, check func(*query), category string) {
	left := c.left
	if len(c.open()) == 0 {
		c.skip(q.At, "SchemaSQL cannot be read")
	} else if check(q); c.left == left && c.why {
		at := slices.Concat(q.edges, []place{q.At})[0] // a text can be from elsewhere
		c.report(nil, finding{category, at, "checked", false})
	}
}

// report reports something about a query, once, unless a directive silences it.
func (c *checker) report(q *query, f finding) {
	f.Surely = false
	if !c.reported[f] && (q == nil || !c.silenced(q, f.Check, f.At)) {
		c.reported[f] = true
		c.pass.Report(analysis.Diagnostic{Pos: f.At.resolve(c.pass), Category: f.Check, Message: f.Message})
	}
}

// skip reports why something was not checked, for the flag -why.
func (c *checker) skip(at place, why string) { c.leave("why", at, why) }

// leave does the same with another category: "apart" for what says nothing about tables,
// "part" for what was checked for names only, "later" and "doubt" for what packages that
// import this one may know enough to [checker.decide].
func (c *checker) leave(category string, at place, why string) {
	if category != "doubt" { // all else is checked
		c.left++
	}
	if c.why {
		c.report(nil, finding{category, at, "not checked: " + why, false})
	}
}

// decide reports, for the flag -why, that what another package may have left is done here.
func (c *checker) decide(at place) {
	if c.why {
		c.report(nil, finding{"decided", at, "decided in " + c.pass.Pkg.Path(), false})
	}
}

// checked reports whether the SQL in the file is checked.
func (c *checker) checked(f *ast.File) bool {
	name := c.fileName(f)
	if c.leavesOut(name) {
		return false
	}
	why := c.leftOut(f, filepath.Base(name))
	if why != "" {
		c.skip(c.at(f.Name.Pos()), why)
		for _, d := range c.directives {
			d.used = d.used || d.isIn(f)
		}
	}
	return why == ""
}

// leavesOut reports whether the file is a test that is not checked.
func (c *checker) leavesOut(file string) bool {
	return !c.tests && strings.HasSuffix(file, "_test.go")
}

func (c *checker) fileName(f *ast.File) string { return c.pass.Fset.Position(f.FileStart).Filename }
