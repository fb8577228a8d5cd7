package sqlcheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"

	"golang.org/x/tools/go/ast/inspector"
	"golang.org/x/tools/go/cfg"
)

// A value is what a statement does to a variable, or what a constant is.
type value struct {
	does   action
	expr   ast.Expr // what is set or added
	result int      // which one of expr
	at     token.Pos
	in     ast.Node // the function that the statement is in, or nil
}

type action int

const (
	unknown action = iota // such as to give its address away
	zero                  // var v string
	set
	add     // v += expr
	element // for _, v := range expr
)

// findValues notes what the package does to its variables.
func (p *resolver) findValues() {
	for cur := range p.in.Root().Preorder((*ast.AssignStmt)(nil), (*ast.ValueSpec)(nil), (*ast.RangeStmt)(nil),
		(*ast.UnaryExpr)(nil), (*ast.CompositeLit)(nil), (*ast.Ident)(nil)) {
		note := func(to ast.Expr, does action, expr ast.Expr, result int) {
			if obj := p.named(to); obj != nil {
				p.values[obj] = append(p.values[obj], value{does, expr, result, to.Pos(), function(cur)})
			}
		}
		assign := func(does action, to, from []ast.Expr) {
			for i, to := range to {
				switch len(from) {
				case 0:
					note(to, zero, nil, 0)
				case 1:
					note(to, does, from[0], i)
				default:
					note(to, does, from[i], 0)
				}
			}
		}
		switch n := cur.Node().(type) {
		case *ast.AssignStmt:
			switch n.Tok {
			case token.ASSIGN, token.DEFINE:
				assign(set, n.Lhs, n.Rhs)
			case token.ADD_ASSIGN:
				assign(add, n.Lhs, n.Rhs)
			}
		case *ast.ValueSpec:
			var names []ast.Expr
			for _, name := range n.Names {
				names = append(names, name)
			}
			assign(set, names, n.Values)
			p.embed(cur.Parent().Node().(*ast.GenDecl), n)
		case *ast.RangeStmt:
			note(n.Key, unknown, nil, 0)
			if n.Tok == token.DEFINE {
				note(n.Value, element, n.X, 0)
			} else {
				note(n.Value, unknown, nil, 0)
			}
		case *ast.UnaryExpr:
			if n.Op == token.AND && !isBuilder(p.pass.TypesInfo.TypeOf(n.X)) {
				note(n.X, unknown, nil, 0)
			}
		case *ast.Ident:
			if does, expr := p.use(cur); does != set {
				note(n, does, expr, 0)
			}
		case *ast.CompositeLit:
			of := p.pass.TypesInfo.TypeOf(n)
			if pointer, ok := of.Underlying().(*types.Pointer); ok { // []*T{{…}}
				of = pointer.Elem()
			}
			t, _ := of.Underlying().(*types.Struct)
			for i, elt := range n.Elts {
				if pair, ok := elt.(*ast.KeyValueExpr); ok && t != nil {
					note(pair.Key, set, pair.Value, 0)
				} else if t != nil {
					field := t.Field(i).Origin()
					p.values[field] = append(p.values[field], value{set, elt, 0, elt.Pos(), nil})
				}
			}
		}
	}
}

// named returns the variable, constant or field that the expression names, or nil.
func (p *resolver) named(e ast.Expr) types.Object {
	e = ast.Unparen(e)
	if sel, ok := e.(*ast.SelectorExpr); ok {
		e = sel.Sel
	}
	id, ok := e.(*ast.Ident)
	if !ok {
		return nil
	}
	obj := p.pass.TypesInfo.ObjectOf(id)
	if v, ok := obj.(*types.Var); ok {
		return v.Origin()
	}
	return obj
}

