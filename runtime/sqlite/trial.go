package sqlite

import (
	"context"
	"errors"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Trial returns a statement to compile, which uses the object and is never run, and what it
// is about: CREATE does not look up the names in a view or a trigger, or the functions in the
// default of a column. The statement is empty if none is worth it.
func Trial(ctx context.Context, db DB, o sqltext.Object) (about, query string, err error) {
	event := ""
	switch {
	case o.Type == "view":
		return "view " + o.Name, sqltext.Fill(`SELECT * FROM "$1"`, o.Table), nil
	case o.Type == "trigger":
		event, _ = sqltext.TriggerEvent(o.SQL)
	case o.MayRefer(), o.Computes():
		event = "INSERT"
	}
	switch event {
	case "INSERT":
		query = `INSERT INTO "$1" DEFAULT VALUES`
	case "DELETE":
		query = `DELETE FROM "$1"`
	case "UPDATE":
		var columns string
		q := `SELECT coalesce(group_concat(printf('"%w" = "%w"', name, name), ', '), '') FROM pragma_table_xinfo('$1') WHERE hidden = 0`
		err = Read(ctx, db, sqltext.Fill(q, o.Table), &columns)
		return "UPDATE on " + o.Table, sqltext.Fill(`UPDATE "$1" SET $2`, o.Table, columns), err
	}
	return event + " on " + o.Table, sqltext.Fill(query, o.Table), err
}

var errCompiles = errors.New("it compiles")

// Try compiles the statement of [Trial]. Foreign keys are off.
func Try(ctx context.Context, db DB, o sqltext.Object) (about string, err error) {
	if o.Type == "table" && !o.Computes() {
		return "", nil
	}
	about, query, err := Trial(ctx, db, o)
	if err == nil && query != "" {
		err = Each(ctx, db, "EXPLAIN "+query, func(Scan) error { return errCompiles })
	}
	if err == errCompiles {
		err = nil
	}
	return about, err
}
