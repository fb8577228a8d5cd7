package sqlcheck

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/tools/go/analysis"
	"golang.org/x/tools/go/ast/inspector"
)

// resolver is what is known about the strings of a package.
type resolver struct {
	pass   *analysis.Pass
	in     *inspector.Inspector
	values map[types.Object][]value // what variables and constants are set to
	embeds map[types.Object]string  // the file that go:embed puts into a string
	files  map[string]bool          // embedded files that are read
	read   map[ast.Node]bool        // literals that are part of a query
	texts  map[use][]text           // nil while they are read
	graphs map[ast.Node]*graph      // of functions
}

// A use of a variable is where it is used, and what is put between the strings of a list.
type use struct {
	pos     token.Pos
	between string
}

func newResolver(pass *analysis.Pass) *resolver {
	p := &resolver{pass, inspector.New(pass.Files), map[types.Object][]value{}, map[types.Object]string{},
		map[string]bool{}, map[ast.Node]bool{}, map[use][]text{}, map[ast.Node]*graph{}}
	p.findValues()
	return p
}

// embed notes the file of a //go:embed line above a variable. Patterns that may match
// more than one file are the compiler's to refuse.
func (p *resolver) embed(decl *ast.GenDecl, v *ast.ValueSpec) {
	doc := v.Doc
	if doc == nil && len(decl.Specs) == 1 {
		doc = decl.Doc
	}
	if doc == nil || len(v.Names) != 1 || len(v.Values) > 0 || !isText(p.pass.TypesInfo.TypeOf(v.Names[0])) {
		return
	}
	for _, c := range doc.List {
		d, ok := ast.ParseDirective(c.Pos(), c.Text)
		if args, err := d.ParseArgs(); ok && d.Tool == "go" && d.Name == "embed" && err == nil && len(args) > 0 {
			name := filepath.Join(filepath.Dir(p.at(v.Pos()).File), filepath.FromSlash(args[0].Arg))
			p.embeds[p.pass.TypesInfo.Defs[v.Names[0]]], p.files[name] = name, true
		}
	}
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

// most is how many texts a string may be before some are put together.
const most = 64

// fold returns what the string may be.
func (p *resolver) fold(e ast.Expr) (all []text) {
	e = ast.Unparen(e)
	switch e := e.(type) {
	case *ast.BasicLit:
		all = p.literal(e)
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			all = joined(p.fold(e.X), p.fold(e.Y))
		}
	case *ast.Ident:
		all = p.name(e)
	case *ast.SelectorExpr:
		all = p.name(e.Sel)
	case *ast.CallExpr:
		all = p.call(e)
	case *ast.IndexExpr:
		all = p.index(e)
	case *ast.CompositeLit: // of a builder
		if len(e.Elts) == 0 {
			all = []text{p.constantAt(e.Pos(), "")}
		}
	case *ast.UnaryExpr:
		if e.Op == token.AND {
			return p.fold(e.X)
		}
	}
	// The type checker has the last word on what a constant is.
	if s, ok := p.constantString(e); ok && (len(all) != 1 || len(all[0].Holes) > 0 || all[0].SQL != s) {
		return []text{p.constantAt(e.Pos(), s)}
	}
	if len(all) == 0 || len(all) > most {
		return []text{p.unknown(e.Pos())}
	}
	return all
}

// joined returns each of the first texts with each of the second added.
func joined(first, second []text) (all []text) {
	for _, a := range first {
		for _, b := range second {
			t := a
			t.Pieces, t.Holes, t.Odd = slices.Clip(a.Pieces), slices.Clip(a.Holes), slices.Clip(a.Odd)
			t.add(b)
			all = append(all, t)
		}
	}
	return all
}

// name returns what a constant or variable may be.
func (p *resolver) name(id *ast.Ident) []text {
	obj := p.named(id)
	if obj == nil || !isText(obj.Type()) {
		return nil
	}
	switch obj := obj.(type) {
	case *types.Const:
		if values := p.values[obj]; len(values) == 1 && values[0].expr != nil {
			return p.fold(values[0].expr)
		}
	case *types.Var:
		if name, ok := p.embeds[obj]; ok {
			if len(p.values[obj]) > 1 {
				return nil
			}
			return p.file(name)
		}
		return p.variable(obj, id.Pos(), "", p.fold)
	}
	return nil
}

