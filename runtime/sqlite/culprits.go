package sqlite

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
	"github.com/lockstep-db/lockstep/runtime/wording"
)

// Culprits are the rows for which a statement failed on a constraint.
type Culprits struct {
	Table string   `json:"table"` // that they are in
	Rows  []string `json:"rows"`  // the first three, or three pairs, as "rowid 7" or "key ('a', 7)"
	Pairs bool     `json:"pairs"` // each two of Rows have the same key
	More  int      `json:"more"`  // rows, or pairs, that are not named
	Made  bool     `json:"made"`  // by the upgrade: the table may have had other rows before, or not been there
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
	query := pairs(sqltext.Fill(`SELECT $1 AS _lockstep_row, * FROM main."$2" AS c`, row, w.Table), w)
	switch {
	case w.Check != "" && sentence == "CHECK constraint failed": // of ADD COLUMN
		query = sqltext.Fill(`SELECT '', _lockstep_row, count(*) OVER () FROM (SELECT $1 AS _lockstep_row, c.*$2 AS "$3" FROM main."$4" AS c) AS "$4" WHERE NOT ($5)`,
			row, w.Values, w.Columns[0], w.Table, w.Check)
	case err == nil && w.Key == nil:
		query, err = written(ctx, db, w, row, sentence)
	}
	if w.Update && query == "" {
		if name := stopped(ctx, db, w, row, sentence); name != "" {
			return Culprits{Table: w.Source, Rows: []string{name}}
		}
	}
	if err == nil && row != "'a row'" {
		err = Each(ctx, db, query+" LIMIT "+strconv.Itoa(namedRows), func(scan Scan) error {
			var first, row string
			err := scan(&first, &row, &found.More)
			if found.Pairs = first != ""; found.Pairs {
				found.Rows = append(found.Rows, first)
			}
			found.Rows = append(found.Rows, row)
			return err
		})
	}
	if err != nil || found.Rows == nil {
		return Culprits{}
	}
	found.Table, found.More = w.Source, max(0, found.More-3)
	return found
}

// stopped returns the row at which an UPDATE could not compute its values, or "".
func stopped(ctx context.Context, db DB, w *sqltext.Write, row, sentence string) (name string) {
	from := sqltext.Fill(` FROM main."$1" AS "$2" NOT INDEXED WHERE ($3)`, w.Table, w.Alias, w.Where)
	query := "SELECT " + strings.TrimPrefix(w.Values, ", ") + from
	n := 0
	count := func(Scan) error { n++; return nil }
	if Each(ctx, db, "EXPLAIN "+query, count) != nil { // it is wrong for all rows
		return ""
	}
	n = 0
	Each(ctx, db, query, count)
	Read(ctx, db, "SELECT "+row+from+" LIMIT 1 OFFSET "+strconv.Itoa(n), &name)
	if err := Each(ctx, db, query+sqltext.Fill(" AND $1 = '$2'", row, name), count); err == nil || Sentence(err) != sentence {
		return ""
	}
	return name
}

// pairs returns a query for the pairs among rows that have the same key. Only those rows are
// numbered: that takes SQLite longer than to find them.
func pairs(rows string, key *sqltext.Write) string {
	from := " FROM (" + rows + ") WHERE " + key.Indexed()
	return sqltext.Fill(`SELECT _lockstep_first, _lockstep_row, count(*) OVER () FROM (
	SELECT first_value(_lockstep_row) OVER _lockstep_w AS _lockstep_first, _lockstep_row, _lockstep_n, row_number() OVER _lockstep_w AS _lockstep_i
	FROM (SELECT *, row_number() OVER () AS _lockstep_n$1 AND ($2) IN (SELECT $2$1 GROUP BY $2 HAVING count(*) > 1))
	WINDOW _lockstep_w AS (PARTITION BY $2 ORDER BY _lockstep_n)
) WHERE _lockstep_i > 1 ORDER BY _lockstep_n`, from, strings.Join(key.Key, ", "))
}

// written returns the query for the rows that an INSERT or UPDATE would write.
func written(ctx context.Context, db DB, w *sqltext.Write, row, sentence string) (query string, err error) {
	var create, index, rows string
	update := "0"
	if w.Update {
		update = "1"
	}
	err = Read(ctx, db, sqltext.Fill(keyQuery, w.Table, sentence, update, w.Source), &create, &index)
	constraint := strings.Contains(sentence, "constraint failed: ") || strings.HasPrefix(sentence, "cannot store ") || sentence == "datatype mismatch"
	if err != nil || create == "" || !constraint {
		return "", err
	}
	check := sqltext.FindCheck(create, strings.TrimPrefix(sentence, "CHECK constraint failed: "))
	indexed, others := "", row
	key := &sqltext.Write{}
	if index != "" {
		key, _ = sqltext.Parse(index).Cut()[0].Write()
		if indexed = key.Indexed(); !w.Update {
			others, err = rowName(ctx, db, w.Table, "c")
		}
	}
	if err == nil {
		err = Read(ctx, db, sqltext.Fill(writtenQuery, w.Table, sentence, sqltext.Fold(strings.Join(w.Columns, "\n")), update, sqltext.Quote(w.Alias),
			row, w.Values, w.From, check, indexed, others, w.Where), &query, &rows)
	}
	if index != "" {
		rows = pairs(rows, key)
	}
	return query + rows, err
}

