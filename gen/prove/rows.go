package prove

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// contents are the rows of a table.
type contents struct {
	columns []string
	rows    []record
	made    []string // the columns that are generated, where that matters
	broken  bool     // they cannot be read
}

// A record is a row. A number is the same cell whatever its type is.
type record struct {
	rowid string // or ""
	cells []string
}

const null = "\x00NULL"

// contents reads a table.
func (d *Database) contents(name string) (c contents, err error) {
	from := " FROM main." + sqltext.Quote(name)
	stmt, _, err := d.Conn.Prepare("SELECT _rowid_, *" + from)
	if err != nil { // WITHOUT ROWID
		stmt, _, err = d.Conn.Prepare("SELECT NULL, *" + from)
	}
	if err != nil {
		return c, err
	}
	defer stmt.Close()
	for i := 1; i < stmt.ColumnCount(); i++ {
		c.columns = append(c.columns, sqltext.Fold(stmt.ColumnName(i)))
	}
	for stmt.Step() {
		r := record{rowid: stmt.ColumnText(0)}
		for i := 1; i < stmt.ColumnCount(); i++ {
			r.cells = append(r.cells, cell(stmt, i))
		}
		c.rows = append(c.rows, r)
	}
	if err = stmt.Err(); errors.Is(err, sqlite3.ERROR) { // a virtual table that can never be read, or a generated column
		return contents{columns: c.columns, broken: true}, nil
	}
	return c, err
}

func cell(stmt *sqlite3.Stmt, i int) string {
	switch stmt.ColumnType(i) {
	case sqlite3.NULL:
		return null
	case sqlite3.FLOAT:
		return strconv.FormatFloat(stmt.ColumnFloat(i), 'g', -1, 64)
	}
	return string(stmt.ColumnRawText(i))
}

// column returns the index of a column, or -1.
func (c *contents) column(name string) int { return slices.Index(c.columns, name) }

// values returns what is in a column, or nothing if there is no such column.
func (c *contents) values(name string) (values []string) {
	for i := c.column(name); i >= 0 && len(values) < len(c.rows); {
		values = append(values, c.rows[len(values)].cells[i])
	}
	return values
}

// unique returns where each value is that is in one cell only, but for generated columns: in the
// rows of a counterexample nearly all are.
func (c *contents) unique() map[string][2]int {
	at, twice := map[string][2]int{}, map[string]bool{}
	for i, r := range c.rows {
		for j, v := range r.cells {
			if slices.Contains(c.made, c.columns[j]) {
				continue
			}
			if _, ok := at[v]; ok || v == "" || v == "0" || v == "1" || v == null {
				twice[v] = true
			}
			at[v] = [2]int{i, j}
		}
	}
	maps.DeleteFunc(at, func(v string, _ [2]int) bool { return twice[v] })
	return at
}

// match returns which rows of c are which of the rows that it was copied from: they have
// the same values, in any columns but the one to ignore.
func (c *contents) match(from *contents, ignore string) map[int]int {
	unique := from.unique()
	votes := map[[2]int]int{}
	for i, r := range c.rows {
		for j, v := range r.cells {
			at, ok := unique[v]
			if ok && c.columns[j] != ignore && from.columns[at[1]] != ignore {
				votes[[2]int{at[0], i}]++
			}
		}
	}
	match := map[int]int{}
	for pair, n := range votes {
		best := true
		for other, m := range votes {
			best = best && (other == pair || other[0] != pair[0] && other[1] != pair[1] || m < n)
		}
		if best {
			match[pair[0]] = pair[1]
		}
	}
	return match
}

// compareRows reports what became of the rows of a table that another replaced, and whether they
// have other ids.
func (o *observation) compareRows(name string, old, now *table) (others bool, err error) {
	statement := now.copied
	if statement < 0 {
		statement = old.dropped
		if now.rows, err = o.contents(name); err != nil { // INSERT … VALUES, and UPDATE … FROM
			return false, err
		}
	}
	if old.rows.broken || now.rows.broken {
		return false, nil
	}
	n := len(old.rows.rows)
	if len(now.rows.rows) < n {
		f := o.report(statement, "loses "+name, "%s loses rows: %s before, %d after", name, wording.Count(n, "row"), len(now.rows.rows))
		f.whose = o.whose(statement, old, now)
	}
	moved, err := o.compareColumns(name, statement, old, now)
	if err != nil {
		return false, err
	}
	id := idOf(o.objects, name)
	if id == "" || id != idOf(o.post, name) || moved[id] || n > 0 && len(now.rows.rows) == 0 {
		return n > 0 && len(now.rows.rows) == 0, nil
	}
	was, is := old.rows.column(id), now.rows.column(id)
	for from, to := range now.rows.match(&old.rows, id) {
		if old.rows.rows[from].cells[was] != now.rows.rows[to].cells[is] {
			o.report(statement, "ids "+name, "rows of %s have other ids afterwards; copy %s, too", name, id)
			return true, nil
		}
	}
	return false, nil
}