// variable returns what a variable may be where it is used, by what the expressions may be
// that it is set to. A list of strings is what they are with something between them.
func (p *resolver) variable(v *types.Var, pos token.Pos, between string, expr func(ast.Expr) []text) (all []text) {
	at := use{pos, between}
	if all, ok := p.texts[at]; ok {
		return all // nothing, if it depends on itself
	}
	p.texts[at] = nil
	grows := false
	for _, x := range p.reaching(v, pos) {
		switch {
		case x.does == zero:
			all = append(all, p.constantAt(pos, ""))
		case x.does == set && x.result == 0:
			values := expr(x.expr)
			if len(values) == 0 {
				values = []text{p.unknown(pos)}
			}
			all = append(all, values...)
		case x.does == add:
			before := p.variable(v, x.at, between, expr)
			grows = grows || before == nil
			all = append(all, joined(before, expr(x.expr))...)
		default:
			all = append(all, p.unknown(pos))
		}
	}
	if grows || len(all) > most {
		all = p.beginning(all, pos)
	}
	p.texts[at] = all
	return all
}

// beginning returns a text with what all texts begin with, and a hole.
func (p *resolver) beginning(all []text, pos token.Pos) []text {
	if len(all) == 0 {
		return nil
	}
	n := len(all[0].SQL)
	for _, t := range all {
		n = min(n, len(t.SQL), slices.Min(append(slices.Clip(t.Holes), n)))
		for t.SQL[:n] != all[0].SQL[:n] {
			n--
		}
	}
	begin := all[0].slice(0, n)
	begin.add(p.unknown(pos))
	return []text{begin}
}

// call returns what the result of a conversion, or of a function that makes strings, may
// be.
func (p *resolver) call(call *ast.CallExpr) []text {
	if tv := p.pass.TypesInfo.Types[call.Fun]; tv.IsType() {
		if isString(tv.Type) && isText(p.pass.TypesInfo.TypeOf(call.Args[0])) {
			return p.fold(call.Args[0])
		}
		return nil
	}
	if fn := p.calleeName(call); fn == "(embed.FS).ReadFile" || fn == "io/fs.ReadFile" {
		fsys := receiver(call)
		if fn == "io/fs.ReadFile" {
			fsys = call.Args[0]
		}
		v := p.named(fsys)
		name, ok := p.constantString(call.Args[len(call.Args)-1])
		if ok && v != nil && v.Pkg() == p.pass.Pkg && isNamed(v.Type(), "embed", "FS") {
			return p.file(filepath.Join(filepath.Dir(p.at(v.Pos()).File), filepath.FromSlash(name)))
		}
		return nil
	}
	if b := p.builder(call); b != nil {
		p.read[call] = true
		return p.built(b)
	}
	if from, loose := p.passed(call); from != nil {
		all := slices.Clone(p.fold(from))
		for i := range all {
			all[i].Loose = all[i].Loose || loose
		}
		return all
	}
	if fn := p.callee(call); fn != nil && begins(fn.Pkg().Path(), stringPackages) && !p.spread(call) {
		return p.written(call, fn)
	}
	return nil
}

// passed returns the argument whose text the call returns, as it is to SQLite, or nil, and
// whether the number of its parameters may change.
func (p *resolver) passed(call *ast.CallExpr) (from ast.Expr, loose bool) {
	fn := p.callee(call)
	if fn == nil || p.spread(call) && !call.Ellipsis.IsValid() {
		return nil, false
	}
	sig, path := fn.Signature(), fn.Pkg().Path()
	switch {
	case path == "strings" && begins(fn.Name(), " TrimSpace Clone "):
	case path == sqlxPath && begins(fn.Name(), " Rebind BindNamed Named In "),
		fn.Name() == "Rebind" && sig.Recv() != nil && types.IsInterface(sig.Recv().Type()) && sig.Params().Len() == 1 && sig.Results().Len() == 1:
	default:
		return nil, false
	}
	for i, param := range slices.Collect(sig.Params().Variables()) {
		if isString(param.Type()) && i < len(call.Args) {
			return call.Args[i], begins(fn.Name(), " BindNamed Named In ")
		}
	}
	return nil, false
}

// spread reports whether the arguments of the call are not in it one by one.
func (p *resolver) spread(call *ast.CallExpr) bool {
	if len(call.Args) == 1 {
		if _, ok := p.pass.TypesInfo.TypeOf(call.Args[0]).(*types.Tuple); ok {
			return true // f(g())
		}
	}
	return call.Ellipsis.IsValid()
}

// verbs matches those of fmt.Sprintf that have no flags.
var verbs = regexp.MustCompile(`(?s)%.?`)

