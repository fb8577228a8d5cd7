package sqlcheck

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/types/typeutil"
)

const (
	ncrucesPath = "github.com/ncruces/go-sqlite3"
	sqlxPath    = "github.com/jmoiron/sqlx"
)

// A wrapper is the fact that a function passes a string parameter to a database.
type wrapper struct {
	Query    int  // the parameter
	Args     int  // the variadic parameter that it passes on as arguments, or -1
	Several  bool // it takes more than one statement
	OneRow   bool // it returns a row, which has the method Scan
	Rows     bool // it returns rows
	Prepares bool // it returns a statement, whose methods take the arguments
}

func (*wrapper) AFact() {}

func (w *wrapper) String() string { return "wrapper" }

// callee returns the function or method that is called, if it has a name.
func callee(info *types.Info, call *ast.CallExpr) *types.Func {
	fn, ok := typeutil.Callee(info, call).(*types.Func)
	if !ok {
		return nil
	}
	return fn.Origin()
}

// called returns what is known about the function that is called, or nil.
func (c *checker) called(call *ast.CallExpr) *wrapper {
	fn := callee(c.pass.TypesInfo, call)
	if fn == nil || fn.Pkg() == nil {
		return nil
	}
	if sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok && fn.Signature().Recv() != nil {
		if s := c.pass.TypesInfo.Selections[sel]; s == nil || s.Kind() != types.MethodVal {
			return nil // a method expression takes the receiver as an argument
		}
	}
	switch path := fn.Pkg().Path(); {
	case path == ncrucesPath:
		return ncruces(fn)
	case path == sqlxPath:
		return sqlx(fn)
	}
	if w := shaped(fn); w != nil {
		return w
	}
	if w := c.wrappers[fn]; w != nil {
		return w
	}
	var w wrapper
	if fn.Pkg() != c.pass.Pkg && c.pass.ImportObjectFact(fn, &w) {
		return &w
	}
	return nil
}

// shaped knows the methods of database/sql, and of interfaces like it, by their names
// and types.
func shaped(fn *types.Func) *wrapper {
	sig := fn.Signature()
	if sig.Recv() == nil || sig.Results().Len() == 0 {
		return nil
	}
	name := strings.TrimSuffix(fn.Name(), "Context")
	w := &wrapper{Args: -1}
	var result string
	switch name {
	case "Exec":
		result, w.Several = "Result", true
	case "Query":
		result, w.Rows = "Rows", true
	case "QueryRow":
		result, w.OneRow = "Row", true
	case "Prepare":
		result, w.Prepares = "Stmt", true
	default:
		return nil
	}
	if !isNamed(sig.Results().At(0).Type(), "database/sql", result) {
		return nil
	}
	params := sig.Params()
	if params.Len() > 0 && isNamed(params.At(0).Type(), "context", "Context") {
		w.Query = 1
	}
	if params.Len() <= w.Query || !isString(params.At(w.Query).Type()) {
		return nil
	}
	rest := params.Len() - w.Query - 1
	switch {
	case w.Prepares && rest == 0:
	case !w.Prepares && rest == 1 && takesAny(sig):
		w.Args = w.Query + 1
	default:
		return nil
	}
	return w
}

// takesAny reports whether the last parameter is ...any.
func takesAny(sig *types.Signature) bool {
	if !sig.Variadic() {
		return false
	}
	last := sig.Params().At(sig.Params().Len() - 1).Type().(*types.Slice)
	i, ok := last.Elem().Underlying().(*types.Interface)
	return ok && i.Empty()
}

// ncruces knows the methods of *sqlite3.Conn.
func ncruces(fn *types.Func) *wrapper {
	sig := fn.Signature()
	if sig.Recv() == nil || !isNamed(sig.Recv().Type(), ncrucesPath, "Conn") {
		return nil
	}
	switch fn.Name() {
	case "Exec", "Prepare", "PrepareFlags": // the last two return the rest of the text
		return &wrapper{Query: 0, Args: -1, Several: true}
	}
	return nil
}

// sqlx knows the functions and methods of sqlx that take a query. It does not count
// the arguments of those that take a struct or a map, nor of In.
func sqlx(fn *types.Func) *wrapper {
	w := &wrapper{Query: -1, Args: -1}
	counted := true
	switch strings.TrimSuffix(fn.Name(), "Context") {
	case "Exec", "MustExec":
		w.Several = true
	case "Query", "Queryx":
		w.Rows = true
	case "QueryRow", "QueryRowx":
		w.OneRow = true
	case "Get", "Select":
	case "Prepare", "Preparex":
		w.Prepares, counted = true, false
	case "NamedExec", "NamedQuery", "PrepareNamed", "In":
		counted = false
	default:
		return nil
	}
	params := fn.Signature().Params()
	for i := range params.Len() {
		if isString(params.At(i).Type()) {
			w.Query = i
			break
		}
	}
	if w.Query < 0 {
		return nil // a method of a prepared statement
	}
	if counted {
		w.Args = w.Query + 1
		if !takesAny(fn.Signature()) || params.Len() != w.Args+1 {
			return nil
		}
	}
	return w
}

// findWrappers finds the functions of the package that pass a parameter on, directly
// or through each other.
func (c *checker) findWrappers() {
	for found := true; found; {
		found = false
		for _, f := range c.pass.Files {
			for _, decl := range f.Decls {
				d, ok := decl.(*ast.FuncDecl)
				if !ok || d.Body == nil {
					continue
				}
				fn, ok := c.pass.TypesInfo.Defs[d.Name].(*types.Func)
				if !ok || c.wrappers[fn] != nil || shaped(fn) != nil {
					continue
				}
				if w := c.wraps(fn, d.Body); w != nil {
					c.wrappers[fn] = w
					c.pass.ExportObjectFact(fn, w)
					found = true
				}
			}
		}
	}
}

// wraps returns what fn passes on, or nil.
func (c *checker) wraps(fn *types.Func, body *ast.BlockStmt) *wrapper {
	params := slices.Collect(fn.Signature().Params().Variables())
	// index returns which parameter e is, if nothing else is assigned to it, or -1.
	index := func(e ast.Expr) int {
		id, ok := ast.Unparen(e).(*ast.Ident)
		if !ok {
			return -1
		}
		return slices.IndexFunc(params, func(p *types.Var) bool {
			return p == c.pass.TypesInfo.Uses[id] && len(c.resolver.values[p]) == 0
		})
	}
	if !slices.ContainsFunc(params, func(p *types.Var) bool { return isString(p.Type()) }) {
		return nil
	}
	for call := range each[*ast.CallExpr](body) {
		to := c.called(call)
		if to == nil || to.Query >= len(call.Args) {
			continue
		}
		query := index(call.Args[to.Query])
		if query < 0 || !isString(params[query].Type()) {
			continue
		}
		w := &wrapper{Query: query, Args: -1, Several: to.Several}
		if last := len(params) - 1; to.Args == len(call.Args)-1 && call.Ellipsis.IsValid() &&
			fn.Signature().Variadic() && index(call.Args[to.Args]) == last {
			w.Args = last
		}
		if results := fn.Signature().Results(); results.Len() > 0 && isScanner(results.At(0).Type()) {
			w.OneRow, w.Rows = to.OneRow, to.Rows
		}
		return w
	}
	return nil
}

// isScanner reports whether t is a row or rows of database/sql or sqlx.
func isScanner(t types.Type) bool {
	for _, path := range [...]string{"database/sql", sqlxPath} {
		if isNamed(t, path, "Row") || isNamed(t, path, "Rows") {
			return true
		}
	}
	return false
}
