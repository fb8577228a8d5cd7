package lockstep

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// refuseTemporary returns an error that names a temporary table, view or trigger of the
// connection that would come between the migrations and the tables of the database: SQLite
// looks for a name among what is temporary first.
//
// https://sqlite.org/lang_naming.html
func (c *conn) refuseTemporary(ctx context.Context, st *state, migrations []*pending) error {
	type object struct{ kind, name, table string }
	var temporary []object
	err := c.query(ctx, "SELECT type, name, tbl_name FROM sqlite_temp_master WHERE type <> 'index'", func(scan scanner) error {
		var o object
		err := scan(&o.kind, &o.name, &o.table)
		temporary = append(temporary, o)
		return err
	})
	if err != nil || len(temporary) == 0 {
		return err
	}
	for _, o := range temporary {
		switch {
		case o.kind == "trigger":
			own := func(t object) bool { return t.kind != "trigger" && sqltext.Equal(t.name, o.table) }
			if (st.has(o.table) || sqltext.IsOurs(o.table)) && !slices.ContainsFunc(temporary, own) {
				return fmt.Errorf("temporary trigger %s of this connection acts on %s; drop it first", o.name, o.table)
			}
		case strings.HasPrefix(o.name, "sqlite_"): // SQLite's own, for AUTOINCREMENT and ANALYZE
			if mentioned(o.name, migrations) {
				return fmt.Errorf("temporary tables of this connection have a table %s, which hides that of the database; drop them first", o.name)
			}
		case sqltext.IsOurs(o.name): // no migration names them, and nobody without "main."
		case st.has(o.name) || defined(o.name, migrations):
			return fmt.Errorf("temporary %s %s of this connection hides that of the database; drop it first", o.kind, o.name)
		}
	}
	return nil
}

// defined reports whether migrations make, alter or drop something of this name.
func defined(name string, migrations []*pending) bool {
	return slices.ContainsFunc(migrations, func(m *pending) bool {
		return slices.ContainsFunc(m.statements, func(s sqltext.Statement) bool { return s.Defines(name) })
	})
}

// mentioned reports whether migrations have the name anywhere, or may have it.
func mentioned(name string, migrations []*pending) bool {
	return slices.ContainsFunc(migrations, func(m *pending) bool {
		return m.Program != nil || m.says(name)
	})
}
