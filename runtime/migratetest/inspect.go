package migratetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqltext"
)

// migrate is [lockstep.Migrate] with errors for whoever wrote the migrations.
func migrate(ctx context.Context, db *sql.DB, target *lockstep.Schema) error {
	err := named(lockstep.Migrate(ctx, db, target))
	if err == nil {
		return nil
	}
	for _, missing := range []string{"no such module: ", "no such function: ", "no such collation sequence: "} {
		if strings.Contains(err.Error(), missing) {
			return fmt.Errorf("%w\n\tif the program adds it to SQLite, have the test do so: migratetest.Open", err)
		}
	}
	return err
}

// named leaves out of an error the folder of the database, which is another one in each
// test, and gone when somebody reads it; and the way to start nevertheless.
func named(err error) error {
	if e := (*lockstep.Error)(nil); errors.As(err, &e) {
		e.Digest = ""
		if e.DB != "" {
			e.DB = filepath.Base(e.DB)
		}
	}
	if e := (*lockstep.MigrationError)(nil); errors.As(err, &e) {
		e.DB = filepath.Base(e.DB)
	}
	return err
}

// intact returns an error if the file is damaged, or a row is not what a NOT NULL or a
// CHECK of its table says.
//
// https://sqlite.org/pragma.html#pragma_integrity_check
func intact(ctx context.Context, db *sql.DB) error {
	rows, err := queryRows(ctx, db, "PRAGMA integrity_check(10)")
	if err != nil {
		return err
	}
	var faults []string
	for _, row := range rows {
		if row[0].String != "ok" {
			faults = append(faults, row[0].String)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("integrity_check: %s", strings.Join(faults, "; "))
	}
	return nil
}

// orphans returns an error if a row is without parent.
//
// https://sqlite.org/pragma.html#pragma_foreign_key_check
func orphans(ctx context.Context, db *sql.DB) error {
	rows, err := queryRows(ctx, db, "SELECT \"table\", \"rowid\", parent FROM pragma_foreign_key_check LIMIT 10")
	if err != nil {
		return fmt.Errorf("foreign_key_check: %w", err)
	}
	var found []string
	for _, row := range rows {
		name := "table " + row[0].String + ", parent " + row[2].String
		if row[1].Valid { // a table WITHOUT ROWID has none
			name += ": rowid " + row[1].String
		}
		found = append(found, name)
	}
	if len(found) > 0 {
		return fmt.Errorf("rows without parent: %s", strings.Join(found, "; "))
	}
	return nil
}

// tableRows is how many rows a table has.
type tableRows struct {
	table string
	rows  int64
}

func (r tableRows) is(table string) bool { return strings.EqualFold(r.table, table) }

// countRows counts the rows of all tables that somebody made.
func countRows(ctx context.Context, db *sql.DB) (counts []tableRows, err error) {
	state, err := lockstep.Inspect(ctx, db, &lockstep.Schema{})
	if err != nil {
		return nil, named(err)
	}
	// Beside a schema with nothing in it, all that somebody made is extra.
	_, objects := sqltext.Diff(nil, state.Objects)
	for _, o := range objects {
		if o.Type != "table" {
			continue
		}
		c := tableRows{table: o.Name}
		q := `SELECT count(*) FROM "` + strings.ReplaceAll(o.Name, `"`, `""`) + `"`
		if err := db.QueryRowContext(ctx, q).Scan(&c.rows); err != nil {
			if strings.HasPrefix(strings.ToLower(o.SQL), "create virtual") {
				continue // not every module has rows that can be counted
			}
			return nil, fmt.Errorf("table %s: %w", o.Name, err)
		}
		counts = append(counts, c)
	}
	return counts, nil
}

// queryRows returns the rows of a query.
func queryRows(ctx context.Context, db *sql.DB, query string, args ...any) (result [][]sql.NullString, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		row := make([]sql.NullString, len(columns))
		dest := make([]any, len(columns))
		for i := range row {
			dest[i] = &row[i]
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, err
		}
		result = append(result, row)
	}
	return result, rows.Err()
}
