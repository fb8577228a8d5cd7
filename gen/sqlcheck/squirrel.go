package sqlcheck

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// A chain is the calls that build a statement, the first one first.
type chain []*ast.CallExpr

// builder returns the builder of squirrel's whose statement the call makes or runs, or nil.
func (p *resolver) builder(call *ast.CallExpr) ast.Expr {
	fn := p.callee(call)
	if fn == nil || fn.Pkg().Path() != squirrelPath || fn.Signature().Recv() == nil || isScanner(fn.Signature().Recv().Type()) ||
		!begins(strings.TrimSuffix(fn.Name(), "Context"), " ToSql MustSql Exec Query QueryRow Scan ") {
		return nil
	}
	return receiver(call)
}

// chains returns the chains that a builder may be. Of a loop, they have one round. One that
// is not known begins with nil.
func (p *resolver) chains(e ast.Expr) (all []chain) {
	if isNamed(p.pass.TypesInfo.TypeOf(e), squirrelPath, "StatementBuilderType") {
		return []chain{{}} // it only says how placeholders are written, and where it runs
	}
	switch e := ast.Unparen(e).(type) {
	case *ast.CallExpr:
		fn := p.callee(e)
		if fn == nil || fn.Pkg().Path() != squirrelPath {
			break
		}
		all = []chain{{}}
		if fn.Signature().Recv() != nil {
			all = p.chains(receiver(e))
		}
		for i, c := range all {
			all[i] = append(slices.Clip(c), e)
		}
		return all
	case *ast.Ident, *ast.SelectorExpr:
		v, ok := p.named(e).(*types.Var)
		at := use{e.Pos(), "chain"}
		if _, now := p.texts[at]; now {
			return nil
		}
		if !ok || v.Pkg() == nil {
			break
		}
		p.texts[at] = nil
		defer delete(p.texts, at)
		for _, x := range p.reaching(v, e.Pos()) {
			if x.does != set || x.result != 0 {
				return []chain{{nil}}
			}
			all = append(all, p.chains(x.expr)...)
		}
		if len(all) <= most {
			return all
		}
	}
	return []chain{{nil}}
}

// A clause is a part of some statements: what makes it, and what is written before,
// between and after.
type clause struct{ of, methods, begin, between, end string }

// clauses are all, in order. What has nothing between is there once, and what nothing
// makes is the word that the statement begins with.
var clauses = []clause{
	{anyBuilder, " Prefix PrefixExpr ", "", " ", " "},
	{anyBuilder, "", "", "", ""},
	{" Insert Replace Update ", " Options ", "", " ", " "},
	{" Select ", " Select Columns Column ", "", ", ", ""},
	{" Insert Replace ", " Insert Replace Into ", "INTO ", "", ""},
	{" Update ", " Update Table ", "", "", ""},
	{" Insert Replace ", " Columns SetMap ", " (", ", ", ")"},
	{" Insert Replace ", " Values SetMap ", " VALUES ", ", ", ""},
	{" Insert Replace ", " Select ", " ", "", ""},
	{" Update ", " Set SetMap ", " SET ", ", ", ""},
	{" Delete ", " Delete From ", "FROM ", "", ""},
	{" Select Update ", " From FromSelect ", " FROM ", "", ""},
	{" Select ", " JoinClause Join LeftJoin RightJoin InnerJoin CrossJoin ", " ", " ", ""},
	{" Select Update Delete ", " Where ", " WHERE ", " AND ", ""},
	{" Select ", " GroupBy ", " GROUP BY ", ", ", ""},
	{" Select ", " Having ", " HAVING ", " AND ", ""},
	{" Select ", " OrderBy OrderByClause ", " ORDER BY ", ", ", ""},
	{anyBuilder, " Suffix SuffixExpr ", " ", " ", ""},
}

const (
	anyBuilder = " Select Insert Replace Update Delete "
	unwritten  = " Distinct Limit Offset RemoveLimit RemoveOffset PlaceholderFormat RunWith " // it makes no difference here
)

