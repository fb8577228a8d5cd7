package prove

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// explain says of a failure on which rows it is: on any, or on such as it has found.
func (t *trial) explain(f *Finding, all []Row) error {
	table, of := t.subject(f)
	any, err := t.failsOnAny(f, all, table)
	if err != nil || table == "" {
		return err
	}
	sentence := strings.TrimPrefix(f.Fact, "fails: ")
	if any && sentence != f.Fact {
		f.Always = true
		f.Fact = fmt.Sprintf("fails as soon as %s has a row: %s%s", table, sentence, advice(sentence))
		return nil
	}
	if sentence == f.Fact { // it is a trigger's
		return nil
	}
	which := fmt.Sprintf("on rows of %s such as these", table)
	if of == 1 {
		which = fmt.Sprintf("on a row of %s such as this", table)
	}
	columns, err := t.columnsIn(sentence, table)
	if err != nil {
		return err
	}
	names := wording.List(len(columns), " and ", func(i int) string { return columns[i] })
	same, nulls, err := t.compareCells(f.Rows, table, columns)
	switch {
	case err != nil:
		return err
	case strings.HasPrefix(sentence, "UNIQUE") && same && of == 2:
		which = fmt.Sprintf("if two rows of %s have the same %s", table, names)
	case strings.HasPrefix(sentence, "NOT NULL") && nulls && of == 1:
		which = fmt.Sprintf("if %s of a row of %s is NULL", names, table)
	}
	f.Fact = "fails " + which + ": " + sentence
	return nil
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

// advice says how to add a column for which SQLite refuses to fill in what the rows lack.
//
// https://sqlite.org/lang_altertable.html#altertabaddcol
func advice(sentence string) string {
	if strings.HasPrefix(sentence, "Cannot add a ") || strings.HasPrefix(sentence, "CHECK constraint failed") {
		return "; give the column a constant DEFAULT, or rebuild the table"
	}
	return ""
}

// failsOnAny reports whether the failure does not depend on which row of the table there is.
func (t *trial) failsOnAny(f *Finding, all []Row, table string) (bool, error) {
	few := otherThan(f.Rows, table)
	tried := 0
	for _, row := range all {
		if !sqltext.Equal(row.Table, table) || slices.Contains(f.Rows, row) || !strings.HasPrefix(row.SQL, "INSERT") {
			continue
		}
		for _, others := range [][]Row{few, otherThan(all, table)} {
			seen, ok, err := t.observe(append(slices.Clone(others), row))
			if err != nil {
				return false, err
			}
			if ok {
				if tried++; !slices.ContainsFunc(seen, func(g Finding) bool { return g.key == f.key }) {
					return false, nil
				}
				break
			}
		}
	}
	return tried > 0, nil
}

// columnsIn returns the columns that SQLite names in a sentence such as "UNIQUE constraint
// failed: t.a, t.b", if the table has all of them: t may be another, into which it was copied.
func (t *trial) columnsIn(sentence, table string) (columns []string, err error) {
	_, list, _ := strings.Cut(sentence, "failed: ")
	found, err := t.query("SELECT lower(name) FROM pragma_table_xinfo(?)", table)
	for _, name := range strings.Split(list, ", ") {
		_, column, _ := strings.Cut(name, ".")
		if !slices.ContainsFunc(found, func(row []string) bool { return row[0] == sqltext.Fold(column) }) {
			return nil, err
		}
		columns = append(columns, column)
	}
	return columns, err
}

// compareCells reports whether the rows of the table have the same values in the columns, and
// whether these are NULL.
func (t *trial) compareCells(rows []Row, table string, columns []string) (same, nulls bool, err error) {
	if _, err := t.apply(rows); err != nil || len(columns) == 0 {
		return false, false, err
	}
	c, err := t.contents(table)
	same, nulls = true, true
	for _, column := range columns {
		for _, r := range c.rows {
			v := r.cells[c.column(sqltext.Fold(column))]
			same, nulls = same && v == c.rows[0].cells[c.column(sqltext.Fold(column))], nulls && v == null
		}
	}
	return same, nulls, err
}
