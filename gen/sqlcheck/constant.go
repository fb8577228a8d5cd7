package sqlcheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// constants returns the strings that are complete statements and reach no call that
// is known: a library other than database/sql may be what they are for.
func (c *checker) constants() []*query {
	added := c.added()
	var all []*query
	for _, f := range c.pass.Files {
		if !c.checked(f) {
			continue
		}
		var found []*query
		var stack []ast.Node
		ast.Inspect(f, func(n ast.Node) bool {
			if n == nil {
				stack = stack[:len(stack)-1]
				return true
			}
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING && !c.resolver.read[lit] &&
				len(stack) > 0 && c.complete(lit, stack[len(stack)-1], added) {
				t := c.resolver.text(lit)
				found = append(found, &query{
					Package: c.pass.Pkg.Path(),
					Text:    t,
					At:      t.place(0),
					Several: true,
					edges:   []place{{pos: lit.Pos()}, {pos: lit.End()}},
				})
			}
			stack = append(stack, n)
			return true
		})
		all = append(all, c.directives.unlessOff(f, found)...)
	}
	return all
}

// added returns the constants and variables that become a part of something longer.
func (c *checker) added() map[types.Object]bool {
	added := map[types.Object]bool{}
	note := func(e ast.Expr) {
		switch e := ast.Unparen(e).(type) {
		case *ast.Ident:
			added[c.pass.TypesInfo.ObjectOf(e)] = true
		case *ast.SelectorExpr:
			added[c.pass.TypesInfo.ObjectOf(e.Sel)] = true
		}
	}
	for _, f := range c.pass.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BinaryExpr:
				note(n.X)
				note(n.Y)
			case *ast.AssignStmt:
				if n.Tok == token.ADD_ASSIGN {
					note(n.Lhs[0])
					note(n.Rhs[0])
				}
			case *ast.CallExpr:
				if c.makesStrings(n) {
					for _, arg := range n.Args {
						note(arg)
					}
				}
			}
			return true
		})
	}
	return added
}

// complete reports whether the literal, in its parent, stands for itself, and looks
// like SQL.
func (c *checker) complete(lit *ast.BasicLit, parent ast.Node, added map[types.Object]bool) bool {
	switch parent := parent.(type) {
	case *ast.ValueSpec:
		for i, value := range parent.Values {
			if value == lit && i < len(parent.Names) {
				obj := c.pass.TypesInfo.Defs[parent.Names[i]]
				return obj != nil && !added[obj] && len(c.resolver.values[obj]) == 1 && c.looksLikeSQL(lit)
			}
		}
	case *ast.AssignStmt:
		for i, value := range parent.Rhs {
			if value == lit && len(parent.Lhs) == len(parent.Rhs) && parent.Tok == token.DEFINE {
				obj := c.pass.TypesInfo.ObjectOf(parent.Lhs[i].(*ast.Ident))
				return obj != nil && !added[obj] && len(c.resolver.values[obj]) == 1 && c.looksLikeSQL(lit)
			}
		}
	case *ast.KeyValueExpr:
		return parent.Value == lit && c.looksLikeSQL(lit)
	case *ast.CompositeLit:
		return c.looksLikeSQL(lit)
	case *ast.CallExpr:
		return !c.makesStrings(parent) && c.looksLikeSQL(lit)
	}
	return false
}

// makesStrings reports whether the call makes a longer string of its arguments, or
// tells them to somebody.
func (c *checker) makesStrings(call *ast.CallExpr) bool {
	fn := callee(c.pass.TypesInfo, call)
	if fn == nil || fn.Pkg() == nil {
		return true
	}
	switch fn.Pkg().Path() {
	case "fmt", "strings", "bytes", "errors", "io", "bufio", "log", "log/slog", "regexp", "testing", "text/template", "html/template", "flag":
		return true
	}
	return strings.HasPrefix(fn.Name(), "Write") || strings.HasPrefix(fn.Name(), "Append") || strings.HasSuffix(fn.Name(), "f")
}

// looksLikeSQL reports whether the literal is one statement that reads or writes
// tables, and neither prose nor a pattern for fmt.
func (c *checker) looksLikeSQL(lit *ast.BasicLit) bool {
	v := c.pass.TypesInfo.Types[lit].Value
	if v == nil {
		return false
	}
	t := c.resolver.text(lit)
	stmts := split(t.SQL)
	if len(stmts) != 1 || strings.Contains(t.SQL, "%") {
		return false
	}
	s := stmts[0]
	first := s.Text[:len(s.keyword)]
	if first != strings.ToUpper(first) && (first != s.keyword || !strings.ContainsAny(s.Text, "*=?(")) {
		return false
	}
	switch s.keyword {
	case "select", "with", "insert", "replace", "update", "delete":
		return true
	}
	return false
}

// constant checks a string of which nobody knows that it is SQL, or for which
// database. It is wrong only if SQLite misses one name in it, which the schema has
// nowhere, and the rest is the schema's.
func (c *checker) constant(q *query) {
	databases := c.open()
	stmts := split(q.Text.SQL)
	if len(databases) == 0 || c.unknown(q, databases, stmts) != "" {
		return
	}
	var last *fault
	for _, d := range databases {
		if _, last = d.read(stmts[0]); last == nil {
			return
		}
	}
	d := databases[len(databases)-1]
	name, ok := missingName(last.sentence)
	if !ok || !c.nowhere(d, stmts[0], last) || c.silent(d, stmts[0], last) != "" {
		return
	}
	if strings.HasPrefix(last.sentence, "no such table") {
		others := false
		for i := range stmts[0].Tokens {
			others = others || stmts[0].afterFrom(i) && stmts[0].Name(i) != sqltext.Name(name) && d.known[stmts[0].Name(i)]
		}
		if !others {
			c.skip(q.At, last.sentence+", and the string reaches no call that is known")
			return
		}
	}
	c.complain(q, "sql", stmts[0].offset+last.offset, "at "+d.name+": "+last.sentence)
}