// sprintf formats. It does not know verbs other than %s, %d, %v and %q.
func (p *resolver) sprintf(format ast.Expr, args []ast.Expr) (all []text) {
	for _, t := range p.fold(format) {
		next := 0
		formatted := substitute(t, verbs.FindAllStringIndex(t.SQL, -1), func(verb text) []text {
			switch {
			case verb.SQL == "%%":
				return []text{verb.slice(1, 2)}
			case !strings.Contains("%s%d%v%q", verb.SQL) || len(verb.SQL) < 2 || next == len(args):
				return nil
			}
			next++
			return p.argument(args[next-1], verb.SQL[1])
		})
		if formatted == nil {
			return nil
		}
		all = append(all, formatted...)
	}
	return all
}

// substitute returns the text with others in the place of some ranges, or nil.
func substitute(t text, ranges [][]int, with func(text) []text) []text {
	if len(t.Holes) > 0 {
		return nil
	}
	all, from := []text{{Pieces: t.Pieces[:1]}}, 0
	for _, r := range ranges {
		all = joined(joined(all, []text{t.slice(from, r[0])}), with(t.slice(r[0], r[1])))
		if len(all) > most {
			return nil
		}
		from = r[1]
	}
	return joined(all, []text{t.slice(from, len(t.SQL))})
}

// argument returns what an argument of fmt.Sprintf puts in the place of its verb.
func (p *resolver) argument(e ast.Expr, verb byte) []text {
	v, t := p.value(e), p.pass.TypesInfo.TypeOf(e)
	asks := slices.ContainsFunc([]string{"Format", "Error", "String"}, func(name string) bool {
		method, _, _ := types.LookupFieldOrMethod(t, false, nil, name)
		return method != nil
	})
	switch {
	case asks && verb != 'd': // what fmt writes is what the method returns
	case verb != 'q' && isString(t):
		return p.fold(e)
	case v.Kind() == constant.String && verb == 'q':
		return []text{p.constantAt(e.Pos(), strconv.Quote(constant.StringVal(v)))}
	case v.Kind() == constant.Int && verb != 'q':
		return []text{p.constantAt(e.Pos(), v.ExactString())}
	}
	return []text{p.unknown(e.Pos())}
}

// literal returns the text of a string literal, with a piece for each line of a raw
// one, and for each run of plain characters of another.
func (p *resolver) literal(lit *ast.BasicLit) []text {
	value, err := strconv.Unquote(lit.Value)
	if lit.Kind != token.STRING || err != nil {
		return nil
	}
	p.read[lit] = true
	if lit.Value[0] == '`' {
		// Carriage returns are in the file, but not in the value.
		returns := int(lit.End()-lit.Pos()) - len(lit.Value)
		if returns > 0 && returns != strings.Count(value, "\n") {
			return []text{p.constantAt(lit.Pos(), value)}
		}
		each := min(returns, 1)
		return lined(value, func(line, offset int) place {
			return p.at(lit.Pos() + 1 + token.Pos(offset+line*each))
		})
	}
	t := p.constantAt(lit.Pos(), value)
	plain := false
	for at, rest := 0, lit.Value[1:len(lit.Value)-1]; rest != ""; {
		escaped := rest[0] == '\\'
		if escaped || !plain {
			t.Pieces = append(t.Pieces, piece{at, p.at(lit.End() - token.Pos(len(rest)+1)), !escaped})
		}
		plain = !escaped
		var r rune
		var multibyte bool
		if r, multibyte, rest, _ = strconv.UnquoteChar(rest, '"'); multibyte {
			at += utf8.RuneLen(r)
		} else {
			at++
		}
	}
	return []text{t}
}

// file returns the text of an embedded file. Diagnostics about it are in that file.
func (p *resolver) file(name string) []text {
	p.files[name] = true
	// Not by pass.ReadFile, which knows the package's Go files only.
	content, err := os.ReadFile(name)
	if err != nil || !utf8.Valid(content) {
		return nil
	}
	return lined(string(content), func(line, offset int) place {
		return place{File: name, Line: line + 1, Column: 1}
	})
}

// isText reports whether values of the type are strings or []byte.
func isText(t types.Type) bool {
	if t != nil {
		if list, ok := t.Underlying().(*types.Slice); ok {
			t = list.Elem()
			b, ok := t.Underlying().(*types.Basic)
			return ok && b.Kind() == types.Byte
		}
	}
	return isString(t)
}

func isString(t types.Type) bool {
	if t == nil {
		return false
	}
	b, ok := t.Underlying().(*types.Basic)
	return ok && b.Info()&types.IsString != 0
}
