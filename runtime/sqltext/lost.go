package sqltext

import (
	"slices"
	"strings"
)

// Lost returns the constraints of a table before that it lacks after, in any form, though it
// still has their columns. The foreign keys refer to tables among the objects.
func Lost(name string, before, after []Object) (lost []string) {
	was, is := findTable(before, name), findTable(after, name)
	kept := func(columns ...string) bool {
		return !slices.ContainsFunc(columns, func(c string) bool { return is.column(c) == nil })
	}
	for i := range was.columns {
		w := &was.columns[i]
		c := is.column(w.name)
		if c == nil || c.generated != nil {
			continue
		}
		if was.isNotNull(w) && !is.isNotNull(c) && !is.inKey(c) {
			lost = append(lost, "NOT NULL of "+w.name)
		}
		if was.defaultForm(w) != "null" && is.defaultForm(c) == "null" {
			lost = append(lost, "DEFAULT "+show(w.value)+" of "+w.name)
		}
		if w.collation != "" && c.collation == "" && was.columnCollation(w.name) != "binary" {
			lost = append(lost, "COLLATE "+w.collation+" of "+w.name)
		}
	}
	switch {
	case was.primary == nil:
	case is.primary == nil && kept(was.primary.names()...) && !is.hasKey(was.primary, after):
		lost = append(lost, was.keyPart("PRIMARY KEY", was.primary).text)
	case was.primary.autoincrement && is.primary != nil && !is.primary.autoincrement && is.hasRowidAlias():
		lost = append(lost, "AUTOINCREMENT")
	}
	for _, k := range was.unique {
		if kept(k.names()...) && !is.hasKey(k, after) {
			lost = append(lost, was.keyPart("UNIQUE", k).text)
		}
	}
	forms := func(t *table) (forms []string) {
		for _, check := range t.checks {
			forms = append(forms, t.form(check))
		}
		return forms
	}
	missing, more := forms(was), forms(is)
	for i, check := range was.checks {
		var columns []string
		for _, l := range check {
			if c := was.column(Unquote(l.text)); c != nil && l.kind != String {
				columns = append(columns, c.name)
			}
		}
		another := func(form string) bool { // about the same columns
			return !slices.Contains(missing, form) && slices.ContainsFunc(columns, func(c string) bool { return strings.Contains(form, quoteFolded(c)) })
		}
		if kept(columns...) && !slices.Contains(more, missing[i]) && !slices.ContainsFunc(more, another) && !is.refersAnew(was, columns) {
			lost = append(lost, "CHECK ("+show(check)+")")
		}
	}
	for _, fk := range was.foreign {
		if findTable(after, fk.parent).columns == nil || !kept(fk.columns...) {
			continue
		}
		of := " of " + strings.Join(fk.columns, ", ")
		i := slices.IndexFunc(is.foreign, func(other foreignKey) bool {
			return slices.ContainsFunc(fk.columns, func(c string) bool { return hasName(other.columns, c) })
		})
		if i < 0 {
			lost = append(lost, "REFERENCES "+fk.parent+of)
			continue
		}
		for n, clause := range fk.clauses {
			if clause != "" && is.foreign[i].clauses[n] == "" {
				lost = append(lost, strings.TrimSpace(clause)+of)
			}
		}
	}
	return lost
}

// refersAnew reports whether columns have become a foreign key: the rows of the parent may
// now be what is allowed in them.
func (t *table) refersAnew(was *table, columns []string) bool {
	columns = slices.Compact(slices.Clone(columns))
	refers := func(fk foreignKey) bool { return slices.EqualFunc(fk.columns, columns, Equal) }
	return slices.ContainsFunc(t.foreign, refers) && !slices.ContainsFunc(was.foreign, refers)
}

// hasKey reports whether a constraint or an index makes some columns of the key unique, or
// all of them together with others.
func (t *table) hasKey(k *key, objects []Object) bool {
	all := func(columns, others []string) bool {
		return !slices.ContainsFunc(columns, func(c string) bool { return !hasName(others, c) })
	}
	within := func(columns []string) bool {
		return len(columns) > 0 && (all(columns, k.names()) || all(k.names(), columns))
	}
	if within(t.primary.names()) || slices.ContainsFunc(t.unique, func(k *key) bool { return within(k.names()) }) {
		return true
	}
	return slices.ContainsFunc(objects, func(o Object) bool {
		p := parser{lexemes: lex(o.SQL)}
		kind, _, unique := p.object()
		if kind != "index" || !unique || !Equal(o.Table, t.name) {
			return false
		}
		p.expect("on")
		p.name()
		var columns []string
		for _, l := range p.group() {
			if t.column(Unquote(l.text)) != nil {
				columns = append(columns, Unquote(l.text))
			}
		}
		return within(columns) && !p.peek("where")
	})
}

// RowidAlias returns the column of a table that is its rowid, or "".
//
// https://sqlite.org/lang_createtable.html#rowids_and_the_integer_primary_key
func RowidAlias(o Object) string {
	if t, ok := parseTable(lex(o.SQL)); ok && t.hasRowidAlias() {
		return t.primary.columns[0].name
	}
	return ""
}

// An Expression is a CHECK of a table, or what a column of it is generated from.
type Expression struct {
	SQL       string
	Generated string // the column
}

// Expressions returns the expressions in a CREATE TABLE statement.
func Expressions(create string) (expressions []Expression) {
	t, _ := parseTable(lex(create))
	for _, check := range t.checks {
		expressions = append(expressions, Expression{SQL: exact(check)})
	}
	for _, c := range t.columns {
		if c.generated != nil {
			expressions = append(expressions, Expression{exact(c.generated), c.name})
		}
	}
	return expressions
}

// A Reference is a foreign key: columns of a table refer to those of a parent.
type Reference struct {
	Columns []string
	Parent  string
	To      []string
}

// References returns the foreign keys of a table. Those that name no columns of the parent refer to
// its primary key, if it is among the objects.
func References(o Object, objects []Object) (references []Reference) {
	t, ok := parseTable(lex(o.SQL))
	if !ok {
		return nil
	}
	for _, fk := range t.foreign {
		references = append(references, Reference{fk.columns, fk.parent, fk.target(objects)})
	}
	return references
}

// TriggerEvent returns what fires the trigger of a CREATE TRIGGER statement, "INSERT",
// "UPDATE" or "DELETE", and the columns after UPDATE OF.
func TriggerEvent(create string) (event string, columns []string) {
	p := parser{lexemes: lex(create)}
	p.object()
	if !p.accept("before") && !p.accept("after") {
		p.accept("instead of")
	}
	event = strings.ToUpper(p.next().text)
	for more := p.accept("of"); more; more = p.accept(",") {
		columns = append(columns, p.name())
	}
	return event, columns
}