// built returns what the statement of a builder may be, or nil.
func (p *resolver) built(e ast.Expr) (all []text) {
	for _, c := range p.chains(e) {
		all = append(all, p.assembled(c)...)
	}
	if slices.ContainsFunc(all, func(t text) bool { return t.Pieces == nil }) {
		return nil
	}
	return all
}

// assembled returns what the statement of a chain may be; a text without pieces, if it is
// not known.
func (p *resolver) assembled(c chain) []text {
	names, of, all := map[*ast.CallExpr]string{}, "", []text{{}}
	for _, call := range c {
		if call == nil {
			return []text{{}}
		}
		name := p.callee(call).Name()
		names[call] = name
		if begins(name, anyBuilder) && of == "" {
			of = name
		}
		if !begins(name, unwritten) && !slices.ContainsFunc(clauses, func(c clause) bool { return begins(name, c.methods) }) {
			return []text{{}}
		}
	}
	for _, clause := range clauses {
		if !begins(of, clause.of) {
			continue
		}
		section := []text{{}}
		if clause.methods == "" {
			section[0] = p.constantAt(nameOf(c[0]), strings.ToUpper(of)+" ")
			section[0].Built = true
		}
		for _, call := range c {
			if !begins(names[call], clause.methods) {
				continue
			}
			if clause.between == "" {
				section = []text{{}}
			}
			for _, part := range p.parts(names[call], clause.begin, call) {
				var longer []text
				for _, t := range section {
					mark := p.constantAt(nameOf(call), clause.between)
					if isEmpty(t) {
						mark.SQL = clause.begin
					}
					for _, more := range part {
						if isEmpty(more) {
							longer = append(longer, t)
						} else {
							more.miscounts(p.at(nameOf(call)))
							longer = append(longer, joined(joined([]text{t}, []text{mark}), []text{more})...)
						}
					}
				}
				if section = longer; len(section) > most {
					return []text{{}}
				}
			}
		}
		for i := range section {
			if !isEmpty(section[i]) {
				section[i].add(p.constantAt(nameOf(c[0]), clause.end))
			}
		}
		if all = joined(all, section); len(all) > most {
			return []text{{}}
		}
	}
	return all
}

// parts returns what a method adds to a clause: what each part of it may be.
func (p *resolver) parts(method, begin string, call *ast.CallExpr) (all [][]text) {
	at, args := nameOf(call), call.Args
	switch {
	case p.spread(call) && !call.Ellipsis.IsValid(): // Set(column())
		return [][]text{{p.unknown(at)}}
	case method == "SetMap":
		lit, _ := ast.Unparen(args[0]).(*ast.CompositeLit)
		if lit == nil {
			return [][]text{{p.unknown(at)}}
		}
		var columns, set [][]text
		var values []ast.Expr
		for _, elt := range lit.Elts {
			pair := elt.(*ast.KeyValueExpr)
			columns = append(columns, p.fold(pair.Key))
			set = append(set, p.glue(at, p.fold(pair.Key), " = ", p.assigned(pair.Value, true)))
			values = append(values, pair.Value)
		}
		return map[string][][]text{" (": columns, " SET ": set, " VALUES ": {p.row(at, values)}}[begin]
	case begins(method, " Columns Options GroupBy OrderBy "), method == "Select" && begin == "":
		if call.Ellipsis.IsValid() {
			if _, args = p.elements(args[0]); args == nil {
				return [][]text{{p.unknown(at)}}
			}
		}
		for _, arg := range args {
			all = append(all, p.fold(arg))
		}
		return all
	case method == "Values" && call.Ellipsis.IsValid():
		return [][]text{p.glue(at, "(", []text{p.unknown(at)}, ")")}
	case method == "Values":
		return [][]text{p.row(at, args)}
	case method == "Set":
		return [][]text{p.glue(at, p.fold(args[0]), " = ", p.assigned(args[1], true))}
	case method == "FromSelect":
		return [][]text{p.glue(at, "(", p.condition(args[0], nil, false), ") AS ", p.fold(args[1]))}
	case strings.HasSuffix(method, "Join"):
		return [][]text{p.glue(at, strings.ToUpper(strings.TrimSuffix(method, "Join")), " JOIN ", p.condition(args[0], args[1:], call.Ellipsis.IsValid()))}
	}
	return [][]text{p.condition(args[0], args[1:], call.Ellipsis.IsValid())}
}

