package sqlcheck

import (
	"go/ast"
	"go/types"
	"slices"
	"strings"

	"golang.org/x/tools/go/ast/inspector"
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
	Rows     bool // it returns rows, or a row, which have the method Scan
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

// calls reports whether the call is one of the function with the full name.
func calls(info *types.Info, call *ast.CallExpr, name string) bool {
	fn := callee(info, call)
	return fn != nil && fn.FullName() == name
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
	if w := library(fn); w != nil {
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

// functions are what takes a query in database/sql, and in interfaces like it, with the
// type of the first result; and without one, in sqlx alone. "Context" can follow a name.
var functions = map[string]struct {
	result string
	wrapper
}{
	"Exec":     {"Result", wrapper{Several: true}},
	"Query":    {"Rows", wrapper{Rows: true}},
	"QueryRow": {"Row", wrapper{Rows: true}},
	"Prepare":  {"Stmt", wrapper{Prepares: true, Args: -1}},

	"MustExec":  {"", wrapper{Several: true}},
	"Queryx":    {"", wrapper{Rows: true}},
	"QueryRowx": {"", wrapper{Rows: true}},
	"Get":       {},
	"Select":    {},
	"Preparex":  {"", wrapper{Prepares: true, Args: -1}},

	// The arguments are a struct or a map, or lists of them.
	"NamedExec":    {"", wrapper{Args: -1}},
	"NamedQuery":   {"", wrapper{Args: -1}},
	"PrepareNamed": {"", wrapper{Args: -1}},
	"In":           {"", wrapper{Args: -1}},
}

// library knows functions of libraries by their names and types.
func library(fn *types.Func) *wrapper {
	sig := fn.Signature()
	path := fn.Pkg().Path()
	if path == ncrucesPath {
		if sig.Recv() != nil && isNamed(sig.Recv().Type(), ncrucesPath, "Conn") &&
			(fn.Name() == "Exec" || fn.Name() == "Prepare" || fn.Name() == "PrepareFlags") {
			return &wrapper{Args: -1, Several: true} // Prepare returns the rest of the text
		}
		return nil
	}
	known, ok := functions[strings.TrimSuffix(fn.Name(), "Context")]
	if !ok || path != sqlxPath && (sig.Recv() == nil || sig.Results().Len() == 0 || known.result == "" ||
		!isNamed(sig.Results().At(0).Type(), "database/sql", known.result)) {
		return nil
	}
	w := known.wrapper
	params := slices.Collect(sig.Params().Variables())
	w.Query = slices.IndexFunc(params, func(p *types.Var) bool { return isString(p.Type()) })
	if w.Query < 0 {
		return nil // a method of a prepared statement
	}
	rest := params[w.Query+1:]
	if w.Args == 0 {
		w.Args = w.Query + 1
		if len(rest) != 1 || !sig.Variadic() || !types.Identical(rest[0].Type(), anySlice) {
			return nil
		}
	} else if path != sqlxPath && len(rest) > 0 {
		return nil
	}
	return &w
}

var anySlice = types.NewSlice(types.Universe.Lookup("any").Type())

// findWrappers finds the functions of the package that pass a parameter on, directly
// or through each other.
func (c *checker) findWrappers() {
	for found := true; found; {
		found = false
		for d := range inspector.All[*ast.FuncDecl](c.in) {
			fn, ok := c.pass.TypesInfo.Defs[d.Name].(*types.Func)
			if !ok || d.Body == nil || c.wrappers[fn] != nil || library(fn) != nil {
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

// wraps returns what fn passes on, or nil.
func (c *checker) wraps(fn *types.Func, body *ast.BlockStmt) *wrapper {
	params := slices.Collect(fn.Signature().Params().Variables())
	if !slices.ContainsFunc(params, func(p *types.Var) bool { return isString(p.Type()) }) {
		return nil
	}
	// index returns which parameter e is, if nothing else is assigned to it, or -1.
	index := func(e ast.Expr) int {
		return slices.IndexFunc(params, func(p *types.Var) bool { return p == c.parameter(e) })
	}
	for n := range ast.Preorder(body) {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			continue
		}
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
			w.Rows = to.Rows
		}
		return w
	}
	return nil
}

// parameter returns the parameter that e is, if nothing else is assigned to it, or nil.
func (c *checker) parameter(e ast.Expr) *types.Var {
	if id, ok := ast.Unparen(e).(*ast.Ident); ok {
		if v, ok := c.pass.TypesInfo.Uses[id].(*types.Var); ok && v.Kind() == types.ParamVar && len(c.values[v]) == 0 {
			return v
		}
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