// compareColumns reports columns that were not copied, or from others. It returns them.
func (o *observation) compareColumns(name string, statement int, old, now *table) (map[string]bool, error) {
	match := now.rows.match(&old.rows, "")
	unique := old.rows.unique()
	defaults, err := o.defaults(name)
	if err != nil {
		return nil, err
	}
	moved := map[string]bool{}
	var held, lost []string
	last, err := o.contents(name)
	if err != nil {
		return nil, err
	}
	byPosition := o.byPosition(statement)
	for j, column := range now.rows.columns {
		was := old.rows.column(column)
		if was < 0 {
			continue
		}
		from := map[string]int{} // the column that the values come from, or "" if they are its default
		n, differs := 0, 0
		for before, after := range match {
			cells := old.rows.rows[before].cells
			v, is := cells[was], now.rows.rows[after].cells[j]
			_, known := unique[v]
			at, ok := unique[is]
			isDefault := is == null || defaults[column] == is || defaults[column] == computed
			n++
			switch {
			case known && ok && at[0] == before && at[1] != was && defaults[column] != is:
				from[old.rows.columns[at[1]]]++
			case v != is && isDefault && !o.selects(statement, column) && !(known && slices.Contains(now.rows.rows[after].cells, v)):
				from[""]++
			case (!known || is == null) && byPosition && j < len(cells) && j != was && cells[j] == is:
				from[old.rows.columns[j]]++
			case !known && (v != is || isDefault || slices.Index(cells, v) != was || slices.Contains(cells[was+1:], v)),
				v != is && !ok && slices.Contains(cells, is): // which does not tell
				n--
			}
			if v != is {
				differs++
			}
		}
		if differs == 0 || len(from) > 0 && !slices.Equal(now.rows.values(column), last.values(column)) { // set later
			continue
		}
		for source, k := range from {
			switch {
			case k < n:
			case source == "":
				lost = append(lost, column)
				moved[column] = true
			default:
				held = append(held, column+" holds what "+source+" held")
				moved[column] = true
			}
		}
	}
	if len(held) > 0 {
		advice := "name the columns in INSERT and in SELECT"
		o.report(statement, "moved "+name, "in %s, %s; %s", name, strings.Join(held, ", "), advice)
	}
	if len(lost) > 0 {
		o.report(statement, "not-copied "+name, "%s loses what is in %s: it is not copied", name, strings.Join(lost, ", "))
	}
	return moved, nil
}

// selects reports whether the statement has something to do with what was in a column: it may
// have made another value of it.
func (o *observation) selects(statement int, column string) bool {
	if statement < 0 || o.m.Statements[statement].Keyword() == "drop" {
		return o.namesIn(o.m.Script.Text)[column]
	}
	sql := o.m.Statements[statement].SQL
	parts := cutSelect(sql)
	if parts[0][column] || parts[1][column] || parts[1]["*"] || parts[2][column] {
		return true
	}
	in, ok := sqltext.ParseInsertion(sql) // what a join finds in another table may take the place
	return ok && parts[2]["join"] && parts[3][column] && (in.Columns == nil || slices.Contains(in.Columns, column))
}

// A Copy is a statement that inserts rows of other tables.
type Copy struct {
	into    string // in lower case
	columns map[string]bool
	from    map[string]bool
}

// CopiesIn returns the copies among statements.
func CopiesIn(statements []sqltext.Statement) (copies []Copy) {
	for _, s := range statements {
		if !strings.Contains(strings.ToLower(s.SQL), "select") {
			continue
		}
		w := s.Words(8)
		if into := slices.Index(w, "into") + 1; into > 0 && into < len(w)-2 {
			if w[into+1] == "." {
				into += 2
			}
			parts := cutSelect(s.SQL)
			copies = append(copies, Copy{w[into], parts[1], parts[2]})
		}
	}
	return copies
}

