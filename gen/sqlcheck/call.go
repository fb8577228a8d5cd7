package sqlcheck

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"
)

const (
	ncrucesPath = "github.com/ncruces/go-sqlite3"
	sqlxPath    = "github.com/jmoiron/sqlx"
)

// A wrapper is a function that hands a string parameter to a database. It is the
// fact about such a function.
type wrapper struct {
	Query    int  // the parameter
	Args     int  // the first parameter of the variadic arguments, or -1 if they are not handed on
	Several  bool // more than one statement is all right
	OneRow   bool // what comes back has the method Scan
	Rows     bool
	Prepares bool // what comes back has the arguments
}

func (*wrapper) AFact() {}

func (w *wrapper) String() string { return "wrapper" }

// callee returns the function or method that is called, if its name is known.
func callee(info *types.Info, call *ast.CallExpr) *types.Func {
	fun := ast.Unparen(call.Fun)
	switch index := fun.(type) {
	case *ast.IndexExpr:
		fun = index.X
	case *ast.IndexListExpr:
		fun = index.X
	}
	var id *ast.Ident
	switch fun := fun.(type) {
	case *ast.Ident:
		id = fun
	case *ast.SelectorExpr:
		id = fun.Sel
	default:
		return nil
	}
	fn, _ := info.Uses[id].(*types.Func)
	if fn == nil {
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
			return nil // a method expression, whose arguments are one off
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

// shaped knows a method of database/sql, or of an interface that *sql.DB and
// *sql.Tx implement, by its name and type.
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
	case "Exec", "Prepare", "PrepareFlags": // of which the last two return what is left
		return &wrapper{Query: 0, Args: -1, Several: true}
	}
	return nil
}

// sqlx knows the functions and methods of sqlx that take a query. The arguments of
// those that take one struct or map, and of In, are not counted.
func sqlx(fn *types.Func) *wrapper {
	w := &wrapper{Query: -1, Args: -1}
	counted := false
	switch name := strings.TrimSuffix(fn.Name(), "Context"); name {
	case "Exec", "MustExec", "Query", "QueryRow", "Queryx", "QueryRowx", "Get", "Select":
		counted = true
		w.Several = strings.HasSuffix(name, "Exec")
		w.OneRow = name == "QueryRowx" || name == "QueryRow"
		w.Rows = name == "Queryx" || name == "Query"
	case "NamedExec", "NamedQuery", "Prepare", "Preparex", "PrepareNamed", "In":
		w.Prepares = name == "Preparex" || name == "Prepare"
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

// findWrappers finds the functions of the package that hand a parameter on, and
// those that hand one on to these.
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

// wraps returns what fn hands on, or nil.
func (c *checker) wraps(fn *types.Func, body *ast.BlockStmt) *wrapper {
	params := fn.Signature().Params()
	var strs []*types.Var
	for p := range params.Variables() {
		if isString(p.Type()) && len(c.resolver.values[p]) == 0 {
			strs = append(strs, p)
		}
	}
	if len(strs) == 0 {
		return nil
	}
	index := func(v types.Object) int {
		for i := range params.Len() {
			if params.At(i) == v {
				return i
			}
		}
		return -1
	}
	var w *wrapper
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || w != nil {
			return w == nil
		}
		to := c.called(call)
		if to == nil || to.Query >= len(call.Args) {
			return true
		}
		id, ok := ast.Unparen(call.Args[to.Query]).(*ast.Ident)
		if !ok {
			return true
		}
		p, ok := c.pass.TypesInfo.Uses[id].(*types.Var)
		if !ok || !slices.Contains(strs, p) {
			return true
		}
		w = &wrapper{Query: index(p), Args: -1, Several: to.Several}
		if to.Args == len(call.Args)-1 && call.Ellipsis.IsValid() && fn.Signature().Variadic() {
			last := params.At(params.Len() - 1)
			if id, ok := ast.Unparen(call.Args[to.Args]).(*ast.Ident); ok && c.pass.TypesInfo.Uses[id] == last && len(c.resolver.values[last]) == 0 {
				w.Args = params.Len() - 1
			}
		}
		if results := fn.Signature().Results(); results.Len() > 0 {
			t := results.At(0).Type()
			w.OneRow = to.OneRow && isScanner(t)
			w.Rows = to.Rows && isScanner(t)
		}
		return true
	})
	return w
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
