package sqlite

import (
	"context"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// Culprits are the rows for which a statement failed on a constraint.
type Culprits struct {
	Table string   `json:"table"` // that they are in
	Rows  []string `json:"rows"`  // the first three, or three pairs, as "rowid 7" or "key ('a', 7)"
	Pairs bool     `json:"pairs"` // two and two have the same key
	More  int      `json:"more"`  // rows, or pairs, besides
	Made  bool     `json:"made"`  // by the upgrade: the table may have had other rowids before
}

// FindCulprits finds the rows for which a statement has just failed, as SQLite's sentence
// says. SQLite has undone what the statement did, and not what came before it, so the rows
// are there in the open transaction. They are read, and nothing is written.
//
// The result is empty if the statement is not one of [sqltext.Statement.Write], or if
// something else may have had a part in it: a trigger, say.
func FindCulprits(ctx context.Context, db DB, stmt *sqltext.Statement, sentence string) (found Culprits) {
	w, ok := stmt.Write()
	if !ok || w.Key != nil && !strings.HasPrefix(sentence, "UNIQUE constraint failed: ") {
		return found
	}
	row, err := rowName(ctx, db, w.Source, w.Alias)
	if err != nil || row == "'a row'" {
		return found
	}
	query := ""
	if w.Key != nil {
		query = pairs("SELECT "+row+" AS _lockstep_row, * FROM main."+sqltext.Quote(w.Table)+" AS c", w.Key, w.Indexed())
	} else {
		query = (&writing{Write: w, row: row, sentence: sentence, table: literal(w.Table)}).culprits(ctx, db)
	}
	if query == "" {
		return found
	}
	err = Each(ctx, db, query+" LIMIT 3", func(scan Scan) error {
		var first, row string
		err := scan(&first, &row, &found.More)
		if found.Pairs = first != ""; found.Pairs {
			found.Rows = append(found.Rows, first)
		}
		found.Rows = append(found.Rows, row)
		return err
	})
	if err != nil || found.Rows == nil {
		return Culprits{}
	}
	found.Table, found.More = w.Source, max(0, found.More-3)
	return found
}

// pairs returns a query for the pairs among rows that have the same key.
func pairs(rows string, key []string, where string) string {
	return `SELECT _lockstep_first, _lockstep_row, count(*) OVER () FROM (
	SELECT first_value(_lockstep_row) OVER _lockstep_w AS _lockstep_first, _lockstep_row, _lockstep_n, row_number() OVER _lockstep_w AS _lockstep_i
	FROM (SELECT *, row_number() OVER () AS _lockstep_n FROM (` + rows + ")) WHERE " + where + `
	WINDOW _lockstep_w AS (PARTITION BY ` + strings.Join(key, ", ") + ` ORDER BY _lockstep_n)
) WHERE _lockstep_i > 1 ORDER BY _lockstep_n`
}

// A writing makes queries for the rows that an INSERT or UPDATE would write. In these,
// _lockstep_x has the values of the statement, and _lockstep_y has them as they are stored,
// by the affinity of their columns: a subquery with a LIMIT keeps that of what it selects.
// No expression has the affinity and the value of a column that keeps a value because it
// cannot convert it. Such rows are not _lockstep_ok, and in _lockstep_z.
type writing struct {
	sqltext.Write
	row, sentence string
	table         string // a literal

	columns string // of the table
	with    string // the queries
	bad     string // what is wrong with which rows, if one column decides
}

// How a value is stored, and whether it can be converted to that, by the affinity of its
// column: none, TEXT, REAL, and NUMERIC or INTEGER. https://sqlite.org/datatype3.html#type_affinity
var (
	stored = [...]string{"+@", "CAST(@ AS TEXT)", "CAST(CAST(@ AS NUMERIC) AS REAL)",
		"CAST(CASE WHEN CAST(@ AS NUMERIC) = CAST(CAST(@ AS NUMERIC) AS INTEGER) THEN CAST(CAST(@ AS NUMERIC) AS INTEGER) ELSE CAST(@ AS NUMERIC) END AS NUMERIC)"}
	converts = [...]string{"1", "typeof(@) <> 'blob'", isNumber, isNumber}
)

const (
	isNumber  = "(@ IS NULL OR +@ = CAST(@ AS NUMERIC))"
	isInteger = isNumber + " AND CAST(@ AS NUMERIC) IS CAST(CAST(@ AS NUMERIC) AS INTEGER)"

	tableQuery = `SELECT sql, EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower(m.name))
FROM main.sqlite_master AS m WHERE type = 'table' AND lower(name) = lower(@)`

	columnsQuery = `SELECT name, '(' || coalesce(dflt_value, 'NULL') || ')', upper(type), pk = 1 AND upper(type) = 'INTEGER',
	CASE WHEN type LIKE '%INT%' THEN 3 WHEN type LIKE '%CHAR%' OR type LIKE '%CLOB%' OR type LIKE '%TEXT%' THEN 1
	WHEN type LIKE '%BLOB%' OR upper(type) IN ('', 'ANY') THEN 0 WHEN type LIKE '%REAL%' OR type LIKE '%FLOA%' OR type LIKE '%DOUB%' THEN 2 ELSE 3 END
FROM pragma_table_xinfo(@) WHERE hidden = 0 ORDER BY cid`

	// The unique keys that SQLite calls #. The rowid has no index.
	keysQuery = `SELECT sql, terms, given FROM (SELECT coalesce((SELECT sql FROM main.sqlite_master WHERE name = l.name), '') AS sql,
	group_concat(printf('"%w" COLLATE "%w"', x.name, x.coll), ', ') AS terms, group_concat(printf('"%w" IS NOT NULL', x.name), ' AND ') AS given,
	CASE WHEN min(x.cid) < -1 THEN 'index ''' || l.name || '''' ELSE group_concat(@ || '.' || x.name, ', ') END AS called
FROM pragma_index_list(@) AS l JOIN pragma_index_xinfo(l.name) AS x WHERE l."unique" AND x.key GROUP BY l.name) WHERE called = # COLLATE NOCASE
UNION SELECT '', printf('"%w"', name), '1' FROM pragma_table_xinfo(@)
WHERE pk = 1 AND @ || '.' || name = # COLLATE NOCASE AND NOT EXISTS (SELECT 1 FROM pragma_index_list(@) WHERE origin = 'pk')`
)

// culprits returns the query for the rows, or "".
func (q *writing) culprits(ctx context.Context, db DB) string {
	create, triggers := "", 0
	err := Each(ctx, db, strings.ReplaceAll(tableQuery, "@", q.table), func(scan Scan) error { return scan(&create, &triggers) })
	folded := sqltext.Fold(create)
	if err != nil || triggers > 0 || strings.Contains(folded, "on conflict") || q.read(ctx, db) != nil {
		return ""
	}
	collates := strings.Contains(folded, "collate") // and a subquery does not
	// With an aggregate function, one row would be there for many.
	guard := "(SELECT count(*) FROM _lockstep_x) = (SELECT count(*) FROM " + q.From + ")"
	if called, ok := strings.CutPrefix(q.sentence, "UNIQUE constraint failed: "); ok {
		rows, key := q.unique(ctx, db, called, collates)
		if rows == "" {
			return ""
		}
		return q.with + pairs(rows, key, guard)
	}
	if called, ok := strings.CutPrefix(q.sentence, "CHECK constraint failed: "); ok && !collates {
		if check := sqltext.FindCheck(create, called); check != "" {
			q.bad = "_lockstep_y AS @ WHERE _lockstep_ok AND NOT (" + check + ")"
			if strings.Contains(check, "typeof") { // which does not depend on affinity
				q.bad += " UNION ALL SELECT _lockstep_row, _lockstep_n FROM _lockstep_z AS @ WHERE NOT (" + check + ")"
			}
			q.bad = strings.ReplaceAll(q.bad, " AS @ ", " AS "+sqltext.Quote(q.Table)+" ")
		}
	}
	if q.bad == "" {
		return ""
	}
	return q.with + "SELECT '', _lockstep_row, count(*) OVER () FROM (SELECT _lockstep_row, _lockstep_n FROM " + q.bad + ") WHERE " + guard + " ORDER BY _lockstep_n"
}

// read reads the columns of the table.
func (q *writing) read(ctx context.Context, db DB) error {
	var x, y, z, all, ok []string // x has those that the statement sets
	for _, c := range q.Columns {
		x = append(x, sqltext.Quote(c))
	}
	values := q.Values
	err := Each(ctx, db, strings.ReplaceAll(columnsQuery, "@", q.table), func(scan Scan) error {
		var name, value, typ string
		var rowid, affinity int
		err := scan(&name, &value, &typ, &rowid, &affinity)
		column := sqltext.Quote(name)
		all = append(all, column)
		is := func(c string) bool { return sqltext.Equal(c, name) }
		if q.Columns == nil || q.Update && !slices.ContainsFunc(q.Columns, is) {
			x = append(x, column)
		}
		if q.Update && !slices.ContainsFunc(q.Columns, is) {
			values += ", " + sqltext.Quote(q.Alias) + "." + column
		}
		if q.Columns == nil || q.Update || slices.ContainsFunc(q.Columns, is) {
			value = column
		}
		y = append(y, strings.ReplaceAll(stored[affinity], "@", value)+" AS "+column)
		z = append(z, "+"+value+" AS "+column)
		ok = append(ok, strings.ReplaceAll(converts[affinity], "@", value))
		cannot := strings.HasPrefix(q.sentence, "cannot store ") && strings.HasSuffix(sqltext.Fold(q.sentence), sqltext.Fold(" column "+q.Table+"."+name))
		fits := converts[affinity]
		switch {
		case sqltext.Equal(q.sentence, "NOT NULL constraint failed: "+q.Table+"."+name):
			q.bad = "_lockstep_y WHERE " + column + " IS NULL"
			return err
		case cannot && typ == "BLOB":
			fits = "typeof(@) IN ('blob', 'null')"
		case cannot && affinity == 3, q.sentence == "datatype mismatch" && rowid == 1:
			fits = isInteger
		case !cannot:
			return err
		}
		q.bad = "_lockstep_x WHERE NOT (" + strings.ReplaceAll(fits, "@", column) + ")"
		return err
	})
	q.columns = strings.Join(all, ", ")
	fits := strings.Join(ok, " AND ")
	q.with = "WITH _lockstep_x(_lockstep_row, _lockstep_n, " + strings.Join(x, ", ") + ") AS (SELECT " + q.row + ", row_number() OVER ()" + values + " FROM " + q.From +
		"), _lockstep_y AS (SELECT _lockstep_row, _lockstep_n, " + strings.Join(y, ", ") + ", " + fits + " AS _lockstep_ok FROM _lockstep_x LIMIT -1" +
		"), _lockstep_z AS (SELECT _lockstep_row, _lockstep_n, " + strings.Join(z, ", ") + " FROM _lockstep_x WHERE NOT (" + fits + ") LIMIT -1) "
	return err
}

// unique returns a query for the rows in which the key that SQLite calls so must not be there
// twice, with those that the statement does not write, and the key.
func (q *writing) unique(ctx context.Context, db DB, called string, collates bool) (rows string, key []string) {
	sure, where := true, ""
	err := Each(ctx, db, strings.NewReplacer("@", q.table, "#", literal(called)).Replace(keysQuery), func(scan Scan) error {
		var create, terms, given string
		err := scan(&create, &terms, &given)
		k := []string{terms}
		if create != "" {
			w, ok := sqltext.Parse(create).Cut()[0].Write()
			if w.Where != "1" {
				given += " AND (" + w.Where + ")"
			}
			if strings.HasPrefix(called, "index '") {
				k, given = w.Key, w.Indexed()
			}
			sure = sure && ok && (!collates || w.Where == "1" && len(k) == 1)
		}
		sure = sure && (key == nil || slices.Equal(key, k) && where == given)
		key, where = k, given
		return err
	})
	row, others := q.row, "AS "+sqltext.Quote(q.Alias)+" WHERE ("+q.Where+") IS NOT TRUE"
	if !q.Update && err == nil {
		row, err = rowName(ctx, db, q.Table, "c")
		row, others = row+" || "+literal(" of "+q.Table), "AS c WHERE 1"
	}
	if !sure || err != nil || key == nil || strings.HasPrefix(row, "'a row'") || !q.Update && sqltext.Equal(q.Table, q.Source) {
		return "", nil
	}
	return "SELECT " + row + " AS _lockstep_row, " + q.columns + " FROM main." + sqltext.Quote(q.Table) + " " + others + " AND " + where +
		" UNION ALL SELECT _lockstep_row, " + q.columns + " FROM _lockstep_y WHERE _lockstep_ok AND " + where, key
}

// In says what to add to the sentence of SQLite's: ": rowid 4 and 9 (and 2 more pairs)".
func (c *Culprits) In(sentence string) string {
	text, noun := "", "row"
	for i := 0; i < len(c.Rows); i++ {
		text += map[bool]string{true: ": ", false: ", "}[i == 0] + c.Rows[i]
		if c.Pairs {
			i++
			name := c.Rows[i]
			if !strings.Contains(c.Rows[i-1], " of ") { // another table
				name = strings.TrimPrefix(strings.TrimPrefix(name, "rowid "), "key ")
			}
			text, noun = text+" and "+name, "pair"
		}
	}
	if text != "" && (c.Made || !strings.Contains(sqltext.Fold(sentence), " "+sqltext.Fold(c.Table)+".")) {
		text += " of " + c.Table
	}
	if c.Made {
		text += " as the upgrade made it"
	}
	if c.More > 0 {
		text += " (and " + wording.Count(c.More, "more "+noun) + ")"
	}
	return text
}
