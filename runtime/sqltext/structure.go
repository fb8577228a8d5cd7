package sqltext

import (
	"cmp"
	"slices"
	"strings"
)

// A structure is what a CREATE statement makes, whatever its wording. Objects with
// the same structure are the same to SQLite: a column from ALTER TABLE and one from
// CREATE TABLE, a constraint of the column and the same constraint of the table. It
// has neither the names of constraints nor their order.
type structure struct {
	kind    string // "table", "virtual", "index", "view", "trigger", or "" if not understood
	columns []part // of a table, in order
	parts   []part // the rest, in any order
	text    string // the statement without CREATE and the name, for people
}

// A part is a column or clause, which can differ by itself.
type part struct {
	name string // of the column, or "PRIMARY KEY", "CHECK" and so on
	form string // the same for whatever means the same
	text string // for people
}

// write appends to the part.
//
//go:noinline
func (p *part) write(form, text string) { p.form, p.text = p.form+form, p.text+text }

// add adds a part of a table, which means nothing more if it is there twice.
//
//go:noinline
func (s *structure) add(p part) { s.parts = append(s.parts, without([]part{p}, s.parts)...) }

func samePart(a, b part) bool { return Equal(a.name, b.name) && a.form == b.form }

func (s *structure) same(other *structure) bool {
	return s.kind == other.kind && slices.EqualFunc(s.columns, other.columns, samePart) &&
		len(s.parts) == len(other.parts) && len(without(s.parts, other.parts)) == 0
}

// structure returns the structure of o. Other objects decide what names in it mean.
func (o *Object) structure(objects []Object) structure {
	lexemes := lex(o.SQL)
	p := parser{lexemes: lexemes}
	kind, _, unique := p.object()
	text := ""
	if unique {
		text = "UNIQUE "
	}
	if kind == "view" {
		p.accept("as")
	}
	begin := p.at
	s, form := structure{}, ""
	switch kind {
	case "table":
		if t, ok := parseTable(lexemes); ok {
			s = t.structure(objects)
		}
	case "virtual":
		for _, l := range lexemes[begin:] {
			form += l.key + " "
		}
	case "index":
		form = indexForm(&p, objects)
	case "view", "trigger":
		p.accept("before") // which holds without it
		e := expression{p, false, o.names(objects)}
		form = e.body()
	}
	if form != "" {
		s = structure{kind: kind, parts: []part{{form: text + form}}}
	} else if s.kind == "" {
		s.parts = []part{{form: exact(lexemes)}}
	}
	s.text = text + show(lexemes[begin:])
	return s
}

// indexForm reads what follows the name of the index in a CREATE INDEX statement. It returns
// "" if it does not understand it.
//
// https://sqlite.org/lang_createindex.html
func indexForm(p *parser, objects []Object) string {
	p.expect("on")
	t := findTable(objects, p.name())
	form := quoteFolded(t.name)
	e := expression{parser{lexemes: p.group()}, true, t.knows}
	for more := true; more; more = e.accept(",") {
		term, collation := e.expr(1), ""
		if collated, ok := strings.CutPrefix(term, "(collate "); ok {
			collation, term, _ = strings.Cut(collated[:len(collated)-1], " ")
		}
		// A string that is the name of a column is the column.
		if name := Unquote(term); name != term && t.column(name) != nil {
			term = quoteFolded(name)
			collation = cmp.Or(collation, quoteFolded(t.columnCollation(name)))
		}
		form += ", " + term + " COLLATE " + collation
		if !e.accept("asc") && e.accept("desc") {
			form += " DESC"
		}
	}
	if p.accept("where") {
		form += " WHERE " + t.form(p.lexemes[p.at:])
		p.at = len(p.lexemes)
	}
	if p.failed || p.at < len(p.lexemes) || e.failed || e.at < len(e.lexemes) {
		return ""
	}
	return form
}

