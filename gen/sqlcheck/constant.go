package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"strings"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// constants returns the strings that are complete statements and reach no known call:
// they may be for a library other than database/sql.
func (c *checker) constants() []*query {
	added := map[types.Object]bool{}
	for cur := range c.in.Root().Preorder((*ast.Ident)(nil)) {
		at := cur
		if cur.ParentEdgeKind() == edge.SelectorExpr_Sel {
			at = cur.Parent()
		}
		if c.isAdded(at) {
			added[c.pass.TypesInfo.ObjectOf(cur.Node().(*ast.Ident))] = true
		}
	}
	for call := range inspector.All[*ast.CallExpr](c.in) {
		for i, arg := range call.Args {
			if v := c.named(arg); v != nil && c.adds(call, i, added) {
				added[v] = true
			}
		}
	}
	return c.inFiles(func(cur inspector.Cursor) *query {
		e := cur.Node().(ast.Expr)
		if call, ok := e.(*ast.CallExpr); ok {
			if c.builder(call) == nil || c.read[call] {
				return nil
			}
			q := c.newQuery(e, e)
			q.part = !c.whole(cur, added) // but of a query with a subquery
			return q
		}
		if s, _ := c.constantString(e); !looksLikeSQL(s) {
			return nil
		}
		if sum, ok := cur.Parent().Node().(*ast.BinaryExpr); ok && c.value(sum).Kind() == constant.String {
			return nil // which is read
		}
		for n := range ast.Preorder(e) {
			if lit, ok := n.(*ast.BasicLit); ok && c.read[lit] {
				return nil
			}
		}
		q := c.newQuery(e, e)
		q.Several, q.part = true, !c.complete(cur, added)
		q.alone = begins(cur.ParentEdgeKind().String(), " ValueSpec.Values AssignStmt.Rhs ")
		return q
	}, (*ast.BasicLit)(nil), (*ast.BinaryExpr)(nil), (*ast.CallExpr)(nil))
}

// isAdded reports whether the string becomes part of something longer, or is printed.
func (c *checker) isAdded(cur inspector.Cursor) bool {
	switch parent := cur.Parent().Node().(type) {
	case *ast.BinaryExpr:
		return true
	case *ast.AssignStmt:
		return parent.Tok == token.ADD_ASSIGN
	case *ast.ParenExpr:
		return c.isAdded(cur.Parent())
	case *ast.CallExpr:
		return cur.ParentEdgeKind() == edge.CallExpr_Args && c.makesStrings(parent)
	}
	return false
}

// complete reports whether the string stands for itself.
func (c *checker) complete(cur inspector.Cursor, added map[types.Object]bool) bool {
	name := ast.Expr(nil) // of what it is the value of
	switch kind, i := cur.ParentEdge(); kind {
	case edge.ValueSpec_Values:
		name = cur.Parent().Node().(*ast.ValueSpec).Names[i]
	case edge.AssignStmt_Rhs:
		assign := cur.Parent().Node().(*ast.AssignStmt)
		if assign.Tok != token.DEFINE {
			return false
		}
		name = assign.Lhs[i]
	case edge.KeyValueExpr_Value, edge.CompositeLit_Elts:
		return true
	case edge.CallExpr_Args:
		if c.isAdded(cur) {
			return false // or the function has no name
		}
		call := cur.Parent().Node().(*ast.CallExpr)
		return !c.adds(call, i, added) && !otherDrivers.MatchString(c.callee(call).Pkg().Path())
	default:
		return false
	}
	obj := c.pass.TypesInfo.ObjectOf(name.(*ast.Ident))
	return obj != nil && !added[obj] && len(c.values[obj]) == 1
}

// adds reports whether the function that is called is known to join this argument to other
// strings.
func (c *checker) adds(call *ast.CallExpr, i int, added map[types.Object]bool) bool {
	fn := c.callee(call)
	return fn != nil && i < fn.Signature().Params().Len() && added[fn.Signature().Params().At(i)]
}

// whole reports whether the string that a builder's call returns is a statement by itself,
// with all arguments.
func (c *checker) whole(cur inspector.Cursor, added map[types.Object]bool) bool {
	switch parent := cur.Parent().Node().(type) {
	case *ast.ExprStmt:
		return true
	case *ast.CallExpr:
		return !c.isAdded(cur) && !c.adds(parent, 0, added) && c.callee(parent).Pkg().Path() != squirrelPath
	case *ast.AssignStmt:
		return len(parent.Rhs) == 1 && len(parent.Lhs) > 1 && !added[c.named(parent.Lhs[0])] && c.isBuilt(parent.Lhs[1])
	}
	return false
}

// makesStrings reports whether the call makes a longer string of its arguments, or
// prints them.
func (c *checker) makesStrings(call *ast.CallExpr) bool {
	fn := c.callee(call)
	if fn == nil {
		return true
	}
	switch fn.Pkg().Path() {
	case "fmt", "strings", "bytes", "errors", "io", "bufio", "log", "log/slog", "regexp", "testing", "text/template", "html/template", "flag":
		return true
	}
	return strings.HasPrefix(fn.Name(), "Write") || strings.HasPrefix(fn.Name(), "Append") || strings.HasSuffix(fn.Name(), "f")
}

// looksLikeSQL reports whether the string begins like a statement that reads or writes
// tables, and not like prose.
func looksLikeSQL(sql string) bool {
	s := sqltext.Parse(sql)
	word := s.Name(0)
	next := map[string]string{"insert": "into or", "replace": "into", "delete": "from"}[word]
	if word == "values" || !begins(word, rowWords) || s.Name(1) == "" || next != "" && !strings.Contains(next, s.Name(1)) {
		return false
	}
	first := s.Token(0)
	return first == strings.ToUpper(first) || first == word && strings.ContainsAny(sql, "*=?(")
}

// constant checks a string that may not be SQL, or not for this database. It reports
// only a single name that is nowhere in the schema when the rest is the schema's.
func (c *checker) constant(q *query) {
	t := q.Texts[0]
	stmts := split(t.SQL)
	if t.Built {
		if c.check(q); q.part {
			c.leave("part", q.At, "the string reaches no known call")
		}
		return
	}
	if q.part || len(stmts) != 1 || strings.Contains(t.SQL, "%") {
		c.skip(q.At, "the string reaches no known call")
		return
	}
	if why := c.unknown(t, stmts); why != "" {
		c.skip(q.At, why)
		return
	}
	readings, f := c.readings(stmts[0])
	if len(readings) > 0 {
		return
	}
	certain := c.nowhere(f) && c.silent(f) == ""
	if name, ok := strings.CutPrefix(f.sentence, "no such table: "); ok && certain {
		certain = false // a WITH clause may be added
		for i := range f.Tokens {
			certain = certain || q.alone && f.afterFrom(i) && f.Name(i) != sqltext.Name(name) && f.known[f.Name(i)]
		}
	}
	if !certain {
		c.skip(q.At, f.sentence+", and the string reaches no known call")
		return
	}
	c.report(q, f.in(t))
}
