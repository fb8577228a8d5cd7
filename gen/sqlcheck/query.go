package sqlcheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"os"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A query is a string that is passed to a database, and what the program does with it.
// It can be part of a fact.
type query struct {
	Package string
	Texts   []text      // what the string may be
	At      place       // where it begins
	Several bool        // it may be more than one statement
	Each    bool        // it is each of the texts, one after the other
	Calls   []arguments // of the calls that run the query
	Scans   []arguments // of Scan, on what the query returns
	Ignored []string    // checks that a directive silences; "" is all of them

	edges []place  // where a directive may be: see [directive.covers]
	made  *wrapper // what the call does
	part  bool     // it reaches no call, and is a part of another string
	alone bool     // nor is it known to be put together with another
}

// arguments are those of one call.
type arguments struct {
	Place place
	Count int
	Names []string      // of those that are sql.Named with a constant
	Into  []destination // if they are those of Scan

	Struct string   // that they are in, as sqlx has it
	Fields []string // of it
}

// same reports whether both are the same query at the same place.
func (q *query) same(other *query) bool {
	return q.Package == other.Package && q.At == other.At && q.Texts[0].SQL == other.Texts[0].SQL
}

// export makes the query part of a fact.
func (q *query) export(c *checker) {
	for _, s := range q.Scans {
		q.edges = append(q.edges, s.Place)
	}
	for _, d := range c.directives {
		if d.covers(q, q.At) {
			q.Ignored = append(q.Ignored, d.subject)
		}
	}
	c.reach.Queries = append(c.reach.Queries, q)
}

// newQuery returns a query that n is the string of, in a call or elsewhere.
func (c *checker) newQuery(n ast.Expr, around ast.Node) *query {
	q := &query{Package: c.pass.Pkg.Path(), Texts: c.fold(n)}
	if all := c.resolver.each(n); len(all) > 0 && len(q.Texts[0].Holes) > 0 {
		q.Texts, q.Each = all, true
	}
	q.At = q.Texts[0].place(0)
	q.edges = []place{c.at(n.Pos()), c.at(n.End()), c.at(around.Pos()), c.at(around.End())}
	for _, t := range q.Texts {
		q.edges = append(q.edges, t.place(len(t.SQL)))
	}
	return q
}

// queries returns the queries of the package.
func (c *checker) queries() []*query {
	made := map[*ast.CallExpr]*query{}
	all := c.inFiles(func(cur inspector.Cursor) *query {
		call := cur.Node().(*ast.CallExpr)
		q := c.query(call)
		if q != nil {
			made[call] = q
		}
		return q
	}, (*ast.CallExpr)(nil))
	for call := range inspector.All[*ast.CallExpr](c.in) {
		c.link(call, made)
	}
	return all
}

// inFiles returns the queries that find makes of nodes of some types in the files to be
// checked.
func (c *checker) inFiles(find func(inspector.Cursor) *query, nodes ...ast.Node) (all []*query) {
	for file := range c.in.Root().Children() {
		f := file.Node().(*ast.File)
		if !c.checked(f) {
			continue
		}
		off := c.off(f)
		for cur := range file.Preorder(nodes...) {
			q := find(cur)
			if q == nil {
				continue
			}
			why := c.ofOther(f, cur, q)
			if c.inHistory(cur, q) {
				why = "the SQL of a migration is for the schema before it"
			}
			switch {
			case why != "":
				c.silenced(q, "", q.At)
				c.skip(q.At, why)
			case off != nil:
				off.used = true
				c.skip(q.At, "//lockstep:off")
			default:
				all = append(all, q)
			}
		}
	}
	return all
}

// query returns the query that a call runs or prepares, or nil.
func (c *checker) query(call *ast.CallExpr) *query {
	if c.builder(call) != nil {
		return c.ofBuilder(call)
	}
	w := c.called(call)
	if w == nil || w.Query >= len(call.Args) {
		return nil
	}
	arg := call.Args[w.Query]
	if !isString(c.pass.TypesInfo.TypeOf(arg)) {
		return nil
	}
	q := c.newQuery(arg, call)
	q.Several, q.made = w.Several, w
	if w.Formats {
		for i, t := range q.Texts {
			q.Texts[i] = c.formatted(t, call, w)
		}
	}
	if t := q.Texts[0]; len(q.Texts) == 1 && len(t.Holes) > 0 && strings.TrimSpace(t.SQL) == "" {
		if c.parameter(arg) == nil { // else a wrapper passes it on
			c.skip(q.At, "the string is known only at run time")
		}
		return nil
	}
	c.addArguments(q, call, w.Args)
	if !call.Ellipsis.IsValid() || !c.isBuilt(call.Args[len(call.Args)-1]) {
		for i := range q.Texts {
			q.Texts[i].Odd = nil
		}
	}
	c.addStructs(q, call)
	return q
}

