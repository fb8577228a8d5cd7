package sqltext

import (
	"slices"
	"strings"
)

// A Difference is an object that is not what it should be.
type Difference struct {
	Type, Name string
	Want       string // SQL of the object
	Found      string // SQL of the object found, or "" if there is none
	Detail     string // one line: what differs, expected beside found
}

// Diff compares objects that should be with objects that are. changed are those
// of want that are missing or other than they should be, in the order of want.
// extra are those of found that want does not name, but for SQLite's and
// lockstep's own and for the shadow tables of virtual tables in want.
//
// An object is as it should be when its text is the same, or its tokens are, or,
// for a table, when its structure is: columns in their order, constraints, options.
// Different versions of SQLite word an ALTER TABLE differently.
func Diff(want, found []Object) (changed []Difference, extra []Object) {
	key := func(o Object) string {
		if o.Type == "trigger" { // which can have the name of a table
			return "trigger " + lower(o.Name)
		}
		return lower(o.Name)
	}
	have := make(map[string]Object, len(found))
	for _, o := range found {
		have[key(o)] = o
	}
	wanted := make(map[string]bool, len(want))
	var virtual []string
	for _, w := range want {
		wanted[key(w)] = true
		if w.Type == "table" && isVirtual(w.SQL) {
			virtual = append(virtual, key(w)+"_")
		}
		f, ok := have[key(w)]
		d := Difference{Type: w.Type, Name: w.Name, Want: w.SQL, Found: f.SQL}
		switch {
		case !ok:
			d.Detail = "missing"
		case f.Type != w.Type:
			d.Detail = "is a " + f.Type
		case f.SQL == w.SQL:
			continue
		default:
			if d.Detail = detail(w, f); d.Detail == "" {
				continue
			}
		}
		d.Detail = w.Type + " " + w.Name + ": " + d.Detail
		changed = append(changed, d)
	}
	for _, f := range found {
		shadow := func(prefix string) bool { return strings.HasPrefix(key(f), prefix) }
		if !wanted[key(f)] && !internal(f.Name) && !slices.ContainsFunc(virtual, shadow) {
			extra = append(extra, f)
		}
	}
	return changed, extra
}

// isVirtual reports whether the statement is a CREATE VIRTUAL TABLE, as SQLite
// words it.
func isVirtual(sql string) bool {
	const prefix = "create virtual table"
	return len(sql) >= len(prefix) && lower(sql[:len(prefix)]) == prefix
}

// detail says in what an object differs, or "".
func detail(want, found Object) string {
	w, f := newParser(want.SQL), newParser(found.SQL)
	same := func(a, b lexeme) bool { return a.key == b.key }
	if want.Type == "index" {
		w.lexemes, f.lexemes = w.withoutAsc(), f.withoutAsc()
	}
	if slices.EqualFunc(w.lexemes, f.lexemes, same) {
		return ""
	}
	if want.Type == "table" {
		ws, ok := parseTable(want.SQL)
		fs, ok2 := parseTable(found.SQL)
		if ok && ok2 {
			return ws.differences(fs)
		}
	}
	return "want " + w.all() + ", found " + f.all()
}

// withoutAsc returns the lexemes of CREATE INDEX without the word that says what
// holds anyway.
func (p *parser) withoutAsc() []lexeme {
	return slices.DeleteFunc(p.lexemes, func(l lexeme) bool { return l.kind == Word && l.key == "asc" })
}

// all returns the statement on one line.
func (p *parser) all() string {
	p.at = len(p.lexemes)
	return p.since(0, "").show
}

// differences says in what found differs from s, or "".
func (s structure) differences(found structure) string {
	var out []string
	find := func(columns []column, name string) int {
		return slices.IndexFunc(columns, func(c column) bool { return lower(c.name) == lower(name) })
	}
	for _, w := range s.columns {
		if i := find(found.columns, w.name); i < 0 {
			out = append(out, "column "+w.name+": missing")
		} else if f := found.columns[i]; f.key != w.key {
			out = append(out, "column "+w.name+": want "+w.orNothing()+", found "+f.orNothing())
		}
	}
	for _, f := range found.columns {
		if find(s.columns, f.name) < 0 {
			out = append(out, "column "+f.name+": not expected")
		}
	}
	if len(out) == 0 && !slices.EqualFunc(s.columns, found.columns, func(a, b column) bool { return lower(a.name) == lower(b.name) }) {
		out = append(out, "columns: want "+names(s.columns)+", found "+names(found.columns))
	}
	has := func(parts []part, key string) bool {
		return slices.ContainsFunc(parts, func(p part) bool { return p.key == key })
	}
	for _, w := range s.constraints {
		if !has(found.constraints, w.key) {
			out = append(out, "want "+w.show+", found none")
		}
	}
	for _, f := range found.constraints {
		if !has(s.constraints, f.key) {
			out = append(out, f.show+": not expected")
		}
	}
	return strings.Join(out, "; ")
}

func (c column) orNothing() string {
	if c.show == "" {
		return "no type"
	}
	return c.show
}

func names(columns []column) string {
	out := make([]string, len(columns))
	for i, c := range columns {
		out[i] = c.name
	}
	return strings.Join(out, ", ")
}
