package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"iter"
	"os"
	"slices"
	"strings"
)

// A query is a string that is passed to a database, and what the program does with it.
// It can be part of a fact.
type query struct {
	Package string
	Text    text
	At      place // where the string begins
	Several bool  // it may be more than one statement
	Calls   []arguments
	Scans   []scan
	Ignored []string // checks that a directive silences; "" is all of them

	edges []place // where a directive may be: see [ignore.covers]
}

// arguments are those of one call that runs the query.
type arguments struct {
	Place place
	Count int
	Names []string // of those that are sql.Named with a constant
}

// A scan is one call of Scan on what the query returns.
type scan struct {
	Place place
	Count int
}

// same reports whether both are the same query at the same place.
func (q *query) same(other *query) bool {
	return q.Package == other.Package && q.At == other.At && q.Text.SQL == other.Text.SQL
}

// export makes the query part of a fact.
func (q *query) export(c *checker) {
	for _, s := range q.Scans {
		q.edges = append(q.edges, s.Place)
	}
	for _, i := range c.directives.ignores {
		if i.covers(q, q.At) {
			q.Ignored = append(q.Ignored, i.check)
		}
	}
	c.reach.Queries = append(c.reach.Queries, q)
}

func (c *checker) places(all ...token.Pos) []place {
	places := make([]place, len(all))
	for i, pos := range all {
		places[i] = c.resolver.at(pos)
	}
	return places
}

// queries returns the queries of the package.
func (c *checker) queries() []*query {
	links := c.links()
	return c.inFiles(func(f *ast.File) (queries []*query) {
		for call := range each[*ast.CallExpr](f) {
			if q := c.query(call, links); q != nil {
				queries = append(queries, q)
			}
		}
		return queries
	})
}

// inFiles returns the queries that find finds in the files to be checked.
func (c *checker) inFiles(find func(*ast.File) []*query) (all []*query) {
	for _, f := range c.pass.Files {
		if c.checked(f) {
			all = append(all, c.directives.unlessOff(f, find(f))...)
		}
	}
	return all
}

// each returns the nodes of one type.
func each[N ast.Node](root ast.Node) iter.Seq[N] {
	return func(yield func(N) bool) {
		for n := range ast.Preorder(root) {
			if n, ok := n.(N); ok && !yield(n) {
				return
			}
		}
	}
}

// query returns the query that a call runs or prepares, or nil.
func (c *checker) query(call *ast.CallExpr, links *links) *query {
	w := c.called(call)
	if w == nil || w.Query >= len(call.Args) {
		return nil
	}
	arg := call.Args[w.Query]
	if !isString(c.pass.TypesInfo.TypeOf(arg)) {
		return nil
	}
	t := c.resolver.text(arg)
	q := &query{
		Package: c.pass.Pkg.Path(),
		Text:    t,
		At:      t.place(0),
		Several: w.Several,
		Scans:   links.scans[call],
		edges:   c.places(arg.Pos(), arg.End(), call.Pos(), call.End()),
	}
	if !t.Pieces[0].Verbatim || len(t.Pieces) > 1 {
		q.edges = append(q.edges, t.place(len(t.SQL)))
	}
	if len(t.Holes) > 0 && strings.TrimSpace(t.SQL) == "" {
		if !c.isParameter(arg) {
			c.skip(q.At, "the string is known only at run time")
		}
		return nil
	}
	if w.Args >= 0 {
		c.addArguments(q, call, w.Args)
	}
	for _, run := range links.runs[call] {
		args := 0
		if strings.HasSuffix(callee(c.pass.TypesInfo, run).Name(), "Context") {
			args = 1
		}
		c.addArguments(q, run, args)
		q.Scans = append(q.Scans, links.scans[run]...)
	}
	return q
}

// isParameter reports whether e is a parameter that a wrapper passes on.
func (c *checker) isParameter(e ast.Expr) bool {
	id, ok := ast.Unparen(e).(*ast.Ident)
	if !ok {
		return false
	}
	v, ok := c.pass.TypesInfo.Uses[id].(*types.Var)
	return ok && v.Kind() == types.ParamVar && len(c.resolver.values[v]) == 0
}

