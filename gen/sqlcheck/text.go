package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
)

// A place is a position: of this package, or, when it has come with a fact, of
// another.
type place struct {
	pos token.Pos

	File         string
	Line, Column int
}

// settle makes the place one that can be told to other packages.
func (p *place) settle(fset *token.FileSet) {
	if p.pos.IsValid() {
		posn := fset.Position(p.pos)
		*p = place{File: posn.Filename, Line: posn.Line, Column: posn.Column}
	}
}

// resolve returns the place as a position of the pass. A line of another package
// is given a file of its own in the file set, made of empty lines: so the
// diagnostic says where the SQL is, not where it was found to be wrong.
func (p place) resolve(pass *analysis.Pass) token.Pos {
	if p.pos.IsValid() || p.File == "" {
		return p.pos
	}
	f := pass.Fset.AddFile(p.File, -1, p.Line+p.Column)
	lines := make([]int, p.Line)
	for i := range lines {
		lines[i] = i
	}
	f.SetLines(lines)
	return f.Pos(p.Line - 1 + p.Column - 1)
}

// A text is a string of the program.
type text struct {
	SQL    string
	Pieces []piece // in order
	Holes  []int   // offsets in SQL where something stands that is known at run time only
}

// A piece says where a part of a text stands. If it is verbatim, the text up to
// the next piece stands there byte for byte, on one line.
type piece struct {
	At       int // offset in the text
	Place    place
	Verbatim bool
}

// place returns where the byte at the offset stands.
func (t *text) place(offset int) place {
	i, found := slices.BinarySearchFunc(t.Pieces, offset, func(p piece, offset int) int { return p.At - offset })
	if !found {
		i--
	}
	// The last of several pieces at one offset is the one that is not empty.
	for i+1 < len(t.Pieces) && t.Pieces[i+1].At == offset {
		i++
	}
	if i < 0 {
		return place{}
	}
	p := t.Pieces[i]
	if p.Verbatim {
		if p.Place.pos.IsValid() {
			p.Place.pos += token.Pos(offset - p.At)
		} else {
			p.Place.Column += offset - p.At
		}
	}
	return p.Place
}

// add appends another text.
func (t *text) add(other text) {
	for _, p := range other.Pieces {
		p.At += len(t.SQL)
		t.Pieces = append(t.Pieces, p)
	}
	for _, h := range other.Holes {
		t.Holes = append(t.Holes, h+len(t.SQL))
	}
	t.SQL += other.SQL
}

// resolver is what is known about the names of a package.
type resolver struct {
	pass   *analysis.Pass
	values map[types.Object][]value // what variables are set to, and constants
	embeds map[types.Object]string  // the file that go:embed puts into a string
	read   map[ast.Node]bool        // literals that belong to a query
}

// A value is the i-th result of an expression, or something unknown.
type value struct {
	expr  ast.Expr // nil if it is unknown
	index int
}

func newResolver(pass *analysis.Pass) *resolver {
	p := &resolver{pass, map[types.Object][]value{}, map[types.Object]string{}, map[ast.Node]bool{}}
	set := func(lhs ast.Expr, v value) {
		id, ok := ast.Unparen(lhs).(*ast.Ident)
		if !ok {
			return
		}
		if obj := pass.TypesInfo.ObjectOf(id); obj != nil {
			p.values[obj] = append(p.values[obj], v)
		}
	}
	assign := func(lhs, rhs []ast.Expr) {
		for i, l := range lhs {
			switch {
			case len(lhs) == len(rhs):
				set(l, value{rhs[i], 0})
			case len(rhs) == 1:
				set(l, value{rhs[0], i})
			default:
				set(l, value{})
			}
		}
	}
	for _, f := range pass.Files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if n.Tok == token.ASSIGN || n.Tok == token.DEFINE {
					assign(n.Lhs, n.Rhs)
				} else {
					set(n.Lhs[0], value{})
				}
			case *ast.ValueSpec:
				lhs := make([]ast.Expr, len(n.Names))
				for i, name := range n.Names {
					lhs[i] = name
				}
				if len(n.Values) > 0 {
					assign(lhs, n.Values)
				}
			case *ast.RangeStmt:
				set(n.Key, value{})
				set(n.Value, value{})
			case *ast.IncDecStmt:
				set(n.X, value{})
			case *ast.UnaryExpr:
				if n.Op == token.AND {
					set(n.X, value{})
				}
			case *ast.GenDecl:
				p.embed(n)
			}
			return true
		})
	}
	return p
}

