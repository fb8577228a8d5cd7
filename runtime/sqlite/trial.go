package sqlite

import (
	"context"
	"errors"
	"strings"

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
		event = triggerEvent(o.SQL)
	case o.MayRefer(), computes(o):
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

// computes reports whether a default of the table is an expression.
func computes(o sqltext.Object) bool {
	if o.Type != "table" || IsVirtual(o) {
		return false
	}
	script := sqltext.Parse(o.SQL)
	for i, t := range script.Tokens {
		// What is no expression is one token, perhaps after a sign.
		if i > 0 && script.Name(i-1) == "default" && (t.Kind == sqltext.Punct || t.Kind == sqltext.Directive) {
			return true
		}
	}
	return false
}

var errCompiles = errors.New("it compiles")

// Try compiles the statement of [Trial]. Foreign keys are off.
func Try(ctx context.Context, db DB, o sqltext.Object) (about string, err error) {
	if o.Type == "table" && !computes(o) {
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
