package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/ast/edge"
	"golang.org/x/tools/go/ast/inspector"
)

// stringPackages make strings.
const stringPackages = " fmt strings bytes "

// isBuilder reports whether a string is built in values of the type.
func isBuilder(t types.Type) bool {
	return t != nil && (isNamed(t, "strings", "Builder") || isNamed(t, "bytes", "Buffer"))
}

// use returns what is done to a builder of strings, or a list of strings, where it is used,
// other than to set it; or set, if nothing is.
func (p *resolver) use(cur inspector.Cursor) (does action, expr ast.Expr) {
	v, ok := p.pass.TypesInfo.Uses[cur.Node().(*ast.Ident)].(*types.Var)
	switch {
	case !ok || cur.ParentEdgeKind() == edge.AssignStmt_Lhs:
	case isBuilder(v.Type()):
		return p.write(cur)
	case isList(v.Type()) && !p.keeps(cur):
		return unknown, nil
	}
	return set, nil
}

// isList reports whether values of the type are slices or maps of strings.
func isList(t types.Type) bool {
	list, ok := t.Underlying().(interface{ Elem() types.Type })
	_, isPointer := list.(*types.Pointer)
	return ok && !isPointer && isString(list.Elem())
}

// elements returns the strings of a list and the index or key of each, if it is always the
// same list, or nil.
func (p *resolver) elements(list ast.Expr) (keys []constant.Value, elts []ast.Expr) {
	lit, _ := p.source(list).(*ast.CompositeLit)
	if lit == nil || !isList(p.pass.TypesInfo.TypeOf(lit)) {
		return nil, nil
	}
	elts = []ast.Expr{}
	for i, elt := range lit.Elts {
		key := constant.MakeInt64(int64(i))
		if pair, ok := elt.(*ast.KeyValueExpr); ok {
			key, elt = p.value(pair.Key), pair.Value
		}
		keys, elts = append(keys, key), append(elts, elt)
	}
	return keys, elts
}

// each returns the strings that e is one after the other, or nil.
func (p *resolver) each(e ast.Expr) (all []text) {
	list := ast.Expr(nil)
	switch e := ast.Unparen(e).(type) {
	case *ast.Ident:
		if v, ok := p.named(e).(*types.Var); ok && len(p.values[v]) == 1 && p.values[v][0].does == element {
			list = p.values[v][0].expr
		}
	case *ast.IndexExpr:
		list = e.X
	}
	_, elts := p.elements(list)
	for _, elt := range elts {
		all = append(all, p.fold(elt)...)
	}
	if len(all) != len(elts) {
		return nil // some may be several
	}
	return all
}

// index returns what the element of a list with a constant key is.
func (p *resolver) index(e *ast.IndexExpr) []text {
	key := p.value(e.Index)
	keys, elts := p.elements(e.X)
	for i, elt := range elts {
		if keys[i].Kind() == key.Kind() && constant.Compare(keys[i], token.EQL, key) {
			return p.fold(elt)
		}
	}
	return nil
}

// keeps reports whether this use of a list leaves it as it is.
func (p *resolver) keeps(cur inspector.Cursor) bool {
	switch cur.ParentEdgeKind() {
	case edge.RangeStmt_X:
		return true
	case edge.IndexExpr_X:
		return cur.Parent().ParentEdgeKind() != edge.AssignStmt_Lhs && cur.Parent().ParentEdgeKind() != edge.UnaryExpr_X
	case edge.CallExpr_Args:
		return begins(p.calleeName(cur.Parent().Node().(*ast.CallExpr)), " append len cap strings.Join ")
	}
	return false
}

// write returns what is done to the builder, and the call that does it.
func (p *resolver) write(cur inspector.Cursor) (action, ast.Expr) {
	if cur.ParentEdgeKind() == edge.UnaryExpr_X {
		cur = cur.Parent()
	} else if cur.ParentEdgeKind() == edge.SelectorExpr_X {
		cur = cur.Parent()
	}
	call, ok := cur.Parent().Node().(*ast.CallExpr)
	if !ok || len(call.Args) > 0 && cur.ParentEdgeKind() == edge.CallExpr_Args && call.Args[0] != cur.Node() {
		return unknown, nil
	}
	fn := p.callee(call)
	if fn == nil || !begins(fn.Pkg().Path(), stringPackages) {
		return unknown, nil
	}
	switch fn.Name() {
	case "String", "Len", "Cap", "Grow":
		return set, nil
	}
	switch cur.Parent().Parent().Node().(type) {
	case *ast.ExprStmt, *ast.AssignStmt: // and neither go nor defer
		switch fn.Name() {
		case "Reset":
			return zero, nil
		case "WriteString", "WriteByte", "WriteRune", "Fprint", "Fprintf":
			return add, call
		}
	}
	return unknown, nil
}

