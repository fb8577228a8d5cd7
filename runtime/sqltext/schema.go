package sqltext

import (
	"cmp"
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
// tables by name, each with its indexes and triggers, then views with theirs.
// Executing it on an empty database makes the objects. SQLite's own tables and
// lockstep's are left out.
func FormatSchema(objects []Object) string {
	var b strings.Builder
	for i, e := range inOrder(objects) {
		if i > 0 && e.first {
			b.WriteByte('\n')
		}
		b.WriteString(e.SQL)
		b.WriteString(closeComment(e.SQL))
		b.WriteString(";\n")
	}
	return b.String()
}

// An entry is an object in its place in a schema.
type entry struct {
	*Object
	name, table string // in lower case
	rank        int    // among what belongs to the same table or view
	view        bool   // is a view, or belongs to one
	first       bool   // of what belongs to the same table or view
}

// inOrder returns the objects that belong into a schema in the order in which they
// are written down.
func inOrder(objects []Object) []entry {
	views := map[string]bool{}
	for _, o := range objects {
		if o.Type == "view" {
			views[Fold(o.Name)] = true
		}
	}
	entries := make([]entry, 0, len(objects))
	for i := range objects {
		o := &objects[i]
		if o.SQL == "" || isInternal(o.Name) {
			continue
		}
		e := entry{Object: o, name: Fold(o.Name), table: Fold(o.Table)}
		e.view = views[e.table]
		e.rank = slices.Index([]string{"index", "trigger"}, o.Type)
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(
			b2i(a.view)-b2i(b.view),
			cmp.Compare(a.table, b.table),
			cmp.Compare(a.rank, b.rank),
			cmp.Compare(a.name, b.name),
			cmp.Compare(a.Name, b.Name))
	})
	for i := range entries {
		entries[i].first = i == 0 || entries[i].table != entries[i-1].table
	}
	return entries
}

// isInternal reports whether an object of that name is SQLite's or lockstep's.
func isInternal(name string) bool {
	const reserved = "sqlite_"
	return len(name) >= len(reserved) && equal(name[:len(reserved)], reserved) ||
		equal(name, "_meta") || equal(name, "_lockstep_history")
}

// closeComment returns what a semicolon behind the statement needs before it, lest
// it becomes part of a comment.
func closeComment(sql string) string {
	if !strings.Contains(sql, "--") && !strings.Contains(sql, "/*") {
		return ""
	}
	var last Token // that is not blank
	for pos := 0; pos < len(sql); {
		t := Next(sql, pos)
		if pos = t.End; t.Kind != Space {
			last = t
		}
	}
	switch text := sql[last.Pos:last.End]; {
	case isLineComment(last, text):
		return "\n"
	case last.Kind == Comment && (len(text) < 4 || !strings.HasSuffix(text, "*/")):
		return "*/" // SQLite lets the last comment of a text stay open
	}
	return ""
}

func isLineComment(t Token, text string) bool {
	return t.Kind == Directive || t.Kind == Comment && text[0] == '-'
}

// ParseSchema returns the objects of a text that [FormatSchema] has made, in its
// order and in the same wording.
//
// A statement ends at its semicolon, and a trigger at the one behind an END that
// itself stands behind a semicolon, which the END of a CASE does not.
//
// https://sqlite.org/c3ref/complete.html
func ParseSchema(schema string) ([]Object, error) {
	objects := make([]Object, 0, strings.Count(schema, ";\n"))
	var (
		begin   = -1    // of the statement
		n       = 0     // of its tokens so far
		trigger = false // it is one
		end     = 0     // 1 behind a semicolon in a trigger, 2 behind END behind that
		comment = false // the last of it that is not blank is a -- comment
	)
	for pos := 0; pos < len(schema); {
		t := Next(schema, pos)
		pos = t.End
		text := schema[t.Pos:t.End]
		if t.Kind == Space {
			continue
		}
		if t.Kind == Comment || t.Kind == Directive {
			comment = isLineComment(t, text)
			continue
		}
		if begin < 0 {
			begin, n, trigger, end = t.Pos, 0, false, 0
		}
		if n++; n <= 3 && t.Kind == Word && equal(text, "trigger") {
			trigger = true // CREATE TRIGGER or CREATE TEMP TRIGGER
		}
		switch {
		case t.Kind == Semicolon && trigger && end != 2:
			end = 1
		case t.Kind == Semicolon:
			sql := schema[begin:t.Pos]
			if comment {
				sql = strings.TrimSuffix(sql, "\n") // see closeComment
			}
			o, err := parseObject(sql)
			if err != nil {
				return nil, fmt.Errorf("line %d: %w", 1+strings.Count(schema[:begin], "\n"), err)
			}
			objects = append(objects, o)
			begin = -1
		case end == 1 && t.Kind == Word && equal(text, "end"):
			end = 2
		default:
			end = 0
		}
		comment = false
	}
	if begin >= 0 {
		return nil, fmt.Errorf("line %d: statement has no end; want a semicolon", 1+strings.Count(schema[:begin], "\n"))
	}
	return objects, nil
}

// parseObject finds out what a CREATE statement creates.
func parseObject(sql string) (Object, error) {
	p := parser{lexemes: head(sql)}
	kind, name, _ := p.create()
	o := Object{Type: kind, Name: name, Table: name, SQL: sql}
	switch kind {
	case "virtual":
		o.Type = "table"
	case "index", "trigger":
		// The word stands first before the table. As the name of one of the columns
		// behind UPDATE OF it is in quotes.
		for !p.accept("on") && !p.failed {
			p.next()
		}
		o.Table = p.name()
	}
	if p.failed {
		return Object{}, fmt.Errorf("found %.40q; want CREATE TABLE, INDEX, VIEW or TRIGGER", sql)
	}
	return o, nil
}

// head returns the first lexemes of a CREATE statement, as many as it takes to know
// the name and the table.
func head(sql string) []lexeme {
	lexemes := make([]lexeme, 0, 12)
	on := false
	for pos := 0; pos < len(sql); {
		t := Next(sql, pos)
		pos = t.End
		if t.Kind == Space || t.Kind == Comment || t.Kind == Directive {
			continue
		}
		l := lexeme{kind: t.Kind, text: sql[t.Pos:t.End]}
		lexemes = append(lexemes, l)
		if on || l.text == "(" || l.kind == Word && equal(l.text, "as") {
			break
		}
		on = l.kind == Word && equal(l.text, "on")
	}
	return lexemes
}