// cutSelect returns what a statement names before its first SELECT, in the results of that,
// after FROM, and after WHERE or ON.
func cutSelect(sql string) [4]map[string]bool {
	parts := [4]map[string]bool{{}, {}, {}, {}}
	part, depth, script := 0, 0, sqltext.Parse(sql)
	for i := range script.Tokens {
		switch name := script.Name(i); {
		case name == "(":
			depth++
		case name == ")":
			depth--
		case name == "select" && part == 0:
			part, depth = 1, 0
		case name == "from" && part == 1 && depth <= 0:
			part = 2
		case (name == "where" || name == "on") && part == 2 && depth <= 0:
			part = 3
		default:
			parts[part][name] = true
		}
	}
	return parts
}

// byPosition reports whether the statement copies all columns in their order.
func (o *observation) byPosition(statement int) bool {
	if statement < 0 {
		return false
	}
	results := cutSelect(o.m.Statements[statement].SQL)[1]
	w, _ := o.m.Statements[statement].Write()
	return len(results) == 1 && results["*"] && len(w.Columns) == 0
}

// computed is what a DEFAULT is that is of now, or random.
const computed = "\x00computed"

// defaults returns what the DEFAULT of each column of a table is, if it has one.
func (o *observation) defaults(name string) (map[string]string, error) {
	is := map[string]string{}
	rows, err := o.query("SELECT lower(name), dflt_value FROM pragma_table_xinfo(?)", name)
	for _, row := range rows {
		column, expr := row[0], row[1]
		value, err := o.query("SELECT " + expr)
		switch words := o.namesIn(expr); {
		case expr == null || err != nil:
			is[column] = null
		case strings.Contains(expr, "(") || words["current_timestamp"] || words["current_date"] || words["current_time"]:
			is[column] = computed
		default:
			is[column] = value[0][0]
		}
	}
	return is, err
}

// whose says what the rows have in common that are lost, if it is that a column is NULL.
func (o *observation) whose(statement int, old, now *table) string {
	if statement < 0 {
		return ""
	}
	where := cutSelect(o.m.Statements[statement].SQL)[3]
	match := now.rows.match(&old.rows, "")
	known := map[int]bool{} // the rows that would be found again
	for _, at := range old.rows.unique() {
		known[at[0]] = true
	}
	for j, column := range old.rows.columns {
		same := len(match) > 0 && where[column]
		for i, r := range old.rows.rows {
			_, kept := match[i]
			same = same && (!known[i] || kept == (r.cells[j] != null))
		}
		if same {
			return " whose " + column + " is NULL"
		}
	}
	return ""
}

// idOf returns the column of a table that is its rowid, in lower case, or "".
func idOf(objects []sqltext.Object, table string) string {
	return sqltext.Fold(sqltext.RowidAlias(find(objects, "table", table)))
}

// readObjects is [sqlite.Objects].
func (d *Database) readObjects(ctx context.Context) (objects []sqltext.Object, err error) {
	virtual := false
	err = engine.Each(d.Conn, func(row *sqlite3.Stmt) {
		o := sqltext.Object{Type: row.ColumnText(0), Name: row.ColumnText(1), Table: row.ColumnText(2), SQL: row.ColumnText(3)}
		objects = append(objects, o)
		virtual = virtual || sqlite.IsVirtual(o)
	}, sqlite.ObjectsQuery)
	if virtual {
		return sqlite.Objects(ctx, d.DB)
	}
	return objects, cmp.Or(err, ctx.Err())
}

// columns returns the names of the columns of a table or view, in lower case.
func (d *Database) columns(name string) ([]string, error) {
	rows, err := d.query("SELECT lower(name) FROM pragma_table_xinfo(?)", name)
	return slices.Concat(rows...), err
}

// query returns all rows of a query.
func (d *Database) query(query string, args ...string) (rows [][]string, err error) {
	err = engine.Each(d.Conn, func(stmt *sqlite3.Stmt) {
		var row []string
		for i := range stmt.ColumnCount() {
			row = append(row, cell(stmt, i))
		}
		rows = append(rows, row)
	}, query, args...)
	return rows, err
}
