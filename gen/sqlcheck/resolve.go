package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
)

// resolver is what is known about the names of a package.
type resolver struct {
	pass   *analysis.Pass
	values map[types.Object][]value // what variables and constants are set to
	embeds map[types.Object]string  // the file that go:embed puts into a string
	read   map[ast.Node]bool        // literals that are part of a query
}

// A value is the i-th result of an expression, or unknown if that is nil.
type value struct {
	expr  ast.Expr
	index int
}

func newResolver(pass *analysis.Pass) *resolver {
	p := &resolver{pass, map[types.Object][]value{}, map[types.Object]string{}, map[ast.Node]bool{}}
	for _, f := range pass.Files {
		for n := range ast.Preorder(f) {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok == token.ASSIGN || n.Tok == token.DEFINE {
					p.assign(n.Lhs, n.Rhs)
				} else {
					p.set(n.Lhs[0], value{})
				}
			case *ast.ValueSpec:
				lhs := make([]ast.Expr, len(n.Names))
				for i, name := range n.Names {
					lhs[i] = name
				}
				if len(n.Values) > 0 {
					p.assign(lhs, n.Values)
				}
			case *ast.RangeStmt:
				p.set(n.Key, value{})
				p.set(n.Value, value{})
			case *ast.IncDecStmt:
				p.set(n.X, value{})
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					p.set(n.X, value{})
				}
			case *ast.GenDecl:
				p.embed(n)
			}
		}
	}
	return p
}

func (p *resolver) assign(lhs, rhs []ast.Expr) {
	for i, l := range lhs {
		if len(lhs) == len(rhs) {
			p.set(l, value{rhs[i], 0})
		} else {
			p.set(l, value{rhs[0], i})
		}
	}
}

func (p *resolver) set(lhs ast.Expr, v value) {
	if id, ok := ast.Unparen(lhs).(*ast.Ident); ok {
		if obj := p.pass.TypesInfo.ObjectOf(id); obj != nil {
			p.values[obj] = append(p.values[obj], v)
		}
	}
}

// embed notes the file of a //go:embed line above a variable. Patterns that may match
// more than one file are the compiler's to refuse.
func (p *resolver) embed(decl *ast.GenDecl) {
	if decl.Tok != token.VAR {
		return
	}
	for _, spec := range decl.Specs {
		v := spec.(*ast.ValueSpec)
		doc := v.Doc
		if doc == nil && len(decl.Specs) == 1 {
			doc = decl.Doc
		}
		if doc == nil || len(v.Names) != 1 || len(v.Values) > 0 {
			continue
		}
		for _, c := range doc.List {
			if name, ok := strings.CutPrefix(c.Text, "//go:embed "); ok {
				name = strings.TrimSpace(name)
				if unquoted, err := strconv.Unquote(name); err == nil {
					name = unquoted
				}
				folder := filepath.Dir(p.pass.Fset.Position(decl.Pos()).Filename)
				p.embeds[p.pass.TypesInfo.Defs[v.Names[0]]] = filepath.Join(folder, filepath.FromSlash(name))
			}
		}
	}
}

// once returns what the variable is set to, if that is known and happens once.
func (p *resolver) once(obj types.Object) (value, bool) {
	values := p.values[obj]
	if len(values) != 1 || values[0].expr == nil {
		return value{}, false
	}
	if obj.Exported() && obj.Parent() == p.pass.Pkg.Scope() {
		return value{}, false // another package may set it
	}
	return values[0], true
}

// at returns a position as a place.
func (p *resolver) at(pos token.Pos) place {
	posn := p.pass.Fset.Position(pos)
	return place{pos, posn.Filename, posn.Line, posn.Column}
}

// unknown returns the text of a string that is known at run time only.
func (p *resolver) unknown(pos token.Pos) text {
	return text{Pieces: []piece{{Place: p.at(pos)}}, Holes: []int{0}}
}

// constantAt returns a text that is made, in some way, by what is at pos.
func (p *resolver) constantAt(pos token.Pos, sql string) text {
	return text{SQL: sql, Pieces: []piece{{Place: p.at(pos)}}}
}

// text returns what is known of a string.
func (p *resolver) text(e ast.Expr) text { return p.fold(e, 0) }

// fold bounds its depth because a variable may be declared by itself.
func (p *resolver) fold(e ast.Expr, depth int) text {
	e = ast.Unparen(e)
	t, known := text{}, false
	switch e := e.(type) {
	case *ast.BasicLit:
		t, known = p.literal(e)
	case *ast.BinaryExpr:
		if known = e.Op == token.ADD && depth < 20; known {
			t = p.fold(e.X, depth+1)
			t.add(p.fold(e.Y, depth+1))
		}
	case *ast.Ident:
		t, known = p.name(e, depth+1)
	case *ast.SelectorExpr:
		t, known = p.name(e.Sel, depth+1)
	case *ast.CallExpr:
		t, known = p.call(e, depth+1)
	}
	// The type checker has the last word on what a constant is.
	if v := p.pass.TypesInfo.Types[e].Value; v != nil && v.Kind() == constant.String && (!known || len(t.Holes) > 0 || t.SQL != constant.StringVal(v)) {
		return p.constantAt(e.Pos(), constant.StringVal(v))
	}
	if !known {
		return p.unknown(e.Pos())
	}
	return t
}

