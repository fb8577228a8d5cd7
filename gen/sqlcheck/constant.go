package sqlcheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// constants returns the strings that are complete statements and reach no known call:
// they may be for a library other than database/sql.
func (c *checker) constants() []*query {
	added := c.added()
	return c.inFiles(func(f *ast.File) (found []*query) {
		ast.PreorderStack(f, nil, func(n ast.Node, stack []ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if ok && lit.Kind == token.STRING && !c.resolver.read[lit] && c.complete(lit, stack[len(stack)-1], added) {
				t := c.resolver.text(lit)
				found = append(found, &query{
					Package: c.pass.Pkg.Path(),
					Text:    t,
					At:      t.place(0),
					Several: true,
					edges:   c.places(lit.Pos(), lit.End()),
				})
			}
			return true
		})
		return found
	})
}

// added returns the constants and variables that become part of something longer.
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
		for n := range ast.Preorder(f) {
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
		}
	}
	return added
}

// complete reports whether the literal, in its parent, stands for itself and looks
// like SQL.
func (c *checker) complete(lit *ast.BasicLit, parent ast.Node, added map[types.Object]bool) bool {
	var name *ast.Ident // of what it is the value of
	switch parent := parent.(type) {
	case *ast.ValueSpec:
		i := slices.Index(parent.Values, ast.Expr(lit))
		if i < 0 || i >= len(parent.Names) {
			return false
		}
		name = parent.Names[i]
	case *ast.AssignStmt:
		i := slices.Index(parent.Rhs, ast.Expr(lit))
		if i < 0 || len(parent.Lhs) != len(parent.Rhs) || parent.Tok != token.DEFINE {
			return false
		}
		name = parent.Lhs[i].(*ast.Ident)
	case *ast.KeyValueExpr:
		if parent.Value != lit {
			return false
		}
	case *ast.CompositeLit:
	case *ast.CallExpr:
		if c.makesStrings(parent) {
			return false
		}
	default:
		return false
	}
	if name != nil {
		obj := c.pass.TypesInfo.ObjectOf(name)
		if obj == nil || added[obj] || len(c.resolver.values[obj]) != 1 {
			return false
		}
	}
	return c.looksLikeSQL(lit)
}

// makesStrings reports whether the call makes a longer string of its arguments, or
// prints them.
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
// tables, and neither prose nor a format.
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
	lower := first == s.keyword && strings.ContainsAny(s.Text, "*=?(")
	return s.keyword != "values" && readsOrWrites(s.keyword) && (lower || first == strings.ToUpper(first))
}

// constant checks a string that may not be SQL, or not for this database. It reports
// only a single name that is nowhere in the schema when the rest is the schema's.
func (c *checker) constant(q *query) {
	databases := c.open()
	stmts := split(q.Text.SQL)
	if len(databases) == 0 || c.unknown(q, databases, stmts) != "" {
		return
	}
	s := stmts[0]
	var last *fault
	for _, d := range databases {
		if _, last = d.read(s); last == nil {
			return
		}
	}
	d := databases[len(databases)-1]
	name, ok := missingName(last.sentence)
	if !ok || !c.nowhere(d, s, last) || c.silent(d, s, last) != "" {
		return
	}
	if strings.HasPrefix(last.sentence, "no such table") {
		others := false
		for i := range s.Tokens {
			others = others || s.afterFrom(i) && s.Name(i) != sqltext.Name(name) && d.known[s.Name(i)]
		}
		if !others {
			c.skip(q.At, last.sentence+", and the string reaches no known call")
			return
		}
	}
	c.complain(q, "sql", s.offset+last.offset, "at "+d.name+": "+last.sentence)
}
