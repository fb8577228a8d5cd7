package sqltext

import (
	"fmt"
	"slices"
	"strings"
)

// An Object is one row of sqlite_schema that has SQL.
//
// https://sqlite.org/schematab.html
type Object struct {
	Type  string // "table", "index", "view" or "trigger"
	Name  string
	Table string // tbl_name
	SQL   string // in SQLite's own wording
}

// FormatSchema returns a text that holds the objects in SQLite's own wording, is
// the same whatever the order in which they were made, and makes a readable diff:
// tables by name, each with its indexes and triggers, then views. Executing it on
// an empty database makes the objects. SQLite's own tables and lockstep's are left
// out.
func FormatSchema(objects []Object) string {
	rank := map[string]int{"table": 0, "view": 0, "index": 1, "trigger": 2}
	views := make(map[string]bool)
	sorted := make([]Object, 0, len(objects))
	for _, o := range objects {
		if !internal(o.Name) && o.SQL != "" {
			sorted = append(sorted, o)
		}
		if o.Type == "view" {
			views[lower(o.Name)] = true
		}
	}
	slices.SortFunc(sorted, func(a, b Object) int {
		return cmpOr(
			b2i(views[lower(a.Table)])-b2i(views[lower(b.Table)]),
			strings.Compare(lower(a.Table), lower(b.Table)),
			rank[a.Type]-rank[b.Type],
			strings.Compare(lower(a.Name), lower(b.Name)),
			strings.Compare(a.Name, b.Name))
	})
	var b strings.Builder
	for i, o := range sorted {
		if i > 0 && lower(o.Table) != lower(sorted[i-1].Table) {
			b.WriteByte('\n')
		}
		b.WriteString(o.SQL)
		if endsInLineComment(o.SQL) { // which a semicolon would be part of
			b.WriteByte('\n')
		}
		b.WriteString(";\n")
	}
	return b.String()
}

func cmpOr(results ...int) int {
	for _, r := range results {
		if r != 0 {
			return r
		}
	}
	return 0
}

// internal reports whether an object of that name is SQLite's or lockstep's.
func internal(name string) bool {
	name = lower(name)
	return strings.HasPrefix(name, "sqlite_") || name == "_meta" || name == "_lockstep_history"
}

func endsInLineComment(sql string) bool {
	last := Token{}
	for pos := 0; pos < len(sql); pos = last.End {
		last = Next(sql, pos)
	}
	return last.Kind == Directive || last.Kind == Comment && strings.HasPrefix(sql[last.Pos:], "--")
}

// ParseSchema returns the objects of a text that [FormatSchema] has made.
func ParseSchema(schema string) ([]Object, error) {
	var objects []Object
	begin := -1         // of the statement
	var words [5]string // its first tokens
	n := 0              // tokens of it so far
	var last, second string
	for pos := 0; pos < len(schema); {
		t := Next(schema, pos)
		pos = t.End
		if t.Kind == Space || t.Kind == Comment || t.Kind == Directive {
			continue
		}
		if begin < 0 {
			begin, n = t.Pos, 0
			last, second = "", ""
			words = [5]string{}
		}
		token := schema[t.Pos:t.End]
		// The semicolons inside a trigger are followed by END in one place only:
		// before its last. CASE … END is not preceded by one.
		// https://sqlite.org/c3ref/complete.html
		if t.Kind == Semicolon && (words[1] != "trigger" || second == ";" && last == "end") {
			o, err := parseObject(strings.TrimRight(schema[begin:t.Pos], " \t\n\f\r"))
			if err != nil {
				return nil, err
			}
			objects = append(objects, o)
			begin = -1
			continue
		}
		if n < len(words) {
			words[n] = lower(token)
		}
		n++
		second = last
		if last = token; t.Kind == Word {
			last = lower(token)
		}
	}
	if begin >= 0 {
		return nil, fmt.Errorf("schema does not end: %.40q", schema[begin:])
	}
	return objects, nil
}

// parseObject finds out what a CREATE statement of sqlite_schema creates.
func parseObject(sql string) (Object, error) {
	o := Object{SQL: sql}
	p := newParser(sql)
	p.accept("create")
	p.accept("unique")
	p.accept("virtual")
	for _, kind := range []string{"table", "index", "view", "trigger"} {
		if p.accept(kind) {
			o.Type = kind
		}
	}
	o.Name = unquote(p.next().text)
	o.Table = o.Name
	if o.Type == "index" || o.Type == "trigger" {
		for !p.done() && !p.accept("on") {
			p.next()
		}
		o.Table = unquote(p.next().text)
	}
	if o.Type == "" || o.Name == "" || o.Table == "" {
		return o, fmt.Errorf("schema has a statement that creates nothing: %.40q", sql)
	}
	return o, nil
}