// ofBuilder returns the query that a builder runs, or nil.
func (c *checker) ofBuilder(call *ast.CallExpr) *query {
	name := strings.TrimSuffix(c.callee(call).Name(), "Context")
	if strings.HasSuffix(name, "Sql") {
		return nil // the call that gets the string runs it
	}
	q := c.newQuery(call, call)
	if len(q.Texts) == 1 && q.Texts[0].SQL == "" {
		c.skip(q.At, "the statement is known only at run time")
		return nil
	}
	q.made = &wrapper{Rows: returnsRows(c.callee(call))}
	if name == "Scan" && !c.spread(call) {
		q.Scans = append(q.Scans, c.scanned(call))
	}
	return q
}

// isBuilt reports whether the expression is always the arguments that a builder has, and no
// others.
func (c *checker) isBuilt(e ast.Expr) bool {
	v := c.named(e)
	return v == nil || !slices.ContainsFunc(c.values[v], func(x value) bool {
		from, _ := x.expr.(*ast.CallExpr)
		return x.does != set || x.result != 1 || from == nil || c.builder(from) == nil
	})
}

// scanned returns the destinations of a call of Scan.
func (c *checker) scanned(call *ast.CallExpr) arguments {
	scan := arguments{Place: c.at(nameOf(call)), Count: len(call.Args)}
	for _, arg := range call.Args {
		scan.Into = append(scan.Into, destinationOf(c.pass.TypesInfo.TypeOf(arg)))
	}
	return scan
}

// formatted returns the text with what the library may write in the places of arguments.
func (c *checker) formatted(t text, call *ast.CallExpr, w *wrapper) text {
	if len(t.Holes) > 0 {
		return t
	}
	var args []ast.Expr
	if w.Args >= 0 && !c.spread(call) {
		args = call.Args[min(w.Args, len(call.Args)):]
	}
	named := strings.Contains(t.SQL, "@")
	var ranges [][]int
	for script, i, next := sqltext.Parse(t.SQL), 0, 0; i < len(script.Tokens); i++ {
		token, word := script.Tokens[i], script.Token(i)
		switch {
		case token.Kind == sqltext.String && strings.Contains(word, "?"):
		case token.Kind == sqltext.Variable:
			if rest := t.SQL[token.End:]; rest != "" && sqltext.Next(rest, 0).Kind == sqltext.Word { // ?TableName
				i++
				token.End = script.Tokens[i].End
			} else if next++; word == "?" && !named && (next <= len(args) && c.plain(args[next-1]) || next > len(args) && args != nil) {
				continue
			}
		default:
			continue
		}
		ranges = append(ranges, []int{token.Pos, token.End})
	}
	return substitute(t, ranges, func(text) []text { return []text{c.resolver.unknown(call.Pos())} })[0]
}

// plain reports whether the value of an argument goes to SQLite as it is.
func (c *checker) plain(e ast.Expr) bool {
	t := pointee(c.pass.TypesInfo.TypeOf(e))
	if named, ok := types.Unalias(t).(*types.Named); ok && named.NumMethods() > 0 {
		return isNamed(t, "time", "Time")
	}
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Kind() != types.UntypedNil && basic.Kind() != types.Invalid
}

// addArguments adds what is known of the arguments of a call, from the given one on, if any.
func (c *checker) addArguments(q *query, call *ast.CallExpr, from int) {
	if from < 0 || from > len(call.Args) || c.spread(call) {
		return
	}
	args := call.Args[from:]
	a := arguments{Place: c.at(nameOf(call))}
	if sig := c.callee(call).Signature(); sig.Params().Len() == from+1 && isNamed(sig.Params().At(from).Type(), zombiezenPath+"/sqlitex", "ExecOptions") {
		if args = c.optionsOf(args[0], &a); args == nil {
			return
		}
	}
	a.Count += len(args)
	for _, arg := range args {
		named, ok := ast.Unparen(arg).(*ast.CallExpr)
		if !ok || len(named.Args) != 2 || c.calleeName(named) != "database/sql.Named" {
			continue
		}
		if name, ok := c.constantString(named.Args[0]); ok {
			a.Names = append(a.Names, name)
		}
	}
	q.Calls = append(q.Calls, a)
}

