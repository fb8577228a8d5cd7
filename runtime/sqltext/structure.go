package sqltext

import (
	"cmp"
	"slices"
	"strings"
)

// A structure is what a CREATE statement makes, whatever its wording. Two objects
// whose structures are the same are the same to SQLite: a column that ALTER TABLE
// has added and one that was there from the beginning, a constraint of the column
// and the same one of the table. The names of constraints are not part of it, nor
// is their order.
type structure struct {
	kind    string // "table", "virtual", "index", "view", "trigger", or "" if not understood
	columns []part // of a table, in order
	parts   []part // the rest, in an order of its own
	text    string // the statement without CREATE and the name, for people
}

// A part is something of an object that can differ by itself.
type part struct {
	name string // of the column, or "PRIMARY KEY", "CHECK" and so on
	form string // the same for whatever means the same
	text string // for people
}

// sort brings the parts into an order that does not depend on that of the clauses,
// and leaves one of those that say the same.
func (s *structure) sort() {
	slices.SortStableFunc(s.parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(rank(a.name), rank(b.name)), cmp.Compare(a.form, b.form))
	})
	s.parts = slices.CompactFunc(s.parts, samePart)
}

func rank(name string) int {
	return slices.Index([]string{"PRIMARY KEY", "UNIQUE", "CHECK", "FOREIGN KEY"}, name)
}

func samePart(a, b part) bool { return a.name == b.name && a.form == b.form }

// sameColumn reports whether two columns that stand in the same place are the same.
func sameColumn(a, b part) bool { return Equal(a.name, b.name) && a.form == b.form }

func (s *structure) same(other *structure) bool {
	return s.kind == other.kind && slices.EqualFunc(s.columns, other.columns, sameColumn) && slices.EqualFunc(s.parts, other.parts, samePart)
}

// structure returns the structure of o. objects is where the table of an index is
// found: what its columns are decides what the expressions in it mean.
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

// indexStructure reads a CREATE INDEX statement from behind the name of the index.
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
	for len(terms) > 0 {
		n := termEnd(terms)
		s.parts = append(s.parts, part{name: "TERM", form: t.termForm(terms[:n])})
		terms = terms[min(n+1, len(terms)):]
	}
	if p.accept("where") {
		s.parts = append(s.parts, part{name: "WHERE", form: form(unwrap(p.rest()), t.knows)})
	}
	return s, !p.failed && p.done()
}

// findTable returns the table of that name. What is not known of it is empty.
func findTable(objects []Object, name string) *table {
	i := slices.IndexFunc(objects, func(o Object) bool { return o.Type == "table" && Equal(o.Name, name) })
	if i < 0 {
		return &table{name: name}
	}
	t, _ := parseTable(lex(objects[i].SQL))
	return t
}

// termEnd returns the index of the comma behind the first of the terms, or their
// number.
func termEnd(terms []lexeme) int {
	depth := 0
	for i, l := range terms {
		switch {
		case l.text == "(":
			depth++
		case l.text == ")":
			depth--
		case l.text == "," && depth == 0:
			return i
		}
	}
	return len(terms)
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
	if len(term) == 1 && t.column(Unquote(term[0].text)) != nil {
		// A column. A string that is the name of one stands for it.
		name := Unquote(term[0].text)
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

// differences says in what found is not as s, in the words of the clauses.
func (s *structure) differences(found *structure) (lines []string) {
	if s.kind != "table" || found.kind != "table" {
		want, found := narrow(s.body(found), found.body(s))
		return []string{"want " + want + ", found " + found}
	}
	var wantOrder, foundOrder []string // of the columns that both have
	for _, w := range s.columns {
		i := slices.IndexFunc(found.columns, func(f part) bool { return Equal(f.name, w.name) })
		if i < 0 {
			lines = append(lines, "column "+w.name+": missing")
			continue
		}
		wantOrder = append(wantOrder, w.name)
		if f := found.columns[i]; f.form != w.form {
			want, found := narrow(cmp.Or(w.text, "no type"), cmp.Or(f.text, "no type"))
			lines = append(lines, "column "+w.name+": want "+want+", found "+found)
		}
	}
	for _, f := range found.columns {
		if slices.ContainsFunc(s.columns, func(w part) bool { return Equal(f.name, w.name) }) {
			foundOrder = append(foundOrder, f.name)
		} else {
			lines = append(lines, "column "+f.name+": not expected")
		}
	}
	if !slices.EqualFunc(wantOrder, foundOrder, Equal) {
		lines = append(lines, "columns: want "+strings.Join(wantOrder, ", ")+", found "+strings.Join(foundOrder, ", "))
	}
	missing := without(s.parts, found.parts)
	unexpected := without(found.parts, s.parts)
	for _, m := range missing {
		i := slices.IndexFunc(unexpected, func(u part) bool { return u.name == m.name })
		if i < 0 {
			lines = append(lines, "want "+m.text+", found none")
			continue
		}
		want, found := narrow(m.text, unexpected[i].text)
		lines = append(lines, "want "+want+", found "+found)
		unexpected = slices.Delete(unexpected, i, i+1)
	}
	for _, u := range unexpected {
		lines = append(lines, u.text+": not expected")
	}
	return lines
}

// without returns the parts of a that b does not have.
func without(a, b []part) []part {
	return slices.DeleteFunc(slices.Clone(a), func(p part) bool {
		return slices.ContainsFunc(b, func(q part) bool { return samePart(p, q) })
	})
}

// body returns what is to be shown of s beside other.
func (s *structure) body(other *structure) string {
	const as = "AS "
	if s.kind == "view" && strings.HasPrefix(s.text, as) && strings.HasPrefix(other.text, as) {
		return s.text[len(as):]
	}
	return s.text
}

// narrow leaves out the words at the beginning and at the end that long texts have
// in common, but for a few.
func narrow(want, found string) (string, string) {
	const short, context = 100, 24
	if max(len(want), len(found)) <= short {
		return want, found
	}
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
	return want, found
}