const (
	// keyQuery reads the statement that made the table $1, unless something else has a part in
	// what SQLite says, $2, and one for the unique key in that. The rowid has no index. The
	// collation of a column is not that of an expression. Of the rows that an INSERT, if not
	// $3, copies in their own table, $4, two have the same name.
	keyQuery = `WITH i AS (SELECT CASE WHEN min(x.cid) > -2 AND NOT l.partial
	THEN 'CREATE UNIQUE INDEX i ON t (' || group_concat(printf('"%w" COLLATE "%w"', x.name, x.coll), ', ') || ')'
	ELSE (SELECT sql FROM main.sqlite_master WHERE name = l.name AND sql NOT LIKE '%collate%') END AS sql,
	CASE WHEN min(x.cid) < -1 THEN 'index ''' || l.name || '''' ELSE group_concat('$1' || '.' || x.name, ', ') END AS key
FROM pragma_index_list('$1') AS l JOIN pragma_index_xinfo(l.name) AS x WHERE l."unique" AND x.key GROUP BY l.name
UNION SELECT printf('CREATE UNIQUE INDEX i ON t ("%w")', name), '$1' || '.' || name FROM pragma_table_xinfo('$1')
WHERE pk = 1 AND NOT EXISTS (SELECT 1 FROM pragma_index_list('$1') WHERE origin = 'pk'))
SELECT sql, coalesce((SELECT CASE WHEN count(*) = 1 THEN max(sql) END FROM i WHERE 'UNIQUE constraint failed: ' || key = '$2' COLLATE NOCASE), '')
FROM main.sqlite_master AS m WHERE type = 'table' AND lower(name) = lower('$1') AND sql NOT LIKE '%on conflict%'
AND NOT ('$2' LIKE 'CHECK%' AND sql LIKE '%collate%') AND ($3 OR name <> '$4' COLLATE NOCASE)
AND NOT EXISTS (SELECT 1 FROM main.sqlite_master WHERE type = 'trigger' AND lower(tbl_name) = lower('$1'))`

	isNumber  = "(@ IS NULL OR +@ = CAST(@ AS NUMERIC))"
	isInteger = isNumber + " AND CAST(@ AS NUMERIC) IS CAST(CAST(@ AS NUMERIC) AS INTEGER)"

	// writtenQuery makes the queries for the values of the columns $3 of the table $1, or of
	// all columns if it is empty, or $4. _lockstep_x has those of the statement, and _lockstep_y
	// has them as they are stored, by the affinity of their columns: a subquery with a LIMIT
	// keeps that of what it selects. No expression has the affinity and the value of a column
	// that keeps a value because it cannot convert it. Such rows are not _lockstep_ok, and in
	// _lockstep_z. https://sqlite.org/datatype3.html#type_affinity
	writtenQuery = `WITH c AS (SELECT cid, name, pk, upper(type) AS type, printf('"%w"', name) AS c, '(' || coalesce(dflt_value, 'NULL') || ')' AS value,
	instr(char(10) || '$3' || char(10), char(10) || lower(name) || char(10)) AS p, CASE WHEN type LIKE '%INT%' THEN 3
	WHEN type LIKE '%CHAR%' OR type LIKE '%CLOB%' OR type LIKE '%TEXT%' THEN 1 WHEN type LIKE '%BLOB%' OR upper(type) IN ('', 'ANY') THEN 0
	WHEN type LIKE '%REAL%' OR type LIKE '%FLOA%' OR type LIKE '%DOUB%' THEN 2 ELSE 3 END AS affinity
FROM pragma_table_xinfo('$1') WHERE hidden = 0),
v AS (SELECT *, CASE WHEN p OR $4 OR '$3' = '' THEN c END AS x, CASE affinity WHEN 0 THEN '1' WHEN 1 THEN 'typeof(@) <> ''blob''' ELSE '` + isNumber + `' END AS converts,
	CASE affinity WHEN 0 THEN '+@' WHEN 1 THEN 'CAST(@ AS TEXT)' WHEN 2 THEN 'CAST(CAST(@ AS NUMERIC) AS REAL)'
	ELSE 'CAST(CASE WHEN CAST(@ AS NUMERIC) = CAST(CAST(@ AS NUMERIC) AS INTEGER) THEN CAST(CAST(@ AS NUMERIC) AS INTEGER) ELSE CAST(@ AS NUMERIC) END AS NUMERIC)' END AS stored
FROM c ORDER BY p = 0, p, cid LIMIT -1)
SELECT 'WITH _lockstep_x(_lockstep_row, _lockstep_n, ' || group_concat(x, ', ') || ') AS (SELECT ' || '$6' || ', row_number() OVER ()' || '$7' ||
	group_concat(CASE WHEN $4 AND p = 0 THEN ', ' || '$5' || '.' || c ELSE '' END, '') || ' FROM ' || '$8' ||
	'), _lockstep_y AS (SELECT _lockstep_row, _lockstep_n, ' || group_concat(replace(stored, '@', coalesce(x, value)) || ' AS ' || c, ', ') || ', ' ||
	group_concat(replace(converts, '@', coalesce(x, value)), ' AND ') || ' AS _lockstep_ok FROM _lockstep_x LIMIT -1' ||
	'), _lockstep_z AS (SELECT _lockstep_row, _lockstep_n, ' || group_concat('+' || coalesce(x, value) || ' AS ' || c, ', ') ||
	' FROM _lockstep_x WHERE NOT (' || group_concat(replace(converts, '@', coalesce(x, value)), ' AND ') || ') LIMIT -1) ',
	CASE WHEN '$a' <> '' THEN
	-- With the rows that are not written: of an INSERT, they are in another table.
	'SELECT ' || '$b' || CASE WHEN $4 THEN '' ELSE ' || ' || quote(' of ' || '$1') END || ' AS _lockstep_row, ' || group_concat(c, ', ') || printf(' FROM main."%w" AS ', '$1') ||
	CASE WHEN $4 THEN '$5' || ' WHERE (' || '$c' || ') IS NOT TRUE' ELSE 'c WHERE 1' END || ' AND ' || '$a' || ' AND ' || guard ||
	' UNION ALL SELECT _lockstep_row, ' || group_concat(c, ', ') || ' FROM _lockstep_y WHERE _lockstep_ok AND ' || '$a' || ' AND ' || guard
	ELSE 'SELECT '''', _lockstep_row, count(*) OVER () FROM (SELECT _lockstep_row, _lockstep_n FROM ' ||
	CASE WHEN '$9' = '' THEN coalesce(max(CASE WHEN 'NOT NULL constraint failed: ' || '$1' || '.' || name = '$2' COLLATE NOCASE THEN '_lockstep_y WHERE ' || c || ' IS NULL'
	WHEN '$2' LIKE 'cannot store %' AND substr('$2', -length(' column ' || '$1' || '.' || name)) = ' column ' || '$1' || '.' || name COLLATE NOCASE
	OR '$2' = 'datatype mismatch' AND pk = 1 AND type = 'INTEGER' THEN '_lockstep_x WHERE NOT (' ||
	replace(CASE WHEN type = 'BLOB' THEN 'typeof(@) IN (''blob'', ''null'')' WHEN affinity = 3 THEN '` + isInteger + `' ELSE converts END, '@', c) || ')' END), '')
	ELSE printf('_lockstep_y AS "%w" WHERE _lockstep_ok AND NOT (%s)', '$1', '$9') || CASE WHEN '$9' LIKE '%typeof%' THEN -- which does not depend on affinity
	printf(' UNION ALL SELECT _lockstep_row, _lockstep_n FROM _lockstep_z AS "%w" WHERE NOT (%s)', '$1', '$9') ELSE '' END END || ') WHERE ' || guard || ' ORDER BY _lockstep_n' END
-- With an aggregate function, one row would be there for many.
FROM v, (SELECT '(SELECT count(*) FROM _lockstep_x) = (SELECT count(*) FROM ' || '$8' || ')' AS guard)`
)

