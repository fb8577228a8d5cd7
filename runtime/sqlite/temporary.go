package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// CheckTemporary returns an error that names a temporary table, view or trigger of the
// connection that would come between migrations and the tables of the database: SQLite looks
// for a name among what is temporary first. has tells which tables the database has, defined
// what the migrations make, alter or drop, and mentioned what they have anywhere.
//
// https://sqlite.org/lang_naming.html
func CheckTemporary(ctx context.Context, db DB, has, defined, mentioned func(name string) bool) error {
	opened := false // which a look at what is in it would do
	err := Each(ctx, db, FileQuery, func(scan Scan) error {
		var seq, name, file sql.NullString
		err := scan(&seq, &name, &file)
		opened = opened || name.String == "temp"
		return err
	})
	if err != nil || !opened {
		return err
	}
	var temporary []sqltext.Object
	err = Each(ctx, db, "SELECT type, name, tbl_name FROM sqlite_temp_master WHERE type <> 'index'", func(scan Scan) error {
		var o sqltext.Object
		err := scan(&o.Type, &o.Name, &o.Table)
		temporary = append(temporary, o)
		return err
	})
	for _, o := range temporary {
		switch {
		case o.Type == "trigger":
			own := func(t sqltext.Object) bool { return t.Type != "trigger" && sqltext.Equal(t.Name, o.Table) }
			if (has(o.Table) || sqltext.IsOurs(o.Table)) && !slices.ContainsFunc(temporary, own) {
				return fmt.Errorf("temporary trigger %s of this connection acts on %s; drop it first", o.Name, o.Table)
			}
		case strings.HasPrefix(o.Name, "sqlite_"): // SQLite's own, for AUTOINCREMENT and ANALYZE
			if mentioned(o.Name) {
				return fmt.Errorf("temporary tables of this connection have a table %s, which hides that of the database; drop them first", o.Name)
			}
		case sqltext.IsOurs(o.Name): // no migration names them, and nobody without "main."
		case has(o.Name) || defined(o.Name):
			return fmt.Errorf("temporary %s %s of this connection hides that of the database; drop it first", o.Type, o.Name)
		}
	}
	return err
}