// embed notes the file of a //go:embed line above a variable. It leaves patterns
// that may match more than one file to the compiler, which refuses them.
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

// text returns what is known of a string. It is all hole if nothing is.
func (p *resolver) text(e ast.Expr) text { return p.fold(e, 0) }

// fold bounds its depth because a variable may be declared by itself.
func (p *resolver) fold(e ast.Expr, depth int) text {
	e = ast.Unparen(e)
	hole := text{Pieces: []piece{{Place: place{pos: e.Pos()}}}, Holes: []int{0}}
	if depth > 20 {
		return hole
	}
	var t text
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind == token.STRING {
			t = p.literal(e)
		}
	case *ast.BinaryExpr:
		if e.Op != token.ADD {
			return hole
		}
		t = p.fold(e.X, depth+1)
		t.add(p.fold(e.Y, depth+1))
	case *ast.Ident:
		t = p.name(e, p.pass.TypesInfo.ObjectOf(e), depth, hole)
	case *ast.SelectorExpr:
		t = p.name(e, p.pass.TypesInfo.ObjectOf(e.Sel), depth, hole)
	case *ast.CallExpr:
		t = p.sprintf(e, depth, hole)
	default:
		t = hole
	}
	// The type checker has the last word on what a constant is.
	if v := p.pass.TypesInfo.Types[e].Value; v != nil && v.Kind() == constant.String && (len(t.Holes) > 0 || t.SQL != constant.StringVal(v)) {
		return text{SQL: constant.StringVal(v), Pieces: hole.Pieces}
	}
	return t
}

// name returns the text of a constant or variable.
func (p *resolver) name(at ast.Expr, obj types.Object, depth int, hole text) text {
	switch obj := obj.(type) {
	case *types.Const:
		if values := p.values[obj]; len(values) == 1 {
			return p.fold(values[0].expr, depth+1)
		}
	case *types.Var:
		if name, ok := p.embeds[obj]; ok && len(p.values[obj]) == 0 && isString(obj.Type()) {
			return p.file(name, hole)
		}
		if v, ok := p.once(obj); ok && v.index == 0 && isString(obj.Type()) && !obj.IsField() {
			return p.fold(v.expr, depth+1)
		}
	}
	return hole
}

// sprintf returns the text of a call of fmt.Sprintf. Verbs other than %s, %d, %v
// and %q make it unknown as a whole.
func (p *resolver) sprintf(call *ast.CallExpr, depth int, hole text) text {
	if tv := p.pass.TypesInfo.Types[call.Fun]; tv.IsType() && len(call.Args) == 1 && isString(tv.Type) && isString(p.pass.TypesInfo.TypeOf(call.Args[0])) {
		return p.fold(call.Args[0], depth+1)
	}
	fn := callee(p.pass.TypesInfo, call)
	if fn == nil || fn.FullName() != "fmt.Sprintf" || call.Ellipsis.IsValid() || len(call.Args) == 0 {
		return hole
	}
	format := p.fold(call.Args[0], depth+1)
	if len(format.Holes) > 0 {
		return hole
	}
	var t text
	args := call.Args[1:]
	from := 0
	for i := 0; i < len(format.SQL); i++ {
		if format.SQL[i] != '%' {
			continue
		}
		t.add(format.slice(from, i))
		if i++; i == len(format.SQL) {
			return hole
		}
		switch format.SQL[i] {
		case '%':
			t.add(format.slice(i, i+1))
		case 's', 'd', 'v', 'q':
			if len(args) == 0 {
				return hole
			}
			t.add(p.argument(args[0], format.SQL[i], depth))
			args = args[1:]
		default:
			return hole
		}
		from = i + 1
	}
	t.add(format.slice(from, len(format.SQL)))
	if len(t.Pieces) == 0 {
		t.Pieces = hole.Pieces
	}
	return t
}

