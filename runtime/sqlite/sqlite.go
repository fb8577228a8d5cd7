// Package sqlite is not for programs and promises nothing: it may change or go in any
// release. It holds what lockstep's packages need to know about a live database,
// whatever the driver: what SQLite says in an error, which tables people made, how many
// rows they have, and which rows lack a parent.
//
// It imports no driver.
package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Drain executes a statement that may return rows, to its end.
func Drain(ctx context.Context, db *sql.Conn, query string) error {
	err := Each(ctx, db, query, func(Scan) error { return nil })
	if err != nil && err.Error() == "not an error" { // dqlite does not run what returns none
		_, err = db.ExecContext(ctx, query)
	}
	return err
}

// texts returns the first column of a query.
func texts(ctx context.Context, db DB, query string) (all []string, err error) {
	err = Each(ctx, db, query, func(scan Scan) error {
		var text string
		err := scan(&text)
		all = append(all, text)
		return err
	})
	return all, err
}

// ObjectsQuery returns the rows of sqlite_schema that have SQL and are not SQLite's own.
const ObjectsQuery = "SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL AND substr(name, 1, 7) <> 'sqlite_'"

// Objects returns the schema of the database in the order in which it was made: what
// ObjectsQuery returns. It leaves out the shadow tables, in which virtual tables keep their
// content, with their indexes and triggers. Only SQLite knows which they are: an ordinary
// table may have such a name. Where the module of a virtual table is missing, SQLite does not
// know either, and all tables are returned.
//
// https://sqlite.org/vtab.html#the_xshadowname_method
func Objects(ctx context.Context, db DB) ([]sqltext.Object, error) {
	var objects []sqltext.Object
	virtual := false
	err := Each(ctx, db, ObjectsQuery, func(scan Scan) error {
		var o sqltext.Object
		err := scan(&o.Type, &o.Name, &o.Table, &o.SQL)
		objects = append(objects, o)
		virtual = virtual || IsVirtual(o)
		return err
	})
	if err != nil || !virtual {
		return objects, err
	}
	shadows := make(map[string]bool)
	names, err := texts(ctx, db, "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'shadow'")
	for _, name := range names {
		shadows[sqltext.Fold(name)] = true
	}
	return Of(objects, func(table string) bool { return !shadows[sqltext.Fold(table)] }), err
}

// Of returns the objects of the tables that are so.
//
//go:noinline
func Of(objects []sqltext.Object, so func(table string) bool) (these []sqltext.Object) {
	for _, o := range objects {
		if so(o.Table) {
			these = append(these, o)
		}
	}
	return these
}

// Made returns the objects that people made: those that are not lockstep's.
func Made(objects []sqltext.Object) []sqltext.Object {
	_, made := sqltext.Diff(nil, objects)
	return made
}

// IsVirtual reports whether the object is a virtual table. SQLite itself words the
// beginning of the statement.
func IsVirtual(o sqltext.Object) bool { return strings.HasPrefix(o.SQL, "CREATE VIRTUAL TABLE") }

// IsLitestream reports whether the table belongs to Litestream, which makes its tables in
// every database that it replicates.
func IsLitestream(table string) bool { return strings.HasPrefix(sqltext.Fold(table), "_litestream_") }

// A Count is the number of rows in a table.
type Count struct {
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
}

// Rows counts the rows of the tables among objects that people made; Litestream's are left
// out. It stops counting at limit; 0 means no limit. Virtual tables that cannot be
// counted are left out too: the module may be missing, or want arguments.
func Rows(ctx context.Context, db DB, objects []sqltext.Object, limit int64) (counts []Count, err error) {
	for _, o := range Made(objects) {
		if o.Type != "table" || IsLitestream(o.Name) {
			continue
		}
		from := `"$1"`
		if limit > 0 {
			from = `(SELECT 1 FROM "$1" LIMIT $2)`
		}
		q := sqltext.Fill("SELECT count(*) FROM "+from, o.Name, strconv.FormatInt(limit, 10))
		c := Count{Table: o.Name}
		err := Read(ctx, db, q, &c.Rows)
		if err != nil && IsVirtual(o) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("table %s: %w", o.Name, err)
		}
		counts = append(counts, c)
	}
	return counts, nil
}

// CountStray counts the rows of a table, and those of which a stray's value is not NULL. ok is
// false if they are not there: see [sqltext.Stray].
func CountStray(ctx context.Context, db DB, table, value string) (rows, values int64, ok bool, err error) {
	q := sqltext.Fill(`SELECT count(*), count($1) FROM main."$2" AS c`, value, table)
	err = Read(ctx, db, q, &rows, &values)
	ok = err == nil
	return rows, values, ok, unlessLogic(err)
}

// FormChange says what a script has changed of that which a database keeps from its creation
// on: the size of its pages and the encoding of its text. "" means that it kept both.
func FormChange(ctx context.Context, before, after DB) (change string, err error) {
	const q = "SELECT 'pages of ' || page_size || ' bytes and text in ' || encoding FROM pragma_page_size, pragma_encoding"
	var was, is string
	if err = Read(ctx, before, q, &was); err == nil {
		err = Read(ctx, after, q, &is)
	}
	if err == nil && is != was {
		change = "changed the database from " + was + " to " + is + "; an upgrade must keep both"
	}
	return change, err
}
