package sqlcheck

import (
	"slices"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// missing returns the columns that must not be NULL and to which an INSERT gives no
// value, or NULL; and whether the INSERT ignores that, and inserts nothing. SQLite finds
// that out only when the statement runs.
//
// https://sqlite.org/pragma.html#pragma_table_xinfo
func (d *database) missing(s statement) (columns []string, ignores bool) {
	in, ok := s.insertion()
	if !ok {
		return nil, false
	}
	// The rowid gets a value of its own. No pragma tells of NOT NULL ON CONFLICT IGNORE.
	stmt, _, err := d.conn.Prepare(`SELECT t.name || '.' || c.name, c.name, c."notnull", ifnull(c.dflt_value, 'NULL') = 'NULL',
			NOT t.wr AND c.pk = 1 AND c.type = 'INTEGER' COLLATE NOCASE AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk) = 1
		FROM pragma_table_list(?1) AS t, pragma_table_xinfo(?1) AS c
		WHERE t.schema = 'main' AND c.hidden = 0 AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = t.name AND sql LIKE '%ignore%')
		ORDER BY c.cid`)
	if err != nil {
		return nil, false
	}
	defer stmt.Close()
	if stmt.BindText(1, in.table) != nil {
		return nil, false
	}
	for cid := 0; stmt.Step(); cid++ {
		column, name := stmt.ColumnText(0), sqltext.Fold(stmt.ColumnText(1))
		notNull, noDefault, rowid := stmt.ColumnBool(2), stmt.ColumnBool(3), stmt.ColumnBool(4)
		i := cid
		if in.columns != nil {
			i = slices.Index(in.columns, name)
		}
		null := slices.Contains(in.nulls, i) && (noDefault || !in.replaces) && !in.ignores
		if notNull && !rowid && (null || i < 0 && noDefault) {
			columns = append(columns, column)
		}
	}
	return columns, in.ignores
}

// An insertion is what an INSERT says about the columns of its table. Names are in
// lower case.
type insertion struct {
	table    string
	columns  []string // nil: all
	nulls    []int    // those of columns that are NULL in a row of VALUES
	ignores  bool     // INSERT OR IGNORE
	replaces bool     // INSERT OR REPLACE, which puts the default in the place of NULL
}

// insertion reads "INSERT INTO table (columns) VALUES (values), …" and its like.
//
// https://sqlite.org/lang_insert.html
func (s *statement) insertion() (in insertion, ok bool) {
	i, depth := 0, 0 // a WITH clause can come first
	for ; i < len(s.Tokens) && (depth > 0 || s.Name(i) != "into"); i++ {
		depth += s.nesting(i)
	}
	in.ignores, in.replaces = s.Name(i-1) == "ignore", s.Name(i-1) == "replace"
	if i++; s.Name(i+1) == "." {
		if s.Name(i) != "main" {
			return in, false
		}
		i += 2
	}
	in.table = s.Name(i)
	if i++; s.Name(i) == "as" {
		i += 2
	}
	if s.nesting(i) == 1 {
		for i++; i < len(s.Tokens) && s.nesting(i) == 0; i++ {
			if s.Token(i) != "," {
				in.columns = append(in.columns, s.Name(i))
			}
		}
		i++
	}
	switch s.Name(i) {
	case "default": // VALUES
		in.columns = []string{}
	case "values":
		in.nulls = s.nulls(i + 1)
	}
	return in, in.table != ""
}

// nulls returns the positions of NULL in the rows of VALUES that begin at token i.
func (s *statement) nulls(i int) (nulls []int) {
	column, depth, begin := 0, 0, 0
	for ; i < len(s.Tokens); i++ {
		nesting := s.nesting(i)
		depth += nesting
		switch comma := s.Token(i) == ","; {
		case depth == 0 && nesting == 0 && !comma:
			return nulls // ON CONFLICT, RETURNING
		case depth == 1 && nesting == 1:
			column, begin = 0, i+1
		case depth == 1 && comma, depth == 0 && nesting == -1:
			if i == begin+1 && s.Tokens[begin].Kind == sqltext.Word && s.Name(begin) == "null" {
				nulls = append(nulls, column)
			}
			column, begin = column+1, i+1
		}
	}
	return nulls
}

// nesting returns 1 for a parenthesis that opens, -1 for one that closes.
func (s *statement) nesting(i int) int {
	if i >= len(s.Tokens) {
		return 0
	}
	switch s.Token(i) {
	case "(":
		return 1
	case ")":
		return -1
	}
	return 0
}
