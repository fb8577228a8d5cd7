package migratetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/lockstep-db/lockstep/runtime"
	"github.com/lockstep-db/lockstep/runtime/sqlite"
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
func intact(ctx context.Context, db *sql.DB) error {
	faults, err := sqlite.IntegrityCheck(ctx, sqlite.On(db), 10)
	if err != nil || len(faults) == 0 {
		return err
	}
	return fmt.Errorf("integrity_check: %s", strings.Join(faults, "; "))
}

// orphans returns an error if rows lack a parent.
func orphans(ctx context.Context, db *sql.DB, objects []sqltext.Object) error {
	found, err := sqlite.FindOrphans(ctx, sqlite.On(db), objects)
	if err != nil {
		return fmt.Errorf("foreign_key_check: %w", err)
	}
	var texts []string
	for _, o := range found {
		texts = append(texts, lockstep.Violation{Table: o.Table, Parent: o.Parent, Count: o.Count, Rows: o.Rows, Mismatch: o.Mismatch}.String())
	}
	if len(texts) == 0 {
		return nil
	}
	return fmt.Errorf("rows without parent: %s", strings.Join(texts, "; "))
}

// countRows counts the rows of all tables that people made.
func countRows(ctx context.Context, db *sql.DB) ([]sqlite.Count, error) {
	query := sqlite.On(db)
	objects, err := sqlite.Objects(ctx, query)
	if err != nil {
		return nil, err
	}
	return sqlite.Rows(ctx, query, objects, 0)
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