// source returns what the expression is set to, if it is a variable with one value there, or
// the expression itself.
func (p *resolver) source(e ast.Expr) ast.Expr {
	for range 5 { // variables that are set to others
		e = ast.Unparen(e)
		v, ok := p.named(e).(*types.Var)
		if !ok {
			break
		}
		values := slices.DeleteFunc(slices.Clone(p.reaching(v, e.Pos())), func(x value) bool { return x.does == zero })
		if len(values) != 1 || values[0].does != set || values[0].result != 0 {
			break
		}
		e = values[0].expr
	}
	return e
}

// function returns the innermost function that the node is in, or nil.
func function(cur inspector.Cursor) ast.Node {
	for f := range cur.Enclosing((*ast.FuncDecl)(nil), (*ast.FuncLit)(nil)) {
		return f.Node()
	}
	return nil
}

// reaching returns what the variable may be set to where it is used.
func (p *resolver) reaching(v *types.Var, use token.Pos) []value {
	all := p.values[v]
	initial := value{} // when the function begins
	if v.Kind() == types.ResultVar {
		initial.does = zero
	}
	cur, _ := p.in.Root().FindByPos(use, use)
	fn := function(cur)
	anywhere, has := fn == nil || v.Pos() < fn.Pos() || fn.End() <= v.Pos(), [...]bool{element: false}
	for _, x := range all {
		anywhere = anywhere || x.in != fn
		has[x.does] = true
	}
	switch {
	case has[unknown] || v.Exported() && (v.Kind() == types.PackageVar || v.IsField()): // which another package may set
		return []value{{}}
	case v.IsField() && len(all) > 0 && !has[add]:
		return append(slices.Clip(all), value{does: zero})
	case !anywhere && len(all) == 0:
		return []value{initial}
	case !anywhere:
		return p.graph(fn).reaching(all, use, initial)
	case has[add] || v.Kind() != types.PackageVar && v.Kind() != types.LocalVar:
		return []value{{}}
	}
	return all // in any order
}

// A graph is the control flow of a function.
type graph struct {
	blocks []*cfg.Block
	before map[*cfg.Block][]*cfg.Block
}

func (p *resolver) graph(fn ast.Node) *graph {
	if g := p.graphs[fn]; g != nil {
		return g
	}
	var body *ast.BlockStmt
	switch fn := fn.(type) {
	case *ast.FuncDecl:
		body = fn.Body
	case *ast.FuncLit:
		body = fn.Body
	}
	g := &graph{cfg.New(body, p.mayReturn).Blocks, map[*cfg.Block][]*cfg.Block{}}
	for _, b := range g.blocks {
		for _, next := range b.Succs {
			if b.Live {
				g.before[next] = append(g.before[next], b)
			}
		}
	}
	p.graphs[fn] = g
	return g
}

// mayReturn reports whether the function that is called may return.
func (p *resolver) mayReturn(call *ast.CallExpr) bool {
	return !begins(p.calleeName(call), " panic os.Exit log.Fatal log.Fatalf log.Fatalln log.Panic log.Panicf ")
}

// reaching returns those of a variable's values that it may have at a position, with the
// initial one if a path from the beginning of the function sets nothing.
func (g *graph) reaching(all []value, use token.Pos, initial value) (found []value) {
	seen := map[*cfg.Block]bool{}
	var search func(b *cfg.Block, nodes []ast.Node)
	search = func(b *cfg.Block, nodes []ast.Node) {
		for _, n := range slices.Backward(nodes) {
			for _, x := range slices.Backward(all) {
				if n.Pos() <= x.at && x.at < n.End() {
					found = append(found, x)
					return
				}
			}
		}
		if b == g.blocks[0] {
			found = append(found, initial)
		}
		for _, before := range g.before[b] {
			if !seen[before] {
				seen[before] = true
				search(before, before.Nodes)
			}
		}
	}
	for _, b := range g.blocks {
		for i, n := range b.Nodes {
			if b.Live && n.Pos() <= use && use < n.End() {
				search(b, b.Nodes[:i])
				return found
			}
		}
	}
	return []value{{}}
}