// In says what to add to the sentence of SQLite's: ": rowid 4 and 9 (and 2 more pairs)".
func (c *Culprits) In(sentence string) string {
	text, noun := "", "row"
	for i := 0; i < len(c.Rows); i++ {
		sep := ", "
		if i == 0 {
			sep = ": "
		}
		text += sep + c.Rows[i]
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
		text += " as the upgrade left it"
	}
	if c.More > 0 {
		text += " (and " + wording.Count(c.More, "more "+noun) + ")"
	}
	return text
}

// Content returns the rows of culprits that have names, each with the values of its columns.
func Content(ctx context.Context, db DB, c Culprits) (rows []string, err error) {
	row, err := rowName(ctx, db, c.Table, "c")
	columns := ""
	if err == nil {
		const q = `SELECT group_concat(printf('''%s '' || substr(quote(c."%w"), 1, 200)', replace(name, '''', ''''''), name), ' || '', '' || ') FROM pragma_table_xinfo('$1')`
		err = Read(ctx, db, sqltext.Fill(q, c.Table), &columns)
	}
	for i := 0; err == nil && i < len(c.Rows); i++ {
		query := sqltext.Fill(`SELECT $1 || ': ' || $2 FROM main."$3" AS c WHERE $1 = '$4'`, row, columns, c.Table, c.Rows[i])
		err = Each(ctx, db, query, func(scan Scan) error {
			var text string
			err := scan(&text)
			if !slices.Contains(rows, text) { // the first of a pair can be that of others
				rows = append(rows, text)
			}
			return err
		})
	}
	return rows, err
}
