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
	parts   []part // the rest
	text    string // the statement without CREATE and the name, for people
}

// A part is a column or clause, which can differ by itself.
type part struct {
	name string // of the column, or "PRIMARY KEY", "CHECK" and so on
	form string // the same for whatever means the same
	text string // for people
}

// write appends to the part.
func (p *part) write(form, text string) { p.form, p.text = p.form+form, p.text+text }

// add adds a part of a table, whose order in the statement means nothing and which
// means nothing more if it is there twice.
func (s *structure) add(p part) {
	i, found := slices.BinarySearchFunc(s.parts, p, func(a, b part) int {
		return cmp.Or(cmp.Compare(rank(a.name), rank(b.name)), cmp.Compare(a.form, b.form))
	})
	if !found {
		s.parts = slices.Insert(s.parts, i, p)
	}
}

func rank(name string) int {
	return slices.Index([]string{"PRIMARY KEY", "UNIQUE", "CHECK", "FOREIGN KEY", "STRICT", "WITHOUT ROWID"}, name)
}

func (p *part) same(other *part) bool { return Equal(p.name, other.name) && p.form == other.form }

func sameParts(a, b []part) bool {
	return slices.EqualFunc(a, b, func(p, q part) bool { return p.same(&q) })
}

func (s *structure) same(other *structure) bool {
	return s.kind == other.kind && sameParts(s.columns, other.columns) && sameParts(s.parts, other.parts)
}

// structure returns the structure of o. If o is an index, its table is among objects:
// the table's columns decide what the expressions of the index mean.
func (o *Object) structure(objects []Object) structure {
	lexemes := lex(o.SQL)
	p := parser{lexemes: lexemes}
	kind, _, unique := p.create()
	begin := p.at
	s, ok := structure{}, !p.failed
	switch kind {
	case "table":
		var t *table
		if t, ok = parseTable(lexemes); ok {
			s = t.structure()
		}
	case "virtual":
		s = structure{kind: kind, parts: []part{{form: form(p.rest(), knowsNothing)}}}
	case "index":
		s, ok = indexStructure(&p, unique, objects)
	case "view", "trigger":
		s = structure{kind: kind, parts: []part{{form: form(p.rest(), func(name string) bool { return Equal(name, o.Table) })}}}
	}
	if !ok {
		return structure{parts: []part{{form: exact(lexemes)}}, text: show(lexemes)}
	}
	s.text = show(lexemes[begin:])
	if unique {
		s.text = "UNIQUE " + s.text
	}
	return s
}

// indexStructure reads what follows the name of the index in a CREATE INDEX statement.
//
// https://sqlite.org/lang_createindex.html
func indexStructure(p *parser, unique bool, objects []Object) (s structure, ok bool) {
	p.expect("on")
	name := p.name()
	t := findTable(objects, name)
	terms := p.group()
	s = structure{kind: "index", parts: []part{{name: "ON", form: quoteFolded(name)}}}
	if unique {
		s.parts = append(s.parts, part{name: "UNIQUE"})
	}
	for _, term := range splitTerms(terms) {
		s.parts = append(s.parts, part{name: "TERM", form: t.termForm(term)})
	}
	if p.accept("where") {
		s.parts = append(s.parts, part{name: "WHERE", form: form(unwrap(p.rest()), t.knows)})
	}
	return s, !p.failed && p.done()
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

// splitTerms splits the terms of an index at the commas outside of parentheses.
func splitTerms(lexemes []lexeme) (terms [][]lexeme) {
	from, depth := 0, 0
	for i, l := range lexemes {
		switch {
		case l.text == "(":
			depth++
		case l.text == ")":
			depth--
		case l.text == "," && depth == 0:
			terms = append(terms, lexemes[from:i])
			from = i + 1
		}
	}
	if from < len(lexemes) {
		terms = append(terms, lexemes[from:])
	}
	return terms
}

// termForm returns the form of one term of an index: a column or an expression,
// with its collation and order.
func (t *table) termForm(term []lexeme) string {
	order := ""
	if n := len(term) - 1; n > 0 && term[n].kind == Word {
		switch term[n].key {
		case "desc":
			order = " DESC"
			term = term[:n]
		case "asc":
			term = term[:n]
		}
	}
	collation := ""
	if n := len(term) - 2; n > 0 && term[n].kind == Word && term[n].key == "collate" {
		collation = Name(term[n+1].text)
		term = term[:n]
	}
	term = unwrap(term)
	// A string that is the name of a column is the column.
	if name := Unquote(term[0].text); len(term) == 1 && t.column(name) != nil {
		if collation == "" {
			collation = t.columnCollation(name)
		}
		return quoteFolded(name) + " COLLATE " + collation + order
	}
	if collation != "" {
		collation = " COLLATE " + collation
	}
	return form(term, t.knows) + collation + order
}

// differences says how found differs from s, in the words of the clauses.
func (s *structure) differences(found *structure) (lines []string) {
	if s.kind != "table" || found.kind != "table" {
		return []string{wantFound(s.body(found), found.body(s))}
	}
	var wantOrder, foundOrder []string // of the columns that both have
	for _, w := range s.columns {
		f := found.column(w.name)
		if f == nil {
			lines = append(lines, "column "+w.name+": missing")
			continue
		}
		wantOrder = append(wantOrder, w.name)
		if f.form != w.form {
			lines = append(lines, "column "+w.name+": "+wantFound(cmp.Or(w.text, "no type"), cmp.Or(f.text, "no type")))
		}
	}
	for _, f := range found.columns {
		if s.column(f.name) == nil {
			lines = append(lines, "column "+f.name+": not expected")
		} else {
			foundOrder = append(foundOrder, f.name)
		}
	}
	if !slices.EqualFunc(wantOrder, foundOrder, Equal) {
		lines = append(lines, "columns: want "+strings.Join(wantOrder, ", ")+", found "+strings.Join(foundOrder, ", "))
	}
	unexpected := found.without(s)
	for _, missing := range s.without(found) {
		i := slices.IndexFunc(unexpected, func(u part) bool { return u.name == missing.name })
		if i < 0 {
			lines = append(lines, "want "+missing.text+", found none")
			continue
		}
		lines = append(lines, wantFound(missing.text, unexpected[i].text))
		unexpected = slices.Delete(unexpected, i, i+1)
	}
	for _, u := range unexpected {
		lines = append(lines, u.text+": not expected")
	}
	return lines
}

// column returns the column of that name, or nil.
func (s *structure) column(name string) *part {
	for i := range s.columns {
		if Equal(s.columns[i].name, name) {
			return &s.columns[i]
		}
	}
	return nil
}

// without returns the parts of s that are not in other.
func (s *structure) without(other *structure) (parts []part) {
	for _, p := range s.parts {
		if !slices.ContainsFunc(other.parts, func(q part) bool { return p.same(&q) }) {
			parts = append(parts, p)
		}
	}
	return parts
}

// body returns the text to show of s beside other.
func (s *structure) body(other *structure) string {
	const as = "AS "
	if s.kind == "view" && strings.HasPrefix(s.text, as) && strings.HasPrefix(other.text, as) {
		return s.text[len(as):]
	}
	return s.text
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
