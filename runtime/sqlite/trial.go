package sqlite

import (
	"context"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// Trial returns a statement to compile, which uses the object and is never run, and what it
// is about: CREATE does not look up the names in a view or a trigger, or the functions in the
// default of a column. The statement is empty if none is worth it.
func Trial(ctx context.Context, db DB, o sqltext.Object) (about, query string, err error) {
	event, table := "", sqltext.Quote(o.Table)
	switch {
	case o.Type == "view":
		return "view " + o.Name, "SELECT * FROM " + table, nil
	case o.Type == "trigger":
		event = triggerEvent(o.SQL)
	case o.MayRefer(), o.Type == "table" && !IsVirtual(o) && strings.Contains(sqltext.Fold(o.SQL), "default"):
		event = "INSERT"
	}
	switch event {
	case "INSERT":
		query = "INSERT INTO " + table + " DEFAULT VALUES"
	case "DELETE":
		query = "DELETE FROM " + table
	case "UPDATE":
		var columns []string
		q := `SELECT printf('"%w" = "%w"', name, name) FROM pragma_table_xinfo(` + literal(o.Table) + ") WHERE hidden = 0"
		err = Each(ctx, db, q, func(scan Scan) error {
			columns = append(columns, "")
			return scan(&columns[len(columns)-1])
		})
		query = "UPDATE " + table + " SET " + strings.Join(columns, ", ")
	}
	return event + " on " + o.Table, query, err
}

// Try compiles the statement of [Trial].
func Try(ctx context.Context, db DB, o sqltext.Object) (about string, err error) {
	about, query, err := Trial(ctx, db, o)
	if err == nil && query != "" {
		rows, err := db.QueryContext(ctx, "EXPLAIN "+query)
		if err != nil {
			return about, err
		}
		return about, rows.Close()
	}
	return about, err
}

// triggerEvent returns the event of a trigger: the first of the three words, which are
// not names unless they are quoted.
func triggerEvent(create string) string {
	script := sqltext.Parse(create)
	for i, t := range script.Tokens {
		if t.Kind == sqltext.Word {
			switch word := strings.ToUpper(script.Token(i)); word {
			case "INSERT", "UPDATE", "DELETE":
				return word
			}
		}
	}
	return ""
}
