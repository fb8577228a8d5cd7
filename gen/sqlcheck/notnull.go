package sqlcheck

import (
	"slices"

	"github.com/ncruces/go-sqlite3"

	"github.com/lockstep-db/lockstep/gen/engine"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// missing returns the columns that must not be NULL and to which an INSERT gives no
// value, or NULL; and whether the INSERT ignores that, and inserts nothing. SQLite finds
// that out only when the statement runs.
//
// https://sqlite.org/pragma.html#pragma_table_xinfo
func (d *database) missing(s statement) (columns []string, ignores bool) {
	in, ok := sqltext.ParseInsertion(s.Text)
	if !ok {
		return nil, false
	}
	cid := 0
	// The rowid gets a value of its own. No pragma tells of NOT NULL ON CONFLICT IGNORE.
	engine.Each(d.conn, func(row *sqlite3.Stmt) {
		column, name := row.ColumnText(0), sqltext.Fold(row.ColumnText(1))
		notNull, noDefault, rowid := row.ColumnBool(2), row.ColumnBool(3), row.ColumnBool(4)
		i := cid
		if in.Columns != nil {
			i = slices.Index(in.Columns, name)
		}
		null := slices.Contains(in.Nulls, i) && (noDefault || !in.Replaces) && !in.Ignores
		if notNull && !rowid && (null || i < 0 && noDefault) {
			columns = append(columns, column)
		}
		cid++
	}, `SELECT t.name || '.' || c.name, c.name, c."notnull", ifnull(c.dflt_value, 'NULL') = 'NULL',
			NOT t.wr AND c.pk = 1 AND c.type = 'INTEGER' COLLATE NOCASE AND (SELECT count(*) FROM pragma_table_info(?1) WHERE pk) = 1
		FROM pragma_table_list(?1) AS t, pragma_table_xinfo(?1) AS c
		WHERE t.schema = 'main' AND c.hidden = 0 AND NOT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = t.name AND sql LIKE '%ignore%')
		ORDER BY c.cid`, in.Table)
	return columns, in.Ignores
}
