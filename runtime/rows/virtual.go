package rows

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Virtual returns the module of a virtual table, in lower case, and the table or view that a
// full-text table has its content in. Each is "" if there is none.
//
// https://sqlite.org/fts5.html#external_content_and_contentless_tables
func Virtual(o sqltext.Object) (module, content string) {
	if !sqlite.IsVirtual(o) {
		return "", ""
	}
	s := sqltext.Parse(o.SQL)
	for i := range s.Tokens {
		switch name, next := s.Name(i), s.Name(i+1); {
		case name == "using" && module == "":
			module = next
		case name == "content" && next == "=":
			content = sqltext.Unquote(s.Token(i + 2))
		}
	}
	return module, content
}

// feeds reports whether rows of a table are also in a virtual table: it is its content, or
// a trigger copies them.
func (f *filler) feeds(t, virtual *table) bool {
	if sqltext.Equal(virtual.content, t.name) || f.More.Holders[sqltext.Fold(t.name)] == virtual.Object {
		return true
	}
	for _, o := range f.More.Objects {
		if o.Type == "trigger" && sqltext.Equal(o.Table, t.name) && namesIn(o.SQL)[sqltext.Fold(virtual.name)] {
			return true
		}
	}
	return false
}

// fillVirtual fills a full-text or R-Tree table as triggers would, without them. It returns
// why the table is empty, or "".
func (f *filler) fillVirtual(t *table) (reason string, err error) {
	full := slices.Contains([]string{"fts3", "fts4", "fts5"}, t.module)
	if full && t.content != "" {
		name := sqltext.Plain(t.name)
		return f.refusal(f.insert(t, nil, fmt.Sprintf("INSERT INTO %s (%s) VALUES ('rebuild')", name, name)))
	}
	if !full && !strings.HasPrefix(t.module, "rtree") {
		return "a virtual table of module " + t.module, nil
	}
	some := false
	sources, err := f.sources(t)
	if err != nil {
		return "", err
	}
	for _, source := range sources {
		refused, err := f.refusal(f.insert(t, nil, t.statement(full, source, f)))
		if err != nil || refused != "" && f.More.Keep == nil {
			return refused, err
		}
		// One that is refused may be there from before.
		some, reason = some || refused == "", cmp.Or(refused, reason)
	}
	if some {
		reason = ""
	}
	return reason, nil
}

// sources returns the rows of the table that feeds a virtual table: values as SQL by the
// column's name in lower case, and the rowid by "". If there is none, they have only that.
func (f *filler) sources(t *table) (sources []map[string]string, err error) {
	for _, other := range f.order {
		if other.module != "" || !f.feeds(other, t) {
			continue
		}
		names, query := []string{""}, "SELECT rowid"
		for _, c := range other.columns {
			names = append(names, sqltext.Fold(c.name))
			query += ", quote(" + sqltext.Quote(c.name) + ")"
		}
		found, err := f.query(len(names), query+" FROM "+sqltext.Quote(other.name)+" ORDER BY rowid")
		if err != nil { // WITHOUT ROWID
			continue
		}
		for _, row := range found {
			source := map[string]string{}
			for i, name := range names {
				source[name] = row[i]
			}
			sources = append(sources, source)
		}
	}
	if f.Near != nil && !f.All && len(sources) == 0 { // as the program numbers both
		f.n = f.From
	}
	for len(sources) < 3 {
		f.n++
		sources = append(sources, map[string]string{"": integer(f.n)})
	}
	return sources, f.ctx.Err()
}

// statement returns the INSERT of the row that goes with another.
func (t *table) statement(full bool, source map[string]string, f *filler) string {
	var names, values []string
	if full {
		names, values = []string{"rowid"}, []string{source[""]}
	}
	for i, c := range t.columns {
		value, ok := source[sqltext.Fold(c.name)]
		f.n++
		switch {
		case !full && i == 0 || full && !ok && strings.HasSuffix(sqltext.Fold(c.name), "id"):
			value = source[""]
		case ok:
		case !full:
			value = integer(i) // a minimum is less than the maximum that follows
		default:
			value, _ = c.candidates[0](f.n), ok
		}
		names, values = append(names, sqltext.Plain(c.name)), append(values, value)
	}
	return fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", sqltext.Plain(t.name), strings.Join(names, ", "), strings.Join(values, ", "))
}
