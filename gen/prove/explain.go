package prove

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// explain says of a failure on which rows it is: on any, or on such as it has found.
func (t *trial) explain(f *Finding, all []Row) error {
	table, of := t.subject(f)
	sentence, ok := strings.CutPrefix(f.Fact, "fails: ")
	if table == "" || !ok { // it is a trigger's
		return nil
	}
	depends, err := t.depends(f, table, sentence)
	if err != nil {
		return err
	}
	if !depends && of == 1 {
		passing, tried, err := t.passing(f, all, table)
		if f.Always = err == nil && passing == nil && tried > 0; f.Always {
			f.Fact = fmt.Sprintf("fails as soon as %s has a row: %s%s", table, sentence, advice(sentence))
		}
		if f.Always || err != nil {
			return err
		}
	}
	which := fmt.Sprintf("on rows of %s such as these", table)
	switch others := otherThan(f.Rows, table); {
	case slices.ContainsFunc(others, func(row Row) bool { return t.writes(f.Statement, row.Table) }):
		which = "on rows such as these"
	case of == 1:
		which = fmt.Sprintf("on a row of %s such as this", table)
	}
	why, err := t.because(f, all, table, sentence)
	f.Fact = "fails " + cmp.Or(why, which) + ": " + sentence
	return err
}

// because says what it is in the rows of the table that the statement fails on, if that is a NULL, or
// what two of them have alike.
func (t *trial) because(f *Finding, all []Row, table, sentence string) (string, error) {
	kind, named, _ := strings.Cut(sentence, " constraint failed: ")
	of := len(f.Rows) - len(otherThan(f.Rows, table))
	if target, _, _ := strings.Cut(named, "."); kind == "UNIQUE" && of == 1 && sqltext.Equal(target, table) && f.Statement >= 0 && t.m.Statements[f.Statement].Keyword() == "insert" {
		return fmt.Sprintf("if %s already has a row with that %s", table, strings.ReplaceAll(strings.ReplaceAll(named, target+".", ""), ", ", " and ")), nil
	}
	if kind != "NOT NULL" && kind != "UNIQUE" || of != map[string]int{"NOT NULL": 1, "UNIQUE": 2}[kind] {
		return "", nil
	}
	says := func(c cells) string {
		list := func(names []string) string {
			return wording.List(len(names), " and ", func(i int) string { return names[i] })
		}
		var facts []string
		switch {
		case kind == "NOT NULL" && c.null:
			return fmt.Sprintf("if %s of a row of %s is NULL", list(c.same), table)
		case kind == "NOT NULL" || !c.alike:
			return ""
		}
		if len(c.same) > 0 {
			facts = append(facts, "have the same "+list(c.same))
		}
		if len(c.cased) > 0 {
			facts = append(facts, "differ only in the case of "+list(c.cased))
		}
		return fmt.Sprintf("if two rows of %s %s", table, strings.Join(facts, ", and "))
	}
	passing, tried, err := t.passing(f, all, table)
	switch {
	case err != nil:
		return "", err
	case passing == nil && tried > 1 && kind == "UNIQUE":
		return fmt.Sprintf("as soon as %s has two rows", table), nil
	}
	if f.Statement >= 0 && slices.Contains([]string{"create", "alter"}, t.m.Statements[f.Statement].Keyword()) {
		is := says(f.cells)
		if kind == "UNIQUE" && is != "" {
			is += whereOf(t.m.Statements[f.Statement].SQL)
		}
		return is, nil
	}
	// It may copy crosswise. So a cause is what rows fail with that do not fail without it.
	if passing == nil {
		return "", nil
	}
	for _, c := range t.candidates(f, table, sentence) {
		if says(c) == "" {
			continue
		}
		var set []string
		for _, name := range slices.Concat(c.same, c.cased) {
			column := sqltext.Plain(name)
			least := fmt.Sprintf("(SELECT min(%s) FROM %s)", column, sqltext.Plain(table))
			switch {
			case kind == "NOT NULL":
				least = "NULL"
			case slices.Contains(c.cased, name):
				least = fmt.Sprintf("iif(%s = %s, %[1]s, upper(%[2]s))", column, least)
			}
			set = append(set, column+" = "+least)
		}
		update := Row{Table: table, SQL: "UPDATE " + sqltext.Plain(table) + " SET " + strings.Join(set, ", ")}
		seen, _, err := t.try(append(slices.Clone(passing), update))
		if err != nil || at(seen, f) >= 0 {
			return says(c), err
		}
	}
	return "", nil
}

// whereOf returns the WHERE of a partial index.
func whereOf(sql string) string {
	s, depth := sqltext.Parse(sql), 0
	for i, token := range s.Tokens {
		switch s.Name(i) {
		case "(":
			depth++
		case ")":
			depth--
		case "where":
			if depth == 0 && token.Kind == sqltext.Word {
				return " " + strings.TrimRight(strings.Join(strings.Fields(s.Text[token.Pos:s.Tokens[len(s.Tokens)-1].End]), " "), ";")
			}
		}
	}
	return ""
}

