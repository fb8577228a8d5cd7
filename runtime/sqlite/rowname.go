package sqlite

import (
	"context"
	"database/sql"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// rowName returns an expression that names a row of the table, which the query calls by an
// alias: "rowid 7", or "key ('a', 7)" in a table WITHOUT ROWID.
func rowName(ctx context.Context, db DB, table, alias string) (string, error) {
	var rowid, key sql.NullString
	alias = sqltext.Quote(alias) + "."
	columns := "pragma_table_xinfo(" + literal(table) + ")"
	q := `SELECT (SELECT column1 FROM (VALUES ('rowid'), ('_rowid_'), ('oid')) WHERE column1 NOT IN (SELECT lower(name) FROM ` + columns + `)),
	(SELECT group_concat(printf('quote(%s"%w")', ` + literal(alias) + `, name), ' || '', '' || ') FROM (SELECT name FROM ` + columns + ` WHERE pk > 0 ORDER BY pk))`
	err := Each(ctx, db, q, func(scan Scan) error { return scan(&rowid, &key) })
	if err == nil && rowid.Valid {
		q := "SELECT " + rowid.String + " FROM main." + sqltext.Quote(table) + " LIMIT 0"
		if !key.Valid || Each(ctx, db, q, func(Scan) error { return nil }) == nil {
			return "'rowid ' || " + alias + rowid.String, nil
		}
	}
	if !key.Valid {
		return "'a row'", err
	}
	return "'key (' || " + key.String + " || ')'", err
}
