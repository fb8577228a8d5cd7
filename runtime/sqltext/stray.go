package sqltext

import "cmp"

// A Stray is a table that no migration makes, or what a column holds that the table should
// not have, or that should have another type.
type Stray struct {
	Object        // the table
	Column string // "" for the whole table
	Value  string // an expression: NULL if a row c of the table holds nothing of it
	Known  bool   // the migrations have the column, with another type
}

// Another type could change a text that SQLite writes differently once it has been a number,
// and cut off a fraction.
const (
	cutText     = `nullif(typeof(c."$1") = 'text' AND +c."$1" <> CAST(CAST(c."$1" AS NUMERIC) AS TEXT), 0)`
	cutFraction = `nullif(CAST(c."$1" AS NUMERIC) <> CAST(CAST(c."$1" AS NUMERIC) AS INTEGER), 0)`
)

// Strays returns the strays among the tables of a schema. Where what is wanted does not say,
// known reports whether the migrations have a name.
func Strays(want, found []Object, known func(name string) bool) (strays []Stray) {
	for i := range found {
		f := &found[i]
		if f.Type != "table" || isInternal(f.Name) {
			continue
		}
		should, understood, made := &table{}, true, known(f.Name)
		for i := range want {
			if w := &want[i]; w.identity() == f.identity() {
				should, understood = parseTable(lex(w.SQL))
				made = true
			}
		}
		is, ok := parseTable(lex(f.SQL))
		if !made {
			strays = append(strays, Stray{*f, "", "1", false})
		}
		if !made || !understood || !ok {
			continue
		}
		for _, c := range is.columns {
			w := should.column(c.name)
			values := []string{cutText, cutFraction}
			switch {
			case c.generated != nil, w == nil && known(c.name), w != nil && w.typeForm() == c.typeForm():
				continue
			case w == nil:
				values = []string{`c."$1"`}
			}
			for _, v := range values {
				strays = append(strays, Stray{*f, c.name, Fill(v, c.name), w != nil})
			}
		}
	}
	return strays
}

// Follow says what a table is called after statements that rename it, and whether any of them
// drops it.
func Follow(statements []Statement, table string) (now string, dropped bool) {
	for _, s := range statements {
		if d, ok := s.Definition(); ok && d.Kind == "table" && Equal(d.Name, table) {
			table = cmp.Or(d.NewName, table)
			dropped = dropped || s.Keyword() == "drop"
		}
	}
	return table, dropped
}

// Makes reports whether, after the statements, a different table may have the name.
func Makes(statements []Statement, table string) bool {
	for _, s := range statements {
		if d, _ := s.Definition(); Equal(d.NewName, table) || s.Keyword() == "drop" && Equal(d.Name, table) {
			return true
		}
	}
	return false
}