// written returns what a function of strings, bytes or fmt may return, or write.
func (p *resolver) written(call *ast.CallExpr, fn *types.Func) []text {
	args := call.Args
	if recv := fn.Signature().Recv(); recv != nil && !isBuilder(recv.Type()) {
		return nil // strings.Replacer
	}
	switch fn.Name() {
	case "String":
		if v, ok := p.named(receiver(call)).(*types.Var); ok && isBuilder(v.Type()) {
			return p.variable(v, receiver(call).Pos(), "", p.fold)
		}
	case "WriteString":
		return p.fold(args[0])
	case "WriteByte", "WriteRune":
		if char, ok := constant.Int64Val(constant.ToInt(p.value(args[0]))); ok {
			if char >= utf8.RuneSelf && fn.Name() == "WriteByte" {
				return nil
			}
			return []text{p.constantAt(args[0].Pos(), string(rune(char)))}
		}
	case "Sprint", "Sprintf", "Fprint", "Fprintf":
		if strings.HasPrefix(fn.Name(), "F") {
			args = args[1:]
		}
		if strings.HasSuffix(fn.Name(), "f") {
			return p.sprintf(args[0], args[1:])
		} else if len(args) == 1 {
			return p.argument(args[0], 'v')
		}
	case "Join":
		if between := p.fold(args[1]); len(between) == 1 {
			return p.list(args[0], between)
		}
	case "Trim", "TrimLeft", "TrimRight", "TrimPrefix", "TrimSuffix":
		return p.trim(fn.Name(), args)
	case "Repeat":
		if n, ok := constant.Int64Val(constant.ToInt(p.value(args[1]))); ok && n <= most {
			all := []text{p.constantAt(args[0].Pos(), "")}
			for range n {
				all = joined(all, p.fold(args[0]))
			}
			return all
		}
	case "Replace", "ReplaceAll":
		old, known := p.constantString(args[1])
		count := int64(-1)
		if len(args) == 4 && known {
			count, known = constant.Int64Val(constant.ToInt(p.value(args[3])))
		}
		if !known {
			return nil
		}
		var all []text
		for _, t := range p.fold(args[0]) {
			ranges := regexp.MustCompile(regexp.QuoteMeta(old)).FindAllStringIndex(t.SQL, int(count))
			all = append(all, substitute(t, ranges, func(text) []text { return p.fold(args[2]) })...)
			if len(t.Holes) > 0 {
				return nil
			}
		}
		return all
	}
	return nil
}

// value returns the constant that e is, of an unknown kind if it is none.
func (p *resolver) value(e ast.Expr) constant.Value {
	if v := p.pass.TypesInfo.Types[e].Value; v != nil {
		return v
	}
	return constant.MakeUnknown()
}

// constantString returns the string that e is, if it is a constant.
func (p *resolver) constantString(e ast.Expr) (s string, ok bool) {
	v := p.value(e)
	if v.Kind() != constant.String {
		return "", false
	}
	return constant.StringVal(v), true
}

// trim cuts from the ends of texts what the function of package strings cuts. A part that is
// known only at run time counts as cut if it is at that end.
func (p *resolver) trim(name string, args []ast.Expr) (all []text) {
	cut, ok := p.constantString(args[1])
	if !ok {
		return nil
	}
	cutsLeft, cutsRight := name != "TrimRight" && name != "TrimSuffix", name != "TrimLeft" && name != "TrimPrefix"
	trim := map[string]func(string, string) string{"Trim": strings.Trim, "TrimLeft": strings.TrimLeft, "TrimRight": strings.TrimRight,
		"TrimPrefix": strings.TrimPrefix, "TrimSuffix": strings.TrimSuffix}[name]
	for _, t := range p.fold(args[0]) {
		switch n := len(t.Holes); {
		case n == 0:
			left := trim(t.SQL, cut)
			from := strings.Index(t.SQL, left)
			t = t.slice(from, from+len(left))
		case cutsLeft && t.Holes[0] != 0 || cutsRight && t.Holes[n-1] != len(t.SQL):
			return nil
		}
		all = append(all, t)
	}
	return all
}

// list returns what the strings of a list may be, joined by what is between them.
func (p *resolver) list(e ast.Expr, between []text) (all []text) {
	var more []ast.Expr
	switch e := ast.Unparen(e).(type) {
	case *ast.CompositeLit:
		all, more = []text{p.constantAt(e.Pos(), "")}, e.Elts
	case *ast.Ident:
		if v, ok := p.pass.TypesInfo.Uses[e].(*types.Var); ok {
			return p.variable(v, e.Pos(), between[0].SQL, func(e ast.Expr) []text { return p.list(e, between) })
		}
	case *ast.CallExpr:
		switch name := p.calleeName(e); {
		case name == "append" && !e.Ellipsis.IsValid():
			all, more = p.list(e.Args[0], between), e.Args[1:]
		case name == "make":
			if n := p.pass.TypesInfo.Types[e.Args[1]].Value; n != nil && n.ExactString() == "0" {
				all = []text{p.constantAt(e.Pos(), "")}
			}
		}
	}
	for _, e := range more {
		added := p.fold(e)
		if slices.ContainsFunc(added, isEmpty) {
			return nil // which would look like the end of the list
		}
		var longer []text
		for _, t := range all {
			// A hole at the end may be a list without strings.
			if t.SQL != "" && !slices.Contains(t.Holes, len(t.SQL)) {
				t = joined([]text{t}, between)[0]
			}
			longer = append(longer, joined([]text{t}, added)...)
		}
		if all = longer; len(all) > most {
			return nil
		}
	}
	return all
}

func isEmpty(t text) bool { return t.SQL == "" && len(t.Holes) == 0 }
