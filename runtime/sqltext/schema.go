package sqltext

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// An Object is one row of sqlite_schema that has SQL.
//
// https://sqlite.org/schematab.html
type Object struct {
	Type  string `json:"type"` // "table", "index", "view" or "trigger"
	Name  string `json:"name"`
	Table string `json:"table"` // tbl_name
	SQL   string `json:"sql"`   // in SQLite's own wording
}

// MayRefer reports whether the object is a table that may have foreign keys.
func (o *Object) MayRefer() bool {
	return o.Type == "table" && strings.Contains(Fold(o.SQL), "references")
}

// FormatSchema returns the objects as a script, in SQLite's own wording and in an
// order that does not depend on when they were made and gives readable diffs: tables
// by name, each with its indexes and triggers, then views with theirs. It leaves out
// SQLite's own tables and lockstep's.
func FormatSchema(objects []Object) string {
	var b strings.Builder
	table := ""
	for i, o := range inOrder(objects) {
		if i > 0 && Fold(o.Table) != table {
			b.WriteByte('\n')
		}
		table = Fold(o.Table)
		b.WriteString(o.SQL + closeComment(o.SQL) + ";\n")
	}
	return b.String()
}

// inOrder returns the objects that are part of a written schema, in its order. (It sorts
// strings, because a sort of structs would be one more in every program.)
func inOrder(objects []Object) []Object {
	isView := map[string]bool{}
	for i := range objects {
		if o := &objects[i]; o.Type == "view" {
			isView[Fold(o.Table)] = true
		}
	}
	keys, of := make([]string, 0, len(objects)), make(map[string]int, len(objects))
	for i := range objects {
		o := &objects[i]
		if o.SQL == "" || isInternal(o.Name) {
			continue
		}
		view, kind, table := "", "", Fold(o.Table)
		if isView[table] {
			view = "view"
		}
		if o.Type == "index" || o.Type == "trigger" {
			kind = o.Type
		}
		key := strings.Join([]string{view, table, kind, Fold(o.Name), o.Name, strconv.Itoa(i)}, "\x00")
		keys, of[key] = append(keys, key), i
	}
	sort.Stable(sort.StringSlice(keys))
	written := make([]Object, len(keys))
	for i, key := range keys {
		written[i] = objects[of[key]]
	}
	return written
}

// closeComment returns what must come between the statement and a semicolon, so that
// the semicolon is not part of a comment.
func closeComment(sql string) string {
	for _, end := range []string{"", "\n", "*/"} { // SQLite lets the last comment of a text stay open
		tokens := Parse(sql + end + ";").Tokens
		if tokens[len(tokens)-1].Kind == Semicolon {
			return end
		}
	}
	return ""
}

// Spells reports whether a text that [FormatSchema] has made is that of exactly these objects,
// to the letter. It is quick, and may say no where the text is theirs.
func Spells(schema string, objects []Object) bool {
	left := make(map[string]bool, len(objects))
	for len(schema) > 0 {
		var sql string
		sql, schema, _ = strings.Cut(schema, ";\n")
		left[strings.TrimPrefix(sql, "\n")] = true
	}
	for i := range objects {
		if o := &objects[i]; !isInternal(o.Name) {
			if !left[o.SQL] {
				return false
			}
			delete(left, o.SQL)
		}
	}
	return len(left) == 0
}

// ParseSchema returns the objects of a text that [FormatSchema] has made, in its
// order and in the same wording.
func ParseSchema(schema string) ([]Object, error) {
	objects := make([]Object, 0, strings.Count(schema, ";\n"))
	for _, stmt := range Parse(schema).Cut() {
		sql, ended := strings.CutSuffix(stmt.SQL, ";")
		sql = strings.TrimSuffix(sql, "\n")
		d, ok := stmt.Definition()
		switch {
		case !ended || d.Kind == "trigger" && !strings.HasSuffix(Fold(sql), "end"):
			return nil, fmt.Errorf("line %d: statement has no end; want a semicolon", stmt.Line)
		case !ok || stmt.Keyword() != "create":
			return nil, fmt.Errorf("line %d: found %.40q; want CREATE TABLE, INDEX, VIEW or TRIGGER", stmt.Line, sql)
		}
		objects = append(objects, Object{d.Kind, d.Name, d.Table, sql})
	}
	return objects, nil
}