// name returns the text of a constant or variable.
func (p *resolver) name(id *ast.Ident, depth int) (text, bool) {
	obj := p.pass.TypesInfo.ObjectOf(id)
	if obj == nil || depth > 20 || !isString(obj.Type()) {
		return text{}, false
	}
	switch obj := obj.(type) {
	case *types.Const:
		if values := p.values[obj]; len(values) == 1 {
			return p.fold(values[0].expr, depth), true
		}
	case *types.Var:
		if name, ok := p.embeds[obj]; ok && len(p.values[obj]) == 0 {
			return file(name)
		}
		if v, ok := p.once(obj); ok && v.index == 0 && !obj.IsField() {
			return p.fold(v.expr, depth), true
		}
	}
	return text{}, false
}

// call returns the text of a conversion, or of a call of fmt.Sprintf.
func (p *resolver) call(call *ast.CallExpr, depth int) (text, bool) {
	if len(call.Args) == 0 || depth > 20 || call.Ellipsis.IsValid() {
		return text{}, false
	}
	if tv := p.pass.TypesInfo.Types[call.Fun]; tv.IsType() {
		return p.fold(call.Args[0], depth), isString(tv.Type) && isString(p.pass.TypesInfo.TypeOf(call.Args[0]))
	}
	if fn := callee(p.pass.TypesInfo, call); fn == nil || fn.FullName() != "fmt.Sprintf" {
		return text{}, false
	}
	format := p.fold(call.Args[0], depth)
	if len(format.Holes) > 0 {
		return text{}, false
	}
	return p.sprintf(format, call.Args[1:], depth)
}

// sprintf formats. It does not know verbs other than %s, %d, %v and %q.
func (p *resolver) sprintf(format text, args []ast.Expr, depth int) (t text, ok bool) {
	from := 0
	for i := 0; i < len(format.SQL); i++ {
		if format.SQL[i] != '%' {
			continue
		}
		t.add(format.slice(from, i))
		if i++; i == len(format.SQL) {
			return text{}, false
		}
		switch verb := format.SQL[i]; {
		case verb == '%':
			t.add(format.slice(i, i+1))
		case strings.IndexByte("sdvq", verb) >= 0 && len(args) > 0:
			t.add(p.argument(args[0], verb, depth))
			args = args[1:]
		default:
			return text{}, false
		}
		from = i + 1
	}
	t.add(format.slice(from, len(format.SQL)))
	if len(t.Pieces) == 0 {
		t.Pieces = format.Pieces
	}
	return t, true
}

// argument returns what an argument of fmt.Sprintf puts in the place of its verb.
func (p *resolver) argument(e ast.Expr, verb byte, depth int) text {
	v := p.pass.TypesInfo.Types[e].Value
	switch {
	case verb != 'q' && isString(p.pass.TypesInfo.TypeOf(e)):
		return p.fold(e, depth)
	case v != nil && verb == 'q' && v.Kind() == constant.String:
		return p.constantAt(e.Pos(), strconv.Quote(constant.StringVal(v)))
	case v != nil && v.Kind() == constant.Int && verb != 'q':
		return p.constantAt(e.Pos(), v.ExactString())
	}
	return p.unknown(e.Pos())
}

// literal returns the text of a string literal, with a piece for each line of a raw
// one, and for each run of plain characters of another.
func (p *resolver) literal(lit *ast.BasicLit) (text, bool) {
	if lit.Kind != token.STRING {
		return text{}, false
	}
	p.read[lit] = true
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return text{}, false
	}
	if lit.Value[0] == '`' {
		// Carriage returns are in the file, but not in the value.
		returns := int(lit.End()-lit.Pos()) - len(lit.Value)
		if returns > 0 && returns != strings.Count(value, "\n") {
			return p.constantAt(lit.Pos(), value), true
		}
		each := min(returns, 1)
		return lined(value, func(line, offset int) place {
			return p.at(lit.Pos() + 1 + token.Pos(offset+line*each))
		}), true
	}
	t := text{SQL: value}
	quoted := lit.Value[1 : len(lit.Value)-1]
	plain := false
	for at, i := 0, 0; i < len(quoted); {
		r, multibyte, rest, err := strconv.UnquoteChar(quoted[i:], '"')
		if err != nil {
			break
		}
		escaped := quoted[i] == '\\'
		if escaped || !plain {
			t.Pieces = append(t.Pieces, piece{at, p.at(lit.Pos() + 1 + token.Pos(i)), !escaped})
		}
		plain = !escaped
		if multibyte {
			at += utf8.RuneLen(r)
		} else {
			at++
		}
		i = len(quoted) - len(rest)
	}
	if len(t.Pieces) == 0 {
		return p.constantAt(lit.Pos(), value), true
	}
	return t, true
}

// file returns the text of an embedded file. Diagnostics about it are in that file.
func file(name string) (text, bool) {
	// Not by pass.ReadFile, which knows the package's Go files only.
	content, err := os.ReadFile(name)
	if err != nil || !utf8.Valid(content) {
		return text{}, false
	}
	return lined(string(content), func(line, offset int) place {
		return place{File: name, Line: line + 1, Column: 1}
	}), true
}

func isString(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}
