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

// upgrade does what the program does when it starts, which leaves no row without parent,
// and returns the objects of the schema. It returns an error if a program would then not
// start on the database, or if the file is damaged or has rows that break a NOT NULL or
// CHECK of their table.
func upgrade(ctx context.Context, db *sql.DB, target *lockstep.Schema) ([]sqltext.Object, error) {
	if err := lockstep.Migrate(ctx, db, target); err != nil {
		return nil, explain(err)
	}
	state, err := lockstep.Inspect(ctx, db, target)
	if err == nil {
		err = state.Refusal
	}
	if err != nil {
		return nil, explain(err)
	}
	faults, err := sqlite.IntegrityCheck(ctx, db, 10)
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%s: at version %v: integrity_check: %s", filepath.Base(state.DB), target.Expected, strings.Join(faults, "; "))
	}
	return state.Objects, err
}

// explain rewords an error for the author of the migrations. It leaves out the folder of
// the database, which is a different one in each run, and the way to start anyway.
func explain(err error) error {
	if e := (*lockstep.Error)(nil); errors.As(err, &e) {
		e.Digest = ""
		if e.DB != "" {
			e.DB = filepath.Base(e.DB)
		}
	}
	if e := (*lockstep.MigrationError)(nil); errors.As(err, &e) {
		e.DB = filepath.Base(e.DB)
	}
	for _, missing := range []string{"no such module: ", "no such function: ", "no such collation sequence: "} {
		if strings.Contains(err.Error(), missing) {
			return fmt.Errorf("%w\n\tif the program adds it to SQLite, have the test do so: migratetest.Open", err)
		}
	}
	return err
}