// addArguments adds what is known of the arguments of a call, from the given one on.
func (c *checker) addArguments(q *query, call *ast.CallExpr, from int) {
	if from > len(call.Args) || call.Ellipsis.IsValid() {
		return
	}
	args := call.Args[from:]
	a := arguments{Place: c.resolver.at(nameOf(call)), Count: len(args)}
	for _, arg := range args {
		named, ok := ast.Unparen(arg).(*ast.CallExpr)
		if !ok || len(named.Args) != 2 {
			continue
		}
		if fn := callee(c.pass.TypesInfo, named); fn == nil || fn.FullName() != "database/sql.Named" {
			continue
		}
		if v := c.pass.TypesInfo.Types[named.Args[0]].Value; v != nil && v.Kind() == constant.String {
			a.Names = append(a.Names, constant.StringVal(v))
		}
	}
	q.Calls = append(q.Calls, a)
}

// links are what the program does with the results of calls.
type links struct {
	scans map[*ast.CallExpr][]scan          // of rows
	runs  map[*ast.CallExpr][]*ast.CallExpr // of prepared statements
}

// links finds the calls of Scan and of the methods of prepared statements, by the call
// that made the receiver.
func (c *checker) links() *links {
	l := &links{map[*ast.CallExpr][]scan{}, map[*ast.CallExpr][]*ast.CallExpr{}}
	for _, f := range c.pass.Files {
		for call := range each[*ast.CallExpr](f) {
			sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
			if !ok {
				continue
			}
			fn := callee(c.pass.TypesInfo, call)
			if s := c.pass.TypesInfo.Selections[sel]; s == nil || s.Kind() != types.MethodVal || fn == nil {
				continue
			}
			// The receiver of the method itself, which may be promoted.
			recv := fn.Signature().Recv().Type()
			switch strings.TrimSuffix(fn.Name(), "Context") {
			case "Scan":
				from, w := c.origin(sel.X)
				if isScanner(recv) && from != nil && (w == nil || w.OneRow || w.Rows) && !call.Ellipsis.IsValid() {
					l.scans[from] = append(l.scans[from], scan{c.resolver.at(sel.Sel.Pos()), len(call.Args)})
				}
			case "Exec", "Query", "QueryRow":
				if !isNamed(recv, "database/sql", "Stmt") {
					continue
				}
				if from, w := c.origin(sel.X); from != nil && w != nil && w.Prepares {
					l.runs[from] = append(l.runs[from], call)
				}
			}
		}
	}
	return l
}

// origin returns the call that made the value of an expression or variable, and what
// is known about the function, which is nil for a method of a prepared statement.
func (c *checker) origin(e ast.Expr) (*ast.CallExpr, *wrapper) {
	e = ast.Unparen(e)
	if id, ok := e.(*ast.Ident); ok {
		v, ok := c.pass.TypesInfo.Uses[id].(*types.Var)
		if !ok || v.Parent() == c.pass.Pkg.Scope() {
			return nil, nil
		}
		value, ok := c.resolver.once(v)
		if !ok || value.index != 0 {
			return nil, nil
		}
		e = ast.Unparen(value.expr)
	}
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return nil, nil
	}
	return call, c.called(call)
}

// nameOf returns where the name of the function is.
func nameOf(call *ast.CallExpr) token.Pos {
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.SelectorExpr:
		return fun.Sel.Pos()
	}
	return call.Pos()
}

// owns returns the tables and views that the program itself creates or alters, about
// which the schema says nothing.
func (c *checker) owns() []string {
	if _, ok := schemaOf(c.pass.Pkg); ok {
		return nil
	}
	var names []string
	for _, f := range c.pass.Files {
		if c.leavesOut(c.fileName(f)) {
			continue
		}
		for lit := range each[*ast.BasicLit](f) {
			if v := c.pass.TypesInfo.Types[lit].Value; v != nil && v.Kind() == constant.String {
				names = append(names, created(constant.StringVal(v))...)
			}
		}
	}
	for _, name := range c.resolver.embeds {
		if content, err := os.ReadFile(name); err == nil {
			names = append(names, created(string(content))...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// complain reports that a query is wrong, at an offset in its text.
func (c *checker) complain(q *query, check string, offset int, message string) {
	c.report(q, check, q.Text.place(offset), message)
}