// optionsOf returns the arguments without names of a literal &ExecOptions{…}, and adds those
// with names. It returns nil if some are not in it one by one.
func (c *checker) optionsOf(e ast.Expr, a *arguments) []ast.Expr {
	args := []ast.Expr{}
	if c.pass.TypesInfo.Types[e].IsNil() {
		return args
	}
	address, ok := ast.Unparen(e).(*ast.UnaryExpr)
	if !ok {
		return nil
	}
	lit, ok := address.X.(*ast.CompositeLit)
	if !ok {
		return nil
	}
	for _, elt := range lit.Elts {
		pair, ok := elt.(*ast.KeyValueExpr)
		if !ok {
			return nil
		}
		list, isLit := pair.Value.(*ast.CompositeLit)
		switch field, _ := pair.Key.(*ast.Ident); {
		case field.Name == "ResultFunc":
		case !isLit:
			return nil
		case field.Name == "Args":
			args = list.Elts
		case field.Name == "Named":
			for _, elt := range list.Elts {
				name, _ := c.constantString(elt.(*ast.KeyValueExpr).Key)
				if name == "" {
					return nil
				}
				a.Names = append(a.Names, name[1:])
				a.Count++
			}
		}
	}
	return args
}

// receiver returns what the method that is called is selected from, or nil.
func receiver(call *ast.CallExpr) ast.Expr {
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return sel.X
	}
	return nil
}

// nameOf returns where the name of the function is.
func nameOf(call *ast.CallExpr) token.Pos {
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
		return sel.Sel.Pos()
	}
	return call.Pos()
}

// link adds a call of Scan, or of a method of a prepared statement, to the query that
// made the receiver.
func (c *checker) link(call *ast.CallExpr, made map[*ast.CallExpr]*query) {
	fn, from := c.callee(call), c.origin(receiver(call))
	if fn == nil || fn.Signature().Recv() == nil {
		return
	}
	if fn.Pkg().Path() == sqlxPath && fn.Name() == "Unsafe" {
		c.reach.Unsafe = true
	}
	q := made[from]
	switch {
	case runs(fn):
		if q != nil {
			c.addArguments(q, call, argsOf(fn))
			c.addStructs(q, call)
		}
		return
	// The receiver of the method itself, which may be promoted.
	case !isScanner(fn.Signature().Recv().Type()) || from == nil || c.spread(call):
		return
	case q == nil && runs(c.callee(from)):
		q = made[c.origin(receiver(from))]
	case q != nil && !q.made.Rows:
		return
	}
	switch {
	case q == nil:
	case fn.Name() == "Scan":
		q.Scans = append(q.Scans, c.scanned(call))
	case fn.Name() == "StructScan":
		c.addStructs(q, call)
	}
}

// runs reports whether the function is a method that runs a prepared statement.
func runs(fn *types.Func) bool {
	if fn == nil || fn.Signature().Recv() == nil {
		return false
	}
	recv := fn.Signature().Recv().Type()
	return (isNamed(recv, "database/sql", "Stmt") || isNamed(recv, sqlxPath, "Stmt") || isNamed(recv, sqlxPath, "NamedStmt")) &&
		begins(strings.TrimSuffix(fn.Name(), "Context"), " Exec MustExec Query QueryRow Queryx QueryRowx Get Select ")
}

// origin returns the call that made the value of an expression or variable, or nil.
func (c *checker) origin(e ast.Expr) *ast.CallExpr {
	call, _ := c.source(e).(*ast.CallExpr)
	return call
}

// owns returns the tables and views that the program itself creates or alters, about
// which the schema says nothing.
func (c *checker) owns() []string {
	if _, ok := schemaOf(c.pass.Pkg); ok {
		return nil
	}
	var names []string
	for lit := range inspector.All[*ast.BasicLit](c.in) {
		if s, ok := c.constantString(lit); ok && !c.leavesOut(c.at(lit.Pos()).File) {
			names = append(names, created(s)...)
		}
	}
	for name := range c.files {
		if content, err := os.ReadFile(name); err == nil {
			names = append(names, created(string(content))...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