// argument returns what an argument of fmt.Sprintf puts in the place of its verb.
func (p *resolver) argument(e ast.Expr, verb byte, depth int) text {
	at := []piece{{Place: place{pos: e.Pos()}}}
	v := p.pass.TypesInfo.Types[e].Value
	switch {
	case verb != 'q' && isString(p.pass.TypesInfo.TypeOf(e)):
		return p.fold(e, depth+1)
	case v != nil && verb == 'q' && v.Kind() == constant.String:
		return text{SQL: strconv.Quote(constant.StringVal(v)), Pieces: at}
	case v != nil && v.Kind() == constant.Int && verb != 'q':
		return text{SQL: v.ExactString(), Pieces: at}
	}
	return text{Pieces: at, Holes: []int{0}}
}

// slice returns the part of a text without holes.
func (t *text) slice(from, to int) text {
	part := text{SQL: t.SQL[from:to]}
	for i, p := range t.Pieces {
		end := len(t.SQL)
		if i+1 < len(t.Pieces) {
			end = t.Pieces[i+1].At
		}
		if end <= from || p.At >= to {
			continue
		}
		if p.At < from {
			p.Place, p.At = t.place(from), from
		}
		p.At -= from
		part.Pieces = append(part.Pieces, p)
	}
	return part
}

// literal returns the text of a string literal, with a piece for each line of a
// raw one, and for each run of plain characters of another.
func (p *resolver) literal(lit *ast.BasicLit) text {
	p.read[lit] = true
	value, err := strconv.Unquote(lit.Value)
	if err != nil {
		return text{Pieces: []piece{{Place: place{pos: lit.Pos()}}}, Holes: []int{0}}
	}
	t := text{SQL: value}
	if strings.HasPrefix(lit.Value, "`") {
		// Carriage returns are in the file, but not in the value.
		lines := strings.Count(value, "\n")
		dropped := 0
		if n := int(lit.End()-lit.Pos()) - len(lit.Value); n > 0 && n == lines {
			dropped = 1
		} else if n > 0 {
			t.Pieces = []piece{{Place: place{pos: lit.Pos()}}}
			return t
		}
		return lined(t, lit.Pos()+1, dropped)
	}
	quoted := lit.Value[1 : len(lit.Value)-1]
	plain := false
	for at, i := 0, 0; i < len(quoted); {
		_, multibyte, rest, err := strconv.UnquoteChar(quoted[i:], '"')
		if err != nil {
			break
		}
		n := len(quoted) - i - len(rest)
		escaped := quoted[i] == '\\'
		if escaped || !plain {
			t.Pieces = append(t.Pieces, piece{at, place{pos: lit.Pos() + 1 + token.Pos(i)}, !escaped})
		}
		plain = !escaped
		switch {
		case !escaped:
			at += n
		case multibyte:
			r, _, _, _ := strconv.UnquoteChar(quoted[i:], '"')
			at += utf8.RuneLen(r)
		default:
			at++
		}
		i += n
	}
	if len(t.Pieces) == 0 {
		t.Pieces = []piece{{Place: place{pos: lit.Pos()}}}
	}
	return t
}

// lined gives the text, which stands at pos byte for byte but for the bytes that
// are dropped at the end of each line, a piece for each of its lines.
func lined(t text, pos token.Pos, dropped int) text {
	for at := 0; ; {
		t.Pieces = append(t.Pieces, piece{at, place{pos: pos}, true})
		n := strings.IndexByte(t.SQL[at:], '\n') + 1
		if n == 0 {
			return t
		}
		at += n
		pos += token.Pos(n + dropped)
	}
}

// file returns the text of an embedded file. Diagnostics about it stand there.
func (p *resolver) file(name string, hole text) text {
	// Not by pass.ReadFile, which knows the package's Go files only.
	content, err := os.ReadFile(name)
	if err != nil || !utf8.Valid(content) {
		return hole
	}
	t := text{SQL: string(content)}
	line := 1
	for at := 0; ; line++ {
		t.Pieces = append(t.Pieces, piece{at, place{File: name, Line: line, Column: 1}, true})
		n := strings.IndexByte(t.SQL[at:], '\n') + 1
		if n == 0 {
			return t
		}
		at += n
	}
}

func isString(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}