// passing returns rows that do not fail, of which one is of the table, or two if the failure is that of
// two, and how many it has tried.
func (t *trial) passing(f *Finding, all []Row, table string) (_ []Row, tried int, err error) {
	with, parents, shown := map[int]bool{}, t.parents(all), places(all, f.Rows)
	left := len(f.Rows) - len(otherThan(f.Rows, table)) - 1 // of the table, to which another comes
	for _, i := range shown {
		isOther := !sqltext.Equal(all[i].Table, table)
		if with[i] = isOther || left > 0; !isOther {
			left--
		}
	}
	for i, row := range all {
		if !sqltext.Equal(row.Table, table) || slices.Contains(shown, i) || !strings.HasPrefix(row.SQL, "INSERT") {
			continue
		}
		rows := closed(all, parents, func(j int) bool { return j == i || with[j] })
		seen, ok, err := t.try(rows)
		if err != nil || ok && at(seen, f) < 0 {
			return rows, tried, err
		}
		if ok {
			tried++
		}
	}
	return nil, tried, nil
}

// candidates returns the columns that the failure may come of, and what its rows have in them: those
// that the sentence names, and each that the statement names.
func (t *trial) candidates(f *Finding, table, sentence string) []cells {
	if ok, err := t.apply(f.Rows); err != nil || !ok {
		return nil
	}
	all := []cells{t.cellsIn(sentence, table)}
	columns, err := t.query("SELECT name FROM pragma_table_xinfo(?)", table)
	for _, c := range columns {
		if err == nil && f.Statement >= 0 && t.namesIn(t.m.Statements[f.Statement].SQL)[sqltext.Fold(c[0])] {
			all = append(all, t.cellsIn("failed: ."+c[0], table))
		}
	}
	return all
}

// subject returns the table whose rows a failure is about, and how many of them show it: one
// that the statement names, if there is one among them.
func (t *trial) subject(f *Finding) (table string, rows int) {
	for _, row := range f.Rows {
		if table == "" || f.Statement < 0 || t.namesIn(t.m.Statements[f.Statement].SQL)[sqltext.Fold(row.Table)] {
			table = row.Table
		}
	}
	return table, len(f.Rows) - len(otherThan(f.Rows, table))
}

// writes reports whether the statement is one that writes rows, and names the table.
func (t *trial) writes(statement int, table string) bool {
	if statement < 0 {
		return false
	}
	s := &t.m.Statements[statement]
	return t.namesIn(s.SQL)[sqltext.Fold(table)] && s.Keyword() != "create" && s.Keyword() != "alter"
}

// advice says how to add a column for which SQLite refuses to fill in what the rows lack.
//
// https://sqlite.org/lang_altertable.html#altertabaddcol
func advice(sentence string) string {
	if strings.HasPrefix(sentence, "Cannot add a ") || strings.HasPrefix(sentence, "CHECK constraint failed") {
		return "; give the column a constant DEFAULT, or rebuild the table"
	}
	return ""
}

// depends reports whether a failure can depend on what is in the rows of the table, as that
// of a value which is no JSON does. It does not where a column is NULL that the statement does
// not name, or a CHECK fails on the value that a new column has in all rows.
func (t *trial) depends(f *Finding, table, sentence string) (bool, error) {
	if strings.HasPrefix(sentence, "Cannot add a ") || f.Statement < 0 {
		return !strings.Contains(sentence, "Cannot add a "), nil
	}
	s := t.m.Statements[f.Statement]
	if column, ok := strings.CutPrefix(sentence, "NOT NULL constraint failed: "); ok {
		w, known := s.Write()
		return !known || len(w.Columns) == 0 || slices.ContainsFunc(w.Columns, func(c string) bool { return sqltext.Equal(c, column[strings.LastIndexByte(column, '.')+1:]) }), nil
	}
	columns, err := t.columns(table)
	return s.Keyword() != "alter" || slices.ContainsFunc(columns, func(c string) bool { return t.namesIn(s.SQL)[c] }), err
}

// cells are the columns that SQLite names in a sentence such as "UNIQUE constraint failed: t.a,
// t.b", and what all rows of a table have in them. There are none if it has no rows, or not
// these columns.
type cells struct {
	same  []string // those that are the same in all rows
	cased []string // the others
	alike bool     // which differ in nothing but case
	null  bool
}

// cellsIn looks at the table, or if that is "" at the one in the sentence.
func (d *Database) cellsIn(sentence, table string) cells {
	c := cells{alike: true, null: true}
	_, list, _ := strings.Cut(sentence, "failed: ")
	for _, name := range strings.Split(list, ", ") {
		of, column, _ := strings.Cut(name, ".")
		found, err := d.contents(cmp.Or(table, of))
		at := found.column(sqltext.Fold(column))
		if err != nil || at < 0 || len(found.rows) == 0 {
			return cells{}
		}
		same, first := true, found.rows[0].cells[at]
		for _, r := range found.rows {
			same, c.alike, c.null = same && r.cells[at] == first, c.alike && sqltext.Equal(r.cells[at], first), c.null && r.cells[at] == null
		}
		if same {
			c.same = append(c.same, column)
		} else {
			c.cased = append(c.cased, column)
		}
	}
	return c
}