// row returns the values in parentheses.
func (p *resolver) row(at token.Pos, values []ast.Expr) []text {
	parts := []any{"("}
	for i, value := range values {
		parts = append(parts, ", "[:min(i, 1)*2], p.assigned(value, false))
	}
	return p.glue(at, append(parts, ")")...)
}

// glue returns the strings and lists of texts one after the other.
func (p *resolver) glue(at token.Pos, parts ...any) []text {
	all := []text{{}}
	for _, part := range parts {
		more, ok := part.([]text)
		if !ok {
			more = []text{p.constantAt(at, part.(string))}
		}
		if all = joined(all, more); len(all) > most {
			return []text{p.unknown(at)}
		}
	}
	return all
}

// hasSQL reports whether the value has the method ToSql.
func (p *resolver) hasSQL(e ast.Expr) bool {
	method, _, _ := types.LookupFieldOrMethod(p.pass.TypesInfo.TypeOf(e), true, nil, "ToSql")
	return method != nil
}

// assigned returns what is written for a value, of SET or of a row.
func (p *resolver) assigned(e ast.Expr, set bool) []text {
	switch {
	case set && isNamed(p.pass.TypesInfo.TypeOf(e), squirrelPath, "SelectBuilder"):
		return p.glue(e.Pos(), "(", p.condition(e, nil, false), ")")
	case p.hasSQL(e):
		return p.condition(e, nil, false)
	}
	one := p.constantAt(e.Pos(), "?") // or any other expression, with its arguments
	one.Args = 1
	return []text{one}
}

// condition returns what is written for a string with arguments, or for what has ToSql.
func (p *resolver) condition(e ast.Expr, args []ast.Expr, spread bool) (all []text) {
	if slices.ContainsFunc(args, p.hasSQL) {
		return []text{p.unknown(e.Pos())} // it may be written in the place of its "?"
	}
	if isString(p.pass.TypesInfo.TypeOf(e)) {
		for _, t := range p.fold(e) {
			t.Args += len(args)
			t.Loose = t.Loose || spread || strings.Contains(t.SQL, "??")
			all = append(all, t)
		}
		return all
	}
	switch e := ast.Unparen(e).(type) {
	case *ast.CompositeLit: // Eq{"id": id}, And{…}
		name, between := types.TypeString(p.pass.TypesInfo.TypeOf(e), func(*types.Package) string { return "" }), " AND "
		if name == "Or" {
			between = " OR "
		}
		parts := []any{"("}
		for i, elt := range e.Elts {
			parts = append(parts, between[:min(i, 1)*len(between)])
			if pair, ok := elt.(*ast.KeyValueExpr); ok {
				parts = append(parts, p.fold(pair.Key), " IS NULL") // whatever the value is
			} else {
				parts = append(parts, p.condition(elt, nil, false))
			}
		}
		if len(e.Elts) > 0 && begins(name, " And Or Eq NotEq Lt LtOrEq Gt GtOrEq Like NotLike ILike NotILike ") {
			return p.glue(e.Pos(), append(parts, ")")...)
		}
	case *ast.CallExpr:
		if p.calleeName(e) == squirrelPath+".Expr" && len(e.Args) > 0 {
			return p.condition(e.Args[0], e.Args[1:], e.Ellipsis.IsValid())
		}
	}
	if isNamed(p.pass.TypesInfo.TypeOf(e), squirrelPath, "SelectBuilder") {
		if all := p.built(e); all != nil {
			return all
		}
	}
	return []text{p.unknown(e.Pos())}
}

// miscounts notes if the text has another number of arguments than of parameters.
func (t *text) miscounts(at place) {
	params := 0
	script := sqltext.Parse(t.SQL)
	for _, token := range script.Tokens {
		if token.Kind == sqltext.Variable {
			params++
		}
	}
	if params != t.Args && len(t.Holes) == 0 && len(t.Odd) == 0 {
		t.Odd = append(t.Odd, finding{"args", at, callHas(t.Args, params), true})
	}
}
