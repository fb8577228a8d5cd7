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
	q := sqltext.Fill(`SELECT (SELECT column1 FROM (VALUES ('rowid'), ('_rowid_'), ('oid')) WHERE column1 NOT IN (SELECT lower(name) FROM pragma_table_xinfo('$1'))),
	(SELECT group_concat(printf('quote(%s"%w")', '$2', name), ' || '', '' || ') FROM (SELECT name FROM pragma_table_xinfo('$1') WHERE pk > 0 ORDER BY pk))`, table, alias)
	err := Read(ctx, db, q, &rowid, &key)
	if err == nil && rowid.Valid {
		q := sqltext.Fill(`SELECT $1 FROM main."$2" LIMIT 0`, rowid.String, table)
		if !key.Valid || Each(ctx, db, q, func(Scan) error { return nil }) == nil {
			return "'rowid ' || " + alias + rowid.String, nil
		}
	}
	if !key.Valid {
		return "'a row'", err
	}
	return "'key (' || " + key.String + " || ')'", err
}