// names returns a function that reports whether a name occurs in the schema where it
// cannot be a string.
func (o *Object) names(objects []Object) func(name string) bool {
	names := map[string]bool{"rowid": true, "oid": true, "rank": true, "key": true, "value": true} // which no table declares
	for _, other := range append([]Object{*o}, objects...) {
		if !strings.Contains(o.SQL, `"`) {
			break // nobody asks
		}
		lexemes := lex(other.SQL)
		for i, l := range lexemes {
			if l.kind == Word || l.kind == Quoted && (other.identity() != o.identity() || !isOperand(lexemes[:i])) {
				names[Name(l.text)] = true
			}
		}
	}
	return func(name string) bool { return names[Fold(name)] }
}

// isOperand reports whether an operand can follow the lexemes, and not only a name.
func isOperand(before []lexeme) bool {
	last := before[len(before)-1]
	switch last.text {
	case ")", ".":
		return false
	}
	naming := isOneOf(last.key, "as from into join on update with")
	return last.kind == Punct || last.kind == Word && isKeyword(last.key) && !naming
}

// findTable returns the table of that name, or an empty one if it is not there.
func findTable(objects []Object, name string) *table {
	i := slices.IndexFunc(objects, func(o Object) bool { return o.Type == "table" && Equal(o.Name, name) })
	if i < 0 {
		return &table{name: name}
	}
	t, _ := parseTable(lex(objects[i].SQL))
	return t
}

// differences says how found differs from s, in the words of the clauses.
func (s *structure) differences(found *structure) string {
	if s.kind != "table" || found.kind != "table" {
		return wantFound(s.text, found.text)
	}
	lines, wantOrder, foundOrder := "", "", "" // of the columns that both have
	for _, w := range s.columns {
		switch f := found.column(w.name); {
		case f == nil:
			lines += "; column " + w.name + ": missing"
			continue
		case f.form != w.form:
			lines += "; column " + w.name + ": " + wantFound(cmp.Or(w.text, "no type"), cmp.Or(f.text, "no type"))
		}
		wantOrder += ", " + w.name
	}
	for _, f := range found.columns {
		if s.column(f.name) == nil {
			lines += "; column " + f.name + ": not expected"
		} else {
			foundOrder += ", " + f.name
		}
	}
	if !Equal(wantOrder, foundOrder) {
		lines += "; columns: want " + wantOrder[2:] + ", found " + foundOrder[2:]
	}
	unexpected := without(found.parts, s.parts)
	for _, missing := range without(s.parts, found.parts) {
		instead := slices.IndexFunc(unexpected, func(u part) bool { return u.name == missing.name })
		if instead < 0 {
			lines += "; want " + missing.text + ", found none"
			continue
		}
		lines += "; " + wantFound(missing.text, unexpected[instead].text)
		unexpected[instead].name = "" // has been said
	}
	for _, u := range unexpected {
		if u.name != "" {
			lines += "; " + u.text + ": not expected"
		}
	}
	return strings.TrimPrefix(lines, "; ")
}

// column returns the column of that name, or nil.
//
//go:noinline
func (s *structure) column(name string) *part {
	i := slices.IndexFunc(s.columns, func(p part) bool { return Equal(p.name, name) })
	if i < 0 {
		return nil
	}
	return &s.columns[i]
}

// without returns the parts that are not among others.
//
//go:noinline
func without(parts, others []part) (rest []part) {
	for _, p := range parts {
		if !slices.ContainsFunc(others, func(o part) bool { return samePart(p, o) }) {
			rest = append(rest, p)
		}
	}
	return rest
}

// wantFound shows two texts. Of long ones it cuts the words that both have at their
// beginnings and ends, except for a few.
func wantFound(want, found string) string {
	const short, context = 100, 24
	if max(len(want), len(found)) > short {
		same := 0
		for same < min(len(want), len(found)) && want[same] == found[same] {
			same++
		}
		if i := strings.LastIndexByte(want[:max(0, same-context)], ' '); i >= 0 {
			want, found = "…"+want[i:], "…"+found[i:]
			same -= i - len("…")
		}
		end := 0
		for end < min(len(want), len(found))-same && want[len(want)-1-end] == found[len(found)-1-end] {
			end++
		}
		if i := strings.IndexByte(want[len(want)-max(0, end-context):], ' '); i >= 0 {
			cut := end - context - i
			want, found = want[:len(want)-cut]+" …", found[:len(found)-cut]+" …"
		}
	}
	return "want " + want + ", found " + found
}
