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
	ncrucesPath   = "github.com/ncruces/go-sqlite3"
	sqlxPath      = "github.com/jmoiron/sqlx"
	bunPath       = "github.com/uptrace/bun"
	zombiezenPath = "zombiezen.com/go/sqlite"
	crawshawPath  = "crawshaw.io/sqlite"
	squirrelPath  = "github.com/Masterminds/squirrel"
)

// A wrapper is the fact that a function passes a string parameter to a database.
type wrapper struct {
	Query   int  // the parameter
	Args    int  // the variadic parameter that it passes on as arguments, or -1
	Rows    bool // it returns the rows, or the row, which have the method Scan
	Several bool // it takes more than one statement
	Formats bool // it writes lists, names and SQL among the arguments into the text
}

func (*wrapper) AFact() {}

func (w *wrapper) String() string { return "wrapper" }

// callee returns the function or method of a package that is called, if it has a name.
func (p *resolver) callee(call *ast.CallExpr) *types.Func {
	fn, ok := typeutil.Callee(p.pass.TypesInfo, call).(*types.Func)
	if !ok || fn.Pkg() == nil { // error.Error
		return nil
	}
	return fn.Origin()
}

// calleeName returns the name of the function that is called, after its package unless it is
// built in, or "".
func (p *resolver) calleeName(call *ast.CallExpr) string {
	switch fn := typeutil.Callee(p.pass.TypesInfo, call).(type) {
	case *types.Builtin:
		return fn.Name()
	case *types.Func:
		return fn.FullName()
	}
	return ""
}

// called returns what is known about the function that is called, or nil.
func (c *checker) called(call *ast.CallExpr) *wrapper {
	fn := c.callee(call)
	if fn == nil {
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
	w := new(wrapper)
	if !c.pass.ImportObjectFact(fn, w) {
		return nil
	}
	return w
}

// libraries lists what takes a query: without a path, the methods with this result of
// database/sql and of interfaces like it; with one, the functions and methods of a package.
// The last match counts. "Context" may follow a name. Arguments are in "...any", or in a
// pointer to ExecOptions.
var libraries = []struct {
	path, names, result string
	wrapper
}{
	{"", " Exec ", "Result", wrapper{Several: true}},
	{"", " Query ", "Rows", wrapper{}},
	{"", " QueryRow ", "Row", wrapper{}},
	{"", " Prepare ", "Stmt", wrapper{}},
	{sqlxPath, " Exec MustExec ", "", wrapper{Several: true}},
	{sqlxPath, " Query QueryRow Queryx QueryRowx Get Select NamedExec NamedQuery Prepare Preparex PrepareNamed ", "", wrapper{}},
	{ncrucesPath, " Exec Prepare PrepareFlags ", "", wrapper{Several: true}}, // Prepare returns the rest of the text
	{zombiezenPath, " Prep Prepare PrepareTransient ", "", wrapper{Several: true}},
	{zombiezenPath + "/sqlitex", " Exec ExecTransient Execute ExecuteTransient ", "", wrapper{}},
	{zombiezenPath + "/sqlitex", " ExecScript ExecuteScript ", "", wrapper{Several: true}},
	{crawshawPath, " Prep Prepare PrepareTransient ", "", wrapper{Several: true}},
	{crawshawPath + "/sqlitex", " Exec ExecTransient ", "", wrapper{}},
	{crawshawPath + "/sqlitex", " ExecScript ", "", wrapper{Several: true}},
	{"gorm.io/gorm", " Raw Exec ", "", wrapper{Several: true, Formats: true}},
	{bunPath, " NewRaw Exec ", "", wrapper{Several: true, Formats: true}},
	{bunPath, " Query QueryRow ", "", wrapper{Formats: true}},
}

// library knows functions of libraries by their names and types.
func library(fn *types.Func) *wrapper {
	sig, path := fn.Signature(), fn.Pkg().Path()
	params := slices.Collect(sig.Params().Variables())
	query, args := slices.IndexFunc(params, func(p *types.Var) bool { return isString(p.Type()) }), argsOf(fn)
	if query < 0 {
		return nil // a method of a prepared statement
	}
	for _, l := range slices.Backward(libraries) {
		like := l.path == "" && sig.Recv() != nil && sig.Results().Len() > 0 && isNamed(sig.Results().At(0).Type(), "database/sql", l.result) &&
			(len(params)-1 == query && l.result == "Stmt" || args == query+1 && l.result != "Stmt")
		if (like || l.path == path) && begins(strings.TrimSuffix(fn.Name(), "Context"), l.names) {
			w := l.wrapper
			w.Query, w.Args, w.Rows = query, args, returnsRows(fn)
			return &w
		}
	}
	return nil
}

// argsOf returns which parameter the arguments of a query are in, or -1.
func argsOf(fn *types.Func) int {
	params := fn.Signature().Params()
	last := params.Len() - 1
	if last >= 0 && (fn.Signature().Variadic() && types.Identical(params.At(last).Type(), anySlice) || isNamed(params.At(last).Type(), zombiezenPath+"/sqlitex", "ExecOptions")) {
		return last
	}
	return -1
}

var anySlice = types.NewSlice(types.Universe.Lookup("any").Type())

// findWrappers finds the functions of the package that pass a parameter on, directly
// or through each other.
func (c *checker) findWrappers() {
	for found := true; found; {
		found = false
		for d := range inspector.All[*ast.FuncDecl](c.in) {
			fn, ok := c.pass.TypesInfo.Defs[d.Name].(*types.Func)
			if !ok || d.Body == nil || c.pass.ImportObjectFact(fn, new(wrapper)) || library(fn) != nil {
				continue
			}
			if w := c.wraps(fn, d.Body); w != nil {
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
		w := &wrapper{Query: query, Args: -1, Several: to.Several, Formats: to.Formats, Rows: to.Rows && returnsRows(fn)}
		if last := len(params) - 1; to.Args == len(call.Args)-1 && call.Ellipsis.IsValid() &&
			fn.Signature().Variadic() && index(call.Args[to.Args]) == last {
			w.Args = last
		}
		return w
	}
	return nil
}

// parameter returns the parameter whose text e is, if nothing else is assigned to it, or
// nil.
func (c *checker) parameter(e ast.Expr) *types.Var {
	v := c.passedOn(e)
	if v == nil || v.Kind() != types.ParamVar || slices.ContainsFunc(c.values[v], func(x value) bool {
		return x.does != set || x.result != 0 || c.passedOn(x.expr) != v
	}) {
		return nil
	}
	return v
}

// passedOn returns the variable whose text e is, or nil.
func (c *checker) passedOn(e ast.Expr) *types.Var {
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		if from, _ := c.passed(e); from != nil {
			return c.passedOn(from)
		}
	case *ast.Ident:
		v, _ := c.pass.TypesInfo.Uses[e].(*types.Var)
		return v
	}
	return nil
}

// returnsRows reports whether the first result of the function is rows, or a row.
func returnsRows(fn *types.Func) bool {
	results := fn.Signature().Results()
	return results.Len() > 0 && isScanner(results.At(0).Type())
}

// isScanner reports whether t is a row or rows of database/sql, sqlx or squirrel.
func isScanner(t types.Type) bool {
	for _, path := range [...]string{"database/sql", sqlxPath, squirrelPath} {
		if isNamed(t, path, "Row") || isNamed(t, path, "Rows") || isNamed(t, path, "RowScanner") {
			return true
		}
	}
	return false
}
